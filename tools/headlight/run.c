/* headlight run: one experiment. */
#include "tools/headlight/commands.h"

#include <stdlib.h>

static struct {
    const char *file, *out;
    text_list sets;
    bool check;
} wish;

static const argument table[] = {
    {"FILE", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.file,
     .help = "the experiment, a YAML file"},
    {"--set", "PATH=VALUE", ARGUMENT_TEXTS, .target = &wish.sets,
     .help = "change the experiment, e.g. compute.backend=reference or analyses.0.count=3"},
    {"--out", "DIR", ARGUMENT_TEXT, .target = &wish.out,
     .help = "where the report goes, instead of `output`"},
    {"--check", NULL, ARGUMENT_FLAG, .target = &wish.check,
     .help = "only say whether the experiment is right"},
    {.name = NULL},
};

static hl_status run(hl_library *library, const hl_call *call, hl_error *error) {
    hl_run_request request = {
        .size = sizeof request,
        .experiment = wish.file,
        .sets = wish.sets.items,
        .set_count = wish.sets.count,
        .output = wish.out,
        .check_only = wish.check,
    };
    char *report = NULL;
    hl_status status = hl_run(library, call, &request, &report, error);
    if (report) puts(report);
    free(report);
    return status;
}

const subcommand run_command = {"run",
                                "run the experiment that a YAML file describes",
                                "Runs the experiment that a YAML file describes and leaves report.html, "
                                "results.json and pictures. The last\n"
                                "line on stdout is the path of the report. Paths in FILE are relative to its "
                                "folder, paths given here to the\n"
                                "working directory.",
                                table,
                                run,
                                true};
