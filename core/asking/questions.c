/* Questions about one image, answered from the trace that its pass left: c = y B, heat = y_token . q. */
#include "core/asking/asker_inside.h"
#include "core/registry/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static hl_status check_component(const asker *self, uint32_t component, hl_error *error) {
    uint32_t count = self->shared->model->info->component_count;
    if (component < count) return HL_OK;
    return hl_fail(error, HL_USAGE, "asked about component %u of %u", component, count);
}

static hl_status find_trace(asker *self, const hl_image *image, hl_trace **out, hl_error *error) {
    hl_status status = asker_load(self, error);
    return status == HL_OK ? images_trace(self->shared->images, image, self->changed, out, error) : status;
}

hl_status asker_embedding(asker *self, const hl_image *image, float *out, hl_error *error) {
    hl_trace *trace;
    hl_status status = find_trace(self, image, &trace, error);
    if (status != HL_OK) return status;
    self->shared->model->api.embedding(trace, out);
    self->shared->model->api.release(trace);
    return HL_OK;
}

hl_status asker_code(asker *self, const hl_image *image, uint32_t component, float *out, hl_error *error) {
    hl_trace *trace;
    hl_status status = check_component(self, component, error);
    if (status == HL_OK) status = find_trace(self, image, &trace, error);
    if (status != HL_OK) return status;
    status = GUARD(self->shared->model->model_plugin, error,
                   self->shared->model->api.code(trace, component, out, error));
    self->shared->model->api.release(trace);
    return status;
}

hl_status asker_contribution(asker *self, const hl_image *image, uint32_t component, float *out,
                             hl_error *error) {
    engine *model = self->shared->model;
    hl_status status = check_component(self, component, error);
    if (status != HL_OK) return status;
    float *code = malloc(engine_code_width(engine_component(model, component)) * sizeof *code + 1);
    if (!code) return hl_no_memory(error, "a code");
    status = asker_code(self, image, component, code, error);
    if (status == HL_OK) status = engine_expand(model, component, code, 1, out, error);
    free(code);
    return status;
}

static hl_status check_tokens(const asker *self, uint32_t component, hl_error *error) {
    hl_status status = check_component(self, component, error);
    if (status != HL_OK) return status;
    const hl_component *row = engine_component(self->shared->model, component);
    if (row->has_tokens) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s has no parts by token, and so no heat", row->name);
}

hl_status asker_token_codes(asker *self, const hl_image *image, uint32_t component, float *out,
                            hl_error *error) {
    hl_trace *trace;
    hl_status status = check_tokens(self, component, error);
    if (status == HL_OK) status = find_trace(self, image, &trace, error);
    if (status != HL_OK) return status;
    status = GUARD(self->shared->model->model_plugin, error,
                   self->shared->model->api.token_codes(trace, component, out, error));
    self->shared->model->api.release(trace);
    return status;
}

/* ---- heat ---- */

enum { AT_ONCE = 16 }; /* components: a layer's, mostly */

/* One question's memory. */
typedef struct heating {
    asker *self;
    const hl_selection *selection;
    const hl_direction *direction;
    size_t cells, widest;
    double *sums, *own;       /* of all components so far, and of AT_ONCE of them that have weights */
    float *queries, *scratch; /* AT_ONCE queries, and the codes of a component's tokens */
} heating;

static hl_status check_heating(const asker *self, const hl_selection *selection, hl_error *error) {
    hl_status status = HL_OK;
    if (selection->count == 0) {
        return hl_fail(error, HL_USAGE, "%s has no components, and so no heat", selection->name);
    }
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        status = check_tokens(self, selection->components[i], error);
    }
    return status;
}

static hl_status allocate_heating(heating *of, hl_error *error) {
    const engine *model = of->self->shared->model;
    for (size_t i = 0; i < of->selection->count; ++i) {
        size_t width = engine_code_width(engine_component(model, of->selection->components[i]));
        if (width > of->widest) of->widest = width;
    }
    of->cells = (size_t)model->info->grid_rows * model->info->grid_cols;
    of->sums = calloc((AT_ONCE + 1) * of->cells + 1, sizeof *of->sums);
    of->own = of->sums ? of->sums + of->cells : NULL;
    of->queries = calloc(AT_ONCE * of->widest + 1, sizeof *of->queries);
    of->scratch = calloc(engine_tokens(model) * of->widest + 1, sizeof *of->scratch);
    return of->sums && of->queries && of->scratch ? HL_OK : hl_no_memory(error, "a heat");
}

static void add_weighted(const heating *of, size_t first, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        double weight = of->selection->weights[first + i];
        const double *own = of->own + i * of->cells;
        for (size_t cell = 0; cell < of->cells; ++cell) of->sums[cell] += weight * own[cell];
    }
}

/* Components [first, first + count), at most AT_ONCE. */
static hl_status add_components(heating *of, const hl_trace *trace, size_t first, size_t count,
                                hl_error *error) {
    asked_model *shared = of->self->shared;
    engine_heat heats[AT_ONCE];
    bool weighs = of->selection->weights != NULL;
    hl_status status = HL_OK;
    if (weighs) memset(of->own, 0, count * of->cells * sizeof *of->own);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        uint32_t component = of->selection->components[first + i];
        float *query = of->queries + i * of->widest;
        heats[i] = (engine_heat){component, query, weighs ? of->own + i * of->cells : of->sums};
        status = queries_get(shared->queries, of->direction, component, query, error);
    }
    if (status != HL_OK) return status;
    status = engine_add_heats(shared->model, trace, heats, count, 0, 1, of->scratch, error);
    if (status == HL_OK && weighs) add_weighted(of, first, count);
    return status;
}

hl_status asker_heat(asker *self, const hl_image *image, const hl_selection *selection,
                     const hl_direction *direction, float *grid, hl_error *error) {
    hl_trace *trace = NULL;
    heating of = {.self = self, .selection = selection, .direction = direction};
    hl_status status = check_heating(self, selection, error);
    if (status == HL_OK) status = find_trace(self, image, &trace, error);
    if (status == HL_OK) status = allocate_heating(&of, error);
    for (size_t first = 0, now; first < selection->count && status == HL_OK; first += now) {
        now = selection->count - first < AT_ONCE ? selection->count - first : AT_ONCE;
        status = add_components(&of, trace, first, now, error);
    }
    for (size_t i = 0; i < of.cells && status == HL_OK; ++i) grid[i] = (float)of.sums[i];
    if (trace) self->shared->model->api.release(trace);
    free(of.sums);
    free(of.queries);
    free(of.scratch);
    return status;
}
