/* YAML as a tree with a place at every node, read once: a file, a pipe, standard input or a text in memory.
 * libyaml finds the tokens. Knows nothing of experiments.
 *
 * Refuses: no or several documents, duplicate keys, keys that are not plain text, merge keys, tags, more
 * nodes or deeper nesting than any experiment needs (aliases count as what they stand for), invalid UTF-8.
 * Errors read "FILE:LINE:COLUMN: what was found, what was expected".
 *
 * A tree never changes: who sets a value in it gets the root of another one, which shares all that is the
 * same. Every node lives as long as the yaml_file that it came from. */
#ifndef HEADLIGHT_YAML_H
#define HEADLIGHT_YAML_H

#include "headlight/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct yaml_file yaml_file;

typedef enum yaml_type { YAML_TEXT = 1, YAML_LIST, YAML_MAP } yaml_type;

typedef struct yaml_node yaml_node;
struct yaml_node {
    yaml_type type;
    const struct yaml_origin *origin; /* which file or argument */
    size_t line, column;              /* from 1, in characters */
    const char *text;                 /* YAML_TEXT */
    bool plain;                       /* a text without quotes, which may be a number, true, or nothing */
    size_t count;                     /* items, or entries of a map */
    const yaml_node **items;          /* of a list; a map's values */
    const yaml_node **keys;           /* of a map: texts, each there once */
    size_t nodes, depth;              /* this one and all below; levels of lists and maps */
    int style;                        /* how it was written, for yaml_write */
    size_t first, past;               /* a text's characters in what was read, from 0 */
    bool hidden;                      /* see yaml_hide */
    const yaml_node *hidden_before;
};

/* `path` may be a file, `-` for standard input, or what a shell puts for `<(command)`;
 * the call's cancellation ends the waiting for a pipe. */
hl_status yaml_read(const char *path, yaml_file **out, hl_error *error);
/* Relative paths in it are relative to the folder of `name` or, where that has none, to the working
 * directory. */
hl_status yaml_parse(const char *name, const uint8_t *bytes, size_t count, yaml_file **out, hl_error *error);
void yaml_close(yaml_file *file); /* accepts NULL */

const yaml_node *yaml_root(const yaml_file *file);

/* From now on this text is shown as YAML_HIDDEN by yaml_print_source and yaml_write: a password or the like.
 */
#define YAML_HIDDEN "***"
void yaml_hide(const yaml_node *text);

/* What was read, as it was written, and then each argument that was set, as a comment. free() it. */
hl_status yaml_print_source(const yaml_file *file, char **out, hl_error *error);

/* ---- questions; `node` may be NULL ---- */

/* The value of a key; NULL when there is none, or `node` is no map. */
const yaml_node *yaml_get(const yaml_node *node, const char *key);

/* Item `index` of a list; NULL past the end, or when `node` is none. */
const yaml_node *yaml_item(const yaml_node *node, size_t index);

/* What a text is in the core schema of YAML 1.2; whole numbers in decimal only. False when it is not. No
 * answer depends on the locale. */
bool yaml_is_null(const yaml_node *node);
bool yaml_truth(const yaml_node *node, bool *out);
bool yaml_whole(const yaml_node *node, int64_t *out);
bool yaml_real(const yaml_node *node, double *out); /* finite */

/* ---- places ---- */

/* hl_fail with "FILE:LINE:COLUMN: " in front; status is always HL_USAGE. */
hl_status yaml_fail(const yaml_node *at, hl_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes "FILE:LINE:COLUMN", or the argument of the set that the node came from, without its value, which may
 * be secret. */
void yaml_place(const yaml_node *at, char *out, size_t size);

/* A path, resolved against the folder of the file that it stands in; one in an argument, or in what came
 * through a pipe, is relative to the working directory. free() it; NULL when there is no memory. */
char *yaml_resolve(const yaml_node *node, const char *path);

/* ---- other trees ---- */

/* `root` with the value of an argument "path.to.key=VALUE", VALUE being YAML; "analyses.0.count=3" counts the
 * items of a list from 0, and the number after the last appends one. `root` NULL: an empty map. `name`: what
 * errors call the argument, such as "--set". */
hl_status yaml_set(yaml_file *file, const yaml_node *root, const char *name, const char *argument,
                   const yaml_node **out, hl_error *error);

/* The same with a value that is in the tree already. Errors are at the value's place. */
hl_status yaml_put(yaml_file *file, const yaml_node *root, const char *path, const yaml_node *value,
                   const yaml_node **out, hl_error *error);

/* A map without a key; itself where it lacks it. */
hl_status yaml_without(yaml_file *file, const yaml_node *map, const char *key, const yaml_node **out,
                       hl_error *error);

/* A text as a node at the place of another one. */
hl_status yaml_new_text(yaml_file *file, const yaml_node *at, const char *text, const yaml_node **out,
                        hl_error *error);

/* The tree as YAML that ends in a newline, a block of lines outside, and inside as it was written. free() it.
 */
hl_status yaml_write(const yaml_node *root, char **out, hl_error *error);

#endif
