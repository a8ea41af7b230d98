/* tools/get-pool, from files and from a server on loopback that breaks off: the file is there whole and
 * right, or not at all. */
#include "tests/support.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* ---- a server that breaks off ---- */

enum { CUT = 15000 };

/* Sends what is asked for, but no more than CUT bytes of it; without `parts` always from the beginning. */
static void answer(int connection, bool parts) {
    char request[4096] = "", head[256];
    ssize_t got = read(connection, request, sizeof request - 1);
    const char *range = got > 0 ? strstr(request, "Range: bytes=") : NULL;
    size_t first = range && parts ? strtoul(range + strlen("Range: bytes="), NULL, 10) : 0;
    size_t rest = sizeof content - first;
    int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", rest);
    if (first) {
        length = snprintf(head, sizeof head,
                          "HTTP/1.1 206 Partial Content\r\nContent-Length: %zu\r\n"
                          "Content-Range: bytes %zu-%zu/%zu\r\n\r\n",
                          rest, first, sizeof content - 1, sizeof content);
    }
    if (write(connection, head, (size_t)length) < 0) return;
    if (parts && rest > CUT) rest = CUT;
    if (write(connection, content + first, rest) < 0) return;
    shutdown(connection, SHUT_WR);
    while (read(connection, request, sizeof request) > 0) continue;
}

/* A process that serves; *from becomes what to fetch. */
static pid_t serve(bool parts, char **from) {
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(listener >= 0 && bind(listener, (struct sockaddr *)&place, size) == 0);
    assert_true(listen(listener, 5) == 0 && getsockname(listener, (struct sockaddr *)&place, &size) == 0);
    *from = text("http://127.0.0.1:%d/pool.txt", ntohs(place.sin_port));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int connection = accept(listener, NULL, NULL);
            answer(connection, parts);
            close(connection);
        }
    }
    close(listener);
    return child;
}

static void fetch_from_server(bool parts) {
    char *from, *errors;
    pid_t server = serve(parts, &from);
    int status = get(from, "40000", sum, &errors);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    if (status != 0) fail_msg("%s", errors);
    need_whole();
    free(errors);
    free(from);
}

static void a_connection_that_breaks_is_taken_up(void **state) {
    (void)state;
    fetch_from_server(true);
}

static void a_server_without_parts_sends_all_again(void **state) {
    (void)state;
    write_file(part, content, 700);
    fetch_from_server(false);
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
