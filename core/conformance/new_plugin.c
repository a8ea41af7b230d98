/* `headlight new`: a plugin's project from the templates that were installed. A template is a folder of its
 * kind, beside what all kinds have in common; in names and contents @NAME@, @KIND@ and @MINI@ are filled in.
 */
#include "core/host/data_files.h"
#include "core/io/call.h"
#include "core/io/input.h"
#include "core/io/output.h"
#include "core/registry/registry.h"
#include "core/registry/suggest.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_TEMPLATE = 1 << 20 };

typedef struct project {
    const char *kind, *name, *templates, *mini; /* folders: of the templates, of the embedded model */
    output *files;
} project;

/* ---- filling in ---- */

static const char *value_of(const project *self, const char *at, size_t *length) {
    const struct {
        const char *mark, *value;
    } marks[] = {{"@NAME@", self->name}, {"@KIND@", self->kind}, {"@MINI@", self->mini}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i) {
        *length = strlen(marks[i].mark);
        if (strncmp(at, marks[i].mark, *length) == 0) return marks[i].value;
    }
    return NULL;
}

/* free() it; NULL: no memory. */
static char *fill_in(const project *self, const char *text) {
    char *filled = NULL;
    size_t size, length;
    FILE *out = open_memstream(&filled, &size);
    while (out && *text) {
        const char *value = *text == '@' ? value_of(self, text, &length) : NULL;
        if (value) {
            fputs(value, out);
            text += length;
        } else {
            fputc(*text++, out);
        }
    }
    if (out && fclose(out) == 0) return filled;
    free(filled);
    return NULL;
}

static hl_status add_file(const project *self, const char *name, const char *content, hl_error *error) {
    FILE *file;
    hl_status status = output_file(self->files, name, &file, error);
    if (status == HL_OK) status = output_write(self->files, file, content, strlen(content), error);
    return status == HL_OK ? output_finish(self->files, file, error) : status;
}

/* `name` is relative to the project. */
static hl_status copy_file(const project *self, const char *from, const char *name, hl_error *error) {
    uint8_t *bytes;
    size_t count;
    hl_status status = input_read(from, LARGEST_TEMPLATE, &bytes, &count, error);
    if (status != HL_OK) return status;
    char *content = fill_in(self, (const char *)bytes), *filled = fill_in(self, name);
    status = content && filled ? add_file(self, filled, content, error) : hl_no_memory(error, from);
    free(content);
    free(filled);
    free(bytes);
    return status;
}

/* ---- folders ---- */

static hl_status copy_folder(const project *self, const char *folder, const char *inner, hl_error *error);

static hl_status copy_entry(const project *self, const char *folder, const char *inner, const char *entry,
                            hl_error *error) {
    char *from = NULL, *name = NULL;
    struct stat about;
    hl_status status = HL_OK;
    if (asprintf(&from, "%s/%s", folder, entry) < 0) from = NULL;
    if (asprintf(&name, "%s%s%s", inner, *inner ? "/" : "", entry) < 0) name = NULL;
    if (!from || !name) {
        status = hl_no_memory(error, folder);
    } else if (stat(from, &about) != 0) {
        status = hl_fail(error, HL_FAILED, "%s: %s", from, strerror(errno));
    } else {
        status = S_ISDIR(about.st_mode) ? copy_folder(self, from, name, error)
                                        : copy_file(self, from, name, error);
    }
    free(from);
    free(name);
    return status;
}

static hl_status copy_folder(const project *self, const char *folder, const char *inner, hl_error *error) {
    hl_status status = HL_OK;
    DIR *open = opendir(folder);
    if (!open) return hl_fail(error, HL_FAILED, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; status == HL_OK && (entry = readdir(open));) {
        if (entry->d_name[0] != '.') status = copy_entry(self, folder, inner, entry->d_name, error);
    }
    closedir(open);
    return status;
}

static hl_status copy_template(const project *self, const char *which, hl_error *error) {
    char *folder;
    if (asprintf(&folder, "%s/%s", self->templates, which) < 0) return hl_no_memory(error, which);
    hl_status status = copy_folder(self, folder, "", error);
    free(folder);
    return status;
}

/* ---- the whole ---- */

static hl_status check_kind(const char *kind, hl_error *error) {
    const char *names[HL_REPORT];
    char ending[256];
    for (uint32_t i = HL_COMPUTE; i <= HL_REPORT; ++i) {
        names[i - 1] = kind_name(i);
        if (strcmp(kind, names[i - 1]) == 0) return HL_OK;
    }
    suggest(ending, sizeof ending, kind, names, HL_REPORT);
    return hl_fail(error, HL_USAGE, "there is no kind of plugins \"%s\"%s", kind, ending);
}

static hl_status check_name(const char *name, hl_error *error) {
    enum { LONGEST = 64 };
    if (registry_is_name(name) && strlen(name) <= LONGEST) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "\"%s\" is no name of a plugin: at most %d lower case letters, digits and '-', not first",
                   name, LONGEST);
}

static hl_status write_project(project *self, const char *folder, hl_error *error) {
    struct stat there;
    if (lstat(folder, &there) == 0) {
        return hl_fail(error, HL_USAGE, "%s is there already: remove it or choose another place with --out",
                       folder);
    }
    hl_status status = output_open(folder, &self->files, error);
    if (status == HL_OK) status = copy_template(self, "common", error);
    if (status == HL_OK) status = copy_template(self, self->kind, error);
    if (status == HL_OK) return output_commit(self->files, error);
    output_abandon(self->files);
    return status;
}

hl_status hl_new_plugin(const hl_new_request *given, hl_error *error) {
    hl_new_request request;
    hl_status status = call_take(&request, sizeof request, given, "hl_new_request", error);
    if (status == HL_OK) status = check_kind(request.kind, error);
    if (status == HL_OK) status = check_name(request.name, error);
    if (status != HL_OK) return status;
    char *templates = data_file("templates"), *mini = data_file("mini");
    project made = {.kind = request.kind, .name = request.name, .templates = templates, .mini = mini};
    const char *folder = request.folder ? request.folder : request.name;
    status = templates && mini
                 ? write_project(&made, folder, error)
                 : hl_fail(error, HL_FAILED,
                           "the templates are not installed (share/headlight beside the library)");
    free(templates);
    free(mini);
    return status;
}
