/* An experiment: one YAML file, checked against what the plugins declare before anything heavy starts. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "core/io/yaml_file.h"
#include "core/registry/options.h"
#include "core/registry/registry.h"
#include "headlight/weights.h"

typedef struct experiment_step {
    const hl_plugin *plugin;
    option_values *values;
    char *title; /* of an analysis, for people; NULL: none */
} experiment_step;

/* The same experiment with something changed: another backend, another model ... */
typedef struct experiment_variant {
    char *name;    /* also of its folder among the results */
    char **sets;   /* "path.to.key=value" each */
    char **places; /* where each is written */
    size_t set_count;
} experiment_variant;

/* The images that analyses may search. */
typedef struct experiment_gallery {
    char *images;   /* a folder, a list or a gallery.json, resolved; NULL: the experiment names no gallery */
    char *atlas;    /* resolved; NULL: a folder `atlas` among the results */
    hl_dtype dtype; /* 0: as the atlas there, else f16 */
    const yaml_node_t *place; /* of `images` */
} experiment_gallery;

typedef struct experiment {
    yaml_file *file;
    const char *path;        /* of the YAML file */
    const char *variant;     /* which one this is: its name; NULL: the experiment as it stands */
    char *model_path;        /* resolved */
    experiment_step model;   /* plugin NULL: whichever recognises the folder, with its defaults */
    experiment_step compute; /* plugin NULL: auto */
    unsigned threads;        /* 0: all cores */
    experiment_gallery gallery;
    experiment_step properties; /* the extractor; plugin NULL: the experiment names none */
    char *output;               /* resolved; NULL when the experiment names none */
    experiment_step *analyses;
    size_t analysis_count;
    experiment_variant *variants; /* none: the experiment is run once, as it stands */
    size_t variant_count;
} experiment;

/* Status 2 for whatever the file gets wrong. `variant`: one of those that the file names, whose changes are
 * made after `sets`; it outlives *out. NULL: none. So does the source's path. */
hl_status experiment_open(const registry *plugins, const yaml_source *source, const char *const *sets,
                          size_t set_count, const experiment_variant *variant, experiment **out,
                          hl_error *error);
void experiment_close(experiment *experiment); /* accepts NULL */

/* All of it but the analyses and variants, as YAML that ends in a newline; free() it. */
hl_status experiment_sections(const experiment *plan, char **out, hl_error *error);

#endif
