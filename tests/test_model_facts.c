/* What a run leaves says which model it was: activation, image size, a digest of the weights. Through the
 * built command, with real models and with a plugin whose tables are short. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>

#define TINY_A TEST_GOLDEN "/tiny-a/model"
#define TINY_B TEST_GOLDEN "/tiny-b/model"
#define HEAT                                                                                                 \
    "  - {plugin: topic-segmentation, images: [" TEST_GOLDEN                                                 \
    "/images/gray.png], texts: [a b], heads: [L0.H0]}\n"

static const cJSON *model_of(const cJSON *root) {
    const cJSON *model = cJSON_GetObjectItem(root, "model");
    assert_non_null(model);
    return model;
}

static void need_digest(const char *digest) {
    assert_int_equal(strlen(digest), 32);
    assert_int_equal(strspn(digest, "0123456789abcdef"), 32);
}

static char *page_of(const outcome *got) {
    char *path = text("%s/out/report.html", got->folder), *page = read_file(path, NULL);
    free(path);
    return page;
}

static void results_and_page_name_them(void **state) {
    (void)state;
    static const struct {
        const char *model, *activation;
        double image_size;
    } cases[] = {{TINY_A, "quick_gelu", 32}, {TINY_B, "gelu", 48}, {MINI, "gelu", 64}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = run_well(cases[i].model, "reference", HEAT);
        const cJSON *model = model_of(got.root);
        assert_string_equal(field(model, "activation"), cases[i].activation);
        assert_true(number_of(model, "image_size") == cases[i].image_size);
        need_digest(field(model, "digest"));
        char *page = page_of(&got);
        char *words[] = {text("activation <bdi>%s</bdi>", cases[i].activation),
                         text("image size %.0f", cases[i].image_size),
                         text("digest <bdi>%s</bdi>", field(model, "digest"))};
        for (size_t k = 0; k < COUNT(words); ++k) {
            if (!strstr(page, words[k])) fail_msg("the page lacks %s", words[k]);
            free(words[k]);
        }
        free(page);
        end(&got);
    }
}

/* The model in a new folder, with the first `what` of a file become `by`. */
static char *changed_model(const char *file, const char *what, const char *by) {
    char *folder = make_folder(), *path = text("%s/%s", folder, file);
    copy_folder(TINY_A, folder);
    size_t count;
    char *bytes = read_file(path, &count), *found = memmem(bytes, count, what, strlen(what));
    assert_non_null(found);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    fwrite(bytes, 1, (size_t)(found - bytes), out);
    fwrite(by, 1, strlen(by), out);
    fwrite(found + strlen(what), 1, count - (size_t)(found - bytes) - strlen(what), out);
    assert_int_equal(fclose(out), 0);
    free(bytes);
    free(path);
    return folder;
}

static char *digest_of(const char *model) {
    outcome got = run_well(model, "reference", HEAT);
    char *digest = strdup(field(model_of(got.root), "digest"));
    end(&got);
    return digest;
}

static void digests_tell_models_apart(void **state) {
    (void)state;
    static const char weights[] = "open_clip_model.safetensors", config[] = "open_clip_config.json";
    char *same = make_folder();
    copy_folder(TINY_A, same);
    char *folders[] = {changed_model(weights, "\"format\":\"pt\"", "\"format\":\"np\""),
                       changed_model(config, "\"quick_gelu\": true", "\"quick_gelu\": false")};
    char *digests[] = {digest_of(TINY_A), digest_of(folders[0]), digest_of(folders[1]), digest_of(TINY_B)};
    char *again = digest_of(same);
    assert_string_equal(digests[0], again);
    for (size_t i = 0; i < COUNT(digests); ++i) {
        for (size_t j = 0; j < i; ++j) assert_string_not_equal(digests[i], digests[j]);
    }
    for (size_t i = 0; i < COUNT(digests); ++i) free(digests[i]);
    for (size_t i = 0; i < COUNT(folders); ++i) remove_folder(folders[i]);
    free(again);
    remove_folder(same);
}

/* Each in its own results, and beside the others in those of the whole. */
static void every_variant_names_its_own(void **state) {
    (void)state;
    outcome got = run_in(make_folder(),
                         "model: {path: " TINY_A "}\n"
                         "variants:\n  - {name: a}\n  - {name: b, set: {model.path: " TINY_B "}}\n"
                         "  - {name: c, set: {compute.backend: reference}}\n",
                         HEAT);
    need_success(&got);
    static const char *const names[] = {"a", "b", "c"};
    static const char *const activations[] = {"quick_gelu", "gelu", "quick_gelu"};
    const cJSON *reports = cJSON_GetObjectItem(got.root, "reports");
    char *page = page_of(&got);
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *path = text("%s/out/%s/results.json", got.folder, names[i]);
        cJSON *own = read_json(path);
        const cJSON *model = model_of(own), *listed = model_of(cJSON_GetArrayItem(reports, (int)i));
        assert_string_equal(field(model, "activation"), activations[i]);
        assert_true(cJSON_Compare(model, listed, true));
        need_digest(field(model, "digest"));
        if (!strstr(page, field(model, "digest"))) fail_msg("the page lacks the digest of %s", names[i]);
        cJSON_Delete(own);
        free(path);
    }
    assert_null(cJSON_GetObjectItem(model_of(got.root), "digest")); /* they differ */
    free(page);
    end(&got);
}

static size_t count_of(const char *in, const char *word) {
    size_t count = 0;
    for (; (in = strstr(in, word)); in += strlen(word)) ++count;
    return count;
}

/* Its digest is part of the atlas's fingerprint too; the weights are read for it once. */
static void a_plugin_with_short_tables_says_what_it_can(void **state) {
    (void)state;
    char *folder = make_folder(), *plugin = text("%s/short.so", folder),
         *model = text("%s/short.model", folder);
    char *experiment = text("%s/e.yaml", folder), *results = text("%s/out/results.json", folder), *errors;
    copy_file(TEST_FIXTURES "/short_model.fixture", plugin);
    write_text(model, "");
    write_text(experiment, "headlight: 1\nmodel: {path: .}\noutput: out\n"
                           "gallery: {images: " TEST_GOLDEN "/gallery}\nanalyses:\n" HEAT
                           "  - {plugin: text-neighbors, texts: [a longer text], heads: [L0.H0]}\n"
                           "  - {plugin: text-neighbors, texts: [another], heads: [L0.H0]}\n");
    if (run_command(NULL, &errors, "run", experiment, "--plugin-dir", folder, NULL) != 0) {
        fail_msg("%s", errors);
    }
    assert_int_equal(count_of(errors, "asked for the digest"), 1);
    assert_null(strstr(errors, "cut"));
    cJSON *root = read_json(results);
    assert_string_equal(field(model_of(root), "plugin"), "short-model");
    assert_string_equal(field(model_of(root), "digest"), "dddddddddddddddddddddddddddddddd");
    assert_true(number_of(model_of(root), "image_size") == 8);
    assert_null(cJSON_GetObjectItem(model_of(root), "activation"));
    assert_null(cJSON_GetObjectItem(root, "truncated"));
    cJSON_Delete(root);
    free(errors);
    assert_int_equal(remove(model), 0);
    assert_int_equal(run_command(NULL, &errors, "run", experiment, "--plugin-dir", folder, NULL), 2);
    assert_non_null(strstr(errors, "short-model")); /* asked; it has no hint */
    assert_non_null(strstr(errors, "; clip-vit: found no file of a model"));
    free(errors);
    free(results);
    free(experiment);
    free(model);
    free(plugin);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_page_name_them),
        cmocka_unit_test(digests_tell_models_apart),
        cmocka_unit_test(every_variant_names_its_own),
        cmocka_unit_test(a_plugin_with_short_tables_says_what_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
