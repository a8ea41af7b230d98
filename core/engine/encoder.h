/* Encodes any number of images on all cores. Each thread takes whole batches, which it decodes and encodes in
 * a session of its own, so that none waits for another within a batch, whether decoding or the model takes
 * longer. What comes of them is handed on in the order of the images. Knows files, pixels and models, no
 * atlas. */
#ifndef ENCODER_H
#define ENCODER_H

#include "core/atlas/gallery.h"
#include "core/engine/engine.h"

typedef struct encoded_batch {
    size_t first, count;     /* of the settings' images */
    hl_trace *const *traces; /* of those that could be read, in their order, without gaps */
    size_t readable;
    const hl_status
        *statuses; /* by image of the batch: HL_OK where it could be read, else as picture_load has it */
    const hl_error *errors; /* and why not */
} encoded_batch;

typedef struct encoder_settings {
    const gallery_image *const *images; /* in the order in which they will come */
    size_t count;
    size_t group; /* a batch begins at every multiple of this ... */
    size_t batch; /* ... and holds at most so many images */
    const hl_request *request;
    /* Called for one batch at a time, in order, from any thread. The traces are released afterwards. */
    hl_status (*keep)(void *user, const encoded_batch *batch, hl_error *error);
    void *user;
} encoder_settings;

/* On a loaded engine. What a batch holds depends on the settings alone: how many threads there are changes no
 * result. Stops at the first error; an image that cannot be read is none, unless memory is what it lacks. */
hl_status encoder_run(const engine *model, const encoder_settings *settings, hl_error *error);

#endif
