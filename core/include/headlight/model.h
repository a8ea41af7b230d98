/* Model backends: a CLIP variant as a table of components, a session that runs passes, and traces that
 * answer.
 *
 * Everything rests on codes and bases (Gandelsman, Efros and Steinhardt 2024, section 3, in the form c = y
 * B): what a component wrote directly into the normalised image embedding, its contribution c (embed_dim
 * numbers), is its code y times a basis B that is fixed for the model. Models hand out codes and, once,
 * bases; contributions, heat, search and TextSpan follow from these two and are the host's business. No array
 * over layer, token, head and embed_dim is ever built.
 *
 * A component table instead of a rectangle of layers and heads: a tower may have layers without heads, no
 * pooled prefix token, scalars for each layer, or a part that does not decompose (one component of kind
 * HL_REMAINDER). */
#ifndef HEADLIGHT_MODEL_H
#define HEADLIGHT_MODEL_H

#include "compute.h"
#include "host.h"
#include "option.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hl_model hl_model;     /* immutable once loaded, any number of threads */
typedef struct hl_session hl_session; /* scratch memory of one thread */
typedef struct hl_trace hl_trace;     /* what one pass over one image left; immutable, reference-counted */

typedef enum hl_component_kind {
    HL_HEAD = 1, /* one attention head */
    HL_MLP,
    HL_INPUT,    /* what enters the first layer at the pooled token */
    HL_REMAINDER /* whatever does not decompose; its name says what that is: "attention pooling" */
} hl_component_kind;

typedef enum hl_scalar_scope {
    HL_PER_IMAGE = 1, /* the same number for every component of an image */
    HL_PER_LAYER      /* the same for the components of an image and layer */
} hl_scalar_scope;

/* The contributions of all components of an image sum to its normalised embedding. A code is `width` numbers
 * of the component's own, then `scalar_count` further ones, each with a scope of its own: one component may
 * have numbers of its image beside numbers of its layer. Rows of a table that says how long they are
 * (hl_model_info.component_size). */
typedef struct hl_component {
    const char *name; /* "L11.H3", "L11.MLP", "input", or what a remainder is called; no two alike */
    uint32_t kind;    /* an hl_component_kind */
    int32_t layer;    /* from 0; -1: none */
    int32_t index;    /* the head's number within its layer, from 0; -1: not a head */
    uint32_t width;
    uint32_t scalar_count;
    const uint32_t *scalars; /* an hl_scalar_scope for each further number */
    uint32_t basis;          /* which basis; components may share one */
    bool has_tokens;         /* its code is a sum over tokens, which a trace can give out one by one */
} hl_component;

typedef enum hl_resize {
    /* The smallest size, proportions kept, at which the image covers height x width; then the middle of it.
     * One side becomes exact, the other is cut down to a whole number; an odd surplus of pixels is halved to
     * the even number. */
    HL_RESIZE_COVER = 1,
    HL_RESIZE_SQUASH /* exactly height x width, whatever the image's proportions */
} hl_resize;

/* As Pillow's Image.resize does it, byte for byte: the first two widened by the scale when an image shrinks
 * (antialiased), so that every source pixel counts. */
typedef enum hl_interpolation { HL_BICUBIC = 1, HL_BILINEAR, HL_NEAREST } hl_interpolation;

/* Image file -> pixels, as data; the host does it. pixel = (byte / 255 - mean) / deviation, planes in RGB
 * order, 3 x height x width. Which part of the picture the pixels show follows from it: the middle of the
 * right proportions, or all of it. */
typedef struct hl_preprocess {
    uint32_t size;          /* sizeof(hl_preprocess) */
    uint32_t resize;        /* an hl_resize */
    uint32_t interpolation; /* an hl_interpolation */
    uint32_t height, width; /* of the pixels, 1 to 8192 each */
    float mean[3], deviation[3];
} hl_preprocess;

/* What the training of a model made of the cosine s of an image and a text. */
typedef enum hl_score {
    HL_SCORE_UNKNOWN = 0,
    HL_SCORE_SOFTMAX, /* softmax over the texts of logit_scale * s + logit_bias (Radford et al. 2021, figure
                         3) */
    HL_SCORE_SIGMOID /* 1 / (1 + exp(-(logit_scale * s + logit_bias))), each pair by itself (Zhai et al. 2023,
                        section 3.2) */
} hl_score;

/* "activation": "quick_gelu". The name becomes a key of "model" in results.json: lower case letters, digits
 * and '_', and none that the host has taken ("name", "image_size" ...), whose own value stays. Frozen: it
 * will not grow. */
typedef struct hl_fact {
    const char *name, *value;
} hl_fact;

typedef struct hl_model_info {
    uint32_t size;       /* sizeof(hl_model_info) */
    const char *name;    /* for people: the folder's own, and of no folder above it */
    const char *summary; /* one line: "ViT, 12 layers x 12 heads of width 64, patch 16, 224 pixels" */
    uint32_t embed_dim;  /* of the joint space */

    uint32_t
        context;    /* token ids of a text, padding included; 0: no text tower, and no functions for texts */
    int32_t pad_id; /* what `tokenize` fills up with */
    uint32_t score; /* an hl_score */
    double logit_scale,
        logit_bias; /* of the score, as multiplied and added (no logarithm); 0 where unknown */

    const hl_preprocess *preprocess;
    uint32_t prefix_tokens;        /* before the grid's tokens */
    uint32_t grid_rows, grid_cols; /* the grid's tokens, row-major from the top left */

    /* Pixels of the preprocessed image: grid cell (r, c) covers rows [r * patch_height, (r + 1) *
     * patch_height) and columns [c * patch_width, (c + 1) * patch_width). What lies beyond the last cell no
     * cell sees. */
    uint32_t patch_height, patch_width;

    uint32_t component_count, component_size;
    const hl_component *components; /* component_count rows of component_size bytes */
    uint32_t basis_count;

    /* What else decides what the model computes, for people: results.json and the page's head show it.
     * fact_count rows; none: NULL. */
    uint32_t fact_count;
    const hl_fact *facts;

    /* Since ABI 2.2. The query rows of a layer that become the embedding, one run of them: the class token's
     * alone, all patches' where the embedding is their mean. pooled_count 0: not said; then it is the first
     * row where there are prefix tokens, else all. */
    uint32_t pooled_first, pooled_count;
} hl_model_info;

/* A row of the component table, whose rows may be longer than the reader knows. [any thread] */
static inline const hl_component *hl_component_at(const hl_model_info *model, uint32_t index) {
    const char *rows = (const char *)model->components;
    return (const hl_component *)(const void *)(rows + (size_t)index * model->component_size);
}

/* Where to load from. */
typedef struct hl_model_source {
    uint32_t size;       /* sizeof(hl_model_source) */
    const char *path;    /* a folder; with random_weights it needs to hold no weights */
    bool random_weights; /* well-scaled random numbers instead of a file: for benchmarks */
    uint64_t seed;
} hl_model_source;

/* A pass is told beforehand what is wanted, as data. What a model cannot do fails with HL_USAGE, naming it,
 * before any work is done. Captured is what stands in the query row that becomes the embedding, or what is
 * pooled of the rows that do (hl_model_info.pooled_first); edited, too, or, where edits say so, in others. */
typedef enum hl_site {
    HL_SITE_HEAD = 1, /* a head's output before the output projection: z = sum over tokens of a v */
    HL_SITE_MLP /* an MLP's output, and what enters the first layer: the components that are not heads */
} hl_site;

typedef enum hl_detail {
    HL_DETAIL_CODES = 1, /* the component's code */
    HL_DETAIL_TOKENS     /* also its parts, token by token */
} hl_detail;

typedef struct hl_capture {
    uint32_t size; /* sizeof(hl_capture) */
    uint32_t site, detail;
    const uint32_t *components; /* indices into the component table; NULL: all components of the site */
    size_t count;
} hl_capture;

typedef enum hl_edit_action {
    HL_EDIT_SCALE = 1, /* times `factor`; 0 ablates */
    HL_EDIT_REPLACE    /* by `values`, e.g. a mean over images */
} hl_edit_action;

/* Applied in order, to every image of the pass, before the site's value is used or captured. A replaced head
 * has no parts by token: its trace spreads the value evenly over them. */
typedef struct hl_edit {
    uint32_t size; /* sizeof(hl_edit) */
    uint32_t site, action, component;
    const uint32_t *tokens; /* query rows; NULL: all */
    size_t token_count;
    float factor;
    const float *values; /* `width` numbers of the component */
} hl_edit;

/* The host hands requests, captures and edits to a model with at least the length that the model knows. */
typedef struct hl_request {
    uint32_t size; /* sizeof(hl_request) */
    const hl_capture *const *captures;
    size_t capture_count;
    const hl_edit *const *edits;
    size_t edit_count;
} hl_request;

/* Since ABI 2.4. How a head's code is made up of its tokens, without a copy of them: the part of token i is
 *     scale * attention[i] * values[i * stride ... + width)
 * and then no further numbers, plus `even` (code width), the same for every token: an equal share of the
 * further numbers, and before them zeros, but where an edit replaced the head. */
typedef struct hl_token_parts {
    uint32_t size;          /* sizeof(hl_token_parts), set by who asks */
    const float *values;    /* the trace's own */
    const float *attention; /* the trace's own */
    size_t stride;
    double scale;
} hl_token_parts;

typedef struct hl_model_api {
    uint32_t size;

    /* Is this folder a model of this plugin's kind? 0 no, else how sure, at most 100. Looks at file names and
     * small configuration files only. [any thread] */
    int (*recognises)(const hl_host *host, const char *path);

    /* Reads the configuration and the weights' headers and checks that they agree, but no weight; cheap.
     * *model is the caller's until `close`. HL_UNAVAILABLE, saying what is missing, where the weights are not
     * there: an experiment may do without such a model. */
    hl_status (*open)(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                      hl_model **model, hl_error *error);
    void (*close)(hl_model *model); /* accepts NULL; after all its sessions and traces are gone */

    /* Owned by the model. Complete once `open` has returned. [any thread] */
    const hl_model_info *(*info)(const hl_model *model);

    /* Prepares the weights on a backend, which outlives the model. Called once, before any function below. */
    hl_status (*load)(hl_model *model, const hl_compute *compute, hl_error *error);

    /* Basis number `basis` as (width + scalar_count) x embed_dim, row-major, into `out`. Deterministic. [any
     * thread] */
    hl_status (*basis)(const hl_model *model, uint32_t basis, float *out, hl_error *error);

    /* A session for at most `batch` images or texts at once. The caller's until `close_session`; one thread
     * uses it at a time. The host opens sessions for images and others, of a larger batch, for texts: take
     * the memory for either when the first of them come. */
    hl_status (*open_session)(const hl_model *model, size_t batch, hl_session **session, hl_error *error);
    void (*close_session)(hl_session *session); /* accepts NULL */

    /* Token ids of one text: `context` numbers, start and end included where the model has them, filled up
     * with `pad_id`; a longer text is cut and keeps its end (see `count_tokens`). `text` is UTF-8. NULL, as
     * the next one, for a model without texts (context 0). [any thread, also before `load`] */
    hl_status (*tokenize)(const hl_model *model, const char *text, int32_t *ids, hl_error *error);

    /* count <= batch texts (ids: count x context) -> unit-norm embeddings, count x embed_dim. */
    hl_status (*encode_texts)(hl_session *session, const int32_t *ids, size_t count, float *out,
                              hl_error *error);

    /* count <= batch images (pixels: count x 3 x height x width) -> traces[0 .. count), each with one
     * reference that is the caller's. On failure none is left. */
    hl_status (*encode_images)(hl_session *session, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error);

    void (*retain)(hl_trace *trace);        /* [any thread] */
    void (*release)(hl_trace *trace);       /* accepts NULL [any thread] */
    size_t (*bytes)(const hl_trace *trace); /* of memory that it holds [any thread] */

    /* The image embedding, not normalised: embed_dim numbers; always there. [any thread] */
    void (*embedding)(const hl_trace *trace, float *out);

    /* A component's code: width + scalar_count numbers. HL_USAGE when the pass did not capture it. [any
     * thread] */
    hl_status (*code)(const hl_trace *trace, uint32_t component, float *out, hl_error *error);

    /* The parts of a head's code by token, tokens x (width + scalar_count), prefix tokens first; they sum to
     * the code, each carrying an equal share of the further numbers. HL_USAGE when the pass did not capture
     * them. [any thread] */
    hl_status (*token_codes)(const hl_trace *trace, uint32_t component, float *out, hl_error *error);

    /* 32 hex digits and NUL that tell these weights, as they are stored, from any others: part of an atlas's
     * fingerprint. May read all weights. [any thread, also before `load`] */
    hl_status (*digest)(const hl_model *model, char out[33], hl_error *error);

    /* Both may be missing. */

    /* How many token ids `text` has, start and end included, however many that is: where it is more than
     * `context`, `tokenize` cuts the text, and the host says so. Fails where `tokenize` does. [any thread,
     * also before `load`] */
    hl_status (*count_tokens)(const hl_model *model, const char *text, size_t *count, hl_error *error);

    /* What a user can do about a folder that no plugin recognises: which files of a model are there, which
     * ones this plugin reads, where these come from. Part of a sentence, without a full stop, into `out`,
     * which has `room` bytes; empty: nothing to say. Looks at file names only. [any thread] */
    void (*hint)(const hl_host *host, const char *path, char *out, size_t room);

    /* Since ABI 2.1; may be missing. V^T V of a head's value map V, the gain of the layer norm before it
     * folded in (hl_ask.value_gram): width x width numbers, row-major. Deterministic. [any thread] */
    hl_status (*value_gram)(const hl_model *model, uint32_t component, double *out, hl_error *error);

    /* Since ABI 2.4; may be missing. What `token_codes` hands out, as it lies in the trace, which must live
     * as long as the parts are used; `even` has room for the code's numbers. [any thread] */
    hl_status (*token_parts)(const hl_trace *trace, uint32_t component, hl_token_parts *out, float *even,
                             hl_error *error);

    /* Since ABI 2.4; may be missing. q = B v for every basis B at once, which for a few vectors takes far
     * less than making the bases does: `vector` has embed_dim numbers, `out` those of all bases, one basis
     * after the other, (width + scalar_count) each. Deterministic. [any thread] */
    hl_status (*queries)(const hl_model *model, const float *vector, float *out, hl_error *error);
} hl_model_api;

#ifdef __cplusplus
}
#endif

#endif
