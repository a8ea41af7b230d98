/* Decodes images in threads of its own, some batches ahead of whoever encodes them. Knows files and pixels,
 * no model and no atlas. */
#ifndef DECODE_AHEAD_H
#define DECODE_AHEAD_H

#include "core/atlas/gallery.h"
#include "headlight/model.h"

typedef struct decode_ahead decode_ahead;

typedef struct decode_settings {
    const gallery_image *const *images; /* in the order in which they will come */
    size_t count;
    size_t group; /* a batch begins at every multiple of this ... */
    size_t batch; /* ... and holds at most so many images */
    unsigned threads;
    const hl_preprocess *preprocess;
} decode_settings;

typedef struct decoded_batch {
    size_t first, count; /* of the settings' images */
    float *pixels;       /* of those that could be read, in their order, without gaps */
    size_t readable;
    const hl_error *errors; /* by image of the batch; an empty message where it could be read */
} decoded_batch;

/* The settings' arrays outlive it. */
hl_status decode_ahead_open(const decode_settings *settings, decode_ahead **out, hl_error *error);
/* Waits for the next batch; it is valid until the next call. NULL after the last one. [one thread] */
const decoded_batch *decode_ahead_next(decode_ahead *self);
void decode_ahead_close(decode_ahead *self); /* stops early if need be; accepts NULL */

#endif
