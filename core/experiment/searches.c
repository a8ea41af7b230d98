/* See searches.h. */
#include "core/experiment/searches.h"

#include <stdlib.h>

/* `all` NULL: only counts. */
static void add_steps(const experiment_step *steps, size_t count, searches *out, const hl_selection **all) {
    const hl_selection *selection;
    for (size_t i = 0; i < count; ++i) {
        if (!(registry_needs(steps[i].plugin) & HL_NEEDS_GALLERY)) continue;
        out->any = true;
        for (size_t k = 0; (selection = options_selection(steps[i].values, k)); ++k) {
            if (all) all[out->count] = selection;
            ++out->count;
        }
    }
}

static void add_all(const experiment *plan, searches *out, const hl_selection **all) {
    out->count = 0;
    add_steps(plan->extractors, plan->extractor_count, out, all);
    add_steps(plan->analyses, plan->analysis_count, out, all);
}

hl_status searches_find(const experiment *plan, searches *out, hl_error *error) {
    *out = (searches){0};
    add_all(plan, out, NULL);
    out->all = calloc(out->count + 1, sizeof *out->all);
    if (!out->all) return hl_no_memory(error, "what is searched");
    add_all(plan, out, out->all);
    return HL_OK;
}

void searches_free(searches *self) {
    free(self->all);
    *self = (searches){0};
}
