/* See picking.h. A text loses the directions of all earlier picks, so what contributions vary along what is
 * left of it is the sum over axes of variance times coordinate squared: contributions need not be touched.
 * Nor are the texts, of which there are many: length and variance of what is left of each follow from those
 * before and from two products with the text as it was. */
#include "picking.h"

#include <math.h>

/* Several versions of one function, for several vector widths. The C code fixes the order of every sum, so
 * they all compute the same bits. */
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))

enum { BLOCK = 256 };

/* Texts that differ in variance by less are equal: embeddings are single precision. For the same reason
 * nothing is left of a text of which only so much is left, squared. What is found by taking off is found
 * afresh where it has become so much smaller. */
static const double equal = 1e-7, spent = 1e-13, stale = 1e-6;

typedef struct picking_room {
    double *lengths, *firsts,
        *spreads;   /* of each text: squared length, now and at first; variance along it */
    bool *out;      /* may not be picked, or has been */
    double *turned; /* rank numbers */
    double *block;  /* rank x BLOCK */
    double widest;  /* the largest of `spreads` when they were last found afresh */
} picking_room;

/* ---- what is left of the texts ---- */

/* along = unit . t and across = turned . t of up to BLOCK texts, the first axis of the first of which is at
 * `at`. */
VECTORISED static void multiply(const double *restrict at, size_t count, const text_space *space,
                                const double *restrict unit, const double *restrict turned,
                                double *restrict along, double *restrict across) {
    for (size_t i = 0; i < count; ++i) along[i] = across[i] = 0;
    for (size_t k = 0; k < space->rank; ++k) {
        const double *restrict axis = at + k * space->texts;
        for (size_t i = 0; i < count; ++i) {
            along[i] += unit[k] * axis[i];
            across[i] += turned[k] * axis[i];
        }
    }
}

/* What is spent or said may not be picked, and what may not be picked has no say. */
static void close_texts(const text_space *space, picking_room *room) {
    for (size_t i = 0; i < space->texts; ++i) {
        room->out[i] = room->out[i] || !(room->lengths[i] > spent * room->firsts[i]);
    }
}

/* t loses (t . u) u, and so |t|^2 loses (t . u)^2, and the variance v along t becomes v - 2 (t . u) (t . V u)
 * + (t . u)^2 (u . V u), V being the variances. What is left of t is orthogonal to earlier directions: t . V
 * u is the product of the whole t with V u when these are taken out of that. */
static void take_out(const text_space *space, const text_picks *picks, picking_room *room) {
    double along[BLOCK], across[BLOCK];
    const text_pick *last = &picks->all[picks->count - 1];
    for (size_t k = 0; k < space->rank; ++k) room->turned[k] = space->variances[k] * last->direction[k];
    for (size_t i = 0; i + 1 < picks->count; ++i) {
        const double *before = picks->all[i].direction;
        double part = 0;
        for (size_t k = 0; k < space->rank; ++k) part += before[k] * room->turned[k];
        for (size_t k = 0; k < space->rank; ++k) room->turned[k] -= part * before[k];
    }
    for (size_t first = 0; first < space->texts; first += BLOCK) {
        size_t count = space->texts - first < BLOCK ? space->texts - first : BLOCK;
        double *lengths = room->lengths + first, *spreads = room->spreads + first;
        multiply(space->coordinates + first, count, space, last->direction, room->turned, along, across);
        for (size_t i = 0; i < count; ++i) {
            lengths[i] -= along[i] * along[i];
            spreads[i] += along[i] * (along[i] * last->variance - 2 * across[i]);
        }
    }
    close_texts(space, room);
}

/* Takes `unit` out of each of the texts of a block. */
VECTORISED static void deflate(double *restrict block, size_t count, size_t rank,
                               const double *restrict unit) {
    double along[BLOCK] = {0};
    for (size_t k = 0; k < rank; ++k)
        for (size_t i = 0; i < count; ++i) along[i] += unit[k] * block[k * BLOCK + i];
    for (size_t k = 0; k < rank; ++k)
        for (size_t i = 0; i < count; ++i) block[k * BLOCK + i] -= unit[k] * along[i];
}

/* The same from the texts themselves, without a difference of large numbers; costs as much as all picks so
 * far together. */
static void find_afresh(const text_space *space, const text_picks *picks, picking_room *room) {
    room->widest = 0;
    for (size_t first = 0; first < space->texts; first += BLOCK) {
        size_t count = space->texts - first < BLOCK ? space->texts - first : BLOCK;
        double *lengths = room->lengths + first, *spreads = room->spreads + first;
        for (size_t k = 0; k < space->rank; ++k) {
            memcpy(room->block + k * BLOCK, space->coordinates + k * space->texts + first,
                   count * sizeof *room->block);
        }
        for (size_t i = 0; i < picks->count; ++i) {
            deflate(room->block, count, space->rank, picks->all[i].direction);
        }
        for (size_t i = 0; i < count; ++i) lengths[i] = spreads[i] = 0;
        for (size_t k = 0; k < space->rank; ++k)
            for (size_t i = 0; i < count; ++i) {
                double square = room->block[k * BLOCK + i] * room->block[k * BLOCK + i];
                lengths[i] += square;
                spreads[i] += space->variances[k] * square;
            }
    }
    if (picks->count == 0) memcpy(room->firsts, room->lengths, space->texts * sizeof *room->firsts);
    close_texts(space, room);
    for (size_t i = 0; i < space->texts; ++i) {
        if (!room->out[i]) room->widest = fmax(room->widest, room->spreads[i]);
    }
}

/* ---- picks ---- */

/* The earliest of those with the largest variance; `texts`: none is left. */
static size_t find_widest(const text_space *space, const picking_room *room, double *variance) {
    double most = 0;
    size_t widest = 0;
    for (size_t i = 0; i < space->texts; ++i) {
        if (!room->out[i] && room->spreads[i] > most) most = room->spreads[i];
    }
    while (widest < space->texts && (room->out[widest] || !(room->spreads[widest] > most * (1 - equal))))
        ++widest;
    *variance = most;
    return widest;
}

/* What is left of the text, at unit length. Twice, for the first time leaves a rounded rest. */
static void find_direction(const text_space *space, const text_picks *before, size_t text, double *out) {
    for (size_t k = 0; k < space->rank; ++k) out[k] = space->coordinates[k * space->texts + text];
    for (size_t i = 0; i < 2 * before->count; ++i) {
        const double *other = before->all[i % before->count].direction;
        double along = 0;
        for (size_t k = 0; k < space->rank; ++k) along += out[k] * other[k];
        for (size_t k = 0; k < space->rank; ++k) out[k] -= along * other[k];
    }
    double square = 0;
    for (size_t k = 0; k < space->rank; ++k) square += out[k] * out[k];
    for (size_t k = 0; k < space->rank; ++k) out[k] /= sqrt(square);
}

/* False: nothing more is worth picking. */
static bool pick_one(const text_space *space, picking_room *room, text_picks *self) {
    double variance;
    size_t text = find_widest(space, room, &variance);
    if (variance < stale * room->widest) {
        find_afresh(space, self, room);
        text = find_widest(space, room, &variance);
    }
    if (text == space->texts) return false;
    text_pick *next = &self->all[self->count];
    next->text = text;
    next->direction = self->directions + self->count * space->rank;
    find_direction(space, self, text, next->direction);
    for (size_t k = 0; k < space->rank; ++k) {
        next->variance += space->variances[k] * next->direction[k] * next->direction[k];
    }
    if (!(next->variance > space->least)) return false;
    room->out[text] = true;
    ++self->count;
    return true;
}

static void pick_all(const text_space *space, size_t most, picking_room *room, text_picks *self) {
    find_afresh(space, self, room);
    while (pick_one(space, room, self) && self->count < most) take_out(space, self, room);
}

static bool open_room(const hl_host *host, const text_space *space, picking_room *out) {
    size_t texts = space->texts;
    *out = (picking_room){.lengths = host->allocate(host, 3 * texts, sizeof(double)),
                          .out = host->allocate(host, texts, sizeof(bool)),
                          .turned = host->allocate(host, space->rank, sizeof(double)),
                          .block = host->allocate(host, space->rank * BLOCK, sizeof(double))};
    if (!out->lengths || !out->out || !out->turned || !out->block) return false;
    out->firsts = out->lengths + texts;
    out->spreads = out->firsts + texts;
    return true;
}

static void close_room(const hl_host *host, picking_room *room) {
    host->release(host, room->lengths);
    host->release(host, room->out);
    host->release(host, room->turned);
    host->release(host, room->block);
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
        for (size_t i = 0; i < space->texts; ++i) room.out[i] = filter && !filter(user, i);
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
