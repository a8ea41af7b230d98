/* Command lines as data: one table for each subcommand, from which come parsing, errors and help. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "headlight/library.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct text_list {
    const char **items;
    size_t count;
} text_list;

typedef struct number_list {
    unsigned *items;
    size_t count;
} number_list;

typedef enum argument_type {
    ARGUMENT_FLAG = 1, /* target: bool */
    ARGUMENT_TEXT,     /* const char * */
    ARGUMENT_TEXTS,    /* text_list; may be given several times */
    ARGUMENT_NUMBER,   /* unsigned */
    ARGUMENT_NUMBERS   /* number_list; may be given several times */
} argument_type;

typedef struct argument {
    const char *name;  /* "--out"; without dashes it is an operand: "FILE" */
    const char *value; /* what help calls the value; NULL for flags and operands */
    argument_type type;
    bool required;
    unsigned min, max; /* of a number */
    void *target;      /* zero or a default beforehand */
    const char *help;
} argument;

typedef struct subcommand {
    const char *name, *summary; /* the summary is one line, for lists */
    const char *details;        /* for its own help */
    const argument *arguments;  /* end with a row without a name */
    /* Called when the command line is right and all plugins are loaded, unless it needs none and `library` is
     * NULL. What it prints goes to stdout. */
    hl_status (*run)(hl_library *library, const hl_call *call, hl_error *error);
    bool makes_files; /* which are its results: what it prints is about them */
    bool without_library;
} subcommand;

/* What every command takes. */
typedef struct common_arguments {
    text_list plugin_folders;
    bool quiet, help;
} common_arguments;
extern common_arguments common;

/* `words`: what follows the command's name. HL_USAGE with a message when they are wrong. With --help nothing
 * is required. Lists are freed by `arguments_free`. */
hl_status arguments_parse(const subcommand *command, int count, char **words, hl_error *error);
void arguments_free(const subcommand *command);

void arguments_help(const subcommand *command, FILE *out);

#endif
