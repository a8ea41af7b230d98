/* A model whose tokens are pooled by attention: what it is made of, and what one pass over one image leaves.
 * At which level it is taken apart is its user's choice:
 *
 *     pooling      pool.H0 ... pool.MLP
 *     layers       input, L0.H0 ... L0.MLP, L1.H0 ... pool.MLP, remainder, see value_path.h
 *
 * Either way the contributions sum to the embedding. A head of the first is head width + 1 numbers for an
 * image, one of the second as many as the embedding has, and a few more: an atlas of those is large. */
#ifndef POOLED_H
#define POOLED_H

#include "value_path.h"

typedef struct pooled {
    /* From the plugin. */
    const hl_host *host;
    const char *plugin;         /* "siglip", for messages */
    const char *model;          /* the model's name, for messages */
    size_t layer;               /* the number of the pooling's components: how many layers are before it */
    bool by_layers;             /* the level */
    component_table components; /* made by pooled_describe */
    uint32_t *scopes;           /* of their further numbers, all alike */

    attention_pool pool; /* its shape is the plugin's, the rest after pooled_load */
    value_path path;     /* its layers are the plugin's where the level needs them */
} pooled;

/* Makes the component table. */
hl_status pooled_describe(pooled *self, hl_error *error);

/* `gain` and `shift`: of the norm before the pooling; rank 0 where there is none. */
hl_status pooled_load(pooled *self, loader *from, tensor_spec gain, tensor_spec shift);
void pooled_free(pooled *self);

/* See hl_model_api.basis. [any thread] */
hl_status pooled_basis(const pooled *self, uint32_t basis, float *out, hl_error *error);

/* See hl_model_api.value_gram; `gain` as for attention_pool_value_gram. [any thread] */
hl_status pooled_value_gram(const pooled *self, uint32_t component, const float *gain, double *out,
                            hl_error *error);

/* See pass_plan.h. */
pass_subject pooled_subject(const pooled *self);

/* HL_USAGE for what the level cannot do: the code of a layer's part says what the pooling makes of it, so
 * that nothing can be put in its place. */
hl_status pooled_check_edits(const pooled *self, const hl_request *request, hl_error *error);

/* ---- passes ---- */

/* For how many images a session has room, and how many of them are in memory at once. */
typedef struct pooled_rooms {
    size_t batch, together;
} pooled_rooms;

/* `most`: images that fit at once, 0 counts as 1. HL_USAGE for a batch that nobody needs. */
hl_status pooled_rooms_for(const pooled *self, size_t batch, size_t most, pooled_rooms *out, hl_error *error);

/* Runs the tower over images [first, first + count) and fills their traces, which are made. */
typedef hl_status pooled_pass(void *user, const pass_plan *plan, size_t first, size_t count,
                              hl_trace **traces, hl_error *error);

/* hl_model_api.encode_images by passes over as many images at a time as there is room for. */
hl_status pooled_encode(const pooled *self, pooled_rooms rooms, size_t count, const hl_request *request,
                        pooled_pass *run, void *user, hl_trace **traces, hl_error *error);

/* ---- traces ---- */

/* What an image's tokens were made by, kept on the host until the pooling is known: tokens x width each. */
typedef struct pooled_rows {
    const float *input;        /* NULL: nothing is asked of it; so below */
    const float *const *heads; /* by layer: outputs side by side */
    const float *const *mlps;  /* by layer */
    const float *statistics;   /* of the norm before the pooling: tokens x 2 */
} pooled_rows;

/* Traces of all images of a run, each with one reference; on failure some may be there. */
hl_status pooled_make_traces(const pooled *self, const pass_plan *plan, size_t count, hl_trace **traces,
                             hl_error *error);

/* Fills them from what the run left on the backend, and, where the level is that of layers, from `rows`, one
 * for each image; else NULL. */
hl_status pooled_fill_traces(const pooled *self, const pass_plan *plan, const pool_result *result,
                             size_t count, const pooled_rows *rows, hl_trace **traces, hl_error *error);

/* See hl_model_api. */
#define POOLED_TRACE_FUNCTIONS                                                                               \
    .retain = pooled_trace_retain, .release = pooled_trace_release, .bytes = pooled_trace_bytes,             \
    .embedding = pooled_trace_embedding, .code = pooled_trace_code, .token_codes = pooled_trace_token_codes

void pooled_trace_retain(hl_trace *trace);
void pooled_trace_release(hl_trace *trace);
size_t pooled_trace_bytes(const hl_trace *trace);
void pooled_trace_embedding(const hl_trace *trace, float *out);
hl_status pooled_trace_code(const hl_trace *trace, uint32_t component, float *out, hl_error *error);
hl_status pooled_trace_token_codes(const hl_trace *trace, uint32_t component, float *out, hl_error *error);

#endif
