/* `headlight check-plugin`: all checks of one plugin, one after the other. */
#include "core/conformance/subject.h"

#include "core/io/call.h"
#include "core/io/folder.h"
#include "core/registry/library_file.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USUAL_SECONDS = 120, NAME_ROOM = 128 };

/* What the first check learns of the plugin, for this process, which never loads it. */
typedef struct declared {
    uint32_t kind;
    char name[NAME_ROOM];
} declared;

static declared *learned; /* shared with the children */

/* ---- what it declares ---- */

/* Loaded, sound, one symbol, and documented. */
static hl_status check_declaration(const void *user, hl_error *error) {
    const subject *self = user;
    opened_subject opened;
    hl_status status = subject_open(self, 1, &opened, error);
    if (status != HL_OK) return status;
    learned->kind = opened.plugin->kind;
    snprintf(learned->name, sizeof learned->name, "%s", opened.plugin->name);
    size_t index;
    char name[NAME_ROOM + 16];
    snprintf(name, sizeof name, "%s/%s", kind_name(opened.plugin->kind), opened.plugin->name);
    status = hl_plugin_find(opened.library, name, &index, error);
    FILE *nowhere = fopen("/dev/null", "w");
    if (status == HL_OK && nowhere) status = hl_plugin_document(opened.library, index, nowhere, error);
    if (nowhere) fclose(nowhere);
    subject_close(&opened);
    return status;
}

static hl_status check_symbols(const void *user, hl_error *error) {
    const subject *self = user;
    char names[512];
    void *handle;
    hl_status status = library_file_open(self->file, &handle, error);
    if (status != HL_OK) return status;
    library_file_exports(handle, "headlight_plugin", names, sizeof names);
    dlclose(handle);
    if (!*names) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "exports more than headlight_plugin: %s (build it with -fvisibility=hidden)", names);
}

/* ---- the whole ---- */

typedef struct tally {
    subject what;
    child_limits limits;
    FILE *out;
    size_t made, failed, left;
    bool cancelled;
} tally;

static void run_check(tally *self, const char *name, child_check *check) {
    hl_error error = {""};
    hl_status status = child_run(check, &self->what, &self->limits, &error);
    if (self->limits.cancelled && self->limits.cancelled(self->limits.user)) {
        self->cancelled = true;
        return;
    }
    bool left = status == HL_UNAVAILABLE;
    ++self->made;
    self->left += left;
    self->failed += status != HL_OK && !left;
    const char *word = status == HL_OK ? "ok" : left ? "not checked" : "FAILED";
    fprintf(self->out, "%-12s %s%s%s\n", word, name, status == HL_OK ? "" : ": ",
            status == HL_OK ? "" : error.message);
    fflush(self->out);
}

static const named_check *checks_of(uint32_t kind) {
    if (kind == HL_COMPUTE) return compute_checks;
    return kind == HL_MODEL ? model_checks : run_checks;
}

static hl_status run_all(tally *self, hl_error *error) {
    run_check(self, "declares itself soundly", check_declaration);
    if (self->failed == 0 && !self->cancelled) {
        self->what.kind = learned->kind;
        self->what.name = learned->name;
        run_check(self, "exports one symbol", check_symbols);
        for (const named_check *next = checks_of(learned->kind); next->name && !self->cancelled; ++next) {
            run_check(self, next->name, next->run);
        }
    }
    if (self->cancelled) return hl_fail(error, HL_FAILED, "cancelled");
    const char *file = self->what.request->file;
    if (self->failed > 0) {
        return hl_fail(error, HL_FAILED, "%s: %zu of %zu checks failed", file, self->failed, self->made);
    }
    fprintf(self->out, "%s: %s/%s keeps the contract; %zu checks, %zu of them not made\n", file,
            hl_kind_name(learned->kind), learned->name, self->made, self->left);
    return HL_OK;
}

static bool is_cancelled(void *user) {
    (void)user;
    return call_cancelled();
}

static hl_status run_in(const hl_check_request *request, const char *file, char *scratch, FILE *out,
                        hl_error *error) {
    char *model = request->model ? realpath(request->model, NULL) : hl_data_file("mini/model");
    tally all = {
        .what = {.request = request, .file = file, .model = model, .scratch = scratch},
        .limits = {.seconds = request->seconds ? request->seconds : USUAL_SECONDS, .cancelled = is_cancelled},
        .out = out};
    hl_status status = HL_OK;
    if (request->model && !model) {
        status = hl_fail(error, HL_USAGE, "the model's folder %s: %s", request->model, strerror(errno));
    }
    setenv("XDG_CACHE_HOME", scratch, 1); /* so that nothing kept from elsewhere takes part */
    if (status == HL_OK) status = run_all(&all, error);
    free(model);
    return status;
}

static hl_status check_plugin(const hl_check_request *request, FILE *out, hl_error *error) {
    char *file = realpath(request->file, NULL);
    if (!file) return hl_fail(error, HL_USAGE, "%s: %s", request->file, strerror(errno));
    const char *parent = getenv("TMPDIR");
    char *scratch = NULL;
    if (asprintf(&scratch, "%s/headlight-check-XXXXXX", parent && *parent ? parent : "/tmp") < 0)
        scratch = NULL;
    void *room = mmap(NULL, sizeof *learned, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hl_status status;
    if (!scratch || room == MAP_FAILED) {
        status = hl_no_memory(error, "the check");
    } else if (!mkdtemp(scratch)) {
        status = hl_fail(error, HL_FAILED, "%s: %s", scratch, strerror(errno));
    } else {
        learned = room;
        status = run_in(request, file, scratch, out, error);
        folder_remove(scratch);
        learned = NULL;
    }
    if (room != MAP_FAILED) munmap(room, sizeof *learned);
    free(scratch);
    free(file);
    return status;
}

hl_status hl_check_plugin(const hl_call *call, const hl_check_request *request, FILE *out, hl_error *error) {
    hl_check_request taken;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&taken, sizeof taken, request, "hl_check_request", error);
    if (status == HL_OK) status = check_plugin(&taken, out, error);
    call_end(&scope);
    return status;
}
