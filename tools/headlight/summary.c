/* See summary.h. */
#include "tools/headlight/summary.h"
#include "tools/headlight/terminal.h"

hl_status print_summary(const char *atlas, hl_error *error) {
    hl_atlas_summary holds;
    hl_status status = hl_summarise_atlas(atlas, &holds, error);
    if (status == HL_OK) {
        printf("%zu image%s, %zu skipped, %zu shard%s\n", holds.images, holds.images == 1 ? "" : "s",
               holds.skipped, holds.shards, holds.shards == 1 ? "" : "s");
    }
    return status;
}

void print_summary_of_made(const char *atlas) {
    hl_error error;
    hl_status status = print_summary(atlas, &error);
    if (status == HL_OK || status == HL_USAGE) return;
    terminal_clear();
    terminal_line(stderr, "warning: %s; the atlas itself is complete", error.message);
}
