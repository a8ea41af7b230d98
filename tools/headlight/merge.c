/* headlight merge: several atlases in one. */
#include "tools/headlight/commands.h"
#include "tools/headlight/summary.h"

static struct {
    const char *out;
    text_list atlases;
} wish;

static const argument table[] = {
    {"OUT", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.out,
     .help = "the atlas to make or to add to"},
    {"ATLAS", NULL, ARGUMENT_TEXTS, .required = true, .target = &wish.atlases,
     .help = "an atlas to copy from"},
    {.name = NULL},
};

static hl_status merge_atlases(hl_library *library, const hl_call *call, hl_error *error) {
    hl_status status = hl_merge(library, call, wish.out, wish.atlases.items, wish.atlases.count, error);
    if (status == HL_OK) print_summary_of_made(wish.out);
    return status;
}

const subcommand merge_command = {"merge",
                                  "put atlases of one model together",
                                  "Copies the shards of atlases that were made with the same model and "
                                  "options, so that OUT stands alone. An "
                                  "image's\npath may be in one of them only.",
                                  table,
                                  merge_atlases,
                                  .makes_files = true};
