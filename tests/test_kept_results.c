/* What has been found is not looked for again: analyses that keep their results, and an experiment that was
 * killed. By the built command; sample-whole and sample-spans say when they run. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

enum { GALLERY = 4, MOST = 8 };

#define MODEL "model: {path: " MINI "}\ncompute: {backend: reference}\n"
#define HEAD  MODEL "gallery: {images: gallery, atlas: atlas, dtype: f32}\n"
#define SPANS "extractors: [{name: spans, plugin: sample-spans, heads: [L3.H5], texts: [a red star, snow]}]\n"
#define WHOLE "  - {plugin: sample-whole}\n"

static char *plugins;
static int places;

static void install(const char *name) {
    char *from = text("%s/%s.fixture", TEST_FIXTURES, name), *to = text("%s/%s.so", plugins, name);
    copy_file(from, to);
    free(from);
    free(to);
}

static int open_setting(void **state) {
    (void)state;
    plugins = make_folder();
    install("sample_whole");
    install("sample_spans");
    install("sample_killed");
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(plugins);
    return 0;
}

/* A folder with a gallery, and a cache that nobody else uses. */
static char *make_place(void) {
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    char *caches = text("%s/caches-%d", plugins, places++);
    put_scenes(gallery, 0, GALLERY);
    setenv("XDG_CACHE_HOME", caches, 1);
    free(caches);
    free(gallery);
    return folder;
}

static size_t count_words(const char *in, const char *words) {
    size_t count = 0;
    for (; (in = strstr(in, words)); ++in) ++count;
    return count;
}

/* Runs it, and expects that sample-whole is run so often; its results, of which there are `images`. */
static cJSON *expect(char *folder, const char *head, const char *analyses, size_t runs, int images) {
    outcome got = run_in(folder, head, analyses);
    need_success(&got);
    if (count_words(got.errors, "sample-whole runs") != runs)
        fail_msg("not run %zu times: %s", runs, got.errors);
    cJSON *results = cJSON_Duplicate(results_of(&got, 0), true);
    assert_int_equal(cJSON_GetArraySize(results), images);
    forget(&got);
    return results;
}

static void an_analysis_is_not_run_twice(void **state) {
    (void)state;
    char *folder = make_place(), *path = text("%s/out/results.json", folder);
    cJSON *first = expect(folder, HEAD, WHOLE, 1, GALLERY);
    char *bytes = read_file(path, NULL);
    cJSON *second = expect(folder, HEAD, WHOLE, 0, GALLERY);
    char *again = read_file(path, NULL);
    assert_true(cJSON_Compare(first, second, true));
    assert_string_equal(bytes, again);
    /* also where it is the second of two, and has a heading */
    cJSON_Delete(expect(folder, HEAD, WHOLE "  - {plugin: sample-whole, title: Again}\n", 0, GALLERY));
    free(bytes);
    free(again);
    free(path);
    cJSON_Delete(first);
    cJSON_Delete(second);
    remove_folder(folder);
}

static void what_it_depends_on_makes_it_run(void **state) {
    (void)state;
    char *folder = make_place(), *scene = text("%s/gallery/scene-000.jpg", folder);
    char *other = text("%s/gallery/scene-999.jpg", folder);
    cJSON_Delete(expect(folder, HEAD, WHOLE, 1, GALLERY));
    cJSON_Delete(expect(folder, HEAD, "  - {plugin: sample-whole, note: other}\n", 1, GALLERY));
    cJSON_Delete(
        expect(folder, HEAD, "  - {plugin: sample-whole, note: none}\n", 0, GALLERY)); /* the default */
    cJSON_Delete(expect(folder, HEAD SPANS, WHOLE, 1, GALLERY)); /* extractors for which it could ask */
    cJSON_Delete(expect(folder, HEAD SPANS, WHOLE, 0, GALLERY));
    /* another model, another backend */
    cJSON_Delete(expect(folder,
                        "model: {path: " MINI ", random-weights: 1}\ncompute: {backend: reference}\n"
                        "gallery: {images: gallery, dtype: f32}\n",
                        WHOLE, 1, GALLERY));
    cJSON_Delete(expect(folder,
                        "model: {path: " MINI "}\ncompute: {backend: openblas}\n"
                        "gallery: {images: gallery, atlas: atlas, dtype: f32}\n",
                        WHOLE, 1, GALLERY));
    /* another image, a new file of the old bytes, one image fewer */
    copy_file(scene, other);
    cJSON_Delete(expect(folder, HEAD, WHOLE, 1, GALLERY + 1));
    cJSON_Delete(expect(folder, HEAD, WHOLE, 0, GALLERY + 1));
    assert_int_equal(utime(other, &(struct utimbuf){1000000000, 1000000000}), 0);
    cJSON_Delete(expect(folder, HEAD, WHOLE, 1, GALLERY + 1));
    assert_int_equal(remove(other), 0);
    cJSON_Delete(expect(folder, HEAD, WHOLE, 0, GALLERY)); /* as it was at first */
    free(scene);
    free(other);
    remove_folder(folder);
}

/* By its content, whatever its time. */
static void a_file_that_an_option_names_counts(void **state) {
    (void)state;
    static const char reads[] = "  - {plugin: sample-whole, paper: paper.txt}\n";
    char *folder = make_place(), *paper = text("%s/paper.txt", folder);
    write_text(paper, "one");
    cJSON_Delete(expect(folder, HEAD, reads, 1, GALLERY));
    cJSON_Delete(expect(folder, HEAD, reads, 0, GALLERY));
    write_text(paper, "two");
    cJSON_Delete(expect(folder, HEAD, reads, 1, GALLERY));
    write_text(paper, "one");
    cJSON_Delete(expect(folder, HEAD, reads, 0, GALLERY));
    free(paper);
    remove_folder(folder);
}

/* Grids and pictures are not kept, and so neither is what comes with them. */
static void results_with_a_grid_are_made_anew(void **state) {
    (void)state;
    static const char draws[] = "  - {plugin: sample-whole, grid: true}\n";
    char *folder = make_place();
    for (int i = 0; i < 2; ++i) cJSON_Delete(expect(folder, HEAD, draws, 1, GALLERY + 1));
    remove_folder(folder);
}

/* A plugin that was built anew may find something else under the same version. */
static void another_file_of_the_plugin_makes_it_run(void **state) {
    (void)state;
    char *folder = make_place(), *file = text("%s/sample_whole.so", plugins);
    cJSON_Delete(expect(folder, HEAD, WHOLE, 1, GALLERY));
    FILE *grown = fopen(file, "a");
    assert_non_null(grown);
    assert_int_equal(fputc(0, grown), 0);
    assert_int_equal(fclose(grown), 0);
    cJSON_Delete(expect(folder, HEAD, WHOLE, 1, GALLERY));
    cJSON_Delete(expect(folder, HEAD, WHOLE, 0, GALLERY));
    install("sample_whole");
    cJSON_Delete(expect(folder, HEAD, WHOLE, 0, GALLERY));
    free(file);
    remove_folder(folder);
}

/* A cache that is gone or damaged costs a run, and nothing else. */
static void a_damaged_cache_is_no_answer(void **state) {
    (void)state;
    char *folder = make_place();
    cJSON *first = expect(folder, HEAD, WHOLE, 1, GALLERY);
    run_program((const char *const[]){"sh", "-c",
                                      "for f in $(find \"$XDG_CACHE_HOME\" -type f); do "
                                      "printf x | dd of=\"$f\" bs=1 seek=100 conv=notrunc 2>/dev/null; done",
                                      NULL},
                NULL, NULL);
    cJSON *second = expect(folder, HEAD, WHOLE, 1, GALLERY);
    assert_true(cJSON_Compare(first, second, true));
    cJSON_Delete(first);
    cJSON_Delete(second);
    remove_folder(folder);
}

/* Killed between two steps, with two of three variants' work: what was finished is there at once when it is
 * started again, and the results are those of a run that nobody killed. */
static void a_killed_run_repeats_no_finished_step(void **state) {
    (void)state;
    static const char head[] =
        HEAD SPANS "variants:\n  - {name: a}\n  - {name: b, set: {extractors.0.heads: [L2.H1]}}\n"
                   "  - {name: c, set: {extractors.0.heads: [L3.H6], analyses.1: {plugin: sample-killed}}}\n";
    static const char analyses[] =
        WHOLE "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5], count: 1}\n";
    char *folder = make_place(), *out = text("%s/out", folder),
         *first = text("%s/out/a/results.json", folder);
    setenv("HEADLIGHT_TEST_KILL", "1", 1);
    outcome killed = run_in(folder, head, analyses);
    unsetenv("HEADLIGHT_TEST_KILL");
    assert_int_equal(killed.status, 128 + 9);
    assert_int_equal(count_words(killed.errors, "sample-spans runs"), 3);
    assert_int_equal(count_words(killed.errors, "sample-whole runs"), 3);
    assert_false(file_exists(first));
    forget(&killed);
    outcome again = run_in(folder, head, analyses);
    need_success(&again);
    assert_int_equal(count_words(again.errors, "sample-spans runs"), 0);
    assert_int_equal(count_words(again.errors, "sample-whole runs"), 0);
    char *kept = sum_files(out);
    forget(&again);
    char *caches = text("%s/caches-fresh", plugins);
    setenv("XDG_CACHE_HOME", caches, 1);
    outcome fresh = run_in(folder, head, analyses);
    need_success(&fresh);
    assert_int_equal(count_words(fresh.errors, "sample-whole runs"), 3);
    char *made = sum_files(out);
    assert_string_equal(kept, made);
    free(kept);
    free(made);
    free(caches);
    free(out);
    free(first);
    end(&fresh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_analysis_is_not_run_twice),
        cmocka_unit_test(what_it_depends_on_makes_it_run),
        cmocka_unit_test(a_file_that_an_option_names_counts),
        cmocka_unit_test(results_with_a_grid_are_made_anew),
        cmocka_unit_test(another_file_of_the_plugin_makes_it_run),
        cmocka_unit_test(a_damaged_cache_is_no_answer),
        cmocka_unit_test(a_killed_run_repeats_no_finished_step),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
