/* A plugin's file as the loader sees it: what the loader itself takes on trust. */
#ifndef LIBRARY_FILE_H
#define LIBRARY_FILE_H

#include "headlight/error.h"
#include <stdbool.h>

/* HL_USAGE for a file that is cut short: touching what it lacks would end this program by a signal. What is
 * no library at all the loader refuses. */
hl_status library_file_check(const char *path, hl_error *error);

/* Opens it with RTLD_NOW | RTLD_LOCAL. HL_USAGE with the loader's reason. */
hl_status library_file_open(const char *path, void **handle, hl_error *error);

/* The names that an opened one exports beside `own`, as "a, b", into `out`; empty: none. Names that start
 * with an underscore belong to compilers and to C++. */
void library_file_exports(void *handle, const char *own, char *out, size_t room);

#endif
