/* A vision transformer whose last rows are pooled by attention (Zhai et al. 2023):
 *
 *     pixels -> patches + positions -> layers -> ln_post of every row -> pooling -> e
 *
 * A plugin fills the shapes, describes, opens its checkpoint with image_tensors, layer_tensors and
 * pool_tensors, loads; the functions of hl_model_api that are about traces are in pooled.h, ready to be named
 * in its table. */
#ifndef POOLED_TOWER_H
#define POOLED_TOWER_H

#include "pooled.h"
#include "transformer/image_tower.h"

typedef struct pooled_tower {
    image_tower trunk; /* its pooling is elsewhere: here */
    pooled top;
} pooled_tower;

/* Host, plugin, model, shape and weights of the trunk are set, and the pool's shape; makes the component
 * table. */
hl_status pooled_tower_describe(pooled_tower *self, bool by_layers, hl_error *error);

/* Puts the weights on the backend; from->compute outlives the tower. */
hl_status pooled_tower_load(pooled_tower *self, loader *from);
void pooled_tower_free(pooled_tower *self); /* also one that is zeroed or loaded in part */

/* See hl_model_api.value_gram. [any thread] */
hl_status pooled_tower_value_gram(const pooled_tower *self, uint32_t component, double *out, hl_error *error);

/* Memory of one thread for passes of at most `batch` images. */
typedef struct pooled_tower_session {
    const pooled_tower *tower;
    pooled_rooms rooms; /* the level of layers keeps the rows of all layers */
    scratch scratch;
    patch_room patches;
    pool_session pool;
    hl_tensor *statistics;  /* of ln_post: together * tokens x 2 */
    float *host_statistics; /* the same; the level of layers alone, as what follows */
    float *kept;            /* (2 layers + 1) x together * tokens x width: heads, MLPs, the input */
    const float **places;   /* where an image's rows lie: together x 2 layers */
    pooled_rows *rows;      /* together */
} pooled_tower_session;

/* Close it also after a failure. */
hl_status pooled_tower_session_open(const pooled_tower *tower, size_t batch, pooled_tower_session *out,
                                    hl_error *error);
void pooled_tower_session_close(pooled_tower_session *self);

/* See hl_model_api.encode_images. */
hl_status pooled_tower_encode(pooled_tower_session *self, const float *pixels, size_t count,
                              const hl_request *request, hl_trace **traces, hl_error *error);

#endif
