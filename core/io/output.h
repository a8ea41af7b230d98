/* Whole files or none: a set of output files that appear under their final names together, at the end.
 *
 * Files are written beside their final place under a temporary name; `output_commit` syncs and renames them
 * all, `output_abandon` removes them and every folder that was made for them. Never knows what is in the
 * files. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "headlight/error.h"
#include <stdio.h>

typedef struct output output;

/* Makes `folder` (and its parents) if missing. */
hl_status output_open(const char *folder, output **out, hl_error *error);

/* From here on names are relative to this sub-folder; NULL: to the folder itself. The text outlives its use.
 */
void output_enter(output *out, const char *subfolder);

/* A new file for writing, owned by the output. `name` is relative to the folder and may lie in a sub-folder.
 */
hl_status output_file(output *out, const char *name, FILE **file, hl_error *error);

/* Writes `bytes` bytes; an error names the file by its final name and says why (disk full ...). */
hl_status output_write(output *out, FILE *file, const void *data, size_t bytes, hl_error *error);

/* Syncs and closes a file that is complete, so that a run may write more files than can be open at once. It
 * appears with the others at the commit, which finishes whatever is still open. */
hl_status output_finish(output *out, FILE *file, hl_error *error);

/* Flushes, syncs, renames. Whatever happens `out` is freed; after a failure none of the files is left. */
hl_status output_commit(output *out, hl_error *error);

/* Removes all and frees `out`; accepts NULL. */
void output_abandon(output *out);

#endif
