/* See model_folder.h. */
#include "model_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Not there at all; what is there and cannot be opened gets a better message from whoever opens it. */
static bool is_missing(const char *folder, const char *name) {
    char *file = NULL;
    struct stat about;
    if (asprintf(&file, "%s/%s", folder, name) < 0) return false;
    bool missing = lstat(file, &about) != 0 && errno == ENOENT;
    free(file);
    return missing;
}

/* Files that are, or belong to, a model in some form. */
static int is_of_a_model(const struct dirent *entry) {
    static const char *const ends[] = {".safetensors", ".bin", ".pt", ".pth", ".ckpt", "config.json"};
    size_t length = strlen(entry->d_name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i) {
        size_t end = strlen(ends[i]);
        if (length >= end && strcmp(entry->d_name + length - end, ends[i]) == 0) return 1;
    }
    return 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void append(char *out, size_t room, const char *between, const char *text) {
    size_t used = strlen(out);
    snprintf(out + used, room - used, "%s%.80s", between, text);
}

/* "found config.json, model.safetensors" */
static void list_found(const char *path, char *out, size_t room) {
    enum { NAMED = 4 };
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_of_a_model, compare_names);
    append(out, room, count < 0 ? "its files cannot be listed" : "found ", count ? "" : "no file of a model");
    for (int i = 0; i < count; ++i) {
        if (i < NAMED) append(out, room, i ? ", " : "", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (count > NAMED) append(out, room, ", ", "...");
}

void model_folder_hint(const model_files *files, const char *path, char *out, size_t room) {
    bool no_config = is_missing(path, files->configuration), no_weights = is_missing(path, files->weights);
    out[0] = '\0';
    if (!no_config && !no_weights) return;
    list_found(path, out, room);
    if (no_config) append(out, room, ", no ", files->configuration);
    if (no_weights) append(out, room, ", no ", files->weights);
    size_t used = strlen(out);
    snprintf(out + used, room - used, ": %s reads %s and %s, %s", files->plugin, files->configuration,
             files->weights, files->origin);
}

hl_status model_folder_check(const model_files *files, const char *path, bool needs_weights,
                             hl_error *error) {
    char hint[640];
    bool no_weights = needs_weights && is_missing(path, files->weights);
    if (!no_weights && !is_missing(path, files->configuration)) return HL_OK;
    model_folder_hint(files, path, hint, sizeof hint);
    return hl_fail(error, no_weights ? HL_UNAVAILABLE : HL_USAGE, "%s: %s", path, hint);
}

char *model_folder_name(const char *path) {
    errno = 0;
    char *whole = realpath(path, NULL);
    if (!whole) return errno == ENOMEM ? NULL : strdup(path);
    const char *slash = strrchr(whole, '/');
    char *name = strdup(slash[1] ? slash + 1 : whole);
    free(whole);
    return name;
}
