/* headlight check-plugin: passes what is shipped, and fails each bad plugin for its own reason. */
#include "tests/families.h"
#include "tests/support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder;

/* Under sanitizers no allocation is made to fail. */
#ifdef TEST_SANITIZED
enum { WITHOUT_MEMORY = 0 };
#else
enum { WITHOUT_MEMORY = 1 };
#endif

static int fill(void **state) {
    (void)state;
    folder = make_folder();
    char *model = text("%s/model", folder), *seed = text("%s/model/@NAME@.seed", folder);
    const char *make[] = {"mkdir", model, NULL};
    assert_int_equal(run_program(make, NULL, NULL), 0);
    write_text(seed, "1\n"); /* as the template for models is named before it is filled in */
    free(seed);
    free(model);
    return 0;
}

static int empty(void **state) {
    (void)state;
    remove_folder(folder);
    return 0;
}

/* What it says, free() it; its errors are put behind. */
static char *check(const char *file, const char *against, const char *more, int expected) {
    const char *words[10] = {TEST_COMMAND, "check-plugin", file};
    size_t count = 3;
    if (against) {
        words[count++] = "--against";
        words[count++] = against;
    }
    if (more) {
        words[count++] = "--seconds";
        words[count++] = more;
    }
    char *said, *errors;
    int status = run_program(words, &said, &errors);
    char *all = text("%s%s", said, errors);
    free(said);
    free(errors);
    if (status != expected) fail_msg("%s: status %d:\n%s", file, status, all);
    return all;
}

/* Of models other than that of the embedded one: each checked with one of its family. */
static char *model_of(const char *file, family *of) {
    static const char kind[] = "model-";
    size_t length = strlen(file) - strlen(".so");
    if (strncmp(file, kind, sizeof kind - 1) != 0) return NULL;
    for (size_t i = 0; family_open(i, folder, of); ++i) {
        const char *plugin = cJSON_GetStringValue(cJSON_GetObjectItem(of->about, "plugin"));
        if (strlen(plugin) == length - (sizeof kind - 1) &&
            strncmp(file + sizeof kind - 1, plugin, strlen(plugin)) == 0) {
            return of->model;
        }
        family_close(of);
    }
    return NULL;
}

/* Some checks cannot be made by a program that a sanitizer watches; none may fail. */
static void what_is_shipped_passes(void **state) {
    (void)state;
    DIR *open = opendir(TEST_PLUGINS);
    size_t count = 0;
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open));) {
        if (!strstr(entry->d_name, ".so")) continue;
        family of;
        char *file = text(TEST_PLUGINS "/%s", entry->d_name), *model = model_of(entry->d_name, &of);
        char *said = check(file, model, NULL, 0);
        if (model) family_close(&of);
        assert_null(strstr(said, "FAILED"));
        assert_non_null(strstr(said, " keeps the contract; "));
        ++count;
        free(said);
        free(file);
    }
    closedir(open);
    assert_true(count >= 11);
}

static char *install(const char *fixture) {
    char *from = text(TEST_FIXTURES "/%s.fixture", fixture), *to = text("%s/%s.so", folder, fixture);
    copy_file(from, to);
    free(from);
    return to;
}

/* `line` is in what it says, and no other check fails. */
static void check_fails(const char *fixture, const char *line, size_t failures, const char *seconds) {
    char *file = install(fixture), *model = text("%s/model", folder);
    static const char *const models[] = {"bad_sum", "bad_batch", "bad_gram", "bad_query", "bad_parts"};
    bool is_model = false;
    for (size_t i = 0; i < sizeof models / sizeof *models; ++i) is_model |= strcmp(fixture, models[i]) == 0;
    char *said = check(file, is_model ? model : NULL, seconds, 1);
    if (!strstr(said, line)) fail_msg("%s: no \"%s\" in\n%s", fixture, line, said);
    size_t found = 0;
    for (const char *at = said; (at = strstr(at, "FAILED ")); ++at) ++found;
    if (found != failures) fail_msg("%s: %zu checks failed:\n%s", fixture, found, said);
    assert_non_null(strstr(said, " checks failed"));
    free(said);
    free(model);
    unlink(file);
    free(file);
}

/* What builds on others' findings is checked on those of an extractor that builds on nothing. */
static void what_builds_on_others_is_given_it(void **state) {
    (void)state;
    char *giver = install("sample_consistent");
    setenv("HEADLIGHT_PLUGIN_PATH", folder, 1);
    char *said = check(TEST_PLUGINS "/extractor-consistency-scores.so", NULL, NULL, 0);
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    assert_non_null(strstr(said, "ok           runs\n"));
    assert_non_null(strstr(said, "ok           gives the same bytes twice\n"));
    if (WITHOUT_MEMORY) assert_non_null(strstr(said, "ok           copes without memory\n"));
    free(said);
    unlink(giver);
    free(giver);
}

static void a_backend_wrong_at_odd_widths_fails(void **state) {
    (void)state;
    check_fails("bad_odd_widths",
                "linear: linear 1 x 19 -> 33, gelu, bias, residual: operand out: row 0, column 32 is off", 2,
                NULL);
}

static void a_backend_that_reads_a_stride_wrongly_fails(void **state) {
    (void)state;
    check_fails("bad_stride", "matrices at offset 5 with 3 numbers between rows: operand out", 2, NULL);
}

static void a_model_whose_parts_do_not_sum_fails(void **state) {
    (void)state;
    check_fails("bad_sum", "FAILED       contributions sum to the embedding: ", 1, NULL);
}

static void a_model_that_differs_by_batch_fails(void **state) {
    (void)state;
    check_fails("bad_batch", "FAILED       a batch equals one by one: ", 1, NULL);
}

static void a_model_with_impossible_value_maps_fails(void **state) {
    (void)state;
    check_fails("bad_gram", "FAILED       value maps: ", WITHOUT_MEMORY + 2, NULL);
}

static void a_model_whose_queries_are_not_its_bases_fails(void **state) {
    (void)state;
    check_fails("bad_query", "FAILED       queries equal bases: ", WITHOUT_MEMORY + 2, NULL);
}

static void a_model_that_shows_other_parts_than_it_hands_out_fails(void **state) {
    (void)state;
    check_fails("bad_parts", "by token_parts than by token_codes: off by ", WITHOUT_MEMORY + 2, NULL);
}

static void an_analysis_that_leaks_fails(void **state) {
    (void)state;
    check_fails("bad_leak", "FAILED       leaks nothing: leaks memory: ", 1, NULL);
}

#ifndef TEST_SANITIZED
static void an_analysis_that_crashes_without_memory_fails(void **state) {
    (void)state;
    check_fails("bad_memory",
                "FAILED       copes without memory: crashes with allocation 2 of its own failing: signal 11",
                1, NULL);
}
#endif

static void what_does_not_end_is_ended(void **state) {
    (void)state;
    check_fails("bad_hang", "FAILED       runs: does not end within 1 seconds", 4, "1");
}

static void plugins_are_silent(void **state) {
    (void)state;
    check_fails("bad_texts",
                "FAILED       runs: writes to stdout or stderr, which plugins leave alone: hello",
                WITHOUT_MEMORY + 3, NULL);
}

static void what_cannot_be_loaded_fails(void **state) {
    (void)state;
    static const struct {
        const char *fixture, *line;
    } cases[] = {{"abi_old", "declares itself soundly: is built for ABI 1"},
                 {"no_symbol", "declares itself soundly: not a plugin"},
                 {"no_function", "lacks some that its kind must have: run"},
                 {"broken_default", "opacity"}};
    for (size_t i = 0; i < COUNT(cases); ++i) check_fails(cases[i].fixture, cases[i].line, 1, NULL);
    check_fails("two_symbols", "FAILED       exports one symbol: exports more than headlight_plugin: ", 1,
                NULL);
}

static void no_file_is_wrong_usage(void **state) {
    (void)state;
    char *said = check("/nowhere/at-all.so", NULL, NULL, 2);
    assert_non_null(strstr(said, "/nowhere/at-all.so: No such file"));
    free(said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shipped_passes),
        cmocka_unit_test(what_builds_on_others_is_given_it),
        cmocka_unit_test(a_backend_wrong_at_odd_widths_fails),
        cmocka_unit_test(a_backend_that_reads_a_stride_wrongly_fails),
        cmocka_unit_test(a_model_whose_parts_do_not_sum_fails),
        cmocka_unit_test(a_model_that_differs_by_batch_fails),
        cmocka_unit_test(a_model_with_impossible_value_maps_fails),
        cmocka_unit_test(a_model_whose_queries_are_not_its_bases_fails),
        cmocka_unit_test(a_model_that_shows_other_parts_than_it_hands_out_fails),
        cmocka_unit_test(an_analysis_that_leaks_fails),
#ifndef TEST_SANITIZED
        cmocka_unit_test(an_analysis_that_crashes_without_memory_fails),
#endif
        cmocka_unit_test(what_does_not_end_is_ended),
        cmocka_unit_test(plugins_are_silent),
        cmocka_unit_test(what_cannot_be_loaded_fails),
        cmocka_unit_test(no_file_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
