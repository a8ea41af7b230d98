/* Edits of heads in passes of model/clip-vit, on every compute plugin: against models that are built that
 * way, and against what was asked. */
#include "tests/clip_vit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static npy_array embeddings(const opened_model *m, hl_trace **traces, size_t count) {
    npy_array out = SHAPED(count, m->dim);
    for (size_t i = 0; i < count; ++i) api.embedding(traces[i], out.data + i * m->dim);
    return out;
}

static npy_array edited(const opened_model *m, const npy_array *pixels, const hl_edit *const *edits,
                        size_t count) {
    hl_trace *traces[32];
    encode(m, pixels, edits, count, traces);
    npy_array out = embeddings(m, traces, pixels->shape[0]);
    release_all(traces, pixels->shape[0]);
    return out;
}

static hl_edit scale(uint32_t index, float factor) {
    return (hl_edit){.size = sizeof(hl_edit),
                     .site = HL_SITE_HEAD,
                     .action = HL_EDIT_SCALE,
                     .component = index,
                     .factor = factor};
}

static void ablating_a_head_is_a_model_without_it(void **state) {
    (void)state;
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count = pixels.shape[0];
    for (size_t i = 0; i < 3 * backend_count; ++i) {
        const opened_backend *b = &backends[i / 3];
        size_t layer = i % 3, head = 2 - layer;
        char *folder = folder_without_head(layer, head), *name = text("L%zu.H%zu", layer, head);
        opened_model whole = open_folder(TINY_A, b, count), without = open_folder(folder, b, count);
        const hl_edit edit = scale(find_component(&whole, name), 0), *const edits[] = {&edit};
        npy_array plain = edited(&whole, &pixels, NULL, 0), got = edited(&whole, &pixels, edits, 1);
        npy_array expected = edited(&without, &pixels, NULL, 0);
        assert_close(name, &expected, &got, 1e-6);
        assert_true(worst_error(&plain, &got) > 1e-3);
        free(plain.data);
        free(got.data);
        free(expected.data);
        close_model(&whole);
        close_model(&without);
        free(name);
        remove_folder(folder);
    }
    free(pixels.data);
}

static void parts_sum_to_the_code(const opened_model *m, const npy_array *pixels, const hl_edit *const *edits,
                                  size_t edit_count, uint32_t index) {
    hl_error error;
    hl_trace *traces[32];
    float code[19], parts[17 * 19];
    encode(m, pixels, edits, edit_count, traces);
    for (size_t i = 0; i < pixels->shape[0]; ++i) {
        assert_ok(api.code(traces[i], index, code, &error), error);
        assert_ok(api.token_codes(traces[i], index, parts, &error), error);
        for (size_t j = 0; j < COUNT(parts); ++j) code[j % 19] -= parts[j];
        for (size_t j = 0; j < COUNT(code); ++j) assert_true(fabsf(code[j]) <= 1e-5F);
    }
    release_all(traces, pixels->shape[0]);
}

/* Factors multiply, the parts by token follow, and what was written still sums to the embedding. */
static void scaled_heads_stay_consistent(void **state) {
    (void)state;
    hl_error error;
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count = pixels.shape[0];
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model m = open_folder(TINY_A, &backends[b], count);
        uint32_t index = find_component(&m, "L1.H2");
        const hl_edit twice = scale(index, 2), minus = scale(index, -1.5F), *const edits[] = {&twice, &minus};
        hl_trace *traces[32], *plain[32];
        encode(&m, &pixels, edits, 2, traces);
        encode(&m, &pixels, NULL, 0, plain);
        float code[19], before[19];
        parts_sum_to_the_code(&m, &pixels, edits, 2, index);
        for (size_t i = 0; i < count; ++i) {
            assert_ok(api.code(traces[i], index, code, &error), error);
            assert_ok(api.code(plain[i], index, before, &error), error);
            for (size_t j = 0; j < 16; ++j) { /* z itself, without 1 / (sigma r) */
                assert_true(fabsf(code[j] / code[16] + 3 * before[j] / before[16]) <= 1e-4F);
            }
            assert_true(sum_error(&m, traces[i]) < 1e-4);
        }
        release_all(traces, count);
        release_all(plain, count);
        close_model(&m);
    }
    free(pixels.data);
}

/* What MLPs put out, and what enters the first layer: without its 1 / (sigma r), which a head's code has. */
static void mlps_and_the_input_are_edited_too(void **state) {
    (void)state;
    static const char *const names[] = {"input", "L0.MLP", "L1.MLP", "L2.MLP"};
    enum { WIDTH = 48 };
    hl_error error;
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count = pixels.shape[0];
    float values[WIDTH], code[WIDTH + 2], before[WIDTH + 2], head[19], head_before[19];
    for (size_t i = 0; i < WIDTH; ++i) values[i] = 0.05F * (float)i - 1;
    static const uint32_t pooled[] = {0};
    for (size_t b = 0; b < COUNT(names) * backend_count; ++b) {
        opened_model m = open_folder(TINY_A, &backends[b / COUNT(names)], count);
        uint32_t index = find_component(&m, names[b % COUNT(names)]), any = find_component(&m, "L0.H0");
        assert_int_equal(m.info->components[index].width, WIDTH);
        hl_edit twice = scale(index, -2);
        twice.site = HL_SITE_MLP;
        const hl_edit replace = {sizeof(hl_edit), HL_SITE_MLP, HL_EDIT_REPLACE, index, pooled, 1, 0, values};
        const hl_edit *const scaled[] = {&twice}, *const replaced[] = {&replace};
        hl_trace *plain[32], *traces[32];
        encode(&m, &pixels, NULL, 0, plain);
        encode(&m, &pixels, scaled, 1, traces);
        for (size_t i = 0; i < count; ++i) {
            assert_ok(api.code(traces[i], index, code, &error), error);
            assert_ok(api.code(plain[i], index, before, &error), error);
            assert_ok(api.code(traces[i], any, head, &error), error);
            assert_ok(api.code(plain[i], any, head_before, &error), error);
            for (size_t j = 0; j < WIDTH; ++j) {
                assert_true(fabsf(code[j] / head[16] + 2 * before[j] / head_before[16]) <= 1e-4F);
            }
            assert_true(sum_error(&m, traces[i]) < 1e-4);
        }
        release_all(traces, count);
        encode(&m, &pixels, replaced, 1, traces);
        for (size_t i = 0; i < count; ++i) {
            assert_ok(api.code(traces[i], index, code, &error), error);
            assert_ok(api.code(traces[i], any, head, &error), error);
            for (size_t j = 0; j < WIDTH; ++j) assert_true(fabsf(code[j] / head[16] - values[j]) <= 1e-4F);
            assert_true(sum_error(&m, traces[i]) < 1e-4);
        }
        release_all(traces, count);
        release_all(plain, count);
        close_model(&m);
    }
    free(pixels.data);
}

static void replaced_heads_write_the_values(void **state) {
    (void)state;
    hl_error error;
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count = pixels.shape[0];
    float values[16], code[19], parts[17 * 19];
    for (size_t i = 0; i < 16; ++i) values[i] = 0.1F * (float)i - 0.5F;
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model m = open_folder(TINY_A, &backends[b], count);
        for (size_t layer = 0; layer < 3; ++layer) {
            char *name = text("L%zu.H1", layer);
            uint32_t index = find_component(&m, name);
            const hl_edit replace = {sizeof(hl_edit), HL_SITE_HEAD, HL_EDIT_REPLACE, index, NULL, 0, 0,
                                     values};
            const hl_edit half = scale(index, 0.5F), *const edits[] = {&replace, &half};
            hl_trace *traces[32];
            encode(&m, &pixels, edits, 2, traces);
            for (size_t i = 0; i < count; ++i) {
                assert_ok(api.code(traces[i], index, code, &error), error);
                assert_ok(api.token_codes(traces[i], index, parts, &error), error);
                for (size_t j = 0; j < 16; ++j) {
                    assert_true(fabsf(code[j] - 0.5F * values[j] * code[16]) <= 1e-6F);
                }
                for (size_t j = 0; j < COUNT(parts); ++j) {
                    assert_true(fabsf(parts[j] - code[j % 19] / 17) <= 1e-6F);
                }
                assert_true(sum_error(&m, traces[i]) < 1e-4);
            }
            release_all(traces, count);
            free(name);
        }
        close_model(&m);
    }
    free(pixels.data);
}

/* Only the pooled row of the last layer is ever used; in an earlier layer the others matter. */
static void edits_touch_the_rows_that_they_name(void **state) {
    (void)state;
    static const uint32_t pooled[] = {0}, others[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    npy_array pixels = golden("tiny-a", "pixels");
    for (size_t i = 0; i < 2 * backend_count; ++i) {
        bool last = i % 2;
        opened_model m = open_folder(TINY_A, &backends[i / 2], pixels.shape[0]);
        hl_edit all = scale(find_component(&m, last ? "L2.H0" : "L0.H0"), 0), first = all, rest = all;
        first.tokens = pooled, first.token_count = 1;
        rest.tokens = others, rest.token_count = COUNT(others);
        const hl_edit *const a[] = {&all}, *const f[] = {&first}, *const r[] = {&rest},
                             *const both[] = {&first, &rest};
        npy_array none = edited(&m, &pixels, NULL, 0), by_all = edited(&m, &pixels, a, 1);
        npy_array by_first = edited(&m, &pixels, f, 1), by_rest = edited(&m, &pixels, r, 1);
        npy_array by_both = edited(&m, &pixels, both, 2);
        assert_true(worst_error(&by_all, &by_both) == 0);
        assert_true((worst_error(&by_all, &by_first) == 0) == last);
        assert_true((worst_error(&none, &by_rest) == 0) == last);
        assert_true(worst_error(&none, &by_first) > 1e-3);
        parts_sum_to_the_code(&m, &pixels, r, 1, all.component);
        parts_sum_to_the_code(&m, &pixels, f, 1, all.component);
        npy_array *const arrays[] = {&none, &by_all, &by_first, &by_rest, &by_both};
        for (size_t j = 0; j < COUNT(arrays); ++j) free(arrays[j]->data);
        close_model(&m);
    }
    free(pixels.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ablating_a_head_is_a_model_without_it),
        cmocka_unit_test(scaled_heads_stay_consistent),
        cmocka_unit_test(mlps_and_the_input_are_edited_too),
        cmocka_unit_test(replaced_heads_write_the_values),
        cmocka_unit_test(edits_touch_the_rows_that_they_name),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
