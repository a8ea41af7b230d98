/* See data_files.h. */
#include "core/host/data_files.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the folder of the file that holds this very code, so that an installation can be moved: as it was
 * installed, and as it lies in a build. */
static const char *const places[] = {HEADLIGHT_LIB_TO_DATA, "../share/headlight"};

char *data_file(const char *name) {
    Dl_info info;
    char *self = dladdr((const void *)(uintptr_t)data_file, &info) ? realpath(info.dli_fname, NULL) : NULL;
    char *slash = self ? strrchr(self, '/') : NULL, *found = NULL;
    for (size_t i = 0; slash && !found && i < sizeof places / sizeof *places; ++i) {
        char *path;
        if (asprintf(&path, "%.*s/%s/%s", (int)(slash - self), self, places[i], name) < 0) break;
        found = realpath(path, NULL);
        free(path);
    }
    free(self);
    return found;
}
