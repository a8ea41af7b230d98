/* See bench_folder.h. */
#include "core/commands/bench_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hl_status bench_folder_make(char out[BENCH_FOLDER], hl_error *error) {
    const char *parent = getenv("TMPDIR");
    if (!parent || !*parent) parent = "/tmp";
    int length = snprintf(out, BENCH_FOLDER, "%s/headlight-bench-XXXXXX", parent);
    if (length < 0 || length >= BENCH_FOLDER) {
        return hl_fail(error, HL_USAGE, "the path in TMPDIR is too long");
    }
    if (mkdtemp(out)) return HL_OK;
    return hl_fail(error, HL_FAILED, "no folder can be made in %s: %s; set TMPDIR to another place", parent,
                   strerror(errno));
}
