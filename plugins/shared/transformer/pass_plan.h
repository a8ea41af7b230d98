/* What a pass is asked for, checked, in the form in which the pass needs it. */
#ifndef PASS_PLAN_H
#define PASS_PLAN_H

#include "components.h"

/* Of what requests may speak. */
typedef struct pass_subject {
    const char *plugin; /* for messages */
    const component_table *components;
    size_t layers;     /* no component is of a later one */
    size_t query_rows; /* that edits may name */
} pass_subject;

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

typedef struct pass_plan {
    const hl_request *request; /* for the edits; NULL: nothing but the embedding */
    component_plan *components;
    layer_plan *layers;
    bool input;
} pass_plan;

/* HL_USAGE for whatever this model cannot do. */
hl_status pass_plan_make(const pass_subject *subject, const hl_request *request, pass_plan *out,
                         hl_error *error);
void pass_plan_free(pass_plan *plan);

#endif
