/* The components of a model as files, whatever shape its table has: `components.json` says what they are, and
 * `contributions.npy` what each wrote, in that order. Part of decompose.c's work. */
#ifndef COMPONENT_ARRAYS_H
#define COMPONENT_ARRAYS_H

#include "core/engine/engine.h"
#include "core/io/output.h"

typedef struct component_arrays component_arrays;

typedef struct component_wish {
    size_t images;
    bool bases;  /* `bases.npy`, bases x rows x embed_dim, where all have one shape */
    bool tokens; /* `component_tokens-NAME.npy`, images x tokens x embed_dim, of each that has parts by token
                  */
} component_wish;

/* Begins all files; the model is loaded. component_arrays_free what was made, also after a failure. */
hl_status component_arrays_begin(engine *model, output *files, component_wish wish, component_arrays **out,
                                 hl_error *error);
hl_status component_arrays_add(component_arrays *self, const hl_trace *trace, hl_error *error);
void component_arrays_free(component_arrays *self); /* accepts NULL */

#endif
