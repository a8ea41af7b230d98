/* The tensors of a model: what a configuration says that there must be, held against what a file holds, and
 * their numbers, from the file or at random. Knows no names, no model and no backend: these come as data.
 *
 * A plugin makes the list of its tensors, under names of its own, from its configuration, and opens the file
 * with it and with the layouts that people have (naming.h). That fails, naming the tensor, where one is
 * missing, has another shape or no numbers that can be read, and where the file holds one that nobody asked
 * for. From then on a tensor is read by its spec, whatever the file calls it and in however many parts it
 * lies there. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "headlight/model.h"
#include "headlight/weights.h"
#include "naming.h"

/* One tensor. */
typedef struct tensor_spec {
    char name[96]; /* the plugin's, by which namings find it and random numbers are made */
    uint32_t rank; /* 0: there is none, where whoever takes specs says that this may be */
    size_t shape[4];
    float mean, deviation; /* of random numbers */
    bool any_rows; /* of a matrix: how many rows there are is the file's to say, see checkpoint_spec */
} tensor_spec;

size_t tensor_elements(const tensor_spec *spec);

/* The same under this name; NULL: there is none. */
tensor_spec tensor_named(tensor_spec spec, const char *name);

/* A tensor that would be there if the model had a layer more than its configuration says. */
typedef struct tensor_beyond {
    tensor_spec tensor;
    size_t layers;
} tensor_beyond;

/* What a file has to hold, and how to speak of it. The caller keeps all of it while the checkpoint is opened.
 */
typedef struct checkpoint_rules {
    const char *plugin;        /* "clip-vit" */
    const char *file;          /* in the model's folder: "open_clip_model.safetensors"; where it is not there,
                                  what model_folder_weights finds */
    const char *named;         /* the file's name that a user gave; NULL: none */
    const char *configuration; /* the file that the tensors follow from: "open_clip_config.json" */
    /* The layouts in which the tensors may lie; they outlive the checkpoint. That counts of which the file
     * has most. */
    const tensor_naming *namings;
    size_t naming_count;
    const tensor_spec *tensors;
    size_t tensor_count;
    const tensor_beyond *beyond;
    size_t beyond_count;
    /* Names of tensors that may be there besides, in any dtype, because nothing that the plugin computes
     * depends on them. One that starts with '.' stands for all that end so. NULL at the end. */
    const char *const *harmless;
    /* Reads another container than .safetensors; NULL: the host's reader. */
    const hl_weights_api *reader;
} checkpoint_rules;

typedef struct checkpoint {
    const hl_weights_api *api;
    hl_weights *file; /* NULL: random numbers */
    char *path;
    uint64_t seed;
    const tensor_naming *naming;   /* in which layout its tensors lie */
    char before[TENSOR_NAME_ROOM]; /* what comes before each of their names: "module." */
} checkpoint;

/* Opens the weights and holds them against the rules; with random weights there is nothing to open. After a
 * failure there is nothing to close. */
hl_status checkpoint_open(const hl_host *host, const hl_model_source *source, const checkpoint_rules *rules,
                          checkpoint *out, hl_error *error);

/* Opens the file alone, for names and shapes before there is a configuration: in the layout that has most of
 * rules->tensors, of which the names suffice. */
hl_status checkpoint_peek(const hl_host *host, const hl_model_source *source, const checkpoint_rules *rules,
                          checkpoint *out, hl_error *error);

/* The sides of a matrix or a vector as the plugin has it, where it lies in one part; 0 beyond its rank, and
 * where there is none of that name. Only of an opened file. */
void checkpoint_shape(const checkpoint *weights, const char *name, uint64_t sides[4]);

void checkpoint_close(checkpoint *weights); /* accepts a zeroed one */

/* The spec with as many rows as the file has, where these are its to say; `shape` says how many random ones
 * there are. */
tensor_spec checkpoint_spec(const checkpoint *weights, tensor_spec spec);

/* What the file keeps of a tensor under the plugin's name, in one part; NULL: nothing. Only of an opened
 * file, not of random numbers. [any thread] */
const hl_stored_tensor *checkpoint_find(const checkpoint *weights, const char *name);

/* Elements [first, first + count) of the tensor as its spec says it. [any thread] */
hl_status checkpoint_read(const checkpoint *weights, const tensor_spec *spec, size_t first, size_t count,
                          float *out, hl_error *error);

/* Whether a part of the tensor is read at the cost of that part, and not of the whole. [any thread] */
bool checkpoint_in_order(const checkpoint *weights, const tensor_spec *spec);

/* The whole tensor in new memory that the caller frees; its file pages are given back. */
hl_status checkpoint_take(const checkpoint *weights, const tensor_spec *spec, float **out, hl_error *error);

/* Gives the tensor's file pages back. */
void checkpoint_done(const checkpoint *weights, const tensor_spec *spec);

/* The one number of a tensor that need not be there; *there says whether it is, and is a number. */
hl_status checkpoint_scalar(const checkpoint *weights, const char *name, bool *there, float *out,
                            hl_error *error);

/* 32 hex digits, or the seed in words, and NUL: tells the stored numbers from any others. */
hl_status checkpoint_digest(const checkpoint *weights, char out[33], hl_error *error);

#endif
