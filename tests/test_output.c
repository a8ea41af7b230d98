/* Whole files or none: what stays after a commit, after an abandon and after every kind of failure. */
#include "tests/support.h"

#include "core/io/output.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static output *open_output(const char *folder) {
    output *out;
    hl_error error;
    assert_ok(output_open(folder, &out, &error), error);
    return out;
}

static FILE *add(output *out, const char *name, const char *content) {
    FILE *file;
    hl_error error;
    assert_ok(output_file(out, name, &file, &error), error);
    assert_ok(output_write(out, file, content, strlen(content), &error), error);
    return file;
}

static void assert_content(const char *folder, const char *name, const char *expected) {
    char *path = text("%s/%s", folder, name), *content = read_file(path, NULL);
    assert_string_equal(content, expected);
    free(content);
    free(path);
}

static void commit_shows_all_at_once(void **state) {
    (void)state;
    char *top = make_folder(), *folder = text("%s/a/b/", top), *early = text("%s/one.txt", folder);
    output *out = open_output(folder);
    hl_error error;
    FILE *one = add(out, "one.txt", "1");
    add(out, "deep/er/two.txt", "22");
    assert_ok(output_finish(out, one, &error), error);
    assert_false(file_exists(early));
    add(out, "empty.txt", "");
    assert_ok(output_commit(out, &error), error);
    assert_content(folder, "one.txt", "1");
    assert_content(folder, "deep/er/two.txt", "22");
    assert_content(folder, "empty.txt", "");
    assert_int_equal(count_files(folder), 3);
    free(early);
    free(folder);
    remove_folder(top);
}

static void commit_replaces_older_files(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/a.txt", folder);
    write_text(path, "older and longer");
    output *out = open_output(folder);
    hl_error error;
    add(out, "a.txt", "new");
    assert_content(folder, "a.txt", "older and longer");
    assert_ok(output_commit(out, &error), error);
    assert_content(folder, "a.txt", "new");
    assert_int_equal(count_files(folder), 1);
    free(path);
    remove_folder(folder);
}

static void abandon_leaves_no_trace(void **state) {
    (void)state;
    char *top = make_folder(), *folder = text("%s/a/b", top), *other = text("%s/a/other", top);
    hl_error error;
    output *out = open_output(folder);
    assert_ok(output_finish(out, add(out, "one.txt", "1"), &error), error);
    add(out, "deep/two.txt", "2");
    output_abandon(out);
    assert_int_equal(count_files(top), 0);

    out = open_output(folder); /* a folder in which somebody else put something meanwhile stays */
    write_text(other, "mine");
    output_abandon(out);
    assert_true(file_exists(other));
    assert_false(file_exists(folder));
    output_abandon(NULL);
    free(other);
    free(folder);
    remove_folder(top);
}

static void abandon_keeps_what_was_there(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/a.txt", folder);
    write_text(path, "older");
    output *out = open_output(folder);
    add(out, "a.txt", "new");
    output_abandon(out);
    assert_content(folder, "a.txt", "older");
    assert_int_equal(count_files(folder), 1);
    free(path);
    remove_folder(folder);
}

/* More files than a process may have open. */
static void finished_files_are_closed(void **state) {
    (void)state;
    char *folder = make_folder();
    output *out = open_output(folder);
    hl_error error;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){32, before.rlim_max});
    for (int i = 0; i < 100; ++i) {
        char *name = text("%d.txt", i);
        assert_ok(output_finish(out, add(out, name, name), &error), error);
        free(name);
    }
    assert_ok(output_commit(out, &error), error);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(count_files(folder), 100);
    assert_content(folder, "42.txt", "42.txt");
    remove_folder(folder);
}

static void leftovers_are_stepped_over(void **state) {
    (void)state;
    char *folder = make_folder(), *left = text("%s/.a.txt.tmp-%ld-0", folder, (long)getpid());
    write_text(left, "left by a run with the same process number");
    output *out = open_output(folder);
    hl_error error;
    add(out, "a.txt", "new");
    assert_ok(output_commit(out, &error), error);
    assert_content(folder, "a.txt", "new");
    assert_true(file_exists(left));
    free(left);
    remove_folder(folder);
}

static void unwritable_folders_are_named(void **state) {
    (void)state;
    char *top = make_folder(), *blocked = text("%s/file", top), *folder = text("%s/new/../file/sub", top);
    write_text(blocked, "no folder");
    output *out;
    hl_error error;
    assert_int_equal(output_open(folder, &out, &error), HL_FAILED);
    assert_null(out);
    assert_non_null(strstr(error.message, "/file"));
    assert_non_null(strstr(error.message, "cannot be written"));
    assert_int_equal(count_files(top), 1); /* "new" is gone again */
    assert_int_equal(output_open(blocked, &out, &error), HL_FAILED);
    assert_null(out);

    out = open_output(top);
    FILE *file;
    assert_int_equal(output_file(out, "file/a.txt", &file, &error), HL_FAILED);
    assert_null(file);
    output_abandon(out);
    assert_int_equal(count_files(top), 1);
    free(folder);
    free(blocked);
    remove_folder(top);
}

static void failed_rename_removes_all(void **state) {
    (void)state;
    char *folder = make_folder(), *blocked = text("%s/b.txt", folder);
    assert_int_equal(mkdir(blocked, 0777), 0);
    output *out = open_output(folder);
    hl_error error;
    add(out, "a.txt", "renamed first");
    add(out, "b.txt", "cannot be: a folder has this name");
    add(out, "c.txt", "never renamed");
    assert_int_equal(output_commit(out, &error), HL_FAILED);
    assert_non_null(strstr(error.message, blocked));
    assert_int_equal(count_files(folder), 1);
    free(blocked);
    remove_folder(folder);
}

/* Files of this process may not grow beyond `bytes`: the nearest thing to a full disk. */
static struct rlimit limit_files(rlim_t bytes) {
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, before.rlim_max});
    return before;
}

static void assert_full_disk(bool finish_early) {
    char *top = make_folder(), *folder = text("%s/out", top);
    output *out = open_output(folder);
    add(out, "small.txt", "fits");
    struct rlimit before = limit_files(8192);
    hl_error error = {""};
    FILE *file;
    assert_ok(output_file(out, "large.bin", &file, &error), error);
    char block[1000] = {0};
    hl_status status = HL_OK;
    /* the last bytes may still lie in memory: then it is for the end to tell */
    for (int i = 0; i < 9 && status == HL_OK; ++i)
        status = output_write(out, file, block, sizeof block, &error);
    if (status == HL_OK && finish_early) status = output_finish(out, file, &error);
    if (status == HL_OK) {
        status = output_commit(out, &error);
    } else {
        output_abandon(out);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, HL_FAILED);
    assert_non_null(strstr(error.message, "out/large.bin: cannot be written: File too large"));
    assert_int_equal(count_files(top), 0);
    free(folder);
    remove_folder(top);
}

static void full_disk_leaves_nothing(void **state) {
    (void)state;
    assert_full_disk(false);
    assert_full_disk(true);
}

/* A caller who overlooks a failed write does not get a half-written file. */
static void overlooked_failures_are_found(void **state) {
    (void)state;
    char *folder = make_folder();
    output *out = open_output(folder);
    struct rlimit before = limit_files(4096);
    FILE *file;
    hl_error error = {""};
    assert_ok(output_file(out, "large.bin", &file, &error), error);
    static const char block[20000];
    assert_int_equal(output_write(out, file, block, sizeof block, &error), HL_FAILED);
    assert_int_equal(output_commit(out, &error), HL_FAILED);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(count_files(folder), 0);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_shows_all_at_once),     cmocka_unit_test(commit_replaces_older_files),
        cmocka_unit_test(abandon_leaves_no_trace),      cmocka_unit_test(abandon_keeps_what_was_there),
        cmocka_unit_test(finished_files_are_closed),    cmocka_unit_test(leftovers_are_stepped_over),
        cmocka_unit_test(unwritable_folders_are_named), cmocka_unit_test(failed_rename_removes_all),
        cmocka_unit_test(full_disk_leaves_nothing),     cmocka_unit_test(overlooked_failures_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
