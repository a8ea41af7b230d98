/* See results.h. */
#include "core/tree/results.h"

#include <string.h>

hl_status results_open(tree **out, hl_error *error) {
    hl_status status = tree_open(out, error);
    if (status != HL_OK) return status;
    hl_item *root = tree_root(*out);
    item_whole(root, "version", 1);
    item_map(root, "model");
    item_map(root, "compute");
    item_list(root, "analyses", HL_LIST);
    status = tree_check(*out, error);
    if (status == HL_OK) return HL_OK;
    tree_close(*out);
    *out = NULL;
    return status;
}

hl_item *results_analysis(tree *results, const char *plugin, const char *summary) {
    hl_item *analysis = item_map(item_inner(tree_root(results), "analyses"), NULL);
    item_text(analysis, "plugin", plugin);
    item_text(analysis, "summary", summary);
    return analysis;
}

bool results_is_cut(const hl_node *root, const char *text) {
    const hl_node *list = hl_get(root, "truncated");
    for (const hl_node *entry = list ? list->first : NULL; entry; entry = entry->next) {
        if (strcmp(hl_get_text(entry, "text"), text) == 0) return true;
    }
    return false;
}

static hl_item *add_item(hl_result *result, const char *schema) {
    sink *self = (sink *)result;
    hl_item *item = item_map(self->list, NULL);
    item_set_place(item, "%s, result %u", self->who, item_node(self->list)->count);
    item_text(item, "schema", schema);
    return item;
}

void sink_open(sink *self, hl_item *list, const char *who) {
    static const hl_result functions = {.size = sizeof functions,
                                        .item = add_item,
                                        .text = item_text,
                                        .truth = item_truth,
                                        .whole = item_whole,
                                        .number = item_number,
                                        .map = item_map,
                                        .list = item_list,
                                        .grid = item_grid,
                                        .picture = item_picture,
                                        .copy = item_copy,
                                        .neighbor = item_neighbor};
    *self = (sink){functions, list, who};
}

/* Fields that hold a text for the model, whatever the schema: any but names of images and heads. */
static bool may_be_text(const hl_node *item, const hl_node *field) {
    static const char *const others[] = {"schema", "image", "head"};
    if (field->type != HL_TEXT) return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
        if (strcmp(field->key, others[i]) == 0) return false;
    }
    return strcmp(field->key, "query") != 0 || hl_get_number(item, "query_is_image", 0) != 1;
}

static bool shows_cut_text(const hl_node *root, const hl_node *item) {
    for (const hl_node *field = item->first; field; field = field->next) {
        if (may_be_text(item, field) && results_is_cut(root, field->text)) return true;
    }
    return false;
}

static void complete(hl_item *item, const hl_node *root) {
    const hl_node *node = item_node(item);
    bool lists_neighbors = strcmp(hl_get_text(node, "schema"), HL_SCHEMA_NEIGHBORS) == 0;
    if (lists_neighbors && !hl_get(node, "neighbors")) item_list(item, "neighbors", HL_NEIGHBORS);
    bool said = hl_get(node, "truncated") != NULL; /* the plugin knows better */
    if (!said && shows_cut_text(root, node)) item_truth(item, "truncated", true);
}

void results_complete(hl_item *list) {
    const hl_node *root = list ? tree_node(tree_owner(item_node(list))) : NULL;
    for (hl_item *item = item_first(list); item; item = item_next(item)) {
        if (hl_get(item_node(item), "schema")) complete(item, root);
    }
}

hl_status sink_finish(sink *self, tree *results, hl_error *error) {
    results_complete(self->list);
    return tree_check(results, error);
}
