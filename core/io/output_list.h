/* The list that an output leaves in its folder: the names of its files, one a line, relative to the folder.
 *
 * What is read from it may have been written by anybody: a name is used only if it leads, by no symbolic link
 * and no hidden folder, to a regular file below the folder. */
#ifndef OUTPUT_LIST_H
#define OUTPUT_LIST_H

#include "headlight/error.h"
#include <stdbool.h>

/* The name of the list that `headlight run` leaves in its folder. */
#define OUTPUT_RUN_LIST ".headlight-run-files"

/* Whether a list can hold the name: no part of it is empty or begins with '.', and it is one line. */
bool output_list_takes(const char *name);

typedef hl_status output_list_visit(void *context, const char *name, hl_error *error);

/* Calls `visit` with each file that the list names and that is there, until one call fails. A list that is
 * not there, is no regular file or may not be opened names none. */
hl_status output_list_read(const char *folder, const char *list, output_list_visit *visit, void *context,
                           hl_error *error);

#endif
