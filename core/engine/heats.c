/* Heat: of a token, its part of a head's code times q = B t (Gandelsman, Efros and Steinhardt 2024, section
 * 5). */
#include "core/engine/engine.h"

#include "core/atlas/kernels.h"
#include "core/registry/guard.h"

enum { HEADS_AT_ONCE = 16 };

static size_t cells_of(const engine *self) {
    return engine_tokens(self) - self->info->prefix_tokens;
}

/* ---- where the model shows its parts as they lie: no code is written for a token ---- */

typedef struct shown_parts {
    const engine *self;
    const hl_trace *trace;
    size_t stride, number; /* of queries */
    size_t count;          /* of components */
    hl_token_parts parts[HEADS_AT_ONCE];
    size_t widths[HEADS_AT_ONCE];
    double each[HEADS_AT_ONCE][MOST_HEAT_VECTORS]; /* what every cell gets */
    asked_columns asked[HEADS_AT_ONCE];
} shown_parts;

/* `even`: room for a code. */
static hl_status take_part(shown_parts *all, const engine_heat *heat, float *even, hl_error *error) {
    const engine *self = all->self;
    const hl_component *row = engine_component(self, heat->component);
    size_t place = all->count++, prefix = self->info->prefix_tokens;
    hl_token_parts *parts = &all->parts[place];
    *parts = (hl_token_parts){.size = sizeof *parts};
    hl_status status = GUARD(self->model_plugin, error,
                             self->api.token_parts(all->trace, heat->component, parts, even, error));
    if (status != HL_OK) return status;
    for (size_t i = 0; i < all->number; ++i) {
        all->each[place][i] = engine_dot(even, heat->queries + i * all->stride, engine_code_width(row));
    }
    all->widths[place] = row->width;
    all->asked[place] = (asked_columns){.factors = parts->attention + prefix,
                                        .queries = heat->queries,
                                        .each = all->each[place],
                                        .scale = parts->scale,
                                        .out = heat->grids};
    return HL_OK;
}

/* Heads of a layer lie side by side. */
static bool lies_beside(const shown_parts *all, size_t place, size_t first) {
    const hl_token_parts *a = &all->parts[first], *b = &all->parts[place];
    size_t width = all->widths[first];
    return b->values == a->values + (place - first) * width && b->stride == a->stride &&
           all->widths[place] == width;
}

static void add_parts(const shown_parts *all) {
    size_t prefix = all->self->info->prefix_tokens;
    for (size_t first = 0, end; first < all->count; first = end) {
        const hl_token_parts *parts = &all->parts[first];
        for (end = first + 1; end < all->count && lies_beside(all, end, first);) ++end;
        const asked_rows rows = {.rows = parts->values + prefix * parts->stride,
                                 .count = cells_of(all->self),
                                 .stride = parts->stride,
                                 .width = all->widths[first],
                                 .asked = &all->asked[first],
                                 .asked_count = end - first,
                                 .number = all->number,
                                 .between = all->stride};
        kernels_best()->add_asked(&rows);
    }
}

static hl_status add_shown(shown_parts *all, const engine_heat *heats, size_t heat_count, float *even,
                           hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < heat_count && status == HL_OK; ++i) {
        status = take_part(all, &heats[i], even, error);
        if (status != HL_OK || (all->count < HEADS_AT_ONCE && i + 1 < heat_count)) continue;
        add_parts(all);
        all->count = 0;
    }
    return status;
}

/* ---- elsewhere ---- */

static hl_status add_codes(const engine *self, const hl_trace *trace, const engine_heat *heat, size_t stride,
                           size_t number, float *scratch, hl_error *error) {
    size_t width = engine_code_width(engine_component(self, heat->component)), cells = cells_of(self);
    const float *codes = scratch + self->info->prefix_tokens * width;
    hl_status status =
        GUARD(self->model_plugin, error, self->api.token_codes(trace, heat->component, scratch, error));
    for (size_t i = 0; i < number && status == HL_OK; ++i) {
        kernels_best()->add_dots_f32(codes, cells, width, heat->queries + i * stride,
                                     heat->grids + i * cells);
    }
    return status;
}

hl_status engine_add_heats(const engine *self, const hl_trace *trace, const engine_heat *heats,
                           size_t heat_count, size_t stride, size_t number, float *scratch, hl_error *error) {
    hl_status status = HL_OK;
    if (self->api.token_parts) {
        shown_parts all = {.self = self, .trace = trace, .stride = stride, .number = number};
        return add_shown(&all, heats, heat_count, scratch, error);
    }
    for (size_t i = 0; i < heat_count && status == HL_OK; ++i) {
        status = add_codes(self, trace, &heats[i], stride, number, scratch, error);
    }
    return status;
}
