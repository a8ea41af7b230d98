/* A build or an installation can be moved: the command runs the library and the plugins that lie beside it,
 * and looks for no library in the working directory. */
#include "tests/support.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void run_or_fail(const char *const *words, char **printed) {
    char *errors;
    int status = run_program(words, printed, &errors);
    if (status != 0) fail_msg("%s %s: status %d: %s", words[0], words[1], status, errors);
    free(errors);
}

#define RUN(printed, ...) run_or_fail((const char *const[]){__VA_ARGS__, NULL}, printed)

/* Calls `use` with what stands in brackets in each line of the dynamic section of that kind. */
static void each_entry(const char *file, const char *kind, void (*use)(const char *file, const char *entry)) {
    char *dynamic, *rest;
    RUN(&dynamic, "readelf", "-dW", file);
    rest = dynamic;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *begin = strstr(line, kind) ? strchr(line, '[') : NULL, *end = begin ? strrchr(line, ']') : NULL;
        if (!end) continue;
        *end = '\0';
        use(file, begin + 1);
    }
    free(dynamic);
}

static void check_search_path(const char *file, const char *entry) {
    char *copy = strdup(entry), *rest = copy;
    assert_non_null(copy);
    for (char *folder; (folder = strsep(&rest, ":"));) {
        if (!*folder) fail_msg("%s: [%s] has an empty entry, the working directory", file, entry);
        if (*folder != '/' && strncmp(folder, "$ORIGIN", 7) != 0)
            fail_msg("%s: %s is relative", file, folder);
        if (strncmp(folder, TEST_BUILD, strlen(TEST_BUILD)) == 0)
            fail_msg("%s: %s is absolute", file, folder);
    }
    free(copy);
}

static void search_paths_are_relative_to_their_file(void **state) {
    (void)state;
    static const char *const patterns[] = {TEST_COMMAND, TEST_BUILD "/lib/*.so", TEST_PLUGINS "/*.so",
                                           TEST_BUILD "/tests/test_*[a-z]", TEST_FIXTURES "/*.fixture"};
    glob_t files = {0};
    for (size_t i = 0; i < COUNT(patterns); ++i) {
        assert_int_equal(glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &files), 0);
    }
    size_t looked_at = 0;
    for (size_t i = 0; i < files.gl_pathc; ++i) {
        struct stat status;
        if (stat(files.gl_pathv[i], &status) != 0 || !S_ISREG(status.st_mode)) continue;
        each_entry(files.gl_pathv[i], "path)", check_search_path); /* RPATH and RUNPATH */
        ++looked_at;
    }
    globfree(&files);
    assert_true(looked_at > 20);
}

/* The command at `command` lists the built plugins, all of them from below `folder`. */
static void check_own_plugins(const char *command, const char *folder) {
    char *printed, *real = realpath(folder, NULL), *rest;
    assert_non_null(real);
    size_t files = 0;
    RUN(&printed, command, "plugins");
    rest = printed;
    for (char *line; (line = strsep(&rest, "\n"));) {
        size_t length = strlen(line);
        if (length < 3 || strcmp(line + length - 3, ".so") != 0) continue;
        line += strspn(line, " ");
        if (strncmp(line, real, strlen(real)) != 0) fail_msg("%s runs the plugin %s", command, line);
        ++files;
    }
    glob_t built;
    assert_int_equal(glob(TEST_PLUGINS "/*.so", 0, NULL, &built), 0);
    assert_int_equal(files, built.gl_pathc);
    globfree(&built);
    free(real);
    free(printed);
}

static void a_copied_build_runs_its_own_plugins(void **state) {
    (void)state;
    char *folder = make_folder(), *command = text("%s/bin/headlight", folder);
    RUN(NULL, "cp", "-r", TEST_BUILD "/bin", TEST_BUILD "/lib", folder);
    check_own_plugins(command, folder);
    free(command);
    remove_folder(folder);
}

static void an_installation_can_be_moved(void **state) {
    (void)state;
    char *folder = make_folder(), *first = text("%s/first", folder), *second = text("%s/second", folder);
    char *command = text("%s/bin/headlight", second);
    RUN(NULL, "cmake", "--install", TEST_BUILD, "--prefix", first);
    assert_int_equal(rename(first, second), 0);
    check_own_plugins(command, second);
    each_entry(command, "path)", check_search_path);
    free(command);
    free(first);
    free(second);
    remove_folder(folder);
}

static void write_junk(const char *file, const char *library) {
    (void)file;
    write_text(library, "junk");
}

/* A folder that somebody downloaded may hold files of any name. */
static void no_library_comes_from_the_working_directory(void **state) {
    (void)state;
    char *folder = make_folder(), *before = getcwd(NULL, 0), *printed;
    assert_int_equal(chdir(folder), 0);
    glob_t files;
    assert_int_equal(glob(TEST_COMMAND, 0, NULL, &files), 0);
    assert_int_equal(glob(TEST_BUILD "/lib/*.so", GLOB_APPEND, NULL, &files), 0);
    assert_int_equal(glob(TEST_PLUGINS "/*.so", GLOB_APPEND, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; ++i) each_entry(files.gl_pathv[i], "(NEEDED)", write_junk);
    assert_true(count_files(".") > 5);
    RUN(&printed, TEST_COMMAND, "plugins");
    free(printed);
    RUN(&printed, TEST_COMMAND, "--version");
    free(printed);
    globfree(&files);
    assert_int_equal(chdir(before), 0);
    free(before);
    remove_folder(folder);
}

static int unset_path(void **state) {
    (void)state;
    return unsetenv("HEADLIGHT_PLUGIN_PATH");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_paths_are_relative_to_their_file),
        cmocka_unit_test(a_copied_build_runs_its_own_plugins),
        cmocka_unit_test(an_installation_can_be_moved),
        cmocka_unit_test(no_library_comes_from_the_working_directory),
    };
    return cmocka_run_group_tests(tests, unset_path, NULL);
}
