/* What one pass over one image left. */
#ifndef TRACE_H
#define TRACE_H

#include "image_tower.h"
#include "pass_plan.h"
#include <stdatomic.h>

/* One allocation. Pointers are NULL where the plan did not ask. */
struct hl_trace {
    atomic_size_t references;
    const image_tower *tower;
    size_t bytes;
    hl_trace *next;   /* while it is a spare one */
    double scale;     /* 1 / (sigma r) */
    float further[3]; /* 1 / (sigma r), mu / (sigma r), 1 / r */
    float *embedding;
    component_plan *components;
    float *input;                               /* width */
    float **heads;                              /* of a layer: width */
    float **mlps;                               /* of a layer: width */
    float **inner;                              /* of a layer: 2, what its heads' inner norm saw */
    float **attention;                          /* of a layer: heads x tokens */
    float **values;                             /* of a layer: tokens x width */
    _Alignas(max_align_t) unsigned char rest[]; /* what the pointers point to */
};

hl_status spare_traces_open(spare_traces **out, hl_error *error);
void spare_traces_close(const hl_host *host, spare_traces *self); /* accepts NULL */

hl_trace *trace_new(const image_tower *tower, const pass_plan *plan); /* one reference; NULL: no memory */

/* Sets the embedding and what follows from it and from ln_post's mean and deviation. */
hl_status trace_finish(hl_trace *trace, const float *embedding, const float statistics[2], hl_error *error);

#endif
