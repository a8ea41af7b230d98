/* The table of shapes that every backend has to get right. */
#ifndef CASES_H
#define CASES_H

#include "core/conformance/layers.h"

/* Calls `visit` with each case of an operation; `what` says its shape: "linear 34 x 40 -> 65, gelu". Stops
 * with the first that fails. */
typedef hl_status case_visit(void *user, const char *what, const test_scene *scene, hl_error *error);
hl_status cases_visit(operation_number operation, case_visit *visit, void *user, hl_error *error);

#endif
