/* See rotary.h. */
#include "rotary.h"

#include "checkpoint/try.h"
#include "pooling.h"
#include <math.h>
#include <stdlib.h>

/* The angles of one token. */
static void place_token(double row, double col, size_t pairs, float *cosines, float *sines) {
    size_t half = pairs / 2;
    for (size_t i = 0; i < pairs; ++i) {
        double angle = (i < half ? row : col) * pow(10000, -(double)(i % half) / (double)half);
        cosines[i] = (float)cos(angle);
        sines[i] = (float)sin(angle);
    }
}

static hl_status put(const hl_compute *c, const float *numbers, size_t count, hl_tensor **out,
                     hl_error *error) {
    TRY(c->api->new_tensor(c->backend, count, out, error));
    return c->api->upload(c->backend, numbers, dense(*out, 0, 1, count), error);
}

hl_status rotary_make(const hl_compute *compute, size_t before, size_t rows, size_t cols, double side,
                      size_t width, rotary *out, hl_error *error) {
    size_t tokens = before + rows * cols, pairs = width / 2, count = tokens * pairs;
    *out = (rotary){.tokens = tokens, .pairs = pairs};
    float *cosines = malloc(2 * count * sizeof *cosines), *sines = cosines + count;
    if (!cosines) return hl_no_memory(error, "rotary positions");
    for (size_t t = 0; t < tokens; ++t) {
        size_t cell = t < before ? 0 : t - before;
        double row = (double)(cell / cols) * side / (double)rows;
        double col = (double)(cell % cols) * side / (double)cols;
        if (t < before) row = col = 0;
        place_token(row, col, pairs, cosines + t * pairs, sines + t * pairs);
    }
    hl_status status = put(compute, cosines, count, &out->cosines, error);
    if (status == HL_OK) status = put(compute, sines, count, &out->sines, error);
    free(cosines);
    return status;
}

void rotary_free(const hl_compute *compute, rotary *self) {
    compute->api->free_tensor(compute->backend, self->cosines);
    compute->api->free_tensor(compute->backend, self->sines);
    *self = (rotary){0};
}

hl_status apply_rotary(const hl_compute *compute, const rotary *self, hl_matrix x, size_t heads,
                       hl_error *error) {
    const hl_rotary operation = {.size = sizeof operation,
                                 .x = x,
                                 .cosines = dense(self->cosines, 0, self->tokens, self->pairs),
                                 .sines = dense(self->sines, 0, self->tokens, self->pairs),
                                 .heads = heads,
                                 .pairs = HL_PAIR_NEIGHBOURS};
    return compute->api->rotary(compute->backend, &operation, error);
}
