/* Plugins that do what no plugin may, through the built command: whatever it is, it costs no more than the
 * run, and the plugin is named. */
#include "tests/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void install(const char *fixture, const char *place) {
    char *from = text(TEST_FIXTURES "/%s.fixture", fixture), *to = scratch_path(place);
    copy_file(from, to);
    free(from);
    free(to);
}

static int fill(void **state) {
    if (scratch_fill(state) != 0) return 1;
    char *folder = scratch_path("plugins");
    assert_int_equal(mkdir(folder, 0755), 0);
    free(folder);
    install("misbehaves", "plugins/misbehaves.so");
    return 0;
}

static void write_experiment(const char *deed) {
    char *yaml = text("headlight: 1\nmodel: {path: model}\ncompute: {backend: reference, threads: 1}\n"
                      "output: new/out\nanalyses:\n  - {plugin: misbehaves, deed: %s}\n",
                      deed);
    scratch_write("bad.yaml", yaml);
    free(yaml);
}

static int run_deed(const char *deed, char **said) {
    const scratch_call call = {.words = {"run", "bad.yaml", "--plugin-dir", "plugins"}};
    write_experiment(deed);
    scratch_remove("new");
    return scratch_run(&call, said);
}

static void check(const char *deed, int expected, const char *words) {
    char *said;
    int status = run_deed(deed, &said);
    if (status != expected) fail_msg("%s: status %d: %s", deed, status, said);
    if (!strstr(said, words)) fail_msg("%s: %s", deed, said);
    if (strchr(said, '\n') != said + strlen(said) - 1) fail_msg("%s: not one line: %s", deed, said);
    free(said);
}

static void errors_name_the_plugin(void **state) {
    (void)state;
    check("silent", 1, "headlight run: analysis/misbehaves: failed and did not say why\n");
    check("garbage", 1, "headlight run: analysis/misbehaves: \\xee");
    check("too-long", 2, "headlight run: analysis/misbehaves: xxx");
    check(
        "odd", 1,
        "headlight run: analysis/misbehaves: ended with the status 77, which there is none of: something\n");
    check("no-text", 1, "misbehaves, result 1, 'text': there is no text");
    check("no-item", 1, "there is no text");
    assert_false(scratch_has("new"));
}

/* An end like that of any other failure: status 1, the plugin's name, nothing left behind. */
static void exit_is_a_failure(void **state) {
    (void)state;
    check("exit", 1, "headlight run: analysis/misbehaves: called exit, which no plugin may");
    assert_false(scratch_has("new"));
    check("quick-exit", 1, "headlight run: analysis/misbehaves: called exit, which no plugin may");
    assert_false(scratch_has("new"));
#ifndef TEST_SANITIZED
    check("at-once", 1, "headlight run: analysis/misbehaves: called _exit, which no plugin may");
    assert_false(scratch_has("new"));
#endif
}

#ifndef TEST_SANITIZED /* which explain crashes themselves */
static void crashes_name_the_plugin(void **state) {
    (void)state;
    check("abort", 128 + SIGABRT, "headlight run: analysis/misbehaves: called abort, which no plugin may");
    check("crash", 128 + SIGSEGV, "headlight run: analysis/misbehaves: crashed");
    check("divide", 128 + SIGFPE, "headlight run: analysis/misbehaves: crashed");
    check("stack", 128 + SIGSEGV, "headlight run: analysis/misbehaves: crashed");
    SCRATCH_MUST("run", "e.yaml", "--out", "new/out"); /* the next run tidies up */
    scratch_check_clean("the next run");
}
#endif

/* In a pipe: what informs is for somebody who looks on, what warns is always said. */
static void warnings_are_shown(void **state) {
    (void)state;
    char *said;
    assert_int_equal(run_deed("log", &said), 0);
    assert_string_equal(said, "warning: analysis/misbehaves: something is odd\n");
    free(said);
}

/* ---- signals ---- */

static pid_t start(const char *deed) {
    write_experiment(deed);
    pid_t child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR);
        if (chdir(scratch) != 0 || dup2(nothing, 1) < 0 || dup2(nothing, 2) < 0) _exit(99);
        execl(TEST_COMMAND, TEST_COMMAND, "run", "bad.yaml", "--plugin-dir", "plugins", (char *)NULL);
        _exit(99);
    }
    assert_true(child > 0);
    return child;
}

/* Signals until it ends, so that the test waits for no clock: the first that counts asks, the second ends. */
static void the_second_signal_ends(void **state) {
    (void)state;
    static const char *const deeds[] = {"block", "ignore", "take"};
    static const struct timespec moment = {0, 150 * 1000 * 1000};
    for (size_t i = 0; i < COUNT(deeds); ++i) {
        pid_t child = start(deeds[i]);
        int status = 0;
        nanosleep(&moment, NULL);
        nanosleep(&moment, NULL);
        nanosleep(&moment, NULL);
        for (int tries = 0; tries < 100 && waitpid(child, &status, WNOHANG) == 0; ++tries) {
            kill(child, SIGTERM);
            nanosleep(&moment, NULL);
        }
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM) fail_msg("%s: %x", deeds[i], status);
    }
}

/* ---- a folder of all kinds ---- */

static void a_folder_may_hold_anything(void **state) {
    (void)state;
    char *folder = scratch_path("mixed"), *said, *listed;
    assert_int_equal(mkdir(folder, 0755), 0);
    scratch_write("mixed/junk.so", "not a library");
    scratch_write("mixed/empty.so", "");
    install("abi_old", "mixed/old.so");
    install("no_symbol", "mixed/nothing.so");
    install("sample", "mixed/one.so");
    install("sample_twin", "mixed/two.so");
    install("no_function", "mixed/holes.so");
    install("broken_default", "mixed/options.so");
    install("misbehaves", "mixed/sound.so");
    const char *list[] = {TEST_COMMAND, "plugins", "--plugin-dir", folder, NULL};
    assert_int_equal(run_program(list, &listed, &said), 0);
    static const char *const lines[] = {"analysis/misbehaves 1.0.0",
                                        "/junk.so: cannot be loaded: ",
                                        "/empty.so: cannot be loaded: ",
                                        "/old.so: is built for ABI 1",
                                        "/nothing.so: not a plugin",
                                        "/one.so: analysis/sample is also in ",
                                        "/two.so: analysis/sample is also in ",
                                        "/holes.so: not a sound plugin",
                                        "/options.so: "};
    for (size_t i = 0; i < COUNT(lines); ++i) {
        if (!strstr(listed, lines[i])) fail_msg("%s is not in\n%s", lines[i], listed);
    }
    assert_string_equal(said, "");
    free(said);
    free(listed);

    SCRATCH_MUST("run", "e.yaml", "--plugin-dir", "mixed");
    scratch_write("sample.yaml", "headlight: 1\nmodel: {path: model}\noutput: out\n"
                                 "analyses:\n  - {plugin: sample}\n");
    const scratch_call call = {.words = {"run", "sample.yaml", "--plugin-dir", "mixed"}};
    assert_int_equal(scratch_run(&call, &said), 2);
    assert_non_null(strstr(said, "the plugin \"sample\" is broken: "));
    assert_non_null(strstr(said, "remove one of the two"));
    free(said);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_the_plugin),     cmocka_unit_test(exit_is_a_failure),
#ifndef TEST_SANITIZED
        cmocka_unit_test(crashes_name_the_plugin),
#endif
        cmocka_unit_test(warnings_are_shown),         cmocka_unit_test(the_second_signal_ends),
        cmocka_unit_test(a_folder_may_hold_anything),
    };
    return cmocka_run_group_tests(tests, fill, scratch_empty);
}
