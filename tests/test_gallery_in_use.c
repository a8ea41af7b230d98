/* Galleries in which headlight's own results lie: a second run says what the first one said. */
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCENES_HERE = 5 };

#define ASKED                                                                                                \
    "  - {plugin: topic-segmentation, images: [scene-000.jpg], texts: [a red star]}\n"                       \
    "  - {plugin: image-neighbors, images: [scene-000.jpg], heads: [L3.H5], count: 9}\n"

static char *run_to(const char *folder, const char *file, const char *results) {
    char *path = text("%s/%s", folder, file), *whole = text("%s/%s", folder, results);
    assert_command(0, "run", path, NULL);
    char *content = read_file(whole, NULL);
    free(whole);
    free(path);
    return content;
}

/* Twice, and a third time after the atlas is gone: always the same bytes. */
static void check_output(const char *folder, const char *variants, const char *results) {
    workplace place = make_workplace(SCENES_HERE);
    char *file = text("%s/e.yaml", place.images), *atlas_folder = text("%s/%s/atlas", place.images, folder);
    char *yaml =
        text("headlight: 1\nmodel: {path: " MINI "}\ngallery: {images: .}\noutput: %s\n%sanalyses:\n" ASKED,
             folder, variants);
    write_text(file, yaml);
    char *first = run_to(place.images, "e.yaml", results), *second = run_to(place.images, "e.yaml", results);
    assert_string_equal(first, second);
    char *clean = text("rm -rf %s", atlas_folder);
    assert_int_equal(system(clean), 0);
    char *third = run_to(place.images, "e.yaml", results);
    assert_string_equal(first, third);
    assert_null(strstr(strstr(first, "image-neighbors"), "heat"));
    free(third);
    free(clean);
    free(second);
    free(first);
    free(yaml);
    free(atlas_folder);
    free(file);
    leave(&place);
}

static void test_output_in_gallery(void **state) {
    (void)state;
    check_output("out", "", "out/results.json");
    check_output("deep/in/there", "", "deep/in/there/results.json");
    check_output(".", "", "results.json");
    check_output(
        "out",
        "variants:\n  - {name: a, set: {compute.threads: 1}}\n  - {name: b, set: {compute.threads: 2}}\n",
        "out/b/results.json");
}

static double count_in(const cJSON *root, const char *key) {
    return cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "gallery"), key));
}

/* Of each file that was not searched: why, in results.json and on the page. */
static void test_results_say_what_was_searched(void **state) {
    (void)state;
    workplace place = make_workplace(4);
    char *broken = text("%s/broken.jpg", place.images), *odd = text("%s/odd.heic", place.images);
    char *list = text("%s/list.txt", place.images), *first = text("%s/scene-001.jpg", place.images);
    char *pages = text("%s/out/report.html", place.folder);
    write_text(broken, "\xff\xd8\xff\xe0 and no more");
    write_file(odd,
               "\0\0\0\x18"
               "ftypheic\0\0\0\0heic",
               20);
    write_text(
        list,
        "scene-000.jpg\nscene-001.jpg\nscene-002.jpg\nscene-003.jpg\nbroken.jpg\nodd.heic\nnever.jpg\n");
    char *head = text("model: {path: " MINI "}\ngallery: {images: %s, atlas: %s}\n", list, place.out);
    const char *asked = "  - {plugin: text-neighbors, texts: [a red star], heads: [L3.H5], count: 9}\n";
    for (int away = 0; away < 2; ++away) { /* the second time the atlas answers for a file that is gone */
        if (away) assert_int_equal(unlink(first), 0);
        outcome got = run_in(place.folder, head, asked);
        need_success(&got);
        assert_true(count_in(got.root, "images") == 7);
        assert_true(count_in(got.root, "searched") == 4);
        assert_true(count_in(got.root, "missing") == 1 + away);
        const cJSON *skipped = cJSON_GetObjectItem(cJSON_GetObjectItem(got.root, "gallery"), "skipped");
        assert_int_equal(cJSON_GetArraySize(skipped), 2);
        assert_string_equal(field(cJSON_GetArrayItem(skipped, 0), "path"), "broken.jpg");
        assert_string_equal(field(cJSON_GetArrayItem(skipped, 1), "path"), "odd.heic");
        assert_true(strlen(field(cJSON_GetArrayItem(skipped, 1), "reason")) > 10);
        char *page = read_file(pages, NULL);
        assert_non_null(
            strstr(page, away ? "7 images &middot; 4 searched &middot; 2 missing &middot; 2 skipped"
                              : "7 images &middot; 4 searched &middot; 1 missing &middot; 2 skipped"));
        free(page);
        forget(&got);
    }
    free(head);
    free(pages);
    free(first);
    free(list);
    free(odd);
    free(broken);
    leave(&place);
}

/* `headlight index` says what it leaves out, once. */
static void test_said(void **state) {
    (void)state;
    workplace place = make_workplace(2);
    char *junk = text("%s/._scene-000.jpg", place.images), *errors;
    write_text(junk, "x");
    assert_int_equal(run_command(NULL, &errors, "index", "--model", MINI, "--images", place.images, "--out",
                                 place.out, NULL),
                     0);
    char *said = strstr(errors, "left out 1 hidden file");
    if (!said || strstr(said + 1, "left out")) fail_msg("%s", errors);
    free(errors);
    free(junk);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_in_gallery),
        cmocka_unit_test(test_results_say_what_was_searched),
        cmocka_unit_test(test_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
