/* Scenes (core/conformance) on all backends, for tests that say how an operation must be. */
#ifndef TESTS_OPERATION_H
#define TESTS_OPERATION_H

#include "core/conformance/cases.h"
#include "core/conformance/layers.h"
#include "core/conformance/scene.h"
#include "tests/plugins.h"

/* The yardstick for all other backends; opened with them. */
extern hl_compute reference;

/* The setup and the end of a group of tests: the built compute plugins and the fixture `opaque`. */
int set_up_backends(void **state);
int tear_down_backends(void **state);

/* The scene on one backend, in every layout, twice, against what `expected` holds for each operand. */
void compare_with(const char *what, const hl_compute *compute, const test_scene *scene,
                  float *const expected[OPERANDS], double tolerance);

/* The scene on every backend against `reference`. */
void conform(const char *what, const test_scene *scene);

/* All cases of an operation that `headlight check-plugin` knows, on every backend. */
void conform_all(operation_number operation);

#endif
