/* See encoder.h. Batches wait in a ring until their turn comes, so that memory stays the same however many
 * images there are. */
#include "core/engine/encoder.h"

#include "core/io/picture.h"
#include "core/registry/guard.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* For each thread one batch in its hands and one that waits. */
enum { PLACES_PER_THREAD = 2 };

/* Towards the end a batch is this share of what is left, so that all threads finish together; but not smaller
 * than the model still likes. */
enum { SHARE_OF_REST = 4, SMALLEST_BATCH = 2 };

typedef struct place {
    encoded_batch batch;
    hl_trace **traces;
    hl_status *statuses;
    hl_error *errors;
    bool done; /* its turn may come */
} place;

typedef struct encoder {
    const engine *model;
    const encoder_settings *settings;
    size_t pixels; /* numbers of one image */
    place *ring;
    size_t ring_size;
    pthread_mutex_t mutex; /* guards what follows, and `done` */
    pthread_cond_t room;   /* a place has become free, or there is no more work */
    size_t next_image;
    size_t taken, kept; /* batches so far */
    bool keeping;       /* a thread is handing batches on */
    hl_status status;
    hl_error *error;
} encoder;

/* What a thread has for itself. */
typedef struct worker {
    hl_session *session;
    float *pixels; /* of a batch */
} worker;

/* ---- which images are in a batch ---- */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Depends on the images that are left, not on those before: an interrupted run goes on with the same batches.
 */
static size_t batch_at(const encoder_settings *settings, size_t first) {
    size_t left = settings->count - first, in_group = settings->group - first % settings->group;
    size_t size = (left + SHARE_OF_REST - 1) / SHARE_OF_REST;
    if (size < SMALLEST_BATCH) size = SMALLEST_BATCH;
    return smaller(smaller(size, settings->batch), smaller(in_group, left));
}

/* ---- the work of one thread; call these with the mutex locked ---- */

static void fail(encoder *self, hl_status status, const hl_error *error) {
    if (self->status == HL_OK) {
        self->status = status;
        *self->error = *error;
    }
    pthread_cond_broadcast(&self->room);
}

static bool has_work(encoder *self) {
    const hl_host *interface = self->model->interface;
    if (self->status == HL_OK && interface->cancelled(interface)) {
        hl_error error;
        fail(self, hl_fail(&error, HL_FAILED, "cancelled"), &error);
    }
    return self->status == HL_OK && self->next_image < self->settings->count;
}

/* The next batch, once there is a place for it; NULL: no more work. */
static place *take(encoder *self) {
    while (has_work(self)) {
        if (self->taken - self->kept < self->ring_size) {
            place *next = &self->ring[self->taken++ % self->ring_size];
            next->batch.first = self->next_image;
            next->batch.count = batch_at(self->settings, self->next_image);
            self->next_image += next->batch.count;
            return next;
        }
        pthread_cond_wait(&self->room, &self->mutex);
    }
    return NULL;
}

static void release_traces(const encoder *self, place *of) {
    for (size_t i = 0; i < of->batch.readable; ++i) self->model->api.release(of->traces[i]);
    of->batch.readable = 0;
}

/* Hands on all batches whose turn has come, unless another thread is doing so. */
static void hand_on(encoder *self) {
    if (self->keeping) return;
    self->keeping = true;
    while (self->status == HL_OK && self->kept < self->taken) {
        place *next = &self->ring[self->kept % self->ring_size];
        if (!next->done) break;
        pthread_mutex_unlock(&self->mutex);
        hl_error error;
        hl_status status = self->settings->keep(self->settings->user, &next->batch, &error);
        release_traces(self, next);
        pthread_mutex_lock(&self->mutex);
        next->done = false;
        ++self->kept;
        if (status != HL_OK) fail(self, status, &error);
        pthread_cond_broadcast(&self->room);
    }
    self->keeping = false;
}

/* ---- one batch ---- */

static hl_status open_worker(const encoder *self, worker *own, hl_error *error) {
    if (own->session) return HL_OK;
    size_t batch = self->settings->batch;
    own->pixels = calloc(batch, self->pixels * sizeof *own->pixels);
    if (!own->pixels) return hl_no_memory(error, "the images of a batch");
    return GUARD(self->model->model_plugin, error,
                 self->model->api.open_session(self->model->model, batch, &own->session, error));
}

static void close_worker(const encoder *self, worker *own) {
    if (own->session) GUARD_VOID(self->model->model_plugin, self->model->api.close_session(own->session));
    free(own->pixels);
}

/* Pixels of the images that can be read, one after the other. */
static hl_status decode_batch(const encoder *self, const worker *own, const place *of, size_t *readable,
                              hl_error *error) {
    *readable = 0;
    for (size_t i = 0; i < of->batch.count; ++i) {
        float *pixels = own->pixels + *readable * self->pixels;
        const gallery_image *image = self->settings->images[of->batch.first + i];
        of->statuses[i] = picture_pixels(image->file, self->model->info->preprocess, pixels, &of->errors[i]);
        if (of->statuses[i] == HL_OK) ++*readable;
        if (of->statuses[i] == HL_NO_MEMORY) {
            *error = of->errors[i];
            return HL_NO_MEMORY;
        }
    }
    return HL_OK;
}

static hl_status encode(const encoder *self, worker *own, place *of, hl_error *error) {
    hl_status status = open_worker(self, own, error);
    if (status != HL_OK) return status;
    size_t readable;
    status = decode_batch(self, own, of, &readable, error);
    if (status != HL_OK || readable == 0) return status;
    status = GUARD(self->model->model_plugin, error,
                   self->model->api.encode_images(own->session, own->pixels, readable,
                                                  self->settings->request, of->traces, error));
    if (status != HL_OK) return status;
    of->batch.readable = readable;
    engine_count_images(self->model, readable);
    return status;
}

static void work(void *argument, size_t index) {
    (void)index;
    encoder *self = argument;
    worker own = {NULL, NULL};
    pthread_mutex_lock(&self->mutex);
    for (place *next; (next = take(self));) {
        pthread_mutex_unlock(&self->mutex);
        hl_error error;
        hl_status status = encode(self, &own, next, &error);
        pthread_mutex_lock(&self->mutex);
        if (status != HL_OK) fail(self, status, &error);
        next->done = true;
        hand_on(self);
    }
    pthread_mutex_unlock(&self->mutex);
    close_worker(self, &own);
}

/* ---- all batches ---- */

static hl_status open_ring(encoder *self, size_t threads, hl_error *error) {
    size_t batch = self->settings->batch;
    self->ring_size = threads * PLACES_PER_THREAD;
    self->ring = calloc(self->ring_size, sizeof *self->ring);
    bool complete = self->ring != NULL;
    for (size_t i = 0; i < self->ring_size && complete; ++i) {
        place *made = &self->ring[i];
        made->batch.traces = made->traces = calloc(batch, sizeof *made->traces);
        made->batch.statuses = made->statuses = calloc(batch, sizeof *made->statuses);
        made->batch.errors = made->errors = calloc(batch, sizeof *made->errors);
        complete = made->traces && made->statuses && made->errors;
    }
    return complete ? HL_OK : hl_no_memory(error, "the images of a batch");
}

static void close_ring(encoder *self) {
    for (size_t i = 0; self->ring && i < self->ring_size; ++i) {
        release_traces(self, &self->ring[i]);
        free(self->ring[i].traces);
        free(self->ring[i].statuses);
        free(self->ring[i].errors);
    }
    free(self->ring);
}

hl_status encoder_run(const engine *model, const encoder_settings *settings, hl_error *error) {
    const hl_host *interface = model->interface;
    size_t threads = interface->threads(interface);
    encoder self = {.model = model, .settings = settings, .pixels = engine_pixels(model), .error = error};
    pthread_mutex_init(&self.mutex, NULL);
    pthread_cond_init(&self.room, NULL);
    self.status = open_ring(&self, threads, error);
    if (self.status == HL_OK) interface->parallel(interface, threads, work, &self);
    close_ring(&self);
    pthread_cond_destroy(&self.room);
    pthread_mutex_destroy(&self.mutex);
    return self.status;
}
