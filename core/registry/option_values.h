/* Inside options: what reading, binding and documenting share. */
#ifndef OPTION_VALUES_H
#define OPTION_VALUES_H

#include "core/io/arena.h"
#include "core/registry/options.h"

/* One option and what the experiment says of it. */
typedef struct option_row {
    const hl_option *option;
    hl_value value;
    const char **written;    /* what results show of each entry, or of the one value */
    const yaml_node **nodes; /* where each is written */
    size_t count;
    bool is_default;
    yaml_file *fallback; /* the default, read; else NULL */
    direction_form **directions;
} option_row;

struct option_values {
    const hl_plugin *plugin;
    const yaml_node *section; /* NULL: none */
    option_row *rows;
    const hl_value **values;
    arena memory; /* all that the rows point to */
};

/* One value while it is being read. */
typedef struct option_reader {
    option_values *values;
    option_row *row;
    hl_error *error;
} option_reader;

hl_status options_no_memory(hl_error *error);

/* An error at a node of the experiment; `place` NULL: there is none. */
hl_status options_fail(const option_values *values, const yaml_node *place, hl_error *error,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What the experiment says of an entry, or where it could have said something; NULL: nowhere. */
const yaml_node *option_place(const option_values *values, const option_row *row, size_t index);

/* "option NAME: expected ..., got ..." */
hl_status option_fail_expected(const option_reader *reader, const yaml_node *node);

/* Whether the option may have so many entries. */
bool option_right_length(const hl_option *option, size_t count);

/* A path, resolved against the folder of the file that it stands in. */
const char *option_resolve(const option_reader *reader, const yaml_node *node);

/* Reads the row's entries, nodes that are written in a list or stand alone. */
hl_status options_read_list(const option_reader *reader, const yaml_node *const *entries, size_t count);

/* The same for HL_IMAGES: folders and patterns become the images that they stand for. */
hl_status options_read_images(const option_reader *reader, const yaml_node *const *entries, size_t count);

/* All rows of a table, without values yet. *out is there to be freed also after a failure, unless NULL. */
hl_status options_begin(const hl_plugin *plugin, option_values **out, hl_error *error);

hl_status options_read_default(option_values *values, option_row *row, hl_error *error);

bool option_may_be_left_out(const hl_option *option);
const char *option_type_name(hl_type type); /* as in option.h */
bool option_is_list(const hl_option *option);
bool option_is_bounded(const hl_option *option);
bool option_is_secret(const hl_option *option);
bool option_is_environment(const hl_option *option);

#endif
