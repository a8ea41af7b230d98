/* Any bytes as the list that a run leaves in its folder, .headlight-run-files: whatever it names, only plain
 * files below the folder are taken for the run's own. */
#include "core/io/output_list.h"
#include "tests/fuzz/scratch.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void make_files(void) {
    static const char *const folders[] = {"out", "out/sub", "out/.hidden", "other"};
    static const char *const files[] = {"out/a", "out/sub/a", "out/.a", "out/.hidden/a", "other/a", "a"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i) {
        if (mkdir(scratch_path(folders[i]), 0777) != 0) abort();
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) scratch_write(files[i], "", 0);
    if (symlink("../other", scratch_path("out/link")) != 0 || symlink("a", scratch_path("out/b")) != 0)
        abort();
}

static hl_status check(void *context, const char *name, hl_error *error) {
    (void)context, (void)error;
    char path[PATH_MAX], expected[PATH_MAX];
    snprintf(expected, sizeof expected, "%s/out/%s", scratch_folder(), name);
    if (!realpath(expected, path) || strcmp(path, expected) != 0 || strstr(path + 5, "/.")) abort();
    return HL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static int made;
    hl_error error;
    if (!made++) make_files();
    scratch_write("out/.headlight-run-files", bytes, count);
    if (output_list_read(scratch_path("out"), ".headlight-run-files", check, NULL, &error) != HL_OK) abort();
    return 0;
}
