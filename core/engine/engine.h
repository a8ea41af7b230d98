/* One loaded model on one backend, and the questions that everything above asks of it: texts, images, codes,
 * bases, heat. Any number of threads may ask an opened one; passes of its own session come one at a time. The
 * only place that knows how codes and bases become contributions; knows no model and no
 * backend. */
#ifndef ENGINE_H
#define ENGINE_H

#include "core/host/host.h"
#include "core/host/library.h"
#include "core/registry/options.h"
#include "core/registry/registry.h"
#include "headlight/analysis.h"
#include "headlight/model.h"
#include <pthread.h>
#include <stdatomic.h>

/* What the model has done since it was opened. */
typedef struct engine_counts {
    atomic_size_t image_passes, images, text_passes, texts;
} engine_counts;

typedef struct engine {
    host *host;
    const hl_host *interface; /* the host as plugins see it */
    const registry *plugins;
    const hl_plugin *compute_plugin, *model_plugin;
    const hl_value *const *compute_values;
    option_values *compute_defaults; /* where the caller gave no values */
    yaml_file *compute_written;      /* as words, and these read; NULL: it did not */
    option_values *compute_given;
    yaml_file *model_written; /* the same of the model's options */
    option_values *model_given;
    hl_compute compute; /* complete: see compute.h */
    char precision[80]; /* see engine_precision; empty before it is asked for */
    hl_error fallback;  /* see backend_choice.h */
    hl_model_api api;
    hl_model *model;
    hl_model_info description;
    hl_preprocess preprocess;
    bool random_weights; /* numbers that follow from `seed`, and nothing that was learned */
    uint64_t seed;
    const hl_model_info *info; /* these: complete, however short the plugin's own are */
    engine_counts *counts;
    pthread_mutex_t passing; /* guards `loaded` and the session, during a pass too */
    bool loaded;             /* or tried to: `load_status` says how that ended */
    hl_status load_status;
    hl_error load_error;
    hl_session *session;           /* for images; opened when first asked for */
    size_t batch;                  /* of the session */
    hl_session *text_session;      /* opened when first asked for */
    size_t texts;                  /* of that session */
    uint32_t *heads, head_count;   /* indices of the components of kind HL_HEAD, in the table's order */
    uint32_t *others, other_count; /* and of all others: the input first, then in the table's order */
    pthread_mutex_t making;        /* guards what follows */
    float **bases;                 /* by number; made when first asked for */
    size_t *basis_starts;          /* the numbers of a basis's queries, among those of all; one more */
    char digest[33];               /* empty before it is asked for */
} engine;

typedef struct engine_settings {
    const hl_plugin *model_plugin;       /* NULL: whichever recognises the folder */
    const hl_value *const *model_values; /* NULL: the plugin's defaults, but for */
    const char *const *model_options;    /* "KEY=VALUE" each, or */
    size_t model_option_count;
    const yaml_node *model_section; /* a mapping that has them among others; outlives the engine */
    const char *const *model_keys;  /* those of it that are not the plugin's, see options_read */
    hl_model_source source;
    const hl_plugin *compute_plugin;       /* NULL: the one with the best score */
    const hl_value *const *compute_values; /* NULL: the plugin's defaults */
    size_t batch;                          /* images in one pass */
    size_t texts;                          /* in one pass; 0: the usual number */
    bool or_random; /* random weights where the folder holds none, for `engine_start` */
} engine_settings;

/* HL_UNAVAILABLE where the folder does not exist; HL_USAGE where it is none; HL_FAILED when the system cannot
 * say. */
hl_status engine_check_folder(const char *path, hl_error *error);

/* Opens the model; checks all that can be checked without reading weights or opening a backend.
 * HL_UNAVAILABLE where the weights are not there. */
hl_status engine_open(host *host, const registry *plugins, const engine_settings *settings, engine **out,
                      hl_error *error);
/* `auto` settled, before the backend is opened; its name is then known. */
hl_status engine_choose_backend(engine *self, hl_error *error);

/* The backend as a command or a program names it. */
typedef struct engine_choice {
    const char *backend;        /* NULL or "auto": the best */
    const char *const *compute; /* its options, "KEY=VALUE" */
    size_t compute_count;
    unsigned threads; /* 0: all cores */
} engine_choice;

/* Each "KEY=VALUE" set in a mapping, which the plugin's table is then held against. `name` is for messages;
 * what was made is the caller's, also after a failure. */
hl_status engine_read_words(const hl_plugin *plugin, const char *name, const char *const *words, size_t count,
                            yaml_file **written, option_values **given, hl_error *error);

/* The same for a command: with a host of its own and the backend that it names. What was made is the caller's
 * to close, also after a failure. */
hl_status engine_start(hl_library *library, const engine_choice *choice, engine_settings *settings,
                       host **made, engine **out, hl_error *error);
/* Numbers of one image as the model takes it. */
size_t engine_pixels(const engine *self);
/* HL_USAGE: the model takes no texts. */
hl_status engine_no_texts(const engine *self, hl_error *error);
/* Whether the backend can be opened here; it is closed again. Before `engine_load`. */
hl_status engine_try_backend(engine *self, hl_error *error);

/* Opens the backend, once, for whoever only wants to know what it is. */
hl_status engine_open_backend(engine *self, hl_error *error);

/* Opens the backend and prepares the weights, once. */
hl_status engine_load(engine *self, hl_error *error);
/* What tells the model's weights from any others (hl_model_api.digest), read once; empty when the plugin
 * cannot say. Owned by the engine. */
hl_status engine_digest(engine *self, const char **out, hl_error *error);

/* What the backend's precision counts as where results are kept: "f32" for every one that keeps to it (see
 * hl_compute_api.tolerance), any other under its own name. Opens the backend, and reads no weights. Owned by
 * the engine. */
hl_status engine_precision(engine *self, const char **out, hl_error *error);

/* The engine's own session, for `batch` images at once. [while nobody else uses the engine] */
hl_status engine_session(engine *self, hl_session **out, hl_error *error);
void engine_close(engine *self); /* accepts NULL */

const hl_component *engine_component(const engine *self, uint32_t index);

/* Numbers of a component's code: width + scalar_count. */
size_t engine_code_width(const hl_component *component);

/* Tokens of an image: prefix and grid. */
size_t engine_tokens(const engine *self);

/* count x embed_dim, unit norm; any count. ids: count x context, or NULL. */
hl_status engine_encode_texts(engine *self, const char *const *texts, size_t count, float *out, int32_t *ids,
                              hl_error *error);

/* What is changed in a pass; NULL or without any: nothing. */
typedef struct engine_edits {
    const hl_edit *const *all;
    size_t count;
    const char *name; /* tells what they do from what others do, the same in every process */
} engine_edits;

/* At most `batch` images, see hl_model_api.encode_images; codes of all components, and their tokens if asked.
 */
hl_status engine_encode_images(engine *self, const float *pixels, size_t count, hl_detail detail,
                               const engine_edits *edits, hl_trace **traces, hl_error *error);

/* Adds a pass over images to the counts. [any thread] */
void engine_count_images(const engine *self, size_t images);

/* A basis, owned by the engine. */
hl_status engine_basis(engine *self, uint32_t basis, const float **out, hl_error *error);

/* a . b, summed in f64. */
static inline double engine_dot(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* q = B t: width + scalar_count numbers. */
hl_status engine_query(engine *self, uint32_t component, const float *direction, float *out, hl_error *error);

/* The same for the basis of that number, and for all others besides where the model makes them all at once:
 * `made` says for each basis whether its numbers, which begin at engine_query_start, are there. */
hl_status engine_queries(engine *self, uint32_t basis, const float *direction, float *out, bool *made,
                         hl_error *error);

/* Of basis_count: how many numbers there are. */
size_t engine_query_start(const engine *self, uint32_t basis);

/* Contributions c = y B: out[rows x embed_dim] = codes[rows x (width + scalar_count)] B. */
hl_status engine_expand(engine *self, uint32_t component, const float *codes, size_t rows, float *out,
                        hl_error *error);

/* What is asked of a component: its queries, and where the heats go, which are added: one grid of cells
 * behind the other. */
typedef struct engine_heat {
    uint32_t component;
    const float *queries;
    double *grids;
} engine_heat;

enum { MOST_HEAT_VECTORS = 16 };

/* The heat of every grid token, its part of the code times each of `number` queries, at most
 * MOST_HEAT_VECTORS, which are `stride` numbers apart. Components of a layer are best asked one behind the
 * other. scratch: tokens x the widest code. */
hl_status engine_add_heats(const engine *self, const hl_trace *trace, const engine_heat *heats,
                           size_t heat_count, size_t stride, size_t number, float *scratch, hl_error *error);

#endif
