/* See variants.h. */
#include "core/experiment/variants.h"

#include "core/experiment/section.h"
#include <stdlib.h>
#include <string.h>

static const hl_option variant_options[] = {
    {.name = "name", .type = HL_STRING, .help = "what reports call it: letters, digits, '-', '_' and '.'"},
    {.name = "optional",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "skip it, and say so, where its model's weights or its gallery are not there"},
};
static const hl_plugin variant_section = SECTION("variant", variant_options);

/* A name that can be a folder's among the results. */
static bool is_folder_name(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    bool taken = strcmp(name, "report.html") == 0 || strcmp(name, "results.json") == 0;
    return length > 0 && name[length] == '\0' && name[0] != '.' && !taken;
}

static hl_status check_name(const yaml_node *name, const experiment_variant *earlier, size_t count,
                            hl_error *error) {
    if (!is_folder_name(name->text)) {
        return yaml_fail(name, error,
                         "a variant's name becomes a folder beside report.html: use letters, digits, '-', "
                         "'_' and '.'");
    }
    for (size_t i = 0; i < count; ++i) {
        if (strcmp(earlier[i].name, name->text) != 0) continue;
        return yaml_fail(name, error, "another variant is called \"%s\" already", name->text);
    }
    return HL_OK;
}

static hl_status read_variant(const yaml_node *node, experiment_variant *earlier, size_t count,
                              hl_error *error) {
    static const char *const keys[] = {"set", NULL};
    option_values *values;
    hl_status status = options_read(&variant_section, node, keys, &values, error);
    if (status != HL_OK) return status;
    bool optional = options_values(values)[1]->boolean;
    options_free(values);
    const yaml_node *name = yaml_get(node, "name"), *sets = yaml_get(node, "set");
    status = check_name(name, earlier, count, error);
    if (status != HL_OK) return status;
    if (sets && sets->type != YAML_MAP) {
        return yaml_fail(sets, error, "expected a mapping, such as {compute.backend: reference}");
    }
    earlier[count] = (experiment_variant){name->text, sets, optional};
    return HL_OK;
}

hl_status variants_read(const yaml_node *node, experiment_variant **out, size_t *count, hl_error *error) {
    if (node->type != YAML_LIST || node->count == 0) {
        return yaml_fail(
            node, error,
            "variants: expected a list such as [{name: a}, {name: b, set: {compute.backend: reference}}]");
    }
    *out = calloc(node->count, sizeof **out);
    if (!*out) return hl_no_memory(error, "an experiment");
    hl_status status = HL_OK;
    for (*count = 0; *count < node->count && status == HL_OK; ++*count) {
        status = read_variant(node->items[*count], *out, *count, error);
    }
    return status;
}

hl_status variant_apply(const experiment_variant *variant, yaml_file *file, const yaml_node **root,
                        hl_error *error) {
    const yaml_node *sets = variant->sets;
    hl_status status = HL_OK;
    for (size_t i = 0; sets && i < sets->count && status == HL_OK; ++i) {
        status = yaml_put(file, *root, sets->keys[i]->text, sets->items[i], root, error);
    }
    return status;
}
