/* Files that are read, through the built command: whatever lies where a file is expected, a named pipe, a
 * device or a folder, ends the command with an error that names it; what comes through a nameless pipe is
 * read. */
#include "tests/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct place {
    const char *name; /* of the file in whose place something else is put; NULL: the merges */
    scratch_call call;
} place;

#define ARRAYS "decompose", "--model", "model", "--backend", "reference", "--out", "other"
#define INDEX  "index", "--model", "model", "--backend", "reference", "--out", "other"

static const place PLACES[] = {
    {"e.yaml", {.words = {"run", "--check", "e.yaml"}}},
    {"labels.json", {.words = {"run", "--check", "e.yaml"}}},
    {"gallery.json", {.words = {"run", "e.yaml"}}},
    {"gallery.json", {.words = {INDEX, "--images", "gallery.json"}}},
    {"list.txt", {.words = {INDEX, "--images", "list.txt"}}},
    {"a.jpg", {.words = {"run", "e.yaml"}}},
    {"a.jpg", {.words = {ARRAYS, "--image", "a.jpg"}}},
    {"texts.txt", {.words = {ARRAYS, "--image", "a.jpg", "--texts", "texts.txt"}}},
    {"pixels.npy", {.words = {ARRAYS, "--pixels", "pixels.npy"}}},
    {"model/open_clip_config.json", {.words = {ARRAYS, "--image", "a.jpg"}}},
    {"model/open_clip_model.safetensors", {.words = {ARRAYS, "--image", "a.jpg"}}},
    {NULL, {.words = {ARRAYS, "--image", "a.jpg", "--text", "x"}}},
    {"atlas/atlas.json", {.words = {"verify", "atlas"}}},
    {"atlas/atlas.json", {.words = {"run", "e.yaml"}}},
    {"atlas/shard-000000.safetensors", {.words = {"verify", "atlas"}}},
    {"atlas/shard-000000.safetensors", {.words = {"merge", "other", "atlas"}}},
};

/* With something else in the place of the file the command must fail, in words that name it. */
static void check_place(const place *at, const char *kind, void (*put)(const char *path)) {
    const char *name = at->name ? at->name : scratch_merges, *last = strrchr(name, '/');
    char *path = scratch_path(name), *aside = scratch_path("aside"), *said;
    assert_int_equal(rename(path, aside), 0);
    put(path);
    int status = scratch_run(&at->call, &said);
    if (status != 1 && status != 2) fail_msg("%s %s: %s: status %d", at->call.words[0], name, kind, status);
    if (!strstr(said, last ? last + 1 : name)) fail_msg("%s: %s: %s", name, kind, said);
    free(said);
    assert_true(unlink(path) == 0 || rmdir(path) == 0);
    assert_int_equal(rename(aside, path), 0);
    free(aside);
    free(path);
}

static void put_pipe(const char *path) {
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void put_zero(const char *path) {
    assert_int_equal(symlink("/dev/zero", path), 0);
}

static void put_folder(const char *path) {
    assert_int_equal(mkdir(path, 0700), 0);
}

static void only_files_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(PLACES); ++i) {
        check_place(&PLACES[i], "a named pipe", put_pipe);
        check_place(&PLACES[i], "a device", put_zero);
        check_place(&PLACES[i], "a folder", put_folder);
    }
}

/* A writer that never comes to an end must not be waited for either. */
static int held_open = -1;

static void put_held_pipe(const char *path) {
    put_pipe(path);
    if (held_open >= 0) close(held_open);
    held_open = open(path, O_RDWR | O_CLOEXEC);
    assert_true(held_open >= 0);
}

static void a_pipe_that_somebody_holds_is_not_waited_for(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(PLACES); ++i) check_place(&PLACES[i], "a held pipe", put_held_pipe);
    close(held_open);
}

/* ---- pipes without a name ---- */

static bool write_all(int to, const char *content, size_t count) {
    return write(to, content, count) == (ssize_t)count;
}

/* A child writes the text in two parts; returns the end to read from. */
static int write_into_pipe(const char *content, pid_t *child) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *child = fork();
    assert_true(*child >= 0);
    if (*child == 0) {
        size_t half = strlen(content) / 2;
        close(ends[0]);
        bool whole = write_all(ends[1], content, half);
        usleep(50000);
        _exit(whole && write_all(ends[1], content + half, strlen(content) - half) ? 0 : 1);
    }
    close(ends[1]);
    return ends[0];
}

static int run_with_input(scratch_call call, const char *content, char **said) {
    pid_t child;
    int writer;
    call.input = write_into_pipe(content, &child);
    int status = scratch_run(&call, said);
    close(call.input);
    assert_int_equal(waitpid(child, &writer, 0), child);
    return status;
}

/* Paths are relative to the working directory then. It is read once, however many variants it has. */
static void an_experiment_may_come_from_a_pipe(void **state) {
    (void)state;
    static const char variants[] = SCRATCH_EXPERIMENT("./") "variants:\n"
                                                            "  - {name: one, set: {compute.threads: 1}}\n"
                                                            "  - {name: two, set: {compute.threads: 2}}\n";
    const scratch_call by_name = {.words = {"run", "/dev/stdin"}},
                       by_number = {.words = {"run", "/dev/fd/0"}};
    char *said;
    scratch_remove("out");
    int status = run_with_input(by_name, SCRATCH_EXPERIMENT(""), &said);
    if (status != 0) fail_msg("status %d: %s", status, said);
    free(said);
    assert_true(scratch_has("out/report.html"));
    scratch_remove("out");
    status = run_with_input(by_number, variants, &said);
    if (status != 0) fail_msg("status %d: %s", status, said);
    free(said);
    assert_true(scratch_has("out/two/report.html"));
    assert_int_equal(run_with_input(by_name, "headlight: 1\nmodle: x\n", &said), 2);
    assert_non_null(strstr(said, "/dev/stdin:2:1: "));
    free(said);
    assert_int_equal(run_with_input(by_name, "", &said), 2);
    free(said);
}

static void texts_may_come_from_a_pipe(void **state) {
    (void)state;
    const scratch_call call = {.words = {ARRAYS, "--image", "a.jpg", "--texts", "/dev/stdin"}};
    char *said, *folder = scratch_path("other");
    assert_int_equal(run_with_input(call, "a red star\r\n\na blue ring", &said), 0);
    npy_array embeddings = read_array(folder, "text_embedding");
    assert_int_equal(embeddings.shape[0], 3);
    free(embeddings.data);
    free(said);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_files_are_read),
        cmocka_unit_test(a_pipe_that_somebody_holds_is_not_waited_for),
        cmocka_unit_test(an_experiment_may_come_from_a_pipe),
        cmocka_unit_test(texts_may_come_from_a_pipe),
    };
    return cmocka_run_group_tests(tests, scratch_fill, scratch_empty);
}
