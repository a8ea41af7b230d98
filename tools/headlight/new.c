/* headlight new: a plugin's project. */
#include "tools/headlight/commands.h"
#include "tools/headlight/terminal.h"

static struct { const char *kind, *name, *folder; } wish;

static const argument table[] = {
    {"KIND", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.kind,
     .help = "analysis, compute, extractor, model or report"},
    {"NAME", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.name,
     .help = "of the plugin: lower case letters, digits and '-'"},
    {"--out", "DIR", ARGUMENT_TEXT, .target = &wish.folder,
     .help = "where it goes, instead of a folder NAME"},
    {.name = NULL},
};

static hl_status write_project(hl_library *library, const hl_call *call, hl_error *error) {
    (void)library;
    (void)call;
    const hl_new_request request = {
        .size = sizeof request, .kind = wish.kind, .name = wish.name, .folder = wish.folder};
    hl_status status = hl_new_plugin(&request, error);
    if (status == HL_OK) terminal_line(stdout, "%s", wish.folder ? wish.folder : wish.name);
    return status;
}

const subcommand new_command = {
    "new",
    "start a plugin of one's own",
    "Writes the project of a plugin that works: source, CMakeLists.txt, tests, an "
    "experiment, and a README\nthat says how to go on.",
    table,
    write_project,
    .makes_files = true,
    .without_library = true};
