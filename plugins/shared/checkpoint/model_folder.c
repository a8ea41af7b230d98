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

static bool ends_with(const char *name, const char *const *ends) {
    size_t length = strlen(name);
    for (; *ends; ++ends) {
        size_t end = strlen(*ends);
        if (length > end && strcmp(name + length - end, *ends) == 0) return true;
    }
    return false;
}

static bool begins_with(const char *name, const char *const *beginnings) {
    for (; *beginnings; ++beginnings) {
        if (strncmp(name, *beginnings, strlen(*beginnings)) == 0) return true;
    }
    return false;
}

static const char *const weights_ends[] = {".safetensors", ".pt", ".pth", ".bin", ".ckpt", NULL};

/* Files that are, or belong to, a model in some form. */
static int is_of_a_model(const struct dirent *entry) {
    static const char *const config[] = {"config.json", NULL};
    return ends_with(entry->d_name, weights_ends) || ends_with(entry->d_name, config) ||
           strcmp(entry->d_name, config[0]) == 0;
}

/* "model-00001-of-00003.safetensors" */
static bool is_shard(const char *name) {
    const char *of = strstr(name, "-of-");
    return of && of - name >= 6 && of[-6] == '-' && strspn(of - 5, "0123456789") == 5;
}

/* Not what transformers' and open_clip's training keep beside a model. */
static int is_of_weights(const struct dirent *entry) {
    static const char *const beside[] = {"optimizer", "scheduler", "rng_state", "training_args",
                                         "adapter_",  "scaler",    NULL};
    return ends_with(entry->d_name, weights_ends) && !is_shard(entry->d_name) &&
           !begins_with(entry->d_name, beside);
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

/* ---- which file holds the weights ---- */

static hl_status take(const char *name, char **out, hl_error *error) {
    *out = strdup(name);
    return *out ? HL_OK : hl_no_memory(error, "a file's name");
}

/* The first that is there. */
static const char *find_usual(const char *path, const char *preferred) {
    static const char *const usual[] = {"open_clip_model.safetensors",
                                        "model.safetensors",
                                        "open_clip_model.safetensors.index.json",
                                        "model.safetensors.index.json",
                                        "open_clip_pytorch_model.bin",
                                        "pytorch_model.bin",
                                        "pytorch_model.bin.index.json",
                                        NULL};
    if (!is_missing(path, preferred)) return preferred;
    for (const char *const *name = usual; *name; ++name) {
        if (!is_missing(path, *name)) return *name;
    }
    return NULL;
}

static hl_status take_only(const char *path, struct dirent **entries, int count, char **out,
                           hl_error *error) {
    char names[400] = "";
    if (count == 1) return take(entries[0]->d_name, out, error);
    for (int i = 0; i < count && i < 3; ++i) append(names, sizeof names, i ? ", " : "", entries[i]->d_name);
    return hl_fail(error, HL_USAGE,
                   "%s: holds %d files that may be the weights (%s%s): say which, as in `weights: %.80s`, or "
                   "keep one there",
                   path, count, names, count > 3 ? ", ..." : "", entries[0]->d_name);
}

static hl_status take_named(const char *path, const char *named, char **out, hl_error *error) {
    if (strchr(named, '/') || !*named) {
        return hl_fail(error, HL_USAGE, "%s: weights: expected the name of a file in this folder, got %.200s",
                       path, named);
    }
    if (!is_missing(path, named)) return take(named, out, error);
    return hl_fail(error, HL_USAGE, "%s: weights: there is no file %.200s in this folder", path, named);
}

hl_status model_folder_weights(const char *path, const char *preferred, const char *named, char **out,
                               bool *others, hl_error *error) {
    *out = NULL;
    *others = false;
    if (named) return take_named(path, named, out, error);
    struct dirent **entries = NULL;
    const char *usual = find_usual(path, preferred);
    int count = scandir(path, &entries, is_of_weights, compare_names);
    *others = count > 1;
    hl_status status = HL_OK;
    if (usual)
        status = take(usual, out, error);
    else if (count > 0)
        status = take_only(path, entries, count, out, error);
    for (int i = 0; i < count; ++i) free(entries[i]);
    free(entries);
    return status;
}

static bool lacks_weights(const char *path, const char *preferred) {
    char *found;
    bool others;
    hl_status status = model_folder_weights(path, preferred, NULL, &found, &others, NULL);
    bool lacks = status == HL_OK && !found;
    free(found);
    return lacks;
}

/* ---- what is missing ---- */

void model_folder_list(const model_files *files, const char *path, char *out, size_t room) {
    out[0] = '\0';
    list_found(path, out, room);
    if (is_missing(path, files->configuration)) append(out, room, ", no ", files->configuration);
    if (lacks_weights(path, files->weights)) append(out, room, ", no ", files->weights);
}

void model_folder_hint(const model_files *files, const char *path, char *out, size_t room) {
    out[0] = '\0';
    if (!is_missing(path, files->configuration) && !lacks_weights(path, files->weights)) return;
    model_folder_list(files, path, out, room);
    size_t used = strlen(out);
    snprintf(out + used, room - used, ": %s reads %s and %s, %s", files->plugin, files->configuration,
             files->weights, files->origin);
}

hl_status model_folder_check(const model_files *files, const char *path, bool needs_weights,
                             hl_error *error) {
    char hint[640];
    bool no_weights = needs_weights && lacks_weights(path, files->weights);
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
