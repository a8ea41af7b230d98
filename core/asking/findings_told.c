/* What a step shows besides its findings: facts of heads, and items with a schema. Both are kept in a tree of
 * the step's own, and copied into the results. */
#include "core/asking/findings_inside.h"

#include <string.h>

/* ---- what a plugin hands over ---- */

/* The first reason that there is; a map that nobody gets takes nothing. */
static hl_item *refuse(findings *self, hl_status status, const hl_error *why) {
    if (self->told_status == HL_OK) {
        self->told_status = status;
        self->told_error = *why;
    }
    return NULL;
}

static hl_item *about(hl_finding *finding, const char *head) {
    findings *self = (findings *)finding;
    hl_error why;
    uint32_t component;
    hl_status status = findings_find_head(self, head, &component, &why);
    if (status != HL_OK) return refuse(self, status, &why);
    hl_item *facts = item_inner(self->heads, head);
    if (facts) return facts;
    facts = item_map(self->heads, head);
    item_set_place(facts, "%s, about %s", self->plugin->name, head);
    return facts;
}

/* They would have to be kept on disk with everything else. */
static void refuse_picture(hl_item *item, const char *key, const char *what) {
    item_refuse(item, key,
                "an extractor hands over no %s: show numbers as a chart, a map of heads or a table", what);
}

static float *refuse_grid(hl_item *item, const char *key, uint32_t rows, uint32_t cols) {
    (void)rows;
    (void)cols;
    refuse_picture(item, key, "grid");
    return NULL;
}

static void refuse_rgb(hl_item *item, const char *key, uint32_t rows, uint32_t cols, const uint8_t *rgb) {
    (void)rows;
    (void)cols;
    (void)rgb;
    refuse_picture(item, key, "picture");
}

static bool has_picture(const hl_node *node) {
    bool found = node->type >= HL_GRID;
    for (const hl_node *entry = node->first; entry && !found; entry = entry->next) found = has_picture(entry);
    return found;
}

static void copy(hl_item *item, const char *key, const hl_node *node) {
    if (node && has_picture(node)) {
        refuse_picture(item, key, "grid or picture");
    } else {
        item_copy(item, key, node);
    }
}

hl_status told_open(findings *self, hl_error *error) {
    hl_status status = tree_open(&self->told, error);
    if (status != HL_OK) return status;
    self->heads = item_map(tree_root(self->told), "heads");
    sink_open(&self->items, item_list(tree_root(self->told), "items", HL_LIST), self->plugin->name);
    self->items.functions.grid = refuse_grid;
    self->items.functions.picture = refuse_rgb;
    self->items.functions.copy = copy;
    self->functions.about = about;
    self->functions.result = &self->items.functions;
    return tree_check(self->told, error);
}

/* ---- checking ---- */

/* Keys of the maps in which facts are shown. */
static const char *reserved_in(const hl_node *facts) {
    static const char *const keys[] = {"head",  "texts", "property", "weight", "evidence", "score",
                                       "layer", "value", "low",      "high",   "schema"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        if (hl_get(facts, keys[i])) return keys[i];
    }
    return NULL;
}

static hl_status check_facts(const findings *self, const hl_node *facts, hl_error *error) {
    uint32_t component;
    hl_status status = findings_find_head(self, facts->key, &component, error);
    const char *key = reserved_in(facts);
    if (status != HL_OK || (facts->type == HL_MAP && !key)) return status;
    return hl_fail(error, HL_FAILED,
                   "extractor/%s says \"%s\" about %s, which findings themselves say: give it another name",
                   self->plugin->name, key ? key : "", facts->key);
}

static hl_status check_item(const findings *self, const hl_node *item, hl_error *error) {
    if (*hl_get_text(item, "schema")) return HL_OK;
    return hl_fail(error, HL_FAILED, "extractor/%s hands over an item without a schema", self->plugin->name);
}

hl_status told_check(findings *self, hl_error *error) {
    if (self->told_status != HL_OK) {
        return hl_fail(error, self->told_status, "%s", self->told_error.message);
    }
    hl_status status = tree_check(self->told, error);
    const hl_node *facts = item_node(self->heads)->first, *item = item_node(self->items.list)->first;
    for (; facts && status == HL_OK; facts = facts->next) status = check_facts(self, facts, error);
    for (; item && status == HL_OK; item = item->next) status = check_item(self, item, error);
    return status;
}

/* ---- as results ---- */

void told_add(const findings *self, const char *head, hl_item *item) {
    item_copy_absent(item, hl_get(item_node(self->heads), head));
}

static bool has_findings(const findings *self, const char *head) {
    bool found = false;
    for (size_t i = 0; i < self->description_count && !found; ++i) {
        found = strcmp(self->descriptions[i].head, head) == 0;
    }
    for (size_t i = 0; i < self->label_count && !found; ++i) found = strcmp(self->labels[i].head, head) == 0;
    return found;
}

void told_write(const findings *self, hl_item *list) {
    for (const hl_node *facts = item_node(self->heads)->first; facts; facts = facts->next) {
        if (has_findings(self, facts->key)) continue;
        hl_item *item = item_map(list, NULL);
        item_text(item, "head", facts->key);
        item_copy_absent(item, facts);
    }
    const hl_node *item = item_node(self->items.list)->first;
    for (; item; item = item->next) item_copy(list, NULL, item);
    results_complete(list);
}
