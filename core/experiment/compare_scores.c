/* See compare_scores.h. Knows what results of extractors look like (headlight/report.h), never which plugin
 * made them: models may have other heads and layers, and variants other steps. */
#include "core/experiment/compare_scores.h"

#include "core/experiment/compare_inside.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- collecting ---- */

static const hl_node *first_of(const hl_node *list) {
    return list ? list->first : NULL;
}

/* A score of a model or a layer, or a label that says that a head carries a property. */
static bool read_score(const hl_node *result, entry *out) {
    const hl_node *layer = hl_get(result, "layer");
    out->name = hl_get_text(result, "score");
    out->layer = hl_is_number(layer) ? (int)layer->number : WHOLE_MODEL;
    return *out->name && !hl_get(result, "head") && hl_is_number(hl_get(result, "value"));
}

static bool read_label(const hl_node *result, entry *out) {
    out->name = hl_get_text(result, "property");
    out->head = hl_get_text(result, "head");
    return *out->name && *out->head && hl_get_number(result, "weight", 0) > 0;
}

typedef bool reader(const hl_node *result, entry *out);

static size_t count_results(const comparison *self) {
    size_t count = 0;
    for (size_t i = 0; i < self->count; ++i) {
        const hl_node *step = first_of(hl_get(self->variants[i].results, "extractors"));
        for (; step; step = step->next) {
            const hl_node *results = hl_get(step, "results");
            count += results ? results->count : 0;
        }
    }
    return count;
}

/* Of all steps of all variants; `out` has room for all results. */
static void collect(const comparison *self, reader *read, entries *out) {
    for (size_t i = 0; i < self->count; ++i) {
        const hl_node *step = first_of(hl_get(self->variants[i].results, "extractors"));
        for (; step; step = step->next) {
            const hl_node *result = first_of(hl_get(step, "results"));
            for (; result; result = result->next) {
                entry found = {.variant = i, .step = hl_get_text(step, "name"), .result = result};
                if (read(result, &found)) out->all[out->count++] = found;
            }
        }
    }
}

/* ---- what is made of it ---- */

bool compared_same(const entry *a, const entry *b) {
    return strcmp(a->step, b->step) == 0 && strcmp(a->name, b->name) == 0;
}

bool compared_is_first(const entries *all, size_t index) {
    size_t earlier = 0;
    while (!compared_same(&all->all[earlier], &all->all[index])) ++earlier;
    return earlier == index;
}

bool compared_same_step(const entry *a, const entry *b) {
    return strcmp(a->step, b->step) == 0;
}

hl_item *compared_item(const comparison *self, const char *schema, const char *format, ...) {
    char title[512];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(title, sizeof title, format, arguments);
    va_end(arguments);
    hl_item *item = item_map(self->items, NULL);
    item_text(item, "schema", schema);
    item_text(item, "title", title);
    return item;
}

/* ---- all together ---- */

hl_status compare_scores(const compare_variant *variants, size_t count, hl_item *root, hl_error *error) {
    comparison self = {.variants = variants, .count = count};
    size_t results = count_results(&self);
    self.scores.all = calloc(results + 1, sizeof *self.scores.all);
    self.labels.all = calloc(results + 1, sizeof *self.labels.all);
    self.tallies = calloc(results + 1, sizeof *self.tallies);
    bool complete = self.scores.all && self.labels.all && self.tallies;
    if (complete) {
        collect(&self, read_score, &self.scores);
        collect(&self, read_label, &self.labels);
    }
    if (self.scores.count > 0) compared_list_scores(&self, root);
    if (self.scores.count + self.labels.count > 0) self.items = item_list(root, "comparison", HL_LIST);
    if (self.items) {
        compared_show_scores(&self);
        compared_show_labels(&self);
    }
    free(self.scores.all);
    free(self.labels.all);
    free(self.tallies);
    return complete ? HL_OK : hl_no_memory(error, "the comparison");
}
