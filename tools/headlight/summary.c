/* See summary.h. */
#include "tools/headlight/summary.h"

hl_status print_summary(const char *atlas, hl_error *error) {
    hl_atlas_summary holds;
    hl_status status = hl_summarise_atlas(atlas, &holds, error);
    if (status == HL_OK) {
        printf("%zu images, %zu skipped, %zu shards\n", holds.images, holds.skipped, holds.shards);
    }
    return status;
}
