/* The plugin that is checked, for the files of this folder. */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "core/conformance/child.h"
#include "core/engine/engine.h"
#include "core/host/compute.h"
#include "core/host/library.h"

typedef struct subject {
    const hl_check_request *request;
    const char *file;                       /* resolved */
    const char *model;                      /* the model's folder */
    const char *scratch;                    /* a folder for whatever a check writes */
    uint32_t kind;                          /* once it is known */
    const char *name;                       /* of the plugin, once it is known */
    const struct operation_rule *operation; /* that a check is about */
} subject;

/* The plugin in its library, as every check opens it for itself. */
typedef struct opened_subject {
    hl_library *library;
    host *host;
    const hl_plugin *plugin;
    const hl_plugin *reference; /* compute/reference; NULL: not there */
    option_values *values;      /* of its options, the examples that could be made */
} opened_subject;

hl_status subject_open(const subject *self, unsigned threads, opened_subject *out, hl_error *error);
/* The same with values for its options; for backends and models. */
hl_status subject_open_values(const subject *self, unsigned threads, opened_subject *out, hl_error *error);
void subject_close(opened_subject *opened);

/* The plugin's options as YAML in flow style, without braces: what the request gives and, of what else must
 * be given, examples. free() it. */
hl_status subject_options(const subject *self, const hl_plugin *plugin, char **out, hl_error *error);

/* A check: its name, and whether it is one of this plugin's. */
typedef struct named_check {
    const char *name;
    child_check *run;
} named_check;

/* The checks of each kind; they end with a row without a name. */
extern const named_check compute_checks[], model_checks[], run_checks[];

/* What a plugin makes of a lack of memory: HL_OK for an error that says so. */
hl_status subject_judge_failure(hl_status status, const hl_error *said, hl_error *error);

/* What a check does again and again, to see what is left behind; `number` is that of the allocation that
 * fails meanwhile (0: none). The work's own statuses are judged by the work. */
typedef hl_status memory_work(void *user, long number, hl_error *error);
hl_status subject_check_leaks(memory_work *work, void *user, hl_error *error);
/* `plugin`: whose allocations. */
hl_status subject_check_failures(const hl_plugin *plugin, memory_work *work, void *user, hl_error *error);

#endif
