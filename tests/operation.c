#include "tests/operation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest value expected. Whole models are allowed 1e-4, after dozens of operations. */
static const double TOLERANCE = 5e-6;

hl_compute reference;

static char *fixture_folder;

int set_up_backends(void **state) {
    (void)state;
    hl_error error;
    fixture_folder = make_folder();
    char *fixture = text("%s/opaque.so", fixture_folder);
    copy_file(TEST_FIXTURES "/opaque.fixture", fixture);
    free(fixture);
    open_plugins(3, fixture_folder);
    assert_non_null(registry_find(plugins, HL_COMPUTE, "opaque"));
    open_backends();
    const hl_plugin *plugin = registry_find(plugins, HL_COMPUTE, "reference");
    assert_ok(compute_open(&the_host->interface, plugin, NULL, NULL, &reference, &error), error);
    return 0;
}

int tear_down_backends(void **state) {
    (void)state;
    compute_close(&reference);
    close_plugins();
    remove_folder(fixture_folder);
    return 0;
}

const placement plain = {0, 0, 0};

static const placement layouts[] = {{0, 0, 0}, {5, 3, 7}, {16, 48, 0}};

/* Around a matrix lies NaN where it is read, so that reading there shows, and this where it is written, so
 * that writing there shows. */
static const float border = 1234.5f;

size_t element_count(const scene_operand *operand, placement layout) {
    return layout.before + operand->rows * (operand->cols + layout.gap) + layout.after;
}

float random_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

float *random_numbers(size_t count, uint32_t seed, float centre) {
    float *out = malloc((count + 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i) out[i] = centre + random_number(&seed);
    return out;
}

float *initial(const test_scene *scene, size_t index, placement layout) {
    const scene_operand *operand = &scene->operands[index];
    size_t count = element_count(operand, layout), stride = operand->cols + layout.gap;
    float *out = malloc((count + 1) * sizeof *out);
    float *values = random_numbers(operand->rows * operand->cols, (uint32_t)index + 1, operand->centre);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i) out[i] = operand->access == READ ? NAN : border;
    for (size_t r = 0; r < operand->rows; ++r)
        for (size_t c = 0; c < operand->cols; ++c) {
            size_t from = r * operand->cols + c;
            float value = operand->given ? operand->given[from] : values[from];
            out[layout.before + r * stride + c] = operand->access == WRITE ? NAN : value;
        }
    free(values);
    return out;
}

static hl_status make_operand(const hl_compute *compute, const test_scene *scene, size_t index,
                              placement layout, hl_matrix *m, hl_error *error) {
    const scene_operand *operand = &scene->operands[index];
    size_t count = element_count(operand, layout);
    *m = (hl_matrix){NULL, layout.before, operand->rows, operand->cols, operand->cols + layout.gap};
    hl_status status = compute->api->new_tensor(compute->backend, count, &m->tensor, error);
    if (status != HL_OK) return status;
    float *values = initial(scene, index, layout);
    status =
        compute->api->upload(compute->backend, values, (hl_matrix){m->tensor, 0, 1, count, count}, error);
    free(values);
    return status;
}

hl_status attempt(const hl_compute *compute, const test_scene *scene, placement wanted,
                  float *memory[OPERANDS], hl_error *error) {
    const hl_compute_api *api = compute->api;
    hl_matrix m[OPERANDS] = {0};
    hl_weight *weight = NULL;
    hl_status status = HL_OK;
    for (size_t i = 0; i < OPERANDS && status == HL_OK; ++i) {
        if (!scene->operands[i].access) continue;
        status = make_operand(compute, scene, i, wanted, &m[i], error);
    }
    if (status == HL_OK && scene->weight.out) {
        status = api->prepare(compute->backend, &scene->weight, &weight, error);
    }
    if (status == HL_OK) status = scene->run(compute, scene, m, weight, error);
    for (size_t i = 0; i < OPERANDS; ++i) {
        memory[i] = NULL;
        if (!m[i].tensor || status != HL_OK) continue;
        size_t count = element_count(&scene->operands[i], wanted);
        memory[i] = malloc((count + 1) * sizeof(float));
        assert_non_null(memory[i]);
        status =
            api->download(compute->backend, (hl_matrix){m[i].tensor, 0, 1, count, count}, memory[i], error);
    }
    for (size_t i = 0; i < OPERANDS; ++i) api->free_tensor(compute->backend, m[i].tensor);
    api->free_weight(compute->backend, weight);
    return status;
}

void forget_operands(float *memory[OPERANDS]) {
    for (size_t i = 0; i < OPERANDS; ++i) free(memory[i]);
}

bool same_bits(float a, float b) {
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

/* Operand `index` after the operation against `expected` (rows x cols): inside to within the tolerance,
 * outside untouched. */
static void judge(const char *what, const test_scene *scene, size_t index, placement layout, const float *got,
                  const float *expected, double tolerance) {
    const scene_operand *operand = &scene->operands[index];
    size_t count = element_count(operand, layout), stride = operand->cols + layout.gap;
    float *before = initial(scene, index, layout);
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; ++i) {
        size_t at = i - layout.before, row = at / stride, col = at % stride;
        bool inside = i >= layout.before && row < operand->rows && col < operand->cols;
        if (operand->access == READ || !inside) {
            if (same_bits(before[i], got[i])) continue;
            fail_msg("%s: operand %zu, element %zu was %g and became %g", what, index, i, (double)before[i],
                     (double)got[i]);
        }
        double wanted = (double)expected[row * operand->cols + col];
        double difference = fabs((double)got[i] - wanted);
        if (isnan(difference)) fail_msg("%s: operand %zu, element %zu is undefined", what, index, i);
        worst = fmax(worst, difference);
        largest = fmax(largest, fabs(wanted));
    }
    free(before);
    if (worst <= tolerance * largest) return;
    fail_msg("%s: operand %zu: error %g of %g, %g allowed", what, index, worst, largest, tolerance);
}

void compare_with(const char *what, const hl_compute *compute, const test_scene *scene,
                  float *const expected[OPERANDS], double tolerance) {
    for (size_t l = 0; l < COUNT(layouts); ++l) {
        float *first[OPERANDS], *second[OPERANDS];
        hl_error error;
        assert_ok(attempt(compute, scene, layouts[l], first, &error), error);
        assert_ok(attempt(compute, scene, layouts[l], second, &error), error);
        for (size_t i = 0; i < OPERANDS; ++i) {
            if (!first[i]) continue;
            size_t bytes = element_count(&scene->operands[i], layouts[l]) * sizeof(float);
            judge(what, scene, i, layouts[l], first[i], expected[i], tolerance);
            assert_memory_equal(first[i], second[i], bytes);
        }
        forget_operands(first);
        forget_operands(second);
    }
}

void conform(const char *what, const test_scene *scene) {
    float *expected[OPERANDS];
    hl_error error;
    assert_ok(attempt(&reference, scene, plain, expected, &error), error);
    for (size_t b = 0; b < backend_count; ++b) {
        char *name = text("compute/%s: %s", backends[b].plugin->name, what);
        compare_with(name, &backends[b].compute, scene, expected, TOLERANCE);
        free(name);
    }
    forget_operands(expected);
}
