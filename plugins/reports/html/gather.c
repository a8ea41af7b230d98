/* See gather.h. */
#include "gather.h"
#include "head_map.h"

#include <stdlib.h>

typedef struct gathering {
    const hl_model_info *model;
    gathered *to; /* all NULL: only counts */
    const hl_node *whose;
    bool by_step;
    size_t number;
} gathering;

/* Names that the model has for its heads, where they are no L3.H5. */
static bool is_of_model(const hl_model_info *model, const char *name) {
    for (uint32_t i = 0; model && i < model->component_count; i++) {
        const hl_component *of = hl_component_at(model, i);
        if (of->kind == HL_HEAD && strcmp(of->name, name) == 0) return true;
    }
    return false;
}

static bool is(const hl_node *item, const char *schema) {
    return strcmp(hl_get_text(item, "schema"), schema) == 0;
}

/* Whether more is said than that there are pictures, or what the map of properties shows. */
static bool is_statement(const gathering *self, const hl_node *item) {
    if (self->by_step) return !*hl_get_text(item, "property");
    return !(is(item, HL_SCHEMA_HEAT) || is(item, HL_SCHEMA_NEIGHBORS));
}

static void take(gathering *self, const hl_node *item, const hl_node *row) {
    said one = {
        .head = hl_get_text(row ? row : item, "head"), .whose = self->whose, .by_step = self->by_step};
    one.has_place = head_map_place(one.head, &one.layer, &one.index);
    if (!*one.head || (!one.has_place && !is_of_model(self->model, one.head))) return;
    one.number = self->number, one.item = item, one.row = row, one.order = self->to->count;
    if (is_statement(self, item)) self->to->is_worth = true;
    if (self->to->all) self->to->all[self->to->count] = one;
    self->to->count++;
}

static void take_rows(gathering *self, const hl_node *item, const char *key) {
    const hl_node *rows = hl_get(item, key);
    for (const hl_node *row = hl_is_list(rows) ? rows->first : NULL; row; row = row->next)
        take(self, item, row);
}

static void take_item(gathering *self, const hl_node *item) {
    take(self, item, NULL);
    if (is(item, HL_SCHEMA_HEAD_MAP)) take_rows(self, item, "heads");
    if (is(item, HL_SCHEMA_TABLE)) take_rows(self, item, "rows");
}

static void take_list(gathering *self, const hl_node *list, bool by_step) {
    self->by_step = by_step;
    self->number = 0;
    for (const hl_node *of = hl_is_list(list) ? list->first : NULL; of; of = of->next) {
        const hl_node *results = hl_get(of, "results");
        self->whose = of;
        self->number++;
        for (const hl_node *item = results ? results->first : NULL; item; item = item->next)
            take_item(self, item);
    }
}

static void take_all(const hl_report *report, gathered *out) {
    gathering self = {.model = report->model, .to = out};
    out->count = 0;
    take_list(&self, hl_get(report->results, "extractors"), true);
    take_list(&self, hl_get(report->results, "analyses"), false);
}

static int compare(const void *a, const void *b) {
    const said *left = a, *right = b;
    if (left->has_place != right->has_place) return left->has_place ? -1 : 1;
    if (left->layer != right->layer) return left->layer < right->layer ? -1 : 1;
    if (left->index != right->index) return left->index < right->index ? -1 : 1;
    int names = strcmp(left->head, right->head);
    if (names) return names;
    return left->order < right->order ? -1 : 1;
}

hl_status gather(const hl_report *report, gathered *out, hl_error *error) {
    *out = (gathered){0};
    take_all(report, out);
    out->all = calloc(out->count + 1, sizeof *out->all);
    if (!out->all) return hl_no_memory(error, "what is said of heads");
    take_all(report, out);
    qsort(out->all, out->count, sizeof *out->all, compare);
    return HL_OK;
}

void gathered_free(gathered *self) {
    free(self->all);
    *self = (gathered){0};
}
