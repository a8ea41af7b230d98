/* Inside options: what reading, binding and documenting share. */
#ifndef OPTION_VALUES_H
#define OPTION_VALUES_H

#include "core/host/options.h"

/* One option and what the experiment says of it. */
typedef struct option_row {
    const hl_option *option;
    hl_value value;
    const char **written;       /* as the user wrote it: one text, or one for each item of a list */
    const yaml_node_t **places; /* of each; NULL when this is the default */
    size_t count;
    hl_direction *directions; /* whose vectors are filled in later */
} option_row;

struct option_values {
    const hl_plugin *plugin;
    const yaml_file *file;      /* NULL: none */
    const yaml_node_t *section; /* NULL: none */
    option_row *rows;
    const hl_value **values;
    struct option_block *blocks; /* all memory that the rows point to */
};

/* Zeroed memory that lives as long as the values; NULL when there is none. */
void *options_own(option_values *values, size_t count, size_t element);

/* Pointers to the elements of an array of structs, owned in the same way. */
const void *options_pointers(option_values *values, const void *array, size_t count, size_t element);

hl_status options_no_memory(hl_error *error);

/* An error at a node of the experiment; `place` NULL: there is none. */
hl_status options_fail(const option_values *values, const yaml_node_t *place, hl_error *error,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A word of an HL_HEADS option; `layer` and `head` as in the component table, -1 stands for all. False when
 * it is none. */
typedef struct head_selector {
    int32_t layer, head;
    bool aggregate;
} head_selector;
bool option_selector(const char *text, head_selector *out);

bool option_is_list(const hl_option *option);
bool option_is_bounded(const hl_option *option);

#endif
