/* Directions become vectors; see direction.h. */
#include "core/registry/direction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "the vectors of directions");
}

/* ---- before there are weights ---- */

hl_status direction_check(const direction_form *self, const hl_model_info *model, hl_error *error) {
    if (self->row && self->width != model->embed_dim) {
        return yaml_fail(self->place, error, "%s has %zu numbers, and a direction of the model %s has %u",
                         self->shown.name, self->width, model->name, model->embed_dim);
    }
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->term_count && status == HL_OK; ++i) {
        status = direction_check(self->terms[i], model, error);
    }
    return status;
}

hl_status direction_texts(const direction_form *self, direction_text *each, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->text_count && status == HL_OK; ++i) {
        status = each(user, self->texts[i], error);
    }
    for (size_t i = 0; i < self->term_count && status == HL_OK; ++i) {
        status = direction_texts(self->terms[i], each, user, error);
    }
    return status;
}

/* Counts *index down over the images. */
static const hl_image *find_image(const direction_form *self, size_t *index) {
    if (self->image && (*index)-- == 0) return self->image;
    const hl_image *found = NULL;
    for (size_t i = 0; i < self->term_count && !found; ++i) found = find_image(self->terms[i], index);
    return found;
}

const hl_image *direction_image(const direction_form *self, size_t index) {
    return find_image(self, &index);
}

/* ---- vectors ---- */

typedef struct vector_maker {
    arena *memory;
    const direction_encoder *encoder;
    size_t width;
    const char **texts; /* of all directions, in the order in which they are walked through */
    size_t count;
    float *encoded; /* of each text; taken one after the other */
    double *sums;   /* `width` numbers of the direction in hand */
    hl_error *error;
} vector_maker;

static hl_status count_text(void *user, const char *text, hl_error *error) {
    (void)text, (void)error;
    ++((vector_maker *)user)->count;
    return HL_OK;
}

static hl_status add_text(void *user, const char *text, hl_error *error) {
    (void)error;
    vector_maker *self = user;
    self->texts[self->count++] = text;
    return HL_OK;
}

/* Rounds the sums to a vector; `unit`: of length 1. */
static hl_status settle(const vector_maker *self, const direction_form *made, bool unit, float *out) {
    double length = 0;
    for (size_t i = 0; i < self->width; ++i) length += self->sums[i] * self->sums[i];
    length = sqrt(length);
    bool vanishes = !(length > 0);
    for (size_t i = 0; i < self->width; ++i) {
        out[i] = (float)(unit ? self->sums[i] / length : self->sums[i]);
        vanishes |= !isfinite(out[i]);
    }
    if (!vanishes) return HL_OK;
    static const char words[] = "\"%.200s\" is no direction: it is 0, or not finite";
    return made->place ? yaml_fail(made->place, self->error, words, made->shown.name)
                       : hl_fail(self->error, HL_USAGE, words, made->shown.name);
}

static void add_scaled(const vector_maker *self, double weight, const float *vector) {
    for (size_t i = 0; i < self->width; ++i) self->sums[i] += weight * (double)vector[i];
}

static void start_sum(const vector_maker *self) {
    memset(self->sums, 0, self->width * sizeof *self->sums);
}

static hl_status make_texts(vector_maker *self, const direction_form *made, float *out) {
    const float *own = self->encoded;
    self->encoded += made->text_count * self->width;
    if (made->text_count == 1) {
        memcpy(out, own, self->width * sizeof *out);
        return HL_OK;
    }
    start_sum(self);
    for (size_t i = 0; i < made->text_count; ++i) add_scaled(self, 1, own + i * self->width);
    return settle(self, made, true, out);
}

static hl_status make_image(const vector_maker *self, const direction_form *made, float *out) {
    hl_status status = self->encoder->image(self->encoder->user, made->image, out, self->error);
    if (status != HL_OK) return status;
    start_sum(self);
    add_scaled(self, 1, out);
    return settle(self, made, true, out);
}

static hl_status make(vector_maker *self, direction_form *made) {
    float *out = arena_array(self->memory, self->width, sizeof *out);
    if (!out) return no_memory(self->error);
    made->shown.vector = out;
    if (made->text_count > 0) return make_texts(self, made, out);
    if (made->image) return make_image(self, made, out);
    if (made->row) {
        memcpy(out, made->row, self->width * sizeof *out);
        return HL_OK;
    }
    hl_status status = HL_OK;
    for (size_t i = 0; i < made->term_count && status == HL_OK; ++i) status = make(self, made->terms[i]);
    if (status != HL_OK) return status;
    start_sum(self);
    for (size_t i = 0; i < made->term_count; ++i) {
        add_scaled(self, made->weights[i], made->terms[i]->shown.vector);
    }
    return settle(self, made, false, out);
}

static hl_status encode_texts(vector_maker *self, direction_form *const *all, size_t count) {
    for (size_t i = 0; i < count; ++i) direction_texts(all[i], count_text, self, self->error);
    self->texts = calloc(self->count + 1, sizeof *self->texts);
    self->encoded = calloc(self->count * self->width + 1, sizeof *self->encoded);
    if (!self->texts || !self->encoded) return no_memory(self->error);
    self->count = 0;
    for (size_t i = 0; i < count; ++i) direction_texts(all[i], add_text, self, self->error);
    if (self->count == 0) return HL_OK;
    return self->encoder->texts(self->encoder->user, self->texts, self->count, self->encoded, self->error);
}

hl_status directions_encode(arena *memory, direction_form *const *all, size_t count, uint32_t embed_dim,
                            const direction_encoder *encoder, hl_error *error) {
    vector_maker self = {.memory = memory, .encoder = encoder, .width = embed_dim, .error = error};
    self.sums = calloc((size_t)embed_dim + 1, sizeof *self.sums);
    hl_status status = self.sums ? encode_texts(&self, all, count) : no_memory(error);
    float *encoded = self.encoded;
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = make(&self, all[i]);
    free(encoded);
    free(self.texts);
    free(self.sums);
    return status;
}
