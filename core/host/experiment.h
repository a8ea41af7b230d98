/* An experiment: one YAML file, checked against what the plugins declare before anything heavy starts. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "core/host/options.h"
#include "core/host/registry.h"
#include "core/host/yaml_file.h"
#include "headlight/weights.h"

typedef struct experiment_step {
    const hl_plugin *plugin;
    option_values *values;
} experiment_step;

/* The images that analyses may search. */
typedef struct experiment_gallery {
    char *images; /* a folder, a list or a gallery.json, resolved; NULL: the experiment names no gallery */
    char *atlas;  /* resolved; NULL: a folder `atlas` among the results */
    hl_dtype dtype;
} experiment_gallery;

typedef struct experiment {
    yaml_file *file;
    const char *path;        /* of the YAML file */
    char *model_path;        /* resolved */
    experiment_step model;   /* plugin NULL: whichever recognises the folder, with its defaults */
    experiment_step compute; /* plugin NULL: auto */
    unsigned threads;        /* 0: all cores */
    experiment_gallery gallery;
    experiment_step properties; /* the extractor; plugin NULL: the experiment names none */
    char *output;               /* resolved; NULL when the experiment names none */
    experiment_step *analyses;
    size_t analysis_count;
} experiment;

/* Status 2 for whatever the file gets wrong. */
hl_status experiment_open(const registry *plugins, const char *path, const char *const *sets,
                          size_t set_count, experiment **out, hl_error *error);
void experiment_close(experiment *experiment); /* accepts NULL */

#endif
