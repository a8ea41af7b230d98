/* Options: what a plugin lets a user set, declared once as a table of data.
 *
 * From this one table come the check of the YAML (with file, line, column and the nearest valid name), the
 * defaults, and the text of `headlight plugins KIND/NAME`. A plugin never parses anything itself: it gets one
 * hl_value for each row of its table, in the table's order, already checked. */
#ifndef HEADLIGHT_OPTION_H
#define HEADLIGHT_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum hl_type {
    HL_BOOL = 1,   /* true, false                                   -> boolean */
    HL_INT,        /* a whole number within [min, max]              -> integer */
    HL_REAL,       /* a finite number within [min, max]             -> real */
    HL_STRING,     /* any text                                      -> string */
    HL_CHOICE,     /* one of `choices`                              -> string, integer (index into choices) */
    HL_PATH,       /* a file or folder, relative to the experiment  -> string (resolved) */
    HL_STRINGS,    /* a list of texts                               -> strings, count */
    HL_IMAGES,     /* a list of image files                         -> images, count */
    HL_DIRECTIONS, /* a list of texts                               -> directions, count */
    HL_HEADS,      /* a list of L3.H5, L3, all, aggregate, and sums -> selections, count */
    HL_PROPERTIES  /* a list of properties, such as colors          -> selections, count */
} hl_type;

enum {
    HL_OPTION_AGGREGATE = 1u << 0, /* HL_HEADS: `aggregate`, the sum over all heads, makes sense here */
    HL_OPTION_SETS = 1u << 1       /* HL_HEADS: weighted sets, "0.7*L3.H5 + L2", make sense here */
};

/* What a plugin's `run` cannot do without; the host refuses an experiment that lacks it before anything runs.
 */
enum {
    HL_NEEDS_GALLERY = 1u << 0, /* it asks about the images of a gallery */
    HL_NEEDS_WEIGHTS = 1u << 1  /* it asks what only a loaded model can answer */
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

/* An image file of the experiment. Opaque: hand it to hl_ask's functions (ask.h). */
typedef struct hl_image {
    const char *name; /* as the experiment wrote it; what results show */
    const char *path; /* resolved against the experiment's folder */
} hl_image;

/* A direction in the joint embedding space. Today always a text; the mean over templates, an image, a
 * difference of two and a vector from a .npy file come as further ways to write one, and change nothing for
 * analyses. */
typedef struct hl_direction {
    const char *name;    /* the text; what results show */
    const float *vector; /* embed_dim numbers, unit norm */
} hl_direction;

/* One thing to report on: a single head, or a set that is asked as one: `aggregate`, a property, a sum. A
 * list such as [L3] has become one selection for each head of the layer before a plugin sees it; more than
 * one component comes only where a flag of the option lets it, and with properties. */
typedef struct hl_selection {
    const char *name;           /* "L3.H5", "aggregate", "colors", "0.7*L3.H5 + L2"; what results show */
    const uint32_t *components; /* indices into hl_model_info.components */
    size_t count;
    const double *weights; /* one for each component, above 0; NULL: all 1 */
} hl_selection;

/* Only the fields named beside the option's type are set. Owned by the host, valid as long as the call that
 * it was handed to. [read only, any thread] */
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

#endif
