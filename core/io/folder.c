/* See folder.h. */
#include "core/io/folder.h"

#include <ftw.h>
#include <stdio.h>

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    remove(path);
    return 0;
}

void folder_remove(const char *folder) {
    nftw(folder, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}
