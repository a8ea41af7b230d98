/* The analyses of neighbours from YAML to results.json, through the built command and the real plugins:
 * against the mini model's known truth, with galleries of all kinds, and what they refuse. */
#include "tests/experiment.h"
#include "tests/indexed.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BEST = 8, GALLERY = 72 }; /* images of golden/gallery */

#define ON_MINI "model: {path: " MINI "}\n"
#define LABELS  "properties: {extractor: labels-file, path: " MINI_FOLDER "/labels.json}\n"

static void expect_failure(const char *head, const char *analyses, int status, const char *words) {
    outcome got = run_in(make_folder(), head, analyses);
    need_failure(&got, status, words);
    end(&got);
}

/* ---- the mini's truth ---- */

/* A factor of a scene's main group, or of the scene; NULL when it has none. */
static const char *factor_of(const cJSON *scene, const char *factor) {
    const cJSON *own = cJSON_GetObjectItem(scene, factor);
    return cJSON_GetStringValue(own ? own : cJSON_GetObjectItem(cJSON_GetObjectItem(scene, "main"), factor));
}

static char *all_scenes(const cJSON *gallery) {
    char *list = text("%s", "");
    const cJSON *scene;
    cJSON_ArrayForEach(scene, gallery) {
        char *longer = text("%s" MINI_FOLDER "/%s, ", list, field(scene, "path"));
        free(list);
        list = longer;
    }
    return list;
}

/* The share of an image's neighbours that have its value of the factor; results carry the gallery's facts. */
static double precision(const cJSON *results, const cJSON *gallery, const char *factor) {
    double sum = 0;
    int asked = 0, index = 0;
    const cJSON *item, *neighbor;
    cJSON_ArrayForEach(item, results) {
        const char *value = factor_of(cJSON_GetArrayItem(gallery, index++), factor);
        if (!value) continue;
        ++asked;
        cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(item, "neighbors")) {
            sum += strcmp(factor_of(neighbor, factor), value) == 0;
        }
    }
    return sum / asked / BEST;
}

/* The figures in configs/mini/README.md, to three decimals. */
static void mini_finds_its_colors(void **state) {
    (void)state;
    static const double expected[] = {0.362, 0.543};
    cJSON *gallery = read_scenes();
    char *scenes = all_scenes(gallery);
    char *analyses =
        text("  - {plugin: property-neighbors, images: &all [%s], properties: [colors], count: 8}\n"
             "  - {plugin: property-neighbors, images: *all, properties: [colors], count: 8, "
             "metric: cosine}\n",
             scenes);
    outcome got =
        run_in(make_folder(), ON_MINI LABELS "gallery: {images: " MINI_FOLDER "/gallery.json}\n", analyses);
    need_success(&got);
    for (int i = 0; i < 2; ++i) {
        double found = precision(results_of(&got, i), gallery, "colors");
        if (fabs(found - expected[i]) > 0.001) fail_msg("precision at 8 is %g, not %g", found, expected[i]);
    }
    free(analyses);
    free(scenes);
    cJSON_Delete(gallery);
    end(&got);
}

/* ---- galleries ---- */

#define MODEL      "model: {path: " TEST_GOLDEN "/tiny-a/model}\ncompute: {backend: openblas, threads: 2}\n"
#define IN_GALLERY "gallery: {images: " TEST_GOLDEN "/gallery}\n"

static void the_query_itself_is_left_out(void **state) {
    (void)state;
    char *folder = make_folder(), *link = text("%s/link.png", folder);
    assert_int_equal(symlink(TEST_GOLDEN "/gallery/g005.png", link), 0);
    outcome got = run_in(folder, MODEL IN_GALLERY,
                         "  - {plugin: image-neighbors, images: [link.png], heads: L2.H1, count: 100}\n"
                         "  - {plugin: image-neighbors, images: [link.png], heads: L2.H1, count: 100, "
                         "metric: cosine, include-query: true}\n");
    need_success(&got);
    const cJSON *item = cJSON_GetArrayItem(results_of(&got, 0), 0), *neighbor;
    assert_string_equal(field(item, "query"), "link.png");
    assert_string_equal(field(item, "head"), "L2.H1");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "neighbors")), GALLERY - 1);
    cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(item, "neighbors")) {
        assert_string_not_equal(field(neighbor, "path"), "g005.png");
    }
    item = cJSON_GetArrayItem(results_of(&got, 1), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "neighbors")), GALLERY);
    neighbor = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "neighbors"), 0);
    assert_string_equal(field(neighbor, "path"), "g005.png");
    assert_true(fabs(number_of(neighbor, "score") - 1) < 1e-3);
    free(link);
    end(&got);
}

/* Copies of one image score the same: with `reference` to the last bit, wherever in a batch they come. */
static void equal_images_come_in_the_order_of_paths(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    static const char *const names[] = {"c.png", "a.png", "d.png", "b.png"};
    assert_int_equal(mkdir(gallery, 0700), 0);
    for (size_t i = 0; i < 4; ++i) {
        char *to = text("%s/%s", gallery, names[i]);
        copy_file(TEST_GOLDEN "/gallery/g001.png", to);
        free(to);
    }
    outcome got = run_in(folder,
                         "model: {path: " TEST_GOLDEN "/tiny-a/model}\ncompute: {backend: reference}\n"
                         "gallery: {images: gallery}\n",
                         "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n");
    need_success(&got);
    const cJSON *list = cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(&got, 0), 0), "neighbors");
    static const char *const expected[] = {"a.png", "b.png", "c.png"};
    assert_int_equal(cJSON_GetArraySize(list), 3);
    for (int i = 0; i < 3; ++i) assert_string_equal(field(cJSON_GetArrayItem(list, i), "path"), expected[i]);
    free(gallery);
    end(&got);
}

static void a_gallery_of_the_query_alone_has_no_neighbors(void **state) {
    (void)state;
    char *folder = make_folder(), *image = text("%s/one.png", folder), *list = text("%s/list.txt", folder);
    copy_file(TEST_GOLDEN "/gallery/g001.png", image);
    write_text(list, "one.png\n");
    outcome got = run_in(folder, MODEL "gallery: {images: list.txt}\n",
                         "  - {plugin: image-neighbors, images: [one.png], heads: L2.H0}\n");
    need_success(&got);
    const cJSON *neighbors = cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(&got, 0), 0), "neighbors");
    assert_true(cJSON_IsArray(neighbors));
    assert_int_equal(cJSON_GetArraySize(neighbors), 0);
    free(image);
    free(list);
    end(&got);
}

static void facts_are_carried_along(void **state) {
    (void)state;
    char *folder = make_folder(), *image = text("%s/one.png", folder),
         *list = text("%s/gallery.json", folder);
    copy_file(TEST_GOLDEN "/gallery/g001.png", image);
    write_text(list, "[{\"path\": \"one.png\", \"caption\": \"a caption\", \"score\": \"not this one\", "
                     "\"more\": {\"deep\": [1, true]}}]");
    outcome got = run_in(folder, MODEL "gallery: {images: gallery.json}\n",
                         "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n");
    need_success(&got);
    const cJSON *item = cJSON_GetArrayItem(results_of(&got, 0), 0);
    const cJSON *neighbor = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "neighbors"), 0);
    assert_string_equal(field(neighbor, "path"), "one.png");
    assert_string_equal(field(neighbor, "caption"), "a caption");
    number_of(neighbor, "score");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(neighbor, "more"), "deep")),
                     2);
    assert_int_equal(cJSON_GetArraySize(neighbor), 4);
    free(image);
    free(list);
    end(&got);
}

/* Without `atlas` it lies among the results, and the next run takes it as it is. */
static void the_atlas_is_used_again(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/out/atlas/atlas.json", folder);
    static const char analyses[] = "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n";
    outcome got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    char *first = cJSON_Print(got.root);
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    forget(&got);
    got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    char *second = cJSON_Print(got.root);
    assert_int_equal(stat(path, &after), 0);
    assert_string_equal(first, second);
    assert_true(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    free(first);
    free(second);
    free(path);
    end(&got);
}

/* Flips a bit in a head's codes. */
static void damage_codes(const char *folder, const char *head) {
    char *path = text("%s/shard-000000.safetensors", folder);
    atlas *opened = open_atlas(folder);
    const uint8_t *codes = atlas_codes(opened, 0, atlas_find_head(opened, head));
    size_t count, at = (size_t)(codes - opened->shards[0].file.bytes) + 5;
    atlas_close(opened);
    char *bytes = read_file(path, &count);
    bytes[at] ^= 4;
    write_file(path, bytes, count);
    free(bytes);
    free(path);
}

/* Where it is read; a question that does not read it gets its answer. */
static void a_flipped_bit_is_named(void **state) {
    (void)state;
    char *folder = make_folder(), *atlas_folder = text("%s/out/atlas", folder);
    static const char analyses[] = "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n";
    outcome got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    char *first = cJSON_Print(got.root);
    forget(&got);
    damage_codes(atlas_folder, "L1.H1");
    got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    char *second = cJSON_Print(got.root);
    assert_string_equal(first, second);
    forget(&got);
    damage_codes(atlas_folder, "L2.H0");
    got = run_in(folder, MODEL IN_GALLERY, analyses);
    assert_int_equal(got.status, 1);
    assert_non_null(strstr(got.errors, "shard-000000.safetensors"));
    assert_non_null(strstr(got.errors, "codes.L2.H0"));
    free(first);
    free(second);
    free(atlas_folder);
    end(&got);
}

/* ---- what is refused ---- */

#define QUERY "images: [" TEST_GOLDEN "/images/gray.png]"

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *head, *analyses, *words;
        int status;
    } cases[] = {
        {ON_MINI, "  - {plugin: image-neighbors, " QUERY ", heads: L3}\n",
         ":5:5: image-neighbors searches a gallery: add gallery: {images: FOLDER}", 2},
        {ON_MINI "gallery: {images: nowhere}\n", "  - {plugin: image-neighbors, " QUERY ", heads: L3}\n",
         "nowhere cannot be read", 2},
        {ON_MINI IN_GALLERY, "  - {plugin: image-neighbors, " QUERY ", heads: [aggregate]}\n",
         "\"aggregate\" makes sense for heat only", 2},
        {ON_MINI IN_GALLERY, "  - {plugin: text-neighbors, texts: [snow], heads: [L4.H0]}\n",
         "the model has no head L4.H0", 2},
        {ON_MINI IN_GALLERY, "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H0], count: 0}\n",
         "expected a whole number from 1 to 10000", 2},
        {ON_MINI IN_GALLERY, "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H0], metric: cosinus}\n",
         "did you mean \"cosine\"?", 2},
        {ON_MINI IN_GALLERY, "  - {plugin: property-neighbors, " QUERY ", properties: [colors]}\n",
         "the experiment does not say which heads carry \"colors\"", 2},
        {ON_MINI IN_GALLERY LABELS,
         "  - {plugin: property-neighbors, " QUERY ", properties: [colors, shapes]}\n",
         "no head carries the property \"shapes\"; there are: colors, numbers, patterns, places, sizes, "
         "weather",
         1},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        expect_failure(cases[i].head, cases[i].analyses, cases[i].status, cases[i].words);
    }
}

static void a_head_that_the_atlas_lacks_is_named(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/atlas", folder), *errors;
    int status = run_command(NULL, &errors, "index", "--model", TEST_GOLDEN "/tiny-a/model", "--images",
                             TEST_GOLDEN "/gallery", "--out", out, "--layers", "L2", NULL);
    if (status != 0) fail_msg("%s", errors);
    static const char head[] = MODEL "gallery: {images: " TEST_GOLDEN "/gallery, atlas: atlas}\n";
    outcome got = run_in(folder, head, "  - {plugin: text-neighbors, texts: [snow], heads: L2}\n");
    need_success(&got);
    forget(&got);
    got = run_in(folder, head, "  - {plugin: text-neighbors, texts: [snow], heads: L1.H2}\n");
    assert_int_equal(got.status, 2);
    assert_non_null(strstr(got.errors, "holds no codes of head L1.H2"));
    free(errors);
    free(out);
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mini_finds_its_colors),
        cmocka_unit_test(the_query_itself_is_left_out),
        cmocka_unit_test(equal_images_come_in_the_order_of_paths),
        cmocka_unit_test(a_gallery_of_the_query_alone_has_no_neighbors),
        cmocka_unit_test(facts_are_carried_along),
        cmocka_unit_test(the_atlas_is_used_again),
        cmocka_unit_test(a_flipped_bit_is_named),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_head_that_the_atlas_lacks_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
