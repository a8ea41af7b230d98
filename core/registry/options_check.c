/* Whether an option table makes sense, on its own and for the plugin's kind. Looked at once, when a plugin is
 * loaded, so that nothing later need doubt it. */
#include "core/registry/option_values.h"
#include "core/registry/registry.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* What a kind's section in an experiment allows. A kind of 0 stands for the host's own sections. */
typedef struct kind_rules {
    uint32_t types;       /* a bit for each */
    const char *taken[5]; /* names that the section itself has, ends with NULL */
} kind_rules;

#define TYPE(NAME) (1u << HL_##NAME)
#define PLAIN      (TYPE(BOOL) | TYPE(INT) | TYPE(REAL) | TYPE(STRING) | TYPE(CHOICE) | TYPE(PATH) | TYPE(STRINGS))
#define ASKING     (PLAIN | TYPE(IMAGES) | TYPE(DIRECTIONS) | TYPE(HEADS))

static const kind_rules *rules_of(uint32_t kind) {
    static const kind_rules rules[] = {
        {ASKING | TYPE(PROPERTIES), {NULL}},
        [HL_COMPUTE] = {PLAIN, {"backend", "threads"}},
        [HL_MODEL] = {PLAIN, {"path", "plugin", "name", "random-weights"}},
        [HL_EXTRACTOR] = {ASKING, {"name", "plugin", "extractor", "from"}},
        [HL_ANALYSIS] = {ASKING | TYPE(PROPERTIES), {"plugin", "title"}},
        [HL_REPORT] = {PLAIN, {"plugin", "name"}},
    };
    return &rules[kind < sizeof rules / sizeof *rules ? kind : 0];
}

static bool is_taken(const kind_rules *rules, const char *name) {
    for (const char *const *taken = rules->taken; *taken; ++taken) {
        if (strcmp(*taken, name) == 0) return true;
    }
    return false;
}

static bool is_name(const char *name) {
    return name && islower((unsigned char)*name) &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static uint32_t flags_of(const hl_option *option) {
    if (option->type == HL_STRING) return HL_OPTION_SECRET | HL_OPTION_ENVIRONMENT;
    uint32_t flags = option_is_list(option) ? HL_OPTION_MAY_BE_EMPTY : 0;
    if (option->type != HL_HEADS) return flags;
    return flags | HL_OPTION_AGGREGATE | HL_OPTION_SETS | HL_OPTION_ALL_COMPONENTS;
}

/* The end of a sentence that starts with the option; NULL: it is sound. */
static const char *flaw_of_row(const hl_option *option) {
    if (option->type < HL_BOOL || option->type > HL_PROPERTIES) {
        return "has a type that this headlight does not know";
    }
    if (!option->help || !*option->help) return "has no help";
    if (option->type == HL_CHOICE && (!option->choices || !*option->choices)) return "has no choices";
    if (isnan(option->min) || isnan(option->max) || option->min > option->max) {
        return "has bounds that exclude all";
    }
    if (option_is_list(option) && option->min < 0) return "has a length below 0 among its bounds";
    if (option->flags & ~flags_of(option)) return "has a flag that means nothing for its type";
    bool named = option->fallback && *option->fallback && !option_may_be_left_out(option);
    if (option_is_environment(option) && !named) return "names no environment variable as its default";
    return NULL;
}

static hl_status check_row(option_values *values, size_t index, hl_error *error) {
    const hl_plugin *plugin = values->plugin;
    const hl_option *option = &plugin->options[index];
    const kind_rules *rules = rules_of(plugin->kind);
    if (!is_name(option->name)) {
        return hl_fail(error, HL_USAGE, "option %zu has no name of lower case letters, digits and '-'",
                       index);
    }
    for (size_t i = 0; i < index; ++i) {
        if (strcmp(plugin->options[i].name, option->name) != 0) continue;
        return hl_fail(error, HL_USAGE, "option \"%s\" is declared twice", option->name);
    }
    const char *flaw = flaw_of_row(option);
    if (flaw) return hl_fail(error, HL_USAGE, "option \"%s\" %s", option->name, flaw);
    if (!(rules->types & (1u << option->type))) {
        return hl_fail(error, HL_USAGE,
                       "option \"%s\" is of type %s, which makes no sense for a plugin of kind %s",
                       option->name, option_type_name(option->type), kind_name(plugin->kind));
    }
    if (is_taken(rules, option->name)) {
        return hl_fail(
            error, HL_USAGE,
            "option \"%s\" has a name that the section of a plugin of kind %s has taken: choose another",
            option->name, kind_name(plugin->kind));
    }
    if (!option->fallback || option_may_be_left_out(option) || option_is_environment(option)) return HL_OK;
    return options_read_default(values, &values->rows[index], error);
}

hl_status options_check(const hl_plugin *plugin, hl_error *error) {
    option_values *values;
    hl_status status = options_begin(plugin, &values, error);
    for (size_t i = 0; i < plugin->option_count && status == HL_OK; ++i) {
        status = check_row(values, i, error);
    }
    options_free(values);
    return status;
}
