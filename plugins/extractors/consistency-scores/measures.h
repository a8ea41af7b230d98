/* Measures of consistency, each the mean over heads of a number that a judge's verdicts give the head: by
 * layer and over all layers, the mean over judges, with the interval over judges and heads that are drawn
 * anew. */
#ifndef MEASURES_H
#define MEASURES_H

#include "chance/chance.h"
#include "judged.h"

/* Where CCS@0 is, CCS@1 and so on follow. */
enum { ASSOCIATION = 0, CONSISTENT_SHARE, MEAN_CCS, HIGH, MODERATE, LOW, CCS_AT };

typedef struct measure_settings {
    size_t first;      /* descriptions that CCS counts */
    double associated; /* from which share of its consistent descriptions on a head is associated */
    size_t resamples;
    uint64_t seed;
} measure_settings;

/* The CCS from which on a head is of high consistency, at which of moderate, up to which of low. */
size_t measures_high(const measure_settings *settings);
size_t measures_moderate(const measure_settings *settings);
size_t measures_low(const measure_settings *settings);

typedef struct measured {
    chance_interval own, another, above; /* with its label; with another head's; the difference */
} measured;

typedef struct measures {
    size_t count, places;   /* a place is a layer, and behind them the model */
    measured *all;          /* count x places; a value that there is not is NAN */
    chance_interval *reuse; /* CCR, by place: concepts on several heads of high consistency, for each such
                               head; the interval over judges */
} measures;

hl_status measures_open(const hl_host *host, const judged *of, const measure_settings *settings,
                        measures *out, hl_error *error);
void measures_close(const hl_host *host, measures *self); /* accepts a zeroed one */

/* The head's CCS by a judge; NAN: not all of its first descriptions are judged. */
double measures_ccs(const judged *of, const measure_settings *settings, judged_by by, size_t judge,
                    size_t head);

#endif
