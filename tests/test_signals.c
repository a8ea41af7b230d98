/* Signals and standard streams, through the built command: the first signal asks, the second ends; what is
 * ignored stays ignored; and a stdout that takes nothing costs no files and gets into none. */
#include "tests/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- signals ---- */

static const struct {
    const char *name;
    int number;
} SIGNALS[] = {{"int", SIGINT}, {"term", SIGTERM}, {"hup", SIGHUP}};

static void write_interrupted(const char *options) {
    char *experiment = text("headlight: 1\nmodel: {path: model}\ncompute: {backend: reference, threads: 1}\n"
                            "output: out\nanalyses:\n  - {plugin: interrupt, %s}\n",
                            options);
    scratch_write("interrupted.yaml", experiment);
    free(experiment);
}

static const scratch_call INTERRUPTED = {.words = {"run", "interrupted.yaml", "--plugin-dir", "plugins"}};

static int run_interrupted(const char *first, const char *second, char **said) {
    char *options =
        text("signal: %s, second: %s, deaf: %s", first, second ? second : "int", second ? "true" : "false");
    write_interrupted(options);
    free(options);
    scratch_remove("out");
    return scratch_run(&INTERRUPTED, said);
}

static void the_first_signal_asks(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(SIGNALS); ++i) {
        char *said;
        assert_int_equal(run_interrupted(SIGNALS[i].name, NULL, &said), 1);
        assert_string_equal(said, "headlight run: cancelled\n");
        assert_false(scratch_has("out"));
        scratch_check_clean(SIGNALS[i].name);
        free(said);
    }
}

/* Even of a program that spins; and the next run tidies up. */
static void the_second_signal_ends(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(SIGNALS); ++i) {
        for (size_t j = 0; j < COUNT(SIGNALS); ++j) {
            int status = run_interrupted(SIGNALS[i].name, SIGNALS[j].name, NULL);
            assert_int_equal(status, 128 + SIGNALS[j].number);
            assert_false(scratch_has("out/results.json"));
        }
    }
    SCRATCH_MUST("run", "e.yaml");
    scratch_check_clean("the next run");
}

/* As nohup and a shell's background leave them. */
static void ignored_signals_stay_ignored(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(SIGNALS); ++i) {
        char *said;
        signal(SIGNALS[i].number, SIG_IGN);
        int status = run_interrupted(SIGNALS[i].name, NULL, &said);
        signal(SIGNALS[i].number, SIG_DFL);
        if (status != 0) fail_msg("%s: status %d: %s", SIGNALS[i].name, status, said);
        free(said);
    }
}

#ifndef TEST_SANITIZED
/* A signal at a call of the system on a file that is being written, so while pictures are drawn, arrays,
 * pages and shards are made. */
static void writing_can_be_cancelled(void **state) {
    (void)state;
    static const struct {
        const char *file, *fault;
        scratch_call call;
    } moments[] = {
        {"new-0", "write:1:TERM", {.words = {"run", "e.yaml"}}},
        {"new-1", "write:1:HUP", {.words = {"run", "e.yaml"}}},
        {"new-2", "write:1:INT", {.words = {"run", "e.yaml"}}},
        {"new-0", "open:1:HUP", {.words = {"run", "e.yaml"}}},
        {"new-1", "sync:1:TERM", {.words = {"run", "e.yaml"}}},
        {"new-1",
         "write:1:TERM",
         {.words = {"decompose", "--model", "model", "--image", "a.jpg", "--tokens", "--out", "out"}}},
        {"new-4",
         "write:1:HUP",
         {.words = {"decompose", "--model", "model", "--image", "a.jpg", "--out", "out"}}},
    };
    for (size_t i = 0; i < COUNT(moments); ++i) {
        scratch_call call = moments[i].call;
        char *fault = text("FAIL_CALL=%s", moments[i].fault),
             *file = text("FAIL_CALL_FILE=%s", moments[i].file), *said;
        call.environment[0] = "LD_PRELOAD=" TEST_PRELOAD "/fail_call.preload";
        call.environment[1] = fault;
        call.environment[2] = file;
        scratch_remove("out");
        int status = scratch_run(&call, &said);
        if (status != 1 || !strstr(said, "cancelled"))
            fail_msg("%s %s: status %d: %s", moments[i].file, moments[i].fault, status, said);
        assert_false(scratch_has("out"));
        scratch_check_clean(moments[i].fault);
        free(said);
        free(file);
        free(fault);
    }
}
#endif

/* ---- standard streams ---- */

static int broken_pipe(void) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    return ends[1];
}

static void what_is_printed_is_the_result(void **state) {
    (void)state;
    static const scratch_call calls[] = {
        {.words = {"--help"}},
        {.words = {"--version"}},
        {.words = {"run", "--help"}},
        {.words = {"index", "--help"}},
        {.words = {"plugins"}},
        {.words = {"plugins", "topic-segmentation"}},
        {.words = {"verify", "atlas"}},
        {.words = {"bench", "--model", "model", "--batch", "1", "--runs", "1", "--threads", "1"}},
    };
    int outs[] = {-1, open("/dev/full", O_WRONLY | O_CLOEXEC), broken_pipe()};
    for (size_t i = 0; i < COUNT(calls); ++i) {
        for (size_t j = 0; j < COUNT(outs); ++j) {
            scratch_call call = calls[i];
            char *said;
            call.output = outs[j];
            int status = scratch_run(&call, &said);
            bool told = strncmp(said, "headlight", 9) == 0 && strstr(said, "cannot be written");
            if (status != 1 || !told)
                fail_msg("%s, stdout %zu: status %d: %s", call.words[0], j, status, said);
            free(said);
        }
    }
    close(outs[1]);
    close(outs[2]);
}

/* The files are there, the same as ever, and what could not be printed is in none of them. */
static void files_need_no_stdout(void **state) {
    (void)state;
    char *out = scratch_path("out");
    static const scratch_call calls[] = {
        {.words = {"run", "e.yaml"}},
        {.words = {"index", "--model", "model", "--images", "list.txt", "--backend", "reference", "--out",
                   "out"}},
        {.words = {"merge", "out", "atlas"}},
        {.words = {"decompose", "--model", "model", "--image", "a.jpg", "--backend", "reference", "--out",
                   "out"}},
    };
    int outs[] = {0, -1, open("/dev/full", O_WRONLY | O_CLOEXEC), broken_pipe(), -1};
    for (size_t i = 0; i < COUNT(calls); ++i) {
        char *expected = NULL;
        for (size_t j = 0; j < COUNT(outs); ++j) {
            scratch_call call = calls[i];
            char *said;
            call.output = outs[j];
            if (j == 4) call.input = call.errors = -1; /* none of the three is open */
            scratch_remove("out");
            int status = scratch_run(&call, &said);
            bool prints = strcmp(call.words[0], "decompose") != 0,
                 told = strstr(said, "the files are complete");
            if (status != 0 || told != (prints && j > 0 && j < 4))
                fail_msg("%s, stdout %zu: status %d: %s", call.words[0], j, status, said);
            char *found = sum_files(out);
            if (!expected) expected = strdup(found);
            assert_string_equal(found, expected);
            scratch_check_clean(call.words[0]);
            free(found);
            free(said);
        }
        free(expected);
    }
    close(outs[2]);
    close(outs[3]);
    free(out);
}

static void usage_needs_no_stderr(void **state) {
    (void)state;
    static const scratch_call calls[] = {
        {.words = {NULL}, .errors = -1},
        {.words = {"rum"}, .errors = -1},
        {.words = {"run"}, .errors = -1},
        {.words = {"run", "missing.yaml"}, .errors = -1},
    };
    for (size_t i = 0; i < COUNT(calls); ++i) assert_int_equal(scratch_run(&calls[i], NULL), 2);
}

static int fill(void **state) {
    int status = scratch_fill(state);
    char *folder = scratch_path("plugins"), *plugin = text("%s/interrupt.so", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    copy_file(TEST_FIXTURES "/interrupt.fixture", plugin);
    free(plugin);
    free(folder);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_signal_asks),         cmocka_unit_test(the_second_signal_ends),
        cmocka_unit_test(ignored_signals_stay_ignored),
#ifndef TEST_SANITIZED
        cmocka_unit_test(writing_can_be_cancelled),
#endif
        cmocka_unit_test(what_is_printed_is_the_result), cmocka_unit_test(files_need_no_stdout),
        cmocka_unit_test(usage_needs_no_stderr),
    };
    return cmocka_run_group_tests(tests, fill, scratch_empty);
}
