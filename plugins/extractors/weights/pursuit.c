/* See pursuit.h. */
#include "pursuit.h"

#include <math.h>

/* Texts are single precision: what is smaller is rounding. Of a product with what is left of a direction; and
 * of what a text has that those picked before have not, squared. */
static const double least_product = 1e-6, least_square = 1e-9;

/* Texts that one step chooses from, and how much each is like those picked before. */
typedef struct shortlist {
    size_t *texts;
    double *likeness;
    size_t count;
} shortlist;

static double product(const float *a, const float *b, size_t dim) {
    double sum = 0;
    for (size_t i = 0; i < dim; ++i) sum += (double)a[i] * (double)b[i];
    return sum;
}

static const float *vector_of(const text_table *from, size_t text) {
    return from->vectors + text * from->dim;
}

static bool is_picked(const pursuit *self, size_t text) {
    for (size_t i = 0; i < self->count; ++i) {
        if (self->texts[i] == text) return true;
    }
    return false;
}

static double largest(const pursuit *self, const text_table *from, const double *scores) {
    double out = 0;
    for (size_t i = 0; i < from->count; ++i) {
        if (scores[i] > out && !is_picked(self, i)) out = scores[i];
    }
    return out;
}

static double mean_cosine(const pursuit *self, const text_table *from, size_t text) {
    double sum = 0;
    for (size_t i = 0; i < self->count; ++i)
        sum += product(vector_of(from, text), vector_of(from, self->texts[i]), from->dim);
    return sum / (double)self->count;
}

/* Without texts before it, a text's likeness is its score. */
static void list(const pursuit *self, const text_table *from, const double *scores, double least,
                 shortlist *out) {
    out->count = 0;
    for (size_t i = 0; i < from->count; ++i) {
        if (!(scores[i] >= least) || is_picked(self, i)) continue;
        out->texts[out->count] = i;
        out->likeness[out->count++] = self->count ? mean_cosine(self, from, i) : scores[i];
    }
}

/* Takes the text most alike off the list, of equal ones the earliest. */
static size_t take(shortlist *from) {
    size_t best = 0, out;
    for (size_t i = 1; i < from->count; ++i) {
        if (from->likeness[i] > from->likeness[best]) best = i;
    }
    out = from->texts[best];
    for (size_t i = best + 1; i < from->count; ++i) {
        from->texts[i - 1] = from->texts[i];
        from->likeness[i - 1] = from->likeness[i];
    }
    --from->count;
    return out;
}

/* gram (count x count, rows of `stride`) times weights = products, by Cholesky's decomposition, which
 * `factor` has room for. False: a text is a sum of others, but for rounding. */
static bool solve(const double *gram, size_t stride, size_t count, const double *products, double *factor,
                  double *weights) {
    for (size_t i = 0; i < count; ++i) {
        for (size_t k = 0; k <= i; ++k) {
            double sum = gram[i * stride + k];
            for (size_t j = 0; j < k; ++j) sum -= factor[i * count + j] * factor[k * count + j];
            if (i == k && !(sum > least_square)) return false;
            factor[i * count + k] = i == k ? sqrt(sum) : sum / factor[k * count + k];
        }
    }
    for (size_t i = 0; i < count; ++i) {
        weights[i] = products[i];
        for (size_t j = 0; j < i; ++j) weights[i] -= factor[i * count + j] * weights[j];
        weights[i] /= factor[i * count + i];
    }
    for (size_t i = count; i-- > 0;) {
        for (size_t j = i + 1; j < count; ++j) weights[i] -= factor[j * count + i] * weights[j];
        weights[i] /= factor[i * count + i];
    }
    return true;
}

/* The text's row of the Gram matrix, and its product with the direction, behind those of the picked texts. */
static void append(pursuit *self, const text_table *from, size_t text) {
    const float *vector = vector_of(from, text);
    size_t last = self->count;
    self->texts[last] = text;
    for (size_t i = 0; i <= last; ++i) {
        double both = product(vector, vector_of(from, self->texts[i]), from->dim);
        self->gram[last * self->most + i] = self->gram[i * self->most + last] = both;
    }
    self->products[last] = 0;
    for (size_t i = 0; i < from->dim; ++i)
        self->products[last] += self->sign * self->direction[i] * (double)vector[i];
}

/* Whether the text can be one more: then it is. `room`: most x (most + 1) numbers. */
static bool try_text(pursuit *self, const text_table *from, size_t text, double *room) {
    size_t count = self->count + 1;
    double *weights = room + self->most * self->most;
    append(self, from, text);
    if (!solve(self->gram, self->most, count, self->products, room, weights)) return false;
    for (size_t i = 0; i < count; ++i) {
        if (!(weights[i] > 0)) return false;
    }
    self->explained = 0;
    for (size_t i = 0; i < count; ++i) {
        self->weights[i] = weights[i];
        self->explained += weights[i] * self->products[i];
    }
    self->count = count;
    return true;
}

static void pick(pursuit *self, const text_table *from, const double *scores, double coherence,
                 shortlist *candidates, double *room) {
    double most = largest(self, from, scores);
    self->over = true;
    if (!(most > least_product)) return;
    list(self, from, scores, self->count ? (1 - coherence) * most : most, candidates);
    while (candidates->count > 0 && self->over) self->over = !try_text(self, from, take(candidates), room);
}

hl_status pursuit_step(pursuit *self, const hl_host *host, const text_table *from, const double *scores,
                       double coherence, hl_error *error) {
    if (self->over || self->count == self->most) return HL_OK;
    shortlist candidates = {.texts = host->allocate(host, from->count, sizeof *candidates.texts),
                            .likeness = host->allocate(host, from->count, sizeof *candidates.likeness)};
    double *room = host->allocate(host, self->most * (self->most + 1), sizeof *room);
    bool enough = candidates.texts && candidates.likeness && room;
    if (enough) pick(self, from, scores, coherence, &candidates, room);
    host->release(host, candidates.texts);
    host->release(host, candidates.likeness);
    host->release(host, room);
    return enough ? HL_OK : hl_no_memory(error, "texts for a direction");
}

void pursuit_rest(const pursuit *self, const text_table *from, double *out) {
    for (size_t i = 0; i < from->dim; ++i) out[i] = self->sign * self->direction[i];
    for (size_t k = 0; k < self->count; ++k) {
        const float *vector = vector_of(from, self->texts[k]);
        for (size_t i = 0; i < from->dim; ++i) out[i] -= self->weights[k] * (double)vector[i];
    }
}
