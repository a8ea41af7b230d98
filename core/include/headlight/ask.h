/* Questions to a loaded model: the same ones for analyses, extractors, reports to come, and programs.
 *
 * An hl_ask is one caller's conversation with one model on one backend. It opens images, texts and directions
 * as handles, which keep what was computed for them, and answers: embeddings, codes, contributions, heat, the
 * nearest images of a gallery, moments over it, what extractors found, and all of these again with heads
 * scaled or replaced. Weights are loaded when the first question needs them. Plugins are handed one; a
 * program gets its first from hl_ask_open (library.h).
 *
 * Threads: any number of threads may ask through one hl_ask, or through several on one model, at the same
 * time; answers do not depend on it. A handle is released by its owner once no thread uses it.
 *
 * c: a component's contribution to the normalised image embedding, c = y B, y its code (width + scalar_count
 * numbers) and B its basis (Gandelsman, Efros and Steinhardt 2024, section 3). Errors: HL_USAGE for what
 * cannot be asked, naming it; HL_FAILED "cancelled" once the caller's call is. Where a function fails, what
 * it had to fill is undefined, and a handle is NULL. */
#ifndef HEADLIGHT_ASK_H
#define HEADLIGHT_ASK_H

#include "host.h"
#include "model.h"
#include "option.h"
#include "result.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hl_gallery hl_gallery; /* images that can be searched, with their atlas */
typedef struct hl_ask hl_ask;
typedef struct hl_description hl_description; /* extractor.h */
typedef struct hl_label hl_label;             /* extractor.h */
typedef struct hl_verdict hl_verdict;         /* extractor.h */

/* ---- what handles are made from: structs that the caller fills; `size` first, and what a shorter one lacks
 * is zero ---- */

/* An image: exactly one of path, bytes, rgb and pixels. Memory is copied. */
typedef struct hl_image_source {
    uint32_t size;
    const char *name;  /* what results show; NULL: the path, or "image" */
    const char *path;  /* an image file, relative to the working directory */
    const void *bytes; /* the bytes of one */
    size_t byte_count;
    const uint8_t *rgb; /* height x width x 3, top row first */
    uint32_t width, height;
    const float *pixels; /* preprocessed: 3 x size x size, as the model's hl_preprocess says */
} hl_image_source;

/* A direction: exactly one of text, image, vector and terms. Memory is copied; handles that it is made from
 * may be released afterwards. */
typedef struct hl_direction_source {
    uint32_t size;
    const char *name; /* what results show; NULL: made from what follows */
    const char *text; /* its unit-norm embedding; with templates: the normalised mean of the embeddings of all
                         templates, the text in place of each "{}" */
    const char *const *templates;
    size_t template_count;
    const hl_image *image;            /* its unit-norm embedding */
    const float *vector;              /* embed_dim numbers, taken as they are */
    const hl_direction *const *terms; /* sum of weights[i] * terms[i], not normalised */
    const double *weights;            /* term_count; NULL: all 1 */
    size_t term_count;
} hl_direction_source;

typedef struct hl_gallery_source {
    uint32_t size;
    const char *images; /* a folder, a list or a gallery.json, relative to the working directory */
    const char *atlas;  /* its atlas's folder; made or brought up to date when first asked */
    uint32_t dtype;     /* HL_F16 or HL_F32 (weights.h); 0: as the atlas there, else f16 */
} hl_gallery_source;

/* ---- what is asked and answered ---- */

typedef enum hl_metric {
    HL_DOT = 1, /* the raw dot product */
    HL_COSINE   /* divided by both lengths */
} hl_metric;

/* Which images are nearest in what the selection writes? With weights above 0 an image is compared by the
 * mean mean(c) = sum(w c) / sum(w), with one below 0 among them by the sum, sum(w c), undivided; for the
 * whole embedding (HL_EMBEDDING) c is the normalised embedding. With a direction t its score is mean(c) . t,
 * with a query image mean(c_query) . mean(c). Reads the codes of the selection's heads; for other components
 * and the embedding the atlas needs the columns `mlps` and `embedding`, which one that is made for the
 * question has.
 */
typedef struct hl_query {
    uint32_t size;
    const hl_gallery *gallery;     /* NULL: hl_ask.gallery */
    const hl_image *image;         /* exactly one of these two; the other is NULL */
    const hl_direction *direction; /* */
    const hl_selection *selection;
    uint32_t metric;    /* an hl_metric */
    size_t count;       /* at most so many neighbours, best first; equal scores in the order of their paths */
    bool include_query; /* a query image that is itself in the gallery (same file) counts too */
} hl_query;

/* Frozen for this major ABI. */
typedef struct hl_neighbor {
    const char *path; /* relative to the gallery's folder; owned by the gallery */
    double score;
} hl_neighbor;

/* One image of a gallery that can be searched. Owned by the gallery. The caller sets `size`. */
typedef struct hl_gallery_image {
    uint32_t size;
    const char *path;     /* relative to the gallery's folder */
    const char *file;     /* resolved */
    const hl_node *facts; /* what gallery.json says of it: a map; NULL: nothing */
} hl_gallery_image;

struct hl_ask {
    uint32_t size;
    const hl_host *host;
    const hl_model_info *model;
    const hl_gallery *gallery; /* the experiment's, or that of hl_ask_settings; NULL: none */

    /* ---- handles: the caller's until they are released; release_... accepts NULL. Nothing is read or
     * encoded before it is needed, except that a file's bytes are read, so that what cannot be read fails
     * here ---- */
    hl_status (*open_image)(const hl_ask *ask, const hl_image_source *source, const hl_image **image,
                            hl_error *error);
    void (*release_image)(const hl_ask *ask, const hl_image *image);
    hl_status (*open_direction)(const hl_ask *ask, const hl_direction_source *source,
                                const hl_direction **direction, hl_error *error);
    void (*release_direction)(const hl_ask *ask, const hl_direction *direction);
    /* One entry of an option of heads that gives one selection: "L3.H5", "aggregate", "0.7*L3.H5 + L2",
     * "L8-L11 + L3.MLP", "embedding". */
    hl_status (*open_selection)(const hl_ask *ask, const char *heads, const hl_selection **selection,
                                hl_error *error);
    void (*release_selection)(const hl_ask *ask, const hl_selection *selection);
    hl_status (*open_gallery)(const hl_ask *ask, const hl_gallery_source *source, const hl_gallery **gallery,
                              hl_error *error);
    void (*release_gallery)(const hl_ask *ask, const hl_gallery *gallery);

    /* ---- an image; its pass is run once. Traces of many images are kept within a budget of memory: ask
     *      everything about one image before going to the next ---- */
    /* Not normalised: embed_dim numbers. */
    hl_status (*embedding)(const hl_ask *ask, const hl_image *image, float *out, hl_error *error);
    /* y of a component: width + scalar_count numbers. */
    hl_status (*code)(const hl_ask *ask, const hl_image *image, uint32_t component, float *out,
                      hl_error *error);
    /* c of a component: embed_dim numbers. (Gandelsman et al. 2024, equation 5, constants shared out as in
     * this project's method.) */
    hl_status (*contribution)(const hl_ask *ask, const hl_image *image, uint32_t component, float *out,
                              hl_error *error);
    /* The parts of y by token, tokens x (width + scalar_count), prefix tokens first; they sum to y. HL_USAGE
     * for a component without parts (hl_component.has_tokens). */
    hl_status (*token_codes)(const hl_ask *ask, const hl_image *image, uint32_t component, float *out,
                             hl_error *error);
    /* Heat of a direction t: c . t of every token of the grid, summed over the selection's heads, each times
     * its weight (a sum, not a mean: twice the weight is twice the heat), constants included; grid_rows x
     * grid_cols, top row first. (Gandelsman et al. 2024, section 5.1.) */
    hl_status (*heat)(const hl_ask *ask, const hl_image *image, const hl_selection *selection,
                      const hl_direction *direction, float *grid, hl_error *error);

    /* ---- texts and the model ---- */
    /* count x embed_dim, unit norm. Since ABI 2.1 `out` may be NULL: nothing is encoded, but the host notes,
     * as ever, which of the texts the model reads only in part. */
    hl_status (*encode_texts)(const hl_ask *ask, const char *const *texts, size_t count, float *out,
                              hl_error *error);
    /* B of a component: (width + scalar_count) x embed_dim, row-major. */
    hl_status (*basis)(const hl_ask *ask, uint32_t component, float *out, hl_error *error);
    /* On the backend in use, as hl_compute_api has them (compute.h): c = op(a) op(b), and the eigenproblem of
     * a symmetric matrix. Never missing: a backend that lacks them is helped out. */
    hl_status (*product_f64)(const hl_ask *ask, bool transpose_a, bool transpose_b, size_t m, size_t n,
                             size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                             size_t ldc, hl_error *error);
    hl_status (*symmetric_eigen_f64)(const hl_ask *ask, size_t n, double *a, double *eigenvalues,
                                     hl_error *error);

    /* ---- a gallery (NULL: hl_ask.gallery). HL_USAGE where there is none, or the atlas lacks what is asked
     * for, naming it ---- */
    /* neighbors[0 .. *found), room for query->count. Reads only the codes of the selection's components. */
    hl_status (*nearest)(const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors, size_t *found,
                         hl_error *error);
    /* Images that can be searched; their index goes from 0 in the order of their paths. */
    hl_status (*gallery_count)(const hl_ask *ask, const hl_gallery *gallery, size_t *count, hl_error *error);
    hl_status (*gallery_image)(const hl_ask *ask, const hl_gallery *gallery, size_t index,
                               hl_gallery_image *out, hl_error *error);
    /* Codes of images [first, first + count): count x (width + scalar_count). Of a component that is no head
     * an atlas keeps what it wrote, its contributions, which are given then: count x embed_dim (since
     * ABI 2.1; needs the column `mlps`). */
    hl_status (*gallery_codes)(const hl_ask *ask, const hl_gallery *gallery, uint32_t component, size_t first,
                               size_t count, float *out, hl_error *error);
    /* Their embeddings, not normalised: count x embed_dim. Needs the atlas's column `embedding`. */
    hl_status (*gallery_embeddings)(const hl_ask *ask, const hl_gallery *gallery, size_t first, size_t count,
                                    float *out, hl_error *error);
    /* Over the images whose index is `fold` modulo `folds` (folds <= 1: all): how many, the sum of y, and the
     * sum of y^T y as a full symmetric matrix; n and n x n numbers, n = width + scalar_count. */
    hl_status (*moments)(const hl_ask *ask, const hl_gallery *gallery, uint32_t component, size_t fold,
                         size_t folds, size_t *count, double *sum, double *products, hl_error *error);

    /* ---- what the steps of the extractor chain found; NULL past the end. `step`: a name that the experiment
     * gives, in a step one that it builds on, near or far. NULL: in a step the nearest one that gives such
     * findings among those that it builds on, the first of `from` before others (a judge of labels so gets
     * the descriptions that they were made from); in an analysis the step that answers for properties, or the
     * nearest one below it ---- */
    const hl_description *(*description)(const hl_ask *ask, const char *step, size_t index);
    const hl_label *(*label)(const hl_ask *ask, const char *step, size_t index);
    /* The heads that carry a property. The caller's until release_selection. */
    hl_status (*property)(const hl_ask *ask, const char *name, const hl_selection **selection,
                          hl_error *error);

    /* ---- ablation: the same questions with components scaled or replaced (model.h) in every pass. *out is
     * the caller's until `release`; the handles of one serve the other. Its galleries are encoded with the
     *      edits too, and need an atlas of their own ---- */
    hl_status (*edited)(const hl_ask *ask, const hl_edit *const *edits, size_t count, const hl_ask **out,
                        hl_error *error);
    void (*release)(const hl_ask *ask);

    /* ---- runs a plugin: "analysis/text-neighbors", or an extractor that builds on no other step, with
     * options as YAML in flow style (JSON is that too); NULL: its defaults. Paths in them are relative to the
     * working directory. *results is a map as in results.json, {"plugin", "summary", "results": [...]} with
     * "truncated" where texts are cut, the caller's until release_results, which accepts NULL. HL_USAGE, with
     * line and column, for options that the plugin does not take ---- */
    hl_status (*run)(const hl_ask *ask, const char *plugin, const char *options, const hl_node **results,
                     hl_error *error);
    void (*release_results)(const hl_ask *ask, const hl_node *results);

    /* ---- a cache on disk (XDG_CACHE_HOME/headlight): bytes by key, of this model with these edits; a key
     * names all else that the bytes depend on. *bytes is free()d by the caller; NULL: not there. Nothing that
     * is lost here is an error ---- */
    void (*recall)(const hl_ask *ask, const char *key, void **bytes, size_t *count);
    void (*remember)(const hl_ask *ask, const char *key, const void *bytes, size_t count);

    /* ---- since ABI 2.1 ---- */
    /* As `description` and `label`: what a step of verdicts found. */
    const hl_verdict *(*verdict)(const hl_ask *ask, const char *step, size_t index);
    /* The names of the steps that this one builds on, in the order of its `from`; in an analysis those of all
     * steps of the experiment. NULL past the end. [valid during the call that asks] */
    const char *(*source)(const hl_ask *ask, size_t index);
    /* V^T V of a head, width x width: V its value map (tower width x head width) with the gain of the layer
     * norm before it folded in, so that its singular directions are those in which the head can read;
     * followed by the first `width` rows of its basis, those that it can write. HL_USAGE for a component, or
     * a model, that has no value map. (The definition is this project's; the idea, of describing a head from
     * its weights alone: SITH, 2026.) */
    hl_status (*value_gram)(const hl_ask *ask, uint32_t component, double *out, hl_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
