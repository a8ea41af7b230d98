/* See module.h. */
#include "module.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FOLDER/modules/sentencepiece.module; NULL: no memory. */
static char *find_path(void) {
    static const char here[] = "";
    Dl_info about;
    char *path = NULL;
    const char *file = dladdr(here, &about) && about.dli_fname ? about.dli_fname : "";
    const char *slash = strrchr(file, '/');
    int length = slash ? (int)(slash - file) : 1;
    return asprintf(&path, "%.*s/modules/sentencepiece.module", length, slash ? file : ".") < 0 ? NULL : path;
}

/* The library's own beginnings do not look whether they get memory. */
static bool has_memory(void) {
    enum { ENOUGH = 1 << 20 };
    void *volatile probe = malloc(ENOUGH);
    free(probe);
    return probe != NULL;
}

hl_status module_open(module *out, hl_error *error) {
    *out = (module){0};
    char *path = find_path();
    if (!path || !has_memory()) {
        free(path);
        return hl_no_memory(error, "sentencepiece");
    }
    out->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    free(path);
    out->library = out->handle ? dlsym(out->handle, SENTENCE_LIBRARY) : NULL;
    if (out->library) return HL_OK;
    const char *why = dlerror();
    hl_status status =
        hl_fail(error, HL_FAILED, "sentencepiece cannot be loaded: %.200s", why ? why : "no memory");
    module_close(out);
    return status;
}

void module_close(module *self) {
    if (self->handle) dlclose(self->handle);
    *self = (module){0};
}
