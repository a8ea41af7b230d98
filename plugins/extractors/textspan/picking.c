/* See picking.h. A text loses the directions of all earlier picks, so what contributions vary along what is
 * left of it is the sum over axes of variance times coordinate squared: contributions need not be touched. */
#include "picking.h"

#include <math.h>

/* Several versions of one function, for several vector widths. The C code fixes the order of every sum, so
 * they all compute the same bits. */
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))

enum { BLOCK = 256 };

/* Texts that differ in variance by less are equal: embeddings are single precision. Of a text of which only
 * so much is left, squared, nothing is left but rounding. */
static const double equal = 1e-7, spent = 1e-18;

typedef struct picking_room {
    double *coordinates; /* what is left of the texts */
    double *lengths, *firsts,
        *spreads; /* of each text: squared length, now and at first; variance along it */
    bool *out;    /* may not be picked, or has been */
    double *unit; /* a direction of unit length, rank numbers */
} picking_room;

/* Takes `unit` out of up to BLOCK texts, the first axis of the first of which is at `at`. */
VECTORISED static void deflate(double *restrict at, size_t texts, size_t count, const text_space *space,
                               const double *restrict unit, double *restrict lengths,
                               double *restrict spreads) {
    double along[BLOCK] = {0};
    for (size_t k = 0; k < space->rank; ++k) {
        const double *axis = at + k * texts;
        for (size_t i = 0; i < count; ++i) along[i] += unit[k] * axis[i];
    }
    for (size_t i = 0; i < count; ++i) lengths[i] = spreads[i] = 0;
    for (size_t k = 0; k < space->rank; ++k) {
        double *restrict axis = at + k * texts;
        double part = unit[k], variance = space->variances[k];
        for (size_t i = 0; i < count; ++i) {
            double left = axis[i] - part * along[i], square = left * left;
            axis[i] = left;
            lengths[i] += square;
            spreads[i] += variance * square;
        }
    }
}

static void deflate_all(const text_space *space, picking_room *room) {
    for (size_t first = 0; first < space->texts; first += BLOCK) {
        size_t count = space->texts - first < BLOCK ? space->texts - first : BLOCK;
        deflate(room->coordinates + first, space->texts, count, space, room->unit, room->lengths + first,
                room->spreads + first);
    }
    for (size_t i = 0; i < space->texts; ++i) {
        room->out[i] = room->out[i] || !(room->lengths[i] > spent * room->firsts[i]);
    }
}

/* The earliest of those with the largest variance; `texts`: none is left. */
static size_t find_widest(const text_space *space, const picking_room *room) {
    double most = 0;
    size_t widest = 0;
    for (size_t i = 0; i < space->texts; ++i) {
        if (!room->out[i] && room->spreads[i] > most) most = room->spreads[i];
    }
    while (widest < space->texts && (room->out[widest] || !(room->spreads[widest] > most * (1 - equal))))
        ++widest;
    return widest;
}

/* What is left of the text, at unit length. The longer ago it lost its other parts, the more of them has come
 * back by rounding: they are taken out once more. */
static void find_direction(const text_space *space, const picking_room *room, const text_picks *before,
                           size_t text, double *out) {
    double square = 0;
    for (size_t k = 0; k < space->rank; ++k) out[k] = room->coordinates[k * space->texts + text];
    for (size_t i = 0; i < before->count; ++i) {
        const double *other = before->all[i].direction;
        double along = 0;
        for (size_t k = 0; k < space->rank; ++k) along += out[k] * other[k];
        for (size_t k = 0; k < space->rank; ++k) out[k] -= along * other[k];
    }
    for (size_t k = 0; k < space->rank; ++k) square += out[k] * out[k];
    for (size_t k = 0; k < space->rank; ++k) out[k] /= sqrt(square);
}

/* False: nothing more is worth picking. */
static bool pick_one(const text_space *space, picking_room *room, text_picks *self) {
    size_t text = find_widest(space, room);
    if (text == space->texts) return false;
    text_pick *next = &self->all[self->count];
    next->text = text;
    next->direction = self->directions + self->count * space->rank;
    find_direction(space, room, self, text, next->direction);
    for (size_t k = 0; k < space->rank; ++k) {
        next->variance += space->variances[k] * next->direction[k] * next->direction[k];
    }
    if (!(next->variance > space->least)) return false;
    room->out[text] = true;
    ++self->count;
    return true;
}

static void pick_all(const text_space *space, size_t most, picking_room *room, text_picks *self) {
    deflate_all(space, room); /* of nothing, to begin with */
    while (self->count < most && pick_one(space, room, self)) {
        if (self->count == most) return;
        memcpy(room->unit, self->all[self->count - 1].direction, space->rank * sizeof *room->unit);
        deflate_all(space, room);
    }
}

static bool open_room(const hl_host *host, const text_space *space, picking_room *out) {
    size_t texts = space->texts;
    *out = (picking_room){.coordinates = host->allocate(host, space->rank * texts, sizeof(double)),
                          .lengths = host->allocate(host, 3 * texts, sizeof(double)),
                          .out = host->allocate(host, texts, sizeof(bool)),
                          .unit = host->allocate(host, space->rank, sizeof(double))};
    return out->coordinates && out->lengths && out->out && out->unit;
}

static void close_room(const hl_host *host, picking_room *room) {
    host->release(host, room->coordinates);
    host->release(host, room->lengths);
    host->release(host, room->out);
    host->release(host, room->unit);
}

static void fill_room(const text_space *space, text_filter *filter, const void *user, picking_room *room) {
    size_t texts = space->texts;
    room->firsts = room->lengths + texts;
    room->spreads = room->firsts + texts;
    memcpy(room->coordinates, space->coordinates, space->rank * texts * sizeof *room->coordinates);
    for (size_t k = 0; k < space->rank; ++k) {
        const double *axis = space->coordinates + k * texts;
        for (size_t i = 0; i < texts; ++i) room->firsts[i] += axis[i] * axis[i];
    }
    for (size_t i = 0; i < texts; ++i) room->out[i] = filter && !filter(user, i);
}

hl_status text_picks_make(const hl_host *host, const text_space *space, size_t most, text_filter *filter,
                          const void *user, text_picks *out, hl_error *error) {
    picking_room room;
    if (most > space->rank) most = space->rank;
    *out = (text_picks){.host = host};
    if (most == 0) return HL_OK;
    out->all = host->allocate(host, most, sizeof *out->all);
    out->directions = host->allocate(host, most * space->rank, sizeof *out->directions);
    bool enough = open_room(host, space, &room) && out->all && out->directions;
    if (enough) {
        fill_room(space, filter, user, &room);
        pick_all(space, most, &room, out);
    }
    close_room(host, &room);
    return enough ? HL_OK : hl_no_memory(error, "picks of texts");
}

void text_picks_free(text_picks *self) {
    if (!self->host) return;
    self->host->release(self->host, self->all);
    self->host->release(self->host, self->directions);
}

size_t text_picks_common(const text_picks *one, const text_picks *other) {
    size_t common = 0;
    for (size_t i = 0; i < one->count; ++i)
        for (size_t k = 0; k < other->count; ++k) common += one->all[i].text == other->all[k].text;
    return common;
}
