/* See overview.h. */
#include "core/experiment/overview.h"

#include "core/experiment/compare.h"
#include "core/experiment/compare_scores.h"
#include "core/experiment/compare_tables.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- what each variant was ---- */

static void add_report(hl_item *reports, const char *name, const hl_node *root) {
    hl_item *report = item_map(reports, NULL);
    item_text(report, "variant", name);
    item_copy(report, "model", hl_get(root, "model"));
    item_copy(report, "compute", hl_get(root, "compute"));
}

/* Of numbers and texts, which is all that these sections have. */
static bool is_same(const hl_node *a, const hl_node *b) {
    if (!a || !b || a->type != b->type) return false;
    return a->type == HL_TEXT ? strcmp(a->text, b->text) == 0
                              : a->number == b->number && a->truth == b->truth;
}

static bool all_say(const hl_node *reports, const char *section, const hl_node *fact) {
    for (const hl_node *report = reports->first; report; report = report->next) {
        if (!is_same(fact, hl_get(hl_get(report, section), fact->key))) return false;
    }
    return true;
}

/* What is the same in all reports is true of the whole. */
static void add_shared(hl_item *root, const hl_node *reports, const char *section) {
    hl_item *shared = item_inner(root, section);
    const hl_node *said = hl_get(reports->first, section);
    for (const hl_node *fact = said ? said->first : NULL; fact; fact = fact->next) {
        if (all_say(reports, section, fact)) item_copy(shared, fact->key, fact);
    }
}

/* ---- what was left out ---- */

static void list_skipped(const overview_variant *variants, size_t count, hl_item *root) {
    hl_item *list = NULL;
    for (size_t i = 0; i < count; ++i) {
        if (variants[i].results) continue;
        if (!list) list = item_list(root, "skipped_variants", HL_TABLE);
        hl_item *row = item_map(list, NULL);
        item_text(row, "variant", variants[i].name);
        item_text(row, "reason", variants[i].reason);
        item_text(row, "place", variants[i].place);
    }
}

/* ---- all together ---- */

static size_t find_run(const overview_variant *variants, size_t count, compare_variant *out) {
    size_t found = 0;
    for (size_t i = 0; i < count; ++i) {
        if (variants[i].results) out[found++] = (compare_variant){variants[i].name, variants[i].results};
    }
    return found;
}

hl_status overview_fill(const overview_variant *variants, size_t count, tree *overview, hl_error *error) {
    hl_item *root = tree_root(overview), *reports = item_list(root, "reports", HL_LIST);
    compare_variant *run = calloc(count + 1, sizeof *run);
    if (!run) return hl_no_memory(error, "the comparison");
    size_t found = find_run(variants, count, run);
    for (size_t i = 0; i < found; ++i) add_report(reports, run[i].name, run[i].results);
    if (reports) add_shared(root, item_node(reports), "model");
    if (reports) add_shared(root, item_node(reports), "compute");
    list_skipped(variants, count, root);
    hl_status status = compare_scores(run, found, root, error);
    compare_tables(run, found, root);
    compare_variants(run, found, item_list(root, "variants", HL_LIST));
    free(run);
    return status == HL_OK ? tree_check(overview, error) : status;
}
