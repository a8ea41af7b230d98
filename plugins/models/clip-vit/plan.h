/* What a pass is asked for, checked, in the form in which the pass needs it. */
#ifndef PLAN_H
#define PLAN_H

#include "headlight/model.h"

/* What a trace will tell of a component. */
typedef struct component_plan {
    bool code, tokens;
    bool even;    /* replaced: its parts by token are all the same */
    float factor; /* of its parts by token, from edits of the pooled row */
} component_plan;

/* What a layer has to hand over. */
typedef struct layer_plan {
    bool heads, tokens, mlp;
} layer_plan;

typedef struct plan {
    const hl_request *request; /* for the edits; NULL: nothing but the embedding */
    component_plan *components;
    layer_plan *layers;
    bool input;
} plan;

/* HL_USAGE for whatever this model cannot do. */
hl_status plan_make(const hl_model *model, const hl_request *request, plan *out, hl_error *error);
void plan_free(plan *p);

#endif
