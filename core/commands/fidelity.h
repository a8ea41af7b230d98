/* What a model makes of the same images and texts on one backend and on another, and how far the two lie
 * apart. */
#ifndef FIDELITY_H
#define FIDELITY_H

#include "core/atlas/gallery.h"
#include "core/engine/engine.h"

/* What all are given. */
typedef struct fidelity_input {
    const gallery *files; /* NULL: made images */
    size_t images;        /* files, or how many to make */
    size_t texts;         /* made ones */
    size_t batch;
} fidelity_input;

/* What a model makes of them. Zeroed: nothing. */
typedef struct fidelity_sample {
    size_t images, unreadable; /* files that are no images are left out */
    size_t texts;
    hl_error without_texts; /* empty, or why there are none */
    float *embeddings;      /* images x embed_dim, of length 1 */
    float *text_embeddings; /* texts x embed_dim */
    float **codes;          /* by component: images x code width */
    uint32_t components;
} fidelity_sample;

hl_status fidelity_take(engine *model, const fidelity_input *input, fidelity_sample *out, hl_error *error);
void fidelity_free(fidelity_sample *sample);

/* The Gram matrices of the bases of all heads, by which contributions are compared without being expanded. */
typedef struct fidelity_grams {
    double **all; /* by basis: rows x rows; NULL where no head has it */
    uint32_t count;
} fidelity_grams;

hl_status fidelity_grams_make(engine *model, fidelity_grams *out, hl_error *error);
void fidelity_grams_free(fidelity_grams *grams);

typedef struct fidelity_range {
    double worst, mean;
    size_t count; /* 0: there is nothing */
} fidelity_range;

/* How far off codes are: |code - exact| / |exact|, of each image and component. Of `kept` the worst is the
 * smallest. */
typedef struct fidelity_layer {
    int32_t layer; /* -1: outside the layers */
    fidelity_range heads, others, kept;
} fidelity_layer;

enum { FIDELITY_NEIGHBORS = 8 };

typedef struct fidelity_result {
    fidelity_range cosine, text_cosine; /* of embeddings; the worst is the smallest */
    double *kept; /* by number of the head: the share of the best FIDELITY_NEIGHBORS neighbours of an image,
                     by the dot product of what the head contributed, that are among its best here too; mean
                     over images. NULL: too few images */
    fidelity_range all_kept;
    fidelity_layer *layers; /* in their order, and what lies outside them before */
    size_t layer_count;
} fidelity_result;

/* Both samples are of one model and one input. */
hl_status fidelity_compare(const engine *model, const fidelity_grams *grams, const fidelity_sample *exact,
                           const fidelity_sample *sample, fidelity_result *out, hl_error *error);
void fidelity_result_free(fidelity_result *result);

#endif
