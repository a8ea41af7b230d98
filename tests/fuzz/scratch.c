/* See scratch.h. */
#include "tests/fuzz/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/headlight-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void remove_all(void) {
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void) {
    static int made;
    if (made) return folder;
    made = 1;
    if (!mkdtemp(folder)) abort();
    atexit(remove_all);
    return folder;
}

const char *scratch_path(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
    return path;
}

void scratch_write(const char *name, const void *bytes, size_t count) {
    FILE *file = fopen(scratch_path(name), "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) abort();
}
