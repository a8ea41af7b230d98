/* See principal.h. */
#include "principal.h"

#include <math.h>

/* Next to the largest value: codes and bases are single precision, and what squares leave of a direction that
 * is smaller is no longer orthogonal to the others. */
static const double least_share = 1e-10;

typedef struct principal_room {
    double *basis;  /* n x dim */
    double *half;   /* F' B, n x dim */
    double *inner;  /* F' B B' F, n x n; then its eigenvectors in rows, the least first */
    double *values; /* n */
} principal_room;

static bool open_room(const hl_host *host, size_t n, size_t dim, principal_room *out) {
    *out = (principal_room){.basis = host->allocate(host, n * dim, sizeof(double)),
                            .half = host->allocate(host, n * dim, sizeof(double)),
                            .inner = host->allocate(host, n * n, sizeof(double)),
                            .values = host->allocate(host, n, sizeof(double))};
    return out->basis && out->half && out->inner && out->values;
}

static void close_room(const hl_host *host, principal_room *room) {
    host->release(host, room->basis);
    host->release(host, room->half);
    host->release(host, room->inner);
    host->release(host, room->values);
}

/* F' B; `spread` becomes F'. */
static hl_status take_half(const hl_ask *ask, double *spread, size_t n, size_t dim, principal_room *room,
                           hl_error *error) {
    hl_status status = ask->symmetric_eigen_f64(ask, n, spread, room->values, error);
    for (size_t i = 0; i < n * n && status == HL_OK; ++i) spread[i] *= sqrt(fmax(room->values[i / n], 0));
    if (status != HL_OK) return status;
    return ask->product_f64(ask, false, false, n, dim, n, spread, n, room->basis, dim, room->half, dim,
                            error);
}

static hl_status solve(const hl_ask *ask, size_t n, size_t dim, principal_room *room, hl_error *error) {
    hl_status status = ask->product_f64(ask, false, true, n, n, dim, room->half, dim, room->half, dim,
                                        room->inner, n, error);
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < i; ++k) room->inner[i * n + k] = room->inner[k * n + i];
    return status == HL_OK ? ask->symmetric_eigen_f64(ask, n, room->inner, room->values, error) : status;
}

/* `ascending`: n values. */
static void measure(const double *ascending, size_t n, double least, principal *out) {
    double entropy = 0;
    least = fmax(least, least_share * ascending[n - 1]);
    while (out->rank < n && ascending[n - 1 - out->rank] > least) ++out->rank;
    const double *first = ascending + n - out->rank;
    for (size_t i = 0; i < out->rank; ++i) out->total += first[i];
    for (size_t i = 0; i < out->rank; ++i) entropy -= first[i] / out->total * log(first[i] / out->total);
    out->effective_rank = out->rank ? exp(entropy) : 0;
}

static void normalise(double *row, size_t dim) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += row[i] * row[i];
    for (size_t i = 0; i < dim; ++i) row[i] /= sqrt(square);
}

/* The largest first: eigenvectors in rows, turned upside down, times F' B. */
static hl_status turn(const hl_ask *ask, size_t n, const principal_room *room, principal *out,
                      hl_error *error) {
    const hl_host *host = ask->host;
    double *vectors = host->allocate(host, out->count * n + 1, sizeof *vectors);
    out->values = host->allocate(host, out->count + 1, sizeof *out->values);
    out->directions = host->allocate(host, out->count * out->dim + 1, sizeof *out->directions);
    hl_status status =
        vectors && out->values && out->directions ? HL_OK : hl_no_memory(error, "principal directions");
    for (size_t i = 0; i < out->count && status == HL_OK; ++i) {
        memcpy(vectors + i * n, room->inner + (n - 1 - i) * n, n * sizeof *vectors);
        out->values[i] = room->values[n - 1 - i];
    }
    if (status == HL_OK && out->count > 0) {
        status = ask->product_f64(ask, false, false, out->count, out->dim, n, vectors, n, room->half,
                                  out->dim, out->directions, out->dim, error);
    }
    for (size_t i = 0; i < out->count && status == HL_OK; ++i)
        normalise(out->directions + i * out->dim, out->dim);
    host->release(host, vectors);
    return status;
}

hl_status principal_make(const hl_ask *ask, double *spread, const float *basis, size_t n, double least,
                         size_t most, principal *out, hl_error *error) {
    principal_room room;
    size_t dim = ask->model->embed_dim;
    *out = (principal){.host = ask->host, .dim = dim};
    hl_status status =
        open_room(ask->host, n, dim, &room) ? HL_OK : hl_no_memory(error, "principal directions");
    for (size_t i = 0; i < n * dim && status == HL_OK; ++i) room.basis[i] = (double)basis[i];
    if (status == HL_OK) status = take_half(ask, spread, n, dim, &room, error);
    if (status == HL_OK) status = solve(ask, n, dim, &room, error);
    if (status == HL_OK) {
        measure(room.values, n, least, out);
        out->count = out->rank < most ? out->rank : most;
        status = turn(ask, n, &room, out, error);
    }
    close_room(ask->host, &room);
    return status;
}

void principal_free(principal *self) {
    if (!self->host) return;
    self->host->release(self->host, self->values);
    self->host->release(self->host, self->directions);
    *self = (principal){.host = NULL};
}

hl_item *principal_tell(const principal *self, const char *head, hl_finding *to) {
    hl_item *facts = to->about(to, head);
    to->result->whole(facts, "rank", (int64_t)self->rank);
    to->result->number(facts, "effective_rank", self->effective_rank);
    to->result->number(facts, "variance", self->total);
    return facts;
}
