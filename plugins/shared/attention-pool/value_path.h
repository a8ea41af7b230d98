/* What the layers before a pooling wrote into the embedding, through the pooling's values: exact, with the
 * attention of the pooling and the statistics of the layer norm before it held as they were.
 *
 * A residual row x_i is the sum of K = 2 layers + 1 summands m_i: what entered the first layer, and of each
 * layer the heads' outputs with its b_O, and the MLP's. The pooling sees n_i = gamma (x_i - mu_i)/sigma_i +
 * beta, and what it gathers is linear in n_i once a_{p,i} is given. So, with s_{p,i} = a_{p,i} / (sigma_i r),
 * W_V[p] with gamma folded in V[p] = diag(gamma) W_V[p]^T, and a summand's share f of mean and shift (1/K,
 * and 1/(K H) for each of H heads, whose m_i is z_i W_O[h] + b_O/H):
 *
 *     c = sum over p of ( sum over i of s_{p,i} m_i V[p] ) W_O[p]
 *         - f sum over p of ( sum over i of s_{p,i} mu_i ) 1 V[p] W_O[p] + f/r sum over p of beta W_V[p]^T
 * W_O[p]
 *
 * What the values' bias and the pooling's own b_O add is no layer's: remainder = ( sum over p of b_V[p]
 * W_O[p] + b_O ) / r. A code says what the pooling's heads gather of a summand, in the space of their values,
 * so that all bases are the pooling's W_O and a few rows of constants. With S_p = sum over i of s_{p,i} and
 * M_p = sum over i of s_{p,i} mu_i:
 *
 *     head         code [ sum_i s_{p,i} z_i W_O[h] V[p] for each p, S_1 .. S_P, M_1 .. M_P, 1/r ]
 *                  basis [ W_O ; b_O V[p] W_O[p] / H ; -f 1 V[p] W_O[p] ; f beta W_V^T W_O ], one for each
 * layer MLP, input   code [ sum_i s_{p,i} m_i V[p] for each p, M_1 .. M_P, 1/r ], basis as above without S,
 * shared remainder    code [ 1/r ]
 *
 * A head's parts by token are its summands by i: where it wrote. */
#ifndef VALUE_PATH_H
#define VALUE_PATH_H

#include "checkpoint/try.h"
#include "pool.h"

typedef struct value_path {
    const tower_shape *layers;
    const attention_pool *pool;
    double *values;  /* width x width: V[1] .. V[P] side by side */
    double *shift;   /* width: beta W_V^T */
    double *bias;    /* width: b_V */
    double *biases;  /* layers x width: b_O V */
    float *outs;     /* layers x width x width: W_O V */
    float *pool_out; /* embed_dim x width, as it is stored */
} value_path;

/* `layers` and `pool` are set; `gain` and `shift` are those of the norm before the pooling. */
hl_status value_path_load(value_path *self, loader *from, tensor_spec gain, tensor_spec shift);
void value_path_free(value_path *self); /* also one that is zeroed or loaded in part */

/* Further numbers of a code. */
static inline size_t path_head_scalars(const value_path *self) {
    return 2 * self->pool->shape->heads + 1;
}

static inline size_t path_row_scalars(const value_path *self) {
    return self->pool->shape->heads + 1;
}

/* Of one image. attention: heads x tokens; statistics: mean and deviation of each token's row. shares: heads
 * x tokens, s; scalars: S, M and 1/r. */
void value_path_weigh(const value_path *self, const float *attention, const float *statistics, double length,
                      double *shares, float *scalars);

/* rows: tokens x width, the heads' outputs z side by side. out: heads x width, their codes' own numbers. */
hl_status value_path_heads(const value_path *self, size_t layer, const double *shares, const float *rows,
                           float *out, hl_error *error);

/* The same of one token's row and one head: width numbers. */
void value_path_token(const value_path *self, size_t layer, size_t head, const double *shares, size_t token,
                      const float *row, float *out);

/* rows: tokens x width, what an MLP wrote, or what entered the first layer. out: width. */
hl_status value_path_rows(const value_path *self, const double *shares, const float *rows, float *out,
                          hl_error *error);

/* (width + scalars) x embed_dim; of the remainder embed_dim numbers. [any thread] */
hl_status value_path_head_basis(const value_path *self, size_t layer, float *out, hl_error *error);
hl_status value_path_row_basis(const value_path *self, float *out, hl_error *error);
hl_status value_path_remainder(const value_path *self, float *out, hl_error *error);

#endif
