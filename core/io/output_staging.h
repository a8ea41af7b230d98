/* The staging folder of an output: the files that are not in their places yet, and those that were there.
 *
 * It holds "new-N", the output's file N while it is written; "old-N", what was in the place of file N before;
 * and "lock", which is locked (flock) until the process ends, however it ends. Where locks are not supported
 * it is never taken for abandoned. Never knows what is in the files. */
#ifndef OUTPUT_STAGING_H
#define OUTPUT_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct staging {
    char *path; /* NULL: there is none */
    int folder, lock;
} staging;

/* Makes one in `folder`. Returns 0 or an errno. */
int staging_make(const char *folder, staging *out);

/* Empty, for writing; NULL with errno. */
FILE *staging_create(const staging *self, size_t index);

/* Each returns false with errno. `place` is the final path of file `index`. */
bool staging_publish(const staging *self, size_t index, const char *place);   /* new-N goes to its place */
bool staging_keep(const staging *self, size_t index, const char *place);      /* old-N is there too */
bool staging_set_aside(const staging *self, size_t index, const char *place); /* old-N is no longer there */
bool staging_restore(const staging *self, size_t index, const char *place);   /* old-N goes back */

/* With what is left of the files 0 to `count` - 1. Allocates nothing. */
void staging_remove(staging *self, size_t count);

#endif
