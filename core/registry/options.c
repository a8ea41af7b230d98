/* Option tables against YAML: types, bounds, defaults, and the binding of heads and texts to a model. Knows
 * tables and YAML, never a particular plugin. */
#include "core/registry/option_values.h"
#include "core/registry/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct option_block {
    struct option_block *next;
    max_align_t data[];
} option_block;

void *options_own(option_values *values, size_t count, size_t element) {
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > SIZE_MAX / 2) return NULL;
    option_block *fresh = calloc(1, sizeof *fresh + bytes);
    if (!fresh) return NULL;
    fresh->next = values->blocks;
    values->blocks = fresh;
    return fresh->data;
}

static const char *own_text(option_values *values, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = options_own(values, bytes, 1);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

hl_status options_no_memory(hl_error *error) {
    return hl_no_memory(error, "the options of a plugin");
}

const void *options_pointers(option_values *values, const void *array, size_t count, size_t element) {
    const void **pointers = options_own(values, count, sizeof *pointers);
    for (size_t i = 0; pointers && i < count; ++i) pointers[i] = (const char *)array + i * element;
    return pointers;
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

typedef struct value_reader {
    option_values *values;
    option_row *row;
    bool is_default;
    bool need_images; /* whether they must be there */
    hl_error *error;
} value_reader;

static hl_status fail_expected(const value_reader *reader, const yaml_node *node) {
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

static hl_status fail_choice(const value_reader *reader, const yaml_node *node) {
    const hl_option *option = reader->row->option;
    size_t count = 0;
    while (option->choices[count]) ++count;
    char ending[512];
    suggest(ending, sizeof ending, node->text, option->choices, count);
    return yaml_fail(node, reader->error, "option \"%s\": unknown value \"%s\"%s", option->name, node->text,
                     ending);
}

static const char *resolve(const value_reader *reader, const yaml_node *node) {
    option_values *values = reader->values;
    char *path = reader->is_default ? strdup(node->text) : yaml_resolve(node, node->text);
    const char *owned = path ? own_text(values, path) : NULL;
    free(path);
    return owned;
}

static hl_status read_scalar(const value_reader *reader, const yaml_node *node) {
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
            if (!*text) return fail_expected(reader, node);
            if (!(value->string = resolve(reader, node))) return options_no_memory(reader->error);
            break;
        default:
            value->string = row->written[0];
            break;
        }
    return right ? HL_OK : fail_expected(reader, node);
}

/* ---- Reading lists ---- */

static hl_status read_image(const value_reader *reader, const yaml_node *node, hl_image *image) {
    image->path = resolve(reader, node);
    if (!image->path) return options_no_memory(reader->error);
    struct stat status;
    if (!reader->need_images) return HL_OK;
    if (stat(image->path, &status) != 0) {
        return yaml_fail(node, reader->error, "option \"%s\": the image %s cannot be read: %s",
                         reader->row->option->name, image->path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return yaml_fail(node, reader->error, "option \"%s\": %s is a folder, expected an image",
                         reader->row->option->name, image->path);
    }
    return HL_OK;
}

static hl_status read_images(const value_reader *reader, const yaml_node *const *nodes) {
    option_row *row = reader->row;
    hl_image *images = options_own(reader->values, row->count, sizeof *images);
    if (!images) return options_no_memory(reader->error);
    for (size_t i = 0; i < row->count; ++i) {
        images[i].name = row->written[i];
        hl_status status = read_image(reader, nodes[i], &images[i]);
        if (status != HL_OK) return status;
    }
    row->value.images = options_pointers(reader->values, images, row->count, sizeof *images);
    return row->value.images ? HL_OK : options_no_memory(reader->error);
}

static hl_status read_directions(const value_reader *reader) {
    option_row *row = reader->row;
    row->directions = options_own(reader->values, row->count, sizeof *row->directions);
    if (!row->directions) return options_no_memory(reader->error);
    for (size_t i = 0; i < row->count; ++i) row->directions[i].name = row->written[i];
    row->value.directions =
        options_pointers(reader->values, row->directions, row->count, sizeof *row->directions);
    return row->value.directions ? HL_OK : options_no_memory(reader->error);
}

static hl_status check_sum(const value_reader *reader, const yaml_node *node) {
    const hl_option *option = reader->row->option;
    if (!(option->flags & HL_OPTION_SETS)) {
        return yaml_fail(node, reader->error,
                         "option \"%s\": takes heads one by one, no sums; write L3.H5, L3 or all",
                         option->name);
    }
    head_term term;
    hl_error detail;
    for (const char *rest = node->text; rest;) {
        if (option_term(&rest, &term, &detail) == HL_OK) continue;
        return yaml_fail(node, reader->error, "option \"%s\": in the sum \"%.200s\": %s", option->name,
                         node->text, detail.message);
    }
    return HL_OK;
}

static hl_status check_selector(const value_reader *reader, const yaml_node *node) {
    const hl_option *option = reader->row->option;
    head_selector found;
    if (option_is_sum(node->text)) return check_sum(reader, node);
    bool known = option_selector(node->text, &found);
    if (known && found.aggregate && !(option->flags & HL_OPTION_AGGREGATE)) {
        return yaml_fail(node, reader->error,
                         "option \"%s\": \"aggregate\" makes sense for heat only; write L3.H5, L3 or all",
                         option->name);
    }
    return known ? HL_OK : fail_expected(reader, node);
}

static hl_status read_items(const value_reader *reader, const yaml_node *const *nodes) {
    option_row *row = reader->row;
    hl_status status = HL_OK;
    switch (row->option->type) {
    case HL_IMAGES:
        return read_images(reader, nodes);
    case HL_DIRECTIONS:
        return read_directions(reader);
    case HL_HEADS:
        for (size_t i = 0; i < row->count && status == HL_OK; ++i) status = check_selector(reader, nodes[i]);
        return status;
    case HL_PROPERTIES:
        return HL_OK;
    default:
        row->value.strings = row->written;
        return HL_OK;
    }
}

static bool right_length(const hl_option *option, size_t count) {
    return option_is_list(option) && option_is_bounded(option) ? within(option, (double)count) : count > 0;
}

static hl_status read_value(const value_reader *reader, const yaml_node *node) {
    option_row *row = reader->row;
    bool sequence = option_is_list(row->option) && node->type == YAML_LIST;
    const yaml_node *item = node;
    row->count = sequence ? node->count : 1;
    if (!right_length(row->option, row->count)) return fail_expected(reader, node);

    const yaml_node **nodes = options_own(reader->values, row->count, sizeof *nodes);
    row->written = options_own(reader->values, row->count, sizeof *row->written);
    if (!nodes || !row->written) return options_no_memory(reader->error);
    for (size_t i = 0; i < row->count; ++i) {
        if (sequence) item = node->items[i];
        if (!item->text || yaml_is_null(item)) return fail_expected(reader, item);
        nodes[i] = item;
        if (!(row->written[i] = own_text(reader->values, item->text)))
            return options_no_memory(reader->error);
    }
    row->places = reader->is_default ? NULL : nodes;
    row->value.given = true;
    if (!option_is_list(row->option)) return read_scalar(reader, node);
    bool is_bound_later = row->option->type == HL_HEADS || row->option->type == HL_PROPERTIES;
    row->value.count = is_bound_later ? 0 : row->count;
    return read_items(reader, nodes);
}

/* ---- Reading a section ---- */

static bool may_be_left_out(const hl_option *option) {
    return option->fallback && strcmp(option->fallback, "~") == 0;
}

static hl_status read_default(option_values *values, option_row *row, bool need_images, hl_error *error) {
    char name[256];
    snprintf(name, sizeof name, "default \"%s\"", row->option->fallback);
    yaml_file *source;
    hl_status status = yaml_parse(name, (const uint8_t *)row->option->fallback, strlen(row->option->fallback),
                                  &source, error);
    if (status != HL_OK) return status;
    value_reader reader = {values, row, true, need_images, error};
    status = read_value(&reader, yaml_root(source));
    yaml_close(source);
    return status;
}

static hl_status read_row(option_values *values, option_row *row, hl_error *error) {
    const hl_option *option = row->option;
    const yaml_node *node = yaml_get(values->section, option->name);
    if (node && !(yaml_is_null(node) && may_be_left_out(option))) {
        value_reader reader = {values, row, false, true, error};
        return read_value(&reader, node);
    }
    if (may_be_left_out(option)) return HL_OK;
    if (option->fallback) return read_default(values, row, true, error);
    char expected[512];
    options_expected(option, expected, sizeof expected);
    return options_fail(values, values->section, error, "option \"%s\" is missing: expected %s", option->name,
                        expected);
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
    const char **names = options_own(values, count + own_keys, sizeof *names);
    if (!names) return options_no_memory(error);
    for (size_t i = 0; i < count; ++i) names[i] = values->plugin->options[i].name;
    memcpy(names + count, ignored, own_keys * sizeof *names);
    for (size_t i = 0; i < values->section->count; ++i) {
        const yaml_node *key = values->section->keys[i];
        if (is_listed(key->text, names, count + own_keys)) continue;
        char ending[512];
        suggest(ending, sizeof ending, key->text, names, count + own_keys);
        return yaml_fail(key, error, "%s: unknown option \"%s\"%s", values->plugin->name, key->text, ending);
    }
    return HL_OK;
}

static hl_status begin_values(const hl_plugin *plugin, option_values **out, hl_error *error) {
    option_values *values = *out = calloc(1, sizeof *values);
    if (!values) return options_no_memory(error);
    values->plugin = plugin;
    values->rows = options_own(values, plugin->option_count, sizeof *values->rows);
    values->values = options_own(values, plugin->option_count, sizeof *values->values);
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
    hl_status status = begin_values(plugin, &values, error);
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
    for (option_block *next; values->blocks; values->blocks = next) {
        next = values->blocks->next;
        free(values->blocks);
    }
    free(values);
}

/* ---- Whether a table is sound ---- */

static bool is_name(const char *name) {
    return name && islower((unsigned char)*name) &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static const char *flaw_of(const hl_plugin *plugin, size_t index) {
    const hl_option *option = &plugin->options[index];
    for (size_t i = 0; i < index; ++i) {
        if (strcmp(plugin->options[i].name, option->name) == 0) return "is declared twice";
    }
    if (option->type < HL_BOOL || option->type > HL_PROPERTIES)
        return "has a type that this headlight does not know";
    if (!option->help || !*option->help) return "has no help";
    if (option->type == HL_CHOICE && (!option->choices || !*option->choices)) return "has no choices";
    if (isnan(option->min) || isnan(option->max) || option->min > option->max)
        return "has bounds that exclude all";
    return NULL;
}

hl_status options_check(const hl_plugin *plugin, hl_error *error) {
    option_values *values;
    hl_status status = begin_values(plugin, &values, error);
    for (size_t i = 0; i < plugin->option_count && status == HL_OK; ++i) {
        const hl_option *option = &plugin->options[i];
        if (!is_name(option->name)) {
            status =
                hl_fail(error, HL_USAGE, "option %zu has no name of lower case letters, digits and '-'", i);
            break;
        }
        const char *flaw = flaw_of(plugin, i);
        if (flaw) {
            status = hl_fail(error, HL_USAGE, "option \"%s\" %s", option->name, flaw);
        } else if (option->fallback && !may_be_left_out(option)) {
            status = read_default(values, &values->rows[i], false, error);
        }
    }
    options_free(values);
    return status;
}

/* ---- Questions ---- */

const hl_value *const *options_values(const option_values *values) {
    return values->values;
}

const hl_image *options_image(const option_values *values, size_t index) {
    for (size_t i = 0; i < values->plugin->option_count; ++i) {
        const option_row *row = &values->rows[i];
        if (row->option->type != HL_IMAGES) continue;
        if (index < row->value.count) return row->value.images[index];
        index -= row->value.count;
    }
    return NULL;
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
