/* tools/setup where another process holds apt's locks: it waits for them, and for nothing else. Everything
 * that it runs is a stand-in here. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_program(const char *folder, const char *name, const char *body) {
    char *path = text("%s/%s", folder, name), *content = text("#!/bin/sh\n%s\n", body);
    write_text(path, content);
    assert_int_equal(chmod(path, 0755), 0);
    free(content);
    free(path);
}

/* An apt-get that fails `times` times at `step` with these words. Returns setup's status; *calls: what was
 * asked. */
static int set_up(const char *step, int times, const char *words, char **calls) {
    char *folder = make_folder(), *path = text("PATH=%s:/usr/bin:/bin", folder),
         *log = text("%s/log", folder);
    char *apt = text("echo \"$*\" >>%s; case \"$*\" in *' %s'*) ;; *) exit 0;; esac\n"
                     "[ $(grep -c ' %s' %s) -gt %d ] && exit 0; echo '%s' >&2; exit 100",
                     log, step, step, log, times, words);
    write_program(folder, "apt-get", apt);
    write_program(folder, "dpkg-query", "exit 1");
    write_program(folder, "id", "echo 0");
    write_program(folder, "sleep", "");
    write_text(log, "");
    int status = run_program((const char *const[]){"env", path, TEST_SOURCE "/tools/setup", "build", NULL},
                             NULL, NULL);
    *calls = read_file(log, NULL);
    free(apt);
    free(log);
    free(path);
    remove_folder(folder);
    return status;
}

static size_t count_lines(const char *content) {
    size_t lines = 0;
    for (; (content = strchr(content, '\n')); ++content) ++lines;
    return lines;
}

static void locks_are_waited_for(void **state) {
    (void)state;
    static const char *const words[] = {
        "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)",
        "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 812 (apt-get)",
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is it in use?",
        "E: Unable to lock directory /var/lib/apt/lists/",
    };
    char *calls;
    for (size_t i = 0; i < COUNT(words); ++i) {
        assert_int_equal(set_up(i % 2 ? "install" : "update", 3, words[i], &calls), 0);
        assert_int_equal(count_lines(calls), 5);
        assert_non_null(strstr(calls, "DPkg::Lock::Timeout="));
        assert_non_null(strstr(calls, "libyaml-dev"));
        free(calls);
    }
}

static void nothing_else_is_waited_for(void **state) {
    (void)state;
    char *calls;
    assert_int_not_equal(set_up("update", 3, "E: Failed to fetch the list: no route to host", &calls), 0);
    assert_int_equal(count_lines(calls), 1);
    free(calls);
    assert_int_not_equal(set_up("install", 3, "E: Unable to locate package libyaml-dev", &calls), 0);
    assert_int_equal(count_lines(calls), 2);
    free(calls);
    assert_int_not_equal(set_up("update", 100000, "E: Could not get lock /var/lib/apt/lists/lock", &calls),
                         0);
    free(calls);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_are_waited_for),
        cmocka_unit_test(nothing_else_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
