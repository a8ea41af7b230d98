/* What the heads of variants are labelled: how many carry which property, and which. */
#include "core/experiment/compare_inside.h"

#include <stdlib.h>
#include <string.h>

static size_t count_heads(const comparison *self, const entry *of, size_t variant) {
    size_t count = 0;
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *other = &self->labels.all[i];
        count += other->variant == variant && compared_same(other, of);
    }
    return count;
}

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
        if (!compared_same_step(of, step) || !compared_is_first(&self->labels, i)) continue;
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
    hl_item *rows = item_list(
        compared_item(self, HL_SCHEMA_TABLE, "%s: heads with each property", step->step), "rows", HL_TABLE);
    size_t count = tally_properties(self, step, self->tallies);
    for (size_t i = 0; i < count; ++i) add_property(self, self->tallies[i].of, rows);
}

/* A head has one colour: that of its first label among those of the greatest weight. */
static bool is_leading(const comparison *self, size_t index) {
    const entry *of = &self->labels.all[index];
    double weight = hl_get_number(of->result, "weight", 0);
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *other = &self->labels.all[i];
        if (other->variant != of->variant || !compared_same_step(other, of) ||
            strcmp(other->head, of->head) != 0)
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
        if (of->variant != variant || !compared_same_step(of, step) || !is_leading(self, i)) continue;
        if (!heads) {
            hl_item *map = compared_item(self, HL_SCHEMA_HEAD_MAP, "%s: heads of %s", step->step,
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
        count += self->labels.all[i].variant == variant && compared_same_step(&self->labels.all[i], step);
    }
    return count;
}

static bool has_label(const comparison *self, size_t variant, const entry *like) {
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *of = &self->labels.all[i];
        if (of->variant == variant && compared_same(of, like) && strcmp(of->head, like->head) == 0)
            return true;
    }
    return false;
}

static bool same_labels(const comparison *self, const entry *step, size_t variant, size_t other) {
    bool same = count_labels(self, step, variant) == count_labels(self, step, other);
    for (size_t i = 0; i < self->labels.count && same; ++i) {
        const entry *of = &self->labels.all[i];
        if (of->variant == variant && compared_same_step(of, step)) same = has_label(self, other, of);
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
    if (!compared_same_step(step, &self->labels.all[0]) && !answers_for_properties(self, step)) return;
    for (size_t variant = 0; variant < self->count; ++variant) {
        if (!is_mapped(self, step, variant)) map_heads(self, step, variant);
    }
}

void compared_show_labels(const comparison *self) {
    for (size_t i = 0; i < self->labels.count; ++i) {
        const entry *of = &self->labels.all[i];
        size_t earlier = 0;
        while (!compared_same_step(&self->labels.all[earlier], of)) ++earlier;
        if (earlier != i) continue;
        list_properties(self, of);
        map_all_heads(self, of);
    }
}
