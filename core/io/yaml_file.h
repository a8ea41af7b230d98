/* One YAML document as a tree with places, over libyaml. Knows nothing of experiments.
 *
 * Refuses: no or several documents, duplicate keys, keys that are not plain text, more nodes or deeper
 * nesting than any experiment needs (aliases count as what they stand for), invalid UTF-8. Errors read
 * "FILE:LINE:COLUMN: what was found, what was expected". */
#ifndef HEADLIGHT_YAML_H
#define HEADLIGHT_YAML_H

#include "headlight/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

typedef struct yaml_file yaml_file;

/* The text of a file, which may be read only once: it may come from a pipe (`<(command)`, /dev/stdin), and
 * then relative paths in it are relative to the working directory. */
typedef struct yaml_source {
    const char *path;
    uint8_t *bytes;
    size_t count;
    bool piped;
} yaml_source;

/* `path` outlives *out. *cancel, which may be NULL, ends the waiting for a pipe. */
hl_status yaml_read(const char *path, const atomic_bool *cancel, yaml_source *out, hl_error *error);
void yaml_source_free(yaml_source *source); /* accepts a zeroed one */

/* `sets`: "path.to.key=value" each, the value being YAML; "analyses.0.count=3" counts list items from 0.
 * Relative paths in a set value are relative to the working directory. The strings outlive *out. */
hl_status yaml_open(const yaml_source *source, const char *const *sets, size_t set_count, yaml_file **out,
                    hl_error *error);
hl_status yaml_parse(const char *name, const uint8_t *bytes, size_t count, yaml_file **out, hl_error *error);
void yaml_close(yaml_file *file); /* accepts NULL */

/* The same as sets, but written in the file itself, at `places` ("FILE:LINE:COLUMN" each): relative paths are
 * relative to its folder. Once. The strings outlive the file. */
hl_status yaml_change(yaml_file *file, const char *const *changes, const char *const *places, size_t count,
                      hl_error *error);

const yaml_node_t *yaml_root(const yaml_file *file);

/* hl_fail with "FILE:LINE:COLUMN: " in front; status is always HL_USAGE. */
hl_status yaml_fail(const yaml_file *file, const yaml_node_t *at, hl_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes "FILE:LINE:COLUMN", or the argument of the set that the node came from. */
void yaml_place(const yaml_file *file, const yaml_node_t *at, char *out, size_t size);

/* The value of a key, or NULL. */
const yaml_node_t *yaml_get(const yaml_file *file, const yaml_node_t *mapping, const char *key);

/* Item `index` of a sequence, or NULL past the end. */
const yaml_node_t *yaml_item(const yaml_file *file, const yaml_node_t *sequence, size_t index);

/* Key and value of entry `index` of a mapping; false past the end. */
bool yaml_entry(const yaml_file *file, const yaml_node_t *mapping, size_t index, const yaml_node_t **key,
                const yaml_node_t **value);

/* A path from the file, resolved against its folder (for a node that came from a set: the working directory).
 * free() it; NULL when there is no memory. */
char *yaml_resolve(const yaml_file *file, const yaml_node_t *node);

#endif
