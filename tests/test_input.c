/* Files that are read, through the built command: whatever lies where a file is expected, a named pipe, a
 * device or a folder, ends the command with an error that names it; what comes through a nameless pipe is
 * read. */
#include "tests/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODEL TEST_SOURCE "/configs/mini/model"
#define IMAGE TEST_SOURCE "/configs/mini/gallery/scene-000.jpg"

enum { LONGEST_WAIT = 60 /* seconds: nothing here takes one, but a wait without end must end the test */ };

typedef struct place {
    const char *name; /* of the file in the scratch folder where something else is put */
    const char *words[16];
} place;

/* In the scratch folder are a model, a gallery, an atlas of it and experiments that name them. */
static const place PLACES[] = {
    {"e.yaml", {"run", "--check", "e.yaml"}},
    {"labels.json", {"run", "--check", "e.yaml"}},
    {"gallery.json", {"run", "e.yaml"}},
    {"gallery.json", {"index", "--model", "model", "--images", "gallery.json", "--out", "other"}},
    {"list.txt", {"index", "--model", "model", "--images", "list.txt", "--out", "other"}},
    {"a.jpg", {"run", "e.yaml"}},
    {"a.jpg", {"decompose", "--model", "model", "--image", "a.jpg", "--out", "other"}},
    {"texts.txt",
     {"decompose", "--model", "model", "--image", "a.jpg", "--texts", "texts.txt", "--out", "other"}},
    {"pixels.npy", {"decompose", "--model", "model", "--pixels", "pixels.npy", "--out", "other"}},
    {"model/open_clip_config.json", {"decompose", "--model", "model", "--image", "a.jpg", "--out", "other"}},
    {"model/open_clip_model.safetensors",
     {"decompose", "--model", "model", "--image", "a.jpg", "--out", "other"}},
    {"model/bpe_simple_vocab_16e6.txt.gz",
     {"decompose", "--model", "model", "--image", "a.jpg", "--text", "x", "--out", "other"}},
    {"atlas/atlas.json", {"verify", "atlas"}},
    {"atlas/atlas.json", {"run", "e.yaml"}},
    {"atlas/shard-000000.safetensors", {"verify", "atlas"}},
    {"atlas/shard-000000.safetensors", {"merge", "other", "atlas"}},
};

static char *scratch, *merges;

/* In the scratch folder, without a shell; a command that waits for ever fails the test. `input` becomes its
 * standard input, and may be -1. */
static int run_there(const char *const *words, int input, char **errors) {
    char *file = text("%s/errors", scratch);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const char *arguments[32] = {TEST_COMMAND};
        for (size_t i = 0; words[i]; ++i) arguments[1 + i] = words[i];
        if (chdir(scratch) != 0) _exit(126);
        dup2(input >= 0 ? input : open("/dev/null", O_RDONLY), 0);
        dup2(open("/dev/null", O_WRONLY), 1);
        dup2(open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        alarm(LONGEST_WAIT);
        execv(TEST_COMMAND, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    *errors = read_file(file, NULL);
    unlink(file);
    free(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void write_there(const char *name, const char *content) {
    char *path = text("%s/%s", scratch, name);
    write_text(path, content);
    free(path);
}

static void copy_there(const char *from, const char *name) {
    char *path = text("%s/%s", scratch, name);
    copy_file(from, path);
    free(path);
}

#define EXPERIMENT(FOLDER)                                                                                   \
    "headlight: 1\nmodel: {path: " FOLDER "model}\ncompute: {backend: reference, threads: 1}\n"              \
    "gallery: {images: " FOLDER "gallery.json, atlas: " FOLDER "atlas}\n"                                    \
    "properties: {extractor: labels-file, path: " FOLDER "labels.json}\noutput: " FOLDER "out\n"             \
    "analyses:\n"                                                                                            \
    "  - {plugin: property-neighbors, images: [" FOLDER "a.jpg], properties: [colors]}\n"

static void must(int wanted, const char *const *words) {
    char *errors;
    int status = run_there(words, -1, &errors);
    if (status != wanted) fail_msg("%s: status %d: %s", words[0], status, errors);
    free(errors);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int fill(void **state) {
    (void)state;
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    scratch = make_folder();
    char *model = text("%s/model", scratch);
    copy_folder(MODEL, model);
    free(model);
    copy_there(IMAGE, "a.jpg");
    write_there("gallery.json", "[{\"path\": \"a.jpg\"}]");
    write_there("list.txt", "a.jpg\n");
    write_there("labels.json", "{\"heads\": {\"L3.H5\": \"colors\"}}");
    write_there("texts.txt", "a red star\na blue ring");
    write_there("e.yaml", EXPERIMENT(""));
    must(0, WORDS("run", "e.yaml"));
    must(0, WORDS("decompose", "--model", "model", "--image", "a.jpg", "--texts", "texts.txt", "--out",
                  "arrays"));
    char *pixels = text("%s/arrays/pixels.npy", scratch);
    copy_there(pixels, "pixels.npy");
    free(pixels);
    static const char *const names[] = {"merges.txt", "merges.txt.gz", "bpe_simple_vocab_16e6.txt",
                                        "bpe_simple_vocab_16e6.txt.gz"};
    for (size_t i = 0; i < COUNT(names) && !merges; ++i) {
        char *path = text("%s/model/%s", scratch, names[i]);
        if (file_exists(path)) merges = text("model/%s", names[i]);
        free(path);
    }
    assert_non_null(merges);
    return 0;
}

static int empty(void **state) {
    (void)state;
    free(merges);
    remove_folder(scratch);
    return 0;
}

/* With something else in the place of the file the command must fail, in words that name it. */
static void check_place(const place *at, const char *kind, void (*put)(const char *path)) {
    const char *name = strstr(at->name, "bpe_") ? merges : at->name, *last = strrchr(name, '/');
    char *path = text("%s/%s", scratch, name), *aside = text("%s/aside", scratch), *errors;
    assert_int_equal(rename(path, aside), 0);
    put(path);
    int status = run_there(at->words, -1, &errors);
    if (status != 1 && status != 2) fail_msg("%s %s: %s: status %d", at->words[0], name, kind, status);
    if (!strstr(errors, last ? last + 1 : name)) fail_msg("%s: %s: %s", name, kind, errors);
    free(errors);
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

/* A child writes the text in two parts; returns the end to read from. */
static int write_into_pipe(const char *content, pid_t *child) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *child = fork();
    assert_true(*child >= 0);
    if (*child == 0) {
        size_t half = strlen(content) / 2;
        close(ends[0]);
        bool whole = write(ends[1], content, half) == (ssize_t)half;
        usleep(50000);
        whole = write(ends[1], content + half, strlen(content) - half) == (ssize_t)(strlen(content) - half) &&
                whole;
        _exit(whole ? 0 : 1);
    }
    close(ends[1]);
    return ends[0];
}

static int run_with_input(const char *const *words, const char *content, char **errors) {
    pid_t child;
    int input = write_into_pipe(content, &child), writer;
    int status = run_there(words, input, errors);
    close(input);
    assert_int_equal(waitpid(child, &writer, 0), child);
    return status;
}

static bool is_there(const char *name) {
    char *path = text("%s/%s", scratch, name);
    bool there = file_exists(path);
    free(path);
    return there;
}

static void remove_there(const char *name) {
    char *path = text("%s/%s", scratch, name);
    remove_folder(path);
}

/* Paths are relative to the working directory then. It is read once, however many variants it has. */
static void an_experiment_may_come_from_a_pipe(void **state) {
    (void)state;
    static const char variants[] = EXPERIMENT("./") "variants:\n  - {name: one, set: {compute.threads: 1}}\n"
                                                    "  - {name: two, set: {compute.threads: 2}}\n";
    char *errors;
    remove_there("out");
    int status = run_with_input(WORDS("run", "/dev/stdin"), EXPERIMENT(""), &errors);
    if (status != 0) fail_msg("status %d: %s", status, errors);
    free(errors);
    assert_true(is_there("out/report.html"));
    remove_there("out");
    status = run_with_input(WORDS("run", "/dev/fd/0"), variants, &errors);
    if (status != 0) fail_msg("status %d: %s", status, errors);
    free(errors);
    assert_true(is_there("out/two/report.html"));
    assert_int_equal(run_with_input(WORDS("run", "/dev/stdin"), "headlight: 1\nmodle: x\n", &errors), 2);
    assert_non_null(strstr(errors, "/dev/stdin:2:1: "));
    free(errors);
    assert_int_equal(run_with_input(WORDS("run", "/dev/stdin"), "", &errors), 2);
    free(errors);
}

static void texts_may_come_from_a_pipe(void **state) {
    (void)state;
    const char *const *words =
        WORDS("decompose", "--model", "model", "--image", "a.jpg", "--texts", "/dev/stdin", "--out", "piped");
    char *errors, *folder = text("%s/piped", scratch);
    assert_int_equal(run_with_input(words, "a red star\r\n\na blue ring", &errors), 0);
    npy_array ids = read_array(folder, "text_embedding");
    assert_int_equal(ids.shape[0], 3);
    free(ids.data);
    free(errors);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_files_are_read),
        cmocka_unit_test(a_pipe_that_somebody_holds_is_not_waited_for),
        cmocka_unit_test(an_experiment_may_come_from_a_pipe),
        cmocka_unit_test(texts_may_come_from_a_pipe),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
