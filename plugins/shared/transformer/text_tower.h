/* A transformer over the tokens of a text, one of which becomes the embedding (Radford et al. 2021,
 * section 2.4):
 *
 *     ids -> token embeddings + positions -> layers -> ln_final of the end token [-> projection] -> unit norm
 */
#ifndef TEXT_TOWER_H
#define TEXT_TOWER_H

#include "layer_stack.h"

typedef enum text_slot {
    TOKEN_EMBEDDING, /* vocab_size x width */
    TEXT_POSITION,   /* context x width */
    LN_FINAL_GAIN,
    LN_FINAL_SHIFT,
    TEXT_PROJECTION,      /* width x embed_dim; may be missing where the two are equal, as may its bias */
    TEXT_PROJECTION_BIAS, /* embed_dim */
    TEXT_SLOTS
} text_slot;

typedef struct text_shape {
    tower_shape layers;
    const char *const *names; /* by text_slot */
    size_t embed_dim, context, vocab_size;
    hl_mask mask;
    /* The token that becomes the embedding. With the causal mask nothing behind it is computed. */
    size_t (*pooled)(const struct text_shape *shape, const int32_t *ids);
    int32_t end_id; /* of text_pooled_at_end */
} text_shape;

/* CLIP's: the largest id, which is the end's; of several the first. */
size_t text_pooled_at_largest(const text_shape *shape, const int32_t *ids);

/* The first end_id; the first of all where there is none. */
size_t text_pooled_at_end(const text_shape *shape, const int32_t *ids);

/* The last of all, padding or not. */
size_t text_pooled_at_last(const text_shape *shape, const int32_t *ids);

/* rank 0 where the model has none. */
tensor_spec text_tensor(const text_shape *shape, text_slot slot);

/* Those that it has, without the layers'. At most TEXT_SLOTS; returns how many. */
size_t text_tensors(const text_shape *shape, tensor_spec *out);

typedef struct text_tower {
    /* From the plugin. */
    const hl_host *host;
    const char *plugin; /* "clip-vit", for messages */
    const char *model;  /* the model's name, for messages */
    const text_shape *shape;
    const checkpoint *weights; /* the token embedding stays there: texts read the few rows that they need */

    /* From here on: after text_tower_load. */
    const hl_compute *compute;
    layer_stack layers;
    hl_weight *projection; /* NULL: none */
    norm ln_final;
    float *position; /* context x width */
} text_tower;

/* Puts the weights on the backend; from->compute outlives the tower. */
hl_status text_tower_load(text_tower *self, loader *from);

/* Frees what there is: also a tower that is zeroed or loaded in part. */
void text_tower_free(text_tower *self);

/* Memory of one thread for at most `batch` texts at once; taken when the first texts come. */
typedef struct text_session {
    const text_tower *tower;
    size_t batch;
    scratch scratch;
    hl_tensor *heads, *rows, *embedding; /* of the pooled tokens */
    float *input;                        /* of the tokens of one pass */
} text_session;

void text_session_close(text_session *self);

/* See hl_model_api.encode_texts. A text's embedding does not depend on the others of its batch. */
hl_status text_session_encode(text_session *self, const int32_t *ids, size_t count, float *out,
                              hl_error *error);

#endif
