/* Whole files or none; see output.h. Every file is written as ".NAME.tmp-PID-N" beside its final place, so
 * that the rename at the end stays within one file system. Never knows what is in the files. */
#include "core/io/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct entry {
    char *temporary, *final;
    FILE *file; /* NULL once closed */
    bool renamed;
} entry;

struct output {
    char *folder;
    const char *subfolder; /* NULL: none */
    char **made;           /* folders, parents before children */
    size_t made_count;
    entry *entries;
    size_t entry_count;
    unsigned serial; /* for temporary names */
};

static hl_status cannot_write(const char *path, int reason, hl_error *error) {
    return hl_fail(error, HL_FAILED, "%s: cannot be written: %s; free space or choose another folder", path,
                   reason ? strerror(reason) : "an earlier write failed");
}

/* ---- folders ---- */

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static hl_status make_folder(output *out, const char *path, hl_error *error) {
    if (is_folder(path)) return HL_OK;
    char **grown = realloc(out->made, (out->made_count + 1) * sizeof *grown);
    if (!grown) return hl_no_memory(error, path);
    out->made = grown;
    char *copy = strdup(path);
    if (!copy) return hl_no_memory(error, path);
    if (mkdir(path, 0777) == 0) {
        out->made[out->made_count++] = copy;
        return HL_OK;
    }
    int reason = errno;
    free(copy);
    /* somebody else may just have made it */
    return reason == EEXIST && is_folder(path) ? HL_OK : cannot_write(path, reason, error);
}

/* Makes every folder before a '/' of `path`. */
static hl_status make_parents(output *out, char *path, hl_error *error) {
    hl_status status = HL_OK;
    for (char *slash = path; status == HL_OK && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        status = make_folder(out, path, error);
        *slash = '/';
    }
    return status;
}

hl_status output_open(const char *folder, output **out, hl_error *error) {
    *out = NULL;
    output *made = calloc(1, sizeof *made);
    if (!made || !(made->folder = strdup(folder))) {
        free(made);
        return hl_no_memory(error, folder);
    }
    hl_status status = make_parents(made, made->folder, error);
    if (status == HL_OK) status = make_folder(made, made->folder, error);
    if (status == HL_OK) {
        *out = made;
    } else {
        output_abandon(made);
    }
    return status;
}

/* ---- files ---- */

/* Opens a file that did not exist; a name left over from another run is stepped over. */
static hl_status create_temporary(output *out, entry *added, hl_error *error) {
    const char *slash = strrchr(added->final, '/');
    int folder = (int)(slash + 1 - added->final);
    do {
        free(added->temporary);
        added->temporary = NULL;
        if (asprintf(&added->temporary, "%.*s.%s.tmp-%ld-%u", folder, added->final, slash + 1, (long)getpid(),
                     out->serial++) < 0) {
            added->temporary = NULL;
            return hl_no_memory(error, added->final);
        }
        added->file = fopen(added->temporary, "wbxe");
    } while (!added->file && errno == EEXIST);
    return added->file ? HL_OK : cannot_write(added->final, errno, error);
}

void output_enter(output *out, const char *subfolder) {
    out->subfolder = subfolder;
}

hl_status output_file(output *out, const char *name, FILE **file, hl_error *error) {
    *file = NULL;
    entry *grown = realloc(out->entries, (out->entry_count + 1) * sizeof *grown);
    if (!grown) return hl_no_memory(error, name);
    out->entries = grown;
    entry *added = &grown[out->entry_count];
    *added = (entry){0};
    const char *inner = out->subfolder ? out->subfolder : "", *slash = out->subfolder ? "/" : "";
    if (asprintf(&added->final, "%s/%s%s%s", out->folder, inner, slash, name) < 0) {
        return hl_no_memory(error, name);
    }
    hl_status status = make_parents(out, added->final, error);
    if (status == HL_OK) status = create_temporary(out, added, error);
    if (status != HL_OK) {
        free(added->temporary);
        free(added->final);
        return status;
    }
    ++out->entry_count;
    *file = added->file;
    return HL_OK;
}

static entry *entry_of(const output *out, const FILE *file) {
    for (size_t i = out->entry_count; i-- > 0;) {
        if (out->entries[i].file == file) return &out->entries[i];
    }
    return NULL;
}

hl_status output_write(output *out, FILE *file, const void *data, size_t bytes, hl_error *error) {
    if (bytes == 0 || fwrite(data, 1, bytes, file) == bytes) return HL_OK;
    int reason = errno;
    const entry *failed = entry_of(out, file);
    return cannot_write(failed ? failed->final : out->folder, reason, error);
}

/* All bytes on the disk, the file closed. */
static hl_status finish(entry *written, hl_error *error) {
    FILE *file = written->file;
    if (!file) return HL_OK;
    written->file = NULL;
    errno = 0;
    bool failed = fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0;
    int reason = errno;
    if (fclose(file) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    return failed ? cannot_write(written->final, reason, error) : HL_OK;
}

hl_status output_finish(output *out, FILE *file, hl_error *error) {
    entry *written = entry_of(out, file);
    return written ? finish(written, error) : HL_OK;
}

/* ---- all or nothing ---- */

static void free_output(output *out) {
    for (size_t i = 0; i < out->entry_count; ++i) {
        free(out->entries[i].temporary);
        free(out->entries[i].final);
    }
    for (size_t i = 0; i < out->made_count; ++i) free(out->made[i]);
    free(out->entries);
    free(out->made);
    free(out->folder);
    free(out);
}

void output_abandon(output *out) {
    if (!out) return;
    for (size_t i = 0; i < out->entry_count; ++i) {
        entry *each = &out->entries[i];
        if (each->file) fclose(each->file);
        unlink(each->renamed ? each->final : each->temporary);
    }
    for (size_t i = out->made_count; i-- > 0;) rmdir(out->made[i]);
    free_output(out);
}

hl_status output_commit(output *out, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && i < out->entry_count; ++i) status = finish(&out->entries[i], error);
    for (size_t i = 0; status == HL_OK && i < out->entry_count; ++i) {
        entry *each = &out->entries[i];
        if (rename(each->temporary, each->final) == 0) {
            each->renamed = true;
        } else {
            status = cannot_write(each->final, errno, error);
        }
    }
    if (status == HL_OK) {
        free_output(out);
    } else {
        output_abandon(out);
    }
    return status;
}
