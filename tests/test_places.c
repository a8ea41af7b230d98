/* Where the built command writes: over what it wrote before, and over nothing else. */
#include "tests/experiment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL TEST_SOURCE "/configs/mini/model"
#define SCENE TEST_SOURCE "/configs/mini/gallery/scene-000.jpg"
#define HEAD  "model: {path: " MODEL "}\ncompute: {backend: reference, threads: 1}\n"
#define HEAT  "  - {plugin: topic-segmentation, images: [" SCENE "], texts: [a red star]}\n"

static char *folder_in(const char *folder, const char *name) {
    char *path = text("%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static void put(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name);
    write_text(path, content);
    free(path);
}

static void need_content(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name), *found = read_file(path, NULL);
    assert_string_equal(found, content);
    free(found);
    free(path);
}

static void runs_keep_files_of_others(void **state) {
    (void)state;
    static const char *const taken[] = {"report.html", "results.json"};
    for (size_t i = 0; i < COUNT(taken); ++i) {
        char *folder = make_folder(), *out = folder_in(folder, "out");
        put(out, taken[i], "mine");
        outcome got = {.folder = folder};
        char *yaml = text("%s/e.yaml", folder);
        put(folder, "e.yaml", "headlight: 1\noutput: out\n" HEAD "analyses:\n" HEAT);
        got.status = run_command(NULL, &got.errors, "run", yaml, NULL);
        need_failure(&got, 1, taken[i]);
        need_content(out, taken[i], "mine");
        assert_int_equal(count_files(out), 1);
        free(yaml);
        free(out);
        end(&got);
    }
}

static void runs_replace_their_own(void **state) {
    (void)state;
    char *folder = make_folder();
    outcome got = run_in(folder, HEAD, HEAT);
    need_success(&got);
    forget(&got);
    put(folder, "out/notes.txt", "mine");
    got = run_in(folder, HEAD, HEAT);
    need_success(&got);
    need_content(folder, "out/notes.txt", "mine");
    end(&got);
}

/* The page of a variant is as much somebody's as the page above it. */
static void variants_keep_files_of_others(void **state) {
    (void)state;
    char *folder = make_folder(), *out = folder_in(folder, "out"), *inner = folder_in(out, "b");
    put(inner, "report.html", "mine");
    outcome got = run_in(
        folder,
        HEAD
        "variants:\n  - {name: a, set: {compute.threads: 1}}\n  - {name: b, set: {compute.threads: 2}}\n",
        HEAT);
    need_failure(&got, 1, "out/b/report.html");
    need_content(inner, "report.html", "mine");
    free(inner);
    free(out);
    end(&got);
}

static void pictures_stay_in_the_folder(void **state) {
    (void)state;
    char *folder = make_folder(), *out = folder_in(folder, "out"), *other = folder_in(folder, "other");
    char *link = text("%s/01-topic-segmentation", out);
    assert_int_equal(symlink("../other", link), 0);
    outcome got = run_in(folder, HEAD, HEAT);
    need_failure(&got, 1, "01-topic-segmentation: a symbolic link");
    assert_int_equal(count_files(other), 0);
    assert_int_equal(unlink(link), 0);
    free(link);
    free(other);
    free(out);
    end(&got);
}

static void arrays_keep_files_of_others(void **state) {
    (void)state;
    char *folder = make_folder(), *errors;
    const char *words[] = {TEST_COMMAND, "decompose", "--model", MODEL, "--image",
                           SCENE,        "--out",     folder,    NULL};
    put(folder, "heads.npy", "mine");
    assert_int_equal(run_program(words, NULL, &errors), 1);
    assert_non_null(strstr(errors, "heads.npy: is there already"));
    need_content(folder, "heads.npy", "mine");
    assert_int_equal(count_files(folder), 1);
    free(errors);
    char *path = text("%s/heads.npy", folder);
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 2; ++i) assert_int_equal(run_program(words, NULL, NULL), 0);
    free(path);
    remove_folder(folder);
}

/* Checked or run: the same answer. */
static void runs_need_an_output(void **state) {
    (void)state;
    char *folder = make_folder(), *yaml = text("%s/e.yaml", folder), *out = text("%s/out", folder),
         *errors[2];
    put(folder, "e.yaml", "headlight: 1\n" HEAD "analyses:\n" HEAT);
    assert_int_equal(run_command(NULL, &errors[0], "run", yaml, NULL), 2);
    assert_int_equal(run_command(NULL, &errors[1], "run", "--check", yaml, NULL), 2);
    assert_string_equal(errors[0], errors[1]);
    assert_non_null(strstr(errors[0], "names no folder for the results"));
    assert_int_equal(run_command(NULL, NULL, "run", "--check", yaml, "--out", out, NULL), 0);
    assert_false(file_exists(out));
    free(errors[0]);
    free(errors[1]);
    free(out);
    free(yaml);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_keep_files_of_others),     cmocka_unit_test(runs_replace_their_own),
        cmocka_unit_test(variants_keep_files_of_others), cmocka_unit_test(pictures_stay_in_the_folder),
        cmocka_unit_test(arrays_keep_files_of_others),   cmocka_unit_test(runs_need_an_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
