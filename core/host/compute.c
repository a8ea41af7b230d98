/* The decorator around a compute plugin. See compute.h. */
#include "core/host/compute.h"

#include "core/registry/registry.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What an hl_backend is on the model's side of the decorator. */
typedef struct decorated {
    const hl_host *host;
    hl_compute_api plugin, reference; /* reference.size == 0: nothing is missing */
    hl_backend *inner, *stand_in;
    atomic_ullong flops;
} decorated;

static decorated *behind(hl_backend *backend) {
    return (decorated *)(void *)backend;
}

static void count(decorated *self, size_t a, size_t b, size_t c) {
    atomic_fetch_add(&self->flops, 2ull * a * b * c);
}

/* A matrix of an operation that is to run on the stand-in: `here` lies in the plugin's memory, *place is the
 * field of the operation, which becomes a matrix of the stand-in's. */
typedef struct operand {
    hl_matrix *place;
    bool written;
    hl_matrix here;
} operand;

static hl_status move_there(decorated *self, operand *moved, float *buffer, hl_error *error) {
    hl_matrix here = moved->here = *moved->place, there = {NULL, 0, here.rows, here.cols, here.cols};
    if (!here.tensor) return HL_OK;
    hl_status status =
        self->reference.new_tensor(self->stand_in, here.rows * here.cols, &there.tensor, error);
    moved->place->tensor = NULL;
    if (status != HL_OK) return status;
    *moved->place = there;
    if (moved->written) return HL_OK;
    status = self->plugin.download(self->inner, here, buffer, error);
    return status == HL_OK ? self->reference.upload(self->stand_in, buffer, there, error) : status;
}

static hl_status move_back(decorated *self, operand *moved, float *buffer, hl_error *error) {
    if (!moved->here.tensor || !moved->written) return HL_OK;
    hl_status status = self->reference.download(self->stand_in, *moved->place, buffer, error);
    return status == HL_OK ? self->plugin.upload(self->inner, buffer, moved->here, error) : status;
}

typedef hl_status stand_in_operation(const decorated *self, const void *arguments, hl_error *error);

/* Runs `run` on the stand-in. The operands' places lie inside `arguments`, a copy that may be changed. */
static hl_status run_on_reference(decorated *self, operand *operands, size_t operand_count,
                                  stand_in_operation *run, const void *arguments, hl_error *error) {
    size_t largest = 0;
    for (size_t i = 0; i < operand_count; ++i) {
        size_t elements = operands[i].place->rows * operands[i].place->cols;
        if (operands[i].place->tensor && elements > largest) largest = elements;
    }
    float *buffer = self->host->allocate(self->host, largest, sizeof *buffer);
    if (!buffer) return hl_no_memory(error, "an operation on the reference backend");
    hl_status status = HL_OK;
    size_t moved = 0;
    while (status == HL_OK && moved < operand_count) {
        status = move_there(self, &operands[moved++], buffer, error);
    }
    if (status == HL_OK) status = run(self, arguments, error);
    for (size_t i = 0; i < moved; ++i) {
        if (status == HL_OK) status = move_back(self, &operands[i], buffer, error);
    }
    for (size_t i = 0; i < moved; ++i) self->reference.free_tensor(self->stand_in, operands[i].place->tensor);
    self->host->release(self->host, buffer);
    return status;
}

static const char *describe(const hl_backend *backend) {
    const decorated *self = (const decorated *)(const void *)backend;
    return self->plugin.describe(self->inner);
}

static const char *kernel(const hl_backend *backend) {
    const decorated *self = (const decorated *)(const void *)backend;
    return self->plugin.kernel ? self->plugin.kernel(self->inner) : "unknown";
}

static const char *precision(const hl_backend *backend) {
    const decorated *self = (const decorated *)(const void *)backend;
    return self->plugin.precision ? self->plugin.precision(self->inner) : "unknown";
}

static hl_status new_tensor(hl_backend *backend, size_t elements, hl_tensor **tensor, hl_error *error) {
    decorated *self = behind(backend);
    return self->plugin.new_tensor(self->inner, elements, tensor, error);
}

static void free_tensor(hl_backend *backend, hl_tensor *tensor) {
    decorated *self = behind(backend);
    self->plugin.free_tensor(self->inner, tensor);
}

static hl_status upload(hl_backend *backend, const float *data, hl_matrix to, hl_error *error) {
    decorated *self = behind(backend);
    return self->plugin.upload(self->inner, data, to, error);
}

static hl_status download(hl_backend *backend, hl_matrix from, float *data, hl_error *error) {
    decorated *self = behind(backend);
    return self->plugin.download(self->inner, from, data, error);
}

static hl_status prepare(hl_backend *backend, const hl_weight_source *source, hl_weight **weight,
                         hl_error *error) {
    decorated *self = behind(backend);
    return self->plugin.prepare(self->inner, source, weight, error);
}

static void free_weight(hl_backend *backend, hl_weight *weight) {
    decorated *self = behind(backend);
    self->plugin.free_weight(self->inner, weight);
}

static hl_status linear(hl_backend *backend, const hl_linear *operation, hl_error *error) {
    decorated *self = behind(backend);
    count(self, operation->x.rows, operation->x.cols, operation->out.cols);
    return self->plugin.linear(self->inner, operation, error);
}

static hl_status patch_embedding(hl_backend *backend, const hl_patch_embedding *operation, hl_error *error) {
    decorated *self = behind(backend);
    count(self, operation->batch * operation->channels, operation->height * operation->width,
          operation->out.cols);
    return self->plugin.patch_embedding(self->inner, operation, error);
}

static hl_status layer_norm_there(const decorated *self, const void *arguments, hl_error *error) {
    return self->reference.layer_norm(self->stand_in, arguments, error);
}

static hl_status layer_norm(hl_backend *backend, const hl_layer_norm *operation, hl_error *error) {
    decorated *self = behind(backend);
    if (self->plugin.layer_norm) return self->plugin.layer_norm(self->inner, operation, error);
    hl_layer_norm there = *operation;
    operand operands[] = {{.place = &there.x},
                          {.place = &there.gain},
                          {.place = &there.shift},
                          {.place = &there.out, .written = true},
                          {.place = &there.statistics, .written = true}};
    return run_on_reference(self, operands, sizeof operands / sizeof *operands, layer_norm_there, &there,
                            error);
}

static hl_status attention_there(const decorated *self, const void *arguments, hl_error *error) {
    return self->reference.attention(self->stand_in, arguments, error);
}

static hl_status attention(hl_backend *backend, const hl_attention *operation, hl_error *error) {
    decorated *self = behind(backend);
    size_t keys = operation->batch ? operation->k.rows / operation->batch : 0;
    count(self, operation->q.rows, keys, operation->k.cols + operation->v.cols);
    if (self->plugin.attention) return self->plugin.attention(self->inner, operation, error);
    hl_attention there = *operation;
    operand operands[] = {{.place = &there.q},
                          {.place = &there.k},
                          {.place = &there.v},
                          {.place = &there.out, .written = true},
                          {.place = &there.probabilities, .written = true}};
    return run_on_reference(self, operands, sizeof operands / sizeof *operands, attention_there, &there,
                            error);
}

typedef struct copy_arguments {
    hl_matrix from, to;
} copy_arguments;

static hl_status copy_there(const decorated *self, const void *arguments, hl_error *error) {
    const copy_arguments *operation = arguments;
    return self->reference.copy(self->stand_in, operation->from, operation->to, error);
}

static hl_status copy(hl_backend *backend, hl_matrix from, hl_matrix to, hl_error *error) {
    decorated *self = behind(backend);
    if (self->plugin.copy) return self->plugin.copy(self->inner, from, to, error);
    copy_arguments there = {from, to};
    operand operands[] = {{.place = &there.from}, {.place = &there.to, .written = true}};
    return run_on_reference(self, operands, sizeof operands / sizeof *operands, copy_there, &there, error);
}

static hl_status product_f64(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                             size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                             size_t ldc, hl_error *error) {
    decorated *self = behind(backend);
    bool own = self->plugin.product_f64 != NULL;
    return (own ? &self->plugin : &self->reference)
        ->product_f64(own ? self->inner : self->stand_in, transpose_a, transpose_b, m, n, k, a, lda, b, ldb,
                      c, ldc, error);
}

static hl_status symmetric_eigen_f64(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                     hl_error *error) {
    decorated *self = behind(backend);
    bool own = self->plugin.symmetric_eigen_f64 != NULL;
    return (own ? &self->plugin : &self->reference)
        ->symmetric_eigen_f64(own ? self->inner : self->stand_in, n, a, eigenvalues, error);
}

static const hl_compute_api complete = {
    .size = sizeof(hl_compute_api),
    .describe = describe,
    .new_tensor = new_tensor,
    .free_tensor = free_tensor,
    .upload = upload,
    .download = download,
    .prepare = prepare,
    .free_weight = free_weight,
    .linear = linear,
    .patch_embedding = patch_embedding,
    .layer_norm = layer_norm,
    .attention = attention,
    .copy = copy,
    .product_f64 = product_f64,
    .symmetric_eigen_f64 = symmetric_eigen_f64,
    .kernel = kernel,
    .precision = precision,
};

typedef struct optional_operation {
    const char *name;
    size_t offset; /* of its pointer in the table */
} optional_operation;

static const optional_operation optional_operations[] = {
    {"layer_norm", offsetof(hl_compute_api, layer_norm)},
    {"attention", offsetof(hl_compute_api, attention)},
    {"copy", offsetof(hl_compute_api, copy)},
    {"product_f64", offsetof(hl_compute_api, product_f64)},
    {"symmetric_eigen_f64", offsetof(hl_compute_api, symmetric_eigen_f64)},
};

const char *compute_missing(const hl_plugin *plugin, size_t index) {
    hl_compute_api api;
    registry_table(plugin, &api, sizeof api);
    for (size_t i = 0; i < sizeof optional_operations / sizeof *optional_operations; ++i) {
        void (*function)(void);
        memcpy(&function, (const char *)&api + optional_operations[i].offset, sizeof function);
        if (!function && index-- == 0) return optional_operations[i].name;
    }
    return NULL;
}

static bool has_required(const hl_compute_api *api) {
    return api->score && api->open && api->close && api->describe && api->new_tensor && api->free_tensor &&
           api->upload && api->download && api->prepare && api->free_weight && api->linear &&
           api->patch_embedding;
}

static hl_status open_stand_in(decorated *self, const hl_plugin *plugin, const hl_plugin *reference,
                               hl_error *error) {
    const char *missing = compute_missing(plugin, 0);
    if (!missing) return HL_OK;
    if (!reference || reference == plugin) {
        return hl_fail(
            error, HL_USAGE,
            "compute/%s has no operation %s, and the plugin compute/reference that would stand in is not "
            "there; install it or choose another backend",
            plugin->name, missing);
    }
    registry_table(reference, &self->reference, sizeof self->reference);
    if (!has_required(&self->reference) || compute_missing(reference, 0)) {
        return hl_fail(error, HL_USAGE,
                       "compute/reference cannot stand in for compute/%s: it lacks operations", plugin->name);
    }
    return self->reference.open(self->host, NULL, &self->stand_in, error);
}

static void close_backends(decorated *self) {
    if (self->inner) self->plugin.close(self->inner);
    if (self->stand_in) self->reference.close(self->stand_in);
    self->host->release(self->host, self);
}

hl_status compute_open(const hl_host *host, const hl_plugin *plugin, const hl_plugin *reference,
                       const hl_value *const *values, hl_compute *out, hl_error *error) {
    *out = (hl_compute){NULL, NULL};
    decorated *self = host->allocate(host, 1, sizeof *self);
    if (!self) return hl_no_memory(error, "a compute backend");
    self->host = host;
    registry_table(plugin, &self->plugin, sizeof self->plugin);
    hl_status status = has_required(&self->plugin)
                           ? open_stand_in(self, plugin, reference, error)
                           : hl_fail(error, HL_USAGE,
                                     "compute/%s lacks a required function of hl_compute_api", plugin->name);
    if (status == HL_OK) status = self->plugin.open(host, values, &self->inner, error);
    if (status != HL_OK) {
        close_backends(self);
        return status;
    }
    *out = (hl_compute){&complete, (hl_backend *)(void *)self};
    return HL_OK;
}

void compute_close(hl_compute *compute) {
    if (compute->backend) close_backends(behind(compute->backend));
    *compute = (hl_compute){NULL, NULL};
}

double compute_flops(const hl_compute *compute) {
    return (double)atomic_load(&behind(compute->backend)->flops);
}
