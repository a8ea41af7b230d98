/* See compare_tables.h. */
#include "core/experiment/compare_tables.h"

#include <stdbool.h>
#include <string.h>

enum { MOST_ROWS = 24 }; /* of one variant */

static const hl_node *first_of(const hl_node *list) {
    return list ? list->first : NULL;
}

static const hl_node *analysis_at(const compare_variant *variant, size_t number) {
    const hl_node *analysis = first_of(hl_get(variant->results, "analyses"));
    while (analysis && number-- > 0) analysis = analysis->next;
    return analysis;
}

static bool is_table(const hl_node *item) {
    const hl_node *rows = hl_get(item, "rows");
    return strcmp(hl_get_text(item, "schema"), HL_SCHEMA_TABLE) == 0 && hl_is_list(rows) && rows->count > 0 &&
           rows->count <= MOST_ROWS;
}

/* The variant's table of the same title in the same analysis. */
static const hl_node *like(const compare_variant *variant, size_t number, const hl_node *table) {
    const hl_node *item = first_of(hl_get(analysis_at(variant, number), "results"));
    while (item &&
           !(is_table(item) && strcmp(hl_get_text(item, "title"), hl_get_text(table, "title")) == 0)) {
        item = item->next;
    }
    return item;
}

static void add_rows(const compare_variant *variant, const hl_node *table, hl_item *rows) {
    for (const hl_node *row = hl_get(table, "rows")->first; row; row = row->next) {
        hl_item *copy = item_map(rows, NULL);
        item_text(copy, "variant", variant->name);
        item_copy_absent(copy, row);
    }
}

/* A heading of the analysis tells it from others of its kind. */
static void add_title(hl_item *item, const hl_node *analysis, const hl_node *table) {
    char title[512];
    const char *heading = hl_get_text(analysis, "title");
    hl_format(title, sizeof title, "%s: %s", *heading ? heading : hl_get_text(analysis, "plugin"),
              hl_get_text(table, "title"));
    item_text(item, "title", title);
}

static bool is_same_value(const hl_node *a, const hl_node *b) {
    bool texts = a->type == HL_TEXT && b->type == HL_TEXT;
    bool others =
        a->type == b->type && a->number >= b->number && a->number <= b->number && a->truth == b->truth;
    return strcmp(a->key, b->key) == 0 && (texts ? strcmp(a->text, b->text) == 0 : others);
}

static bool is_same_row(const hl_node *a, const hl_node *b) {
    const hl_node *left = a->first, *right = b->first;
    while (left && right && is_same_value(left, right)) left = left->next, right = right->next;
    return !left && !right;
}

static bool is_same_table(const hl_node *a, const hl_node *b) {
    const hl_node *left = hl_get(a, "rows")->first, *right = hl_get(b, "rows")->first;
    while (left && right && is_same_row(left, right)) left = left->next, right = right->next;
    return !left && !right;
}

/* Whether there are two to compare, and a difference between them. */
static bool has_difference(const compare_variant *variants, size_t count, size_t number,
                           const hl_node *table) {
    for (size_t i = 0; i < count; ++i) {
        const hl_node *own = like(&variants[i], number, table);
        if (own && !is_same_table(own, table)) return true;
    }
    return false;
}

static void compare_table(const compare_variant *variants, size_t count, size_t number, const hl_node *table,
                          hl_item *root) {
    if (!has_difference(variants, count, number, table)) return;
    hl_item *list = item_inner(root, "comparison");
    hl_item *item = item_map(list ? list : item_list(root, "comparison", HL_LIST), NULL);
    item_text(item, "schema", HL_SCHEMA_TABLE);
    add_title(item, analysis_at(&variants[0], number), table);
    hl_item *rows = item_list(item, "rows", HL_LIST);
    for (size_t i = 0; i < count; ++i) {
        const hl_node *own = like(&variants[i], number, table);
        if (own) add_rows(&variants[i], own, rows);
    }
}

/* Tables of the first variant, with which all others are compared. */
void compare_tables(const compare_variant *variants, size_t count, hl_item *root) {
    const hl_node *analysis = count > 0 ? analysis_at(&variants[0], 0) : NULL;
    for (size_t number = 0; analysis; analysis = analysis->next, ++number) {
        for (const hl_node *item = first_of(hl_get(analysis, "results")); item; item = item->next) {
            if (is_table(item)) compare_table(variants, count, number, item, root);
        }
    }
}
