/* Two results' trees, item by item. Knows the fields that schemas have in common ("grid", "neighbors"), never
 * which analysis, model or backend made them. */
#include "core/experiment/compare.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct difference {
    const char *remark; /* NULL: everything can be compared */
    bool has_grid, has_neighbors;
    double grid, largest, score;
    int ranks, changed;
} difference;

static bool same_text(const hl_node *a, const hl_node *b, const char *key) {
    return strcmp(hl_get_text(a, key), hl_get_text(b, key)) == 0;
}

static uint32_t count_of(const hl_node *list) {
    return list ? list->count : 0;
}

static const hl_node *first_of(const hl_node *list) {
    return list ? list->first : NULL;
}

/* Whether both are about the same thing. A head is one of its model; so another model has other items. */
static bool same_item(const hl_node *a, const hl_node *b) {
    static const char *const keys[] = {"schema", "image", "text", "minus", "query", "head"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!same_text(a, b, keys[i])) return false;
    }
    return true;
}

static const hl_node *grid_of(const hl_node *item) {
    const hl_node *grid = hl_get(item, "grid");
    return grid && grid->type == HL_GRID ? grid : NULL;
}

static void compare_grids(const hl_node *a, const hl_node *b, difference *found) {
    if (!a && !b) return;
    if (!a || !b || a->rows != b->rows || a->cols != b->cols) {
        found->remark = "grids of another shape";
        return;
    }
    found->has_grid = true;
    for (size_t i = 0; i < (size_t)a->rows * a->cols; ++i) {
        double number = (double)a->grid[i], other = (double)b->grid[i];
        found->grid = fmax(found->grid, fabs(number - other));
        found->largest = fmax(found->largest, fabs(number));
    }
}

static const hl_node *find_path(const hl_node *neighbors, const hl_node *like) {
    const hl_node *neighbor = first_of(neighbors);
    while (neighbor && !same_text(neighbor, like, "path")) neighbor = neighbor->next;
    return neighbor;
}

/* Scores of what both name; the ranks of the first, where the other may name fewer. */
static void compare_neighbors(const hl_node *a, const hl_node *b, difference *found) {
    const hl_node *at_rank = first_of(b);
    found->has_neighbors = found->has_neighbors || a;
    for (const hl_node *neighbor = first_of(a); neighbor; neighbor = neighbor->next) {
        const hl_node *same = find_path(b, neighbor);
        double score = hl_get_number(neighbor, "score", 0);
        if (same) found->score = fmax(found->score, fabs(score - hl_get_number(same, "score", 0)));
        found->ranks++;
        found->changed += !at_rank || at_rank != same;
        at_rank = at_rank ? at_rank->next : NULL;
    }
}

static difference compare_analyses(const hl_node *a, const hl_node *b) {
    difference found = {0};
    const hl_node *item = first_of(a), *other = first_of(b);
    for (; item && other && !found.remark; item = item->next, other = other->next) {
        if (!same_item(item, other)) break;
        compare_grids(grid_of(item), grid_of(other), &found);
        compare_neighbors(hl_get(item, "neighbors"), hl_get(other, "neighbors"), &found);
    }
    if ((item || other) && !found.remark) found.remark = "other results";
    return found;
}

static void add_differences(hl_item *row, const difference *found) {
    if (found->remark) {
        item_text(row, "remark", found->remark);
        return;
    }
    if (found->has_grid) {
        item_double(row, "grid difference", found->grid);
        item_number(row, "largest in grids", found->largest);
    }
    if (found->has_neighbors) {
        item_double(row, "score difference", found->score);
        item_whole(row, "changed ranks", found->changed);
        item_whole(row, "ranks", found->ranks);
    }
}

/* One row; the analysis of the first variant may be missing. */
static void add_row(hl_item *rows, const char *variant, int number, const hl_node *first,
                    const hl_node *analysis) {
    const hl_node *results = hl_get(analysis, "results");
    difference found = compare_analyses(hl_get(first, "results"), results);
    if (!same_text(first, analysis, "plugin")) found = (difference){.remark = "another analysis"};
    hl_item *row = item_map(rows, NULL);
    item_text(row, "variant", variant);
    item_whole(row, "analysis", number);
    item_text(row, "plugin", hl_get_text(analysis, "plugin"));
    item_whole(row, "results", count_of(results));
    add_differences(row, &found);
}

static void add_variant(hl_item *rows, const compare_variant *first, const compare_variant *variant) {
    const hl_node *analysis = first_of(hl_get(variant->results, "analyses"));
    const hl_node *other = first_of(hl_get(first->results, "analyses"));
    for (int number = 1; analysis; analysis = analysis->next, ++number) {
        add_row(rows, variant->name, number, other, analysis);
        other = other ? other->next : NULL;
    }
}

void compare_variants(const compare_variant *variants, size_t count, hl_item *rows) {
    for (size_t i = 1; i < count; ++i) add_variant(rows, &variants[0], &variants[i]);
}
