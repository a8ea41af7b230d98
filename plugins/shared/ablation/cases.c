/* See cases.h. */
#include "cases.h"
#include "chance/chance.h"

static const hl_component *row_of(const case_list *self, uint32_t component) {
    return hl_component_at(self->ask->model, component);
}

static bool is_head(const case_list *self, uint32_t component) {
    return row_of(self, component)->kind == HL_HEAD;
}

static uint32_t count_components(const case_list *self) {
    return self->ask->model->component_count;
}

/* ---- the set in hand ---- */

void cases_clear(case_list *self) {
    memset(self->marks, 0, count_components(self) * sizeof *self->marks);
}

void cases_mark(case_list *self, uint32_t component) {
    self->marks[component] = true;
}

void cases_mark_all(case_list *self, const hl_selection *selection) {
    for (size_t i = 0; i < selection->count; ++i) cases_mark(self, selection->components[i]);
}

void cases_mark_kind(case_list *self, uint32_t kind, int32_t layer) {
    for (uint32_t c = 0; c < count_components(self); ++c) {
        const hl_component *row = row_of(self, c);
        if (row->kind == kind && (layer < 0 || row->layer == layer)) self->marks[c] = true;
    }
}

void cases_turn(case_list *self) {
    for (uint32_t c = 0; c < count_components(self); ++c) {
        self->marks[c] = is_head(self, c) && !self->marks[c];
    }
}

/* ---- the list ---- */

static bool grow(case_list *self) {
    if (self->count < self->room) return true;
    size_t room = self->room ? 2 * self->room : 16;
    ablation_case *moved = reallocarray(self->all, room, sizeof *moved);
    if (!moved) return false;
    self->all = moved;
    self->room = room;
    return true;
}

hl_status cases_add(case_list *self, const char *name, size_t of, hl_error *error) {
    if (!grow(self)) return hl_no_memory(error, "what is ablated");
    ablation_case made = {.name = strdup(name), .of = of};
    made.components = malloc(count_components(self) * sizeof *made.components + 1);
    for (uint32_t c = 0; made.components && c < count_components(self); ++c) {
        if (!self->marks[c]) continue;
        made.components[made.count++] = c;
        made.heads += is_head(self, c);
    }
    self->all[self->count++] = made;
    return made.name && made.components ? HL_OK : hl_no_memory(error, "what is ablated");
}

hl_status cases_begin(const hl_ask *ask, case_list *out, hl_error *error) {
    *out = (case_list){.ask = ask};
    out->marks = calloc(ask->model->component_count + 1u, sizeof *out->marks);
    if (!out->marks) return hl_no_memory(error, "what is ablated");
    return cases_add(out, "nothing", CASE_OWN, error);
}

void cases_free(case_list *self) {
    for (size_t i = 0; i < self->count; ++i) {
        free(self->all[i].name);
        free(self->all[i].components);
    }
    free(self->all);
    free(self->marks);
    *self = (case_list){0};
}

/* ---- random counterparts ---- */

/* One stratum of a draw: the heads that may be drawn, others first, then the case's own. */
typedef struct draw {
    case_list *list;
    const bool *own, *allowed; /* allowed NULL: every head */
    chance luck;
    uint32_t *heads; /* room for all */
    size_t *order;
} draw;

static size_t collect(const draw *self, bool own, int32_t layer, size_t found) {
    for (uint32_t c = 0; c < count_components(self->list); ++c) {
        bool may = is_head(self->list, c) && (!self->allowed || self->allowed[c] || own);
        if (may && self->own[c] == own && (layer < 0 || row_of(self->list, c)->layer == layer))
            self->heads[found++] = c;
    }
    return found;
}

static void mark_some(draw *self, size_t first, size_t count, size_t wanted) {
    if (count == 0) return;
    chance_permutation(&self->luck, self->order, count);
    for (size_t i = 0; i < count && i < wanted; ++i)
        cases_mark(self->list, self->heads[first + self->order[i]]);
}

static void draw_stratum(draw *self, int32_t layer) {
    size_t others = collect(self, false, layer, 0), all = collect(self, true, layer, others);
    size_t wanted = all - others;
    mark_some(self, 0, others, wanted);
    if (wanted > others) mark_some(self, others, wanted, wanted - others);
}

static int32_t last_layer(const case_list *self) {
    int32_t last = -1;
    for (uint32_t c = 0; c < count_components(self); ++c) {
        if (row_of(self, c)->layer > last) last = row_of(self, c)->layer;
    }
    return last;
}

static void draw_all(draw *self, const ablation_case *of, draw_from from) {
    cases_clear(self->list);
    for (size_t i = 0; i < of->count; ++i) {
        if (!is_head(self->list, of->components[i])) cases_mark(self->list, of->components[i]);
    }
    if (from == DRAW_ANY) {
        draw_stratum(self, -1);
        return;
    }
    for (int32_t layer = 0; layer <= last_layer(self->list); ++layer) draw_stratum(self, layer);
}

hl_status cases_mark_random(case_list *self, size_t of, draw_from from, const bool *allowed, uint64_t seed,
                            hl_error *error) {
    const ablation_case *like = &self->all[of];
    size_t all = count_components(self);
    bool *own = calloc(all + 1, sizeof *own);
    draw one = {.list = self,
                .own = own,
                .allowed = allowed,
                .luck = chance_begin(seed),
                .heads = calloc(all + 1, sizeof *one.heads),
                .order = calloc(all + 1, sizeof *one.order)};
    bool complete = own && one.heads && one.order;
    for (size_t i = 0; complete && i < like->count; ++i) own[like->components[i]] = true;
    if (complete) draw_all(&one, like, from);
    free(own);
    free(one.heads);
    free(one.order);
    return complete ? HL_OK : hl_no_memory(error, "random heads");
}

size_t cases_shared(const case_list *self, size_t one, size_t other) {
    const ablation_case *a = &self->all[one], *b = &self->all[other];
    size_t shared = 0;
    for (size_t i = 0; i < a->count; ++i) {
        for (size_t k = 0; k < b->count; ++k) {
            shared += a->components[i] == b->components[k] && is_head(self, a->components[i]);
        }
    }
    return shared;
}
