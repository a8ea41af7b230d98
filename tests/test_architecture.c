/* Includes point one way: a folder of the core takes from those before it, a plugin from the public headers.
 */
#include "tests/support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* As in core/README.md; each may include those before it. */
static const char *const FOLDERS[] = {"io",       "weights",    "tree",        "atlas",
                                      "registry", "host",       "engine",      "indexing",
                                      "asking",   "experiment", "conformance", "commands"};
enum { COUNT = sizeof FOLDERS / sizeof *FOLDERS };

static size_t rank_of(const char *name, size_t length) {
    size_t rank = 0;
    while (rank < COUNT && (strncmp(FOLDERS[rank], name, length) != 0 || FOLDERS[rank][length])) ++rank;
    return rank;
}

static bool is_source(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".c") == 0 || strcmp(dot, ".h") == 0);
}

static void check_file(const char *folder, size_t rank, const char *name) {
    char *path = text("%s/%s", folder, name), *content = read_file(path, NULL);
    static const char include[] = "#include \"core/";
    for (const char *at = content; (at = strstr(at, include));) {
        at += sizeof include - 1;
        size_t length = strcspn(at, "/\""), found = rank_of(at, length);
        if (found > rank) fail_msg("%s includes core/%.*s", path, (int)length, at);
    }
    free(content);
    free(path);
}

static size_t check_folder(const char *folder, size_t rank) {
    DIR *open = opendir(folder);
    assert_non_null(open);
    size_t files = 0;
    for (struct dirent *entry; (entry = readdir(open));) {
        if (!is_source(entry->d_name)) continue;
        check_file(folder, rank, entry->d_name);
        ++files;
    }
    closedir(open);
    return files;
}

static void core_folders_are_in_layers(void **state) {
    (void)state;
    for (size_t rank = 0; rank < COUNT; ++rank) {
        char *folder = text(TEST_SOURCE "/core/%s", FOLDERS[rank]);
        assert_true(check_folder(folder, rank) > 0);
        free(folder);
    }
    /* none is left out: beside them are the public headers and four files */
    assert_int_equal(count_files(TEST_SOURCE "/core"), COUNT + 5);
}

static void plugins_see_the_public_headers_only(void **state) {
    (void)state;
    char *found;
    const char *search[] = {"grep",
                            "-rlE",
                            "#include \"(core|tools|tests)/",
                            TEST_SOURCE "/plugins",
                            TEST_SOURCE "/backends",
                            "--include=*.[ch]",
                            NULL};
    assert_int_equal(run_program(search, &found, NULL), 1); /* nothing found */
    assert_string_equal(found, "");
    free(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_folders_are_in_layers),
        cmocka_unit_test(plugins_see_the_public_headers_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
