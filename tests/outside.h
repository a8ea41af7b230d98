/* A headlight that is installed, and plugins that are built against it outside the tree, as plugins/README.md
 * shows it. */
#ifndef TESTS_OUTSIDE_H
#define TESTS_OUTSIDE_H

#include "tests/support.h"

typedef struct workshop {
    char *folder, *prefix, *command; /* everything happens in the one; headlight is installed in the other */
} workshop;

/* As cmocka's setup and teardown of a group; *state is a workshop. */
int open_workshop(void **state);
int close_workshop(void **state);

/* It must go well. Words end with NULL. */
void run_or_fail(const char *const *words);
#define RUN(...) run_or_fail((const char *const[]){__VA_ARGS__, NULL})

/* The README's fenced blocks in that language, from 0; the caller frees it. */
char *readme_block(const char *language, int number);

/* The same as a file of the workshop. */
void write_block(const workshop *shop, const char *language, int number, const char *name);

size_t count_lines(const char *lines);

/* Compiles NAME.c of the workshop by the README's own line, which is about `head-norms`, to
 * FOLDER/by-hand/NAME.so. */
void build_by_hand(const workshop *shop, const char *name);

#endif
