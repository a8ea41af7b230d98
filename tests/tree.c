#include "tests/tree.h"
#include "tests/report.h"

#include <string.h>

static void copy(hl_item *to, const hl_node *node);

static bool is_grid(const hl_node *node) {
    if (strcmp(node->key ? node->key : "", "grid") != 0 || !hl_is_list(node) || !node->first) return false;
    for (const hl_node *row = node->first; row; row = row->next) {
        if (!hl_is_list(row) || row->count != node->first->count) return false;
    }
    return true;
}

static void copy_grid(hl_item *to, const hl_node *node) {
    float *cells = item_grid(to, node->key, node->count, node->first->count);
    for (const hl_node *row = node->first; cells && row; row = row->next) {
        for (const hl_node *cell = row->first; cell; cell = cell->next) *cells++ = (float)cell->number;
    }
}

/* [ROWS, COLS] */
static void make_picture_of(hl_item *to, const hl_node *sides) {
    uint32_t rows = (uint32_t)sides->first->whole, cols = (uint32_t)sides->first->next->whole;
    picture made = make_picture(cols, rows);
    item_picture(to, sides->key, rows, cols, made.rgb);
    picture_free(&made);
}

static uint32_t list_type(const char *key) {
    if (key && strcmp(key, "neighbors") == 0) return HL_NEIGHBORS;
    return key && strcmp(key, "table") == 0 ? HL_TABLE : HL_LIST;
}

static void copy_entries(hl_item *to, const hl_node *from) {
    for (const hl_node *entry = from->first; entry; entry = entry->next) copy(to, entry);
}

static void copy(hl_item *to, const hl_node *node) {
    if (is_grid(node)) {
        copy_grid(to, node);
    } else if (node->type == HL_MAP) {
        copy_entries(item_map(to, node->key), node);
    } else if (hl_is_list(node) && node->key && strcmp(node->key, "picture") == 0) {
        make_picture_of(to, node);
    } else if (hl_is_list(node)) {
        copy_entries(item_list(to, node->key, list_type(node->key)), node);
    } else {
        item_copy(to, node->key, node);
    }
}

tree *make_tree(const char *json) {
    tree *read, *made;
    hl_error error;
    assert_ok(tree_read_json("test", (const uint8_t *)json, strlen(json), NULL, &read, &error), error);
    assert_int_equal(tree_node(read)->type, HL_MAP);
    assert_ok(tree_open(&made, &error), error);
    copy_entries(tree_root(made), tree_node(read));
    assert_ok(tree_check(made, &error), error);
    tree_close(read);
    return made;
}
