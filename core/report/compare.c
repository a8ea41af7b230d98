/* Two results' trees, item by item. Knows the fields that schemas have in common ("grid", "neighbors"), never
 * which analysis, model or backend made them. */
#include "core/report/compare.h"

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

static const cJSON *get(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool same_text(const cJSON *a, const cJSON *b, const char *key) {
    const char *one = cJSON_GetStringValue(get(a, key)), *other = cJSON_GetStringValue(get(b, key));
    return strcmp(one ? one : "", other ? other : "") == 0;
}

/* Whether both are about the same thing. A head is one of its model; so another model has other items. */
static bool same_item(const cJSON *a, const cJSON *b) {
    static const char *const keys[] = {"schema", "image", "text", "minus", "query", "head"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!same_text(a, b, keys[i])) return false;
    }
    return true;
}

static bool same_shape(const cJSON *a, const cJSON *b) {
    return cJSON_GetArraySize(a) == cJSON_GetArraySize(b) &&
           cJSON_GetArraySize(a ? a->child : NULL) == cJSON_GetArraySize(b ? b->child : NULL);
}

static void compare_grids(const cJSON *a, const cJSON *b, difference *found) {
    if (!same_shape(a, b)) {
        found->remark = "grids of another shape";
        return;
    }
    found->has_grid = found->has_grid || a;
    const cJSON *row = a ? a->child : NULL, *other_row = b ? b->child : NULL;
    for (; row && other_row; row = row->next, other_row = other_row->next) {
        const cJSON *number = row->child, *other = other_row->child;
        for (; number && other; number = number->next, other = other->next) {
            found->grid = fmax(found->grid, fabs(number->valuedouble - other->valuedouble));
            found->largest = fmax(found->largest, fabs(number->valuedouble));
        }
    }
}

static const cJSON *find_path(const cJSON *neighbors, const cJSON *like) {
    const cJSON *neighbor = NULL;
    cJSON_ArrayForEach(neighbor, neighbors) {
        if (same_text(neighbor, like, "path")) return neighbor;
    }
    return NULL;
}

/* Scores of what both name; the ranks of the first, where the other may name fewer. */
static void compare_neighbors(const cJSON *a, const cJSON *b, difference *found) {
    const cJSON *neighbor = NULL, *at_rank = b ? b->child : NULL;
    found->has_neighbors = found->has_neighbors || a;
    cJSON_ArrayForEach(neighbor, a) {
        const cJSON *same = find_path(b, neighbor);
        double score = cJSON_GetNumberValue(get(neighbor, "score"));
        if (same) found->score = fmax(found->score, fabs(score - cJSON_GetNumberValue(get(same, "score"))));
        found->ranks++;
        found->changed += !at_rank || at_rank != same;
        at_rank = at_rank ? at_rank->next : NULL;
    }
}

static difference compare_analyses(const cJSON *a, const cJSON *b) {
    difference found = {0};
    const cJSON *item = a ? a->child : NULL, *other = b ? b->child : NULL;
    for (; item && other && !found.remark; item = item->next, other = other->next) {
        if (!same_item(item, other)) break;
        compare_grids(get(item, "grid"), get(other, "grid"), &found);
        compare_neighbors(get(item, "neighbors"), get(other, "neighbors"), &found);
    }
    if ((item || other) && !found.remark) found.remark = "other results";
    return found;
}

static bool add_differences(cJSON *row, const difference *found) {
    if (found->remark) return cJSON_AddStringToObject(row, "remark", found->remark);
    if (found->has_grid && (!cJSON_AddNumberToObject(row, "grid difference", found->grid) ||
                            !cJSON_AddNumberToObject(row, "largest in grids", found->largest)))
        return false;
    return !found->has_neighbors || (cJSON_AddNumberToObject(row, "score difference", found->score) &&
                                     cJSON_AddNumberToObject(row, "changed ranks", found->changed) &&
                                     cJSON_AddNumberToObject(row, "ranks", found->ranks));
}

/* One row; the analysis of the first variant may be missing. */
static bool add_row(cJSON *rows, const char *variant, int number, const cJSON *first, const cJSON *analysis) {
    const char *plugin = cJSON_GetStringValue(get(analysis, "plugin"));
    difference found = compare_analyses(get(first, "results"), get(analysis, "results"));
    if (!same_text(first, analysis, "plugin")) found = (difference){.remark = "another analysis"};
    cJSON *row = cJSON_CreateObject();
    if (!row || !cJSON_AddItemToArray(rows, row)) {
        cJSON_Delete(row);
        return false;
    }
    return cJSON_AddStringToObject(row, "variant", variant) &&
           cJSON_AddNumberToObject(row, "analysis", number) &&
           cJSON_AddStringToObject(row, "plugin", plugin ? plugin : "") &&
           cJSON_AddNumberToObject(row, "results", cJSON_GetArraySize(get(analysis, "results"))) &&
           add_differences(row, &found);
}

static bool add_variant(cJSON *rows, const compare_variant *first, const compare_variant *variant) {
    const cJSON *analysis = NULL;
    int number = 0;
    cJSON_ArrayForEach(analysis, variant->analyses) {
        const cJSON *other = cJSON_GetArrayItem(first->analyses, number++);
        if (!add_row(rows, variant->name, number, other, analysis)) return false;
    }
    return true;
}

hl_status compare_variants(const compare_variant *variants, size_t count, cJSON **rows, hl_error *error) {
    *rows = cJSON_CreateArray();
    bool ok = *rows != NULL;
    for (size_t i = 1; i < count && ok; i++) ok = add_variant(*rows, &variants[0], &variants[i]);
    if (ok) return HL_OK;
    cJSON_Delete(*rows);
    *rows = NULL;
    return hl_no_memory(error, "the differences of variants");
}
