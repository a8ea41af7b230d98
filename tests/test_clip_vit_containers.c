/* The same weights in whatever container and layout are the same model, byte for byte; towers without texts;
 * checkpoints that nothing lies beside. */
#include "tests/clip_vit.h"

#include "headlight/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONTAINERS TEST_GOLDEN "/containers"

/* What a model's images become on reference, one after the other; free() it. */
static float *embeddings_of(const opened_model *m, const npy_array *pixels, size_t *count) {
    hl_trace *traces[16];
    assert_true(pixels->shape[0] <= COUNT(traces));
    encode(m, pixels, NULL, 0, traces);
    *count = pixels->shape[0] * m->dim;
    float *out = zeros(*count, sizeof *out);
    for (size_t i = 0; i < pixels->shape[0]; ++i) api.embedding(traces[i], out + i * m->dim);
    release_all(traces, pixels->shape[0]);
    return out;
}

static float *embeddings_in(const char *folder, const npy_array *pixels, size_t *count) {
    opened_model m = open_folder(folder, &backends[0], pixels->shape[0]);
    float *out = embeddings_of(&m, pixels, count);
    assert_sums_up(&m, pixels);
    close_model(&m);
    return out;
}

static void copy_into(const char *folder, const char *from, const char *name) {
    char *path = text("%s/%s", folder, name);
    copy_file(from, path);
    free(path);
}

static void need_same_embeddings(const char *folder, const float *expected, size_t count,
                                 const npy_array *pixels) {
    size_t got_count;
    float *got = embeddings_in(folder, pixels, &got_count);
    assert_int_equal(got_count, count);
    assert_memory_equal(got, expected, count * sizeof *got);
    free(got);
}

static void every_container_gives_the_same_bytes(void **state) {
    (void)state;
    static const char *const files[][2] = {{CONTAINERS "/legacy.bin", "open_clip_pytorch_model.bin"},
                                           {CONTAINERS "/legacy.bin", "pytorch_model.bin"},
                                           {CONTAINERS "/training.pt", "epoch_32.pt"},
                                           {CONTAINERS "/training.pt", "some name.ckpt"},
                                           {TINY_A "/" WEIGHTS, "any.safetensors"}};
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count;
    float *expected = embeddings_in(TINY_A, &pixels, &count);
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *folder = make_folder();
        copy_into(folder, TINY_A "/" CONFIG, CONFIG);
        copy_into(folder, files[i][0], files[i][1]);
        need_same_embeddings(folder, expected, count, &pixels);
        remove_folder(folder);
    }
    need_same_embeddings(CONTAINERS "/sharded", expected, count, &pixels);
    need_same_embeddings(CONTAINERS "/vision", expected, count, &pixels);
    free(expected);
    free(pixels.data);
}

static void vision_towers_take_no_texts(void **state) {
    (void)state;
    opened_model m = open_folder(CONTAINERS "/vision", &backends[0], 1);
    assert_int_equal(m.info->context, 0);
    assert_int_equal(m.info->embed_dim, 32);
    close_model(&m);
    char *errors, *folder = make_folder(), *out = text("%s/out", folder);
    assert_int_equal(run_command(NULL, &errors, "decompose", "--model", CONTAINERS "/vision", "--pixels",
                                 TEST_GOLDEN "/tiny-a/pixels.npy", "--texts", TEST_GOLDEN "/texts.txt",
                                 "--out", out, NULL),
                     2);
    assert_non_null(strstr(errors, "has no text tower"));
    free(errors);
    free(out);
    remove_folder(folder);
}

/* CLIPVisionModel: what the projection would have been applied to. */
static void a_tower_without_projection_gives_what_it_pools(void **state) {
    (void)state;
    static const char with[] = "CLIPVisionModelWithProjection", without[] = "CLIPVisionModel";
    npy_array pixels = golden("tiny-a", "pixels"), expected = golden("tiny-a", "embedding");
    char *folder = make_folder(), *path = text("%s/config.json", folder),
         *config = read_file(CONTAINERS "/vision/config.json", NULL), *at = strstr(config, with);
    assert_non_null(at);
    memmove(at + strlen(without), at + strlen(with), strlen(at + strlen(with)) + 1);
    write_text(path, config);
    copy_into(folder, CONTAINERS "/vision/model.safetensors", "model.safetensors");
    hl_error error;
    hl_model *model;
    const hl_model_source source = {.size = sizeof source, .path = folder};
    /* the projection is there, and nobody asked for it */
    assert_int_equal(api.open(&the_host->interface, &source, NULL, &model, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "visual_projection.weight"));
    char *weights = text("%s/model.safetensors", folder);
    size_t length;
    char *bytes = read_file(weights, &length), *name = memmem(bytes, length, "visual_projection.weight", 24);
    /* under a name that may be there, as long as the other */
    memcpy(name, "visual_pro..position_ids", 24);
    write_file(weights, bytes, length);
    opened_model m = open_folder(folder, &backends[0], pixels.shape[0]);
    assert_int_equal(m.dim, 48);
    assert_sums_up(&m, &pixels);
    size_t count;
    float *pooled = embeddings_of(&m, &pixels, &count);
    close_model(&m);
    /* pooled P is the embedding; P lies transposed in the file */
    hl_weights *file;
    const hl_weights_api *reader = the_host->interface.extension(&the_host->interface, HL_WEIGHTS_EXTENSION);
    assert_ok(reader->open(CONTAINERS "/vision/model.safetensors", &file, &error), error);
    float *projection = zeros(32 * 48, sizeof *projection);
    assert_ok(
        reader->read(file, reader->find(file, "visual_projection.weight"), 0, 32 * 48, projection, &error),
        error);
    reader->close(file);
    for (size_t i = 0; i < pixels.shape[0] * 32; ++i) {
        double sum = 0;
        for (size_t k = 0; k < 48; ++k)
            sum += (double)pooled[i / 32 * 48 + k] * (double)projection[i % 32 * 48 + k];
        assert_true(fabs(sum - (double)((const float *)expected.data)[i]) < 1e-4);
    }
    free(projection);
    free(pooled);
    free(bytes);
    free(weights);
    free(config);
    free(path);
    remove_folder(folder);
    free(pixels.data);
    free(expected.data);
}

/* ---- without a configuration ---- */

static const char OPENAI_CONFIG[] = "{\"model_cfg\": {\"embed_dim\": 16, \"quick_gelu\": %s, \"vision_cfg\": "
                                    "{\"image_size\": 8, \"layers\": 2, "
                                    "\"width\": 64, \"patch_size\": 4, \"mlp_ratio\": 2}, \"text_cfg\": "
                                    "{\"context_length\": 6, \"vocab_size\": "
                                    "600, \"width\": 64, \"heads\": 1, \"layers\": 1, \"mlp_ratio\": 2}}}";

static void openai_weights_need_no_configuration(void **state) {
    (void)state;
    npy_array pixels = noise(3, 8);
    size_t count;
    float *got = embeddings_in(CONTAINERS "/openai", &pixels, &count);
    char *folder = make_folder(), *path = text("%s/" CONFIG, folder), *config = text(OPENAI_CONFIG, "true");
    write_text(path, config);
    copy_into(folder, CONTAINERS "/openai/ViT-tiny.pt", "x.pt");
    need_same_embeddings(folder, got, count, &pixels);
    opened_model m = open_folder(CONTAINERS "/openai", &backends[0], 1);
    assert_int_equal(m.info->context, 6);
    bool said = false;
    for (uint32_t i = 0; i < m.info->fact_count; ++i) {
        if (strcmp(m.info->facts[i].name, "assumed") != 0) continue;
        said = true;
        assert_string_equal(m.info->facts[i].value,
                            "heads of width 64, OpenAI's quick_gelu, CLIP's mean and deviation");
    }
    assert_true(said);
    close_model(&m);
    free(got);
    free(config);
    free(path);
    remove_folder(folder);
    free(pixels.data);
}

static hl_status open_with(const char *folder, const char *weights, const char *activation, hl_model **model,
                           hl_error *error) {
    const hl_value values[] = {
        {.given = weights, .string = weights}, {.given = activation, .string = activation}, {.given = false}};
    const hl_value *const all[] = {&values[0], &values[1], &values[2]};
    const hl_model_source source = {.size = sizeof source, .path = folder};
    hl_status status = api.open(&the_host->interface, &source, all, model, error);
    return status;
}

static void need_refusal(const char *folder, const char *weights, const char *activation, const char *says) {
    hl_error error = {""};
    hl_model *model;
    hl_status status = open_with(folder, weights, activation, &model, &error);
    if (status == HL_OK || !strstr(error.message, says)) fail_msg("%d: %s", status, error.message);
    assert_ptr_equal(strstr(error.message, folder), error.message);
}

static void what_shapes_leave_open_is_asked_for(void **state) {
    (void)state;
    char *folder = make_folder();
    copy_into(folder, TINY_A "/" WEIGHTS, "a.safetensors");
    need_refusal(folder, NULL, NULL, "say `activation: gelu`, as OpenCLIP's own are, or");
    need_refusal(folder, NULL, "gelu", "its shapes do not say how wide its heads are");
    copy_into(folder, CONTAINERS "/torchscript.pt", "b.pt");
    need_refusal(folder, NULL, NULL,
                 "holds 2 files that may be the weights (a.safetensors, b.pt): say which");
    need_refusal(folder, "b.pt", NULL,
                 "/b.pt: there is no configuration beside it, and its shapes do not say");
    need_refusal(folder, "c.pt", NULL, "there is no file c.pt in this folder");
    need_refusal(folder, "../c.pt", NULL, "expected the name of a file in this folder");
    remove_folder(folder);
}

static void the_named_file_and_activation_are_taken(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/" CONFIG, folder), *config = text(OPENAI_CONFIG, "true");
    hl_error error;
    hl_model *model;
    copy_into(folder, TINY_A "/" WEIGHTS, WEIGHTS);
    copy_into(folder, CONTAINERS "/openai/ViT-tiny.pt", "x.pt");
    write_text(path, config);
    need_refusal(folder, NULL, NULL, "config disagrees with weights");
    assert_ok(open_with(folder, "x.pt", "gelu", &model, &error), error);
    assert_string_equal(api.info(model)->facts[0].value, "gelu");
    api.close(model);
    free(config);
    free(path);
    remove_folder(folder);
}

/* ---- config.json ---- */

static void configurations_of_transformers_are_read_strictly(void **state) {
    (void)state;
    static const struct {
        const char *what, *by, *says;
    } cases[] = {
        {"\"hidden_size\": 48", "\"hidden_size\": 48.5",
         "vision_config.hidden_size: expected a whole number"},
        {"\"hidden_size\": 48", "\"hidden_size\": 50", "num_attention_heads: is 3, which does not divide"},
        {"\"hidden_size\": 48", "\"hidden_size\": 48, \"hidden_act\": \"relu\"", "expected one for both"},
        {"\"hidden_size\": 48", "\"hidden_size\": 48, \"hidden_act\": \"swish\"",
         "vision_config.hidden_act: expected quick_gelu, gelu"},
        {"\"hidden_size\": 48", "\"hidden_size\": 48, \"hidden_act\": \"gelu\"", "expected one for both"},
        {"\"hidden_size\": 48", "\"hidden_size\": 48, \"use_rope\": true",
         "vision_config.use_rope: this setting is not supported"},
        {"\"hidden_size\": 48", "\"hidden_size\": 48, \"layer_norm_eps\": 0",
         "layer_norm_eps: expected a number"},
        {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2",
         "holds vision_model.encoder.layers.2.layer_norm1.weight, but config.json says 2 layers"},
        {"\"intermediate_size\": 192", "\"intermediate_size\": 191", "config.json makes it [191, 48]"},
        {"\"projection_dim\": 32", "\"projection_dim\": 33", "visual_projection.weight has shape [32, 48]"},
        {"\"eos_token_id\": 2", "\"eos_token_id\": 4096", "text_config.eos_token_id: is 4096"},
        {"\"model_type\": \"clip\"", "\"model_type\": \"clip\", \"is_cut\": true",
         "is_cut: this setting is not"},
        {"\"vision_config\"", "\"vision_config_dict\": {\"hidden_size\": 64}, \"vision_config\"",
         "vision_config_dict.num_attention_heads: is 12"},
    };
    char *config = read_file(CONTAINERS "/sharded/config.json", NULL);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *path = text("%s/config.json", folder),
             *at = strstr(config, cases[i].what);
        hl_error error = {""};
        hl_model *model;
        assert_non_null(at);
        char *changed = text("%.*s%s%s", (int)(at - config), config, cases[i].by, at + strlen(cases[i].what));
        copy_folder(CONTAINERS "/sharded", folder);
        write_text(path, changed);
        hl_status status = open_with(folder, NULL, NULL, &model, &error);
        if (status == HL_OK || !strstr(error.message, cases[i].says)) fail_msg("%zu: %s", i, error.message);
        free(changed);
        free(path);
        remove_folder(folder);
    }
    free(config);
}

static void preprocessors_of_transformers_are_read_strictly(void **state) {
    (void)state;
    static const struct {
        const char *json, *says; /* NULL: it is right */
    } cases[] = {
        {"{}", NULL},
        {"{\"size\": 32, \"crop_size\": 32, \"resample\": 2}", NULL},
        {"{\"size\": {\"height\": 32, \"width\": 32}, \"do_center_crop\": false}", NULL},
        {"{\"size\": 48}", "preprocessor_config.json: size: expected the model's image_size, 32 x 32"},
        {"{\"size\": {\"shortest_edge\": 36}, \"crop_size\": 32}", "crop_size: expected what size says"},
        {"{\"size\": 32, \"do_center_crop\": false}", "leaves images of any shape"},
        {"{\"resample\": 0}", "resample: expected a whole number from 2 to 3"},
        {"{\"rescale_factor\": 1}", "rescale_factor: expected 1/255"},
        {"{\"image_std\": [1, 1, 0]}", "image_std: expected three numbers"},
        {"{\"do_normalize\": false}", "do_normalize: this setting is not supported"},
        {"{\"do_pad\": true}", "do_pad: this setting is not supported"},
        {"{", "is not valid JSON"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *path = text("%s/preprocessor_config.json", folder);
        hl_error error = {""};
        hl_model *model;
        copy_folder(CONTAINERS "/sharded", folder);
        write_text(path, cases[i].json);
        hl_status status = open_with(folder, NULL, NULL, &model, &error);
        if (status == HL_OK) api.close(model);
        bool right =
            cases[i].says ? status != HL_OK && strstr(error.message, cases[i].says) : status == HL_OK;
        if (!right) fail_msg("%s: %s", cases[i].json, error.message);
        free(path);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_container_gives_the_same_bytes),
        cmocka_unit_test(vision_towers_take_no_texts),
        cmocka_unit_test(a_tower_without_projection_gives_what_it_pools),
        cmocka_unit_test(openai_weights_need_no_configuration),
        cmocka_unit_test(what_shapes_leave_open_is_asked_for),
        cmocka_unit_test(the_named_file_and_activation_are_taken),
        cmocka_unit_test(configurations_of_transformers_are_read_strictly),
        cmocka_unit_test(preprocessors_of_transformers_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
