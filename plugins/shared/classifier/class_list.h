/* A class list: what a classifier may answer, and by which texts it knows it. One class a line, the value as
 * gallery.json has it and, unless that says it, what it is called, in one or several ways:
 *
 *     # a comment
 *     [places]
 *     grass
 *     [main.numbers]
 *     one: one thing | a single thing
 *
 * A heading is the key that the classes after it answer for; those before any heading answer for every key.
 */
#ifndef CLASS_LIST_H
#define CLASS_LIST_H

#include "headlight/host.h"

/* One text of a class; those of one class stand together. */
typedef struct class_row {
    const char *key; /* NULL: for every key */
    const char *value, *text;
    size_t line; /* from 1 */
} class_row;

/* Read only, once it is open. */
typedef struct class_list {
    const hl_host *host;
    const char *path;
    const class_row *rows;
    size_t count;
    const char *const *keys; /* the headings, in the order of the file */
    size_t key_count;
} class_list;

/* UTF-8, lines ended by LF, CR or both. HL_USAGE, with file and line, for what is no class list. *out is the
 * caller's until `class_list_close`. */
hl_status class_list_open(const hl_host *host, const char *path, class_list **out, hl_error *error);
void class_list_close(class_list *self); /* accepts NULL */

/* The same of bytes in memory, for a parser's tests: takes bytes[0 .. count], of which the last is NUL and
 * which `free` frees, also where it fails. `name` is for messages. */
hl_status class_list_parse(const hl_host *host, const char *name, char *bytes, size_t count, class_list **out,
                           hl_error *error);

/* The rows that answer for a key: those under its heading, else those before any. 0: none do. */
size_t class_list_find(const class_list *self, const char *key, const class_row **first);

#endif
