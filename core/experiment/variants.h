/* The variants of an experiment: the same with something set otherwise. */
#ifndef VARIANTS_H
#define VARIANTS_H

#include "core/io/yaml.h"

typedef struct experiment_variant {
    const char *name;      /* also of its folder among the results */
    const yaml_node *sets; /* a map of "path.to.key" to what is put there; NULL: nothing */
    bool optional;         /* skipped where its model's weights or its gallery are not there */
} experiment_variant;

/* `node`: the section. Names and values are the tree's. */
hl_status variants_read(const yaml_node *node, experiment_variant **out, size_t *count, hl_error *error);

/* The experiment as this variant has it. */
hl_status variant_apply(const experiment_variant *variant, yaml_file *file, const yaml_node **root,
                        hl_error *error);

#endif
