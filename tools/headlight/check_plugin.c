/* headlight check-plugin: whether a plugin keeps the contract. */
#include "tools/headlight/commands.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
    const char *file, *model;
    text_list options;
    unsigned seconds;
} wish;

static const argument table[] = {
    {"FILE", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.file, .help = "the plugin, a .so file"},
    {"--against", "MODEL", ARGUMENT_TEXT, .target = &wish.model,
     .help = "a model's folder to check it with, instead of the embedded model"},
    {"--option", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.options,
     .help = "an option of the plugin, where an example would not do"},
    {"--seconds", "N", ARGUMENT_NUMBER, .min = 1, .max = 86400, .target = &wish.seconds,
     .help = "how long a single check may take; default 120"},
    {.name = NULL},
};

/* Allocations are counted, and made to fail, by a library that has to be there before the program starts: it
 * starts again with it, once. Where that cannot be, what needs it is not checked, and says so. */
static void start_again_with_allocations(void) {
    static const char mark[] = "HEADLIGHT_CHECK_PLUGIN";
    char *library = hl_data_file("allocations.preload"), *all = NULL;
    const char *others = getenv("LD_PRELOAD");
    if (library && !getenv(mark) &&
        asprintf(&all, "%s%s%s", library, others ? ":" : "", others ? others : "") > 0) {
        setenv(mark, "1", 1);
        setenv("LD_PRELOAD", all, 1);
        execv("/proc/self/exe", command_words);
    }
    unsetenv(mark);
    unsetenv("LD_PRELOAD"); /* what a plugin starts is none of it */
    free(all);
    free(library);
}

static hl_status check(hl_library *library, const hl_call *call, hl_error *error) {
    (void)library;
    start_again_with_allocations();
    const hl_check_request request = {.size = sizeof request,
                                      .file = wish.file,
                                      .model = wish.model,
                                      .options = wish.options.items,
                                      .option_count = wish.options.count,
                                      .plugin_folders = common.plugin_folders.items,
                                      .plugin_folder_count = common.plugin_folders.count,
                                      .seconds = wish.seconds};
    return hl_check_plugin(call, &request, stdout, error);
}

const subcommand check_plugin_command = {
    "check-plugin",
    "check whether a plugin keeps the contract",
    "Checks a plugin, each check in a process of its own with a limit on its time: what it declares; a "
    "backend's "
    "operations\n"
    "against compute/reference over a table of shapes; a model's sums, batches, threads and edits; an "
    "analysis, "
    "an\n"
    "extractor or a report in an experiment on the embedded model; leaks, and a lack of memory. One line for "
    "each check.",
    table,
    check,
    .without_library = true};
