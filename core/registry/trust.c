/* See trust.h. */
#include "core/registry/trust.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool anybody_writes(const char *path, bool is_far_up) {
    struct stat status;
    if (stat(path, &status) != 0 || !(status.st_mode & S_IWOTH)) return false;
    return !(is_far_up && status.st_mode & S_ISVTX);
}

char *trust_flaw(const char *file) {
    char *path = realpath(file, NULL);
    if (!path || anybody_writes(path, false)) return path;
    for (int up = 1; strcmp(path, "/") != 0; ++up) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0'; /* the root keeps its own */
        if (anybody_writes(path, up > 1)) return path;
    }
    free(path);
    return NULL;
}
