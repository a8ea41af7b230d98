/* See trust.h. */
#include "core/registry/trust.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool anybody_writes(const char *path, bool is_far_up) {
    struct stat status;
    if (stat(path, &status) != 0 || !(status.st_mode & S_IWOTH)) return false;
    return !(is_far_up && status.st_mode & S_ISVTX);
}

bool trust_flaw(const char *real, char **flaw) {
    *flaw = NULL;
    char *path = strdup(real);
    if (!path) return false;
    bool found = anybody_writes(path, false);
    for (int up = 1; !found && strcmp(path, "/") != 0; ++up) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0'; /* the root keeps its own */
        found = anybody_writes(path, up > 1);
    }
    if (found) {
        *flaw = path;
    } else {
        free(path);
    }
    return true;
}
