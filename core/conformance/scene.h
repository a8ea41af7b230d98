/* One operation of a compute backend with its operands, played on any backend and in several layouts, and
 * judged inside and around its results. */
#ifndef SCENE_H
#define SCENE_H

#include "core/host/compute.h"
#include "core/host/operations.h"
#include <stdbool.h>

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
/* free() them; NULL: no memory. */
float *random_numbers(size_t count, uint32_t seed, float centre);

/* What a tensor holds before the operation. free() it; NULL: no memory. */
float *initial(const test_scene *scene, size_t index, placement layout);

/* Plays a scene; memory gets the whole tensor of each operand afterwards, for the caller to free. */
hl_status attempt(const hl_compute *compute, const test_scene *scene, placement wanted,
                  float *memory[OPERANDS], hl_error *error);
void forget_operands(float *memory[OPERANDS]);

bool same_bits(float a, float b);

/* What a single operation may be off, of what a backend promises of a whole model (compute.h), of the largest
 * value expected. */
double scene_tolerance(const hl_compute *compute);

/* The scene on one backend, in every layout, twice, against what `expected` holds for each operand. HL_FAILED
 * names `what`, the layout and the operand. */
hl_status scene_compare(const char *what, const hl_compute *compute, const test_scene *scene,
                        float *const expected[OPERANDS], double tolerance, hl_error *error);

/* The scene on one backend against `reference`. */
hl_status scene_check(const char *what, const hl_compute *compute, const hl_compute *reference,
                      const test_scene *scene, hl_error *error);

#endif
