/* See searches.h. */
#include "core/experiment/searches.h"

#include "headlight/analysis.h"
#include "headlight/extractor.h"
#include <stdlib.h>

static bool does_search(const experiment_step *step) {
    hl_analysis_api analysis;
    hl_extractor_api extractor;
    if (step->plugin->kind == HL_EXTRACTOR) {
        registry_table(step->plugin, &extractor, sizeof extractor);
        return extractor.needs & HL_NEEDS_GALLERY;
    }
    registry_table(step->plugin, &analysis, sizeof analysis);
    return analysis.needs & HL_NEEDS_GALLERY;
}

/* `all` NULL: only counts. */
static void add_steps(const experiment_step *steps, size_t count, searches *out, const hl_selection **all) {
    const hl_selection *selection;
    for (size_t i = 0; i < count; ++i) {
        if (!does_search(&steps[i])) continue;
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
