/* The list that an output leaves in its folder; see output_list.h. Never knows what becomes of the files. */
#include "core/io/output_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_list_takes(const char *name) {
    for (const char *part = name; part; part = strchr(part, '/')) {
        if (*part == '/' && part > name) ++part;
        if (*part == '\0' || *part == '/' || *part == '.') return false;
    }
    return !strchr(name, '\n');
}

static mode_t kind_of(int folder, const char *name) {
    struct stat status;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_mode & S_IFMT : 0;
}

/* `name` is changed on the way and is itself again in the end. */
static bool leads_to_file(int folder, char *name) {
    bool ok = true;
    for (char *slash = name; ok && (slash = strchr(slash, '/')); ++slash) {
        *slash = '\0';
        ok = kind_of(folder, name) == S_IFDIR;
        *slash = '/';
    }
    return ok && kind_of(folder, name) == S_IFREG;
}

static hl_status visit_lines(int folder, FILE *file, const char *list, output_list_visit *visit,
                             void *context, hl_error *error) {
    char *line = NULL;
    size_t room = 0;
    hl_status status = HL_OK;
    for (ssize_t length; status == HL_OK && (length = getline(&line, &room, file)) > 0;) {
        if (line[length - 1] == '\n') line[--length] = '\0';
        bool whole = strlen(line) == (size_t)length;
        if (whole && output_list_takes(line) && leads_to_file(folder, line)) {
            status = visit(context, line, error);
        }
    }
    if (status == HL_OK && !feof(file)) {
        status = hl_fail(error, HL_FAILED, "%s: cannot be read: %s", list, strerror(errno));
    }
    free(line);
    return status;
}

static int open_list(int folder, const char *list) {
    int descriptor = openat(folder, list, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))) return descriptor;
    close(descriptor);
    return -1;
}

hl_status output_list_read(const char *folder, const char *list, output_list_visit *visit, void *context,
                           hl_error *error) {
    int place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place < 0) return HL_OK;
    hl_status status = HL_OK;
    int descriptor = open_list(place, list);
    if (descriptor >= 0) {
        FILE *file = fdopen(descriptor, "r");
        status = file ? visit_lines(place, file, list, visit, context, error) : hl_no_memory(error, list);
        if (file) {
            fclose(file);
        } else {
            close(descriptor);
        }
    }
    close(place);
    return status;
}
