/* A direction of the joint space as an experiment writes it: a text, templates around one, an image, a row of
 * a .npy file, a sum of these. Files are read at once; the vector follows when a model can encode. */
#ifndef DIRECTION_H
#define DIRECTION_H

#include "core/io/arena.h"
#include "core/io/yaml.h"
#include "headlight/model.h"
#include "headlight/option.h"

typedef struct direction_form direction_form;
struct direction_form {
    hl_direction shown;     /* first: what plugins get */
    const yaml_node *place; /* NULL: it comes from a program */
    const char **texts;     /* whose embeddings' mean it is: one, or one for each template */
    size_t text_count;
    const hl_image *image; /* whose embedding it is */
    const float *row;      /* `width` numbers, taken as they are */
    size_t width;
    direction_form **terms; /* whose weighted sum it is */
    double *weights;
    size_t term_count;
};

/* Memory and nodes outlive *out. */
hl_status direction_read(arena *memory, const yaml_node *node, direction_form **out, hl_error *error);

/* Whether the numbers that it takes from files fit the model. */
hl_status direction_check(const direction_form *self, const hl_model_info *model, hl_error *error);

/* Calls `each` with every text that is to be encoded. */
typedef hl_status direction_text(void *user, const char *text, hl_error *error);
hl_status direction_texts(const direction_form *self, direction_text *each, void *user, hl_error *error);

/* The images in it, in order; NULL past the end. */
const hl_image *direction_image(const direction_form *self, size_t index);

/* Who encodes: `texts` gets all texts at once and fills count x embed_dim numbers of unit norm; `image` fills
 * embed_dim numbers of any norm. */
typedef struct direction_encoder {
    void *user;
    hl_status (*texts)(void *user, const char *const *texts, size_t count, float *out, hl_error *error);
    hl_status (*image)(void *user, const hl_image *image, float *out, hl_error *error);
} direction_encoder;

/* Gives all of them their vectors; all texts are encoded in one go. */
hl_status directions_encode(arena *memory, direction_form *const *all, size_t count, uint32_t embed_dim,
                            const direction_encoder *encoder, hl_error *error);

#endif
