/* See measures.h. */
#include "measures.h"

#include <math.h>
#include <string.h>

/* ---- of one head ---- */

size_t measures_high(const measure_settings *settings) {
    return settings->first;
}

size_t measures_moderate(const measure_settings *settings) {
    return (3 * settings->first + 2) / 5;
}

size_t measures_low(const measure_settings *settings) {
    return settings->first / 5;
}

static const judged_head *head_of(const judged *of, judged_by by, size_t judge, size_t head) {
    return &of->found[by][judge * of->heads.count + head];
}

double measures_ccs(const judged *of, const measure_settings *settings, judged_by by, size_t judge,
                    size_t head) {
    const judged_head *found = head_of(of, by, judge, head);
    return found->first_judged == settings->first ? (double)found->first_consistent : (double)NAN;
}

static double measure_ccs(double ccs, size_t which, const measure_settings *settings) {
    switch (which) {
    case MEAN_CCS:
        return ccs;
    case HIGH:
        return ccs >= (double)measures_high(settings);
    case MODERATE:
        return ccs == (double)measures_moderate(settings);
    case LOW:
        return ccs <= (double)measures_low(settings);
    default:
        return ccs == (double)(which - CCS_AT);
    }
}

static double measure_head(const judged *of, size_t which, const measure_settings *settings, judged_by by,
                           size_t judge, size_t head) {
    const judged_head *found = head_of(of, by, judge, head);
    if (which == ASSOCIATION || which == CONSISTENT_SHARE) {
        if (found->judged == 0) return (double)NAN;
        double share = (double)found->consistent / (double)found->judged;
        return which == CONSISTENT_SHARE ? share : share >= settings->associated;
    }
    double ccs = measures_ccs(of, settings, by, judge, head);
    return isnan(ccs) ? ccs : measure_ccs(ccs, which, settings);
}

/* ---- of many ---- */

typedef struct measuring {
    const hl_host *host;
    const judged *of;
    const measure_settings *settings;
    double *heads[LABELS];     /* judges x heads, of one measure */
    size_t *judges, *drawn;    /* which judges and heads count, some more than once */
    double *draws[LABELS + 1]; /* resamples: own, another, above */
} measuring;

enum { ABOVE = LABELS };

static hl_status measuring_open(measuring *self, hl_error *error) {
    const hl_host *host = self->host;
    size_t heads = self->of->heads.count;
    bool whole = true;
    for (int by = 0; by < LABELS; ++by) {
        self->heads[by] = host->allocate(host, self->of->count * heads + 1, sizeof(double));
        whole = whole && self->heads[by];
    }
    for (int i = 0; i <= LABELS; ++i) {
        self->draws[i] = host->allocate(host, self->settings->resamples + 1, sizeof(double));
        whole = whole && self->draws[i];
    }
    self->judges = host->allocate(host, self->of->count + 1, sizeof *self->judges);
    self->drawn = host->allocate(host, heads + 1, sizeof *self->drawn);
    return whole && self->judges && self->drawn ? HL_OK : hl_no_memory(error, "measures of consistency");
}

static void measuring_close(measuring *self) {
    for (int by = 0; by < LABELS; ++by) self->host->release(self->host, self->heads[by]);
    for (int i = 0; i <= LABELS; ++i) self->host->release(self->host, self->draws[i]);
    self->host->release(self->host, self->judges);
    self->host->release(self->host, self->drawn);
}

/* The mean over the judges of the mean over the heads that count; a judge who says nothing of them does not
 * count. */
static double mean_over(const measuring *self, judged_by by, size_t count) {
    double sum = 0;
    size_t judges = 0;
    for (size_t j = 0; j < self->of->count; ++j) {
        const double *values = self->heads[by] + self->judges[j] * self->of->heads.count;
        double own = 0;
        size_t known = 0;
        for (size_t i = 0; i < count; ++i) {
            double value = values[self->drawn[i]];
            if (isnan(value)) continue;
            own += value;
            ++known;
        }
        if (known == 0) continue;
        sum += own / (double)known;
        ++judges;
    }
    return judges > 0 ? sum / (double)judges : (double)NAN;
}

static void take_all(measuring *self, size_t first, size_t count) {
    for (size_t j = 0; j < self->of->count; ++j) self->judges[j] = j;
    for (size_t i = 0; i < count; ++i) self->drawn[i] = first + i;
}

static void draw(measuring *self, chance *by, size_t first, size_t count) {
    for (size_t j = 0; j < self->of->count; ++j) self->judges[j] = chance_below(by, self->of->count);
    for (size_t i = 0; i < count; ++i) self->drawn[i] = first + chance_below(by, count);
}

/* Of the heads [first, first + count). */
static measured measure_place(measuring *self, size_t first, size_t count) {
    chance by = chance_begin(self->settings->seed);
    size_t resamples = self->settings->resamples;
    take_all(self, first, count);
    double own = mean_over(self, OWN_LABEL, count), another = mean_over(self, ANOTHER_LABEL, count);
    for (size_t i = 0; i < resamples; ++i) {
        draw(self, &by, first, count);
        self->draws[OWN_LABEL][i] = mean_over(self, OWN_LABEL, count);
        self->draws[ANOTHER_LABEL][i] = mean_over(self, ANOTHER_LABEL, count);
        self->draws[ABOVE][i] = self->draws[OWN_LABEL][i] - self->draws[ANOTHER_LABEL][i];
    }
    measured found;
    found.own = chance_between(own, self->draws[OWN_LABEL], resamples);
    found.another = chance_between(another, self->draws[ANOTHER_LABEL], resamples);
    found.above = chance_between(own - another, self->draws[ABOVE], resamples);
    return found;
}

static void measure_heads(measuring *self, size_t which) {
    size_t heads = self->of->heads.count;
    for (size_t i = 0; i < self->of->count * heads; ++i) {
        for (int by = 0; by < LABELS; ++by) {
            self->heads[by][i] =
                measure_head(self->of, which, self->settings, (judged_by)by, i / heads, i % heads);
        }
    }
}

static void place_bounds(const judged *of, size_t place, size_t *first, size_t *count) {
    bool model = place == of->heads.layer_count;
    *first = model ? 0 : of->heads.first[place];
    *count = (model ? of->heads.count : of->heads.first[place + 1]) - *first;
}

/* ---- concepts on several heads ---- */

/* Of one judge; NAN: no head is of high consistency. */
static double reuse_by(const judged *of, const measure_settings *settings, size_t judge, size_t first,
                       size_t count, size_t *counts) {
    size_t high = 0, several = 0;
    memset(counts, 0, of->concepts.count * sizeof *counts);
    for (size_t i = first; i < first + count; ++i) {
        size_t concept = of->concept[judge * of->heads.count + i];
        double ccs = measures_ccs(of, settings, OWN_LABEL, judge, i);
        if (concept == NO_PROPERTY || isnan(ccs) || ccs < (double)measures_high(settings)) continue;
        ++high;
        if (++counts[concept] == 2) ++several;
    }
    return high > 0 ? (double)several / (double)high : (double)NAN;
}

static double mean_of_known(const double *values, const size_t *which, size_t count) {
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < count; ++i) {
        double value = values[which ? which[i] : i];
        if (isnan(value)) continue;
        sum += value;
        ++known;
    }
    return known > 0 ? sum / (double)known : (double)NAN;
}

/* Heads are not drawn anew for its interval: one that is drawn twice would have its concept twice. */
static chance_interval reuse_at(measuring *self, size_t place, double *by_judge, size_t *counts) {
    size_t first, count, judges = self->of->count, known = 0;
    chance by = chance_begin(self->settings->seed);
    place_bounds(self->of, place, &first, &count);
    for (size_t j = 0; j < judges; ++j) {
        by_judge[j] = reuse_by(self->of, self->settings, j, first, count, counts);
        if (!isnan(by_judge[j])) ++known;
    }
    size_t resamples = known > 1 ? self->settings->resamples : 0;
    for (size_t i = 0; i < resamples; ++i) {
        for (size_t j = 0; j < judges; ++j) self->judges[j] = chance_below(&by, judges);
        self->draws[OWN_LABEL][i] = mean_of_known(by_judge, self->judges, judges);
    }
    return chance_between(mean_of_known(by_judge, NULL, judges), self->draws[OWN_LABEL], resamples);
}

static hl_status measure_reuse(measuring *self, measures *out, hl_error *error) {
    const hl_host *host = self->host;
    size_t *counts = host->allocate(host, self->of->concepts.count + 1, sizeof *counts);
    double *by_judge = host->allocate(host, self->of->count + 1, sizeof *by_judge);
    hl_status status = counts && by_judge ? HL_OK : hl_no_memory(error, "measures of consistency");
    for (size_t place = 0; place < out->places && status == HL_OK; ++place) {
        out->reuse[place] = reuse_at(self, place, by_judge, counts);
    }
    host->release(host, counts);
    host->release(host, by_judge);
    return status;
}

/* ---- all together ---- */

static hl_status measure_all(measuring *self, measures *out, hl_error *error) {
    for (size_t which = 0; which < out->count; ++which) {
        hl_status status = hl_check_cancelled(self->host, error);
        if (status != HL_OK) return status;
        measure_heads(self, which);
        for (size_t place = 0; place < out->places; ++place) {
            size_t first, count;
            place_bounds(self->of, place, &first, &count);
            out->all[which * out->places + place] = measure_place(self, first, count);
        }
    }
    return measure_reuse(self, out, error);
}

hl_status measures_open(const hl_host *host, const judged *of, const measure_settings *settings,
                        measures *out, hl_error *error) {
    measuring self = {.host = host, .of = of, .settings = settings};
    *out = (measures){.count = CCS_AT + settings->first + 1, .places = of->heads.layer_count + 1};
    out->all = host->allocate(host, out->count * out->places, sizeof *out->all);
    out->reuse = host->allocate(host, out->places, sizeof *out->reuse);
    hl_status status = measuring_open(&self, error);
    if (status == HL_OK && !(out->all && out->reuse)) {
        status = hl_no_memory(error, "measures of consistency");
    }
    if (status == HL_OK) status = measure_all(&self, out, error);
    measuring_close(&self);
    return status;
}

void measures_close(const hl_host *host, measures *self) {
    host->release(host, self->all);
    host->release(host, self->reuse);
}
