/* Inside options: what reading, binding and documenting share. */
#ifndef OPTION_VALUES_H
#define OPTION_VALUES_H

#include "core/registry/options.h"

/* One option and what the experiment says of it. */
typedef struct option_row {
    const hl_option *option;
    hl_value value;
    const char **written;     /* as the user wrote it: one text, or one for each item of a list; once bound,
                                 a property by its own name */
    const yaml_node **places; /* of each; NULL when this is the default */
    size_t count;
    hl_direction *directions; /* whose vectors are filled in later */
} option_row;

struct option_values {
    const hl_plugin *plugin;
    const yaml_node *section; /* NULL: none */
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
hl_status options_fail(const option_values *values, const yaml_node *place, hl_error *error,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A word of an HL_HEADS option; `layer` and `head` as in the component table, -1 stands for all. False when
 * it is none. */
typedef struct head_selector {
    int32_t layer, head;
    bool aggregate;
} head_selector;
bool option_selector(const char *text, head_selector *out);

/* Whether an entry of such an option is a sum: one set of heads, [WEIGHT*]L3.H5 + [WEIGHT*]L2 ... */
bool option_is_sum(const char *text);

#define OPTION_LARGEST_WEIGHT 1e6

typedef struct head_term {
    double weight; /* above 0; 1 where none is written */
    head_selector heads;
} head_term;

/* Takes the first term off a sum. *text becomes what follows its `+`, NULL after the last term. The error is
 * the end of a sentence: "expected ..., got ...". */
hl_status option_term(const char **text, head_term *out, hl_error *error);

bool option_is_list(const hl_option *option);
bool option_is_bounded(const hl_option *option);

#endif
