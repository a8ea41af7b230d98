/* An experiment: one YAML file, checked against what the plugins declare before anything heavy starts. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "core/experiment/variants.h"
#include "core/registry/options.h"
#include "core/registry/registry.h"
#include "headlight/weights.h"

/* A plugin that is run, and its options. */
typedef struct experiment_step {
    const hl_plugin *plugin;
    option_values *values;
    const yaml_node *place; /* the mapping that says so */
    const char *title;      /* of an analysis, for people; NULL: none */
    const char *name;       /* of an extractor's step; NULL: one that only `properties` asks for */
    const struct experiment_step **from; /* the earlier steps that an extractor builds on */
    size_t from_count;
} experiment_step;

/* An image that was left out. */
typedef struct experiment_skipped {
    char *name, *reason;
} experiment_skipped;

/* The images that analyses may search. */
typedef struct experiment_gallery {
    char *images;   /* a folder, a list or a gallery.json, resolved; NULL: the experiment names no gallery */
    char *atlas;    /* resolved; NULL: a folder `atlas` among the results */
    hl_dtype dtype; /* 0: as the atlas there, else f16 */
    const yaml_node *place; /* of `images` */
} experiment_gallery;

typedef struct experiment {
    yaml_file *file;       /* the source's */
    const yaml_node *root; /* the experiment as it is run */
    const char *variant;   /* which one this is: its name; NULL: the experiment as it stands */
    bool optional;         /* it may be skipped */
    char *model_path;      /* resolved */
    bool random_weights;   /* numbers that follow from `seed` in place of those in the folder */
    uint64_t seed;
    experiment_step model;   /* plugin NULL: whichever recognises the folder; `place` has its options */
    experiment_step compute; /* plugin NULL: auto */
    unsigned threads;        /* 0: all cores */
    experiment_gallery gallery;
    experiment_step *extractors; /* in the order of the chain; `from` is an earlier one */
    size_t extractor_count;
    const experiment_step
        *properties;             /* of these the one that says which heads carry a property; NULL: none */
    char *output;                /* resolved; NULL when the experiment names none */
    bool skip_unreadable;        /* on-error: skip */
    experiment_skipped *skipped; /* query images that were left out, each name once */
    size_t skipped_count;
    experiment_step *analyses;
    size_t analysis_count;
    experiment_step *reports; /* in the order in which they are written */
    size_t report_count;
    experiment_variant *variants; /* none: the experiment is run once, as it stands */
    size_t variant_count;
} experiment;

/* Keys of the section `model` that are no plugin's. */
extern const char *const experiment_model_keys[];

/* An experiment's text, read once: checking, running and describing it all go by this one tree. */
typedef struct experiment_source {
    yaml_file *file;
    const yaml_node *root; /* with what the command line sets */
} experiment_source;

/* `path` as for yaml_read, `sets` as for yaml_set. */
hl_status experiment_read(const char *path, const char *const *sets, size_t set_count, experiment_source *out,
                          hl_error *error);
void experiment_forget(experiment_source *source); /* accepts a zeroed one */

/* A value of a section as a variant has it, as it is written. */
hl_status experiment_value(const experiment_source *source, const experiment_variant *variant,
                           const char *section, const char *key, const yaml_node **out, hl_error *error);

/* Status 2 for whatever the experiment gets wrong, HL_UNAVAILABLE where an optional variant's folder is not
 * there. `variant`: one of those that it names; NULL: as it stands. Both outlive *out. */
hl_status experiment_open(const registry *plugins, const experiment_source *source,
                          const experiment_variant *variant, experiment **out, hl_error *error);
void experiment_close(experiment *experiment); /* accepts NULL */

/* All of it but the analyses and variants, as YAML that ends in a newline; free() it. */
hl_status experiment_sections(const experiment *plan, char **out, hl_error *error);

#endif
