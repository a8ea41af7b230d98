/* eva-clip against arrays that open_clip with timm computed from the same weights, in timm's names and in
 * EVA-CLIP's own; what works on it as on any model; and what it refuses. */
#include "tests/json.h"
#include "tests/plugins.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_CLIP TEST_GOLDEN "/families/eva02-a-open_clip"
#define EVA       TEST_GOLDEN "/eva02-a-eva"

static const struct {
    const char *name;
    double tolerance;
} judged[] = {{"reference", 2e-5}, {"openblas", 1e-4}};

/* A model's folder as users have it, with the tokenizer; remove_folder it. */
static char *model_of(const char *golden_case) {
    char *model = make_folder(), *stored = text("%s/model", golden_case),
         *merges = text("%s/merges.txt", model);
    copy_folder(stored, model);
    copy_file(TEST_GOLDEN "/tokenizers/clip/merges.txt", merges);
    free(stored);
    free(merges);
    return model;
}

static void write_texts(const char *path) {
    cJSON *list = read_json(OPEN_CLIP "/texts.json"), *item;
    char *all = text("%s", "");
    cJSON_ArrayForEach(item, list) {
        char *longer = text("%s%s\n", all, item->valuestring);
        free(all);
        all = longer;
    }
    write_text(path, all);
    free(all);
    cJSON_Delete(list);
}

static void decompose(const char *model, const char *backend, const char *out) {
    char *texts = text("%s/texts.txt", model), *errors;
    write_texts(texts);
    int status = run_command(NULL, &errors, "decompose", "--model", model, "--backend", backend, "--pixels",
                             OPEN_CLIP "/pixels.npy", "--texts", texts, "--tokens", "--out", out, NULL);
    if (status != 0) fail_msg("exit status %d: %s", status, errors);
    free(errors);
    free(texts);
}

static void assert_close(const char *folder, const char *name, double tolerance) {
    npy_array expected = read_array(OPEN_CLIP, name), got = read_array(folder, name);
    double error = worst_error(&expected, &got);
    if (!(error <= tolerance)) fail_msg("%s: error %g, at most %g", name, error, tolerance);
    free(expected.data);
    free(got.data);
}

static void assert_same_file(const char *a, const char *b, const char *name) {
    char *paths[] = {text("%s/%s.npy", a, name), text("%s/%s.npy", b, name)};
    size_t counts[2];
    char *first = read_file(paths[0], &counts[0]), *second = read_file(paths[1], &counts[1]);
    assert_int_equal(counts[0], counts[1]);
    assert_memory_equal(first, second, counts[0]);
    char *all[] = {paths[0], paths[1], first, second};
    for (size_t i = 0; i < COUNT(all); ++i) free(all[i]);
}

static void arrays_equal_golden(void **state) {
    (void)state;
    static const char *const names[] = {"embedding", "heads", "tokens", "text_embedding", "contributions"};
    char *model = model_of(OPEN_CLIP);
    for (size_t b = 0; b < COUNT(judged); ++b) {
        char *out = make_folder();
        decompose(model, judged[b].name, out);
        for (size_t i = 0; i < COUNT(names); ++i) assert_close(out, names[i], judged[b].tolerance);
        assert_same_file(OPEN_CLIP, out, "text_ids");
        remove_folder(out);
    }
    remove_folder(model);
}

/* The same numbers under other names, in another container, with a configuration in other words. */
static void eva_clips_own_files_give_the_same_bytes(void **state) {
    (void)state;
    static const char *const names[] = {"embedding",      "heads",         "tokens",
                                        "text_embedding", "contributions", "bases"};
    char *models[] = {model_of(OPEN_CLIP), model_of(EVA)}, *outs[] = {make_folder(), make_folder()};
    for (size_t i = 0; i < 2; ++i) decompose(models[i], "reference", outs[i]);
    for (size_t i = 0; i < COUNT(names); ++i) assert_same_file(outs[0], outs[1], names[i]);
    for (size_t i = 0; i < 2; ++i) remove_folder(models[i]), remove_folder(outs[i]);
}

static void keeps_the_contract(void **state) {
    (void)state;
    char *model = model_of(EVA), *said;
    int status =
        run_command(&said, NULL, "check-plugin", TEST_PLUGINS "/model-eva-clip.so", "--against", model, NULL);
    if (status != 0 || !strstr(said, "ok           contributions sum to the embedding")) fail_msg("%s", said);
    free(said);
    remove_folder(model);
}

/* ---- what works as on any model ---- */

static const char experiment[] =
    "headlight: 1\n"
    "model: {path: %s}\n"
    "compute: {backend: reference}\n"
    "gallery: {images: " TEST_SOURCE "/configs/mini/gallery, atlas: %s/atlas}\n"
    "output: %s/out\n"
    "extractors:\n"
    "  - {name: spans, plugin: textspan, pool: " TEST_SOURCE
    "/tests/golden/pool.txt, picks: 2, stability: false}\n"
    "  - {name: parts, plugin: components, pool: " TEST_SOURCE "/tests/golden/pool.txt, count: 2}\n"
    "analyses:\n"
    "  - {plugin: topic-segmentation, images: [" TEST_SOURCE "/configs/mini/gallery/scene-000.jpg],\n"
    "     texts: [a red star], heads: [L1.H2]}\n"
    "  - {plugin: text-neighbors, texts: [snow], heads: [L0.H3], count: 3}\n";

static const cJSON *at(const cJSON *from, const char *key) {
    const cJSON *out = cJSON_GetObjectItem(from, key);
    assert_non_null(out);
    return out;
}

/* What head L0.H3 wrote into an image, towards the text "snow", from decompose's arrays. */
static double score_of(const char *model, const char *image) {
    char *out = make_folder(), *texts = text("%s/snow.txt", model), *errors;
    write_text(texts, "snow\n");
    int status = run_command(NULL, &errors, "decompose", "--model", model, "--backend", "reference",
                             "--image", image, "--texts", texts, "--out", out, NULL);
    if (status != 0) fail_msg("exit status %d: %s", status, errors);
    npy_array heads = read_array(out, "heads"), snow = read_array(out, "text_embedding");
    double sum = 0;
    for (size_t i = 0; i < snow.shape[1]; ++i) {
        sum += (double)heads.data[3 * snow.shape[1] + i] * (double)snow.data[i];
    }
    char *all[] = {texts, errors};
    for (size_t i = 0; i < COUNT(all); ++i) free(all[i]);
    free(heads.data);
    free(snow.data);
    remove_folder(out);
    return sum;
}

static void an_experiment_runs_on_it(void **state) {
    (void)state;
    char *folder = make_folder(), *model = model_of(OPEN_CLIP), *path = text("%s/e.yaml", folder), *errors;
    char *yaml = text(experiment, model, folder, folder), *results = text("%s/out/results.json", folder);
    write_text(path, yaml);
    int status = run_command(NULL, &errors, "run", path, NULL);
    if (status != 0) fail_msg("exit status %d: %s", status, errors);
    cJSON *all = read_json(results);
    assert_string_equal(field(at(all, "model"), "activation"), "swiglu");
    const cJSON *analysis = cJSON_GetArrayItem(at(all, "analyses"), 1);
    const cJSON *first =
        cJSON_GetArrayItem(at(cJSON_GetArrayItem(at(analysis, "results"), 0), "neighbors"), 0);
    char *image = text(TEST_SOURCE "/configs/mini/gallery/%s", field(first, "path"));
    double score = number_of(first, "score"), expected = score_of(model, image);
    if (!(fabs(score - expected) <= 2e-3 * fabs(expected)))
        fail_msg("%s: %g, not %g", image, score, expected);
    cJSON_Delete(all);
    char *strings[] = {path, errors, yaml, results, image};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    remove_folder(model);
    remove_folder(folder);
}

/* ---- what is refused, and what is not ---- */

/* The configuration with `from` replaced by `to`; said NULL: it is taken. */
static void try_config(const char *golden_case, const char *file, const char *from, const char *to,
                       const char *said) {
    char *model = model_of(golden_case), *path = text("%s/%s", model, file), *out = make_folder(), *errors;
    char *content = read_file(path, NULL), *place = strstr(content, from);
    assert_non_null(place);
    char *changed = text("%.*s%s%s", (int)(place - content), content, to, place + strlen(from));
    write_text(path, changed);
    int status = run_command(NULL, &errors, "decompose", "--model", model, "--pixels",
                             OPEN_CLIP "/pixels.npy", "--backend", "reference", "--out", out, NULL);
    if (said ? status == 0 || !strstr(errors, said) : status != 0) {
        fail_msg("%s: status %d: %s (expected %s)", to, status, errors, said ? said : "success");
    }
    char *strings[] = {path, errors, content, changed};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    remove_folder(model);
    remove_folder(out);
}

static void what_would_be_another_model_is_refused(void **state) {
    (void)state;
    static const char ours[] = "open_clip_config.json", theirs[] = "EVA02-CLIP-tiny.json";
    try_config(OPEN_CLIP, ours, "eva02_base_patch16_clip_224", "eva02_enormous_patch14_clip_224",
               "eva02_enormous");
    try_config(OPEN_CLIP, ours, "\"timm_pool\": \"token\"", "\"timm_pool\": \"avg\"", "timm_pool");
    try_config(OPEN_CLIP, ours, "\"timm_pool\": \"token\",", "", "timm_pool");
    try_config(OPEN_CLIP, ours, "\"depth\": 2", "\"depth\": 1", "blocks.1");
    try_config(OPEN_CLIP, ours, "\"depth\": 2", "\"depth\": 3", "blocks.2");
    try_config(OPEN_CLIP, ours, "\"depth\": 2", "\"depth\": 2, \"use_rel_pos_bias\": true",
               "use_rel_pos_bias");
    try_config(OPEN_CLIP, ours, "\"num_heads\": 5", "\"num_heads\": 6", "multiple of 4");
    try_config(OPEN_CLIP, ours, "\"image_size\": 40", "\"image_size\": 48", "image_size");
    try_config(EVA, theirs, "\"rope\": true", "\"rope\": false", "rope");
    try_config(EVA, theirs, "\"subln\": true", "\"postnorm\": true", "postnorm");
    try_config(EVA, theirs, "\"naiveswiglu\": true,", "", "naiveswiglu");
    try_config(EVA, theirs, "\"intp_freq\": true", "\"intp_freq\": false", "intp_freq");
    try_config(EVA, theirs, "\"pt_hw_seq_len\": 16", "\"pt_hw_seq_len\": 14", "pt_hw_seq_len");
    try_config(EVA, theirs, "\"head_width\": 12", "\"head_width\": 7", "head_width");
    try_config(EVA, theirs, "\"mlp_ratio\": 2.6667", "\"mlp_ratio\": \"wide\"", "mlp_ratio");
    try_config(EVA, theirs, "\"xattn\": true", "\"xattn\": false", NULL);
}

static hl_status encode_to(const char *model, const char *option, const char *out, char **errors) {
    return run_command(NULL, errors, "decompose", "--model", model, "--option", option, "--pixels",
                       OPEN_CLIP "/pixels.npy", "--backend", "reference", "--out", out, NULL) == 0
               ? HL_OK
               : HL_FAILED;
}

/* Of several files of weights one is named. */
static void weights_may_be_named(void **state) {
    (void)state;
    char *model = model_of(EVA), *out = make_folder(), *other = text("%s/other.pt", model), *errors;
    copy_file(EVA "/model/EVA02_CLIP_tiny_psz8.pt", other);
    assert_int_equal(encode_to(model, "weights=third.pt", out, &errors), HL_FAILED);
    assert_non_null(strstr(errors, "third.pt"));
    free(errors);
    if (encode_to(model, "weights=other.pt", out, &errors) != HL_OK) fail_msg("%s", errors);
    assert_close(out, "embedding", 2e-5);
    free(errors);
    free(other);
    remove_folder(model);
    remove_folder(out);
}

/* "text_cfg": false. What belongs to texts is then one tensor too many. */
static void texts_may_be_missing(void **state) {
    (void)state;
    open_plugins(1, NULL);
    hl_model_api made;
    registry_table(registry_find(plugins, HL_MODEL, "eva-clip"), &made, sizeof made);
    char *folder = make_folder(), *config = text("%s/open_clip_config.json", folder);
    write_text(config, "{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"timm_pool\": \"token\", "
                       "\"timm_model_name\": \"eva02_base_patch16_clip_224\"}, \"text_cfg\": false}}");
    const hl_model_source source = {.size = sizeof source, .path = folder, .random_weights = true, .seed = 1};
    hl_model *model;
    hl_error error;
    assert_ok(made.open(&the_host->interface, &source, NULL, &model, &error), error);
    assert_int_equal(made.info(model)->context, 0);
    made.close(model);
    close_plugins();
    free(config);
    remove_folder(folder);
}

/* Published models name a model of timm's and no sizes. Parameters are those of the image tower: width w, MLP
 * h, patch p, n tokens, e numbers of the embedding: w (3 p p + 1) + w (n + 1) + layers (4 w w + 3 w h + 12 w
 * + 4 h) + 2 w + (w + 1) e. */
static void published_shapes_are_known(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int size, dim;
        const char *summary, *parameters;
    } published[] = {
        {"eva02_base_patch16_clip_224", 224, 512,
         "EVA-02, 12 layers x 12 heads of width 64, patch 16, 224 pixels", "86263040"},
        {"eva02_large_patch14_clip_224", 224, 768,
         "EVA-02, 24 layers x 16 heads of width 64, patch 14, 224 pixels", "304105152"},
        {"eva02_large_patch14_clip_336", 336, 768,
         "EVA-02, 24 layers x 16 heads of width 64, patch 14, 336 pixels", "304432832"},
    };
    open_plugins(1, NULL);
    hl_model_api api;
    registry_table(registry_find(plugins, HL_MODEL, "eva-clip"), &api, sizeof api);
    for (size_t i = 0; i < COUNT(published); ++i) {
        char *folder = make_folder(), *config = text("%s/open_clip_config.json", folder);
        char *json =
            text("{\"model_cfg\": {\"embed_dim\": %d, \"vision_cfg\": {\"image_size\": %d, "
                 "\"timm_model_name\": \"%s\", \"timm_model_pretrained\": false, \"timm_pool\": \"token\", "
                 "\"timm_proj\": null}, \"text_cfg\": {\"context_length\": 77, \"vocab_size\": 49408, "
                 "\"width\": 512, \"heads\": 8, \"layers\": 12}, \"custom_text\": true}}",
                 published[i].dim, published[i].size, published[i].name);
        write_text(config, json);
        const hl_model_source source = {
            .size = sizeof source, .path = folder, .random_weights = true, .seed = 1};
        hl_model *model;
        hl_error error;
        assert_true(api.recognises(&the_host->interface, folder) > 50);
        assert_ok(api.open(&the_host->interface, &source, NULL, &model, &error), error);
        assert_string_equal(api.info(model)->summary, published[i].summary);
        assert_string_equal(api.info(model)->facts[1].value, published[i].parameters);
        api.close(model);
        free(config);
        free(json);
        remove_folder(folder);
    }
    close_plugins();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_equal_golden),
        cmocka_unit_test(eva_clips_own_files_give_the_same_bytes),
        cmocka_unit_test(keeps_the_contract),
        cmocka_unit_test(an_experiment_runs_on_it),
        cmocka_unit_test(what_would_be_another_model_is_refused),
        cmocka_unit_test(weights_may_be_named),
        cmocka_unit_test(texts_may_be_missing),
        cmocka_unit_test(published_shapes_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
