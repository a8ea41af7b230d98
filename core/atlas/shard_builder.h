/* A shard that is being filled in memory, image after image, and then written as a whole. */
#ifndef SHARD_BUILDER_H
#define SHARD_BUILDER_H

#include "core/atlas/opened.h"
#include "core/io/output.h"

typedef struct shard_builder shard_builder;

/* An image file as it was when its codes were made. */
typedef struct shard_image {
    const char *path;
    int64_t bytes, modified;
} shard_image;

/* For at most `capacity` images, skipped ones included. The layout outlives it. */
hl_status shard_builder_open(const shard_layout *layout, size_t capacity, shard_builder **out,
                             hl_error *error);
void shard_builder_close(shard_builder *self); /* accepts NULL */

/* Starts the next image, whose codes and columns then follow in any order. */
hl_status shard_builder_add(shard_builder *self, shard_image image, hl_error *error);
/* A head's whole code: width + scalar_count numbers. HL_FAILED, here and below, when the atlas's precision
 * does not hold them, as f16 does not hold what is beyond its range or far below it, or when one is no
 * number. */
hl_status shard_builder_code(shard_builder *self, size_t head, const float *code, hl_error *error);
/* One row of any other tensor of numbers that the layout has for each image. */
hl_status shard_builder_row(shard_builder *self, size_t tensor, const float *numbers, hl_error *error);

/* An image that cannot be read. */
hl_status shard_builder_skip(shard_builder *self, shard_image image, const char *reason, hl_error *error);

/* Image or skipped image number `row` of another shard of the same atlas, with all that is known of it;
 * columns that the other shard lacks follow as rows. The other shard has been verified. */
hl_status shard_builder_copy(shard_builder *self, const shard_file *from, size_t row, hl_error *error);
hl_status shard_builder_copy_skip(shard_builder *self, const shard_file *from, size_t row, hl_error *error);

/* Images and skipped images so far. */
size_t shard_builder_count(const shard_builder *self);

/* Computes the moments and writes the shard as a new file of the output. `shard` has its number and gets the
 * rest; its checksums are the caller's. */
hl_status shard_builder_write(shard_builder *self, const hl_host *host, output *out, manifest_shard *shard,
                              hl_error *error);

#endif
