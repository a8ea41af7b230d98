/* A vision transformer (Radford et al. 2021, section 2.4; Dosovitskiy et al. 2021, section 3.1), as a model
 * plugin needs it: passes over images that leave codes, and bases for the codes.
 *
 *     pixels -> [class token,] patches + positions -> [ln_pre] -> layers -> pooling, ln_post -> projection
 *
 * Towers differ in how their tokens' rows become one, and that is data: a weight w_q for each row q of a run
 * of rows, the weights summing to 1. The pooled row is x = sum over q of w_q x_q, and the embedding
 *
 *     e = (gamma (x - mu) / sigma + beta) P [+ b]
 *
 *     pooling         rows of        w_q                   mu, sigma
 *     class token     that token     1                     what ln_post saw there
 *     mean            the patches    1/n                   what ln_post saw in the mean row
 *     mean of norms   the patches    sigma/(n sigma_q)     sum w_q mu_q, n/(sum 1/sigma_q)
 *
 * where mu_q, sigma_q are what ln_post saw in row q of the n that are pooled.
 *
 * Since e is linear in x, whatever writes to the residual stream is pooled alike: a head's output z, an MLP's
 * m, what enters the first layer, and the attention by which a head gathers a token (u_i = sum w_q a_qi v_i).
 * With r = |e|, G = diag(gamma) P, H heads in a layer and K = 2 layers + 1 summands (Gandelsman, Efros and
 * Steinhardt 2024, section 3):
 *
 *     head         code [z/(sigma r), 1/(sigma r), mu/(sigma r), 1/r]
 *                  basis [W_O[h] G; b_O G/H; -gamma P/(K H); beta P/(K H)]
 *     MLP, input   code [m/(sigma r), mu/(sigma r), 1/r]
 *                  basis [G; -gamma P/K; beta P/K], shared
 *     remainder    code [1/r], basis [b]: only where the projection has a bias
 *
 * Where an inner norm (gain g, shift s) stands between a layer's heads and its output projection, z/sigma_l
 * takes the place of z, with mu_l, sigma_l what that norm saw in all heads of the layer side by side:
 *
 *     head         code [z/(sigma_l sigma r), mu_l/(sigma_l sigma r), 1/(sigma r), mu/(sigma r), 1/r]
 *                  basis [diag(g[h]) W_O[h] G; -g[h] W_O[h] G; s[h] W_O[h] G + b_O G/H; the same two]
 *
 * Only towers whose class token becomes the embedding may have one.
 *
 * Their contributions sum to e/r. Positions that the weights have for another grid are resized.
 *
 * A plugin fills the shape, describes, opens its checkpoint with image_tensors, loads; the functions of
 * hl_model_api that are about traces are here ready to be named in its table. */
#ifndef IMAGE_TOWER_H
#define IMAGE_TOWER_H

#include "components.h"
#include "layer_stack.h"

/* Those marked * may be missing. */
typedef enum image_slot {
    CLASS_EMBEDDING, /* * width */
    IMAGE_POSITION,  /* tokens x width */
    PATCH_WEIGHT,    /* width x 3 x patch x patch */
    PATCH_BIAS,      /* * width */
    LN_PRE_GAIN,     /* * width */
    LN_PRE_SHIFT,    /* * width */
    LN_POST_GAIN,
    LN_POST_SHIFT,
    IMAGE_PROJECTION, /* width x embed_dim; missing only where pooling is elsewhere */
    PROJECTION_BIAS,  /* * embed_dim */
    IMAGE_SLOTS
} image_slot;

/* See above. Where pooling is the business of another part, the tower ends with ln_post: it has no
 * projection, no bases, and passes over it are that part's. */
typedef enum image_pooling {
    IMAGE_POOL_CLASS,
    IMAGE_POOL_MEAN,
    IMAGE_POOL_MEAN_OF_NORMS,
    IMAGE_POOL_ELSEWHERE
} image_pooling;

typedef struct image_shape {
    tower_shape layers;
    const char *const *names; /* by image_slot; NULL: the model has none */
    image_pooling pooling;
    size_t embed_dim;
    size_t image_height, image_width, patch; /* in pixels; of a patch: its side */
    size_t grid_rows, grid_cols;             /* of patches */
    double rotary_side;                      /* of the grid that rotary positions count in; 0: none */
    size_t places_rows, places_cols;         /* of the grid that the weights were trained for; 0: the same */
} image_shape;

/* Tokens before the grid's: the class token. */
static inline size_t image_prefix(const image_shape *shape) {
    return shape->names[CLASS_EMBEDDING] ? 1 : 0;
}

static inline size_t image_cells(const image_shape *shape) {
    return shape->grid_rows * shape->grid_cols;
}

static inline size_t image_tokens(const image_shape *shape) {
    return image_prefix(shape) + image_cells(shape);
}

/* The rows of an image that are pooled. */
static inline pooling image_pooled_rows(const image_shape *shape) {
    bool one = shape->pooling == IMAGE_POOL_CLASS;
    return (pooling){one ? 0 : image_prefix(shape), one ? 1 : image_cells(shape), NULL};
}

/* The option by which users give a tower images of another size; `text` is its value. */
#define IMAGE_SIZE_OPTION                                                                                    \
    {                                                                                                        \
        .name = "image-size", .type = HL_STRING, .fallback = "~",                                            \
        .help = "pixels a side, or height x width as in 240x320, in place of the configuration's; position " \
                "embeddings are resized"                                                                     \
    }
hl_status image_shape_set_size(image_shape *shape, const char *text, hl_error *error);

/* rank 0 where the model has none. */
tensor_spec image_tensor(const image_shape *shape, image_slot slot);

/* Those that it has, without the layers'. At most IMAGE_SLOTS; returns how many. */
size_t image_tensors(const image_shape *shape, tensor_spec *out);

typedef struct recent_bases recent_bases; /* see bases.c */
typedef struct spare_traces spare_traces; /* see trace.c */

typedef struct image_tower {
    /* From the plugin. */
    const hl_host *host;
    const char *plugin; /* "clip-vit", for messages */
    const char *model;  /* the model's name, for messages */
    const image_shape *shape;
    const checkpoint *weights;
    component_table components;      /* made by image_tower_describe, which finds too: */
    size_t places_rows, places_cols; /* the grid that the weights have positions for */

    /* From here on: after image_tower_load. */
    const hl_compute *compute;
    layer_stack layers;
    hl_weight *patch, *projection;
    hl_tensor *class_embedding, *position;
    norm ln_pre, ln_post;
    size_t *pooled_rows;    /* their numbers within an image */
    double *projected;      /* what all bases share, see bases.c */
    float *projection_bias; /* embed_dim; NULL: none */
    recent_bases *recent;
    spare_traces *spare;
} image_tower;

/* Makes the component table, and looks what the opened weights leave open. */
hl_status image_tower_describe(image_tower *self, hl_error *error);

/* Whether the positions of the grid are resized ones. */
static inline bool image_tower_resizes_places(const image_tower *self) {
    return self->places_rows != self->shape->grid_rows || self->places_cols != self->shape->grid_cols;
}

/* Puts the weights on the backend; from->compute outlives the tower. */
hl_status image_tower_load(image_tower *self, loader *from);

/* Frees what there is: also a tower that is zeroed, only described, or loaded in part. */
void image_tower_free(image_tower *self);

/* See hl_model_api.basis. [any thread] */
hl_status image_tower_basis(const image_tower *self, uint32_t basis, float *out, hl_error *error);

/* See hl_model_api.queries. [any thread] */
hl_status image_tower_queries(const image_tower *self, const float *vector, float *out, hl_error *error);

/* See hl_model_api.value_gram. [any thread] */
hl_status image_tower_value_gram(const image_tower *self, uint32_t component, double *out, hl_error *error);

/* Memory for the first step of a pass. */
typedef struct patch_room {
    hl_tensor *pixels;
    float *crop; /* host memory: pixels without the margin that no patch covers; NULL: no margin */
} patch_room;

hl_status patch_room_open(const image_tower *tower, size_t batch, patch_room *out, hl_error *error);
void patch_room_close(const image_tower *tower, patch_room *room);

/* pixels (count x 3 x height x width) -> x: the rows of all tokens that enter the first layer. */
hl_status embed_patches(const image_tower *tower, const patch_room *room, const float *pixels, size_t count,
                        hl_matrix x, hl_error *error);

/* Memory of one thread for passes of at most `batch` images; taken when the first images come. */
typedef struct image_session {
    const image_tower *tower;
    size_t batch;
    bool opened; /* what follows is there: since the first images */
    scratch scratch;
    patch_room patches;
    hl_tensor *query;          /* of a layer that computes one row only: batch x width */
    hl_tensor *heads;          /* pooled heads' outputs, layers x batch x width */
    hl_tensor *inner;          /* what inner norms saw in pooled rows, layers x batch x 2; NULL: none */
    hl_tensor *hidden;         /* an MLP's pooled hidden layer, batch x hidden */
    hl_tensor *mlps;           /* pooled inputs and MLPs' outputs, (1 + layers) x batch x width */
    hl_tensor *probabilities;  /* of the pooled rows, batch x heads x rows x tokens; made when first wanted */
    hl_tensor *pooled;         /* the pooled row, then ln_post's output, batch x width */
    hl_tensor *statistics;     /* of ln_post, one or all rows of an image x 2 */
    hl_tensor *embedding;      /* batch x embed_dim */
    float *host_rows;          /* host memory: (1 + layers) x batch x width */
    float *host_embedding;     /* host memory: batch x embed_dim */
    float *host_statistics;    /* host memory: as `statistics` */
    float *host_weights;       /* host memory, where weights follow from statistics: batch x cells */
    float *host_probabilities; /* host memory: of one image */
} image_session;

/* Close it also after a failure. */
hl_status image_session_open(const image_tower *tower, size_t batch, image_session *out, hl_error *error);
void image_session_close(image_session *self);

/* See hl_model_api.encode_images. */
hl_status image_session_encode(image_session *self, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error);

/* See hl_model_api. */
#define TRACE_FUNCTIONS                                                                                      \
    .retain = trace_retain, .release = trace_release, .bytes = trace_bytes, .embedding = trace_embedding,    \
    .code = trace_code, .token_codes = trace_token_codes, .token_parts = trace_token_parts

void trace_retain(hl_trace *trace);
void trace_release(hl_trace *trace);
size_t trace_bytes(const hl_trace *trace);
void trace_embedding(const hl_trace *trace, float *out);
hl_status trace_code(const hl_trace *trace, uint32_t component, float *out, hl_error *error);
hl_status trace_token_codes(const hl_trace *trace, uint32_t component, float *out, hl_error *error);
hl_status trace_token_parts(const hl_trace *trace, uint32_t component, hl_token_parts *out, float *even,
                            hl_error *error);

#endif
