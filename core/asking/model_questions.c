/* Questions about texts and the model itself. */
#include "core/asking/asker_inside.h"

#include "core/registry/guard.h"
#include <pthread.h>
#include <string.h>

hl_status asker_load(const asker *self, hl_error *error) {
    if (self->withheld & HL_NEEDS_WEIGHTS) {
        return hl_fail(error, HL_FAILED,
                       "asks what takes the model's weights: a step that does says so with HL_NEEDS_WEIGHTS");
    }
    return engine_load(self->shared->model, error);
}

/* From any thread. */
static hl_status note_cut(asker *self, const char *const *texts, size_t count, hl_error *error) {
    static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;
    hl_status status = HL_OK;
    if (!self->cut) return HL_OK;
    pthread_mutex_lock(&noting);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = cut_texts_check(self->cut, self->shared->model, texts[i], error);
    }
    pthread_mutex_unlock(&noting);
    return status;
}

hl_status asker_encode_texts(asker *self, const char *const *texts, size_t count, float *out,
                             hl_error *error) {
    hl_status status = asker_load(self, error);
    if (status == HL_OK) status = note_cut(self, texts, count, error);
    if (status != HL_OK || !out) return status;
    return engine_encode_texts(self->shared->model, texts, count, out, NULL, error);
}

static hl_status check_component(const engine *model, uint32_t component, hl_error *error) {
    uint32_t count = model->info->component_count;
    if (component < count) return HL_OK;
    return hl_fail(error, HL_USAGE, "asked about component %u of %u", component, count);
}

hl_status asker_basis(asker *self, uint32_t component, float *out, hl_error *error) {
    engine *model = self->shared->model;
    hl_status status = check_component(model, component, error);
    if (status != HL_OK) return status;
    const hl_component *row = engine_component(model, component);
    const float *basis;
    status = asker_load(self, error);
    if (status == HL_OK) status = engine_basis(model, row->basis, &basis, error);
    if (status != HL_OK) return status;
    memcpy(out, basis, engine_code_width(row) * model->info->embed_dim * sizeof *out);
    return HL_OK;
}

hl_status asker_value_gram(asker *self, uint32_t component, double *out, hl_error *error) {
    const engine *model = self->shared->model;
    hl_status status = check_component(model, component, error);
    if (status != HL_OK) return status;
    const hl_component *row = engine_component(model, component);
    if (row->kind != HL_HEAD) {
        return hl_fail(error, HL_USAGE, "%s is no head, and so has no value map", row->name);
    }
    if (!model->api.value_gram) {
        return hl_fail(
            error, HL_USAGE,
            "model/%s hands out no value maps (hl_model_api.value_gram), which say what %s can read",
            model->model_plugin->name, row->name);
    }
    status = asker_load(self, error);
    if (status != HL_OK) return status;
    return GUARD(model->model_plugin, error, model->api.value_gram(model->model, component, out, error));
}

hl_status asker_product(asker *self, bool transpose_a, bool transpose_b, const size_t sizes[3],
                        const double *a, size_t lda, const double *b, size_t ldb, double *c, size_t ldc,
                        hl_error *error) {
    hl_status status = asker_load(self, error);
    if (status != HL_OK) return status;
    const hl_compute *compute = &self->shared->model->compute;
    return compute->api->product_f64(compute->backend, transpose_a, transpose_b, sizes[0], sizes[1], sizes[2],
                                     a, lda, b, ldb, c, ldc, error);
}

hl_status asker_eigen(asker *self, size_t n, double *a, double *eigenvalues, hl_error *error) {
    hl_status status = asker_load(self, error);
    if (status != HL_OK) return status;
    const hl_compute *compute = &self->shared->model->compute;
    return compute->api->symmetric_eigen_f64(compute->backend, n, a, eigenvalues, error);
}
