/* Where the time of a run went, for people and for programs. */
#ifndef TIMES_H
#define TIMES_H

#include "core/io/output.h"
#include "core/io/watch.h"

/* The file, beside the results: they are the same bytes run after run, and this is not. */
#define TIMES_FILE "times.json"

/* What was counted so far: {"seconds": of all, "phases": [{"phase", "variant" if it has one, "seconds"}]}. */
hl_status times_write(const watch *self, output *files, hl_error *error);

/* One line: all seconds, then phases in their order; those of no weight together. */
void times_tell(const watch *self, char *line, size_t size);

#endif
