/* See compare_scores.h. Knows what results of extractors look like (headlight/report.h), never which plugin
 * made them: models may have other heads and layers, and variants other steps. */
#include "core/experiment/compare_scores.h"

#include "core/io/number.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE_MODEL = -1 };

/* A score, or a label, of one variant. */
typedef struct entry {
    size_t variant;
    const char *step, *name; /* of the score, or the property */
    const hl_node *result;
    int layer;        /* of a score: WHOLE_MODEL, or from 0 */
    const char *head; /* of a label */
} entry;

typedef struct entries {
    entry *all;
    size_t count;
} entries;

typedef struct comparison {
    const compare_variant *variants;
    size_t count;
    entries scores, labels;
    struct tally *tallies; /* room for one of each label */
    hl_item *items;        /* the list of what is shown */
} comparison;

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

/* ---- what models say of themselves ---- */

/* How many parameters; 0: it is not said. */
static double parameters_of(const compare_variant *variant) {
    const hl_node *fact = hl_get(hl_get(variant->results, "model"), "parameters");
    double number = 0;
    if (hl_is_number(fact)) return fact->number;
    return fact && fact->type == HL_TEXT && number_real(fact->text, &number) ? number : 0;
}

static bool is_random(const compare_variant *variant) {
    return hl_get(hl_get(variant->results, "model"), "random_weights") != NULL;
}

/* Whether some variants have learned something and others have not, which are their null. */
static bool has_null(const comparison *self) {
    size_t random = 0;
    for (size_t i = 0; i < self->count; ++i) random += is_random(&self->variants[i]);
    return random > 0 && random < self->count;
}

/* ---- scores ---- */

static bool same_score(const entry *a, const entry *b) {
    return strcmp(a->step, b->step) == 0 && strcmp(a->name, b->name) == 0;
}

static bool is_first(const entries *all, size_t index) {
    size_t earlier = 0;
    while (!same_score(&all->all[earlier], &all->all[index])) ++earlier;
    return earlier == index;
}

static void add_interval(hl_item *to, const entry *of) {
    const hl_node *low = hl_get(of->result, "low"), *high = hl_get(of->result, "high");
    if (!hl_is_number(low) || !hl_is_number(high)) return;
    item_copy(to, "low", low);
    item_copy(to, "high", high);
}

static void list_scores(const comparison *self, hl_item *root) {
    hl_item *list = item_list(root, "scores", HL_LIST);
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *of = &self->scores.all[i];
        const compare_variant *variant = &self->variants[of->variant];
        if (of->layer != WHOLE_MODEL) continue;
        hl_item *row = item_map(list, NULL);
        item_text(row, "variant", variant->name);
        item_text(row, "step", of->step);
        item_text(row, "score", of->name);
        item_copy(row, "value", hl_get(of->result, "value"));
        add_interval(row, of);
        if (parameters_of(variant) > 0) item_double(row, "parameters", parameters_of(variant));
    }
}

__attribute__((format(printf, 3, 4))) static hl_item *add_item(const comparison *self, const char *schema,
                                                               const char *format, ...) {
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

/* The list of its series. */
static hl_item *add_chart(const comparison *self, const entry *of, const char *kind, const char *across,
                          const char *x) {
    hl_item *chart = add_item(self, HL_SCHEMA_CHART, "%s: %s %s", of->step, of->name, across);
    item_text(chart, "kind", kind);
    item_text(chart, "x", x);
    item_text(chart, "y", of->name);
    return item_list(chart, "series", HL_LIST);
}

/* The list of its points. */
static hl_item *add_series(hl_item *chart, const char *name, bool reference) {
    hl_item *series = item_map(chart, NULL);
    item_text(series, "name", name);
    if (reference) item_truth(series, "reference", true);
    return item_list(series, "points", HL_LIST);
}

static void add_value(hl_item *point, const entry *of) {
    item_copy(point, "y", hl_get(of->result, "value"));
    add_interval(point, of);
}

/* What a score is called when labels are shuffled: "S, labels shuffled" is what S would be by chance. */
#define NULL_OF ", labels shuffled"

/* The null of a score among those of the same variant and layer; NULL: there is none. */
static const entry *null_of(const comparison *self, const entry *of) {
    size_t length = strlen(of->name);
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->variant == of->variant && other->layer == of->layer &&
            strcmp(other->step, of->step) == 0 && strncmp(other->name, of->name, length) == 0 &&
            strcmp(other->name + length, NULL_OF) == 0)
            return other;
    }
    return NULL;
}

static bool has_shuffled(const comparison *self, const entry *of) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->layer == WHOLE_MODEL && same_score(other, of) && null_of(self, other)) return true;
    }
    return false;
}

static void add_bars(const comparison *self, const entry *of, bool shuffled, hl_item *points) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->layer != WHOLE_MODEL || !same_score(other, of)) continue;
        const entry *drawn = shuffled ? null_of(self, other) : other;
        if (!drawn) continue;
        hl_item *point = item_map(points, NULL);
        item_text(point, "x", self->variants[other->variant].name);
        add_value(point, drawn);
    }
}

static void draw_bars(const comparison *self, const entry *of) {
    hl_item *chart = add_chart(self, of, "bar", "of each variant", "variant");
    add_bars(self, of, false, add_series(chart, of->name, false));
    if (has_shuffled(self, of)) add_bars(self, of, true, add_series(chart, "labels shuffled", true));
}

/* Whether it is the same everywhere, of which a figure would show nothing. */
static bool is_constant(const comparison *self, const entry *of) {
    double value = hl_get_number(of->result, "value", 0);
    for (size_t i = 0; i < self->scores.count; ++i) {
        double other = hl_get_number(self->scores.all[i].result, "value", 0);
        if (same_score(&self->scores.all[i], of) && (other < value || other > value)) return false;
    }
    return true;
}

/* Whether a score of whole models is of models of two sizes. */
static bool has_sizes(const comparison *self, const entry *of) {
    double size = 0;
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        double own = parameters_of(&self->variants[other->variant]);
        if (other->layer != WHOLE_MODEL || !same_score(other, of) || own <= 0) continue;
        if (size > 0 && (own < size || own > size)) return true;
        size = own;
    }
    return false;
}

/* Which points of a scatter chart. */
typedef enum kind { LEARNED, RANDOM, SHUFFLED } kind;

static const entry *drawn_as(const comparison *self, const entry *of, kind which) {
    bool random = has_null(self) && is_random(&self->variants[of->variant]);
    if (random != (which == RANDOM)) return NULL;
    return which == SHUFFLED ? null_of(self, of) : of;
}

static void add_sizes(const comparison *self, const entry *of, kind which, hl_item *points) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        const compare_variant *variant = &self->variants[other->variant];
        double size = parameters_of(variant);
        if (other->layer != WHOLE_MODEL || !same_score(other, of) || size <= 0) continue;
        const entry *drawn = drawn_as(self, other, which);
        if (!drawn) continue;
        hl_item *point = item_map(points, NULL);
        item_double(point, "x", size / 1e6);
        if (which != SHUFFLED) item_text(point, "label", variant->name);
        add_value(point, drawn);
    }
}

static void draw_sizes(const comparison *self, const entry *of) {
    if (!has_sizes(self, of)) return;
    hl_item *chart =
        add_chart(self, of, "scatter", "against model size", "parameters of the image tower, millions");
    add_sizes(self, of, LEARNED, add_series(chart, "models", false));
    if (has_null(self)) add_sizes(self, of, RANDOM, add_series(chart, "random weights", true));
    if (has_shuffled(self, of)) add_sizes(self, of, SHUFFLED, add_series(chart, "labels shuffled", true));
}

static bool has_layers(const comparison *self, const entry *of) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->layer != WHOLE_MODEL && same_score(other, of)) return true;
    }
    return false;
}

/* Of all that is scored of the variant: a score need not be there for every layer. */
static int last_layer(const comparison *self, size_t variant) {
    int last = WHOLE_MODEL;
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *of = &self->scores.all[i];
        if (of->variant == variant && of->layer > last) last = of->layer;
    }
    return last;
}

static bool has_layers_of(const comparison *self, const entry *of, size_t variant) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->variant == variant && other->layer != WHOLE_MODEL && same_score(other, of)) return true;
    }
    return false;
}

/* Towers end in the embedding, however many layers they have: so they are put side by side at their ends. */
static void draw_layers(const comparison *self, const entry *of) {
    if (!has_layers(self, of)) return;
    hl_item *chart = add_chart(self, of, "line", "by layer", "layers before the last");
    for (size_t variant = 0; variant < self->count; ++variant) {
        if (!has_layers_of(self, of, variant)) continue;
        int last = last_layer(self, variant);
        const compare_variant *from = &self->variants[variant];
        hl_item *points = add_series(chart, from->name, has_null(self) && is_random(from));
        for (size_t i = 0; i < self->scores.count; ++i) {
            const entry *other = &self->scores.all[i];
            if (other->variant != variant || other->layer == WHOLE_MODEL || !same_score(other, of)) continue;
            hl_item *point = item_map(points, NULL);
            item_whole(point, "x", other->layer - last);
            add_value(point, other);
        }
    }
}

/* "S@K": one of a family, K being a number. Its length without K; 0: it is none. */
static size_t family_of(const char *name) {
    const char *at = strrchr(name, '@');
    bool is_number = at && at > name && at[1] && !at[1 + strspn(at + 1, "0123456789")];
    return is_number ? (size_t)(at + 1 - name) : 0;
}

static bool same_family(const entry *a, const entry *b) {
    size_t length = family_of(a->name);
    return length > 0 && length == family_of(b->name) && strcmp(a->step, b->step) == 0 &&
           strncmp(a->name, b->name, length) == 0;
}

static bool is_first_of_family(const entries *all, size_t index) {
    size_t earlier = 0;
    while (!same_family(&all->all[earlier], &all->all[index])) ++earlier;
    return earlier == index;
}

/* One figure over K for all of them. */
static void draw_family(const comparison *self, const entry *of) {
    size_t length = family_of(of->name);
    hl_item *chart =
        add_item(self, HL_SCHEMA_CHART, "%s: %.*sK of each variant", of->step, (int)length, of->name);
    char y[256];
    hl_format(y, sizeof y, "%.*sK", (int)length, of->name);
    item_text(chart, "kind", "line");
    item_text(chart, "x", "K");
    item_text(chart, "y", y);
    hl_item *series = item_list(chart, "series", HL_LIST);
    for (size_t variant = 0; variant < self->count; ++variant) {
        const compare_variant *from = &self->variants[variant];
        hl_item *points = add_series(series, from->name, has_null(self) && is_random(from));
        for (size_t i = 0; i < self->scores.count; ++i) {
            const entry *other = &self->scores.all[i];
            if (other->variant != variant || other->layer != WHOLE_MODEL || !same_family(other, of)) continue;
            hl_item *point = item_map(points, NULL);
            item_double(point, "x", number_read(other->name + length));
            add_value(point, other);
        }
    }
}

/* A score "S, WHAT" says something of S: it is in the list, and, where it is the null of S, in its charts. */
static bool says_of_another(const comparison *self, const entry *of) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        size_t length = strlen(other->name);
        if (strcmp(other->step, of->step) == 0 && strncmp(of->name, other->name, length) == 0 &&
            strncmp(of->name + length, ", ", 2) == 0)
            return true;
    }
    return false;
}

static bool has_whole(const comparison *self, const entry *of) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->layer == WHOLE_MODEL && same_score(other, of)) return true;
    }
    return false;
}

static void show_scores(const comparison *self) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *of = &self->scores.all[i];
        if (family_of(of->name) > 0) {
            if (is_first_of_family(&self->scores, i) && has_whole(self, of)) draw_family(self, of);
            continue;
        }
        if (!is_first(&self->scores, i) || says_of_another(self, of)) continue;
        if (has_whole(self, of)) draw_bars(self, of);
        if (is_constant(self, of)) continue;
        draw_sizes(self, of);
        draw_layers(self, of);
    }
}

/* ---- labels ---- */

static bool same_step(const entry *a, const entry *b) {
    return strcmp(a->step, b->step) == 0;
}

static size_t count_heads(const comparison *self, const entry *of, size_t variant) {
    size_t count = 0;
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *other = &self->labels.all[i];
        count += other->variant == variant && same_score(other, of);
    }
    return count;
}

/* A property, and how many heads of all variants carry it. */
typedef struct tally {
    const entry *of;
    size_t count;
} tally;

/* The most frequent first, then as they were found. */
static int compare_tallies(const void *a, const void *b) {
    const tally *first = a, *second = b;
    if (first->count != second->count) return first->count > second->count ? -1 : 1;
    return first->of < second->of ? -1 : first->of > second->of;
}

static size_t tally_properties(const comparison *self, const entry *step, tally *out) {
    size_t count = 0;
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *of = &self->labels.all[i];
        if (!same_step(of, step) || !is_first(&self->labels, i)) continue;
        out[count] = (tally){of, 0};
        for (size_t variant = 0; variant < self->count; ++variant)
            out[count].count += count_heads(self, of, variant);
        ++count;
    }
    qsort(out, count, sizeof *out, compare_tallies);
    return count;
}

static void add_property(const comparison *self, const entry *of, hl_item *rows) {
    hl_item *row = item_map(rows, NULL);
    item_text(row, "property", of->name);
    for (size_t variant = 0; variant < self->count; ++variant) {
        const char *name = self->variants[variant].name;
        const char *column = strcmp(name, "property") == 0 ? "the variant property" : name;
        item_whole(row, column, (int64_t)count_heads(self, of, variant));
    }
}

static void list_properties(const comparison *self, const entry *step) {
    hl_item *rows = item_list(add_item(self, HL_SCHEMA_TABLE, "%s: heads with each property", step->step),
                              "rows", HL_TABLE);
    size_t count = tally_properties(self, step, self->tallies);
    for (size_t i = 0; i < count; ++i) add_property(self, self->tallies[i].of, rows);
}

/* A head has one colour: that of its first label among those of the greatest weight. */
static bool is_leading(const comparison *self, size_t index) {
    const entry *of = &self->labels.all[index];
    double weight = hl_get_number(of->result, "weight", 0);
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *other = &self->labels.all[i];
        if (other->variant != of->variant || !same_step(other, of) || strcmp(other->head, of->head) != 0)
            continue;
        double own = hl_get_number(other->result, "weight", 0);
        if (own > weight || (i < index && !(own < weight))) return false;
    }
    return true;
}

static void map_heads(const comparison *self, const entry *step, size_t variant) {
    hl_item *heads = NULL;
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *of = &self->labels.all[i];
        if (of->variant != variant || !same_step(of, step) || !is_leading(self, i)) continue;
        if (!heads) {
            hl_item *map = add_item(self, HL_SCHEMA_HEAD_MAP, "%s: heads of %s", step->step,
                                    self->variants[variant].name);
            heads = item_list(map, "heads", HL_TABLE);
        }
        hl_item *row = item_map(heads, NULL);
        item_text(row, "head", of->head);
        item_text(row, "label", of->name);
    }
}

static size_t count_labels(const comparison *self, const entry *step, size_t variant) {
    size_t count = 0;
    for (size_t i = 0; i < self->labels.count; ++i) {
        count += self->labels.all[i].variant == variant && same_step(&self->labels.all[i], step);
    }
    return count;
}

static bool has_label(const comparison *self, size_t variant, const entry *like) {
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *of = &self->labels.all[i];
        if (of->variant == variant && same_score(of, like) && strcmp(of->head, like->head) == 0) return true;
    }
    return false;
}

static bool same_labels(const comparison *self, const entry *step, size_t variant, size_t other) {
    bool same = count_labels(self, step, variant) == count_labels(self, step, other);
    for (size_t i = 0; i < self->labels.count && same; ++i) {
        const entry *of = &self->labels.all[i];
        if (of->variant == variant && same_step(of, step)) same = has_label(self, other, of);
    }
    return same;
}

/* A labelling that takes no account of the model is the same for several: once is enough. */
static bool is_mapped(const comparison *self, const entry *step, size_t variant) {
    for (size_t earlier = 0; earlier < variant; ++earlier) {
        if (same_labels(self, step, variant, earlier)) return true;
    }
    return false;
}

static bool answers_for_properties(const comparison *self, const entry *step) {
    for (size_t i = 0; i < self->count; ++i) {
        const hl_node *properties = hl_get(self->variants[i].results, "properties");
        if (properties && strcmp(hl_get_text(properties, "step"), step->step) == 0) return true;
    }
    return false;
}

/* Of the first step of labels and of that which answers for properties: further ones are looked at on the
 * variants' own pages. */
static void map_all_heads(const comparison *self, const entry *step) {
    if (!same_step(step, &self->labels.all[0]) && !answers_for_properties(self, step)) return;
    for (size_t variant = 0; variant < self->count; ++variant) {
        if (!is_mapped(self, step, variant)) map_heads(self, step, variant);
    }
}

static void show_labels(const comparison *self) {
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *of = &self->labels.all[i];
        size_t earlier = 0;
        while (!same_step(&self->labels.all[earlier], of)) ++earlier;
        if (earlier != i) continue;
        list_properties(self, of);
        map_all_heads(self, of);
    }
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
    if (self.scores.count > 0) list_scores(&self, root);
    if (self.scores.count + self.labels.count > 0) self.items = item_list(root, "comparison", HL_LIST);
    if (self.items) {
        show_scores(&self);
        show_labels(&self);
    }
    free(self.scores.all);
    free(self.labels.all);
    free(self.tallies);
    return complete ? HL_OK : hl_no_memory(error, "the comparison");
}
