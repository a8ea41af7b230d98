/* `random-weights: SEED`: an experiment on a model's shape, of which no weights need be there. Through the
 * built command. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LARGE TEST_SOURCE "/configs/shapes/ViT-L-14-openai"
#define LABELS                                                                                               \
    "{name: labels, plugin: labels-file, path: " TEST_SOURCE "/configs/labels/ViT-L-14-openai.json}"
#define TOPIC                                                                                                \
    "  - {plugin: topic-segmentation, images: [" TEST_GOLDEN                                                 \
    "/images/gray.png], texts: [a red star], heads: "                                                        \
    "[L1.H0]}\n"

static outcome run_model(const char *folder, const char *seed, const char *more, const char *analyses) {
    char *head =
        text("model: {path: %s, random-weights: %s}\ncompute: {backend: reference}\n%s", folder, seed, more);
    outcome got = run_in(make_folder(), head, analyses);
    free(head);
    return got;
}

static const cJSON *model_of(const outcome *got) {
    return cJSON_GetObjectItem(got->root, "model");
}

/* A ViT-L-14 has 1.7 GB of weights, which nobody asks for. To be run first: children are measured together.
 */
static void labels_of_a_shape_need_no_weights(void **state) {
    (void)state;
    outcome got = run_model(LARGE, "7", "extractors: [" LABELS "]\nproperties: labels\n", "");
    need_success(&got);
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &used), 0);
    assert_true(used.ru_maxrss < 600L * 1024);
    assert_true(number_of(model_of(&got), "random_weights") == 7);
    assert_non_null(strstr(field(model_of(&got), "summary"), "24 layers x 16 heads"));
    assert_non_null(strstr(field(model_of(&got), "summary"), "RANDOM WEIGHTS"));
    assert_string_equal(field(model_of(&got), "parameters"), "303966208");
    assert_string_equal(field(cJSON_GetObjectItem(got.root, "compute"), "backend"), "reference");
    const cJSON *step = cJSON_GetArrayItem(cJSON_GetObjectItem(got.root, "extractors"), 0);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(step, "results")) >= 64);
    char *page = text("%s/out/report.html", got.folder), *html = read_file(page, NULL);
    assert_non_null(strstr(html, "RANDOM WEIGHTS"));
    free(html);
    free(page);
    end(&got);
}

static void a_seed_is_a_model_of_its_own(void **state) {
    (void)state;
    static const char *const seeds[] = {"3", "4", "3", "9007199254740991"};
    outcome got[COUNT(seeds)];
    float heats[COUNT(seeds)][HEAT_SIDE * HEAT_SIDE];
    for (size_t i = 0; i < COUNT(seeds); ++i) {
        got[i] = run_model(MINI, seeds[i], "", TOPIC);
        need_success(&got[i]);
        read_grid(results_of(&got[i], 0)->child, HEAT_SIDE, HEAT_SIDE, heats[i]);
    }
    const char *digest = field(model_of(&got[0]), "digest");
    assert_string_equal(digest, field(model_of(&got[2]), "digest"));
    assert_memory_equal(heats[0], heats[2], sizeof *heats);
    for (size_t i = 1; i < COUNT(seeds); i += 2) {
        assert_string_not_equal(digest, field(model_of(&got[i]), "digest"));
        assert_memory_not_equal(heats[0], heats[i], sizeof *heats);
    }
    outcome learned = run_well(MINI, "reference", TOPIC);
    assert_null(cJSON_GetObjectItem(model_of(&learned), "random_weights"));
    assert_string_not_equal(digest, field(model_of(&learned), "digest"));
    end(&learned);
    for (size_t i = 0; i < COUNT(seeds); ++i) end(&got[i]);
}

/* Codes of one seed never stand beside those of another, nor beside the model's own. */
static void an_atlas_belongs_to_its_seed(void **state) {
    (void)state;
    static const char asks[] = "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H5], count: 2}\n";
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, 4);
    static const struct {
        const char *model;
        int status;
    } runs[] = {{"{path: " MINI ", random-weights: 1}", 0},
                {"{path: " MINI ", random-weights: 1}", 0},
                {"{path: " MINI ", random-weights: 2}", 2},
                {"{path: " MINI "}", 2}};
    for (size_t i = 0; i < COUNT(runs); ++i) {
        char *head =
            text("model: %s\ncompute: {backend: reference}\ngallery: {images: gallery, atlas: atlas}\n",
                 runs[i].model);
        outcome got = run_in(folder, head, asks);
        if (got.status != runs[i].status) fail_msg("run %zu: %d, %s", i, got.status, got.errors);
        if (runs[i].status != 0) assert_non_null(strstr(got.errors, "atlas"));
        free(head);
        forget(&got);
    }
    free(gallery);
    remove_folder(folder);
}

static void seeds_are_whole_numbers(void **state) {
    (void)state;
    static const char *const wrong[] = {"-1",  "1.5", "many", "9007199254740992", "99999999999999999999",
                                        "[1]", "true"};
    for (size_t i = 0; i < COUNT(wrong); ++i) {
        outcome got = run_model(MINI, wrong[i], "", TOPIC);
        need_failure(&got, 2, "option \"random-weights\": expected a whole number from 0 to");
        assert_non_null(strstr(got.errors, "experiment.yaml:3:"));
        end(&got);
    }
    outcome got = run_in(make_folder(), "model: {path: " MINI ", random-weigths: 1}\n", TOPIC);
    need_failure(&got, 2, "did you mean \"random-weights\"");
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_of_a_shape_need_no_weights),
        cmocka_unit_test(a_seed_is_a_model_of_its_own),
        cmocka_unit_test(an_atlas_belongs_to_its_seed),
        cmocka_unit_test(seeds_are_whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
