/* A model of two towers of which that for images is a vision transformer (transformer/image_tower.h): what
 * its configuration says, its tensors, what it says about itself, its passes. A plugin fills a vit_config,
 * names tensors and files, and says whatever is special.
 *
 * Where the image tower's rows are pooled elsewhere (attention-pool/), the configuration, the tensors and the
 * info are these and the passes are that part's. */
#ifndef VIT_MODEL_H
#define VIT_MODEL_H

#include "transformer/image_tower.h"
#include "two_towers.h"

typedef struct vit_config {
    image_shape image;
    hl_preprocess preprocess;
    bool has_texts;
    text_shape text;
    tokenizer_rules tokenizer;
} vit_config;

/* Images of the size that a user gave, see IMAGE_SIZE_OPTION; NULL: of the configuration's. */
hl_status vit_set_size(vit_config *self, const char *size, hl_error *error);

/* ---- weights ---- */

/* checkpoint_open for the tensors of both towers, and for `others` of the image tower. `rules` lacks
 * `tensors` and `beyond`. */
hl_status vit_open_weights(const hl_host *host, const hl_model_source *source, const vit_config *config,
                           const tensor_spec *others, size_t other_count, checkpoint_rules rules,
                           checkpoint *out, hl_error *error);

/* How many numbers the image tower has, without the `others` above. */
hl_status vit_count_numbers(const vit_config *config, size_t *out, hl_error *error);

/* ---- what it says about itself ---- */

/* All but name, summary and facts. `pooled`: the rows that become the embedding. */
hl_model_info vit_info(const vit_config *config, const component_table *components, pooling pooled);

/* "224 pixels", "224 x 336 pixels". */
void vit_tell_size(const image_shape *shape, char out[48]);

/* For a digest, behind the height: " by 336", the width of images that are no squares; else "". */
void vit_tell_width(const image_shape *shape, char out[32]);

/* From which grid to which positions were resized, where they were. */
void vit_state_places(two_towers *self, const image_tower *tower);

/* ---- models whose image tower pools itself ---- */

typedef struct vit_model {
    two_towers base; /* first */
    image_tower image;
} vit_model;

typedef struct vit_session {
    two_towers_session base; /* first */
    image_session image;
} vit_session;

/* Once the weights are open: tower and texts, and the info. `config` outlives the model. */
hl_status vit_open(vit_model *self, const vit_config *config, const hl_model_source *source, hl_error *error);

/* For a two_towers_kind, besides `close`, which ends in vit_close. */
#define VIT_KIND                                                                                             \
    .load = vit_load, .session_size = sizeof(vit_session), .open_session = vit_open_session,                 \
    .close_session = vit_close_session

void vit_close(hl_model *model);
hl_status vit_load(hl_model *model, loader *from);
hl_status vit_open_session(const hl_model *model, size_t batch, hl_session *session, hl_error *error);
void vit_close_session(hl_session *session);

/* For the table, besides TWO_TOWERS_FUNCTIONS. */
#define VIT_FUNCTIONS                                                                                        \
    .basis = vit_basis, .queries = vit_queries, .value_gram = vit_value_gram,                                \
    .encode_images = vit_encode_images, TRACE_FUNCTIONS

hl_status vit_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error);
hl_status vit_queries(const hl_model *model, const float *vector, float *out, hl_error *error);
hl_status vit_value_gram(const hl_model *model, uint32_t component, double *out, hl_error *error);
hl_status vit_encode_images(hl_session *session, const float *pixels, size_t count, const hl_request *request,
                            hl_trace **traces, hl_error *error);

#endif
