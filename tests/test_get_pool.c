/* tools/get-pool, from files and from a server on loopback that breaks off: the file is there whole and
 * right, or not at all. */
#include "tests/file_server.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char content[40000]; /* of what is fetched */
static char *folder, *source, *sum, *target, *part;

static int open_setting(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof content; ++i) content[i] = i % 40 == 39 ? '\n' : (char)('a' + i * i % 23);
    folder = make_folder();
    source = text("%s/source.txt", folder);
    target = text("%s/pools/pool.txt", folder);
    part = text("%s.part", target);
    write_file(source, content, sizeof content);
    const char *const words[] = {"sha256sum", source, NULL};
    assert_int_equal(run_program(words, &sum, NULL), 0);
    sum[64] = '\0';
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(folder);
    free(source);
    free(target);
    free(part);
    free(sum);
    return 0;
}

static int clear_target(void **state) {
    (void)state;
    unlink(target);
    unlink(part);
    return 0;
}

static int get(const char *from, const char *bytes, const char *digest, char **errors) {
    const char *const words[] = {
        TEST_SOURCE "/tools/get-pool", "--from", from, "--bytes", bytes, "--sha256", digest, target, NULL};
    return run_program(words, NULL, errors);
}

static void need_whole(void) {
    size_t count;
    char *got = read_file(target, &count);
    assert_int_equal(count, sizeof content);
    assert_memory_equal(got, content, sizeof content);
    assert_false(file_exists(part));
    free(got);
}

static void need_nothing(const char *errors, const char *words) {
    if (!strstr(errors, words)) fail_msg("%s", errors);
    assert_false(file_exists(target));
}

static void a_file_is_fetched_once(void **state) {
    (void)state;
    char *from = text("file://%s", source);
    assert_int_equal(get(from, "40000", sum, NULL), 0);
    need_whole();
    assert_int_equal(get("file:///nowhere", "40000", sum, NULL), 0);
    need_whole();
    free(from);
}

static void what_is_another_file_is_not_kept(void **state) {
    (void)state;
    char *from = text("file://%s", source), *errors;
    assert_int_equal(get(from, "40000", "0000", &errors), 1);
    need_nothing(errors, "source.txt: 40000 bytes came that are not the file");
    assert_false(file_exists(part));
    free(errors);
    assert_int_equal(get(from, "40001", sum, &errors), 1);
    need_nothing(errors, "40000 bytes came that are not the file; expected 40001");
    free(errors);
    assert_int_equal(get(from, "300", sum, &errors), 1);
    assert_false(file_exists(target));
    free(errors);
    unlink(part);
    assert_int_equal(get("file:///nowhere/at-all", "40000", sum, &errors), 1);
    need_nothing(errors, "curl ends with");
    assert_false(file_exists(part));
    free(errors);
    free(from);
}

static void what_is_there_already_stays(void **state) {
    (void)state;
    char *from = text("file://%s", source), *errors, *got;
    write_text(target, "mine\n");
    assert_int_equal(get(from, "40000", sum, &errors), 1);
    assert_non_null(strstr(errors, "is there, and is another file"));
    got = read_file(target, NULL);
    assert_string_equal(got, "mine\n");
    free(got);
    free(errors);
    free(from);
}

/* A beginning is taken up; what is no beginning is thrown away. */
static void what_came_before_is_used(void **state) {
    (void)state;
    char *from = text("file://%s", source), *longer = calloc(1, 50000);
    write_file(part, content, 12345);
    assert_int_equal(get(from, "40000", sum, NULL), 0);
    need_whole();
    clear_target(NULL);
    write_file(part, longer, 50000);
    assert_int_equal(get(from, "40000", sum, NULL), 0);
    need_whole();
    free(longer);
    free(from);
}

static void fetch_from_server(file_server file) {
    char *address, *errors;
    file.path = "pool.txt";
    file.content = content;
    file.size = sizeof content;
    pid_t server = file_server_start(&file, 1, &address);
    char *from = text("%spool.txt", address);
    int status = get(from, "40000", sum, &errors);
    file_server_stop(server);
    if (status != 0) fail_msg("%s", errors);
    need_whole();
    free(errors);
    free(from);
    free(address);
}

static void a_connection_that_breaks_is_taken_up(void **state) {
    (void)state;
    fetch_from_server((file_server){.cut = 15000});
}

static void a_server_without_parts_sends_all_again(void **state) {
    (void)state;
    write_file(part, content, 700);
    fetch_from_server((file_server){.no_parts = true});
}

static void words_that_mean_nothing_are_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {{"--verbose"}, {"--bytes", "many"}, {"one", "two"}, {"--from"}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        const char *const words[] = {TEST_SOURCE "/tools/get-pool", cases[i][0], cases[i][1], NULL};
        assert_int_equal(run_program(words, NULL, NULL), 2);
    }
}

int main(void) {
    const char *const words[] = {"sh", "-c", "command -v curl", NULL};
    if (run_program(words, NULL, NULL) != 0) {
        printf("skipped: there is no curl\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_file_is_fetched_once, clear_target),
        cmocka_unit_test_setup(what_is_another_file_is_not_kept, clear_target),
        cmocka_unit_test_setup(what_came_before_is_used, clear_target),
        cmocka_unit_test_setup(what_is_there_already_stays, clear_target),
        cmocka_unit_test_setup(a_connection_that_breaks_is_taken_up, clear_target),
        cmocka_unit_test_setup(a_server_without_parts_sends_all_again, clear_target),
        cmocka_unit_test(words_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
