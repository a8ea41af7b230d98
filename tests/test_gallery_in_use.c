/* Galleries in which headlight's own results lie: a second run says what the first one said. */
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <stdlib.h>
#include <string.h>

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
        cmocka_unit_test(test_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
