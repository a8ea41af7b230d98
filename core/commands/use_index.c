/* See uses.h. */
#include "core/commands/bench_folder.h"
#include "core/commands/peak.h"
#include "core/commands/uses.h"
#include "core/indexing/index.h"
#include "core/io/folder.h"

#include <stdio.h>

hl_status use_index(const use *self, double *seconds, hl_error *error) {
    hl_status status = HL_OK;
    for (unsigned run = 0; run < self->runs && status == HL_OK; ++run) {
        char to[BENCH_FOLDER + 16];
        snprintf(to, sizeof to, "%s/atlas-%u", self->folder, run);
        const index_settings settings = {.atlas = to, .batch = self->batch};
        double start = peak_clock();
        status = index_gallery(self->model, self->images, &settings, NULL, error);
        seconds[run] = peak_clock() - start;
        folder_remove(to);
    }
    return status;
}
