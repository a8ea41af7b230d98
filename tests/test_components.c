/* extractor/components, by the built command: against a singular value decomposition of golden contributions,
 * and on galleries and pools that give little or nothing. */
#include "tests/clip_vit.h"
#include "tests/described.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "model: {path: " MINI "}\ncompute: {backend: reference}\n"

static char *caches;

/* A cache of its own, so that what earlier runs kept has no say. */
static int open_setting(void **state) {
    (void)state;
    caches = make_folder();
    setenv("XDG_CACHE_HOME", caches, 1);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(caches);
    return 0;
}

static const cJSON *components_of(const outcome *got, const char *head) {
    const cJSON *list = cJSON_GetObjectItem(described(got, head), "components");
    assert_non_null(list);
    return list;
}

static const cJSON *component_of(const outcome *got, const char *head, int rank) {
    return of_rank(components_of(got, head), rank);
}

static int count_in(const cJSON *item, const char *key) {
    return cJSON_GetArraySize(cJSON_GetObjectItem(item, key));
}

/* Of the images at an end. */
static int count_at(const cJSON *component, const char *end) {
    return count_in(cJSON_GetObjectItem(component, end), "neighbors");
}

/* Runs in `folder` on its gallery; `pool` is written there. */
static outcome describe(char *folder, const char *pool, const char *options) {
    char *path = text("%s/pool.txt", folder);
    char *head = text(MODEL "gallery: {images: gallery, dtype: f32}\n"
                            "extractors: [{name: parts, plugin: components, pool: pool.txt, heads: [L3.H5, "
                            "L1.H2], %s}]\n",
                      options);
    write_text(path, pool);
    outcome got = run_in(folder, head, "");
    free(head);
    free(path);
    return got;
}

static char *make_place(size_t count) {
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, count);
    free(gallery);
    return folder;
}

/* ---- other people's numbers ---- */

static void they_are_those_of_contributions_themselves(void **state) {
    (void)state;
    static const char *const models[] = {"tiny-a", "tiny-b"}, *const names[] = {"reference", "openblas"};
    for (size_t i = 0; i < COUNT(models) * COUNT(names); ++i) {
        outcome got = describe_golden(models[i / 2], names[i % 2], "components");
        assert_golden_parts(&got, models[i / 2], "components", "components", 2e-3);
        end(&got);
    }
}

/* A head is described by the nearest text of each component, in order, with the running total. */
static void descriptions_say_what_components_are(void **state) {
    (void)state;
    outcome got = describe_golden("tiny-b", "reference", "components");
    const cJSON *one;
    double total = 0;
    int rank = 0;
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(described(&got, "L3.H2"), "texts")) {
        const cJSON *component = component_of(&got, "L3.H2", ++rank);
        assert_string_equal(field(one, "text"),
                            field(cJSON_GetObjectItem(component, "texts")->child, "text"));
        assert_true(number_of(one, "variance") == number_of(component, "variance"));
        total += number_of(one, "variance");
        assert_true(fabs(number_of(one, "total") - total) <= 1e-12 * total);
    }
    assert_int_equal(rank, 4);
    end(&got);
}

static void threads_change_nothing(void **state) {
    (void)state;
    char *folder = make_place(12), *first = NULL, *results = text("%s/out/results.json", folder);
    char *pool = read_file(MINI_FOLDER "/pool.txt", NULL), *path = text("%s/pool.txt", folder);
    write_text(path, pool);
    for (int threads = 1; threads <= 3; threads += 2) {
        char *own = text("%s/%d", caches, threads);
        setenv("XDG_CACHE_HOME", own, 1);
        char *head = text("model: {path: " MINI "}\ncompute: {backend: reference, threads: %d}\n"
                          "gallery: {images: gallery, dtype: f32}\n"
                          "extractors: [{name: parts, plugin: components, pool: pool.txt}]\n",
                          threads);
        outcome got = run_in(folder, head, "");
        need_success(&got);
        char *list = cJSON_PrintUnformatted(cJSON_GetObjectItem(got.root, "extractors"));
        if (first) assert_string_equal(first, list);
        if (!first) first = list;
        if (first != list) free(list);
        free(head);
        free(own);
        forget(&got);
    }
    setenv("XDG_CACHE_HOME", caches, 1);
    free(first);
    free(results);
    free(pool);
    free(path);
    remove_folder(folder);
}

/* ---- as many as there are ---- */

/* All components explain all variance. */
static void there_are_no_more_than_directions(void **state) {
    (void)state;
    outcome got = describe(make_place(40), "snow\na red star\n", "count: 1000, texts: 7, extremes: 3");
    need_success(&got);
    const cJSON *head = described(&got, "L3.H5"), *one;
    double shares = 0;
    cJSON_ArrayForEach(one, components_of(&got, "L3.H5")) {
        shares += number_of(one, "share");
        assert_int_equal(count_in(one, "texts"), 2);
        assert_int_equal(count_in(one, "opposite"), 2);
        assert_int_equal(count_at(one, "top"), 3);
        assert_int_equal(count_at(one, "bottom"), 3);
        const cJSON *texts = cJSON_GetObjectItem(one, "texts"),
                    *opposite = cJSON_GetObjectItem(one, "opposite");
        assert_true(number_of(texts->child, "score") >= -number_of(opposite->child, "score"));
    }
    assert_int_equal(count_in(head, "components"), (int)number_of(head, "rank"));
    assert_true(number_of(head, "rank") > 8 && number_of(head, "rank") <= 19);
    assert_true(number_of(head, "effective_rank") >= 1 && number_of(head, "effective_rank") <= 19);
    assert_true(fabs(shares - 1) < 1e-9);
    end(&got);
}

/* n images differ in n - 1 directions. */
static void three_images_have_two_components(void **state) {
    (void)state;
    outcome got = describe(make_place(3), "snow\na red star\nfog\n", "extremes: 9");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(components_of(&got, "L3.H5")), 2);
    assert_int_equal((int)number_of(described(&got, "L3.H5"), "rank"), 2);
    assert_int_equal(count_at(component_of(&got, "L3.H5", 1), "top"), 3);
    end(&got);
}

static void nothing_varies_over_one_image(void **state) {
    (void)state;
    outcome got = describe(make_place(1), "snow\na red star\n", "count: 4");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(components_of(&got, "L3.H5")), 0);
    assert_true(number_of(described(&got, "L1.H2"), "variance") == 0);
    assert_non_null(strstr(got.errors, "2 of 2 heads, L3.H5 among them, have no component"));
    end(&got);
}

static void nothing_varies_over_equal_images(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    const char *make[] = {"mkdir", gallery, NULL};
    assert_int_equal(run_program(make, NULL, NULL), 0);
    for (char number = '0'; number < '7'; ++number) {
        char *copy = text("%s/%c.jpg", gallery, number);
        copy_file(MINI_GALLERY "/scene-005.jpg", copy);
        free(copy);
    }
    outcome got = describe(folder, "snow\na red star\n", "count: 4");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(components_of(&got, "L3.H5")), 0);
    assert_int_equal((int)number_of(described(&got, "L3.H5"), "rank"), 0);
    free(gallery);
    end(&got);
}

/* What a head of zeros writes still varies with what all heads share of an image: its three further numbers.
 */
static void a_head_of_zeros_has_three_directions_at_most(void **state) {
    (void)state;
    char *model = folder_without_head(1, 2);
    char *head =
        text("model: {path: %s}\ncompute: {backend: reference}\n"
             "gallery: {images: " TEST_GOLDEN "/gallery, dtype: f32, atlas: atlas}\n"
             "extractors: [{name: parts, plugin: components, pool: " TEST_GOLDEN "/pool.txt, count: 9}]\n",
             model);
    outcome got = run_in(make_folder(), head, "");
    need_success(&got);
    assert_in_range(number_of(described(&got, "L1.H2"), "rank"), 1, 3);
    assert_int_equal(cJSON_GetArraySize(components_of(&got, "L1.H2")),
                     (int)number_of(described(&got, "L1.H2"), "rank"));
    assert_int_equal(cJSON_GetArraySize(components_of(&got, "L1.H1")), 9);
    assert_true(number_of(described(&got, "L1.H2"), "variance") <
                0.01 * number_of(described(&got, "L1.H1"), "variance"));
    free(head);
    end(&got);
    remove_folder(model);
}

static void one_text_is_on_both_sides(void **state) {
    (void)state;
    outcome got = describe(make_place(9), "snow\n\n snow \n", "count: 1, extremes: 0");
    need_success(&got);
    const cJSON *one = component_of(&got, "L3.H5", 1);
    assert_int_equal(count_in(one, "texts"), 1);
    assert_int_equal(count_in(one, "opposite"), 1);
    assert_true(number_of(cJSON_GetObjectItem(one, "texts")->child, "score") > 0);
    assert_null(cJSON_GetObjectItem(one, "top"));
    assert_null(cJSON_GetObjectItem(one, "bottom"));
    end(&got);
}

/* ---- what cannot be ---- */

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *pool, *options, *words;
        int status;
    } cases[] = {{"snow\n", "count: 0", "count", 2},
                 {"snow\n", "extremes: -1", "extremes", 2},
                 {"snow\n", "picks: 3", "picks", 2},
                 {"\n \n", "count: 2", "pool.txt", 2},
                 {"snow\n\xff\xfe\n", "count: 2", "pool.txt", 1}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = describe(make_place(2), cases[i].pool, cases[i].options);
        need_failure(&got, cases[i].status, cases[i].words);
        end(&got);
    }
    outcome got =
        run_in(make_folder(),
               MODEL "extractors: [{name: parts, plugin: components, pool: " MINI_FOLDER "/pool.txt}]\n", "");
    need_failure(&got, 2, "gallery");
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_those_of_contributions_themselves),
        cmocka_unit_test(descriptions_say_what_components_are),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(there_are_no_more_than_directions),
        cmocka_unit_test(three_images_have_two_components),
        cmocka_unit_test(nothing_varies_over_one_image),
        cmocka_unit_test(nothing_varies_over_equal_images),
        cmocka_unit_test(a_head_of_zeros_has_three_directions_at_most),
        cmocka_unit_test(one_text_is_on_both_sides),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
