/* See curl_library.h. */
#include "curl_library.h"

#include <dlfcn.h>

/* By any way of TLS. */
static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};

/* It stays: it may have threads, and what it has set up once serves the next time. */
enum { HOW = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE };

static hl_status find(void *handle, const char *name, void *place, size_t size, hl_error *error) {
    void *function = dlsym(handle, name);
    if (!function) {
        return hl_fail(error, HL_FAILED, "libcurl lacks %s: install Debian's libcurl4, 7.85 or later", name);
    }
    memcpy(place, &function, size);
    return HL_OK;
}

static hl_status find_all(curl_library *out, hl_error *error) {
    hl_status status = HL_OK;
#define CURL_FIND(NAME)                                                                                      \
    if (status == HL_OK) status = find(out->handle, #NAME, &out->NAME, sizeof out->NAME, error);
    CURL_FUNCTIONS(CURL_FIND)
#undef CURL_FIND
    return status;
}

hl_status curl_library_open(curl_library *out, hl_error *error) {
    *out = (curl_library){.handle = NULL};
    for (size_t i = 0; i < sizeof files / sizeof *files && !out->handle; ++i) {
        out->handle = dlopen(files[i], HOW);
    }
    if (!out->handle) {
        return hl_fail(error, HL_FAILED, "libcurl cannot be opened (%s): install Debian's libcurl4",
                       dlerror());
    }
    hl_status status = find_all(out, error);
    if (status == HL_OK && out->curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        status = hl_fail(error, HL_FAILED, "libcurl cannot be set up");
    }
    return status;
}

void curl_library_close(curl_library *library) {
    if (library->handle) dlclose(library->handle);
    library->handle = NULL;
}
