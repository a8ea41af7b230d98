/* See scores.h. */
#include "scores.h"

#include <math.h>

/* ---- entanglement ---- */

typedef struct measuring {
    const hl_host *host;
    const labellings *of;
    const score_settings *settings;
    size_t places;                        /* layers, and the model */
    double *one[FORMS], *measured[FORMS]; /* of one labelling; of all, labellings x places */
    double *shuffled[FORMS];              /* places x permutations */
    size_t *counts, *order;
    double *list; /* of labellings, resamples or permutations */
} measuring;

static hl_status measuring_open(measuring *self, hl_error *error) {
    const hl_host *host = self->host;
    const labellings *of = self->of;
    size_t most = self->settings->permutations + self->settings->resamples + of->count;
    bool whole = true;
    self->places = of->heads.layer_count + 1;
    for (entanglement_form form = BY_HEADS; form < FORMS; ++form) {
        self->one[form] = host->allocate(host, self->places, sizeof(double));
        self->measured[form] = host->allocate(host, self->places * (of->count + 1), sizeof(double));
        self->shuffled[form] =
            host->allocate(host, self->places * (self->settings->permutations + 1), sizeof(double));
        whole = whole && self->one[form] && self->measured[form] && self->shuffled[form];
    }
    self->counts = host->allocate(host, of->properties.count + 1, sizeof *self->counts);
    self->order = host->allocate(host, of->heads.count + 1, sizeof *self->order);
    self->list = host->allocate(host, most + 1, sizeof *self->list);
    return whole && self->counts && self->order && self->list ? HL_OK : hl_no_memory(error, "entanglement");
}

static void measuring_close(measuring *self) {
    for (entanglement_form form = BY_HEADS; form < FORMS; ++form) {
        self->host->release(self->host, self->one[form]);
        self->host->release(self->host, self->measured[form]);
        self->host->release(self->host, self->shuffled[form]);
    }
    self->host->release(self->host, self->counts);
    self->host->release(self->host, self->order);
    self->host->release(self->host, self->list);
}

/* Of all labellings, each with its labels in this order. */
static void measure(measuring *self, const size_t *order) {
    for (size_t run = 0; run < self->of->count; ++run) {
        labellings_entangle(self->of, run, order, self->counts, self->one);
        for (entanglement_form form = BY_HEADS; form < FORMS; ++form) {
            memcpy(self->measured[form] + run * self->places, self->one[form], self->places * sizeof(double));
        }
    }
}

/* What the labellings that speak of the place say, into the list. */
static size_t collect(const measuring *self, entanglement_form which, size_t place) {
    size_t count = 0;
    for (size_t run = 0; run < self->of->count; ++run) {
        double value = self->measured[which][run * self->places + place];
        if (!isnan(value)) self->list[count++] = value;
    }
    return count;
}

static double mean_of(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += values[i];
    return sum / (double)count;
}

/* The mean over labellings, which are drawn again and again for its interval. */
static interval sum_up(const measuring *self, entanglement_form which, size_t place) {
    chance drawn = chance_begin(self->settings->seed);
    size_t count = collect(self, which, place), draws = count > 1 ? self->settings->resamples : 0;
    double *means = self->list + count;
    for (size_t i = 0; i < draws; ++i) {
        means[i] = 0;
        for (size_t k = 0; k < count; ++k) means[i] += self->list[chance_below(&drawn, count)];
        means[i] /= (double)count;
    }
    return chance_between(mean_of(self->list, count), means, draws);
}

/* One order for all labellings: what agrees stays together. */
static hl_status shuffle(measuring *self, hl_error *error) {
    chance drawn = chance_begin(self->settings->seed);
    size_t count = self->settings->permutations;
    for (size_t i = 0; i < count; ++i) {
        hl_status status = hl_check_cancelled(self->host, error);
        if (status != HL_OK) return status;
        chance_permutation(&drawn, self->order, self->of->heads.count);
        measure(self, self->order);
        for (size_t place = 0; place < self->places; ++place) {
            for (entanglement_form form = BY_HEADS; form < FORMS; ++form) {
                size_t seen = collect(self, form, place);
                self->shuffled[form][place * count + i] = mean_of(self->list, seen);
            }
        }
    }
    return HL_OK;
}

static void compare(const measuring *self, entanglement_form which, size_t place, entangled *out) {
    enum { ITSELF = 1 };
    const double rounding = 1e-12;
    size_t count = self->settings->permutations, as_low = ITSELF;
    double *values = self->shuffled[which] + place * count;
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) as_low += values[i] <= out->given.value + rounding;
    out->as_low = (double)as_low / (double)(count + ITSELF);
    out->shuffled = chance_between(mean_of(values, count), values, count);
}

hl_status scores_entangle(const hl_host *host, const labellings *of, const score_settings *settings,
                          entangled *out[FORMS], hl_error *error) {
    measuring self = {.host = host, .of = of, .settings = settings};
    hl_status status = measuring_open(&self, error);
    if (status == HL_OK) {
        measure(&self, NULL);
        for (size_t place = 0; place < self.places; ++place) {
            for (entanglement_form form = BY_HEADS; form < FORMS; ++form)
                out[form][place].given = sum_up(&self, form, place);
        }
        status = shuffle(&self, error);
    }
    for (size_t place = 0; place < self.places && status == HL_OK; ++place) {
        for (entanglement_form form = BY_HEADS; form < FORMS; ++form)
            compare(&self, form, place, &out[form][place]);
    }
    measuring_close(&self);
    return status;
}

/* ---- agreement ---- */

typedef struct agreeing {
    const hl_host *host;
    const labellings *of;
    const score_settings *settings;
    size_t *heads, *counts;
    double *drawn; /* (pairs, mean, all) x resamples; those that there are not are NAN */
} agreeing;

static hl_status agreeing_open(agreeing *self, agreements *out, hl_error *error) {
    const hl_host *host = self->host;
    const labellings *of = self->of;
    out->count = of->count * (of->count - 1) / 2;
    out->pairs = host->allocate(host, out->count + 1, sizeof *out->pairs);
    out->seen = host->allocate(host, out->count + 1, sizeof *out->seen);
    self->heads = host->allocate(host, of->heads.count + 1, sizeof *self->heads);
    self->counts = host->allocate(host, 2 * of->properties.count + 1, sizeof *self->counts);
    self->drawn = host->allocate(host, (out->count + 2) * (self->settings->resamples + 1), sizeof(double));
    return out->pairs && out->seen && self->heads && self->counts && self->drawn
               ? HL_OK
               : hl_no_memory(error, "the agreement of labellings");
}

/* Of the heads as they are drawn, into values[0], [stride] ...: each pair, their mean, all at once. */
static void agree(const agreeing *self, size_t pairs, agreement *seen, double *values, size_t stride) {
    const labellings *of = self->of;
    size_t pair = 0, known = 0;
    double sum = 0;
    for (size_t one = 0; one < of->count; ++one) {
        for (size_t other = one + 1; other < of->count; ++other, ++pair) {
            agreement found = labellings_agree(of, one, other, self->heads, of->heads.count, self->counts);
            if (seen) seen[pair] = found;
            values[pair * stride] = found.kappa;
            if (isnan(found.kappa)) continue;
            sum += found.kappa;
            ++known;
        }
    }
    values[pairs * stride] = known > 0 ? sum / (double)known : (double)NAN;
    values[(pairs + 1) * stride] =
        of->count > 2 ? labellings_agree_all(of, self->heads, of->heads.count, self->counts) : (double)NAN;
}

static hl_status resample(const agreeing *self, size_t pairs, hl_error *error) {
    size_t heads = self->of->heads.count;
    chance drawn = chance_begin(self->settings->seed);
    for (size_t i = 0; i < self->settings->resamples; ++i) {
        hl_status status = hl_check_cancelled(self->host, error);
        if (status != HL_OK) return status;
        for (size_t k = 0; k < heads; ++k) self->heads[k] = chance_below(&drawn, heads);
        agree(self, pairs, NULL, self->drawn + i, self->settings->resamples);
    }
    return HL_OK;
}

static hl_status fill(agreeing *self, agreements *out, hl_error *error) {
    size_t draws = self->settings->resamples, heads = self->of->heads.count;
    double *values = self->host->allocate(self->host, out->count + 2, sizeof *values);
    if (!values) return hl_no_memory(error, "the agreement of labellings");
    for (size_t i = 0; i < heads; ++i) self->heads[i] = i;
    agree(self, out->count, out->seen, values, 1);
    hl_status status = resample(self, out->count, error);
    for (size_t i = 0; i < out->count + 2 && status == HL_OK; ++i) {
        interval found = chance_between(values[i], self->drawn + i * draws, draws);
        if (i < out->count) {
            out->pairs[i] = found;
        } else if (i == out->count) {
            out->mean = found;
        } else {
            out->all = found;
        }
    }
    self->host->release(self->host, values);
    return status;
}

hl_status scores_agree(const hl_host *host, const labellings *of, const score_settings *settings,
                       agreements *out, hl_error *error) {
    *out = (agreements){.count = 0};
    agreeing self = {.host = host, .of = of, .settings = settings};
    hl_status status = agreeing_open(&self, out, error);
    if (status == HL_OK) status = fill(&self, out, error);
    host->release(host, self.heads);
    host->release(host, self.counts);
    host->release(host, self.drawn);
    return status;
}

void agreements_close(const hl_host *host, agreements *self) {
    host->release(host, self->pairs);
    host->release(host, self->seen);
}
