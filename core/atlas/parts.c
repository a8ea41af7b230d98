/* See parts.h. */
#include "core/atlas/parts.h"

#include "core/io/output.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK ".done"

/* A part's name, "0-of-3", or its mark's. */
typedef struct part_name {
    size_t part, parts;
    bool is_mark;
} part_name;

static bool read_name(const char *text, part_name *out) {
    char again[64];
    *out = (part_name){0};
    if (sscanf(text, "%zu-of-%zu", &out->part, &out->parts) != 2) return false;
    int length = snprintf(again, sizeof again, "%zu-of-%zu", out->part, out->parts);
    if (strncmp(text, again, (size_t)length) != 0) return false;
    out->is_mark = strcmp(text + length, MARK) == 0;
    return out->is_mark || text[length] == '\0';
}

static hl_status path_of(const char *atlas, size_t part, size_t parts, const char *ending, char **out,
                         hl_error *error) {
    if (asprintf(out, "%s/" PARTS_FOLDER "/%zu-of-%zu%s", atlas, part, parts, ending) >= 0) return HL_OK;
    *out = NULL;
    return hl_no_memory(error, atlas);
}

hl_status parts_folder(const char *atlas, size_t part, size_t parts, char **out, hl_error *error) {
    return path_of(atlas, part, parts, "", out, error);
}

/* ---- which there are ---- */

static DIR *open_parts(const char *atlas) {
    char *path;
    if (asprintf(&path, "%s/" PARTS_FOLDER, atlas) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    DIR *open = opendir(path);
    int reason = errno;
    free(path);
    errno = reason;
    return open;
}

bool parts_are_ours(const char *atlas) {
    DIR *open = open_parts(atlas);
    bool ours = open != NULL;
    part_name name;
    for (struct dirent *entry; ours && (entry = readdir(open));) {
        const char *text = entry->d_name;
        ours = strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || output_is_staging(text) ||
               read_name(text, &name);
    }
    if (open) closedir(open);
    return ours;
}

static hl_status collect(const char *atlas, DIR *open, part_name **names, size_t *count, hl_error *error) {
    part_name name;
    for (struct dirent *entry; (entry = readdir(open));) {
        if (!read_name(entry->d_name, &name) || name.is_mark) continue;
        part_name *grown = reallocarray(*names, *count + 1, sizeof *grown);
        if (!grown) return hl_no_memory(error, atlas);
        *names = grown;
        grown[(*count)++] = name;
    }
    return HL_OK;
}

static int compare_names(const void *left, const void *right) {
    const part_name *a = left, *b = right;
    if (a->parts != b->parts) return a->parts < b->parts ? -1 : 1;
    return (a->part > b->part) - (a->part < b->part);
}

hl_status parts_find(const char *atlas, parts_list *out, hl_error *error) {
    *out = (parts_list){0};
    DIR *open = open_parts(atlas);
    if (!open && errno == ENOMEM) return hl_no_memory(error, atlas);
    if (!open) return HL_OK;
    part_name *names = NULL;
    size_t count = 0;
    hl_status status = collect(atlas, open, &names, &count, error);
    closedir(open);
    if (count > 0) qsort(names, count, sizeof *names, compare_names);
    out->folders = calloc(count + 1, sizeof *out->folders);
    if (status == HL_OK && !out->folders) status = hl_no_memory(error, atlas);
    for (; status == HL_OK && out->count < count; ++out->count) {
        const part_name *name = &names[out->count];
        status = parts_folder(atlas, name->part, name->parts, &out->folders[out->count], error);
    }
    free(names);
    if (status != HL_OK) parts_list_free(out);
    return status;
}

void parts_list_free(parts_list *self) {
    for (size_t i = 0; i < self->count; ++i) free(self->folders[i]);
    free(self->folders);
    *self = (parts_list){0};
}

/* ---- marks ---- */

hl_status parts_mark(const char *atlas, size_t part, size_t parts, const char *share_of, hl_error *error) {
    char *folder, name[64];
    if (asprintf(&folder, "%s/" PARTS_FOLDER, atlas) < 0) return hl_no_memory(error, atlas);
    snprintf(name, sizeof name, "%zu-of-%zu" MARK, part, parts);
    output *out;
    FILE *file;
    hl_status status = output_open(folder, &out, error);
    free(folder);
    if (status != HL_OK) return status;
    status = output_file(out, name, &file, error);
    if (status == HL_OK) status = output_write(out, file, share_of, strlen(share_of), error);
    if (status == HL_OK) return output_commit(out, error);
    output_abandon(out);
    return status;
}

static bool is_marked(const char *atlas, size_t part, size_t parts, const char *share_of) {
    char *path, found[256];
    if (path_of(atlas, part, parts, MARK, &path, NULL) != HL_OK) return false;
    FILE *file = fopen(path, "re");
    free(path);
    if (!file) return false;
    size_t count = fread(found, 1, sizeof found, file);
    fclose(file);
    return count == strlen(share_of) && memcmp(found, share_of, count) == 0;
}

bool parts_all_marked(const char *atlas, size_t parts, const char *share_of) {
    for (size_t i = 0; i < parts; ++i) {
        if (!is_marked(atlas, i, parts, share_of)) return false;
    }
    return true;
}

void parts_unmark(const char *atlas, size_t part, size_t parts) {
    char *path;
    if (path_of(atlas, part, parts, MARK, &path, NULL) == HL_OK) unlink(path);
    free(path);
}

void parts_unmark_all(const char *atlas, size_t parts) {
    char *path;
    for (size_t i = 0; i < parts; ++i) parts_unmark(atlas, i, parts);
    if (asprintf(&path, "%s/" PARTS_FOLDER, atlas) < 0) return;
    rmdir(path);
    free(path);
}
