/* headlight run: one experiment. */
#include "tools/headlight/commands.h"

#include <stdlib.h>

static struct {
    const char *file, *out, *backend;
    text_list sets, compute;
    bool check, times;
} wish;

static const argument table[] = {
    {"FILE", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.file,
     .help = "the experiment, a YAML file"},
    {"--set", "PATH=VALUE", ARGUMENT_TEXTS, .target = &wish.sets,
     .help = "change the experiment, e.g. compute.backend=reference or analyses.0.count=3"},
    {"--backend", "NAME", ARGUMENT_TEXT, .target = &wish.backend,
     .help = "the compute plugin, as --set compute.backend=NAME"},
    {"--compute", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.compute,
     .help = "an option of it, as --set compute.KEY=VALUE"},
    {"--out", "DIR", ARGUMENT_TEXT, .target = &wish.out,
     .help = "where the report goes, instead of `output`"},
    {"--check", NULL, ARGUMENT_FLAG, .target = &wish.check,
     .help = "only say whether the experiment is right"},
    {"--times", NULL, ARGUMENT_FLAG, .target = &wish.times,
     .help = "leave times.json beside the results: where time went"},
    {.name = NULL},
};

/* ---- what the command line changes, all of it as sets ---- */

typedef struct set_list {
    char **items;
    size_t count;
} set_list;

static void free_sets(set_list *sets) {
    for (size_t i = 0; i < sets->count; ++i) free(sets->items[i]);
    free(sets->items);
}

static bool add_set(set_list *sets, const char *prefix, const char *text) {
    bool added = asprintf(&sets->items[sets->count], "%s%s", prefix, text) >= 0;
    sets->count += added;
    return added;
}

static hl_status gather_sets(set_list *sets, hl_error *error) {
    sets->items = calloc(wish.sets.count + wish.compute.count + 1, sizeof *sets->items);
    bool complete = sets->items != NULL;
    for (size_t i = 0; i < wish.sets.count && complete; ++i) complete = add_set(sets, "", wish.sets.items[i]);
    if (complete && wish.backend) complete = add_set(sets, "compute.backend=", wish.backend);
    for (size_t i = 0; i < wish.compute.count && complete; ++i) {
        complete = add_set(sets, "compute.", wish.compute.items[i]);
    }
    return complete ? HL_OK : hl_no_memory(error, "the command line");
}

static hl_status run_experiment(hl_library *library, const hl_call *call, hl_error *error) {
    set_list sets = {NULL, 0};
    hl_status status = gather_sets(&sets, error);
    hl_run_request request = {
        .size = sizeof request,
        .experiment = wish.file,
        .sets = (const char *const *)sets.items,
        .set_count = sets.count,
        .output = wish.out,
        .check_only = wish.check,
        .times = wish.times,
    };
    char *report = NULL;
    if (status == HL_OK) status = hl_run(library, call, &request, &report, error);
    free_sets(&sets);
    if (report) puts(report);
    free(report);
    return status;
}

const subcommand run_command = {
    "run",
    "run the experiment that a YAML file describes",
    "Runs the experiment that a YAML file describes and leaves its reports: a page "
    "and results.json, if it does\n"
    "not say otherwise. The last line on stdout is the path of the page. Paths in FILE are relative to its "
    "folder, paths given here to the\n"
    "working directory.",
    table,
    run_experiment,
    .makes_files = true};
