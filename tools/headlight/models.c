/* headlight models: what is known of published models, and which are here. */
#include "tools/headlight/commands.h"

static struct {
    const char *name, *check;
    bool files, json, folder;
} wish;

static const argument table[] = {
    {"NAME", NULL, ARGUMENT_TEXT, .target = &wish.name, .help = "all that is known of this one"},
    {"--files", NULL, ARGUMENT_FLAG, .target = &wish.files,
     .help = "with NAME: its files, one a line: name, address and about how many bytes, with tabs between"},
    {"--folder", NULL, ARGUMENT_FLAG, .target = &wish.folder, .help = "with NAME: where it is, or would be"},
    {"--check", "DIR", ARGUMENT_TEXT, .target = &wish.check,
     .help = "with NAME: whether this folder holds a model that can be opened; reads no weights"},
    {"--json", NULL, ARGUMENT_FLAG, .target = &wish.json, .help = "JSON instead of text"},
    {.name = NULL},
};

static hl_status show_models(hl_library *library, const hl_call *call, hl_error *error) {
    (void)call;
    const hl_models_request request = {.size = sizeof request,
                                       .name = wish.name,
                                       .files = wish.files,
                                       .json = wish.json,
                                       .folder = wish.folder,
                                       .check = wish.check};
    return hl_models(library, &request, stdout, error);
}

const subcommand models_command = {
    "models",
    "list the published models that are known, or show one",
    "Lists the published models that are known, which of them are installed here and which cannot be loaded\n"
    "yet; or shows what is known of one. An installed model goes by its name: `--model NAME`, and in an\n"
    "experiment `model: {name: NAME}`.",
    table,
    show_models,
    .makes_files = false};
