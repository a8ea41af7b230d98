/* See scene.h. */
#include "core/conformance/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const placement plain = {0, 0, 0};

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
    for (size_t i = 0; out && i < count; ++i) out[i] = centre + random_number(&seed);
    return out;
}

float *initial(const test_scene *scene, size_t index, placement layout) {
    const scene_operand *operand = &scene->operands[index];
    size_t count = element_count(operand, layout), stride = operand->cols + layout.gap;
    float *out = malloc((count + 1) * sizeof *out);
    float *values = random_numbers(operand->rows * operand->cols, (uint32_t)index + 1, operand->centre);
    if (!out || !values) {
        free(out);
        free(values);
        return NULL;
    }
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
    if (!values) return hl_no_memory(error, "an operand");
    status =
        compute->api->upload(compute->backend, values, (hl_matrix){m->tensor, 0, 1, count, count}, error);
    free(values);
    return status;
}

/* The scene's weight, as a model hands it over that reads it from a file. */
typedef struct weight_rows {
    hl_rows rows;
    const hl_weight_source *of;
} weight_rows;

static hl_status read_rows(const hl_rows *rows, size_t first, size_t count, float *to, hl_error *error) {
    const hl_weight_source *of = ((const weight_rows *)(const void *)rows)->of;
    if (first > of->out || count > of->out - first) {
        return hl_fail(error, HL_FAILED, "prepare_rows reads rows %zu to %zu of %zu", first, first + count,
                       of->out);
    }
    memcpy(to, of->data + first * of->in, count * of->in * sizeof *to);
    return HL_OK;
}

/* Whole, or row by row: what becomes of it is the same. */
static hl_status prepare(const hl_compute *compute, const hl_weight_source *of, bool whole, hl_weight **out,
                         hl_error *error) {
    if (whole) return compute->api->prepare(compute->backend, of, out, error);
    const weight_rows rows = {{read_rows}, of};
    hl_weight_source source = *of;
    source.data = NULL;
    return compute->api->prepare_rows(compute->backend, &source, &rows.rows, out, error);
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
        status = prepare(compute, &scene->weight, wanted.gap == 0, &weight, error);
    }
    if (status == HL_OK) status = scene->run(compute, scene, m, weight, error);
    for (size_t i = 0; i < OPERANDS; ++i) {
        memory[i] = NULL;
        if (!m[i].tensor || status != HL_OK) continue;
        size_t count = element_count(&scene->operands[i], wanted);
        memory[i] = malloc((count + 1) * sizeof(float));
        if (!memory[i]) {
            status = hl_no_memory(error, "an operand");
            continue;
        }
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

/* Where a scene failed: "linear 5 x 7 -> 9 with 3 numbers between rows, operand out: ". */
static const char *operand_name(const test_scene *scene, size_t index, char room[16]) {
    const char *name = scene->rule && index < OPERANDS ? scene->rule->operands[index].name : NULL;
    if (name) return name;
    snprintf(room, 16, "%zu", index);
    return room;
}

static hl_status complain(const char *what, const test_scene *scene, size_t index, placement layout,
                          hl_error *error, const char *problem) {
    char room[16], place[96] = "";
    if (layout.before || layout.gap) {
        snprintf(place, sizeof place, ", matrices at offset %zu with %zu numbers between rows", layout.before,
                 layout.gap);
    }
    return hl_fail(error, HL_FAILED, "%s%s: operand %s: %s", what, place, operand_name(scene, index, room),
                   problem);
}

/* Operand `index` after the operation against `expected` (rows x cols): inside to within the tolerance,
 * outside untouched. */
static hl_status judge(const char *what, const test_scene *scene, size_t index, placement layout,
                       const float *got, const float *expected, double tolerance, hl_error *error) {
    const scene_operand *operand = &scene->operands[index];
    size_t count = element_count(operand, layout), stride = operand->cols + layout.gap, place = 0;
    float *before = initial(scene, index, layout);
    if (!before) return hl_no_memory(error, "an operand");
    double largest = 0, worst = 0;
    char problem[160] = "";
    for (size_t i = 0; i < count && !*problem; ++i) {
        size_t at = i - layout.before, row = at / stride, col = at % stride;
        bool inside = i >= layout.before && row < operand->rows && col < operand->cols;
        if (operand->access == READ || !inside) {
            if (same_bits(before[i], got[i])) continue;
            snprintf(problem, sizeof problem,
                     "element %zu, which is not its own to write, was %g and became %g", i, (double)before[i],
                     (double)got[i]);
            break;
        }
        double wanted = (double)expected[row * operand->cols + col];
        double difference = fabs((double)got[i] - wanted);
        if (isnan(difference))
            snprintf(problem, sizeof problem, "row %zu, column %zu is undefined", row, col);
        if (difference > worst) place = row * operand->cols + col;
        worst = fmax(worst, difference);
        largest = fmax(largest, fabs(wanted));
    }
    free(before);
    if (!*problem && worst > tolerance * largest) {
        snprintf(problem, sizeof problem,
                 "row %zu, column %zu is off by %g where %g is the largest value; %g of that is allowed",
                 place / operand->cols, place % operand->cols, worst, largest, tolerance);
    }
    return *problem ? complain(what, scene, index, layout, error, problem) : HL_OK;
}

static hl_status compare_in(const char *what, const hl_compute *compute, const test_scene *scene,
                            placement layout, float *const expected[OPERANDS], double tolerance,
                            hl_error *error) {
    float *first[OPERANDS] = {NULL}, *second[OPERANDS] = {NULL};
    hl_status status = attempt(compute, scene, layout, first, error);
    if (status == HL_OK) status = attempt(compute, scene, layout, second, error);
    for (size_t i = 0; i < OPERANDS && status == HL_OK; ++i) {
        if (!first[i]) continue;
        size_t bytes = element_count(&scene->operands[i], layout) * sizeof(float);
        status = judge(what, scene, i, layout, first[i], expected[i], tolerance, error);
        if (status == HL_OK && memcmp(first[i], second[i], bytes) != 0) {
            status = complain(what, scene, i, layout, error, "differs from one time to the next");
        }
    }
    forget_operands(first);
    forget_operands(second);
    return status;
}

hl_status scene_compare(const char *what, const hl_compute *compute, const test_scene *scene,
                        float *const expected[OPERANDS], double tolerance, hl_error *error) {
    static const placement layouts[] = {{0, 0, 0}, {5, 3, 7}, {16, 48, 0}};
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts && status == HL_OK; ++i) {
        status = compare_in(what, compute, scene, layouts[i], expected, tolerance, error);
    }
    return status;
}

double scene_tolerance(const hl_compute *compute) {
    enum { OPERATIONS_OF_A_MODEL = 20 };
    return compute->api->tolerance(compute->backend) / OPERATIONS_OF_A_MODEL;
}

hl_status scene_check(const char *what, const hl_compute *compute, const hl_compute *reference,
                      const test_scene *scene, hl_error *error) {
    float *expected[OPERANDS] = {NULL};
    hl_status status = attempt(reference, scene, plain, expected, error);
    if (status == HL_OK) {
        status = scene_compare(what, compute, scene, expected, scene_tolerance(compute), error);
    }
    forget_operands(expected);
    return status;
}
