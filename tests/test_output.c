/* Whole files or none: what stays after a commit, after an abandon, after every kind of failure and after a
 * kill at any moment.
 *
 * linkat, renameat and flock are the test's own, so that they fail, or are the last thing that happens, when
 * a test wants it. */
#include "tests/support.h"

#include "core/io/output.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST ".earlier"

static long moves_before_kill = -1; /* -1: no kill */
static bool no_links, no_locks;

static void count_move(void) {
    if (moves_before_kill == 0) raise(SIGKILL);
    if (moves_before_kill > 0) --moves_before_kill;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    count_move();
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    count_move();
    if (!no_links) return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    errno = EPERM;
    return -1;
}

int flock(int descriptor, int operation) {
    if (!no_locks) return (int)syscall(SYS_flock, descriptor, operation);
    errno = ENOLCK;
    return -1;
}

static output *open_output(const char *folder) {
    output *out;
    hl_error error;
    assert_ok(output_open(folder, &out, &error), error);
    return out;
}

static output *open_listed(const char *folder) {
    output *out;
    hl_error error;
    assert_ok(output_open_listed(folder, LIST, &out, &error), error);
    return out;
}

static void commit(output *out) {
    hl_error error;
    assert_ok(output_commit(out, &error), error);
}

static FILE *add(output *out, const char *name, const char *content) {
    FILE *file;
    hl_error error;
    assert_ok(output_file(out, name, &file, &error), error);
    assert_ok(output_write(out, file, content, strlen(content), &error), error);
    return file;
}

static bool is_there(const char *folder, const char *name) {
    char *path = text("%s/%s", folder, name);
    bool there = file_exists(path);
    free(path);
    return there;
}

static void put(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name);
    write_text(path, content);
    free(path);
}

static void make_folder_in(const char *folder, const char *name) {
    char *path = text("%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0777), 0);
    free(path);
}

static void make_link_in(const char *folder, const char *name, const char *target) {
    char *path = text("%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

static size_t count_staging(const char *folder) {
    DIR *open = opendir(folder);
    assert_non_null(open);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(open));) count += output_is_staging(entry->d_name);
    closedir(open);
    return count;
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
    add(out, "new/b.txt", "a folder that goes again");
    add(out, "file/a.txt", "no folder");
    add(out, "new/c.txt", "renamed first");
    assert_int_equal(output_commit(out, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "/file: cannot be written: File exists"));
    assert_int_equal(count_files(top), 1);
    free(folder);
    free(blocked);
    remove_folder(top);
}

/* A commit of a.txt, b.txt and c.txt that fails at b.txt; returns the folder, in which c.txt was there. */
static char *fail_at_the_second(void) {
    char *folder = make_folder(), *blocked = text("%s/b.txt", folder);
    assert_int_equal(mkdir(blocked, 0777), 0);
    put(folder, "c.txt", "older");
    output *out = open_output(folder);
    hl_error error;
    add(out, "a.txt", "never renamed");
    add(out, "b.txt", "cannot be: a folder has this name");
    add(out, "c.txt", "renamed first");
    assert_int_equal(output_commit(out, &error), HL_FAILED);
    assert_non_null(strstr(error.message, blocked));
    free(blocked);
    return folder;
}

static void failed_rename_takes_all_back(void **state) {
    (void)state;
    char *folder = fail_at_the_second();
    assert_content(folder, "c.txt", "older");
    assert_int_equal(count_files(folder), 2);
    remove_folder(folder);
    no_links = true;
    folder = fail_at_the_second();
    no_links = false;
    assert_int_equal(count_files(folder), 1);
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

/* ---- processes that are killed, and those that live ---- */

/* Runs `work` in a process of its own, which must be killed or end well; whether it was killed. */
static bool is_killed(void (*work)(const char *folder, long number), const char *folder, long number) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work(folder, number);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

static void write_and_die(const char *folder, long count) {
    output *out = open_output(folder);
    hl_error error;
    for (long i = 0; i < count; ++i) {
        char *name = text("sub/%ld.txt", i);
        FILE *file = add(out, name, "half");
        if (i % 2) output_finish(out, file, &error);
        free(name);
    }
    raise(SIGKILL);
}

static void killed_outputs_are_swept(void **state) {
    (void)state;
    char *folder = make_folder();
    for (long count = 0; count < 4; ++count) assert_true(is_killed(write_and_die, folder, count));
    assert_true(count_staging(folder) > 0);
    assert_int_equal(count_staging(folder), count_files(folder)); /* nothing else, no "sub" */
    output *out = open_output(folder);
    assert_int_equal(count_files(folder), 1); /* its own */
    add(out, "a.txt", "a");
    commit(out);
    assert_int_equal(count_files(folder), 1);
    assert_true(is_killed(write_and_die, folder, 500));
    output_sweep(folder);
    assert_int_equal(count_files(folder), 1);
    remove_folder(folder);
}

static void commit_three(output *out, const char *content) {
    add(out, "same.txt", content);
    char *one = text("%s/one.txt", content), *two = text("%s/deep/two.txt", content);
    add(out, one, content);
    add(out, two, content);
    free(one);
    free(two);
    commit(out);
}

static void die_at_a_move(const char *folder, long number) {
    moves_before_kill = number;
    commit_three(open_listed(folder), "second");
}

/* Every rename and every link of a commit is once the last thing that its process does. */
static void a_kill_at_any_moment_leaves_nothing_unlisted(void **state) {
    (void)state;
    bool killed = true;
    long moves = 0;
    for (; killed; ++moves) {
        char *folder = make_folder();
        commit_three(open_listed(folder), "first");
        assert_int_equal(count_files(folder), 3);
        killed = is_killed(die_at_a_move, folder, moves);
        char *path = text("%s/same.txt", folder), *same = read_file(path, NULL);
        assert_true(strcmp(same, "first") == 0 || strcmp(same, "second") == 0); /* at every moment */
        free(same);
        free(path);
        output *out = open_listed(folder);
        add(out, "third.txt", "third");
        commit(out);
        assert_true(is_there(folder, "third.txt"));
        assert_content(folder, LIST, "third.txt\n");
        assert_int_equal(count_staging(folder), 0);
        assert_false(is_there(folder, "same.txt"));
        assert_false(is_there(folder, "first/one.txt"));
        assert_false(is_there(folder, "first/deep/two.txt"));
        assert_false(is_there(folder, "second/one.txt"));
        assert_false(is_there(folder, "second/deep/two.txt"));
        remove_folder(folder);
    }
    assert_int_equal(moves, 2 + 4 * 2 + 1); /* stale ones are moved, others linked and moved; and no kill */
}

static void living_processes_keep_theirs(void **state) {
    (void)state;
    char *folder = make_folder();
    int began[2], go[2];
    char byte = 0;
    assert_int_equal(pipe(began), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    close(child ? began[1] : began[0]); /* so that neither waits for one that is gone */
    close(child ? go[0] : go[1]);
    if (child == 0) {
        output *out = open_output(folder);
        add(out, "theirs.txt", "theirs");
        bool told = write(began[1], "", 1) == 1 && read(go[0], &byte, 1) == 1;
        hl_error error;
        _exit(told && output_commit(out, &error) == HL_OK ? 0 : 1);
    }
    assert_int_equal(read(began[0], &byte, 1), 1);
    output *out = open_output(folder), *again = open_output(folder);
    add(out, "ours.txt", "ours");
    add(again, "again.txt", "again");
    assert_int_equal(count_staging(folder), 3);
    commit(out);
    commit(again);
    assert_int_equal(count_staging(folder), 1);
    assert_int_equal(write(go[1], "", 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_content(folder, "theirs.txt", "theirs");
    assert_content(folder, "ours.txt", "ours");
    assert_content(folder, "again.txt", "again");
    assert_int_equal(count_files(folder), 3);
    close(began[0]);
    close(go[1]);
    remove_folder(folder);
}

static void open_often(const char *folder, long count) {
    for (long i = 0; i < count; ++i) {
        output *out;
        FILE *file;
        hl_error error;
        if (output_open(folder, &out, &error) != HL_OK || output_file(out, "a.txt", &file, &error) != HL_OK) {
            _exit(1);
        }
        output_abandon(out);
    }
}

/* Each meets staging folders of others that are half-made or half-removed. */
static void openings_at_once_do_not_hurt_each_other(void **state) {
    (void)state;
    enum { PROCESSES = 3, OPENINGS = 1000 };
    char *folder = make_folder();
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; ++i) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            open_often(folder, OPENINGS);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; ++i) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_files(folder), 0);
    remove_folder(folder);
}

static void without_locks_all_but_the_sweeping_works(void **state) {
    (void)state;
    char *folder = make_folder();
    assert_true(is_killed(write_and_die, folder, 3));
    no_locks = true;
    output *out = open_output(folder), *again = open_output(folder);
    add(out, "a.txt", "a");
    add(again, "b.txt", "b");
    commit(out);
    commit(again);
    no_locks = false;
    assert_content(folder, "a.txt", "a");
    assert_content(folder, "b.txt", "b");
    assert_int_equal(count_staging(folder), 1);
    output_sweep(folder);
    assert_int_equal(count_files(folder), 2);
    remove_folder(folder);
}

/* What only looks like a staging folder, or holds what no output puts there. */
static void traps_are_stepped_over(void **state) {
    (void)state;
    char *top = make_folder(), *folder = text("%s/out", top), *target = text("%s/mine", top);
    make_folder_in(top, "mine");
    put(target, "new-0", "mine");
    put(target, "lock", "mine");
    make_folder_in(top, "out");
    make_link_in(folder, ".headlight-tmp-linked", "../mine");
    put(folder, ".headlight-tmp-aafile", "no folder");
    make_folder_in(folder, ".headlight-tmp-toolong");
    put(folder, ".headlight-tmp-toolong/lock", "");
    make_folder_in(folder, ".headlight-tmp-abc123.kept");
    put(folder, ".headlight-tmp-abc123.kept/lock", "");
    make_folder_in(folder, ".headlight-tmp-foreig");
    put(folder, ".headlight-tmp-foreig/lock", "");
    put(folder, ".headlight-tmp-foreig/new-1x", "mine");
    make_link_in(folder, ".headlight-tmp-foreig/old-7", "../../mine/new-0");
    make_folder_in(folder, ".headlight-tmp-foreig/new-1");
    make_folder_in(folder, ".headlight-tmp-nolock");
    put(folder, ".headlight-tmp-nolock/new-1", "of a process that is just beginning?");
    make_folder_in(folder, ".headlight-tmp-lnlock");
    make_link_in(folder, ".headlight-tmp-lnlock/lock", "../../mine/lock");
    put(folder, ".headlight-tmp-lnlock/new-1", "whose lock is no file");
    make_folder_in(folder, ".headlight-tmp-aempty");
    output_sweep(folder);
    assert_content(target, "new-0", "mine");
    assert_content(target, "lock", "mine");
    assert_true(is_there(folder, ".headlight-tmp-linked/new-0"));
    assert_true(is_there(folder, ".headlight-tmp-aafile"));
    assert_true(is_there(folder, ".headlight-tmp-toolong/lock"));
    assert_true(is_there(folder, ".headlight-tmp-abc123.kept/lock"));
    assert_true(is_there(folder, ".headlight-tmp-foreig/new-1x"));
    assert_true(is_there(folder, ".headlight-tmp-foreig/new-1"));
    assert_true(is_there(folder, ".headlight-tmp-nolock/new-1"));
    assert_true(is_there(folder, ".headlight-tmp-lnlock/new-1"));
    assert_int_equal(count_files(folder), 7);
    free(target);
    free(folder);
    remove_folder(top);
}

/* ---- an output in the place of an earlier one ---- */

static void earlier_files_go_and_others_stay(void **state) {
    (void)state;
    char *folder = make_folder();
    output *out = open_listed(folder);
    add(out, "report.txt", "1");
    output_enter(out, "sub");
    add(out, "deep/er/b.txt", "1");
    add(out, "mixed/a.txt", "1");
    add(out, "deep/a.txt", "1");
    commit(out);
    assert_content(folder, LIST, "report.txt\nsub/deep/a.txt\nsub/deep/er/b.txt\nsub/mixed/a.txt\n");
    put(folder, "sub/mixed/mine.txt", "mine");
    put(folder, "mine.txt", "mine");

    out = open_output(folder); /* one that replaces nothing */
    add(out, "unlisted.txt", "2");
    commit(out);
    assert_true(is_there(folder, "sub/deep/er/b.txt"));

    output_abandon(open_listed(folder));
    assert_true(is_there(folder, "sub/deep/er/b.txt"));

    out = open_listed(folder);
    add(out, "report.txt", "3");
    add(out, "new.txt", "3");
    commit(out);
    assert_content(folder, LIST, "new.txt\nreport.txt\n");
    assert_content(folder, "report.txt", "3");
    assert_content(folder, "sub/mixed/mine.txt", "mine");
    assert_false(is_there(folder, "sub/mixed/a.txt"));
    assert_false(is_there(folder, "sub/deep"));
    assert_int_equal(count_files(folder), 6); /* the list, both files, "sub", "mine.txt", "unlisted.txt" */
    remove_folder(folder);
}

static void failed_commits_keep_earlier_files(void **state) {
    (void)state;
    char *folder = make_folder();
    commit_three(open_listed(folder), "first");
    output *out = open_listed(folder);
    hl_error error;
    add(out, "blocked.txt", "cannot be");
    make_folder_in(folder, "blocked.txt"); /* behind the check's back */
    add(out, "second/one.txt", "second");
    add(out, "same.txt", "second");
    assert_int_equal(output_commit(out, &error), HL_FAILED);
    assert_content(folder, LIST, "first/deep/two.txt\nfirst/one.txt\nsame.txt\n");
    assert_content(folder, "same.txt", "first");
    assert_content(folder, "first/one.txt", "first");
    assert_content(folder, "first/deep/two.txt", "first");
    assert_int_equal(count_files(folder), 4);
    remove_folder(folder);
}

static void expect_refusal(output *out, const char *name, const char *reason) {
    FILE *file;
    hl_error error;
    assert_int_equal(output_check(out, name, &error), HL_FAILED);
    assert_non_null(strstr(error.message, reason));
    assert_int_equal(output_file(out, name, &file, &error), HL_FAILED);
    assert_non_null(strstr(error.message, reason));
}

/* Only what the list names is this program's to replace, whatever it is. */
static void files_of_others_are_not_replaced(void **state) {
    (void)state;
    static const char *const taken[] = {"mine.txt", "sub/mine.txt", "folder", "link.txt", "dangling.txt"};
    char *folder = make_folder();
    commit_three(open_listed(folder), "first");
    put(folder, "mine.txt", "mine");
    make_folder_in(folder, "sub");
    put(folder, "sub/mine.txt", "mine");
    make_folder_in(folder, "folder");
    make_link_in(folder, "link.txt", "same.txt");
    make_link_in(folder, "dangling.txt", "nowhere");
    output *out = open_listed(folder);
    for (size_t i = 0; i < COUNT(taken); ++i) expect_refusal(out, taken[i], "is there already");
    output_enter(out, "sub");
    FILE *file;
    hl_error error;
    assert_int_equal(output_file(out, "mine.txt", &file, &error), HL_FAILED);
    output_enter(out, NULL);
    add(out, "same.txt", "second");
    commit(out);
    assert_content(folder, "same.txt", "second");
    assert_content(folder, "mine.txt", "mine");
    assert_content(folder, "sub/mine.txt", "mine");
    remove_folder(folder);
}

static void links_lead_no_file_outside(void **state) {
    (void)state;
    char *top = make_folder(), *folder = text("%s/real", top), *linked = text("%s/linked", top);
    make_folder_in(top, "real");
    make_folder_in(top, "other");
    make_link_in(top, "linked", "real"); /* the output's own folder may be one */
    make_link_in(folder, "pictures", "../other");
    make_link_in(folder, "dangling", "nowhere");
    make_folder_in(folder, "deep");
    make_link_in(folder, "deep/pictures", "../../other");
    output *const outputs[] = {open_output(linked), open_listed(linked)};
    for (size_t i = 0; i < COUNT(outputs); ++i) {
        expect_refusal(outputs[i], "pictures/a.png", "linked/pictures: a symbolic link");
        expect_refusal(outputs[i], "dangling/a.png", "linked/dangling: a symbolic link");
        expect_refusal(outputs[i], "deep/pictures/a.png", "deep/pictures: a symbolic link");
        output_abandon(outputs[i]);
    }
    output *out = open_listed(linked);
    hl_error error;
    add(out, "late/a.png", "1");
    make_link_in(folder, "late", "../other"); /* behind the check's back */
    assert_int_equal(output_commit(out, &error), HL_FAILED);
    out = open_listed(linked);
    add(out, "fine/a.png", "1");
    commit(out);
    assert_content(folder, "fine/a.png", "1");
    char *other = text("%s/other", top);
    assert_int_equal(count_files(other), 0);
    free(other);
    free(linked);
    free(folder);
    remove_folder(top);
}

/* A list that somebody else wrote. */
static void lists_lead_nowhere_else(void **state) {
    (void)state;
    char *top = make_folder(), *folder = text("%s/out", top);
    char *list = text("../outside.txt\nsub/../../outside.txt\n%s/outside.txt\n./inside.txt\nlinked/a.txt\n"
                      "link.txt\n.hidden\n.hid/a.txt\nfolder\nfolder/\nfolder//a.txt\n\n/\nnowhere.txt\n"
                      "gone.txt\r\n" LIST "\ngone.txt",
                      top);
    put(top, "outside.txt", "mine");
    make_folder_in(top, "out");
    make_folder_in(top, "other");
    put(top, "other/a.txt", "mine");
    make_link_in(folder, "linked", "../other");
    make_link_in(folder, "link.txt", "../outside.txt");
    put(folder, "inside.txt", "mine");
    put(folder, ".hidden", "mine");
    make_folder_in(folder, ".hid");
    put(folder, ".hid/a.txt", "mine");
    make_folder_in(folder, "folder");
    put(folder, "folder/a.txt", "mine");
    put(folder, LIST, list);
    put(folder, "gone.txt", "the one file that is named well");
    assert_int_equal(count_files(folder), 8);
    commit(open_listed(folder));
    assert_int_equal(count_files(folder), 7);
    assert_false(is_there(folder, "gone.txt"));
    assert_content(folder, LIST, "");
    assert_content(folder, ".hid/a.txt", "mine");
    assert_content(folder, "linked/a.txt", "mine");
    assert_content(folder, "link.txt", "mine");
    assert_content(folder, "folder/a.txt", "mine");
    free(list);
    free(folder);
    remove_folder(top);
}

static void lists_are_plain_files(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/" LIST, folder);
    put(folder, "a.txt", "mine");
    put(folder, "theirs", "a.txt\n");
    make_link_in(folder, LIST, "theirs");
    commit(open_listed(folder));
    assert_true(is_there(folder, "a.txt"));
    assert_content(folder, LIST, "");
    assert_content(folder, "theirs", "a.txt\n");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0666), 0);
    commit(open_listed(folder)); /* waits for nobody */
    assert_content(folder, LIST, "");
    write_file(path, "a.txt\0\n", 7);
    commit(open_listed(folder));
    assert_true(is_there(folder, "a.txt"));
    free(path);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_shows_all_at_once),
        cmocka_unit_test(commit_replaces_older_files),
        cmocka_unit_test(abandon_leaves_no_trace),
        cmocka_unit_test(abandon_keeps_what_was_there),
        cmocka_unit_test(finished_files_are_closed),
        cmocka_unit_test(unwritable_folders_are_named),
        cmocka_unit_test(failed_rename_takes_all_back),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(overlooked_failures_are_found),
        cmocka_unit_test(killed_outputs_are_swept),
        cmocka_unit_test(a_kill_at_any_moment_leaves_nothing_unlisted),
        cmocka_unit_test(living_processes_keep_theirs),
        cmocka_unit_test(openings_at_once_do_not_hurt_each_other),
        cmocka_unit_test(without_locks_all_but_the_sweeping_works),
        cmocka_unit_test(traps_are_stepped_over),
        cmocka_unit_test(earlier_files_go_and_others_stay),
        cmocka_unit_test(failed_commits_keep_earlier_files),
        cmocka_unit_test(files_of_others_are_not_replaced),
        cmocka_unit_test(links_lead_no_file_outside),
        cmocka_unit_test(lists_lead_nowhere_else),
        cmocka_unit_test(lists_are_plain_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
