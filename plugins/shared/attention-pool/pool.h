/* Attention that makes one row of many: a query asks all tokens of an image, and what its heads gather
 * becomes the embedding, through one more MLP where the model has it (Zhai et al. 2023; Radford et al. 2021,
 * section 2.3).
 *
 *     tokens x_i -> a_{p,i} = softmax over i of q_p . k_{p,i}, v_{p,i} = W_V[p] x_i + b_V[p]
 *     z_p = sum over i of a_{p,i} v_{p,i},    o = sum over p of z_p W_O[p] + b_O
 *     e = o + m,  m = MLP(norm(o)),  or e = o
 *
 * With r = |e|, P heads and N tokens, exactly:
 *
 *     pool.Hp      code [z_p/r, 1/r]   basis [W_O[p]; b_O/P], one each; its parts by token i: [a_{p,i}
 * v_{p,i}/r, 1/(N r)] pool.MLP     code m/r            basis: one
 *
 * Knows tensors; never what the tokens are, nor what becomes of the row. */
#ifndef ATTENTION_POOL_H
#define ATTENTION_POOL_H

#include "transformer/edits.h"
#include "transformer/layer_stack.h"

/* Matrices are stored as out x in. */
typedef enum pool_slot {
    POOL_QUERY,      /* width: what is learned to ask; without it the first token of each image asks */
    POOL_QKV_WEIGHT, /* queries, keys and values, one below the other */
    POOL_QKV_BIAS,
    POOL_OUT_WEIGHT, /* embed_dim x width */
    POOL_OUT_BIAS,
    POOL_NORM_GAIN, /* this and all that follows: only with an MLP */
    POOL_NORM_SHIFT,
    POOL_MLP_IN_WEIGHT, /* hidden x embed_dim */
    POOL_MLP_IN_BIAS,
    POOL_MLP_OUT_WEIGHT,
    POOL_MLP_OUT_BIAS,
    POOL_SLOTS
} pool_slot;

typedef struct pool_shape {
    const char *const *names; /* by pool_slot; NULL: the model has none */
    size_t tokens, width, heads, embed_dim;
    size_t hidden; /* 0: no MLP */
    hl_activation activation;
    float epsilon; /* of the MLP's norm */
} pool_shape;

static inline size_t pool_head_width(const pool_shape *shape) {
    return shape->width / shape->heads;
}

/* rank 0 where the model has none. */
tensor_spec pool_tensor(const pool_shape *shape, pool_slot slot);

/* Those that it has, at most POOL_SLOTS; returns how many. */
size_t pool_tensors(const pool_shape *shape, tensor_spec *out);

typedef struct attention_pool {
    const pool_shape *shape;
    const checkpoint *weights;
    const hl_compute *compute;
    hl_weight *query; /* NULL: `asked` takes its place */
    float *asked;     /* the query that all images share, width */
    hl_weight *kv, *out, *mlp_in, *mlp_out;
    norm norm;
} attention_pool;

/* Puts the weights on the backend; `shape` is set, from->compute outlives the pool. */
hl_status attention_pool_load(attention_pool *self, loader *from);
void attention_pool_free(attention_pool *self); /* also one that is zeroed or loaded in part */

/* Of a head: (head width + 1) x embed_dim. [any thread] */
hl_status attention_pool_basis(const attention_pool *self, size_t head, float *out, hl_error *error);

/* V^T V of a head's value map, `gain` (width numbers) of a norm before it folded in; NULL: none.
 * [any thread] */
hl_status attention_pool_value_gram(const attention_pool *self, size_t head, const float *gain, double *out,
                                    hl_error *error);

/* Rows of the value projection: width x width, and its bias: width. free() both. */
hl_status attention_pool_values(const attention_pool *self, float **matrix, float **bias, hl_error *error);

/* Memory of one thread for at most `batch` images. */
typedef struct pool_session {
    const attention_pool *pool;
    size_t batch;
    hl_tensor *query, *heads, *probabilities, *row, *normed, *hidden, *mlp;
} pool_session;

/* Close it also after a failure. */
hl_status pool_session_open(const attention_pool *pool, size_t batch, pool_session *out, hl_error *error);
void pool_session_close(pool_session *self);

/* What one run left on the backend; `mlp.tensor` is NULL where there is none. */
typedef struct pool_result {
    hl_matrix heads;         /* count x width: z of all heads, with edits */
    hl_matrix probabilities; /* count * heads x tokens, without */
    hl_matrix values;        /* count * tokens x width */
    hl_matrix row, mlp;      /* count x embed_dim: o, and m */
} pool_result;

/* `tokens`: of edits->count images. `room`: a matrix of as many rows and 2 width columns, in which `values`
 * then lie. `layer`: of the pooling's components. */
hl_status pool_session_run(pool_session *self, const pass_edits *edits, size_t layer, hl_matrix tokens,
                           hl_matrix room, pool_result *out);

#endif
