/* The decorator around a compute plugin. See compute.h. */
#include "core/host/compute.h"

#include "core/host/operations.h"
#include "core/registry/guard.h"
#include "core/registry/registry.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What an hl_backend is on the model's side of the decorator. */
typedef struct decorated {
    const hl_host *host;
    hl_compute_api plugin, reference; /* reference.size == 0: nothing is missing */
    const hl_plugin *name;            /* of the plugin */
    hl_backend *inner, *stand_in;
    atomic_ullong flops;
    atomic_ullong nanoseconds[OPERATION_COUNT];
} decorated;

static decorated *behind(hl_backend *backend) {
    return (decorated *)(void *)backend;
}

/* What an hl_weight is on the model's side. It lies where the operation runs that it is for. */
typedef struct decorated_weight {
    hl_weight *inner;
    const operation_rule *only; /* the operation that it is for; NULL: any that has no weights of its own */
    bool on_stand_in;
} decorated_weight;

/* An operand of an operation that is to run on the stand-in. */
typedef struct moved_operand {
    const operand_rule *rule;
    hl_matrix *place; /* in the operation: from now on a matrix of the stand-in's */
    hl_matrix here;   /* in the plugin's memory */
} moved_operand;

static hl_status move_there(decorated *self, moved_operand *moved, float *buffer, hl_error *error) {
    hl_matrix here = moved->here, there = {NULL, 0, here.rows, here.cols, here.cols};
    moved->place->tensor = NULL;
    if (!here.tensor) return HL_OK;
    hl_status status =
        self->reference.new_tensor(self->stand_in, here.rows * here.cols, &there.tensor, error);
    if (status != HL_OK) return status;
    *moved->place = there;
    if (moved->rule->written && !moved->rule->updated) return HL_OK;
    status = self->plugin.download(self->inner, here, buffer, error);
    return status == HL_OK ? self->reference.upload(self->stand_in, buffer, there, error) : status;
}

static hl_status move_back(decorated *self, const moved_operand *moved, float *buffer, hl_error *error) {
    if (!moved->here.tensor || !moved->rule->written) return HL_OK;
    hl_status status = self->reference.download(self->stand_in, *moved->place, buffer, error);
    return status == HL_OK ? self->plugin.upload(self->inner, buffer, moved->here, error) : status;
}

/* `operation` is a copy that may be changed. */
static hl_status run_on_reference(decorated *self, const operation_rule *rule, any_operation *operation,
                                  hl_error *error) {
    moved_operand moved[OPERANDS];
    size_t count = 0, largest = 0, gone = 0;
    for (; count < OPERANDS && rule->operands[count].name; ++count) {
        hl_matrix *place = operation_operand(operation, &rule->operands[count]);
        moved[count] = (moved_operand){&rule->operands[count], place, *place};
        if (place->tensor && place->rows * place->cols > largest) largest = place->rows * place->cols;
    }
    float *buffer = self->host->allocate(self->host, largest, sizeof *buffer);
    if (!buffer) return hl_no_memory(error, "an operation on the reference backend");
    hl_status status = HL_OK;
    while (status == HL_OK && gone < count) status = move_there(self, &moved[gone++], buffer, error);
    if (status == HL_OK) status = rule->call(&self->reference, self->stand_in, operation, error);
    for (size_t i = 0; i < gone; ++i) {
        if (status == HL_OK) status = move_back(self, &moved[i], buffer, error);
    }
    for (size_t i = 0; i < gone; ++i) self->reference.free_tensor(self->stand_in, moved[i].place->tensor);
    self->host->release(self->host, buffer);
    return status;
}

/* In `operation`: the weight that the model named becomes the one that the plugin, or the stand-in, made. */
static hl_status unwrap_weight(const operation_rule *rule, any_operation *operation, hl_error *error) {
    decorated_weight *weight;
    char *place = (char *)operation + rule->weight;
    memcpy(&weight, place, sizeof weight);
    if (!weight || weight->only != (rule->weight_role ? rule : NULL)) {
        return hl_fail(error, HL_USAGE, "%s got no weight, or one whose role is another operation's",
                       rule->name);
    }
    memcpy(place, &weight->inner, sizeof weight->inner);
    return HL_OK;
}

/* Not every plugin looks. */
static hl_status check_activation(const operation_rule *rule, const any_operation *operation,
                                  hl_error *error) {
    hl_activation activation;
    memcpy(&activation, (const char *)operation + rule->activation, sizeof activation);
    if ((int)activation >= HL_IDENTITY && activation <= HL_RELU) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: activation %d is not known", rule->name, (int)activation);
}

static unsigned long long nanoseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec;
}

static hl_status run_operation(hl_backend *backend, operation_number number, const void *given,
                               hl_error *error) {
    decorated *self = behind(backend);
    const operation_rule *rule = &operation_rules[number];
    any_operation operation = operation_complete(rule, given);
    hl_status status = rule->weight ? unwrap_weight(rule, &operation, error) : HL_OK;
    if (status == HL_OK && rule->activation) status = check_activation(rule, &operation, error);
    if (status != HL_OK) return status;
    if (rule->products) atomic_fetch_add(&self->flops, 2ull * rule->products(&operation));
    unsigned long long start = nanoseconds_now();
    status = operation_is_there(rule, &self->plugin)
                 ? GUARD(self->name, error, rule->call(&self->plugin, self->inner, &operation, error))
                 : run_on_reference(self, rule, &operation, error);
    atomic_fetch_add(&self->nanoseconds[number], nanoseconds_now() - start);
    return status;
}

/* A text of the plugin's, which may lack the function, and the function the text. */
static const char *text_of(const hl_backend *backend, const char *(*text)(const hl_backend *backend)) {
    const decorated *self = (const decorated *)(const void *)backend;
    const char *said = NULL;
    if (text) GUARD_VOID(self->name, said = text(self->inner));
    return said ? said : "unknown";
}

static const char *describe(const hl_backend *backend) {
    return text_of(backend, ((const decorated *)(const void *)backend)->plugin.describe);
}

static const char *kernel(const hl_backend *backend) {
    return text_of(backend, ((const decorated *)(const void *)backend)->plugin.kernel);
}

static const char *precision(const hl_backend *backend) {
    return text_of(backend, ((const decorated *)(const void *)backend)->plugin.precision);
}

/* What sums of f32 in any order keep. */
static const double usual_tolerance = 1e-4;

static double tolerance(const hl_backend *backend) {
    const decorated *self = (const decorated *)(const void *)backend;
    return self->plugin.tolerance ? self->plugin.tolerance(self->inner) : usual_tolerance;
}

static hl_status new_tensor(hl_backend *backend, size_t elements, hl_tensor **tensor, hl_error *error) {
    decorated *self = behind(backend);
    return GUARD(self->name, error, self->plugin.new_tensor(self->inner, elements, tensor, error));
}

static void free_tensor(hl_backend *backend, hl_tensor *tensor) {
    decorated *self = behind(backend);
    GUARD_VOID(self->name, self->plugin.free_tensor(self->inner, tensor));
}

static hl_status upload(hl_backend *backend, const float *data, hl_matrix to, hl_error *error) {
    decorated *self = behind(backend);
    return GUARD(self->name, error, self->plugin.upload(self->inner, data, to, error));
}

static hl_status download(hl_backend *backend, hl_matrix from, float *data, hl_error *error) {
    decorated *self = behind(backend);
    return GUARD(self->name, error, self->plugin.download(self->inner, from, data, error));
}

/* The rows of a matrix that are read for a backend that takes only all of them. */
typedef struct row_copy {
    const hl_rows *from;
    const hl_weight_source *source;
    float *to;
} row_copy;

enum { ROWS_READ = 64 };

static hl_status read_some_rows(void *argument, size_t index, hl_error *error) {
    const row_copy *job = argument;
    size_t first = index * ROWS_READ, left = job->source->out - first;
    return job->from->read(job->from, first, left < ROWS_READ ? left : ROWS_READ,
                           job->to + first * job->source->in, error);
}

static hl_status read_rows(decorated *self, const hl_weight_source *source, const hl_rows *rows, float **out,
                           hl_error *error) {
    size_t bytes;
    bool fits = !__builtin_mul_overflow(source->out, source->in, &bytes) &&
                !__builtin_mul_overflow(bytes, sizeof **out, &bytes);
    *out = fits ? malloc(bytes) : NULL;
    if (!*out) return hl_no_memory(error, "a weight");
    row_copy job = {rows, source, *out};
    return hl_parallel(self->host, (source->out + ROWS_READ - 1) / ROWS_READ, read_some_rows, &job, error);
}

static hl_status prepare_whole(decorated *self, const hl_weight_source *source, decorated_weight *weight,
                               hl_error *error) {
    if (weight->on_stand_in) return self->reference.prepare(self->stand_in, source, &weight->inner, error);
    return GUARD(self->name, error, self->plugin.prepare(self->inner, source, &weight->inner, error));
}

/* `rows` NULL: source->data has them. */
static hl_status prepare_inner(decorated *self, const hl_weight_source *source, const hl_rows *rows,
                               decorated_weight *weight, hl_error *error) {
    if (!rows) return prepare_whole(self, source, weight, error);
    if (self->plugin.prepare_rows && !weight->on_stand_in) {
        return GUARD(self->name, error,
                     self->plugin.prepare_rows(self->inner, source, rows, &weight->inner, error));
    }
    float *numbers = NULL;
    hl_weight_source whole = *source;
    hl_status status = read_rows(self, source, rows, &numbers, error);
    whole.data = numbers;
    if (status == HL_OK) status = prepare_whole(self, &whole, weight, error);
    free(numbers);
    return status;
}

static hl_status prepare_rows(hl_backend *backend, const hl_weight_source *source, const hl_rows *rows,
                              hl_weight **out, hl_error *error) {
    decorated *self = behind(backend);
    *out = NULL;
    decorated_weight *weight = self->host->allocate(self->host, 1, sizeof *weight);
    if (!weight) return hl_no_memory(error, "a weight");
    weight->only = operation_of_role(source->role);
    weight->on_stand_in = weight->only && !operation_is_there(weight->only, &self->plugin);
    hl_status status = prepare_inner(self, source, rows, weight, error);
    if (status == HL_OK) {
        *out = (hl_weight *)(void *)weight;
    } else {
        self->host->release(self->host, weight);
    }
    return status;
}

static hl_status prepare(hl_backend *backend, const hl_weight_source *source, hl_weight **out,
                         hl_error *error) {
    return prepare_rows(backend, source, NULL, out, error);
}

static void free_weight(hl_backend *backend, hl_weight *given) {
    decorated *self = behind(backend);
    decorated_weight *weight = (decorated_weight *)(void *)given;
    if (weight && weight->on_stand_in) {
        self->reference.free_weight(self->stand_in, weight->inner);
    } else {
        GUARD_VOID(self->name, self->plugin.free_weight(self->inner, weight ? weight->inner : NULL));
    }
    self->host->release(self->host, weight);
}

#define OPERATION(NAME, NUMBER, STRUCT)                                                                      \
    static hl_status NAME(hl_backend *backend, const STRUCT *operation, hl_error *error) {                   \
        return run_operation(backend, NUMBER, operation, error);                                             \
    }
OPERATION(linear, OPERATION_LINEAR, hl_linear)
OPERATION(patch_embedding, OPERATION_PATCH_EMBEDDING, hl_patch_embedding)
OPERATION(layer_norm, OPERATION_LAYER_NORM, hl_layer_norm)
OPERATION(attention, OPERATION_ATTENTION, hl_attention)
OPERATION(copy, OPERATION_COPY, hl_copy)
OPERATION(gate, OPERATION_GATE, hl_gate)
OPERATION(rotary, OPERATION_ROTARY, hl_rotary)
OPERATION(convolution, OPERATION_CONVOLUTION, hl_convolution)
OPERATION(average_pool, OPERATION_AVERAGE_POOL, hl_average_pool)

static hl_status product_f64(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                             size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                             size_t ldc, hl_error *error) {
    decorated *self = behind(backend);
    bool own = self->plugin.product_f64 != NULL;
    return GUARD(own ? self->name : NULL, error,
                 (own ? &self->plugin : &self->reference)
                     ->product_f64(own ? self->inner : self->stand_in, transpose_a, transpose_b, m, n, k, a,
                                   lda, b, ldb, c, ldc, error));
}

static hl_status symmetric_eigen_f64(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                     hl_error *error) {
    decorated *self = behind(backend);
    bool own = self->plugin.symmetric_eigen_f64 != NULL;
    return GUARD(own ? self->name : NULL, error,
                 (own ? &self->plugin : &self->reference)
                     ->symmetric_eigen_f64(own ? self->inner : self->stand_in, n, a, eigenvalues, error));
}

static const hl_compute_api complete = {
    .size = sizeof(hl_compute_api),
    .describe = describe,
    .new_tensor = new_tensor,
    .free_tensor = free_tensor,
    .upload = upload,
    .download = download,
    .prepare = prepare,
    .prepare_rows = prepare_rows,
    .free_weight = free_weight,
    .linear = linear,
    .patch_embedding = patch_embedding,
    .layer_norm = layer_norm,
    .attention = attention,
    .copy = copy,
    .gate = gate,
    .rotary = rotary,
    .convolution = convolution,
    .average_pool = average_pool,
    .product_f64 = product_f64,
    .symmetric_eigen_f64 = symmetric_eigen_f64,
    .kernel = kernel,
    .precision = precision,
    .tolerance = tolerance,
};

static const char *missing(const hl_compute_api *api, size_t index) {
    for (size_t i = 0; i < OPERATION_COUNT; ++i) {
        const operation_rule *rule = &operation_rules[i];
        if (!rule->required && !operation_is_there(rule, api) && index-- == 0) return rule->name;
    }
    if (!api->product_f64 && index-- == 0) return "product_f64";
    if (!api->symmetric_eigen_f64 && index-- == 0) return "symmetric_eigen_f64";
    return NULL;
}

const char *compute_missing(const hl_plugin *plugin, size_t index) {
    hl_compute_api api;
    registry_table(plugin, &api, sizeof api);
    return missing(&api, index);
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
    if (compute_missing(reference, 0)) {
        return hl_fail(error, HL_USAGE,
                       "compute/reference cannot stand in for compute/%s: it lacks operations", plugin->name);
    }
    return self->reference.open(self->host, NULL, &self->stand_in, error);
}

static void close_backends(decorated *self) {
    if (self->inner) GUARD_VOID(self->name, self->plugin.close(self->inner));
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
    self->name = plugin;
    hl_status status = open_stand_in(self, plugin, reference, error);
    if (status == HL_OK) {
        status = GUARD(plugin, error, self->plugin.open(host, values, &self->inner, error));
    }
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

double compute_seconds(const hl_compute *compute, size_t index, const char **name) {
    *name = index < OPERATION_COUNT ? operation_rules[index].name : NULL;
    return *name ? 1e-9 * (double)atomic_load(&behind(compute->backend)->nanoseconds[index]) : 0;
}
