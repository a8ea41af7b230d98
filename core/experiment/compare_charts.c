/* What variants score, as a list and as figures: bars, against model size, by layer, beside what each would
 * be by chance. */
#include "core/experiment/compare_inside.h"

#include "core/io/number.h"
#include <stdio.h>
#include <string.h>

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

/* ---- as a list ---- */

static void add_interval(hl_item *to, const entry *of) {
    const hl_node *low = hl_get(of->result, "low"), *high = hl_get(of->result, "high");
    if (!hl_is_number(low) || !hl_is_number(high)) return;
    item_copy(to, "low", low);
    item_copy(to, "high", high);
}

void compared_list_scores(const comparison *self, hl_item *root) {
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

/* ---- as figures ---- */

/* The list of its series. */
static hl_item *add_chart(const comparison *self, const entry *of, const char *kind, const char *across,
                          const char *x) {
    hl_item *chart = compared_item(self, HL_SCHEMA_CHART, "%s: %s %s", of->step, of->name, across);
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
        if (other->layer == WHOLE_MODEL && compared_same(other, of) && null_of(self, other)) return true;
    }
    return false;
}

static void add_bars(const comparison *self, const entry *of, bool shuffled, hl_item *points) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        if (other->layer != WHOLE_MODEL || !compared_same(other, of)) continue;
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
        if (compared_same(&self->scores.all[i], of) && (other < value || other > value)) return false;
    }
    return true;
}

/* Whether a score of whole models is of models of two sizes. */
static bool has_sizes(const comparison *self, const entry *of) {
    double size = 0;
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *other = &self->scores.all[i];
        double own = parameters_of(&self->variants[other->variant]);
        if (other->layer != WHOLE_MODEL || !compared_same(other, of) || own <= 0) continue;
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
        if (other->layer != WHOLE_MODEL || !compared_same(other, of) || size <= 0) continue;
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
        if (other->layer != WHOLE_MODEL && compared_same(other, of)) return true;
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
        if (other->variant == variant && other->layer != WHOLE_MODEL && compared_same(other, of)) return true;
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
            if (other->variant != variant || other->layer == WHOLE_MODEL || !compared_same(other, of))
                continue;
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
        compared_item(self, HL_SCHEMA_CHART, "%s: %.*sK of each variant", of->step, (int)length, of->name);
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
        if (other->layer == WHOLE_MODEL && compared_same(other, of)) return true;
    }
    return false;
}

void compared_show_scores(const comparison *self) {
    for (size_t i = 0; i < self->scores.count; ++i) {
        const entry *of = &self->scores.all[i];
        if (family_of(of->name) > 0) {
            if (is_first_of_family(&self->scores, i) && has_whole(self, of)) draw_family(self, of);
            continue;
        }
        if (!compared_is_first(&self->scores, i) || says_of_another(self, of)) continue;
        if (has_whole(self, of)) draw_bars(self, of);
        if (is_constant(self, of)) continue;
        draw_sizes(self, of);
        draw_layers(self, of);
    }
}
