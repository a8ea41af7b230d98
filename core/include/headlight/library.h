/* libheadlight, for programs: what the command `headlight` is a thin client of. Plugins never include this.
 *
 * Nothing here writes to stdout or stderr by itself; a program that wants words and progress sets the
 * callbacks. Any number of threads may use one hl_library at the same time; what they do is told apart by
 * their calls. Structs that a program fills start with their size (`.size = sizeof x`); what a shorter one
 * lacks is zero. */
#ifndef HEADLIGHT_LIBRARY_H
#define HEADLIGHT_LIBRARY_H

#include "ask.h"
#include "error.h"
#include "host.h"
#include "plugin.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HL_VERSION "0.1.0"

typedef struct hl_library hl_library;

typedef struct hl_library_settings {
    uint32_t size;
    const char *const
        *plugin_folders; /* searched before HEADLIGHT_PLUGIN_PATH and the library's own folder */
    size_t plugin_folder_count;
    void *user; /* handed to `log`, which may be NULL and may be called from any thread */
    void (*log)(void *user, hl_log_level level, const char *line); /* of calls that have none of their own */
    const char *const *plugin_files; /* plugins that come before those of all folders */
    size_t plugin_file_count;
} hl_library_settings;

/* A call from outside: how one of the library's long functions is watched and stopped. Belongs to the caller
 * for the length of the call, and stops nothing else. Where a function takes one, NULL stands for a call with
 * nothing set. */
typedef struct hl_call {
    uint32_t size;
    void *user; /* handed to the callbacks, each of which may be NULL */
    /* Whether the caller wants it to stop: it then fails soon, with HL_FAILED and the message "cancelled".
     * [any thread, often] */
    bool (*cancelled)(void *user);
    /* `done` of `total` (0: not known) of the work called `what`, in `unit`s. [any thread, often] */
    void (*progress)(void *user, const char *what, const char *unit, size_t done, size_t total);
    void (*log)(void *user, hl_log_level level, const char *line); /* NULL: the library's [any thread] */
} hl_call;

/* Finds and loads all plugins. *library is the caller's until `hl_library_close`. HL_USAGE when everybody may
 * write to one; one that cannot be loaded is broken (below), and so are two in one folder that share kind and
 * name. Settings are copied, strings included. */
HL_EXPORT hl_status hl_library_open(const hl_library_settings *settings, hl_library **library,
                                    hl_error *error);
HL_EXPORT void hl_library_close(hl_library *library); /* accepts NULL */

/* For a program's handler of SIGBUS (installed with SA_SIGINFO): `address` is the si_addr of the signal. An
 * atlas's files are mapped into memory; when one shrinks while it is used, or its disk fails, the system
 * sends that signal. True: the handler may return, the access reads zeros, and the function that is running
 * fails with an error that names the file. False: the fault is not the library's. The library takes no signal
 * itself; in a program without such a handler the signal ends it. [any thread, and from a signal handler] */
HL_EXPORT bool hl_library_absorb_fault(const void *address);

/* For a program that has to explain a sudden end, such as a crash or an exit that it did not ask for: whose
 * code the calling thread runs, "analysis/head-norms", or a plugin's file while it is being loaded; empty: no
 * plugin's. [any thread, and from a signal handler] */
HL_EXPORT void hl_library_running(char *out, size_t size);

/* For a program whose end cannot be helped, at exit: removes the temporary files of whatever is being
 * written, which then is as if it had not been begun. Nothing of the library may be called afterwards. */
HL_EXPORT void hl_library_clean_up(void);

/* The plugins, ordered by kind and name. NULL past the end. Owned by the library. */
HL_EXPORT const hl_plugin *hl_plugin_at(const hl_library *library, size_t index);
HL_EXPORT const char *hl_plugin_file(const hl_library *library, size_t index);

/* Of each plugin file that cannot be loaded, what is wrong with it: "FILE: reason". Everything else goes on
 * without it; asking for it by name is an error. NULL past the end. */
HL_EXPORT const char *hl_plugin_broken(const hl_library *library, size_t index);

/* "analysis/topic-segmentation" or, where no two kinds share it, "topic-segmentation". HL_USAGE with the
 * nearest valid name when there is none. */
HL_EXPORT hl_status hl_plugin_find(const hl_library *library, const char *name, size_t *index,
                                   hl_error *error);

/* Writes what the plugin declares about itself, options as documentation, to `out`. */
HL_EXPORT hl_status hl_plugin_document(const hl_library *library, size_t index, FILE *out, hl_error *error);

/* The optional operations that a compute plugin lacks and that run on the plugin `reference` instead, one by
 * one; NULL past the end and for plugins of other kinds. */
HL_EXPORT const char *hl_plugin_missing(const hl_library *library, size_t index, size_t number);

/* "compute", "model", "extractor", "analysis", "report"; "unknown" for any other number. */
HL_EXPORT const char *hl_kind_name(uint32_t kind);

/* How many threads `threads: 0` stands for: the processors that this process may run on, but no more than its
 * control group has time for. At least 1. [any thread] */
HL_EXPORT unsigned hl_usable_cores(void);

/* ---- questions: ask.h says what can be asked ---- */

typedef struct hl_ask_settings {
    uint32_t size;
    const char *model;          /* a folder, or the name of a model at home */
    const char *backend;        /* NULL or "auto": the best */
    const char *const *compute; /* options of the backend, "KEY=VALUE" each */
    size_t compute_count;
    unsigned threads;                 /* 0: all cores */
    size_t batch;                     /* texts in one pass; 0: the default */
    const hl_gallery_source *gallery; /* what hl_ask.gallery stands for, in all conversations with the model;
                                         NULL: nothing */
    const char *const *options;       /* options of the model's plugin, "KEY=VALUE" each */
    size_t option_count;
} hl_ask_settings;

/* Opens a model; its weights are loaded when the first question needs them. `call` is copied and watches and
 * stops every question asked through *ask; what it points to lives until hl_ask_close. The library outlives
 * *ask. [any thread] */
HL_EXPORT hl_status hl_ask_open(hl_library *library, const hl_call *call, const hl_ask_settings *settings,
                                const hl_ask **ask, hl_error *error);

/* Another conversation with the same loaded model, under a call of its own: stopping one stops no other. What
 * was computed for a handle of one serves the others. [any thread] */
HL_EXPORT hl_status hl_ask_share(const hl_ask *ask, const hl_call *call, const hl_ask **other,
                                 hl_error *error);

/* Accepts NULL. The model goes with the last; handles are released, and edited conversations closed, before.
 */
HL_EXPORT void hl_ask_close(const hl_ask *ask);

/* What the model has done since it was opened, for tests and for the curious. The caller sets `size`. [any
 * thread] */
typedef struct hl_ask_counts {
    uint32_t size;
    uint64_t image_passes, images; /* and how many images these had in all */
    uint64_t text_passes, texts;
} hl_ask_counts;
HL_EXPORT void hl_ask_count(const hl_ask *ask, hl_ask_counts *counts);

/* ---- commands ---- */

/* `headlight run`: one experiment. */
typedef struct hl_run_request {
    uint32_t size;
    const char *experiment;  /* the YAML file */
    const char *const *sets; /* "path.to.key=value" each; applied before anything is checked */
    size_t set_count;
    const char *output; /* relative to the working directory; NULL: what the experiment says */
    bool check_only;    /* validate, write nothing */
    bool times;         /* beside the results times.json: the seconds that each part of the run took */
} hl_run_request;

/* On success *report, unless NULL, is the path of the page, or of the results' folder where no report of the
 * experiment makes a page; free() it. With check_only it is NULL. */
HL_EXPORT hl_status hl_run(hl_library *library, const hl_call *call, const hl_run_request *request,
                           char **report, hl_error *error);

/* `headlight check-plugin`: whether a plugin keeps the contract, each check in a process of its own. */
typedef struct hl_check_request {
    uint32_t size;
    const char *file;  /* the plugin */
    const char *model; /* a folder, to check it with; NULL: the embedded model */
    const char *const
        *options; /* "KEY=VALUE" of the plugin's options; for others that must be given, examples */
    size_t option_count;
    const char *const
        *plugin_folders; /* searched before HEADLIGHT_PLUGIN_PATH and the library's own folder */
    size_t plugin_folder_count;
    unsigned seconds; /* for each check; 0: 120 */
} hl_check_request;

/* Writes a line for each check to `out`. HL_FAILED when one fails; HL_USAGE when there is no such file. To be
 * called while no other thread of the program runs the library. */
HL_EXPORT hl_status hl_check_plugin(const hl_call *call, const hl_check_request *request, FILE *out,
                                    hl_error *error);

/* `headlight new`: a plugin's project, from templates, in a new folder. */
typedef struct hl_new_request {
    uint32_t size;
    const char *kind;   /* as hl_kind_name has it */
    const char *name;   /* of the plugin: lower case letters, digits and '-' */
    const char *folder; /* which must not be there; NULL: of the plugin's name */
} hl_new_request;

/* HL_USAGE for an unknown kind, a name that no plugin can have, and a folder that is there. */
HL_EXPORT hl_status hl_new_plugin(const hl_new_request *request, hl_error *error);

/* A file or folder that was installed with the library, "mini/model". free() it; NULL: it is not there. */
HL_EXPORT char *hl_data_file(const char *name);

/* `headlight decompose`: raw arrays of one model, as .npy files. */
typedef struct hl_decompose_request {
    uint32_t size;
    const char *model;
    const char *const *images; /* image files, or */
    size_t image_count;
    const char *pixels; /* a .npy file of preprocessed input, B x 3 x S x S; exactly one of the two */
    const char *const *texts;
    size_t text_count;
    const char *text_file; /* one a line, after `texts`; NULL: none */
    const char *backend;   /* NULL or "auto": the best */
    unsigned threads;      /* 0: all cores */
    bool tokens;           /* tokens.npy too, or component_tokens-NAME.npy */
    const char *output;
    const char *const *compute; /* options of the backend, "KEY=VALUE" each */
    size_t compute_count;
    const char *const *options; /* options of the model's plugin, "KEY=VALUE" each */
    size_t option_count;
} hl_decompose_request;

HL_EXPORT hl_status hl_decompose(hl_library *library, const hl_call *call,
                                 const hl_decompose_request *request, hl_error *error);

/* `headlight decompose --layout clip_text_span`: the arrays that the scripts and notebooks of clip_text_span
 * read, under their names, in one folder, where files of the same names are replaced. Of a gallery, whose
 * images come in the order of their paths: contributions of heads, MLPs and the class token, as
 * compute_prs.py writes them. Of texts: a pool, as compute_text_set_projection.py, and a classifier, as
 * compute_text_projection.py. At least one of `gallery`, `pool` and `classes`. */
typedef struct hl_peer_arrays_request {
    uint32_t size;
    const char *model, *output;
    const char *dataset;       /* in the names of files: "imagenet"; not needed for a pool alone */
    const char *model_name;    /* in the names of files: "ViT-L-14"; NULL: the model's own name */
    const char *gallery;       /* a folder, a list or a gallery.json */
    const char *pool;          /* texts, one a line, each of which becomes a row */
    const char *classes;       /* names of classes, one a line */
    const char *templates;     /* one a line, {} standing for the class; NULL: the class alone */
    const char *const *labels; /* keys of gallery.json whose values become numbers: whole numbers as they are,
                                  names of classes as the line that they are on, from 0 */
    size_t label_count;
    const char *backend;        /* NULL or "auto": the best */
    const char *const *compute; /* options of the backend, "KEY=VALUE" each */
    size_t compute_count;
    unsigned threads; /* 0: all cores */
} hl_peer_arrays_request;

HL_EXPORT hl_status hl_peer_arrays(hl_library *library, const hl_call *call,
                                   const hl_peer_arrays_request *request, hl_error *error);

/* Where the model of this name is, or would be: `models/NAME` below $HEADLIGHT_HOME, else below `headlight`
 * in the XDG data folder. free() it. HL_USAGE for what is no name, and where no environment variable says
 * where. Requests take a model's name in place of its folder. [any thread] */
HL_EXPORT hl_status hl_model_folder(const char *name, char **folder, hl_error *error);

/* `headlight models`: what is known of published models, and which of them are here. */
typedef struct hl_models_request {
    uint32_t size;
    const char *name; /* all that is known of one; NULL: a list of all */
    bool files;  /* with `name`: its files, one a line: name, tab, address, tab, bytes where known, about */
    bool json;   /* a JSON list of objects */
    bool folder; /* with `name`: only where it is, or would be */
    /* With `name`: a folder, whether it holds a model that can be opened; reads no weights. It fails where
     * not, but not for a model that no plugin loads yet. */
    const char *check;
} hl_models_request;

HL_EXPORT hl_status hl_models(hl_library *library, const hl_models_request *request, FILE *out,
                              hl_error *error);

/* `headlight index`: an atlas of a gallery. Resumes what was interrupted, adds new images, drops vanished
 * ones; HL_FAILED, with nothing changed, when those are more than half of the atlas and `prune` is not set.
 */
typedef struct hl_index_request {
    uint32_t size;
    const char *model, *images, *atlas;
    const char *layers;  /* "all", "L8-L11"; NULL: all */
    const char *dtype;   /* "f16" or "f32"; NULL: as the atlas there, else f16 */
    const char *columns; /* "embedding,mlps,first", added to an atlas that lacks them; NULL: none */
    size_t shard_size;   /* 0: the default */
    size_t part, parts;  /* this process's share of the gallery; parts == 0: all of it */
    size_t batch;        /* images in one pass of one thread; 0: the default */
    const char *backend; /* NULL or "auto": the best */
    unsigned threads;    /* 0: all cores */
    bool prune;          /* also drop more than half of what the atlas holds */
    bool shared; /* all `parts` processes share `atlas`: each makes a part of it, the last puts them together
                  */
    const char *const *compute; /* options of the backend, "KEY=VALUE" each */
    size_t compute_count;
    const char *const *options; /* options of the model's plugin, "KEY=VALUE" each */
    size_t option_count;
} hl_index_request;

HL_EXPORT hl_status hl_index(hl_library *library, const hl_call *call, const hl_index_request *request,
                             hl_error *error);

/* `headlight merge`: copies the shards of atlases of one fingerprint, so that `out` stands alone. */
HL_EXPORT hl_status hl_merge(hl_library *library, const hl_call *call, const char *out,
                             const char *const *atlases, size_t count, hl_error *error);

/* `headlight verify`: every shard's shapes and checksum. */
HL_EXPORT hl_status hl_verify(hl_library *library, const hl_call *call, const char *atlas, hl_error *error);

/* What an atlas holds. */
typedef struct hl_atlas_summary {
    size_t images, skipped, shards; /* skipped: files that could not be read */
} hl_atlas_summary;

HL_EXPORT hl_status hl_summarise_atlas(const char *atlas, hl_atlas_summary *summary, hl_error *error);

/* `headlight bench`: images a second of the image tower with codes, random weights. */
typedef struct hl_bench_request {
    uint32_t size;
    const char *model;   /* a model folder; only its configuration is read */
    const char *backend; /* NULL or "auto": the best */
    const size_t *batches;
    size_t batch_count;
    const unsigned *threads;
    size_t thread_count;
    unsigned runs;              /* timed passes of each case, after one to warm up */
    bool json;                  /* one JSON object a case instead of a table */
    const char *const *compute; /* options of the backend, "KEY=VALUE" each */
    size_t compute_count;
    bool every; /* every compute plugin, with every choice that its options give; what this machine cannot
                   run is named and passed over; `backend` and `compute` are then empty */
    bool operations;    /* where time goes, by operation of the backend */
    bool decomposition; /* what codes, and codes with heat of all heads for four texts, take beyond the tower
                         */
    bool weights;       /* the folder's own weights in place of random ones: how long they take to be ready */
} hl_bench_request;

HL_EXPORT hl_status hl_bench(hl_library *library, const hl_call *call, const hl_bench_request *request,
                             FILE *out, hl_error *error);

/* `headlight bench --fidelity`: how near what a backend makes of a model comes to the most exact that is
 * there, in each of its precisions: cosines of the embeddings of images and texts, errors of codes layer by
 * layer, and the share of each head's eight nearest images that stay the nearest. Held against `reference`,
 * or, where that would take too long, against the same backend in f32. */
typedef struct hl_fidelity_request {
    uint32_t size;
    const char *model;          /* with its own weights, or random ones where it has none; NULL: the embedded
                                   model, with its gallery where `images` is NULL */
    const char *images;         /* a folder, a list or a gallery.json; NULL: */
    size_t made_images;         /* so many images made from a seed */
    const char *backend;        /* NULL or "auto": the best */
    const char *const *compute; /* options of the backend, "KEY=VALUE" each, for one case; none: every
                                   precision that it has */
    size_t compute_count;
    bool every;       /* every backend, with every choice that its options give; then name none */
    unsigned threads; /* 0: all cores */
    size_t batch;     /* images in a pass; 0: the default */
    bool json;        /* one JSON object a case instead of a table */
} hl_fidelity_request;

HL_EXPORT hl_status hl_bench_fidelity(hl_library *library, const hl_call *call,
                                      const hl_fidelity_request *request, FILE *out, hl_error *error);

/* `headlight bench --uses`: how long what people do with a model takes on its own weights, or on random ones
 * where it has none: opening it, loading the weights, encoding short texts, indexing image files, and
 * questions to the loaded model. Texts are made from a seed; so are images where none are named. The atlas is
 * made where TMPDIR says. */
typedef struct hl_uses_request {
    uint32_t size;
    const char *model;
    const char *images;         /* a folder, a list or a gallery.json; NULL: */
    size_t made_images;         /* so many files made from a seed */
    size_t texts;               /* of 3 to 9 words */
    const char *backend;        /* NULL or "auto": the best */
    const char *const *compute; /* options of the backend, "KEY=VALUE" each */
    size_t compute_count;
    unsigned threads; /* 0: all cores */
    unsigned runs;    /* of which the median is shown; what happens once is measured once */
    size_t batch;     /* images in one pass of one thread; 0: the default */
    bool json;        /* one JSON object a use instead of a table */
} hl_uses_request;

HL_EXPORT hl_status hl_bench_uses(hl_library *library, const hl_call *call, const hl_uses_request *request,
                                  FILE *out, hl_error *error);

/* `headlight bench --search`: how long the search takes for one head of an atlas of random codes, and how
 * long reading the same bytes once does. The atlas, of 12 heads in 4 layers (6 KB an image), is made where
 * TMPDIR says. */
typedef struct hl_search_bench_request {
    uint32_t size;
    size_t images;
    unsigned threads; /* 0: all cores */
    unsigned runs;    /* how often each head is asked */
    bool json;        /* one JSON object instead of a table */
} hl_search_bench_request;

HL_EXPORT hl_status hl_bench_search(hl_library *library, const hl_call *call,
                                    const hl_search_bench_request *request, FILE *out, hl_error *error);

#ifdef __cplusplus
}
#endif
#endif
