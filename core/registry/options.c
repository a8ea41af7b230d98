/* Option tables against YAML: types, bounds, defaults, and the binding of heads and texts to a model. Knows
 * tables and YAML, never a particular plugin. */
#include "core/registry/option_values.h"
#include "core/registry/suggest.h"

#include <stdlib.h>
#include <string.h>

hl_status options_no_memory(hl_error *error) {
    return hl_no_memory(error, "the options of a plugin");
}

hl_status options_fail(const option_values *values, const yaml_node *place, hl_error *error,
                       const char *format, ...) {
    hl_error detail;
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(detail.message, sizeof detail.message, format, arguments);
    va_end(arguments);
    if (place) return yaml_fail(place, error, "%s: %s", values->plugin->name, detail.message);
    return hl_fail(error, HL_USAGE, "%s: %s", values->plugin->name, detail.message);
}

/* ---- Reading one value ---- */

const yaml_node *option_place(const option_values *values, const option_row *row, size_t index) {
    return row->is_default || index >= row->count ? values->section : row->nodes[index];
}

hl_status option_fail_expected(const option_reader *reader, const yaml_node *node) {
    char expected[512], got[128];
    options_expected(reader->row->option, expected, sizeof expected);
    if (yaml_is_null(node)) {
        snprintf(got, sizeof got, "nothing");
    } else if (node->type == YAML_LIST) {
        snprintf(got, sizeof got, "a list of %zu", node->count);
    } else if (node->type == YAML_MAP) {
        snprintf(got, sizeof got, "a mapping");
    } else {
        snprintf(got, sizeof got, "%s\"%.100s\"", node->plain ? "" : "the text ", node->text);
    }
    return yaml_fail(node, reader->error, "option \"%s\": expected %s, got %s", reader->row->option->name,
                     expected, got);
}

static bool within(const hl_option *option, double number) {
    return !option_is_bounded(option) || (number >= option->min && number <= option->max);
}

static bool read_choice(const hl_option *option, const char *text, hl_value *value) {
    for (value->integer = 0; option->choices[value->integer]; ++value->integer) {
        if (strcmp(option->choices[value->integer], text) != 0) continue;
        value->string = option->choices[value->integer];
        return true;
    }
    return false;
}

static hl_status fail_choice(const option_reader *reader, const yaml_node *node) {
    const hl_option *option = reader->row->option;
    size_t count = 0;
    while (option->choices[count]) ++count;
    char ending[512];
    suggest(ending, sizeof ending, node->text, option->choices, count);
    return yaml_fail(node, reader->error, "option \"%s\": unknown value \"%s\"%s", option->name, node->text,
                     ending);
}

const char *option_resolve(const option_reader *reader, const yaml_node *node) {
    char *path = reader->row->is_default ? strdup(node->text) : yaml_resolve(node, node->text);
    const char *owned = path ? arena_copy_text(&reader->values->memory, path, strlen(path)) : NULL;
    free(path);
    return owned;
}

static hl_status read_scalar(const option_reader *reader, const yaml_node *node) {
    option_row *row = reader->row;
    hl_value *value = &row->value;
    const char *text = node->text;
    bool right = text != NULL;
    if (right) switch (row->option->type) {
        case HL_BOOL:
            right = yaml_truth(node, &value->boolean);
            break;
        case HL_INT:
            right = yaml_whole(node, &value->integer) && within(row->option, (double)value->integer);
            break;
        case HL_REAL:
            right = yaml_real(node, &value->real) && within(row->option, value->real);
            break;
        case HL_CHOICE:
            if (!read_choice(row->option, text, value)) return fail_choice(reader, node);
            break;
        case HL_PATH:
            if (!*text) return option_fail_expected(reader, node);
            if (!(value->string = option_resolve(reader, node))) return options_no_memory(reader->error);
            break;
        default:
            value->string = text;
            break;
        }
    return right ? HL_OK : option_fail_expected(reader, node);
}

bool option_right_length(const hl_option *option, size_t count) {
    if (count == 0 && (option->flags & HL_OPTION_MAY_BE_EMPTY)) return true;
    return option_is_list(option) && option_is_bounded(option) ? within(option, (double)count) : count > 0;
}

static hl_status read_value(const option_reader *reader, const yaml_node *node) {
    option_row *row = reader->row;
    row->value.given = true;
    if (option_is_list(row->option)) {
        bool several = node->type == YAML_LIST;
        size_t count = several ? node->count : 1;
        bool expands = row->option->type == HL_IMAGES && count > 0;
        if (!expands && !option_right_length(row->option, count)) return option_fail_expected(reader, node);
        return options_read_list(reader, several ? node->items : &node, count);
    }
    if (!node->text || yaml_is_null(node)) return option_fail_expected(reader, node);
    row->count = 1;
    row->nodes = arena_array(&reader->values->memory, 1, sizeof *row->nodes);
    row->written = arena_array(&reader->values->memory, 1, sizeof *row->written);
    if (!row->nodes || !row->written) return options_no_memory(reader->error);
    row->nodes[0] = node;
    row->written[0] = option_is_secret(row->option) ? YAML_HIDDEN : node->text;
    if (option_is_secret(row->option)) yaml_hide(node);
    return read_scalar(reader, node);
}

/* ---- Reading a section ---- */

bool option_may_be_left_out(const hl_option *option) {
    return option->fallback && strcmp(option->fallback, "~") == 0;
}

static hl_status read_fallback(option_values *values, option_row *row, const char *fallback,
                               hl_error *error) {
    char name[256];
    snprintf(name, sizeof name, "default \"%s\"", fallback);
    hl_status status = yaml_parse(name, (const uint8_t *)fallback, strlen(fallback), &row->fallback, error);
    if (status != HL_OK) return status;
    row->is_default = true;
    return read_value(&(option_reader){values, row, error}, yaml_root(row->fallback));
}

hl_status options_read_default(option_values *values, option_row *row, hl_error *error) {
    return read_fallback(values, row, row->option->fallback, error);
}

static hl_status fail_missing(const option_values *values, const hl_option *option, hl_error *error) {
    char expected[512];
    options_expected(option, expected, sizeof expected);
    bool environment = option_is_environment(option);
    return options_fail(values, values->section, error, "option \"%s\" is missing: expected %s%s%s",
                        option->name, expected, environment ? ", here or in the environment variable " : "",
                        environment ? option->fallback : "");
}

/* What the variable says, in place of a default. */
static hl_status read_environment(option_values *values, option_row *row, hl_error *error) {
    const char *said = getenv(row->option->fallback);
    if (!said || !*said) return fail_missing(values, row->option, error);
    hl_status status = read_fallback(values, row, "\"\"", error); /* a text, whatever it says */
    if (status != HL_OK) return status;
    row->value.string = arena_copy_text(&values->memory, said, strlen(said));
    row->written[0] = option_is_secret(row->option) ? YAML_HIDDEN : row->value.string;
    return row->value.string ? HL_OK : options_no_memory(error);
}

static hl_status read_row(option_values *values, option_row *row, hl_error *error) {
    const hl_option *option = row->option;
    const yaml_node *node = yaml_get(values->section, option->name);
    if (node && !(yaml_is_null(node) && option_may_be_left_out(option))) {
        return read_value(&(option_reader){values, row, error}, node);
    }
    if (option_may_be_left_out(option)) return HL_OK;
    if (option_is_environment(option)) return read_environment(values, row, error);
    return option->fallback ? options_read_default(values, row, error) : fail_missing(values, option, error);
}

static bool is_listed(const char *word, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (strcmp(word, names[i]) == 0) return true;
    }
    return false;
}

static hl_status check_keys(option_values *values, const char *const *ignored, hl_error *error) {
    size_t count = values->plugin->option_count, own_keys = 0;
    while (ignored[own_keys]) ++own_keys;
    const char **names = arena_array(&values->memory, count + own_keys, sizeof *names);
    if (!names) return options_no_memory(error);
    for (size_t i = 0; i < count; ++i) names[i] = values->plugin->options[i].name;
    memcpy(names + count, ignored, own_keys * sizeof *names);
    for (size_t i = 0; i < values->section->count; ++i) {
        const yaml_node *key = values->section->keys[i];
        if (is_listed(key->text, names, count + own_keys)) continue;
        size_t length = strcspn(key->text, ":"); /* what follows may be the value of a secret */
        if (key->text[length]) {
            return yaml_fail(key, error, "%s: \"%.*s:\" needs a blank behind it", values->plugin->name,
                             (int)length, key->text);
        }
        char ending[512];
        suggest(ending, sizeof ending, key->text, names, count + own_keys);
        return yaml_fail(key, error, "%s: unknown option \"%s\"%s", values->plugin->name, key->text, ending);
    }
    return HL_OK;
}

hl_status options_begin(const hl_plugin *plugin, option_values **out, hl_error *error) {
    option_values *values = *out = calloc(1, sizeof *values);
    if (!values) return options_no_memory(error);
    values->plugin = plugin;
    values->rows = arena_array(&values->memory, plugin->option_count, sizeof *values->rows);
    values->values = arena_array(&values->memory, plugin->option_count, sizeof *values->values);
    if (!values->rows || !values->values) return options_no_memory(error);
    for (size_t i = 0; i < plugin->option_count; ++i) {
        values->rows[i].option = &plugin->options[i];
        values->values[i] = &values->rows[i].value;
    }
    return HL_OK;
}

static hl_status read_section(option_values *values, const char *const *ignored, hl_error *error) {
    if (values->section && values->section->type != YAML_MAP) {
        return options_fail(values, values->section, error, "expected a mapping of options");
    }
    hl_status status = values->section && ignored ? check_keys(values, ignored, error) : HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        status = read_row(values, &values->rows[i], error);
    }
    return status;
}

hl_status options_read(const hl_plugin *plugin, const yaml_node *node, const char *const *ignored,
                       option_values **out, hl_error *error) {
    option_values *values;
    *out = NULL;
    hl_status status = options_begin(plugin, &values, error);
    if (status == HL_OK) {
        values->section = node;
        status = read_section(values, ignored, error);
    }
    if (status != HL_OK) {
        options_free(values);
        return status;
    }
    *out = values;
    return HL_OK;
}

void options_free(option_values *values) {
    if (!values) return;
    for (size_t i = 0; values->rows && i < values->plugin->option_count; ++i) {
        yaml_close(values->rows[i].fallback);
    }
    arena_free(&values->memory);
    free(values);
}

/* ---- Questions ---- */

const hl_value *const *options_values(const option_values *values) {
    return values->values;
}

const yaml_node *options_form(const option_values *values, const hl_option *option, size_t index) {
    const option_row *row = &values->rows[option - values->plugin->options];
    return index < row->count && row->nodes[index]->type != YAML_TEXT ? row->nodes[index] : NULL;
}

hl_status options_visit(const option_values *values, options_visitor *each, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        const option_row *row = &values->rows[i];
        if (!row->value.given) continue;
        status = each(user, row->option, &row->value, row->written, row->count, error);
    }
    return status;
}
