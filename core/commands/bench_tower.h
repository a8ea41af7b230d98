/* One model's image tower on one backend, with random weights and random pixels, and how long its passes
 * take. */
#ifndef BENCH_TOWER_H
#define BENCH_TOWER_H

#include "core/commands/peak.h"
#include "core/engine/engine.h"

/* The backend and its options, "KEY=VALUE" each. */
typedef struct bench_case {
    const char *backend;
    const char *const *compute;
    size_t compute_count;
} bench_case;

typedef struct bench_tower {
    host *host;
    engine *model;
    size_t largest_batch;
    unsigned runs;
    double peaks[PEAK_KINDS]; /* of this machine, the best seen so far; 0: not known */
    double load_seconds;      /* until the weights were ready */
    float *pixels, *queries;
    size_t widest; /* numbers of the largest code */
    /* Of each image of a batch: its trace, and what is asked of it. */
    hl_trace **traces;
    float *codes, *tokens;
    engine_heat *heats;
    double *grids;
    double *seconds[3]; /* of each run, by kind of pass */
} bench_tower;

enum { BENCH_OPERATIONS = 16, BENCH_TEXTS = 4 };

/* One row of the table: medians. */
typedef struct measurement {
    size_t batch;
    unsigned threads;
    double seconds;                  /* of a pass with all heads' codes */
    bool decomposed;                 /* the next three were measured */
    double plain;                    /* of a pass without any */
    double codes, heat;              /* how many times that codes take, and heat of all heads for BENCH_TEXTS
                                        texts besides: medians over passes that ran one after the other */
    double flops;                    /* a second */
    double shares[BENCH_OPERATIONS]; /* of the time of such passes, by number of the operation */
} measurement;

/* `weights`: the folder's own in place of random ones. Close it also after a failure. */
hl_status bench_tower_open(bench_tower *self, hl_library *library, const char *model, const bench_case *which,
                           unsigned threads, bool weights, hl_error *error);
void bench_tower_close(bench_tower *self);

/* row->batch is what to do, at most largest_batch. */
hl_status bench_tower_measure(bench_tower *self, bool decomposition, measurement *row, hl_error *error);

#endif
