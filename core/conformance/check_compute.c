/* Checks of compute plugins: every operation against `reference`, over the table of shapes. */
#include "core/conformance/cases.h"
#include "core/conformance/subject.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The plugin's backend and the one to hold it against. */
typedef struct pair {
    opened_subject opened;
    hl_compute candidate, reference;
} pair;

static hl_status open_pair(const subject *self, unsigned threads, pair *out, hl_error *error) {
    *out = (pair){.candidate = {NULL, NULL}};
    hl_status status = subject_open_values(self, threads, &out->opened, error);
    if (status != HL_OK) return status;
    const hl_host *interface = &out->opened.host->interface;
    const hl_plugin *plugin = out->opened.plugin, *reference = out->opened.reference;
    hl_compute_api api;
    registry_table(plugin, &api, sizeof api);
    if (api.score(interface) == 0)
        return hl_fail(error, HL_UNAVAILABLE, "it says that it cannot run on this machine");
    if (!reference) return hl_fail(error, HL_UNAVAILABLE, "compute/reference is not there to compare with");
    status = compute_open(interface, reference, NULL, NULL, &out->reference, error);
    if (status != HL_OK) return status;
    return compute_open(interface, plugin, reference, options_values(out->opened.values), &out->candidate,
                        error);
}

static void close_pair(pair *opened) {
    compute_close(&opened->candidate);
    compute_close(&opened->reference);
    subject_close(&opened->opened);
}

static hl_status check_opens(const void *user, hl_error *error) {
    pair opened;
    hl_status status = open_pair(user, 3, &opened, error);
    if (status != HL_OK) return status;
    const hl_compute *with = &opened.candidate;
    double tolerance = with->api->tolerance(with->backend);
    if (!*with->api->describe(with->backend)) status = hl_fail(error, HL_FAILED, "its description is empty");
    if (!(tolerance >= 0 && tolerance < 1)) {
        status = hl_fail(error, HL_FAILED, "it declares a tolerance of %g; expected 0 to 1", tolerance);
    }
    close_pair(&opened);
    return status;
}

/* ---- operations ---- */

static hl_status check_case(void *user, const char *what, const test_scene *scene, hl_error *error) {
    const pair *opened = user;
    child_note("in %s", what);
    return scene_check(what, &opened->candidate, &opened->reference, scene, error);
}

/* Where a plugin lacks it the host has reference do it. */
static hl_status check_has(const pair *opened, const char *operation, hl_error *error) {
    const char *missing;
    for (size_t i = 0; (missing = compute_missing(opened->opened.plugin, i)); ++i) {
        if (strcmp(missing, operation) == 0)
            return hl_fail(error, HL_UNAVAILABLE, "the plugin leaves it to compute/reference");
    }
    return HL_OK;
}

static hl_status check_operation(const subject *self, operation_number number, hl_error *error) {
    pair opened;
    hl_status status = open_pair(self, 3, &opened, error);
    if (status == HL_OK) status = check_has(&opened, operation_rules[number].name, error);
    if (status == HL_OK) status = cases_visit(number, check_case, &opened, error);
    close_pair(&opened);
    return status;
}

#define OPERATION(NAME, NUMBER)                                                                              \
    static hl_status NAME(const void *user, hl_error *error) {                                               \
        return check_operation(user, NUMBER, error);                                                         \
    }
OPERATION(check_linear, OPERATION_LINEAR)
OPERATION(check_patch_embedding, OPERATION_PATCH_EMBEDDING)
OPERATION(check_layer_norm, OPERATION_LAYER_NORM)
OPERATION(check_attention, OPERATION_ATTENTION)
OPERATION(check_copy, OPERATION_COPY)
OPERATION(check_gate, OPERATION_GATE)
OPERATION(check_rotary, OPERATION_ROTARY)
OPERATION(check_convolution, OPERATION_CONVOLUTION)
OPERATION(check_average_pool, OPERATION_AVERAGE_POOL)

/* ---- tensors ---- */

static hl_status use_tensor(const hl_compute *with, hl_error *error) {
    static const float expected[] = {0, 0, 1, 2, 0, 0, 3, 4, 0, 0};
    float part[] = {1, 2, 3, 4}, whole[10];
    hl_tensor *tensor;
    hl_status status = with->api->new_tensor(with->backend, 10, &tensor, error);
    if (status != HL_OK) return status;
    status = with->api->upload(with->backend, part, (hl_matrix){tensor, 2, 2, 2, 4}, error);
    memset(part, 0, sizeof part);
    if (status == HL_OK) {
        status = with->api->download(with->backend, (hl_matrix){tensor, 0, 1, 10, 10}, whole, error);
    }
    with->api->free_tensor(with->backend, tensor);
    with->api->free_tensor(with->backend, NULL);
    with->api->free_weight(with->backend, NULL);
    for (size_t i = 0; status == HL_OK && i < 10; ++i) {
        if (same_bits(whole[i], expected[i])) continue;
        status =
            hl_fail(error, HL_FAILED,
                    "a new tensor of 10, with 1 2 / 3 4 uploaded at offset 2 and stride 4, has %g at %zu "
                    "and not %g",
                    (double)whole[i], i, (double)expected[i]);
    }
    return status;
}

static hl_status check_tensors(const void *user, hl_error *error) {
    pair opened;
    hl_status status = open_pair(user, 1, &opened, error);
    if (status == HL_OK) status = use_tensor(&opened.candidate, error);
    close_pair(&opened);
    return status;
}

/* ---- double precision ---- */

enum { SIDE = 23, INNER = 37 };

static void fill(double *numbers, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; ++i) numbers[i] = (double)random_number(&seed);
}

static hl_status product_of(const hl_compute *with, const double *a, const double *b, double *c,
                            hl_error *error) {
    return with->api->product_f64(with->backend, true, false, SIDE, SIDE, INNER, a, SIDE + 2, b, SIDE + 1, c,
                                  SIDE + 3, error);
}

static hl_status check_product(const void *user, hl_error *error) {
    static double a[INNER * (SIDE + 2)], b[INNER * (SIDE + 1)], c[2][SIDE * (SIDE + 3)];
    pair opened;
    hl_status status = open_pair(user, 2, &opened, error);
    if (status == HL_OK) status = check_has(&opened, "product_f64", error);
    if (status != HL_OK) return status;
    fill(a, sizeof a / sizeof *a, 1);
    fill(b, sizeof b / sizeof *b, 2);
    status = product_of(&opened.reference, a, b, c[0], error);
    if (status == HL_OK) status = product_of(&opened.candidate, a, b, c[1], error);
    for (size_t i = 0; status == HL_OK && i < SIDE * (SIDE + 3); ++i) {
        if (fabs(c[0][i] - c[1][i]) <= 1e-12) continue;
        status = hl_fail(error, HL_FAILED,
                         "product_f64 %d x %d x %d, a transposed: row %zu, column %zu is %g, not %g", SIDE,
                         INNER, SIDE, i / (SIDE + 3), i % (SIDE + 3), c[1][i], c[0][i]);
    }
    close_pair(&opened);
    return status;
}

static hl_status check_eigen(const void *user, hl_error *error) {
    static double a[2][SIDE * SIDE], values[2][SIDE];
    pair opened;
    hl_status status = open_pair(user, 2, &opened, error);
    if (status == HL_OK) status = check_has(&opened, "symmetric_eigen_f64", error);
    if (status != HL_OK) return status;
    fill(a[0], SIDE * SIDE, 3);
    for (size_t i = 0; i < SIDE; ++i) {
        for (size_t j = 0; j < i; ++j) a[0][j * SIDE + i] = a[0][i * SIDE + j];
    }
    memcpy(a[1], a[0], sizeof a[0]);
    const hl_compute *with[] = {&opened.reference, &opened.candidate};
    for (size_t i = 0; i < 2 && status == HL_OK; ++i) {
        status = with[i]->api->symmetric_eigen_f64(with[i]->backend, SIDE, a[i], values[i], error);
    }
    for (size_t i = 0; status == HL_OK && i < SIDE * SIDE; ++i) {
        if (fabs(a[0][i] - a[1][i]) <= 1e-9 && fabs(values[0][i / SIDE] - values[1][i / SIDE]) <= 1e-10)
            continue;
        status =
            hl_fail(error, HL_FAILED,
                    "symmetric_eigen_f64 %d x %d: eigenvector %zu or its value is another one (a vector's "
                    "largest component is positive)",
                    SIDE, SIDE, i / SIDE);
    }
    close_pair(&opened);
    return status;
}

/* ---- threads, and a whole model ---- */

typedef struct thread_job {
    const pair *opened;
    hl_status status;
    hl_error error;
} thread_job;

static void *run_cases(void *argument) {
    thread_job *job = argument;
    job->status = HL_OK;
    for (int i = 0; i < 3 && job->status == HL_OK; ++i) {
        job->status =
            cases_visit(OPERATION_LAYER_NORM, check_case, (void *)(uintptr_t)job->opened, &job->error);
    }
    if (job->status == HL_OK) {
        job->status = cases_visit(OPERATION_LINEAR, check_case, (void *)(uintptr_t)job->opened, &job->error);
    }
    return NULL;
}

static hl_status check_threads(const void *user, hl_error *error) {
    enum { THREADS = 4 };
    pair opened;
    pthread_t threads[THREADS];
    thread_job jobs[THREADS];
    size_t count = 0;
    hl_status status = open_pair(user, 2, &opened, error);
    if (status != HL_OK) return status;
    for (; count < THREADS; ++count) {
        jobs[count] = (thread_job){.opened = &opened};
        if (pthread_create(&threads[count], NULL, run_cases, &jobs[count]) != 0) break;
    }
    for (size_t i = 0; i < count; ++i) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        if (jobs[i].status == HL_OK) continue;
        status = hl_fail(error, HL_FAILED, "several threads at once: %s", jobs[i].error.message);
    }
    close_pair(&opened);
    return status;
}

enum { MOST_PIXELS = 3 * 512 * 512, MOST_NUMBERS = 8192 };

static hl_status embed(const subject *self, const opened_subject *opened, const hl_plugin *backend,
                       const float *pixels, float *out, hl_error *error) {
    engine_settings settings = {.source = {.size = sizeof(hl_model_source), .path = self->model},
                                .compute_plugin = backend,
                                .batch = 2};
    if (backend == opened->plugin) settings.compute_values = options_values(opened->values);
    engine *model;
    hl_trace *trace;
    hl_status status = engine_open(opened->host, opened->library->plugins, &settings, &model, error);
    if (status != HL_OK) return status;
    if (engine_pixels(model) > MOST_PIXELS || model->info->embed_dim > MOST_NUMBERS) {
        status = hl_fail(error, HL_UNAVAILABLE, "the model is too large for this check");
    }
    if (status == HL_OK) status = engine_load(model, error);
    if (status == HL_OK)
        status = engine_encode_images(model, pixels, 1, HL_DETAIL_CODES, NULL, &trace, error);
    if (status == HL_OK) {
        model->api.embedding(trace, out);
        model->api.release(trace);
    }
    engine_close(model);
    return status;
}

static hl_status check_model(const void *user, hl_error *error) {
    static float expected[MOST_NUMBERS], got[MOST_NUMBERS];
    const subject *self = user;
    if (!self->model) return hl_fail(error, HL_UNAVAILABLE, "the embedded model is not installed");
    pair opened;
    hl_status status = open_pair(self, 2, &opened, error);
    float *pixels = random_numbers(MOST_PIXELS, 9, 0);
    if (status != HL_OK || !pixels) return status == HL_OK ? hl_no_memory(error, "pixels") : status;
    status = embed(self, &opened.opened, opened.opened.reference, pixels, expected, error);
    if (status == HL_OK) status = embed(self, &opened.opened, opened.opened.plugin, pixels, got, error);
    double worst = 0, largest = 0, allowed = opened.candidate.api->tolerance(opened.candidate.backend);
    for (size_t i = 0; status == HL_OK && i < MOST_NUMBERS; ++i) {
        worst = fmax(worst, fabs((double)got[i] - (double)expected[i]));
        largest = fmax(largest, fabs((double)expected[i]));
    }
    free(pixels);
    close_pair(&opened);
    if (status != HL_OK || worst <= allowed * largest) return status;
    return hl_fail(error, HL_FAILED, "an image's embedding is off by %g of %g; it promises %g of that", worst,
                   largest, allowed);
}

/* ---- memory ---- */

static hl_status use_once(void *user, long number, hl_error *error) {
    opened_subject *opened = user;
    static const linear_case row = {5, 7, 9, HL_GELU, true, APART};
    static const float data[7 * 9], bias[9];
    const test_scene scene = linear_scene(&row, data, bias);
    float *memory[OPERANDS] = {NULL};
    hl_compute with;
    hl_error said = {""};
    hl_status status = compute_open(&opened->host->interface, opened->plugin, opened->reference,
                                    options_values(opened->values), &with, &said);
    if (status == HL_OK) {
        status = attempt(&with, &scene, plain, memory, &said);
        forget_operands(memory);
        compute_close(&with);
    }
    if (number) return subject_judge_failure(status, &said, error);
    return status == HL_OK ? HL_OK : hl_fail(error, status, "%s", said.message);
}

static hl_status check_leaks(const void *user, hl_error *error) {
    opened_subject opened;
    hl_status status = subject_open_values(user, 1, &opened, error);
    if (status == HL_OK) status = subject_check_leaks(use_once, &opened, error);
    subject_close(&opened);
    return status;
}

static hl_status check_failures(const void *user, hl_error *error) {
    opened_subject opened;
    hl_status status = subject_open_values(user, 1, &opened, error);
    if (status == HL_OK) status = subject_check_failures(opened.plugin, use_once, &opened, error);
    subject_close(&opened);
    return status;
}

const named_check compute_checks[] = {
    {"opens", check_opens},
    {"tensors", check_tensors},
    {"linear", check_linear},
    {"patch_embedding", check_patch_embedding},
    {"layer_norm", check_layer_norm},
    {"attention", check_attention},
    {"copy", check_copy},
    {"gate", check_gate},
    {"rotary", check_rotary},
    {"convolution", check_convolution},
    {"average_pool", check_average_pool},
    {"product_f64", check_product},
    {"symmetric_eigen_f64", check_eigen},
    {"several threads", check_threads},
    {"a whole model", check_model},
    {"leaks nothing", check_leaks},
    {"copes without memory", check_failures},
    {NULL, NULL},
};
