/* Under which names, and in which form, a file keeps the tensors of a model: tables, one for each layout that
 * people have. A plugin speaks of its tensors by one set of names, its own; each further layout says what
 * takes their place in the file. Knows no name of any model.
 *
 *     static const tensor_name layer[] = {
 *         TENSOR("ln_1.weight", "layer_norm1.weight"),
 *         TENSOR("attn.in_proj_bias", "q_proj.bias", TENSOR_OF_ZEROS, "v_proj.bias"), // one below the other
 *         TENSORS_END};
 *     static const tensor_name others[] = {
 *         TENSOR_AS(TENSOR_TRANSPOSED, "visual.proj", "visual_projection.weight"),
 *         TENSORS_END};
 *     static const tensor_group groups[] = {
 *         {"visual.transformer.resblocks.#.", "vision_model.encoder.layers.#.", layer}, // # is any number
 *         {"", "", others},
 *         TENSORS_END};
 *     static const tensor_naming namings[] = {
 *         {.label = "open_clip's"},
 *         {.label = "Hugging Face's", .groups = groups}};
 */
#ifndef NAMING_H
#define NAMING_H

#include <stdbool.h>
#include <stddef.h>

enum { TENSOR_PARTS = 3, TENSOR_NAME_ROOM = 192 };

/* Parts of which the file has none: as many zeros as the others leave; and, by itself, a matrix that changes
 * nothing. */
#define TENSOR_OF_ZEROS "0"
#define TENSOR_IDENTITY "1"

typedef enum tensor_form {
    TENSOR_AS_STORED = 0, /* the plugin's shape; in parts: the first side is that of all of them together */
    TENSOR_TRANSPOSED,    /* a matrix, columns for rows */
    TENSOR_RESHAPED       /* the same numbers in the same order in a shape with further sides of 1 */
} tensor_form;

typedef struct tensor_name {
    const char *ours;                 /* NULL: the end of the table */
    const char *theirs[TENSOR_PARTS]; /* one, or several that lie one below the other here */
    tensor_form form;
} tensor_name;

#define TENSOR(OURS, ...)                                                                                    \
    {                                                                                                        \
        .ours = OURS, .theirs = { __VA_ARGS__ }                                                              \
    }
#define TENSOR_AS(FORM, OURS, THEIRS)                                                                        \
    { .ours = OURS, .theirs = {THEIRS}, .form = FORM }
#define TENSORS_END                                                                                          \
    { .ours = NULL }

/* Names that begin alike. '#' in both beginnings stands for a number, the same in both. */
typedef struct tensor_group {
    const char *ours, *theirs; /* NULL: the end of the table */
    const tensor_name *names;  /* what comes behind; NULL: whatever it is, it is the same in both */
} tensor_group;

typedef struct tensor_naming {
    const char *label;          /* whose names these are, for messages: "Hugging Face's" */
    const tensor_group *groups; /* the first in which a name is found counts; NULL: the plugin's own names */
    /* Of what lies there besides and changes nothing, see checkpoint_rules.harmless; may be NULL. */
    const char *const *harmless;
} tensor_naming;

/* What takes a tensor's place in the file. */
typedef struct tensor_place {
    size_t count; /* of parts; 0: this layout has no such tensor */
    char parts[TENSOR_PARTS][TENSOR_NAME_ROOM];
    tensor_form form;
} tensor_place;

/* `before`: what comes before every name of the file, "module." for one. */
void naming_find(const tensor_naming *naming, const char *before, const char *ours, tensor_place *out);

static inline bool part_is_made(const char *part) {
    return (part[0] == TENSOR_OF_ZEROS[0] || part[0] == TENSOR_IDENTITY[0]) && !part[1];
}

#endif
