/* What goes wrong in a backend: no memory, queued operations that fail late, operations or a library that are
 * not there. */
#include "tests/operation.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- no memory ---- */

/* A host that refuses one allocation and counts the memory that is out. */
typedef struct poor_host {
    hl_host interface;
    atomic_long left, out; /* allocations until the one that fails; allocations not yet released */
} poor_host;

static void *poor_allocate(const hl_host *interface, size_t count, size_t element) {
    poor_host *self = (poor_host *)(uintptr_t)interface;
    if (atomic_fetch_sub(&self->left, 1) == 0) return NULL;
    void *memory = the_host->interface.allocate(&the_host->interface, count, element);
    if (memory) atomic_fetch_add(&self->out, 1);
    return memory;
}

static void poor_release(const hl_host *interface, void *memory) {
    poor_host *self = (poor_host *)(uintptr_t)interface;
    if (memory) atomic_fetch_sub(&self->out, 1);
    the_host->interface.release(&the_host->interface, memory);
}

static unsigned poor_threads(const hl_host *interface) {
    (void)interface;
    return 2;
}

static void poor_parallel(const hl_host *interface, size_t count, void (*work)(void *argument, size_t index),
                          void *argument) {
    (void)interface;
    for (size_t i = 0; i < count; ++i) work(argument, i);
}

static hl_status everything(poor_host *poor, const opened_backend *as, const test_scene *scenes, size_t count,
                            hl_error *error) {
    hl_compute compute;
    hl_status status = open_compute(&poor->interface, as->plugin, as->options, &compute, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        float *memory[OPERANDS];
        status = attempt(&compute, &scenes[i], plain, memory, error);
        forget_operands(memory);
    }
    double a[] = {2, 1, 1, 2}, values[2];
    if (status == HL_OK) status = compute.api->symmetric_eigen_f64(compute.backend, 2, a, values, error);
    compute_close(&compute);
    return status;
}

/* Every allocation fails in turn: an error each time, and nothing is lost. */
static void test_no_memory(void **state) {
    (void)state;
    static const linear_case linear = {3, 4, 5, HL_GELU, true, IN_PLACE};
    static const patch_case patch = {1, 3, 4, 4, 2, 5, 1, true, true};
    static const norm_case norm = {3, 4, 0, false, true};
    static const attention_case attention = {1, 2, 3, 3, 4, 4, HL_MASK_NONE, 1, 1, {0}};
    static const gate_case gate = {3, 4, HL_SILU, true};
    static const rotary_case rotary = {2, 3, 1, 2, HL_PAIR_HALVES};
    static const convolution_case convolution = {1, 3, 3, 2, 4, 3, 1, 1, HL_RELU, true, IN_PLACE};
    static const pool_case pool = {2, 2, 2, 1, 3, 2, 2, 1};
    float *data = random_numbers(100, 3, 0);
    const test_scene scenes[] = {linear_scene(&linear, data, data),
                                 patch_scene(&patch, data, data),
                                 norm_scene(&norm),
                                 attention_scene(&attention),
                                 gate_scene(&gate),
                                 rotary_scene(&rotary),
                                 convolution_scene(&convolution, data, data),
                                 pool_scene(&pool)};
    for (size_t b = 0; b < backend_count; ++b) {
        hl_status status = HL_FAILED;
        for (long refused = 0; status != HL_OK; ++refused) {
            hl_error error = {""};
            poor_host poor = {.interface = {.size = sizeof(hl_host),
                                            .allocate = poor_allocate,
                                            .release = poor_release,
                                            .threads = poor_threads,
                                            .parallel = poor_parallel},
                              .left = refused};
            status = everything(&poor, &backends[b], scenes, COUNT(scenes), &error);
            assert_int_equal(atomic_load(&poor.out), 0);
            assert_true((status == HL_OK) == (atomic_load(&poor.left) >= 0));
            if (status != HL_OK) assert_non_null(strstr(error.message, "out of memory"));
        }
    }
    free(data);
}

/* ---- late, or missing ---- */

/* An operation that was only queued fails: the next download says so, and the one after works again. */
static void test_late_failure(void **state) {
    (void)state;
    const hl_value value = {.given = true, .integer = 2}, *values[] = {&value};
    const hl_plugin *plugin = registry_find(plugins, HL_COMPUTE, "opaque");
    hl_compute compute;
    hl_tensor *tensor;
    hl_error error;
    float number = 5, back = 0;
    assert_ok(compute_open(&the_host->interface, plugin, registry_find(plugins, HL_COMPUTE, "reference"),
                           values, &compute, &error),
              error);
    const hl_compute_api *api = compute.api;
    assert_ok(api->new_tensor(compute.backend, 1, &tensor, &error), error);
    const hl_matrix m = {tensor, 0, 1, 1, 1};
    assert_ok(api->upload(compute.backend, &number, m, &error), error);
    number = 6;
    assert_ok(api->upload(compute.backend, &number, m, &error), error);
    assert_int_equal(api->download(compute.backend, m, &back, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "operation 2"));
    assert_ok(api->download(compute.backend, m, &back, &error), error);
    assert_true(same_bits(back, 5));
    api->free_tensor(compute.backend, tensor);
    compute_close(&compute);
}

static void test_missing_operations_are_named(void **state) {
    (void)state;
    const hl_plugin *opaque = registry_find(plugins, HL_COMPUTE, "opaque");
    static const char *const optional[] = {"layer_norm",   "attention",   "copy",
                                           "gate",         "rotary",      "convolution",
                                           "average_pool", "product_f64", "symmetric_eigen_f64"};
    for (size_t i = 0; i < COUNT(optional); ++i) assert_string_equal(compute_missing(opaque, i), optional[i]);
    assert_null(compute_missing(opaque, COUNT(optional)));
    assert_null(compute_missing(registry_find(plugins, HL_COMPUTE, "reference"), 0));
    hl_compute compute;
    hl_error error;
    assert_int_equal(compute_open(&the_host->interface, opaque, NULL, NULL, &compute, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "layer_norm"));
}

/* Without the library: no score, and an error that says what to do. */
static void test_openblas_is_not_there(void **state) {
    (void)state;
    const hl_plugin *plugin = registry_find(plugins, HL_COMPUTE, "openblas");
    assert_non_null(plugin);
    const char *set = getenv("HEADLIGHT_OPENBLAS");
    char *before = set ? text("%s", set) : NULL;
    hl_compute compute;
    hl_error error;
    hl_compute_api api;
    registry_table(plugin, &api, sizeof api);
    assert_int_equal(setenv("HEADLIGHT_OPENBLAS", "/no/such/libopenblas.so", 1), 0);
    int score = api.score(&the_host->interface);
    hl_status status = compute_open(&the_host->interface, plugin, NULL, NULL, &compute, &error);
    unsetenv("HEADLIGHT_OPENBLAS");
    if (before) setenv("HEADLIGHT_OPENBLAS", before, 1);
    free(before);
    assert_int_equal(score, 0);
    assert_int_equal(status, HL_FAILED);
    assert_non_null(strstr(error.message, "/no/such/libopenblas.so"));
    assert_non_null(strstr(error.message, "HEADLIGHT_OPENBLAS"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_late_failure),
        cmocka_unit_test(test_missing_operations_are_named),
        cmocka_unit_test(test_openblas_is_not_there),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
