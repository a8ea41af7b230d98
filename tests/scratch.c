#include "tests/scratch.h"

#include "core/io/output.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODEL TEST_SOURCE "/configs/mini/model"
#define IMAGE TEST_SOURCE "/configs/mini/gallery/scene-000.jpg"

enum { LONGEST_WAIT = 60 /* seconds: nothing takes one, but a wait without end must end the test */ };

char *scratch, *scratch_merges;

char *scratch_path(const char *name) {
    return text("%s/%s", scratch, name);
}

void scratch_write(const char *name, const char *content) {
    char *path = scratch_path(name);
    write_text(path, content);
    free(path);
}

bool scratch_has(const char *name) {
    char *path = scratch_path(name);
    bool there = file_exists(path);
    free(path);
    return there;
}

void scratch_remove(const char *name) {
    remove_folder(scratch_path(name));
}

static void copy_there(const char *from, const char *name) {
    char *path = scratch_path(name);
    copy_file(from, path);
    free(path);
}

/* ---- running ---- */

static void place(int descriptor, int wanted, const char *otherwise, int flags) {
    if (wanted >= 0) dup2(wanted > 0 ? wanted : open(otherwise, flags, 0600), descriptor);
}

static void start(const scratch_call *call, const char *said) {
    const char *arguments[32] = {TEST_COMMAND};
    for (size_t i = 0; call->words[i]; ++i) arguments[1 + i] = call->words[i];
    if (chdir(scratch) != 0) _exit(126);
    for (size_t i = 0; call->environment[i]; ++i) putenv((char *)(uintptr_t)call->environment[i]);
    place(STDIN_FILENO, call->input, "/dev/null", O_RDONLY);
    place(STDOUT_FILENO, call->output, "/dev/null", O_WRONLY);
    place(STDERR_FILENO, call->errors, said, O_WRONLY | O_CREAT | O_TRUNC);
    for (int descriptor = 3; descriptor < 20; ++descriptor) close(descriptor);
    if (call->input < 0) close(STDIN_FILENO);
    if (call->output < 0) close(STDOUT_FILENO);
    if (call->errors < 0) close(STDERR_FILENO);
    alarm(LONGEST_WAIT);
    execv(TEST_COMMAND, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

int scratch_run(const scratch_call *call, char **said) {
    char *file = text("%s.said", scratch);
    write_text(file, "");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) start(call, file);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (said) {
        *said = read_file(file, NULL);
        drop_kernel_warning(*said);
    }
    unlink(file);
    free(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void scratch_must(const char *const *words) {
    scratch_call call = {0};
    char *said;
    for (size_t i = 0; words[i]; ++i) call.words[i] = words[i];
    int status = scratch_run(&call, &said);
    if (status != 0) fail_msg("%s: status %d: %s", words[0], status, said);
    free(said);
}

/* ---- what is there ---- */

static bool staging_found;

static int look(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    staging_found |= output_is_staging(path + walk->base);
    return 0;
}

void scratch_check_clean(const char *what) {
    staging_found = false;
    assert_int_equal(nftw(scratch, look, 16, FTW_PHYS), 0);
    if (staging_found) fail_msg("%s: left a temporary folder", what);
}

static void find_merges(void) {
    static const char *const names[] = {"merges.txt", "merges.txt.gz", "bpe_simple_vocab_16e6.txt",
                                        "bpe_simple_vocab_16e6.txt.gz"};
    for (size_t i = 0; i < COUNT(names) && !scratch_merges; ++i) {
        char *name = text("model/%s", names[i]);
        if (scratch_has(name)) {
            scratch_merges = name;
        } else {
            free(name);
        }
    }
    assert_non_null(scratch_merges);
}

int scratch_fill(void **state) {
    (void)state;
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    scratch = make_folder();
    char *model = scratch_path("model"), *pixels = scratch_path("arrays/pixels.npy");
    copy_folder(MODEL, model);
    find_merges();
    copy_there(IMAGE, "a.jpg");
    scratch_write("gallery.json", "[{\"path\": \"a.jpg\"}]");
    scratch_write("list.txt", "a.jpg\n");
    scratch_write("labels.json", "{\"heads\": {\"L3.H5\": \"colors\"}}");
    scratch_write("texts.txt", "a red star\na blue ring");
    scratch_write("e.yaml", SCRATCH_EXPERIMENT(""));
    SCRATCH_MUST("run", "e.yaml");
    SCRATCH_MUST("decompose", "--model", "model", "--image", "a.jpg", "--texts", "texts.txt", "--backend",
                 "reference", "--out", "arrays");
    copy_there(pixels, "pixels.npy");
    free(pixels);
    free(model);
    return 0;
}

int scratch_empty(void **state) {
    (void)state;
    free(scratch_merges);
    remove_folder(scratch);
    return 0;
}
