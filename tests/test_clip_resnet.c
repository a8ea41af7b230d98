/* clip-resnet in experiments, none of which knows that its model has neither layers nor MLPs; and
 * configurations that make no such model. Its numbers are held against golden ones by test_families. */
#include "tests/families.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

static char *folder;
static family model;

static int open_model(void **state) {
    (void)state;
    folder = make_folder();
    for (size_t i = 0; family_open(i, folder, &model); ++i) {
        if (strcmp(model.name, "rn-a") == 0) return 0;
        family_close(&model);
    }
    return 1;
}

static int close_model(void **state) {
    (void)state;
    family_close(&model);
    remove_folder(folder);
    return 0;
}

static void every_analysis_takes_a_model_of_heads_only(void **state) {
    (void)state;
    char *path = text("%s/e.yaml", folder), *results = text("%s/out/results.json", folder), *errors;
    char *yaml = text(
        "headlight: 1\nmodel: {path: %s}\noutput: out\ngallery: {images: %s/images}\n"
        "extractors:\n  - {name: spans, plugin: textspan, pool: %s/pool.txt, picks: 2, stability: false}\n"
        "  - {name: parts, plugin: components, pool: %s/pool.txt, count: 2}\n"
        "  - {name: weights, plugin: weights, pool: %s/pool.txt, count: 2}\n"
        "analyses:\n"
        "  - {plugin: topic-segmentation, images: [%s/images/rgb_wide.png], texts: [a star], "
        "heads: [aggregate, pool.H0]}\n"
        "  - {plugin: text-neighbors, texts: [a star], heads: [pool.H0, embedding]}\n"
        "  - {plugin: image-neighbors, images: [%s/images/rgb_wide.png], heads: [pool.H1]}\n"
        "  - {plugin: head-effects, images: [%s/images/rgb_wide.png], texts: [a star], gallery: true}\n",
        model.model, TEST_GOLDEN, TEST_GOLDEN, TEST_GOLDEN, TEST_GOLDEN, TEST_GOLDEN, TEST_GOLDEN,
        TEST_GOLDEN);
    write_text(path, yaml);
    int status = run_command(NULL, &errors, "run", path, NULL);
    if (status != 0) fail_msg("%s", errors);
    char *json = read_file(results, NULL);
    cJSON *root = cJSON_Parse(json);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "analyses")), 4);
    assert_non_null(strstr(json, "\"pool.H2\""));
    cJSON_Delete(root);
    free(json);
    free(errors);
    free(yaml);
    free(path);
    free(results);
}

static void what_makes_no_resnet_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *found, *put, *message;
    } cases[] = {
        {"\"image_size\": 64", "\"image_size\": 65",
         "vision_cfg.image_size: is 65, expected a multiple of 32"},
        {"\"width\": 6", "\"width\": 7", "vision_cfg.width: is 7, expected an even number"},
        {"\"width\": 6", "\"width\": 6, \"head_width\": 50", "of which 32 times are heads of width 50"},
        {"\"width\": 6", "\"width\": 6, \"attentional_pool\": true", "attentional_pool"},
        {"\"image_size\": 64", "\"image_size\": 96", "visual.attnpool.positional_embedding"},
    };
    char *path = text("%s/open_clip_config.json", model.model), *whole = read_file(path, NULL);
    char *image = text("%s/images/rgb_wide.png", TEST_GOLDEN), *out = text("%s/arrays", folder);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *at = strstr(whole, cases[i].found), *errors;
        assert_non_null(at);
        char *changed = text("%.*s%s%s", (int)(at - whole), whole, cases[i].put, at + strlen(cases[i].found));
        write_text(path, changed);
        int status = run_command(NULL, &errors, "decompose", "--model", model.model, "--image", image,
                                 "--out", out, NULL);
        assert_true(status == 1 || status == 2);
        if (!strstr(errors, cases[i].message)) fail_msg("no \"%s\" in: %s", cases[i].message, errors);
        free(errors);
        free(changed);
    }
    write_text(path, whole);
    free(path);
    free(whole);
    free(image);
    free(out);
}

/* As the error says it where several files could be meant. */
static void one_of_several_weights_is_named(void **state) {
    (void)state;
    char *stored = text("%s/open_clip_model.safetensors", model.model), *errors;
    char *files[] = {text("%s/one.safetensors", model.model), text("%s/two.safetensors", model.model)};
    char *image = text("%s/images/rgb_wide.png", TEST_GOLDEN), *out = make_folder();
    copy_file(stored, files[0]);
    assert_int_equal(rename(stored, files[1]), 0);
    assert_int_equal(
        run_command(NULL, &errors, "decompose", "--model", model.model, "--image", image, "--out", out, NULL),
        2);
    assert_non_null(strstr(errors, "say which, as in `weights: one.safetensors`"));
    free(errors);
    int status = run_command(NULL, &errors, "decompose", "--model", model.model, "--image", image, "--out",
                             out, "--option", "weights=one.safetensors", NULL);
    if (status != 0) fail_msg("%s", errors);
    free(errors);
    assert_int_equal(rename(files[1], stored), 0);
    assert_int_equal(remove(files[0]), 0);
    char *strings[] = {stored, files[0], files[1], image};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    remove_folder(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_analysis_takes_a_model_of_heads_only),
        cmocka_unit_test(what_makes_no_resnet_is_refused),
        cmocka_unit_test(one_of_several_weights_is_named),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
