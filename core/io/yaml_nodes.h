/* Inside YAML: how nodes are made. */
#ifndef YAML_NODES_H
#define YAML_NODES_H

#include "core/io/arena.h"
#include "core/io/yaml.h"

enum { YAML_LARGEST_FILE = 1 << 20, YAML_MOST_NODES = 10000, YAML_DEEPEST = 32 };

/* Where nodes come from. */
typedef struct yaml_origin yaml_origin;
struct yaml_origin {
    const char *name; /* of the file, or of the argument, what it sets included: "--set compute.backend" */
    bool is_argument; /* whose lines nobody wants to count */
    bool in_folder;   /* `name` is a path, to whose folder others are relative */
    const uint8_t *bytes; /* what was read from there; NULL: it is not kept */
    size_t count;
    const yaml_node *hidden;   /* the last one that was */
    const yaml_origin *before; /* of the same file, read earlier */
};

struct yaml_file {
    arena memory; /* of all trees */
    const yaml_node *root;
    uint8_t *bytes;             /* free()d with it; NULL: none were kept */
    const yaml_origin *origins; /* the last one */
};

hl_status yaml_no_memory(hl_error *error);

/* A node of this type at the place of another, with room for `count` items (and keys); NULL: no memory. */
yaml_node *yaml_new(yaml_file *file, yaml_type type, const yaml_node *at, size_t count);

/* Counts nodes and depth once all items are there. */
void yaml_settle(yaml_node *node);

/* Reads a text into nodes of the file, all of which come from `origin`. */
hl_status yaml_build(yaml_file *file, const yaml_origin *origin, const uint8_t *bytes, size_t count,
                     const yaml_node **out, hl_error *error);

#endif
