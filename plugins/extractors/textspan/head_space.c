/* See head_space.h. */
#include "head_space.h"

#include <math.h>

/* Codes are single precision at best. What is smaller, next to the largest, came of rounding: of lengths of a
 * basis' rows, and of squares over the images. */
static const double least_length = 1e-10, least_square = 1e-13;

/* In a fixed order, in which several sums go side by side. */
static double dot(const double *a, const double *b, size_t count) {
    enum { LANES = 8 };
    double sums[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; ++k) sums[k] += a[i + k] * b[i + k];
    for (; i < count; ++i) sums[0] += a[i] * b[i];
    for (size_t k = 0; k < LANES; ++k) sum += sums[k];
    return sum;
}

static void take_off(double *from, const double *row, double factor, size_t count) {
    for (size_t i = 0; i < count; ++i) from[i] -= factor * row[i];
}

/* ---- the frame ---- */

static size_t find_longest(const double *rows, size_t count, size_t dim, double *length) {
    size_t longest = 0;
    *length = -1;
    for (size_t i = 0; i < count; ++i) {
        double square = dot(rows + i * dim, rows + i * dim, dim);
        if (square > *length) {
            *length = square;
            longest = i;
        }
    }
    *length = sqrt(*length);
    return longest;
}

/* Gram and Schmidt, the longest of what is left of the rows first, each cleared of those before it once more:
 * `left` (codes x dim) is used up. */
static void orthonormalise(head_frame *self, double *left) {
    double largest = 0, length;
    for (size_t left_over = self->codes; left_over > 0; --left_over) {
        size_t longest = find_longest(left, left_over, self->dim, &length);
        double *row = self->rows + self->rank * self->dim;
        largest = fmax(largest, length);
        if (!(length > least_length * largest)) return;
        memcpy(row, left + longest * self->dim, self->dim * sizeof *row);
        for (size_t i = 0; i < self->rank; ++i) {
            const double *before = self->rows + i * self->dim;
            take_off(row, before, dot(row, before, self->dim), self->dim);
        }
        length = sqrt(dot(row, row, self->dim));
        for (size_t i = 0; i < self->dim; ++i) row[i] /= length;
        memmove(left + longest * self->dim, left + (left_over - 1) * self->dim, self->dim * sizeof *left);
        for (size_t i = 0; i + 1 < left_over; ++i) {
            double *other = left + i * self->dim;
            take_off(other, row, dot(other, row, self->dim), self->dim);
        }
        ++self->rank;
    }
}

hl_status head_frame_make(const hl_ask *ask, uint32_t component, head_frame *out, hl_error *error) {
    const hl_host *host = ask->host;
    const hl_component *head = hl_component_at(ask->model, component);
    size_t codes = (size_t)head->width + head->scalar_count, dim = ask->model->embed_dim;
    *out = (head_frame){.host = host,
                        .codes = codes,
                        .dim = dim,
                        .rows = host->allocate(host, codes * dim, sizeof(double)),
                        .factors = host->allocate(host, codes * codes, sizeof(double))};
    float *basis = host->allocate(host, codes * dim, sizeof *basis);
    double *whole = host->allocate(host, 2 * codes * dim, sizeof *whole), *left = whole + codes * dim;
    bool room = out->rows && out->factors && basis && whole;
    hl_status status = room ? ask->basis(ask, component, basis, error) : hl_no_memory(error, "a basis");
    if (status == HL_OK) {
        for (size_t i = 0; i < codes * dim; ++i) whole[i] = left[i] = (double)basis[i];
        orthonormalise(out, left);
        if (out->rank > 0) {
            status = ask->product_f64(ask, false, true, codes, out->rank, dim, whole, dim, out->rows, dim,
                                      out->factors, out->rank, error);
        }
    }
    host->release(host, basis);
    host->release(host, whole);
    return status;
}

void head_frame_free(head_frame *self) {
    if (!self->host) return;
    self->host->release(self->host, self->rows);
    self->host->release(self->host, self->factors);
}

/* ---- the spread ---- */

/* Square matrices of the frame's rank while a spread is made. */
typedef struct spread_room {
    double *sum, *products, *half; /* of codes: sum of y, sum of y'y, and products times F */
    double *mean, *second, *covariance, *vectors, *values, *inner;
    double *all;
} spread_room;

static bool open_room(const hl_host *host, size_t codes, size_t rank, spread_room *out) {
    size_t square = rank * rank;
    size_t count = codes + codes * codes + codes * rank + 2 * rank + 4 * square;
    double *at = out->all = host->allocate(host, count, sizeof *at);
    if (!at) return false;
    out->sum = at, at += codes;
    out->products = at, at += codes * codes;
    out->half = at, at += codes * rank;
    out->mean = at, at += rank;
    out->values = at, at += rank;
    out->second = at, at += square;
    out->covariance = at, at += square;
    out->vectors = at, at += square;
    out->inner = at;
    return true;
}

/* The mean, the second moment and the covariance of y F. */
static hl_status turn_moments(const hl_ask *ask, const head_frame *frame, size_t images, spread_room *room,
                              hl_error *error) {
    size_t codes = frame->codes, rank = frame->rank;
    hl_status status = ask->product_f64(ask, false, false, codes, rank, codes, room->products, codes,
                                        frame->factors, rank, room->half, rank, error);
    if (status == HL_OK) {
        status = ask->product_f64(ask, true, false, rank, rank, codes, frame->factors, rank, room->half, rank,
                                  room->second, rank, error);
    }
    if (status == HL_OK) {
        status = ask->product_f64(ask, false, false, 1, rank, codes, room->sum, codes, frame->factors, rank,
                                  room->mean, rank, error);
    }
    for (size_t i = 0; i < rank && status == HL_OK; ++i) room->mean[i] /= (double)images;
    for (size_t i = 0; i < rank && status == HL_OK; ++i)
        for (size_t k = 0; k <= i; ++k) {
            double both = (room->second[i * rank + k] + room->second[k * rank + i]) / 2 / (double)images;
            room->second[i * rank + k] = room->second[k * rank + i] = both;
            both -= room->mean[i] * room->mean[k];
            room->covariance[i * rank + k] = room->covariance[k * rank + i] = both;
        }
    return status;
}

static double entropy_rank(const double *values, size_t count, double least) {
    double sum = 0, entropy = 0;
    for (size_t i = 0; i < count; ++i) sum += values[i] > least ? values[i] : 0;
    for (size_t i = 0; i < count; ++i) {
        if (values[i] > least) entropy -= values[i] / sum * log(values[i] / sum);
    }
    return sum > 0 ? exp(entropy) : 0;
}

/* How the covariance is shared out over all directions. */
static hl_status measure(const hl_ask *ask, size_t rank, spread_room *room, head_spread *out,
                         hl_error *error) {
    double second = 0;
    for (size_t i = 0; i < rank; ++i) {
        second += room->second[i * rank + i];
        out->variance += room->covariance[i * rank + i];
    }
    out->least = least_square * second;
    if (!(out->variance > out->least)) out->variance = 0;
    memcpy(room->vectors, room->covariance, rank * rank * sizeof *room->vectors);
    hl_status status = ask->symmetric_eigen_f64(ask, rank, room->vectors, room->values, error);
    if (status == HL_OK) out->effective_rank = entropy_rank(room->values, rank, out->least);
    return status;
}

/* The row space: of the eigenvectors of the second moment, which lie in rows, the least first, those at the
 * end. */
static hl_status find_row_space(const hl_ask *ask, size_t rank, size_t most, spread_room *room,
                                const double **space, size_t *count, hl_error *error) {
    hl_status status = ask->symmetric_eigen_f64(ask, rank, room->second, room->values, error);
    *count = 0;
    while (status == HL_OK && *count < rank && *count < most &&
           room->values[rank - 1 - *count] > least_square * room->values[rank - 1])
        ++*count;
    *space = room->second + (rank - *count) * rank;
    return status;
}

/* Turns it so that the covariance becomes diagonal. */
static hl_status turn_axes(const hl_ask *ask, size_t rank, const double *space, size_t count,
                           spread_room *room, head_spread *out, hl_error *error) {
    hl_status status = ask->product_f64(ask, false, false, count, rank, rank, space, rank, room->covariance,
                                        rank, room->vectors, rank, error);
    if (status == HL_OK) {
        status = ask->product_f64(ask, false, true, count, count, rank, room->vectors, rank, space, rank,
                                  room->inner, count, error);
    }
    for (size_t i = 0; i < count && status == HL_OK; ++i)
        for (size_t k = 0; k < i; ++k) {
            double both = (room->inner[i * count + k] + room->inner[k * count + i]) / 2;
            room->inner[i * count + k] = room->inner[k * count + i] = both;
        }
    if (status == HL_OK) status = ask->symmetric_eigen_f64(ask, count, room->inner, room->values, error);
    if (status == HL_OK) {
        status = ask->product_f64(ask, false, false, count, rank, count, room->inner, count, space, rank,
                                  out->axes, rank, error);
    }
    for (size_t i = 0; i < count && status == HL_OK; ++i) out->variances[i] = fmax(room->values[i], 0);
    return status;
}

static hl_status fill(const hl_ask *ask, const head_frame *frame, size_t most, spread_room *room,
                      head_spread *out, hl_error *error) {
    const double *space;
    hl_status status = turn_moments(ask, frame, out->images, room, error);
    if (status == HL_OK) status = measure(ask, frame->rank, room, out, error);
    if (status == HL_OK) status = find_row_space(ask, frame->rank, most, room, &space, &out->rank, error);
    if (status != HL_OK || out->rank == 0) return status;
    return turn_axes(ask, frame->rank, space, out->rank, room, out, error);
}

hl_status head_spread_make(const hl_ask *ask, uint32_t component, const head_frame *frame, image_part part,
                           size_t rank, head_spread *out, hl_error *error) {
    const hl_host *host = ask->host;
    spread_room room;
    *out = (head_spread){.host = host};
    if (!open_room(host, frame->codes, frame->rank, &room)) return hl_no_memory(error, "moments");
    out->axes = host->allocate(host, frame->rank * frame->rank, sizeof *out->axes);
    out->variances = host->allocate(host, frame->rank, sizeof *out->variances);
    hl_status status = out->axes && out->variances ? HL_OK : hl_no_memory(error, "moments");
    if (status == HL_OK) {
        status = ask->moments(ask, NULL, component, part.fold, part.folds, &out->images, room.sum,
                              room.products, error);
    }
    if (status == HL_OK && out->images > 0 && frame->rank > 0) {
        status = fill(ask, frame, rank, &room, out, error);
    }
    host->release(host, room.all);
    return status;
}

void head_spread_free(head_spread *self) {
    if (!self->host) return;
    self->host->release(self->host, self->axes);
    self->host->release(self->host, self->variances);
}
