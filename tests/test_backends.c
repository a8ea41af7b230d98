/* Conformance of compute backends: `reference` against golden vectors (made with PyTorch in double precision)
 * and small cases by hand, then every operation of every compute plugin, and of the fixture `opaque`, against
 * `reference`, over tables of shapes and layouts. */
#include "core/host/compute.h"
#include "core/host/host.h"
#include "core/host/registry.h"
#include "tests/support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

/* Of the largest value expected. Whole models are allowed 1e-4, after dozens of operations. */
static const double TOLERANCE = 5e-6, REFERENCE_TOLERANCE = 2e-7, F64_TOLERANCE = 1e-12;

/* ---- the backends ---- */

enum { MOST_BACKENDS = 16 };

static atomic_bool cancel;
static host *the_host;
static registry *plugins;
static char *fixture_folder;
static const hl_plugin *plugin_of[MOST_BACKENDS];
static hl_compute opened[MOST_BACKENDS];
static size_t backend_count;
static hl_compute reference;

static void open_all(void) {
    hl_error error;
    const hl_plugin *stand_in = registry_find(plugins, HL_COMPUTE, "reference");
    assert_non_null(stand_in);
    assert_ok(compute_open(&the_host->interface, stand_in, NULL, NULL, &reference, &error), error);
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = registry_at(plugins, i)); ++i) {
        if (plugin->kind != HL_COMPUTE) continue;
        hl_compute_api api;
        registry_table(plugin, &api, sizeof api);
        if (api.score(&the_host->interface) == 0) {
            print_message("compute/%s cannot run here and is skipped\n", plugin->name);
            continue;
        }
        assert_true(backend_count < MOST_BACKENDS);
        plugin_of[backend_count] = plugin;
        assert_ok(compute_open(&the_host->interface, plugin, stand_in, NULL, &opened[backend_count], &error),
                  error);
        print_message("compute/%s: %s\n", plugin->name,
                      opened[backend_count].api->describe(opened[backend_count].backend));
        ++backend_count;
    }
}

static int open_backends(void **state) {
    (void)state;
    hl_error error;
    fixture_folder = make_folder();
    char *fixture = text("%s/opaque.so", fixture_folder);
    copy_file(TEST_FIXTURES "/opaque.fixture", fixture);
    free(fixture);
    const hl_library_settings settings = {0};
    assert_ok(host_open(&settings, &cancel, 3, &the_host, &error), error);
    const char *const folders[] = {fixture_folder, TEST_PLUGINS};
    const registry_settings where = {.folders = folders, .folder_count = COUNT(folders)};
    assert_ok(registry_open(&where, &plugins, &error), error);
    assert_non_null(registry_find(plugins, HL_COMPUTE, "opaque"));
    open_all();
    return 0;
}

static int close_backends(void **state) {
    (void)state;
    for (size_t i = 0; i < backend_count; ++i) compute_close(&opened[i]);
    compute_close(&reference);
    registry_close(plugins);
    host_close(the_host);
    remove_folder(fixture_folder);
    return 0;
}

/* ---- scenes: one operation with its operands ---- */

enum { OPERANDS = 5 };

typedef enum access { ABSENT, READ, WRITE, UPDATE } access;

typedef struct scene_operand {
    access access;
    size_t rows, cols;
    bool is_tensor;     /* handed over as a tensor, so it starts at its first element and has no gaps */
    const float *given; /* its elements; NULL: random around `centre` */
    float centre;
} scene_operand;

typedef struct test_scene test_scene;
struct test_scene {
    scene_operand operands[OPERANDS];
    hl_weight_source weight; /* out == 0: none */
    const void *detail;      /* the row of the table that the scene was made from */
    hl_status (*run)(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                     const hl_weight *weight, hl_error *error);
};

/* Where a matrix lies in its tensor. */
typedef struct placement {
    size_t before, gap, after;
} placement;

static const placement plain = {0, 0, 0}, layouts[] = {{0, 0, 0}, {5, 3, 7}, {16, 48, 0}};

/* Around a matrix lies NaN where it is read, so that reading there shows, and this where it is written, so
 * that writing there shows. */
static const float border = 1234.5f;

static size_t element_count(const scene_operand *operand, placement layout) {
    return layout.before + operand->rows * (operand->cols + layout.gap) + layout.after;
}

static placement layout_of(const scene_operand *operand, placement wanted) {
    return operand->is_tensor ? (placement){0, 0, wanted.after} : wanted;
}

static float random_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static float *random_numbers(size_t count, uint32_t seed, float centre) {
    float *out = malloc((count + 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i) out[i] = centre + random_number(&seed);
    return out;
}

/* What a tensor holds before the operation. */
static float *initial(const test_scene *scene, size_t index, placement layout) {
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

/* Plays a scene; memory gets the whole tensor of each operand afterwards, for the caller to free. */
static hl_status attempt(const hl_compute *compute, const test_scene *scene, placement wanted,
                         float *memory[OPERANDS], hl_error *error) {
    const hl_compute_api *api = compute->api;
    hl_matrix m[OPERANDS] = {0};
    hl_weight *weight = NULL;
    hl_status status = HL_OK;
    for (size_t i = 0; i < OPERANDS && status == HL_OK; ++i) {
        if (!scene->operands[i].access) continue;
        status = make_operand(compute, scene, i, layout_of(&scene->operands[i], wanted), &m[i], error);
    }
    if (status == HL_OK && scene->weight.out) {
        status = api->prepare(compute->backend, &scene->weight, &weight, error);
    }
    if (status == HL_OK) status = scene->run(compute, scene, m, weight, error);
    for (size_t i = 0; i < OPERANDS; ++i) {
        memory[i] = NULL;
        if (!m[i].tensor || status != HL_OK) continue;
        size_t count = element_count(&scene->operands[i], layout_of(&scene->operands[i], wanted));
        memory[i] = malloc((count + 1) * sizeof(float));
        assert_non_null(memory[i]);
        status =
            api->download(compute->backend, (hl_matrix){m[i].tensor, 0, 1, count, count}, memory[i], error);
    }
    for (size_t i = 0; i < OPERANDS; ++i) api->free_tensor(compute->backend, m[i].tensor);
    api->free_weight(compute->backend, weight);
    return status;
}

static void forget(float *memory[OPERANDS]) {
    for (size_t i = 0; i < OPERANDS; ++i) free(memory[i]);
}

static bool same_bits(float a, float b) {
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

/* The scene on one backend, in every layout, twice, against what `expected` holds for each operand. */
static void compare(const char *what, const hl_compute *compute, const test_scene *scene,
                    float *const expected[OPERANDS], double tolerance) {
    for (size_t l = 0; l < COUNT(layouts); ++l) {
        float *first[OPERANDS], *second[OPERANDS];
        hl_error error;
        assert_ok(attempt(compute, scene, layouts[l], first, &error), error);
        assert_ok(attempt(compute, scene, layouts[l], second, &error), error);
        for (size_t i = 0; i < OPERANDS; ++i) {
            if (!first[i]) continue;
            placement layout = layout_of(&scene->operands[i], layouts[l]);
            size_t bytes = element_count(&scene->operands[i], layout) * sizeof(float);
            judge(what, scene, i, layout, first[i], expected[i], tolerance);
            assert_memory_equal(first[i], second[i], bytes);
        }
        forget(first);
        forget(second);
    }
}

/* The scene on every backend against `reference`. */
static void conform(const char *what, const test_scene *scene) {
    float *expected[OPERANDS];
    hl_error error;
    assert_ok(attempt(&reference, scene, plain, expected, &error), error);
    for (size_t b = 0; b < backend_count; ++b) {
        char *name = text("compute/%s: %s", plugin_of[b]->name, what);
        compare(name, &opened[b], scene, expected, TOLERANCE);
        free(name);
    }
    forget(expected);
}

/* ---- linear ---- */

typedef enum residual_place { NO_RESIDUAL, APART, IN_PLACE } residual_place;

typedef struct linear_case {
    size_t rows, in, out;
    hl_activation activation;
    bool bias;
    residual_place residual;
} linear_case;

static hl_status run_linear(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                            const hl_weight *weight, hl_error *error) {
    const linear_case *row = scene->detail;
    hl_linear operation = {.x = m[0], .out = m[2], .weight = weight, .activation = row->activation};
    if (row->residual != NO_RESIDUAL) operation.residual = row->residual == APART ? m[1] : m[2];
    return compute->api->linear(compute->backend, &operation, error);
}

static test_scene linear_scene(const linear_case *row, const float *data, const float *bias) {
    return (test_scene){
        .operands = {{READ, .rows = row->rows, .cols = row->in},
                     {row->residual == APART ? READ : ABSENT, .rows = row->rows, .cols = row->out},
                     {row->residual == IN_PLACE ? UPDATE : WRITE, .rows = row->rows, .cols = row->out}},
        .weight = {sizeof(hl_weight_source), HL_ROLE_QKV, 0, row->out, row->in, data,
                   row->bias ? bias : NULL},
        .detail = row,
        .run = run_linear};
}

static void test_linear(void **state) {
    (void)state;
    static const linear_case cases[] = {
        {1, 1, 1, HL_IDENTITY, false, NO_RESIDUAL},
        {1, 64, 10, HL_IDENTITY, true, NO_RESIDUAL},
        {1, 19, 33, HL_GELU, true, APART},
        {5, 7, 9, HL_IDENTITY, false, APART},
        {5, 7, 9, HL_IDENTITY, false, IN_PLACE},
        {6, 24, 21, HL_IDENTITY, true, IN_PLACE},
        {17, 33, 48, HL_IDENTITY, true, APART},
        {34, 40, 65, HL_GELU, true, NO_RESIDUAL},
        {34, 40, 65, HL_GELU, false, APART},
        {34, 40, 65, HL_GELU, true, IN_PLACE},
        {34, 40, 65, HL_QUICK_GELU, true, NO_RESIDUAL},
        {34, 40, 65, HL_QUICK_GELU, false, IN_PLACE},
        {34, 40, 65, HL_QUICK_GELU, true, APART},
        {100, 48, 480, HL_QUICK_GELU, true, NO_RESIDUAL}, /* wide: cut by columns */
        {403, 70, 66, HL_GELU, true, IN_PLACE},           /* tall: cut by rows */
        {150, 260, 131, HL_IDENTITY, true, IN_PLACE},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        float *data = random_numbers(cases[i].out * cases[i].in, 77, 0),
              *bias = random_numbers(cases[i].out, 78, 0);
        test_scene scene = linear_scene(&cases[i], data, bias);
        char *what = text("linear case %zu", i);
        conform(what, &scene);
        free(what);
        free(data);
        free(bias);
    }
}

static void check_activation(const char *name, hl_activation activation, float x, float got) {
    double at = (double)x, gelu = at * erfc(-at / sqrt(2)) / 2, quick = at / (1 + exp(-1.702 * at));
    double wanted = activation == HL_GELU ? gelu : quick;
    double allowed = activation == HL_GELU ? 3e-7 * fmax(1, fabs(at)) : 2e-7 * (2 + fabs(at)) * fabs(quick);
    if (fabs((double)got - wanted) <= allowed) return;
    fail_msg("compute/%s: activation %d of %g is %g, not %g", name, (int)activation, at, (double)got, wanted);
}

/* The activations themselves, over all that matters of the line: the only weight is 1. For gelu the absolute
 * error of the error function counts, for quick_gelu the relative error, which grows with exp's argument in
 * f32. */
static void test_activations(void **state) {
    (void)state;
    enum { POINTS = 4001 };
    static const float one = 1;
    float x[POINTS];
    for (size_t i = 0; i < POINTS; ++i) x[i] = ((float)i - 2000) / 100;
    for (hl_activation activation = HL_GELU; activation <= HL_QUICK_GELU; ++activation) {
        const linear_case row = {POINTS, 1, 1, activation, false, NO_RESIDUAL};
        test_scene scene = linear_scene(&row, &one, NULL);
        scene.operands[0].given = x;
        for (size_t b = 0; b < backend_count; ++b) {
            float *got[OPERANDS];
            hl_error error;
            assert_ok(attempt(&opened[b], &scene, plain, got, &error), error);
            for (size_t i = 0; i < POINTS; ++i) {
                check_activation(plugin_of[b]->name, activation, x[i], got[2][i]);
            }
            forget(got);
        }
    }
}

/* ---- patch embedding ---- */

typedef struct patch_case {
    size_t batch, channels, height, width, patch, out, prefix;
    bool position, bias;
} patch_case;

static size_t patch_tokens(const patch_case *row) {
    return row->prefix + row->height / row->patch * (row->width / row->patch);
}

static hl_status run_patch(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                           const hl_weight *weight, hl_error *error) {
    const patch_case *row = scene->detail;
    const hl_patch_embedding operation = {m[0].tensor, row->batch, row->channels, row->height, row->width,
                                          row->patch,  weight,     m[1],          m[2],        m[3]};
    return compute->api->patch_embedding(compute->backend, &operation, error);
}

static test_scene patch_scene(const patch_case *row, const float *data, const float *bias) {
    size_t tokens = patch_tokens(row), in = row->channels * row->patch * row->patch;
    size_t pixels = row->channels * row->height * row->width;
    return (test_scene){
        .operands = {{READ, .rows = row->batch, .cols = pixels, .is_tensor = true},
                     {row->prefix ? READ : ABSENT, .rows = row->prefix, .cols = row->out},
                     {row->position ? READ : ABSENT, .rows = tokens, .cols = row->out},
                     {WRITE, .rows = row->batch * tokens, .cols = row->out}},
        .weight = {sizeof(hl_weight_source), HL_ROLE_PATCH, -1, row->out, in, data, row->bias ? bias : NULL},
        .detail = row,
        .run = run_patch};
}

static void test_patch_embedding(void **state) {
    (void)state;
    static const patch_case cases[] = {
        {1, 3, 4, 4, 4, 5, 1, true, false},   {2, 3, 12, 8, 4, 10, 1, true, false},
        {3, 1, 6, 9, 3, 17, 0, true, true},   {2, 3, 14, 14, 7, 33, 2, false, true},
        {5, 3, 8, 4, 2, 24, 0, false, false}, {4, 3, 32, 32, 8, 96, 1, true, false},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        size_t in = cases[i].channels * cases[i].patch * cases[i].patch;
        float *data = random_numbers(cases[i].out * in, 77, 0), *bias = random_numbers(cases[i].out, 78, 0);
        test_scene scene = patch_scene(&cases[i], data, bias);
        char *what = text("patch embedding case %zu", i);
        conform(what, &scene);
        free(what);
        free(data);
        free(bias);
    }
}

/* ---- layer norm ---- */

typedef struct norm_case {
    size_t rows, cols;
    float centre; /* of the rows' values, which spread over [-1, 1] around it */
    bool in_place, statistics;
} norm_case;

static const float EPSILON = 1e-5f;

static hl_status run_norm(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                          const hl_weight *weight, hl_error *error) {
    (void)weight;
    const norm_case *row = scene->detail;
    const hl_layer_norm operation = {row->in_place ? m[3] : m[0], m[1], m[2], m[3], m[4], EPSILON};
    return compute->api->layer_norm(compute->backend, &operation, error);
}

static test_scene norm_scene(const norm_case *row) {
    return (test_scene){.operands = {{row->in_place ? ABSENT : READ, .rows = row->rows, .cols = row->cols,
                                      .centre = row->centre},
                                     {READ, .rows = 1, .cols = row->cols},
                                     {READ, .rows = 1, .cols = row->cols},
                                     {row->in_place ? UPDATE : WRITE, .rows = row->rows, .cols = row->cols,
                                      .centre = row->centre},
                                     {row->statistics ? WRITE : ABSENT, .rows = row->rows, .cols = 2}},
                        .detail = row,
                        .run = run_norm};
}

static void test_layer_norm(void **state) {
    (void)state;
    static const norm_case cases[] = {
        {1, 1, 0, false, true},     {1, 16, 0, false, false},    {3, 37, 0, false, true},
        {7, 64, -5, true, true},    {4, 100, 0.5f, true, false}, {5, 768, 100, false, true},
        {305, 512, 0, false, true}, {3, 768, 1000, true, true},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        test_scene scene = norm_scene(&cases[i]);
        char *what = text("layer norm case %zu", i);
        conform(what, &scene);
        free(what);
    }
}

/* ---- attention ---- */

typedef struct attention_case {
    size_t batch, heads, key_width, value_width, q_rows, k_rows;
    hl_mask mask;
    float scale;
    size_t probe_count, probes[3];
} attention_case;

static hl_status run_attention(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                               const hl_weight *weight, hl_error *error) {
    (void)weight;
    const attention_case *row = scene->detail;
    const hl_attention operation = {.q = m[0],
                                    .k = m[1],
                                    .v = m[2],
                                    .out = m[3],
                                    .probabilities = m[4],
                                    .batch = row->batch,
                                    .heads = row->heads,
                                    .scale = row->scale,
                                    .mask = row->mask,
                                    .probes = row->probes,
                                    .probe_count = row->probe_count};
    return compute->api->attention(compute->backend, &operation, error);
}

static test_scene attention_scene(const attention_case *row) {
    size_t q_rows = row->batch * row->q_rows, k_rows = row->batch * row->k_rows;
    size_t probes = row->batch * row->heads * row->probe_count;
    return (test_scene){
        .operands = {{READ, .rows = q_rows, .cols = row->heads * row->key_width},
                     {READ, .rows = k_rows, .cols = row->heads * row->key_width},
                     {READ, .rows = k_rows, .cols = row->heads * row->value_width},
                     {WRITE, .rows = q_rows, .cols = row->heads * row->value_width},
                     {row->probe_count ? WRITE : ABSENT, .rows = probes, .cols = row->k_rows}},
        .detail = row,
        .run = run_attention};
}

static void test_attention(void **state) {
    (void)state;
    static const attention_case cases[] = {
        {1, 1, 1, 1, 1, 1, HL_MASK_NONE, 1, 1, {0}},
        {1, 2, 16, 16, 1, 17, HL_MASK_NONE, 0.25f, 0, {0}},
        {3, 2, 24, 24, 1, 50, HL_MASK_NONE, 0.2f, 1, {0}},
        {2, 3, 5, 9, 4, 7, HL_MASK_NONE, 2, 2, {3, 0}},
        {2, 3, 9, 5, 7, 4, HL_MASK_NONE, 1, 3, {6, 2, 2}},
        {2, 2, 8, 8, 6, 6, HL_MASK_CAUSAL, 1, 2, {5, 0}},
        {1, 4, 16, 16, 33, 33, HL_MASK_CAUSAL, 0.25f, 0, {0}},
        {2, 2, 8, 8, 3, 9, HL_MASK_CAUSAL, 1, 1, {2}},
        {4, 4, 32, 32, 50, 50, HL_MASK_NONE, 0.17f, 1, {0}},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        test_scene scene = attention_scene(&cases[i]);
        char *what = text("attention case %zu", i);
        conform(what, &scene);
        free(what);
    }
}

/* Queries, keys and values as columns of one matrix, the way that models project them. */
static hl_status run_packed_attention(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                                      const hl_weight *weight, hl_error *error) {
    (void)scene, (void)weight;
    hl_matrix parts[3];
    for (size_t i = 0; i < 3; ++i) {
        parts[i] = m[0];
        parts[i].cols /= 3;
        parts[i].offset += i * parts[i].cols;
    }
    const hl_attention operation = {
        .q = parts[0], .k = parts[1], .v = parts[2], .out = m[3], .batch = 2, .heads = 2, .scale = 0.3f};
    return compute->api->attention(compute->backend, &operation, error);
}

static void test_packed_attention(void **state) {
    (void)state;
    const test_scene scene = {
        .operands = {{READ, .rows = 2 * 9, .cols = 3 * 24}, [3] = {WRITE, .rows = 2 * 9, .cols = 24}},
        .run = run_packed_attention};
    conform("packed attention", &scene);
}

/* Scores of +-6400 and +-6399, exactly 1 apart: no overflow on the way, and the difference alone counts. */
static void test_large_scores(void **state) {
    (void)state;
    static const float q[] = {64, -64}, k[] = {100, 100 - 1.0f / 64}, v[] = {0, 1};
    float expected[] = {(float)(1 / (1 + exp(1.0))), (float)(1 / (1 + exp(-1.0)))};
    static const attention_case row = {1, 1, 1, 1, 2, 2, HL_MASK_NONE, 1, 0, {0}};
    test_scene scene = attention_scene(&row);
    scene.operands[0].given = q;
    scene.operands[1].given = k;
    scene.operands[2].given = v;
    float *arrays[OPERANDS] = {[3] = expected};
    for (size_t b = 0; b < backend_count; ++b) compare(plugin_of[b]->name, &opened[b], &scene, arrays, 5e-7);
}

/* ---- copy ---- */

static hl_status run_copy(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                          const hl_weight *weight, hl_error *error) {
    (void)scene, (void)weight;
    return compute->api->copy(compute->backend, m[0], m[1], error);
}

static void test_copy(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1, 1}, {1, 9}, {5, 1}, {6, 17}, {40, 64}};
    for (size_t i = 0; i < COUNT(shapes); ++i) {
        const test_scene scene = {.operands = {{READ, .rows = shapes[i][0], .cols = shapes[i][1]},
                                               {WRITE, .rows = shapes[i][0], .cols = shapes[i][1]}},
                                  .run = run_copy};
        float *values = initial(&scene, 0, plain), *expected[OPERANDS] = {NULL, values};
        for (size_t b = 0; b < backend_count; ++b) compare("copy", &opened[b], &scene, expected, 0);
        free(values);
    }
}

/* ---- tensors ---- */

static void test_tensors_start_at_zero(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *compute = &opened[b];
        hl_tensor *tensor;
        float values[21];
        memset(values, 0xff, sizeof values);
        assert_ok(compute->api->new_tensor(compute->backend, 21, &tensor, &error), error);
        assert_ok(compute->api->download(compute->backend, (hl_matrix){tensor, 0, 3, 7, 7}, values, &error),
                  error);
        for (size_t i = 0; i < 21; ++i) assert_true(same_bits(values[i], 0.0f));
        compute->api->free_tensor(compute->backend, tensor);
        compute->api->free_tensor(compute->backend, NULL);
        compute->api->free_weight(compute->backend, NULL);
        assert_true(strlen(compute->api->describe(compute->backend)) > 0);
    }
}

/* Uploads take their data with them, and keep to their matrix. */
static void test_upload_into_a_part(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *compute = &opened[b];
        static const float expected[] = {0, 0, 1, 2, 0, 0, 3, 4, 0, 0};
        float part[] = {1, 2, 3, 4}, whole[10], back[4];
        hl_tensor *tensor;
        assert_ok(compute->api->new_tensor(compute->backend, 10, &tensor, &error), error);
        const hl_matrix inner = {tensor, 2, 2, 2, 4};
        assert_ok(compute->api->upload(compute->backend, part, inner, &error), error);
        memset(part, 0, sizeof part);
        assert_ok(compute->api->download(compute->backend, (hl_matrix){tensor, 0, 1, 10, 10}, whole, &error),
                  error);
        assert_memory_equal(whole, expected, sizeof whole);
        assert_ok(compute->api->download(compute->backend, inner, back, &error), error);
        for (size_t i = 0; i < 4; ++i) assert_true(same_bits(back[i], (float)(i + 1)));
        compute->api->free_tensor(compute->backend, tensor);
    }
}

/* ---- double precision ---- */

typedef struct product_case {
    size_t m, n, k;
    bool transpose_a, transpose_b;
    size_t gap;
} product_case;

static double *random_doubles(size_t count, uint32_t seed) {
    double *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i)
        out[i] = (double)random_number(&seed) + 1e-8 * (double)random_number(&seed);
    return out;
}

static void check_product(const hl_compute *compute, const product_case *row) {
    hl_error error;
    size_t lda = (row->transpose_a ? row->m : row->k) + row->gap,
           ldb = (row->transpose_b ? row->k : row->n) + row->gap;
    size_t ldc = row->n + row->gap, c_count = row->m * ldc;
    double *a = random_doubles(lda * (row->transpose_a ? row->k : row->m), 5);
    double *b = random_doubles(ldb * (row->transpose_b ? row->n : row->k), 6);
    double *c = random_doubles(c_count, 7), *before = random_doubles(c_count, 7);
    assert_ok(compute->api->product_f64(compute->backend, row->transpose_a, row->transpose_b, row->m, row->n,
                                        row->k, a, lda, b, ldb, c, ldc, &error),
              error);
    for (size_t i = 0; i < c_count; ++i) {
        size_t r = i / ldc, j = i % ldc;
        if (j >= row->n) {
            assert_true(memcmp(&c[i], &before[i], sizeof *c) == 0);
            continue;
        }
        long double sum = 0;
        for (size_t k = 0; k < row->k; ++k) {
            double left = row->transpose_a ? a[k * lda + r] : a[r * lda + k];
            double right = row->transpose_b ? b[j * ldb + k] : b[k * ldb + j];
            sum += (long double)left * (long double)right;
        }
        assert_true(fabs((double)sum - c[i]) <= F64_TOLERANCE * (double)row->k);
    }
    free(a);
    free(b);
    free(c);
    free(before);
}

static void test_product_f64(void **state) {
    (void)state;
    static const product_case cases[] = {
        {1, 1, 1, false, false, 0},    {3, 5, 4, false, false, 2},   {3, 5, 4, true, false, 0},
        {3, 5, 4, false, true, 1},     {3, 5, 4, true, true, 3},     {67, 67, 130, true, false, 0},
        {90, 65, 200, false, true, 5}, {120, 80, 90, true, true, 0},
    };
    for (size_t b = 0; b < backend_count; ++b)
        for (size_t i = 0; i < COUNT(cases); ++i) check_product(&opened[b], &cases[i]);
}

/* Ascending, orthonormal, A v = lambda v, and the first of the largest components positive. */
static void check_eigen(size_t n, const double *a, const double *vectors, const double *values) {
    double scale = 0;
    for (size_t i = 0; i < n * n; ++i) scale = fmax(scale, fabs(a[i]));
    for (size_t i = 0; i < n; ++i) {
        const double *v = vectors + i * n;
        size_t first = 0;
        double largest = 0;
        assert_true(i == 0 || values[i - 1] <= values[i]);
        for (size_t j = 0; j < n; ++j) {
            double dot = 0, image = 0;
            for (size_t k = 0; k < n; ++k) {
                dot += v[k] * vectors[j * n + k];
                image += a[j * n + k] * v[k];
            }
            assert_true(fabs(dot - (i == j ? 1.0 : 0.0)) <= F64_TOLERANCE);
            assert_true(fabs(image - values[i] * v[j]) <= F64_TOLERANCE * scale * (double)n);
            largest = fmax(largest, fabs(v[j]));
        }
        while (fabs(v[first]) < largest * (1 - 1e-10)) ++first;
        assert_true(v[first] > 0);
    }
}

static void test_symmetric_eigen_f64(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 5, 19, 67, 83};
    hl_error error;
    for (size_t s = 0; s < 2 * COUNT(sizes); ++s) {
        size_t n = sizes[s / 2],
               rank = s % 2 ? (n + 1) / 2 : n; /* half of them with eigenvalues that coincide: 0 */
        double *factor = random_doubles(n * n, 9), *a = calloc(n * n, sizeof *a),
               *v = malloc(n * n * sizeof *v);
        double *values = malloc(n * sizeof *values);
        assert_true(a && v && values);
        for (size_t i = 0; i < n; ++i)
            for (size_t j = 0; j < n; ++j)
                for (size_t k = 0; k < rank; ++k) a[i * n + j] += factor[i * n + k] * factor[j * n + k];
        for (size_t b = 0; b < backend_count; ++b) {
            memcpy(v, a, n * n * sizeof *v);
            assert_ok(opened[b].api->symmetric_eigen_f64(opened[b].backend, n, v, values, &error), error);
            check_eigen(n, a, v, values);
        }
        free(factor);
        free(a);
        free(v);
        free(values);
    }
}

/* [[2, 1], [1, 2]] has the eigenvalues 1 and 3; the vectors' components are equal in size, so the first
 * decides. */
static void test_eigen_by_hand(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        double a[] = {2, 1, 1, 2}, values[2], half = sqrt(0.5);
        const double expected[] = {half, -half, half, half};
        assert_ok(opened[b].api->symmetric_eigen_f64(opened[b].backend, 2, a, values, &error), error);
        assert_true(fabs(values[0] - 1) <= F64_TOLERANCE && fabs(values[1] - 3) <= F64_TOLERANCE);
        for (size_t i = 0; i < 4; ++i) assert_true(fabs(a[i] - expected[i]) <= F64_TOLERANCE);
    }
}

static void test_eigen_refuses_nan(void **state) {
    (void)state;
    for (size_t b = 0; b < backend_count; ++b) {
        double a[] = {2, NAN, NAN, 2}, values[2];
        hl_error error = {""};
        assert_int_equal(opened[b].api->symmetric_eigen_f64(opened[b].backend, 2, a, values, &error),
                         HL_FAILED);
        assert_non_null(strstr(error.message, "2 x 2"));
    }
}

/* ---- reference against other people's code ---- */

enum { GOLDEN_ARRAYS = 8 };

typedef struct golden_set {
    npy_array arrays[GOLDEN_ARRAYS];
    size_t count;
} golden_set;

static float *golden_data(golden_set *set, const char *name) {
    assert_true(set->count < GOLDEN_ARRAYS);
    set->arrays[set->count] = golden("ops", name);
    return set->arrays[set->count++].data;
}

static void free_golden(golden_set *set) {
    for (size_t i = 0; i < set->count; ++i) free(set->arrays[i].data);
}

static void test_golden_linear(void **state) {
    (void)state;
    static const linear_case cases[] = {{5, 7, 21, HL_IDENTITY, false, NO_RESIDUAL},
                                        {5, 7, 21, HL_IDENTITY, true, APART},
                                        {5, 7, 21, HL_GELU, true, NO_RESIDUAL},
                                        {5, 7, 21, HL_QUICK_GELU, true, APART}};
    static const char *const expected[] = {"linear_plain", "linear_biased", "linear_gelu",
                                           "linear_quick_gelu"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene =
            linear_scene(&cases[i], golden_data(&set, "linear_weight"), golden_data(&set, "linear_bias"));
        scene.operands[0].given = golden_data(&set, "linear_x");
        scene.operands[1].given = golden_data(&set, "linear_residual");
        float *arrays[OPERANDS] = {[2] = golden_data(&set, expected[i])};
        compare(expected[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

static void test_golden_patch_embedding(void **state) {
    (void)state;
    static const patch_case row = {2, 3, 12, 8, 4, 10, 2, true, true};
    golden_set set = {.count = 0};
    test_scene scene = patch_scene(&row, golden_data(&set, "patch_weight"), golden_data(&set, "patch_bias"));
    scene.operands[0].given = golden_data(&set, "patch_pixels");
    scene.operands[1].given = golden_data(&set, "patch_prefix");
    scene.operands[2].given = golden_data(&set, "patch_position");
    float *arrays[OPERANDS] = {[3] = golden_data(&set, "patch_out")};
    compare("golden patch embedding", &reference, &scene, arrays, REFERENCE_TOLERANCE);
    free_golden(&set);
}

static void test_golden_layer_norm(void **state) {
    (void)state;
    static const norm_case row = {4, 37, 0, false, true};
    golden_set set = {.count = 0};
    test_scene scene = norm_scene(&row);
    scene.operands[0].given = golden_data(&set, "norm_x");
    scene.operands[1].given = golden_data(&set, "norm_gain");
    scene.operands[2].given = golden_data(&set, "norm_shift");
    float *arrays[OPERANDS] = {
        [3] = golden_data(&set, "norm_out"), [4] = golden_data(&set, "norm_statistics")};
    compare("golden layer norm", &reference, &scene, arrays, REFERENCE_TOLERANCE);
    free_golden(&set);
}

static void test_golden_attention(void **state) {
    (void)state;
    static const attention_case cases[] = {{2, 2, 5, 4, 3, 7, HL_MASK_NONE, 0.4f, 2, {2, 0}},
                                           {2, 2, 5, 4, 3, 3, HL_MASK_CAUSAL, 0.4f, 2, {2, 0}}};
    static const char *const names[] = {"attention", "causal"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene = attention_scene(&cases[i]);
        const char *const parts[] = {"k", "v", "out", "probabilities"};
        float *arrays[OPERANDS] = {0};
        scene.operands[0].given = golden_data(&set, "attention_q");
        for (size_t o = 1; o < OPERANDS; ++o) {
            char *name = text("%s_%s", names[i], parts[o - 1]);
            arrays[o] = golden_data(&set, name);
            if (scene.operands[o].access == READ) scene.operands[o].given = arrays[o];
            free(name);
        }
        compare(names[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

/* ---- threads ---- */

typedef struct thread_work {
    const hl_compute *compute;
    const test_scene *scene;
    float *expected[OPERANDS];
    bool right;
} thread_work;

enum { ROUNDS = 12 };

static void *play_rounds(void *argument) {
    thread_work *work = argument;
    hl_error error;
    work->right = true;
    for (size_t round = 0; round < ROUNDS; ++round) {
        float *memory[OPERANDS];
        work->right = work->right && attempt(work->compute, work->scene, plain, memory, &error) == HL_OK;
        for (size_t i = 0; i < OPERANDS && work->right; ++i) {
            if (!memory[i]) continue;
            size_t bytes = element_count(&work->scene->operands[i], plain) * sizeof(float);
            work->right = memcmp(memory[i], work->expected[i], bytes) == 0;
        }
        forget(memory);
    }
    return NULL;
}

/* Two threads on one backend, each with its own tensors: the same bits as alone. */
static void test_two_threads(void **state) {
    (void)state;
    static const attention_case attention = {2, 4, 16, 16, 40, 40, HL_MASK_NONE, 0.25f, 1, {0}};
    static const linear_case linear = {120, 64, 256, HL_GELU, true, IN_PLACE};
    float *data = random_numbers(linear.out * linear.in, 3, 0);
    const test_scene scenes[] = {attention_scene(&attention), linear_scene(&linear, data, data)};
    for (size_t b = 0; b < backend_count; ++b) {
        thread_work works[2];
        pthread_t threads[2];
        hl_error error;
        for (size_t i = 0; i < 2; ++i) {
            works[i] = (thread_work){.compute = &opened[b], .scene = &scenes[i]};
            assert_ok(attempt(&opened[b], &scenes[i], plain, works[i].expected, &error), error);
        }
        for (size_t i = 0; i < 2; ++i)
            assert_int_equal(pthread_create(&threads[i], NULL, play_rounds, &works[i]), 0);
        for (size_t i = 0; i < 2; ++i) {
            pthread_join(threads[i], NULL);
            if (!works[i].right)
                fail_msg("compute/%s: scene %zu differs in two threads", plugin_of[b]->name, i);
            forget(works[i].expected);
        }
    }
    free(data);
}

/* The reference gives the same bits whatever the number of threads. */
static void test_reference_ignores_threads(void **state) {
    (void)state;
    static const linear_case linear = {30, 64, 256, HL_GELU, true, IN_PLACE};
    float *data = random_numbers(linear.out * linear.in, 3, 0), *three[OPERANDS], *one[OPERANDS];
    const test_scene scene = linear_scene(&linear, data, data);
    const hl_library_settings settings = {0};
    host *single;
    hl_compute alone;
    hl_error error;
    assert_ok(host_open(&settings, &cancel, 1, &single, &error), error);
    const hl_plugin *plugin = registry_find(plugins, HL_COMPUTE, "reference");
    assert_ok(compute_open(&single->interface, plugin, NULL, NULL, &alone, &error), error);
    assert_ok(attempt(&reference, &scene, plain, three, &error), error);
    assert_ok(attempt(&alone, &scene, plain, one, &error), error);
    assert_memory_equal(three[2], one[2], linear.rows * linear.out * sizeof(float));
    forget(three);
    forget(one);
    compute_close(&alone);
    host_close(single);
    free(data);
}

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

static hl_status everything(poor_host *poor, const hl_plugin *plugin, const test_scene *scenes, size_t count,
                            hl_error *error) {
    hl_compute compute;
    const hl_plugin *stand_in = registry_find(plugins, HL_COMPUTE, "reference");
    hl_status status = compute_open(&poor->interface, plugin, stand_in, NULL, &compute, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        float *memory[OPERANDS];
        status = attempt(&compute, &scenes[i], plain, memory, error);
        forget(memory);
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
    float *data = random_numbers(100, 3, 0);
    const test_scene scenes[] = {linear_scene(&linear, data, data), patch_scene(&patch, data, data),
                                 norm_scene(&norm), attention_scene(&attention)};
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
            status = everything(&poor, plugin_of[b], scenes, COUNT(scenes), &error);
            assert_int_equal(atomic_load(&poor.out), 0);
            assert_true((status == HL_OK) == (atomic_load(&poor.left) >= 0));
            if (status != HL_OK) assert_non_null(strstr(error.message, "out of memory"));
        }
    }
    free(data);
}

/* ---- the ways in which a backend of its own kind may behave ---- */

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
    static const char *const optional[] = {"layer_norm", "attention", "copy", "product_f64",
                                           "symmetric_eigen_f64"};
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
        cmocka_unit_test(test_golden_linear),
        cmocka_unit_test(test_golden_patch_embedding),
        cmocka_unit_test(test_golden_layer_norm),
        cmocka_unit_test(test_golden_attention),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_patch_embedding),
        cmocka_unit_test(test_layer_norm),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_packed_attention),
        cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_tensors_start_at_zero),
        cmocka_unit_test(test_upload_into_a_part),
        cmocka_unit_test(test_product_f64),
        cmocka_unit_test(test_symmetric_eigen_f64),
        cmocka_unit_test(test_eigen_by_hand),
        cmocka_unit_test(test_eigen_refuses_nan),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_reference_ignores_threads),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_late_failure),
        cmocka_unit_test(test_missing_operations_are_named),
        cmocka_unit_test(test_openblas_is_not_there),
    };
    return cmocka_run_group_tests_name("backends", tests, open_backends, close_backends);
}
