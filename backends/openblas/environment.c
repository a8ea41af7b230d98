/* See environment.h. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char **lent, **before;

/* Whether both begin with the same NAME=. */
static bool same_name(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

static bool is_hidden(const char *variable, const char *const *settings, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (same_name(settings[i], variable)) return true;
    }
    return false;
}

bool environment_lend(const char *const *settings, size_t count) {
    size_t own = 0;
    while (environ && environ[own]) ++own;
    char **list = calloc(own + count + 1, sizeof *list);
    if (!list) return false;
    size_t used = 0;
    for (size_t i = 0; i < count; ++i) {
        memcpy(&list[used++], &settings[i], sizeof *list); /* the environment's strings are not const */
    }
    for (size_t i = 0; i < own; ++i) {
        if (!is_hidden(environ[i], settings, count)) list[used++] = environ[i];
    }
    free(lent);
    lent = list;
    before = environ;
    environ = list;
    return true;
}

void environment_return(void) {
    if (environ == lent) environ = before;
}

__attribute__((destructor)) static void forget(void) {
    free(lent);
}
