/* See model_home.h. */
#include "core/engine/model_home.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *model_home(void) {
    const char *own = secure_getenv("HEADLIGHT_HOME"), *data = secure_getenv("XDG_DATA_HOME");
    const char *home = secure_getenv("HOME");
    char *out = NULL;
    int length = -1;
    if (own && own[0] == '/') {
        length = asprintf(&out, "%s/models", own);
    } else if (data && data[0] == '/') {
        length = asprintf(&out, "%s/headlight/models", data);
    } else if (home && home[0] == '/') {
        length = asprintf(&out, "%s/.local/share/headlight/models", home);
    }
    return length < 0 ? NULL : out;
}

bool model_name_is_valid(const char *name) {
    enum { LONGEST = 128 };
    size_t length = strlen(name);
    if (length == 0 || length > LONGEST || !isalnum((unsigned char)name[0])) return false;
    for (const char *c = name; *c; ++c) {
        if (!isalnum((unsigned char)*c) && !strchr("-_.+", *c)) return false;
    }
    return true;
}

hl_status model_home_place(const char *name, char **out, hl_error *error) {
    *out = NULL;
    if (!model_name_is_valid(name)) {
        return hl_fail(error, HL_USAGE,
                       "\"%.64s\" is no name of a model: letters, digits, '-', '_', '.' and '+', the first a "
                       "letter or a digit; a folder goes by `path`",
                       name);
    }
    char *home = model_home();
    if (!home) {
        return hl_fail(error, HL_USAGE,
                       "no folder holds models by name here: set HEADLIGHT_HOME to the absolute path of one");
    }
    int length = asprintf(out, "%s/%s", home, name);
    free(home);
    if (length >= 0) return HL_OK;
    *out = NULL;
    return hl_no_memory(error, "a model's folder");
}
