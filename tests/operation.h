/* One operation of a compute backend with its operands, played on any backend and in several layouts, and
 * judged inside and around its results. */
#ifndef TESTS_OPERATION_H
#define TESTS_OPERATION_H

#include "core/host/operations.h"
#include "tests/plugins.h"

/* The yardstick for all other backends; opened with them. */
extern hl_compute reference;

/* The setup and the end of a group of tests: the built compute plugins and the fixture `opaque`. */
int set_up_backends(void **state);
int tear_down_backends(void **state);

typedef enum access { ABSENT, READ, WRITE, UPDATE } access;

typedef struct scene_operand {
    access access;
    size_t rows, cols;
    const float *given; /* its elements; NULL: random around `centre` */
    float centre;
} scene_operand;

typedef struct test_scene test_scene;
struct test_scene {
    scene_operand operands[OPERANDS];
    hl_weight_source weight; /* out == 0: none */
    const operation_rule *rule;
    any_operation numbers; /* the operation without its operands */
    bool in_place;         /* what may be the same matrix is */
    hl_status (*run)(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                     const hl_weight *weight, hl_error *error);
};

/* Where a matrix lies in its tensor. */
typedef struct placement {
    size_t before, gap, after;
} placement;

/* A matrix that fills its tensor. */
extern const placement plain;

/* Of its tensor, with all that lies around the matrix. */
size_t element_count(const scene_operand *operand, placement layout);

/* In [-1, 1). */
float random_number(uint32_t *state);
float *random_numbers(size_t count, uint32_t seed, float centre);

/* What a tensor holds before the operation. */
float *initial(const test_scene *scene, size_t index, placement layout);

/* Plays a scene; memory gets the whole tensor of each operand afterwards, for the caller to free. */
hl_status attempt(const hl_compute *compute, const test_scene *scene, placement wanted,
                  float *memory[OPERANDS], hl_error *error);
void forget_operands(float *memory[OPERANDS]);

bool same_bits(float a, float b);

/* The scene on one backend, in every layout, twice, against what `expected` holds for each operand. */
void compare_with(const char *what, const hl_compute *compute, const test_scene *scene,
                  float *const expected[OPERANDS], double tolerance);

/* The scene on every backend against `reference`. */
void conform(const char *what, const test_scene *scene);

#endif
