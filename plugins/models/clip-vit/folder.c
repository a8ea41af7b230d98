/* See folder.h. */
#include "folder.h"

#include "checkpoint.h"
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

void folder_hint(const char *path, char *out, size_t room) {
    bool no_config = is_missing(path, CONFIG_FILE), no_weights = is_missing(path, WEIGHTS_FILE);
    out[0] = '\0';
    if (!no_config && !no_weights) return;
    list_found(path, out, room);
    if (no_config) append(out, room, ", no ", CONFIG_FILE);
    if (no_weights) append(out, room, ", no ", WEIGHTS_FILE);
    append(out, room, ": ", "clip-vit reads " CONFIG_FILE " and " WEIGHTS_FILE ", ");
    append(out, room, "as OpenCLIP publishes them; ", "open_clip.push_to_hf_hub.save_for_hf writes both ");
    append(out, room, "from any model that open_clip loads", "");
}

hl_status folder_check(const char *path, bool needs_weights, hl_error *error) {
    char hint[640];
    if (!is_missing(path, CONFIG_FILE) && !(needs_weights && is_missing(path, WEIGHTS_FILE))) return HL_OK;
    folder_hint(path, hint, sizeof hint);
    return hl_fail(error, HL_USAGE, "%s: %s", path, hint);
}
