/* `headlight run` on an atlas that is already there: it may hold more than the experiment's gallery, be of
 * another precision than the default, or be closed to writing; what is in it is never lost by asking. */
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TWO_SCENES "scene-001.jpg\nscene-002.jpg\n"
#define HEAD       "model: {path: " MINI "}\ngallery: {images: images/list.txt, atlas: atlas}\n"
#define ASKED      "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5], count: 8}\n"

static workplace make_place(size_t scenes) {
    workplace place = make_workplace(scenes);
    char *list = text("%s/list.txt", place.images);
    write_text(list, TWO_SCENES);
    free(list);
    return place;
}

static void leave_all(workplace *place, outcome *got) {
    free(place->images);
    free(place->out);
    end(got);
}

static void assert_two_scenes(const outcome *got) {
    const cJSON *found = cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(got, 0), 0), "neighbors"), *one;
    assert_int_equal(cJSON_GetArraySize(found), 2);
    cJSON_ArrayForEach(one, found) {
        assert_non_null(strstr(TWO_SCENES, cJSON_GetStringValue(cJSON_GetObjectItem(one, "path"))));
    }
}

static void test_larger_atlas_stays(void **state) {
    (void)state;
    workplace place = make_place(6);
    char *copy = text("%s/copy", place.folder);
    index_well(MINI, place.images, place.out, NULL);
    copy_folder(place.out, copy);
    outcome got = run_in(place.folder, HEAD, ASKED);
    need_success(&got);
    assert_two_scenes(&got);
    assert_same_bytes(copy, place.out);
    free(copy);
    leave_all(&place, &got);
}

/* An image that changed since is encoded anew; those that the gallery lacks stay. */
static void test_changed_image(void **state) {
    (void)state;
    workplace place = make_place(6);
    char *changed = text("%s/scene-001.jpg", place.images);
    index_well(MINI, place.images, place.out, NULL);
    copy_file(MINI_GALLERY "/scene-300.jpg", changed);
    outcome got = run_in(place.folder, HEAD, ASKED);
    need_success(&got);
    assert_two_scenes(&got);
    assert_non_null(strstr(got.errors, "dropped earlier codes of 1 image"));
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_count(opened), 6);
    atlas_close(opened);
    free(changed);
    leave_all(&place, &got);
}

static void test_precision_of_the_atlas(void **state) {
    (void)state;
    workplace place = make_place(3);
    index_well(MINI, place.images, place.out, "--dtype", "f32", NULL);
    index_well(MINI, place.images, place.out, NULL);
    outcome got = run_in(place.folder, HEAD, ASKED);
    need_success(&got);
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_layout_of(opened)->dtype, HL_F32);
    atlas_close(opened);
    refused(2, "precision", "index", "--model", MINI, "--images", place.images, "--out", place.out, "--dtype",
            "f16");
    leave_all(&place, &got);
}

/* A lock that cannot be opened, whoever asks, stands for a folder that may only be read. */
static void close_to_writing(const workplace *place) {
    char *lock = text("%s/.lock", place->out);
    unlink(lock);
    assert_int_equal(mkdir(lock, 0700), 0);
    free(lock);
}

static void test_read_only(void **state) {
    (void)state;
    workplace place = make_place(6);
    index_well(MINI, place.images, place.out, NULL);
    close_to_writing(&place);
    outcome got = run_in(place.folder, HEAD, ASKED);
    need_success(&got);
    assert_two_scenes(&got);
    put_scenes(place.images, 6, 7);
    refused(1, "cannot be written", "index", "--model", MINI, "--images", place.images, "--out", place.out);
    assert_command(0, "verify", place.out, NULL);
    leave_all(&place, &got);
}

static void test_dropping_is_said(void **state) {
    (void)state;
    workplace place = make_workplace(6);
    char *errors;
    index_well(MINI, place.images, place.out, NULL);
    assert_int_equal(run_command(NULL, &errors, "index", "--model", MINI, "--images", place.images, "--out",
                                 place.out, "--shard", "0/2", NULL),
                     0);
    assert_non_null(strstr(errors, "dropped 3 images that this share of the gallery lacks"));
    free(errors);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_larger_atlas_stays),     cmocka_unit_test(test_changed_image),
        cmocka_unit_test(test_precision_of_the_atlas), cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_dropping_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
