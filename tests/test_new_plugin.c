/* headlight new: each kind's project is built against an installed headlight, keeps the contract and runs. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const KINDS[] = {"analysis", "compute", "extractor", "model", "report"};

static char *folder, *command;

static void run_or_fail(const char *const *words) {
    char *said, *errors;
    int status = run_program(words, &said, &errors);
    if (status != 0) fail_msg("%s %s: status %d: %s%s", words[0], words[1], status, said, errors);
    free(said);
    free(errors);
}

#define RUN(...) run_or_fail((const char *const[]){__VA_ARGS__, NULL})

static int fill(void **state) {
    (void)state;
    folder = make_folder();
    char *prefix = text("%s/prefix", folder);
    command = text("%s/bin/headlight", prefix);
    RUN("cmake", "--install", TEST_BUILD, "--prefix", prefix);
    free(prefix);
    return 0;
}

static int empty(void **state) {
    (void)state;
    free(command);
    remove_folder(folder);
    return 0;
}

static void check_symbols(const char *library) {
    char *names;
    const char *list[] = {"nm", "-D", "--defined-only", "--format=just-symbols", library, NULL};
    assert_int_equal(run_program(list, &names, NULL), 0);
    assert_string_equal(names, "headlight_plugin\n");
    free(names);
}

static void check_kind(const char *kind) {
    char *project = text("%s/my-%s", folder, kind), *name = text("my-%s", kind),
         *build = text("%s/build", project);
    char *prefix = text("-DCMAKE_PREFIX_PATH=%s/prefix", folder), *library = text("%s/%s.so", build, name);
    char *results = text("%s/out", build), *readme = text("%s/README.md", project);
    RUN(command, "new", kind, name, "--out", project);
    char *words = read_file(readme, NULL);
    assert_non_null(strstr(words, name));
    assert_null(strchr(words, '@'));
    free(words);
    RUN("cmake", "-S", project, "-B", build, prefix);
    RUN("cmake", "--build", build);
    RUN("ctest", "--test-dir", build, "--output-on-failure");
    assert_true(file_exists(results));
    check_symbols(library);
    free(readme);
    free(results);
    free(library);
    free(prefix);
    free(build);
    free(name);
    free(project);
}

static void each_kind_builds_keeps_the_contract_and_runs(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(KINDS); ++i) check_kind(KINDS[i]);
}

static void check_refused(const char *kind, const char *name, const char *place, const char *message) {
    char *errors;
    const char *words[] = {command, "new", kind, name, "--out", place, NULL};
    assert_int_equal(run_program(words, NULL, &errors), 2);
    if (!strstr(errors, message)) fail_msg("%s %s: %s", kind, name, errors);
    free(errors);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    char *there = text("%s/there", folder), *file = text("%s/there/mine", folder),
         *none = text("%s/none", folder);
    assert_int_equal(mkdir(there, 0755), 0);
    write_text(file, "mine");
    check_refused("analysis", "sound", there, "there is there already");
    check_refused("analyses", "sound", none,
                  "there is no kind of plugins \"analyses\"; did you mean \"analysis\"?");
    check_refused("analysis", "Not Sound", none, "\"Not Sound\" is no name of a plugin");
    check_refused("analysis", "../up", none, "is no name of a plugin");
    assert_false(file_exists(none));
    assert_int_equal(count_files(there), 1);
    free(none);
    free(file);
    free(there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_builds_keeps_the_contract_and_runs),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
