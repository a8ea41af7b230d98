/* headlight verify: whether an atlas is what it was when it was written. */
#include "tools/headlight/commands.h"
#include "tools/headlight/summary.h"

static struct { const char *atlas; } wish;

static const argument table[] = {
    {"ATLAS", NULL, ARGUMENT_TEXT, .required = true, .target = &wish.atlas, .help = "the atlas's folder"},
    {.name = NULL},
};

static hl_status verify_atlas(hl_library *library, const hl_call *call, hl_error *error) {
    hl_status status = hl_verify(library, call, wish.atlas, error);
    return status == HL_OK ? print_summary(wish.atlas, error) : status;
}

const subcommand verify_command = {"verify",
                                   "check an atlas for damage",
                                   "Reads every shard of an atlas and compares its checksum and shapes with "
                                   "atlas.json. The error names the shard.",
                                   table,
                                   verify_atlas,
                                   .makes_files = false};
