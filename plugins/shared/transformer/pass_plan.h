/* What a pass is asked for, checked, in the form in which the pass needs it. */
#ifndef PASS_PLAN_H
#define PASS_PLAN_H

#include "components.h"
#include "pooling.h"

/* Of what requests may speak. */
typedef struct pass_subject {
    const char *plugin; /* for messages */
    const component_table *components;
    size_t layers;     /* no component is of a later one */
    size_t query_rows; /* that edits may name */
    pooling pooled;    /* those of them that heads are captured of */
} pass_subject;

/* What a trace will tell of a component. */
typedef struct component_plan {
    bool code, tokens;
    bool even;      /* a pooled row is replaced: what it writes is spread evenly over the tokens */
    float *factors; /* of what each query row takes of its tokens, from edits; NULL: 1 each */
} component_plan;

/* What a layer has to hand over. */
typedef struct layer_plan {
    bool heads, tokens, mlp;
} layer_plan;

typedef struct pass_plan {
    const hl_request *request; /* for the edits; NULL: nothing but the embedding */
    component_plan *components;
    size_t component_count;
    layer_plan *layers;
    bool input;
} pass_plan;

/* HL_USAGE for whatever this model cannot do. */
hl_status pass_plan_make(const pass_subject *subject, const hl_request *request, pass_plan *out,
                         hl_error *error);
void pass_plan_free(pass_plan *plan);

/* Whether anything is asked for besides the embedding. */
bool pass_plan_captures(const pass_plan *plan);

#endif
