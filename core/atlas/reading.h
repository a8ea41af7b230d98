/* Numbers of chosen images of an atlas: codes, columns, moments. Each verifies what it reads (atlas_touch)
 * and looks afterwards whether the files are still what they were.
 *
 * Images are numbers of the atlas's images, in any order; `atlas_order` gives the order of their paths. [any
 * thread] */
#ifndef READING_H
#define READING_H

#include "core/atlas/atlas.h"

typedef struct atlas_images {
    const size_t *numbers; /* NULL: 0, 1, 2 ... */
    size_t count;
} atlas_images;

/* All images in the order of their paths: atlas_count(self) numbers into `out`. */
void atlas_order(const atlas *self, size_t *out);

/* y of a head: count x (width + scalar_count) numbers. */
hl_status atlas_read_codes(const atlas *self, const hl_host *host, size_t head, atlas_images images,
                           float *out, hl_error *error);
/* Embeddings, not normalised: count x embed_dim. HL_USAGE where the atlas lacks the column. */
hl_status atlas_read_embeddings(const atlas *self, const hl_host *host, atlas_images images, float *out,
                                hl_error *error);
/* Contributions of component number `row` of those that are no heads: count x embed_dim. */
hl_status atlas_read_others(const atlas *self, const hl_host *host, size_t row, atlas_images images,
                            float *out, hl_error *error);

/* Over the images that come `fold`, `fold + folds`, `fold + 2 folds` ... in the list (folds <= 1: all of
 * them): how many, the sum of y, and the sum of y^T y as a full symmetric matrix; n and n x n numbers, n =
 * width + scalar_count. Shards all of whose images are meant give the sums that they hold; the others are
 * added up from their codes. */
hl_status atlas_sum_moments(const atlas *self, const hl_host *host, size_t head, atlas_images images,
                            size_t fold, size_t folds, size_t *count, double *sum, double *products,
                            hl_error *error);

#endif
