/* Edits of a pass, applied to what its parts write (hl_edit). Knows no tower. */
#ifndef EDITS_H
#define EDITS_H

#include "pass_plan.h"

/* What a pass over `count` images changes. */
typedef struct pass_edits {
    const hl_compute *compute;
    const component_table *components;
    const hl_request *request; /* NULL: nothing */
    size_t count;
    hl_error *error;
} pass_edits;

/* `outputs`: of a layer's heads side by side, of its MLP, or what enters the first; as many rows for each
 * image. */
hl_status edits_apply_heads(const pass_edits *edits, size_t layer, size_t heads, hl_matrix outputs);
hl_status edits_apply_mlp(const pass_edits *edits, size_t layer, hl_matrix outputs);
hl_status edits_apply_input(const pass_edits *edits, hl_matrix rows);

bool edits_touch_mlp(const pass_edits *edits, size_t layer);

/* x += y, in host memory: no operation of a backend adds two matrices. */
hl_status add_rows(const hl_compute *compute, hl_matrix y, hl_matrix x, hl_error *error);

#endif
