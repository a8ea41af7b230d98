/* Whole files or none: a set of output files that appear under their final names together, at the end.
 *
 * Files are written in a hidden staging folder, ".headlight-tmp-XXXXXX" in the output's folder, which is
 * locked while its process lives; `output_commit` syncs them and renames each to its place, `output_abandon`
 * removes them and every folder that was made for them. A process that is killed leaves its staging folder,
 * and the next output in the same folder removes it: nothing else that it finds there, and not the staging
 * folder of a process that lives or whose lock cannot be tried. Never knows what is in the files. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct output output;

/* Makes `folder` (and its parents) if missing. */
hl_status output_open(const char *folder, output **out, hl_error *error);

/* The same for an output that takes the place of an earlier one. The commit writes `list`, a hidden file in
 * the folder with the names of the output's files, and removes the files that the list found there names and
 * this output does not write, then the folders that this leaves empty. A name counts only if it leads, by no
 * symbolic link and no hidden folder, to a regular file below the folder. Nothing else that lies there is
 * replaced. `list` outlives the output. */
hl_status output_open_listed(const char *folder, const char *list, output **out, hl_error *error);

/* From here on names are relative to this sub-folder; NULL: to the folder itself. The text outlives its use.
 */
void output_enter(output *out, const char *subfolder);

/* Whether a file of this name can be written, so that long work need not end with this answer: HL_FAILED
 * where a symbolic link would lead it out of the folder, and in an output with a list where something lies
 * that the earlier one did not write. */
hl_status output_check(output *out, const char *name, hl_error *error);

/* From here on the call's cancellation (call.h) ends it: making files, writing into them and the commit fail,
 * so that whatever long work leads to files can be stopped. */
void output_heed_call(output *out);

/* A new file for writing, if `output_check` allows it, owned by the output. `name` is relative to the folder
 * and may lie in a sub-folder, which the commit makes. */
hl_status output_file(output *out, const char *name, FILE **file, hl_error *error);

/* Writes `bytes` bytes; an error names the file by its final name and says why (disk full ...). */
hl_status output_write(output *out, FILE *file, const void *data, size_t bytes, hl_error *error);

/* Syncs and closes a file that is complete, so that a run may write more files than can be open at once. It
 * appears with the others at the commit, which finishes whatever is still open. */
hl_status output_finish(output *out, FILE *file, hl_error *error);

/* Flushes, syncs, renames. Whatever happens `out` is freed; after a failure none of the files is left, and
 * those that they would have replaced are there as before (on a file system without hard links they are lost
 * when it is a rename that fails). */
hl_status output_commit(output *out, hl_error *error);

/* Removes all and frees `out`; accepts NULL. */
void output_abandon(output *out);

/* All that are open, of whichever thread: for a program that ends in the midst of its work. */
void output_abandon_all(void);

/* Whether a folder of this name is a staging folder. */
bool output_is_staging(const char *name);

/* Removes the staging folders that killed processes left in `folder`, as every opening does. */
void output_sweep(const char *folder);

#endif
