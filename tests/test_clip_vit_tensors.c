/* Weights that hold more than model/clip-vit knows, or in other numbers: what would change an embedding is
 * refused by name, what cannot is passed over. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>

static hl_status try_open(const char *folder, hl_error *error) {
    const hl_model_source source = {.size = sizeof source, .path = folder};
    hl_model *model = NULL;
    hl_status status = api.open(&the_host->interface, &source, NULL, &model, error);
    if (status == HL_OK) api.close(model);
    return status;
}

static char *copy_of(const char *model) {
    char *folder = make_folder();
    copy_folder(model, folder);
    return folder;
}

static void need_refusal(char *folder, const char *says) {
    hl_error error = {""};
    hl_status status = try_open(folder, &error);
    if (status != HL_FAILED || !strstr(error.message, says)) {
        fail_msg("status %d: %s\nexpected: %s", status, error.message, says);
    }
    assert_non_null(strstr(error.message, folder));
    remove_folder(folder);
}

static void whatever_changes_embeddings_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {
        "visual.transformer.resblocks.0.ls_1.gamma", /* layer scale */
        "transformer.resblocks.1.ls_2.gamma",
        "positional_embedding_res", /* a second table */
        "visual.positional_embedding.1",
        "visual.register_tokens",
        "visual.transformer.resblocks.2.attn.out_proj.lora_A",
        "transformer.resblocks.0.mlp.c_fc.weight_scale", /* quantised */
        "visual.conv1.bias",
        "visual.proj.bias",
        "text_projection.bias",
        "visual.head.weight",
        "visual.attn_pool.query",
        "visual.ln_pre.weight_v",
        "visual.transformer.resblocks.0.attn.q_norm.weight",
        "visual.transformer.resblocks.00.ln_1.weight", /* none of the names that are asked for */
        "visual.transformer.resblocks.+1.ln_1.weight",
        "visual.transformer.resblocks.1.ln_1.weight ",
        "visual.transformer.resblocks.7.attn.in_proj_bias",
        "transformer.resblocks.99999999999999999999.ln_1.weight",
        "text.cls_emb",
        "Visual.proj",
        "module.logit_scale",
        "visual.logit_scale",
        "visual.transformer.attn_mask",
        "position_ids.weight",
        "my_position_ids",
        "x",
    };
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *folder = copy_of(TINY_A),
             *says = text(": holds 1 tensor that clip-vit does not know and without "
                          "which it would compute something else: %s; use a plugin",
                          names[i]);
        add_tensor(folder, names[i], i % 2 ? "F32" : "F16", "[48]", i % 2 ? 192 : 96);
        need_refusal(folder, says);
        free(says);
    }
}

static void many_are_counted_and_the_first_named(void **state) {
    (void)state;
    char *folder = copy_of(TINY_B), name[32], longest[301];
    for (int i = 9; i >= 0; --i) {
        snprintf(name, sizeof name, "extra.%d", i);
        add_tensor(folder, name, "F32", "[1]", 4);
    }
    need_refusal(folder, "holds 10 tensors that clip-vit does not know and without which it would compute "
                         "something else: extra.0, extra.1, extra.2 and 7 more; use");
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    folder = copy_of(TINY_B);
    add_tensor(folder, longest, "F32", "[1]", 4);
    need_refusal(folder, "nnn...; use a plugin");
}

static void refused_through_the_command(void **state) {
    (void)state;
    static const char *const names[] = {"visual.transformer.resblocks.0.ls_1.gamma",
                                        "transformer.rope.freqs"};
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *folder = copy_of(TINY_A), *out = text("%s/out", folder), *errors;
        add_tensor(folder, names[i], "BF16", "[4]", 8);
        assert_int_equal(run_command(NULL, &errors, "decompose", "--model", folder, "--pixels",
                                     TEST_GOLDEN "/tiny-a/pixels.npy", "--out", out, NULL),
                         1);
        if (!strstr(errors, names[i])) fail_msg("%s", errors);
        assert_false(file_exists(out));
        free(errors);
        free(out);
        remove_folder(folder);
    }
}

/* The header's first piece `what` becomes `by`, of the same length. */
static void change_header(const char *folder, const char *what, const char *by) {
    char *path = text("%s/%s", folder, WEIGHTS);
    size_t count;
    char *file = read_file(path, &count), *found = memmem(file, count, what, strlen(what));
    assert_non_null(found);
    assert_int_equal(strlen(what), strlen(by));
    memcpy(found, by, strlen(by));
    write_file(path, file, count);
    free(file);
    free(path);
}

/* Of any dtype, also one of which nobody has heard, and of any shape. */
static void what_no_embedding_depends_on_is_passed_over(void **state) {
    (void)state;
    static const struct {
        const char *name, *dtype, *shape;
        size_t bytes;
    } harmless[] = {
        {"text_model.embeddings.position_ids", "I32", "[]", 4},
        {"logit_bias", "BF16", "[1]", 2},
        {"attn_mask", "BOOL", "[32,32]", 1024},
        {"input_resolution", "I64", "[]", 8},
        {"context_length", "U16", "[]", 2},
        {"vocab_size", "F8_E4M3", "[1]", 1},
        {"position_ids", "U64", "[1,4]", 32},
        {"text.transformer.embeddings.position_ids", "I64", "[1,2]", 16},
    };
    static const struct {
        const char *dtype, *shape;
        size_t bytes;
    } odd[] = {{"F8_E5M2", "[3]", 3},
               {"U32", "[2]", 8},
               {"I8", "[5]", 5},
               {"I16", "[1]", 2},
               {"C64", "[2]", 16},
               {"F4", "[4]", 2},
               {"F6_E2M3", "[4]", 3},
               {"TOMORROW", "[7]", 100},
               {"BOOL", "[0]", 0},
               {"F64", "[2]", 16},
               {"U8", "[1,1,1,1,1,1,1,1,1,3]", 3},
               {"I32", "[]", 4}};
    hl_error error;
    char *all = copy_of(TINY_A);
    for (size_t i = 0; i < COUNT(harmless); ++i) {
        add_tensor(all, harmless[i].name, harmless[i].dtype, harmless[i].shape, harmless[i].bytes);
    }
    assert_ok(try_open(all, &error), error);
    for (size_t i = 0; i < COUNT(odd); ++i) {
        char *folder = copy_of(TINY_B);
        add_tensor(folder, harmless[i % COUNT(harmless)].name, odd[i].dtype, odd[i].shape, odd[i].bytes);
        assert_ok(try_open(folder, &error), error);
        remove_folder(folder);
    }
    change_header(all, "\"logit_scale\":{\"dtype\":\"F32\"", "\"logit_scale\":{\"dtype\":\"NEW\"");
    opened_model m = open_folder(all, &backends[0], GOLDEN_IMAGES);
    npy_array pixels = golden("tiny-a", "pixels");
    assert_sums_up(&m, &pixels);
    free(pixels.data);
    close_model(&m);
    remove_folder(all);
}

static void known_tensors_of_other_numbers_are_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {TINY_A, "\"visual.proj\":{\"dtype\":\"F32\"", "I32"},
        {TINY_A, "\"visual.proj\":{\"dtype\":\"F32\"", "U32"},
        {TINY_A, "\"visual.proj\":{\"dtype\":\"F32\"", "X99"},
        {TINY_A, "\"text_projection\":{\"dtype\":\"F32\"", "U32"},
        {TINY_A, "\"visual.class_embedding\":{\"dtype\":\"F32\"", "I32"},
        {TEST_GOLDEN "/tiny-a/model-f16", "\"visual.proj\":{\"dtype\":\"F16\"", "I16"},
        {TEST_GOLDEN "/tiny-a/model-f16", "\"ln_final.bias\":{\"dtype\":\"F16\"", "U16"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = copy_of(cases[i][0]), *by = text("%s", cases[i][1]);
        size_t length = strlen(by);
        memcpy(by + length - 4, cases[i][2], 3);
        change_header(folder, cases[i][1], by);
        char *says = text("%.*s holds numbers of type %s, expected F32, F16 or BF16",
                          (int)strcspn(by + 1, "\""), by + 1, cases[i][2]);
        need_refusal(folder, says);
        free(says);
        free(by);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_changes_embeddings_is_refused),
        cmocka_unit_test(many_are_counted_and_the_first_named),
        cmocka_unit_test(refused_through_the_command),
        cmocka_unit_test(what_no_embedding_depends_on_is_passed_over),
        cmocka_unit_test(known_tensors_of_other_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
