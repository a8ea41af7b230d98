/* See decode_ahead.h. A ring of batches: each thread takes the next image whose batch has a free place in the
 * ring, so that memory stays the same however many images there are. */
#include "core/host/decode_ahead.h"

#include "core/io/picture.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One in the hands of the caller, the others ahead of it. */
enum { PLACES = 3 };

typedef struct place {
    decoded_batch batch;
    hl_error *errors;
    size_t decoded; /* images of the batch so far */
} place;

struct decode_ahead {
    decode_settings settings;
    size_t pixels; /* numbers of one image */
    place ring[PLACES];
    pthread_t *threads;
    unsigned thread_count;
    pthread_mutex_t mutex;       /* guards what follows, and `decoded` */
    pthread_cond_t room, filled; /* a place has become free; a batch is complete */
    size_t next_image;           /* to decode */
    size_t next_batch;           /* to hand out */
    bool stop;
};

/* ---- which image is in which batch ---- */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t batches_of_group(const decode_settings *settings) {
    return (settings->group + settings->batch - 1) / settings->batch;
}

static size_t batch_of(const decode_settings *settings, size_t image) {
    return image / settings->group * batches_of_group(settings) + image % settings->group / settings->batch;
}

static void set_range(const decode_settings *settings, size_t number, decoded_batch *batch) {
    size_t group = number / batches_of_group(settings), within = number % batches_of_group(settings);
    size_t end = smaller((group + 1) * settings->group, settings->count);
    batch->first = smaller(group * settings->group + within * settings->batch, end);
    batch->count = smaller(settings->batch, end - batch->first);
}

/* ---- the threads ---- */

static void decode(const decode_ahead *self, place *to, size_t image) {
    const gallery_image *source = self->settings.images[image];
    size_t index = image - to->batch.first;
    hl_error *error = &to->errors[index];
    picture decoded = {0, 0, NULL};
    error->message[0] = '\0';
    hl_status status = picture_load(source->file, &decoded, error);
    if (status == HL_OK) {
        float *pixels = to->batch.pixels + index * self->pixels;
        status = picture_preprocess(&decoded, self->settings.preprocess, pixels, error);
    }
    picture_free(&decoded);
    if (status != HL_OK && !error->message[0]) snprintf(error->message, sizeof error->message, "unreadable");
}

/* Where the next image goes once there is room; NULL: no more work. Call with the mutex locked. */
static place *take(decode_ahead *self, size_t *image) {
    for (;;) {
        if (self->stop || self->next_image == self->settings.count) return NULL;
        size_t batch = batch_of(&self->settings, self->next_image);
        size_t held = self->next_batch > 0 ? self->next_batch - 1 : 0; /* the caller still reads it */
        if (batch < held + PLACES) {
            *image = self->next_image++;
            return &self->ring[batch % PLACES];
        }
        pthread_cond_wait(&self->room, &self->mutex);
    }
}

static void *run(void *argument) {
    decode_ahead *self = argument;
    size_t image;
    pthread_mutex_lock(&self->mutex);
    for (place *to; (to = take(self, &image));) {
        pthread_mutex_unlock(&self->mutex);
        decode(self, to, image);
        pthread_mutex_lock(&self->mutex);
        if (++to->decoded == to->batch.count) pthread_cond_signal(&self->filled);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* ---- the caller ---- */

/* Moves the pixels of readable images together. */
static void close_gaps(const decode_ahead *self, place *of) {
    decoded_batch *batch = &of->batch;
    batch->readable = 0;
    for (size_t i = 0; i < batch->count; ++i) {
        if (of->errors[i].message[0]) continue;
        if (batch->readable != i) {
            memcpy(batch->pixels + batch->readable * self->pixels, batch->pixels + i * self->pixels,
                   self->pixels * sizeof *batch->pixels);
        }
        ++batch->readable;
    }
}

/* The batch that was handed out last is done with: its place is for a later one. */
static void give_back(decode_ahead *self) {
    if (self->next_batch == 0) return;
    place *old = &self->ring[(self->next_batch - 1) % PLACES];
    old->decoded = 0;
    set_range(&self->settings, self->next_batch - 1 + PLACES, &old->batch);
}

const decoded_batch *decode_ahead_next(decode_ahead *self) {
    pthread_mutex_lock(&self->mutex);
    give_back(self);
    place *next = &self->ring[self->next_batch++ % PLACES];
    pthread_cond_broadcast(&self->room);
    while (next->decoded < next->batch.count) pthread_cond_wait(&self->filled, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
    if (next->batch.count == 0) return NULL;
    close_gaps(self, next);
    return &next->batch;
}

static hl_status allocate(decode_ahead *self, hl_error *error) {
    const decode_settings *settings = &self->settings;
    size_t side = settings->preprocess->size;
    self->pixels = 3 * side * side;
    for (size_t i = 0; i < PLACES; ++i) {
        place *made = &self->ring[i];
        made->batch.pixels = calloc(settings->batch, self->pixels * sizeof(float));
        made->batch.errors = made->errors = calloc(settings->batch, sizeof *made->errors);
        if (!made->batch.pixels || !made->errors) return hl_no_memory(error, "the images of a batch");
        set_range(settings, i, &made->batch);
    }
    self->threads = calloc(settings->threads, sizeof *self->threads);
    return self->threads ? HL_OK : hl_no_memory(error, "the decoding threads");
}

static hl_status start(decode_ahead *self, hl_error *error) {
    for (; self->thread_count < self->settings.threads; ++self->thread_count) {
        if (pthread_create(&self->threads[self->thread_count], NULL, run, self) != 0) {
            return hl_fail(error, HL_FAILED,
                           "the system refused a thread for decoding; ask for fewer threads");
        }
    }
    return HL_OK;
}

hl_status decode_ahead_open(const decode_settings *settings, decode_ahead **out, hl_error *error) {
    *out = NULL;
    decode_ahead *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, "the decoding threads");
    made->settings = *settings;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->room, NULL);
    pthread_cond_init(&made->filled, NULL);
    hl_status status = allocate(made, error);
    if (status == HL_OK) status = start(made, error);
    if (status == HL_OK) {
        *out = made;
    } else {
        decode_ahead_close(made);
    }
    return status;
}

void decode_ahead_close(decode_ahead *self) {
    if (!self) return;
    pthread_mutex_lock(&self->mutex);
    self->stop = true;
    pthread_cond_broadcast(&self->room);
    pthread_mutex_unlock(&self->mutex);
    for (unsigned i = 0; i < self->thread_count; ++i) pthread_join(self->threads[i], NULL);
    pthread_cond_destroy(&self->filled);
    pthread_cond_destroy(&self->room);
    pthread_mutex_destroy(&self->mutex);
    for (size_t i = 0; i < PLACES; ++i) {
        free(self->ring[i].batch.pixels);
        free(self->ring[i].errors);
    }
    free(self->threads);
    free(self);
}
