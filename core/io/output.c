/* Whole files or none; see output.h. What is in the staging folder, and who may remove it, is for
 * output_staging.c; what an earlier output listed, for output_list.c. Never knows what is in the files. */
#include "core/io/output.h"

#include "core/io/call.h"
#include "core/io/output_list.h"
#include "core/io/output_staging.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file on its way to its place, or (stale) one of an earlier output on its way out. */
typedef struct entry {
    char *final;
    FILE *file; /* NULL once closed */
    bool stale, published;
    bool kept; /* what was in its place, in the staging folder */
} entry;

struct output {
    char *folder;
    const char *subfolder, *list; /* NULL: none */
    char **earlier;               /* files that the list named when this output was opened, sorted */
    size_t earlier_count;
    char **made; /* folders, parents before children */
    size_t made_count;
    entry *entries;
    size_t entry_count;
    staging files;
    bool heeds_call;
    output *next; /* that is open too */
};

static output *open_outputs;
static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;

static void add_to_open(output *out) {
    pthread_mutex_lock(&open_mutex);
    out->next = open_outputs;
    open_outputs = out;
    pthread_mutex_unlock(&open_mutex);
}

static void take_from_open(const output *out) {
    pthread_mutex_lock(&open_mutex);
    output **place = &open_outputs;
    while (*place && *place != out) place = &(*place)->next;
    if (*place) *place = out->next;
    pthread_mutex_unlock(&open_mutex);
}

static hl_status cannot_write(const char *path, int reason, hl_error *error) {
    if (reason == ENOMEM) return hl_no_memory(error, path);
    return hl_fail(error, HL_FAILED, "%s: cannot be written: %s; free space or choose another folder", path,
                   reason ? strerror(reason) : "an earlier write failed");
}

/* ---- folders ---- */

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static mode_t kind_of(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0;
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

typedef hl_status folder_visit(output *out, const char *path, hl_error *error);

/* Calls `visit` with every folder before a '/' of `path`, parents first, from the byte `from` on. */
static hl_status visit_parents(output *out, char *path, size_t from, folder_visit *visit, hl_error *error) {
    hl_status status = HL_OK;
    for (char *slash = path + from; status == HL_OK && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        status = visit(out, path, error);
        *slash = '/';
    }
    return status;
}

/* The output's own folder may be reached by a link; what is written stays below it. */
static hl_status refuse_link(output *out, const char *path, hl_error *error) {
    if (kind_of(path) != S_IFLNK) return HL_OK;
    return hl_fail(
        error, HL_FAILED,
        "%s: a symbolic link, which would lead files out of %s; remove it or choose another folder", path,
        out->folder);
}

static hl_status make_inner_folder(output *out, const char *path, hl_error *error) {
    hl_status status = refuse_link(out, path, error);
    return status == HL_OK ? make_folder(out, path, error) : status;
}

static hl_status open_staging(output *out, hl_error *error) {
    output_sweep(out->folder);
    int reason = staging_make(out->folder, &out->files);
    return reason ? cannot_write(out->folder, reason, error) : HL_OK;
}

hl_status output_open(const char *folder, output **out, hl_error *error) {
    *out = NULL;
    output *made = calloc(1, sizeof *made);
    if (!made || !(made->folder = strdup(folder))) {
        free(made);
        return hl_no_memory(error, folder);
    }
    add_to_open(made);
    hl_status status = visit_parents(made, made->folder, 0, make_folder, error);
    if (status == HL_OK) status = make_folder(made, made->folder, error);
    if (status == HL_OK) status = open_staging(made, error);
    if (status == HL_OK) {
        *out = made;
    } else {
        output_abandon(made);
    }
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static hl_status add_earlier(void *context, const char *name, hl_error *error) {
    output *out = context;
    char **grown = reallocarray(out->earlier, out->earlier_count + 1, sizeof *grown);
    if (!grown) return hl_no_memory(error, out->list);
    out->earlier = grown;
    out->earlier[out->earlier_count] = strdup(name);
    if (!out->earlier[out->earlier_count]) return hl_no_memory(error, out->list);
    ++out->earlier_count;
    return HL_OK;
}

hl_status output_open_listed(const char *folder, const char *list, output **out, hl_error *error) {
    hl_status status = output_open(folder, out, error);
    if (status != HL_OK) return status;
    output *made = *out;
    made->list = list;
    status = output_list_read(made->folder, list, add_earlier, made, error);
    if (status == HL_OK) {
        if (made->earlier_count > 0)
            qsort(made->earlier, made->earlier_count, sizeof *made->earlier, compare_names);
        return HL_OK;
    }
    output_abandon(made);
    *out = NULL;
    return status;
}

/* ---- files ---- */

void output_heed_call(output *out) {
    out->heeds_call = true;
}

static hl_status check_cancelled(const output *out, hl_error *error) {
    return out->heeds_call ? call_check(error) : HL_OK;
}

void output_enter(output *out, const char *subfolder) {
    out->subfolder = subfolder;
}

static hl_status name_final(const output *out, const char *name, char **final, hl_error *error) {
    const char *inner = out->subfolder ? out->subfolder : "", *slash = out->subfolder ? "/" : "";
    if (asprintf(final, "%s/%s%s%s", out->folder, inner, slash, name) >= 0) return HL_OK;
    *final = NULL;
    return hl_no_memory(error, name);
}

static bool is_earlier(const output *out, const char *final) {
    const char *name = final + strlen(out->folder) + 1;
    return out->earlier_count > 0 &&
           bsearch(&name, out->earlier, out->earlier_count, sizeof name, compare_names);
}

static hl_status check_place(output *out, char *final, hl_error *error) {
    hl_status status = visit_parents(out, final, strlen(out->folder), refuse_link, error);
    if (status != HL_OK || !out->list || kind_of(final) == 0 || is_earlier(out, final)) return status;
    return hl_fail(
        error, HL_FAILED,
        "%s: is there already, and not from an earlier run of this command; move it away or choose "
        "another folder",
        final);
}

hl_status output_check(output *out, const char *name, hl_error *error) {
    char *final;
    hl_status status = name_final(out, name, &final, error);
    if (status == HL_OK) status = check_place(out, final, error);
    free(final);
    return status;
}

/* The new last entry, not counted yet. */
static hl_status add_entry(output *out, const char *name, hl_error *error) {
    entry *grown = realloc(out->entries, (out->entry_count + 1) * sizeof *grown);
    if (!grown) return hl_no_memory(error, name);
    out->entries = grown;
    grown[out->entry_count] = (entry){0};
    return name_final(out, name, &grown[out->entry_count].final, error);
}

static hl_status create_file(output *out, const char *name, FILE **file, hl_error *error) {
    *file = NULL;
    hl_status status = add_entry(out, name, error);
    if (status != HL_OK) return status;
    entry *added = &out->entries[out->entry_count];
    added->file = staging_create(&out->files, out->entry_count);
    if (!added->file) {
        status = cannot_write(added->final, errno, error);
        free(added->final);
        return status;
    }
    ++out->entry_count;
    *file = added->file;
    return HL_OK;
}

hl_status output_file(output *out, const char *name, FILE **file, hl_error *error) {
    *file = NULL;
    hl_status status = check_cancelled(out, error);
    if (status == HL_OK) status = output_check(out, name, error);
    return status == HL_OK ? create_file(out, name, file, error) : status;
}

static entry *entry_of(const output *out, const FILE *file) {
    for (size_t i = out->entry_count; i-- > 0;) {
        if (out->entries[i].file == file) return &out->entries[i];
    }
    return NULL;
}

hl_status output_write(output *out, FILE *file, const void *data, size_t bytes, hl_error *error) {
    hl_status status = check_cancelled(out, error);
    if (status != HL_OK) return status;
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

/* ---- what an earlier output left ---- */

typedef struct names {
    output *out;
    const char **sorted; /* relative to the folder */
    size_t count;
} names;

static hl_status write_list(const names *written, hl_error *error) {
    output *out = written->out;
    FILE *file;
    hl_status status = create_file(out, out->list, &file, error); /* the one name that needs no proof */
    for (size_t i = 0; i < written->count && status == HL_OK; ++i) {
        const char *name = written->sorted[i];
        if (!output_list_takes(name)) continue;
        status = output_write(out, file, name, strlen(name), error);
        if (status == HL_OK) status = output_write(out, file, "\n", 1, error);
    }
    return status;
}

static hl_status add_if_stale(void *context, const char *name, hl_error *error) {
    const names *written = context;
    output *out = written->out;
    if (bsearch(&name, written->sorted, written->count, sizeof name, compare_names)) return HL_OK;
    hl_status status = add_entry(out, name, error);
    if (status == HL_OK) out->entries[out->entry_count++].stale = true;
    return status;
}

/* Adds the list to the files, and behind it the files that only the earlier list names. */
static hl_status replace_earlier(output *out, hl_error *error) {
    names written = {out, calloc(out->entry_count + 1, sizeof *written.sorted), out->entry_count};
    if (!written.sorted) return hl_no_memory(error, out->list);
    for (size_t i = 0; i < written.count; ++i) {
        written.sorted[i] = out->entries[i].final + strlen(out->folder) + 1;
    }
    qsort(written.sorted, written.count, sizeof *written.sorted, compare_names);
    output_enter(out, NULL);
    hl_status status = write_list(&written, error);
    if (status == HL_OK) status = output_list_read(out->folder, out->list, add_if_stale, &written, error);
    free(written.sorted);
    return status;
}

/* Whatever else lies in a folder keeps it. */
static void remove_emptied_folders(const output *out) {
    for (size_t i = 0; i < out->entry_count; ++i) {
        entry *each = &out->entries[i];
        char *name = each->final + strlen(out->folder) + 1;
        for (char *slash; each->stale && (slash = strrchr(name, '/'));) {
            *slash = '\0';
            rmdir(each->final);
        }
    }
}

/* ---- all or nothing ---- */

/* A stale file that cannot be removed stays: no reason to lose what is new. */
static hl_status publish(output *out, size_t index, hl_error *error) {
    entry *each = &out->entries[index];
    if (each->stale) {
        each->kept = staging_set_aside(&out->files, index, each->final);
        return HL_OK;
    }
    hl_status status = visit_parents(out, each->final, strlen(out->folder), make_inner_folder, error);
    if (status != HL_OK) return status;
    each->kept = staging_keep(&out->files, index, each->final);
    each->published = staging_publish(&out->files, index, each->final);
    return each->published ? HL_OK : cannot_write(each->final, errno, error);
}

/* From the last to the first: stale files go before the list forgets them, and the list is there before the
 * files that it names. So at every moment a list names all that is there. */
static hl_status publish_all(output *out, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = out->entry_count; status == HL_OK && i-- > 0;) status = publish(out, i, error);
    if (status == HL_OK) remove_emptied_folders(out);
    return status;
}

static void take_back(const output *out, size_t index) {
    const entry *each = &out->entries[index];
    if (each->kept) {
        staging_restore(&out->files, index, each->final);
    } else if (each->published) {
        unlink(each->final);
    }
}

static void close_output(output *out) {
    take_from_open(out);
    staging_remove(&out->files, out->entry_count);
    for (size_t i = 0; i < out->entry_count; ++i) free(out->entries[i].final);
    for (size_t i = 0; i < out->made_count; ++i) free(out->made[i]);
    for (size_t i = 0; i < out->earlier_count; ++i) free(out->earlier[i]);
    free(out->earlier);
    free(out->entries);
    free(out->made);
    free(out->folder);
    free(out);
}

void output_abandon(output *out) {
    if (!out) return;
    for (size_t i = 0; i < out->entry_count; ++i) {
        if (out->entries[i].file) fclose(out->entries[i].file);
        take_back(out, i);
    }
    staging_remove(&out->files, out->entry_count);
    for (size_t i = out->made_count; i-- > 0;) rmdir(out->made[i]);
    close_output(out);
}

hl_status output_commit(output *out, hl_error *error) {
    hl_status status = out->list ? replace_earlier(out, error) : HL_OK;
    for (size_t i = 0; status == HL_OK && i < out->entry_count; ++i) status = finish(&out->entries[i], error);
    if (status == HL_OK) status = check_cancelled(out, error); /* the last chance: then all appear */
    if (status == HL_OK) status = publish_all(out, error);
    if (status == HL_OK) {
        close_output(out);
    } else {
        output_abandon(out);
    }
    return status;
}

void output_abandon_all(void) {
    while (open_outputs) output_abandon(open_outputs);
}
