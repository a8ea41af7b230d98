/* Any bytes as an experiment, and behind NULs as the arguments of --set: everything that `run --check` does
 * with the embedded model and the real plugins. Refused with a sentence that names the file or the argument,
 * or sound. */
#include "headlight/library.h"
#include "tests/fuzz/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SETS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static hl_library *library;

static void open_library(void) {
    static const char *const folders[] = {TEST_PLUGINS};
    hl_library_settings settings = {
        .size = sizeof settings, .plugin_folders = folders, .plugin_folder_count = 1};
    hl_error error;
    if (symlink(TEST_SOURCE "/configs/mini", scratch_path("mini")) != 0) abort();
    if (hl_library_open(&settings, &library, &error) != HL_OK) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char *copy = malloc(count + 1);
    if (!copy) return 0;
    if (!library) open_library();
    memcpy(copy, bytes, count);
    copy[count] = '\0';
    const char *sets[MOST_SETS], *end = copy + count;
    hl_run_request request = {.size = sizeof request, .sets = sets, .check_only = true};
    for (const char *at = copy + strlen(copy) + 1; at <= end && request.set_count < MOST_SETS;
         at += strlen(at) + 1) {
        sets[request.set_count++] = at;
    }
    scratch_write("e.yaml", copy, strlen(copy));
    request.experiment = scratch_path("e.yaml");
    hl_error error = {.message = ""};
    if (hl_run(library, NULL, &request, NULL, &error) != HL_OK && !*error.message) abort();
    free(copy);
    return 0;
}
