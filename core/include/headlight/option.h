/* Options: what a plugin lets a user set, declared once as a table of data.
 *
 * From this one table come the check of the YAML (with file, line, column and the nearest valid name), the
 * defaults, and the text of `headlight plugins KIND/NAME`. A plugin never parses anything itself: it gets one
 * hl_value for each row of its table, in the table's order, already checked. Options are read and bound alike
 * for every kind of plugin; a row that makes no sense for the plugin's kind makes the plugin a broken one,
 * named with its reason by `headlight plugins`:
 *
 *     kind        types it may have                         names that its section has taken
 *     compute     HL_BOOL to HL_STRINGS                     backend, threads
 *     model       HL_BOOL to HL_STRINGS                     path, plugin, name, random-weights
 *     extractor   all but HL_PROPERTIES                     name, plugin, extractor, from
 *     analysis    all                                       plugin, title
 *     report      HL_BOOL to HL_STRINGS                     plugin, name
 *
 * so do two rows of one name, bounds that exclude all, a default that the row itself would refuse, and a flag
 * that means nothing for the row's type. */
#ifndef HEADLIGHT_OPTION_H
#define HEADLIGHT_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the user writes, and which fields of hl_value are set. */
typedef enum hl_type {
    HL_BOOL = 1, /* true, false                                   -> boolean */
    HL_INT,      /* a whole number within [min, max]              -> integer */
    HL_REAL,     /* a finite number within [min, max]             -> real */
    HL_STRING,   /* any text                                      -> string */
    HL_CHOICE,   /* one of `choices`                              -> string, integer (index into choices) */
    HL_PATH,     /* a file or folder, relative to the experiment  -> string (resolved) */
    HL_STRINGS,  /* a list of texts                               -> strings, count */

    /* Image files, folders (all images below them, by path) and patterns such as photos/day-*.jpg, each of
     * which comes as the images that it stands for -> images, count */
    HL_IMAGES,

    /* Directions in the joint space, one for each entry: a text, or a map that says
     * - {templates: FILE, text: dog}: the mean over templates, one a line, {} standing for the text
     * - {image: a.jpg}: an image's embedding
     * - {npy: probe.npy, row: 3}: a row of an array with embed_dim columns
     * - {sum: [[1, a dog], [-1, {image: a.jpg}]]}: a weighted sum of directions
     *
     * and, with any of these, `name`: what results call it -> directions, count */
    HL_DIRECTIONS,

    /* What wrote into an image's embedding: L3.H5; L3, L8-L11 and all, each of which comes as one selection
     * for each of its heads; with HL_OPTION_AGGREGATE also aggregate, with HL_OPTION_ALL_COMPONENTS also
     * L3.MLP, input, remainder and embedding, with HL_OPTION_SETS also sums, "0.7*L3.H5 + L2 - L8-L11". What
     * a list names twice counts once. Where a model calls heads otherwise, so does the entry: pool.H5,
     * pool.MLP; and remainder. -> selections, count */
    HL_HEADS,

    /* Names of properties, such as colors; each comes as the heads that carry it -> selections, count */
    HL_PROPERTIES
} hl_type;

enum {
    HL_OPTION_AGGREGATE = 1u << 0,      /* HL_HEADS: `aggregate`, the sum over all heads, makes sense here */
    HL_OPTION_SETS = 1u << 1,           /* HL_HEADS: weighted sets, "0.7*L3.H5 + L2", make sense here */
    HL_OPTION_ALL_COMPONENTS = 1u << 2, /* HL_HEADS: so do MLPs, `input` and `embedding` */
    HL_OPTION_MAY_BE_EMPTY = 1u << 3,   /* lists: an empty one is right, whatever the bounds; else, without
                                           bounds, there must be an entry */

    /* Since ABI 2.1. HL_STRING: a password or the like. Results, pages and the experiment's text on them show
     * "***" in its place, and what is kept on disk does not depend on it. */
    HL_OPTION_SECRET = 1u << 4,

    /* Since ABI 2.1. HL_STRING: the default is what the environment variable says that `fallback` names;
     * where that is missing or empty the option must be given. Results show what it said, and what is kept on
     * disk depends on it. */
    HL_OPTION_ENVIRONMENT = 1u << 5
};

/* What an analysis or an extractor cannot do without: in hl_analysis_api.needs and hl_extractor_api.needs.
 * The host refuses an experiment that lacks it before anything runs. */
enum {
    HL_NEEDS_GALLERY = 1u << 0, /* it asks for images of a gallery: the experiment must name one */
    HL_NEEDS_WEIGHTS = 1u << 1, /* it asks what only a loaded model can answer. An analysis always may; an
                                   extractor that needs none is run by `headlight run --check` too */

    /* Since ABI 2.1. With HL_NEEDS_GALLERY: columns that an atlas need not have; one that
     * lacks them is brought up to date. */
    HL_NEEDS_EMBEDDINGS = 1u << 2, /* hl_ask.gallery_embeddings */
    HL_NEEDS_MLPS =
        1u << 3, /* hl_ask.gallery_codes of MLPs and of what enters the first layer: contributions */

    /* An analysis of which this is true is kept on disk like an extractor's findings, and not run again while
     * what it depends on is the same: model, backend, gallery, plugin, options and the files named in them,
     * and what extractors found. For those that take long; so it reads no other files, and takes no clock and
     * no chance into account. Grids and pictures make it one that is not kept. */
    HL_KEEPS_RESULTS = 1u << 4
};

typedef struct hl_option {
    const char *name; /* as in YAML: "opacity" */
    hl_type type;
    const char *fallback;       /* the default, written as in YAML: "0.6", "[aggregate]"; NULL: must be given;
                                   "~": may be left out and then hl_value.given is false */
    double min, max;            /* of the number, or of a list's length; min == max == 0: no bounds */
    const char *const *choices; /* HL_CHOICE: the valid words, ends with NULL */
    uint32_t flags;             /* HL_OPTION_... */
    const char *help;           /* one sentence, shown to users */
} hl_option;

/* An image of the experiment, or one that was opened (ask.h): the head of a larger struct of the host.
 * Reached by pointer only: a copy is none. */
typedef struct hl_image {
    const char *name; /* as the experiment wrote it; what results show */
    const char *path; /* resolved against the experiment's folder; NULL: it is no file */
} hl_image;

/* A direction in the joint embedding space: the head of a larger struct of the host, reached by pointer only.
 * What an experiment names has its vector by the time that a plugin's `run` gets it. */
typedef struct hl_direction {
    const char *name;    /* the text; what results show */
    const float *vector; /* embed_dim numbers; unit norm but for sums and rows of a .npy file */
} hl_direction;

typedef enum hl_selection_kind {
    HL_COMPONENTS = 0, /* `components` with `weights` */
    HL_EMBEDDING       /* the whole embedding, normalised where it is compared; no components */
} hl_selection_kind;

/* One thing to report on: a single component, or a set that is asked as one: `aggregate`, a property, a sum.
 * A list such as [L3] has become one selection for each head of the layer before a plugin sees it; more than
 * one component comes only where a flag of the option lets it, and with properties. The head of a larger
 * struct of the host, reached by pointer only. */
typedef struct hl_selection {
    const char *name;           /* "L3.H5", "aggregate", "colors", "0.7*L3.H5 + L2"; what results show */
    const uint32_t *components; /* indices into hl_model_info.components */
    size_t count;
    const double *weights; /* one for each component, none of them 0; NULL: all 1 */
    uint32_t kind;         /* an hl_selection_kind */
} hl_selection;

/* Only the fields named beside the option's type are set. Reached by pointer only, for it grows: a plugin
 * gets an array of pointers. Owned by the host, valid as long as the call that it was handed to. [read only,
 * any thread] */
typedef struct hl_value {
    bool given; /* false only for an option whose fallback is "~" and that was left out */
    bool boolean;
    int64_t integer;
    double real;
    const char *string;
    size_t count; /* of whichever list below is set */
    const char *const *strings;
    const hl_image *const *images;
    const hl_direction *const *directions;
    const hl_selection *const *selections;
} hl_value;

#ifdef __cplusplus
}
#endif

#endif
