/* Analyses: from codes to results. An analysis computes; the host reads the images, runs the model, keeps
 * traces, draws the pictures and writes the files. If an analysis draws, formats or opens a file, the
 * contract lacks something. */
#ifndef HEADLIGHT_ANALYSIS_H
#define HEADLIGHT_ANALYSIS_H

#include "host.h"
#include "model.h"
#include "option.h"
#include "result.h"

typedef enum hl_metric {
    HL_DOT = 1, /* the raw dot product */
    HL_COSINE   /* divided by both lengths */
} hl_metric;

/* A question to the gallery: which images are nearest, in what the selection's heads write? Each image is
 * compared by the weighted mean of its contributions over the selection's heads, mean(c) = sum(w c) / sum(w):
 * with a direction t its score is mean(c) . t, with a query image mean(c_query) . mean(c). */
typedef struct hl_query {
    const hl_image *image;         /* exactly one of these two; the other is NULL */
    const hl_direction *direction; /* */
    const hl_selection *selection;
    uint32_t metric;    /* an hl_metric */
    size_t count;       /* at most so many neighbours, best first; equal scores in the order of their paths */
    bool include_query; /* a query image that is itself in the gallery (same file) counts too */
} hl_query;

typedef struct hl_neighbor {
    const char *path; /* relative to the gallery's folder; owned by the host */
    double score;
} hl_neighbor;

/* What an analysis asks. An image's pass is run when it is first asked about and kept, so that further
 * questions cost no second pass; ask everything about one image before going to the next. [the thread that
 * called `run`] */
typedef struct hl_context hl_context;
struct hl_context {
    uint32_t size;
    const hl_host *host;
    const hl_model_info *model;

    /* The embedding, not normalised: embed_dim numbers. */
    hl_status (*embedding)(const hl_context *context, const hl_image *image, float *out, hl_error *error);

    /* The component's code y: width + scalar_count numbers. */
    hl_status (*code)(const hl_context *context, const hl_image *image, uint32_t component, float *out,
                      hl_error *error);

    /* The component's contribution c = y B to the normalised embedding: embed_dim numbers. (Gandelsman et al.
     * 2024, equation 5, constants shared out as in this project's method.) */
    hl_status (*contribution)(const hl_context *context, const hl_image *image, uint32_t component,
                              float *out, hl_error *error);

    /* Heat of a direction t: c . t of every token of the grid, summed over the selection's heads, each times
     * its weight (a sum, not a mean: twice the weight is twice the heat), constants included; grid_rows x
     * grid_cols, top row first. (Gandelsman et al. 2024, section 5.1.) */
    hl_status (*heat)(const hl_context *context, const hl_image *image, const hl_selection *selection,
                      const hl_direction *direction, float *grid, hl_error *error);

    /* The nearest images of the experiment's gallery: neighbors[0 .. *found), room for query->count. HL_USAGE
     * when the experiment names no gallery. Reads only the codes of the selection's heads. */
    hl_status (*nearest)(const hl_context *context, const hl_query *query, hl_neighbor *neighbors,
                         size_t *found, hl_error *error);
};

/* What `run` cannot do without; the host refuses an experiment that lacks it before anything runs. */
enum {
    HL_NEEDS_GALLERY = 1u << 0 /* it asks for the nearest images */
};

typedef struct hl_analysis_api {
    uint32_t size;

    /* `values`: one for each row of the plugin's option table, in its order. Returns HL_OK, or an error and
     * whatever it likes in `result`, which is then thrown away. [one thread at a time] */
    hl_status (*run)(const hl_context *context, const hl_value *const *values, hl_result *result,
                     hl_error *error);

    uint32_t needs; /* HL_NEEDS_... */
} hl_analysis_api;

#endif
