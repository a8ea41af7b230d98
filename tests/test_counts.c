/* How often the built command looks at a file, counted from outside (see preload/fail_call.c). */
#include "tests/indexed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Calls of the kind `name` that the command makes on files whose path ends in `ending`; all calls are let
 * through. Arguments end with NULL. */
static long count_calls(const char *name, const char *ending, const char *const *arguments) {
    char *folder = make_folder(), *counts = text("%s/counts", folder), *errors;
    setenv("FAIL_CALL", "any:1000000000:EIO", 1);
    setenv("FAIL_CALL_FILE", ending, 1);
    setenv("FAIL_CALL_COUNT", counts, 1);
    setenv("LD_PRELOAD", TEST_PRELOAD "/fail_call.preload", 1);
    const char *all[32] = {TEST_COMMAND};
    for (size_t i = 0; arguments[i]; ++i) all[i + 1] = arguments[i];
    int status = run_program(all, NULL, &errors);
    unsetenv("LD_PRELOAD");
    if (status != 0) fail_msg("status %d: %s", status, errors);
    char *lines = read_file(counts, NULL), *line = text("\n%s ", name), *from = text("\n%s", lines);
    const char *found = strstr(from, line);
    long count = found ? strtol(found + strlen(line), NULL, 10) : 0;
    free(errors);
    free(lines);
    free(line);
    free(from);
    free(counts);
    remove_folder(folder);
    return count;
}
#define CALLS(NAME, ENDING, ...) count_calls(NAME, ENDING, (const char *const[]){__VA_ARGS__, NULL})

/* Scenes that can be read, and files that cannot, which is remembered: an update looks at both alike. */
static void an_update_looks_once_at_each_image(void **state) {
    (void)state;
    enum { IMAGES = 12000, READABLE = 3 };
    workplace place = make_workplace(READABLE);
    char *list = text("%s/list.txt", place.images), *lines = calloc(IMAGES + 1, 32), *at = lines;
    for (int i = 0; i < IMAGES; ++i) {
        char *path = text("%s/sub-%d/broken-%05d.jpg", place.images, i % 4, i);
        if (i < 4) {
            char *folder = text("%s/sub-%d", place.images, i);
            assert_int_equal(mkdir(folder, 0755), 0);
            free(folder);
        }
        if (i >= READABLE) write_text(path, "no image");
        at += i < READABLE ? sprintf(at, "scene-%03d.jpg\n", i)
                           : sprintf(at, "sub-%d/broken-%05d.jpg\n", i % 4, i);
        free(path);
    }
    write_text(list, lines);
    const char *const sources[] = {place.images, list};
    for (size_t i = 0; i < COUNT(sources); ++i) {
        index_well(TINY_MODEL, sources[i], place.out, NULL);
        long looks = CALLS("stat", ".jpg", "index", "--model", TINY_MODEL, "--images", sources[i], "--out",
                           place.out, "--threads", "2");
        assert_int_equal(looks, IMAGES);
    }
    free(list);
    free(lines);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_looks_once_at_each_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
