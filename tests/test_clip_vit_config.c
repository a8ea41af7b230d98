/* What model/clip-vit opens and what it refuses: configurations, and weights that do not belong to them. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static hl_status try_open(const char *folder, hl_error *error) {
    const hl_model_source source = {.size = sizeof source, .path = folder};
    hl_model *model = NULL;
    hl_status status = api.open(&the_host->interface, &source, NULL, &model, error);
    if (status == HL_OK) api.close(model);
    return status;
}

/* tiny-a with one thing in its configuration changed. */
static void assert_config_refused(const char *what, const char *by, hl_status expected, const char *named) {
    hl_error error;
    char *folder = make_folder();
    copy_folder(TINY_A, folder);
    write_config(folder, TINY_A "/" CONFIG, what, by);
    hl_status status = try_open(folder, &error);
    if (status != expected) fail_msg("%s: status %d, expected %d", by, status, expected);
    if (!strstr(error.message, named)) fail_msg("\"%s\" does not name %s", error.message, named);
    assert_non_null(strstr(error.message, folder));
    remove_folder(folder);
}

static void a_configuration_of_other_weights_is_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"\"layers\": 3", "\"layers\": 4", "visual.transformer.resblocks.3.ln_1.weight"},
        {"\"layers\": 3", "\"layers\": 2", "visual.transformer.resblocks.2.ln_1.weight"},
        {"\"layers\": 2", "\"layers\": 1", "transformer.resblocks.1.ln_1.weight"},
        {"\"width\": 48", "\"width\": 32", "visual.class_embedding has shape [48], " CONFIG " makes it [32]"},
        {"\"embed_dim\": 32", "\"embed_dim\": 33",
         "visual.proj has shape [48, 32], " CONFIG " makes it [48, 33]"},
        {"\"patch_size\": 8", "\"patch_size\": 4", "visual.conv1.weight has shape [48, 3, 8, 8]"},
        {"\"layers\": 3", "\"layers\": 3, \"ls_init_value\": 1e-5",
         "no tensor visual.transformer.resblocks.0.ls_1.gamma"},
        {"\"heads\": 2", "\"heads\": 2, \"ls_init_value\": 0.1",
         "no tensor transformer.resblocks.0.ls_1.gamma"},
        {"\"heads\": 2", "\"heads\": 2, \"proj_bias\": true", "no tensor text_projection.weight"},
        {"\"vocab_size\": 2048", "\"vocab_size\": 2049", "token_embedding.weight"},
        {"\"context_length\": 32", "\"context_length\": 77", "positional_embedding has shape [32, 32]"},
        {"\"head_width\": 16", "\"head_width\": 16, \"mlp_ratio\": 2", "mlp.c_fc.weight has shape [192, 48]"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        assert_config_refused(cases[i][0], cases[i][1], HL_FAILED, "config disagrees with weights");
        assert_config_refused(cases[i][0], cases[i][1], HL_FAILED, cases[i][2]);
    }
}

static void what_is_not_supported_is_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *section, *key, *value;
    } cases[] = {
        {"vision_cfg", "timm_model_name", "\"vit_base\""},
        {"vision_cfg", "attentional_pool", "true"},
        {"vision_cfg", "pool_type", "\"none\""},
        {"vision_cfg", "pool_type", "true"},
        {"vision_cfg", "qkv_bias", "false"},
        {"vision_cfg", "pos_embed_type", "\"sin_cos_2d\""},
        {"text_cfg", "hf_model_name", "\"roberta-base\""},
        {"text_cfg", "pool_type", "\"first\""},
        {"text_cfg", "pool_type", "[\"last\"]"},
        {"text_cfg", "embed_cls", "true"},
        {"text_cfg", "tokenizer_mode", "\"clips\""},
        {"text_cfg", "text_arch", "\"modern\""},
        {"text_cfg", "attention_mode", "\"bidirectional\""},
        {"text_cfg", "proj_type", "\"mlp\""},
        /* what this plugin has never heard of */
        {"vision_cfg", "registers", "4"},
        {"vision_cfg", "scale_attn_inner", "true"},
        {"vision_cfg", "scale_fc", "true"},
        {"vision_cfg", "rope", "{\"theta\": 10000}"},
        {"vision_cfg", "Layers", "24"},
        {"vision_cfg", "width ", "24"},
        {"text_cfg", "correct_eos_mask", "true"},
        {"text_cfg", "bpe_path", "\"merges.txt\""},
        {"text_cfg", "layer_ids", "[1]"},
        {"text_cfg", "qkv_bias", "0"},
    };
    assert_config_refused("\"layers\": 3", "\"layers\": [3, 4, 6, 3]", HL_USAGE,
                          "model_cfg.vision_cfg.layers:");
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *what = text("\"%s\": {", cases[i].section);
        char *by = text("%s\"%s\": %s,", what, cases[i].key, cases[i].value);
        char *named = text("model_cfg.%s.%s:", cases[i].section, cases[i].key);
        assert_config_refused(what, by, HL_USAGE, named);
        free(what);
        free(by);
        free(named);
    }
    assert_config_refused("\"embed_dim\"", "\"logit_cap\": 30, \"embed_dim\"", HL_USAGE,
                          "model_cfg.logit_cap:");
    static const char *const preprocess[][2] = {{"resize_mode", "\"longest\""},
                                                {"interpolation", "\"nearest\""},
                                                {"mode", "\"L\""},
                                                {"crop_pct", "0.875"}};
    for (size_t i = 0; i < COUNT(preprocess); ++i) {
        char *by = text("\"preprocess_cfg\": {\"%s\": %s,", preprocess[i][0], preprocess[i][1]);
        char *named = text("preprocess_cfg.%s:", preprocess[i][0]);
        assert_config_refused("\"preprocess_cfg\": {", by, HL_USAGE, named);
        free(by);
        free(named);
    }
    assert_config_refused("\"model_cfg\"", "\"lora_cfg\": {\"r\": 8}, \"model_cfg\"", HL_USAGE,
                          CONFIG ": lora_cfg: this setting is not supported");
}

/* Readers of JSON differ in which of two they take. */
static void what_is_said_twice_is_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"\"layers\": 3", "\"layers\": 3, \"layers\": 3", "model_cfg.vision_cfg.layers: is there twice"},
        {"\"heads\": 2", "\"heads\": 2, \"heads\": 4", "model_cfg.text_cfg.heads: is there twice"},
        {"\"quick_gelu\": true", "\"quick_gelu\": null, \"quick_gelu\": true", "model_cfg.quick_gelu"},
        {"\"mean\": [", "\"mean\": [1, 1, 1], \"mean\": [", "preprocess_cfg.mean: is there twice"},
        {"\"model_cfg\"", "\"preprocess_cfg\": {}, \"model_cfg\"", ": preprocess_cfg: is there twice"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        assert_config_refused(cases[i][0], cases[i][1], HL_FAILED, cases[i][2]);
    }
}

/* Opens tiny-a with one thing in its configuration changed. */
static void assert_config_taken(const char *what, const char *by) {
    hl_error error;
    char *folder = make_folder();
    copy_folder(TINY_A, folder);
    write_config(folder, TINY_A "/" CONFIG, what, by);
    if (try_open(folder, &error)) fail_msg("%s: %s", by, error.message);
    remove_folder(folder);
}

static void remarks_are_taken(void **state) {
    (void)state;
    assert_config_taken("\"model_cfg\"", "\"name\": \"a model\", \"license\": \"mit\", \"model_cfg\"");
    assert_config_refused("\"model_cfg\"", "\"adapter\": [8], \"model_cfg\"", HL_USAGE, CONFIG ": adapter:");
    assert_config_refused("\"embed_dim\"", "\"name\": \"a model\", \"embed_dim\"", HL_USAGE,
                          "model_cfg.name:");
}

static void settings_that_are_off_are_taken(void **state) {
    (void)state;
    static const char *const off[] = {"null", "false", "0", "0.0", "\"\"", "{}", "[]"};
    static const char *const keys[][2] = {
        {"vision_cfg", "timm_model_name"}, {"vision_cfg", "ls_init_value"}, {"vision_cfg", "pool_type"},
        {"vision_cfg", "block_type"},      {"vision_cfg", "never_heard"},   {"text_cfg", "hf_tokenizer_name"},
        {"text_cfg", "hf_model_name"},     {"text_cfg", "tokenizer_mode"},  {"text_cfg", "no_causal_mask"},
        {"text_cfg", "proj_type"},         {"text_cfg", "never_heard"},     {"model_cfg", "custom_text"},
        {"model_cfg", "multimodal_cfg"},   {"model_cfg", "never_heard"},    {"preprocess_cfg", "resize_mode"},
        {"preprocess_cfg", "never_heard"}};
    for (size_t k = 0; k < COUNT(keys); ++k) {
        for (size_t i = 0; i < COUNT(off); ++i) {
            char *what = text("\"%s\": {", keys[k][0]);
            char *by = text("%s\"%s\": %s,", what, keys[k][1], off[i]);
            assert_config_taken(what, by);
            free(what);
            free(by);
        }
    }
    assert_config_taken("\"model_cfg\"", "\"never_heard\": \"\", \"model_cfg\"");
    assert_config_taken("\"mean\": [", "\"mode\": \"\", \"fill_color\": 255, \"mean\": [");
}

static void sizes_may_be_pairs(void **state) {
    (void)state;
    assert_config_taken("\"image_size\": 32", "\"image_size\": [32, 32]");
    assert_config_taken("\"image_size\": 32", "\"image_size\": [32, 40]");
    assert_config_taken("\"patch_size\": 8", "\"patch_size\": [8, 8]");
    assert_config_taken("\"mean\": [", "\"size\": [32, 32], \"mean\": [");
    assert_config_taken("\"mean\": [", "\"size\": 32, \"mean\": [");
    static const struct {
        const char *what, *by;
        hl_status status;
        const char *says;
    } wrong[] = {
        {"\"patch_size\": 8", "\"patch_size\": [8, 4]", HL_USAGE, "patch_size: is 8 x 4, which is no square"},
        {"\"image_size\": 32", "\"image_size\": [32]", HL_FAILED, "image_size: expected one whole number"},
        {"\"image_size\": 32", "\"image_size\": [32, 32, 3]", HL_FAILED,
         "image_size: expected one whole number"},
        {"\"image_size\": 32", "\"image_size\": [\"32\", 32]", HL_FAILED,
         "image_size: expected one whole number"},
        {"\"image_size\": 32", "\"image_size\": []", HL_FAILED, "image_size: expected one whole number"},
        {"\"image_size\": 32", "\"image_size\": [32.5, 32.5]", HL_FAILED,
         "image_size: expected one whole number"},
        {"\"image_size\": 32", "\"image_size\": [0, 0]", HL_FAILED, "image_size: expected one whole number"},
        {"\"image_size\": 32", "\"image_size\": [32, 7]", HL_FAILED, "patch_size: makes 4 x 0 patches"},
        {"\"mean\": [", "\"size\": [32, 40], \"mean\": [", HL_FAILED,
         "preprocess_cfg.size: expected the model's image_size, 32 x 32"},
        {"\"mean\": [", "\"size\": [224, 224], \"mean\": [", HL_FAILED,
         "preprocess_cfg.size: expected the model's image_size, 32 x 32"},
    };
    for (size_t i = 0; i < COUNT(wrong); ++i) {
        assert_config_refused(wrong[i].what, wrong[i].by, wrong[i].status, wrong[i].says);
    }
}

/* Keys at their usual values, and keys that have no say, change nothing. */
static void harmless_keys_are_ignored(void **state) {
    (void)state;
    hl_error error;
    char *folder = make_folder();
    copy_folder(TINY_A, folder);
    write_config(folder, TINY_A "/" CONFIG, "\"vision_cfg\": {",
                 "\"custom_text\": false, \"init_logit_bias\": -10, \"vision_cfg\": {\"pool_type\": \"tok\","
                 " \"timm_model_name\": null, \"ls_init_value\": null, \"attentional_pool\": false, "
                 "\"qkv_bias\": true,"
                 " \"patch_dropout\": 0.5, \"act_kwargs\": {}, \"mlp_ratio\": 4, \"timm_pool\": \"avg\","
                 " \"output_tokens\": true, \"attn_pooler_heads\": 8, \"block_type\": \"default\",");
    hl_status status = try_open(folder, &error);
    if (status) fail_msg("%s", error.message);
    remove_folder(folder);
}

static void impossible_numbers_are_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"\"width\": 48", "\"width\": 0", "vision_cfg.width"},
        {"\"width\": 48", "\"width\": -48", "vision_cfg.width"},
        {"\"width\": 48", "\"width\": 48.5", "vision_cfg.width"},
        {"\"width\": 48", "\"width\": 1e300", "vision_cfg.width"},
        {"\"width\": 48", "\"width\": \"48\"", "vision_cfg.width"},
        {"\"width\": 48", "\"width\": 49", "vision_cfg.head_width"},
        {"\"layers\": 3", "\"layers\": 4294967296", "vision_cfg.layers"},
        {"\"layers\": 3", "\"mlp_ratio\": 1e30", "vision_cfg.mlp_ratio"},
        {"\"patch_size\": 8", "\"patch_size\": 33", "vision_cfg.patch_size"},
        {"\"heads\": 2", "\"heads\": 3", "text_cfg.heads"},
        {"\"vocab_size\": 2048", "\"vocab_size\": 513", "text_cfg.vocab_size"},
        {"\"embed_dim\": 32,", "", "model_cfg.embed_dim"},
        {"\"quick_gelu\": true", "\"quick_gelu\": 1", "model_cfg.quick_gelu"},
        {"\"mean\": [", "\"mean\": [1,", "preprocess_cfg.mean"},
        {"\"std\": [", "\"std\": 1, \"fill_color\": [", "preprocess_cfg.std"},
        {"\"mean\": [", "\"size\": 224, \"mean\": [", "preprocess_cfg.size"},
        {"\"text_cfg\"", "\"other\"", "model_cfg.text_cfg"},
        {"\"model_cfg\"", "\"other\"", "model_cfg"},
        {"\"model_cfg\": {", "\"model_cfg\": {{", "not valid JSON"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        assert_config_refused(cases[i][0], cases[i][1], HL_FAILED, cases[i][2]);
    }
}

static int sure(const char *folder) {
    return api.recognises(&the_host->interface, folder);
}

static void folders_are_recognised(void **state) {
    (void)state;
    hl_error error;
    assert_true(sure(TINY_A) > 50);
    assert_int_equal(sure(TEST_GOLDEN), 0);
    assert_int_equal(sure("/nowhere"), 0);
    char *folder = make_folder(), *path = text("%s/%s", folder, CONFIG);
    write_config(folder, TINY_A "/" CONFIG, "\"vision_cfg\": {",
                 "\"vision_cfg\": {\"timm_model_name\": \"x\",");
    assert_true(sure(folder) > 0 && sure(folder) < 50);
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_open(folder, &error), HL_UNAVAILABLE); /* for its weights are not there either */
    free(path);
    remove_folder(folder);
}

/* What lies in a folder that lacks a model's files, and what is said of it. */
static void missing_files_get_a_hint(void **state) {
    (void)state;
    static const char config_and_weights[] = "no " CONFIG ", no " WEIGHTS ": clip-vit reads ";
    static const char and_reads[] = ", no " CONFIG ", no " WEIGHTS ": clip-vit reads ";
    static const struct {
        const char *files[6];
        hl_status status;
        const char *says[2], *hints[2]; /* an empty hint: nothing is missing */
    } cases[] = {
        {{NULL},
         HL_UNAVAILABLE,
         {"found no file of a model, ", config_and_weights},
         {"found no file", and_reads}},
        {{"merges.txt", "readme.md"},
         HL_UNAVAILABLE,
         {"found no file of a model, ", config_and_weights},
         {"found no file of a model, ", config_and_weights}},
        {{"pytorch_model.bin"},
         HL_FAILED,
         {"/pytorch_model.bin: is no file of weights", "expected .safetensors"},
         {"found pytorch_model.bin, no " CONFIG "; ", "is no file of weights"}},
        {{"ViT-B-32.pt"},
         HL_FAILED,
         {"/ViT-B-32.pt: is no file of weights", "torch.save"},
         {"found ViT-B-32.pt, no " CONFIG "; ", "is no file of weights"}},
        {{"model.safetensors", "config.json", "merges.txt"},
         HL_FAILED,
         {"/config.json: is not valid JSON", "near byte 0"},
         {"found config.json, model.safetensors, no " CONFIG ": ", "clip-vit reads"}},
        {{"a.bin", "b.pt", "c.pth", "d.ckpt", "e.bin"},
         HL_USAGE,
         {"holds 5 files that may be the weights (a.bin, b.pt, c.pth, ...): say which, ", "`weights: a.bin`"},
         {"found a.bin, b.pt, c.pth, d.ckpt, ..., no " CONFIG "; ", "say which"}},
        {{"a.pt", "optimizer.pt", "training_args.bin", "rng_state_0.pth", "scheduler.pt"},
         HL_FAILED,
         {"/a.pt: is no file of weights", ""},
         {"found a.pt, optimizer.pt, ", "/a.pt: is no file"}},
        {{WEIGHTS},
         HL_FAILED,
         {"/" WEIGHTS ": a header of 0 bytes in a file of 1", ""},
         {"found " WEIGHTS ", no " CONFIG "; ", "a header of 0 bytes"}},
        {{CONFIG, "open_clip_pytorch_model.bin"},
         HL_FAILED,
         {"/open_clip_pytorch_model.bin: is no file of weights", ""},
         {"", ""}},
        {{CONFIG, "open_clip_model-00001-of-00002.safetensors"},
         HL_UNAVAILABLE,
         {"00002.safetensors, no " WEIGHTS, "OpenCLIP"},
         {"00002.safetensors, no " WEIGHTS, "OpenCLIP"}},
        {{"model-00001-of-00002.safetensors"},
         HL_UNAVAILABLE,
         {"found model-00001-of-00002.safetensors, no " CONFIG ", no " WEIGHTS, "save_for_hf"},
         {"found model-00001-of-00002.safetensors, no " CONFIG ", no " WEIGHTS, "save_for_hf"}},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        hl_error error;
        char hint[1024], *folder = make_folder();
        for (size_t k = 0; k < COUNT(cases[i].files) && cases[i].files[k]; ++k) {
            char *path = text("%s/%s", folder, cases[i].files[k]);
            bool config = strcmp(cases[i].files[k], CONFIG) == 0;
            if (config) copy_file(TINY_A "/" CONFIG, path);
            if (!config) write_text(path, "x");
            free(path);
        }
        hl_status status = try_open(folder, &error);
        if (status != cases[i].status) fail_msg("case %zu: %d: %s", i, status, error.message);
        assert_ptr_equal(strstr(error.message, folder), error.message);
        api.hint(&the_host->interface, folder, hint, sizeof hint);
        for (size_t k = 0; k < 2; ++k) {
            if (!strstr(error.message, cases[i].says[k])) fail_msg("case %zu: %s", i, error.message);
            if (!strstr(hint, cases[i].hints[k])) fail_msg("case %zu: %s", i, hint);
        }
        assert_int_equal(*hint != '\0', *cases[i].hints[0] != '\0');
        remove_folder(folder);
    }
    char little[24] = "";
    api.hint(&the_host->interface, TINY_A, little, sizeof little);
    assert_string_equal(little, "");
    api.hint(&the_host->interface, TEST_GOLDEN, little, sizeof little);
    assert_int_equal(strlen(little), sizeof little - 1);
}

/* Through the command, which knows no file's name itself. */
static void the_command_hands_hints_on(void **state) {
    (void)state;
    static const char *const commands[][6] = {
        {"decompose", "--pixels", TEST_GOLDEN "/tiny-a/pixels.npy", "--out"},
        {"index", "--images", TEST_GOLDEN "/images", "--out"},
    };
    char *folder = make_folder(), *file = text("%s/pytorch_model.bin", folder), *out = text("%s/out", folder);
    write_text(file, "x");
    for (size_t i = 0; i < COUNT(commands); ++i) {
        char *errors;
        const char *const *words = commands[i];
        int status =
            run_command(NULL, &errors, words[0], "--model", folder, words[1], words[2], words[3], out, NULL);
        assert_int_equal(status, 2);
        assert_non_null(strstr(errors, "recognises this folder (asked: "));
        assert_non_null(strstr(errors, "; clip-vit: found pytorch_model.bin"));
        free(errors);
    }
    assert_int_equal(count_files(folder), 1);
    free(out);
    free(file);
    remove_folder(folder);
}

/* What is published of a path is the folder's own name: who keeps the model in a home folder is not told. */
static void models_are_named_after_their_folder(void **state) {
    (void)state;
    static const char *const names[] = {"model", "ViT-B-32", "model.1"}, *const ends[] = {"", "/", "/.",
                                                                                          "//"};
    char *top = make_folder(), *home = text("%s/somebody", top);
    assert_int_equal(mkdir(home, 0777), 0);
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *folder = text("%s/%s", home, names[i]);
        copy_folder(TINY_B, folder);
        for (size_t k = 0; k < COUNT(ends); ++k) {
            char *path = text("%s%s", folder, ends[k]);
            opened_model m = open_folder(path, &backends[0], 1);
            assert_string_equal(m.info->name, names[i]);
            close_model(&m);
            free(path);
        }
        free(folder);
    }
    free(home);
    remove_folder(top);
}

static void info_says_what_the_configuration_says(void **state) {
    (void)state;
    opened_model m = open_folder(TINY_B "/", &backends[0], 1);
    assert_string_equal(m.info->name, "model");
    assert_string_equal(m.info->summary, "ViT, 4 layers x 4 heads of width 24, patch 12, 48 pixels");
    assert_int_equal(m.info->embed_dim, 40);
    assert_int_equal(m.info->context, 24);
    assert_int_equal(m.info->patch_height, 12);
    assert_int_equal(m.info->grid_rows * 10 + m.info->grid_cols, 44);
    assert_int_equal(m.info->component_count, 1 + 4 * 5);
    assert_int_equal(m.info->basis_count, 17);
    assert_int_equal(m.info->fact_count, 2);
    assert_string_equal(m.info->facts->name, "activation");
    assert_string_equal(m.info->facts->value, "gelu");
    assert_string_equal(m.info->facts[1].name, "parameters");
    assert_string_equal(m.info->facts[1].value, "494784"); /* numbers in the file's tensors visual... */
    assert_true(m.info->preprocess->mean[2] == 0.40821073F &&
                m.info->preprocess->deviation[0] == 0.26862954F);
    static const char *const names[] = {"input", "L0.H0", "L0.H1", "L0.H2", "L0.H3", "L0.MLP", "L1.H0"};
    for (uint32_t i = 0; i < COUNT(names); ++i) assert_string_equal(component(&m, i)->name, names[i]);
    const hl_component *head = component(&m, find_component(&m, "L3.H2")),
                       *mlp = component(&m, find_component(&m, "L3.MLP"));
    assert_true(head->kind == HL_HEAD && head->layer == 3 && head->index == 2 && head->has_tokens);
    assert_true(head->width == 24 && head->scalar_count == 3 && head->basis == 14);
    assert_true(mlp->kind == HL_MLP && mlp->layer == 3 && mlp->index == -1 && !mlp->has_tokens);
    assert_true(mlp->width == 96 && mlp->scalar_count == 2 && mlp->basis == 16);
    assert_true(component(&m, 0)->kind == HL_INPUT && component(&m, 0)->basis == 16);
    close_model(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_of_other_weights_is_refused),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(harmless_keys_are_ignored),
        cmocka_unit_test(impossible_numbers_are_refused),
        cmocka_unit_test(folders_are_recognised),
        cmocka_unit_test(what_is_said_twice_is_refused),
        cmocka_unit_test(remarks_are_taken),
        cmocka_unit_test(settings_that_are_off_are_taken),
        cmocka_unit_test(sizes_may_be_pairs),
        cmocka_unit_test(missing_files_get_a_hint),
        cmocka_unit_test(the_command_hands_hints_on),
        cmocka_unit_test(models_are_named_after_their_folder),
        cmocka_unit_test(info_says_what_the_configuration_says),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
