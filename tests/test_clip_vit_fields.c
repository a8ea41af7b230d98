/* model/clip-vit with fields that plain CLIPs leave alone: means over patches, no norm before the layers,
 * timm's names, a projection with a bias, other masks and tokens of texts, other sizes of images; against
 * arrays that other people's code computed. */
#include "tests/clip_vit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

static void assert_golden(const char *folder, const char *name, npy_array *got, double tolerance) {
    npy_array expected = golden(folder, name);
    char *what = text("%s of %s", name, folder);
    assert_close(what, &expected, got, tolerance);
    free(what);
    free(expected.data);
    free(got->data);
}

/* Embeddings and codes of the files embedding.npy and codes.npy, and what of them sums to what; `before`:
 * what the files' names begin with. */
static void check_images(const char *folder, const char *before, const opened_model *m, double tolerance) {
    enum { LAYERS = 2, HEADS = 4, WIDTH = 15 };
    hl_error error;
    hl_trace *traces[MOST];
    npy_array pixels = golden(folder, "pixels");
    size_t count = pixels.shape[0];
    npy_array embedding = SHAPED(count, m->dim), codes = SHAPED(count, LAYERS, HEADS, WIDTH);
    encode(m, &pixels, NULL, 0, traces);
    for (size_t i = 0; i < count; ++i) {
        api.embedding(traces[i], embedding.data + i * m->dim);
        for (size_t head = 0; head < LAYERS * HEADS; ++head) {
            char *name = text("L%zu.H%zu", head / HEADS, head % HEADS);
            float *code = codes.data + (i * LAYERS * HEADS + head) * WIDTH;
            assert_ok(api.code(traces[i], find_component(m, name), code, &error), error);
            free(name);
        }
        assert_true(sum_error(m, traces[i]) < 1e-5);
    }
    char *names[] = {text("%sembedding", before), text("%scodes", before)};
    assert_golden(folder, names[0], &embedding, tolerance);
    assert_golden(folder, names[1], &codes, tolerance);
    for (size_t i = 0; i < 2; ++i) free(names[i]);
    release_all(traces, count);
    free(pixels.data);
}

/* From the stored ids. */
static void check_texts(const char *folder, const opened_model *m, double tolerance) {
    hl_error error;
    size_t length, context = m->info->context;
    char *path = text("%s/%s/text_ids.npy", TEST_GOLDEN, folder), *stored = read_file(path, &length);
    size_t header = 10 + (size_t)(unsigned char)stored[8] + 256 * (size_t)(unsigned char)stored[9];
    size_t count = (length - header) / (context * sizeof(int32_t));
    int32_t *ids = zeros(count * context, sizeof *ids);
    memcpy(ids, stored + header, count * context * sizeof *ids);
    npy_array got = SHAPED(count, m->dim);
    assert_ok(api.encode_texts(m->session, ids, count, got.data, &error), error);
    assert_golden(folder, "text_embedding", &got, tolerance);
    free(ids);
    free(stored);
    free(path);
}

static void both_towers_are_golden(void **state) {
    (void)state;
    static const char *const cases[] = {"clipa-a", "mobileclip-a"};
    for (size_t i = 0; i < COUNT(cases) * backend_count; ++i) {
        const char *name = cases[i / backend_count];
        const opened_backend *b = &backends[i % backend_count];
        char *folder = text("%s/%s/model", TEST_GOLDEN, name);
        opened_model m = open_folder(folder, b, 32);
        check_images(name, "", &m, tolerance_of(b));
        check_texts(name, &m, tolerance_of(b));
        close_model(&m);
        free(folder);
    }
}

/* Parts by token against tokens.npy, whose axes are image, layer, token, head, embedding. */
static void check_tokens(const char *file, const opened_model *m, double tolerance) {
    hl_error error;
    hl_trace *traces[MOST];
    npy_array pixels = golden("clipa-a", "pixels"), expected = golden("clipa-a", file);
    const size_t *shape = expected.shape;
    npy_array got = SHAPED(shape[0], shape[1], shape[2], shape[3], shape[4]);
    encode(m, &pixels, NULL, 0, traces);
    for (size_t i = 0; i < shape[0] * shape[1] * shape[3]; ++i) {
        size_t head = i % shape[3], layer = i / shape[3] % shape[1], image = i / shape[3] / shape[1];
        char *name = text("L%zu.H%zu", layer, head);
        uint32_t index = find_component(m, name);
        size_t width = code_width(component(m, index));
        float *basis = basis_of(m, index), *parts = zeros(shape[2] * width, sizeof *parts);
        assert_ok(api.token_codes(traces[image], index, parts, &error), error);
        for (size_t token = 0; token < shape[2]; ++token) {
            double *sum = zeros(m->dim, sizeof *sum);
            add_contribution(m, index, parts + token * width, basis, sum);
            float *to =
                got.data + (((image * shape[1] + layer) * shape[2] + token) * shape[3] + head) * m->dim;
            for (size_t j = 0; j < m->dim; ++j) to[j] = (float)sum[j];
            free(sum);
        }
        free(basis);
        free(parts);
        free(name);
    }
    assert_close(file, &expected, &got, tolerance);
    release_all(traces, shape[0]);
    free(pixels.data);
    free(expected.data);
    free(got.data);
}

/* The same weights with the norm before the mean over patches. */
static char *folder_with_norms_first(void) {
    char *folder = make_folder();
    copy_folder(TEST_GOLDEN "/clipa-a/model", folder);
    write_config(folder, TEST_GOLDEN "/clipa-a/model/" CONFIG, "\"final_ln_after_pool\": true",
                 "\"final_ln_after_pool\": false");
    return folder;
}

static void means_decompose_by_token(void **state) {
    (void)state;
    char *norms_first = folder_with_norms_first();
    for (size_t b = 0; b < backend_count; ++b) {
        double tolerance = tolerance_of(&backends[b]);
        opened_model m = open_folder(TEST_GOLDEN "/clipa-a/model", &backends[b], MOST);
        check_tokens("tokens", &m, tolerance);
        assert_true(m.info->pooled_first == 1 && m.info->pooled_count == 25);
        close_model(&m);
        m = open_folder(norms_first, &backends[b], MOST);
        check_images("clipa-a", "norms-", &m, tolerance);
        check_tokens("norms-tokens", &m, tolerance);
        close_model(&m);
    }
    remove_folder(norms_first);
}

/* The code's first numbers and the sums of the parts' agree. */
static void assert_parts_sum(const opened_model *m, const hl_trace *trace, uint32_t index) {
    hl_error error;
    size_t width = code_width(component(m, index));
    float *code = zeros(width, sizeof *code), *parts = zeros(m->tokens * width, sizeof *parts);
    assert_ok(api.code(trace, index, code, &error), error);
    assert_ok(api.token_codes(trace, index, parts, &error), error);
    for (size_t j = 0; j < width; ++j) {
        double sum = 0;
        for (size_t token = 0; token < m->tokens; ++token) sum += (double)parts[token * width + j];
        assert_true(fabs(sum - (double)code[j]) < 1e-5 * (1 + fabs((double)code[j])));
    }
    free(code);
    free(parts);
}

/* What a head put out, pooled: the code's own numbers over its scale. */
static void read_output(const opened_model *m, const hl_trace *trace, uint32_t index, float *out) {
    hl_error error;
    float code[15];
    assert_int_equal(code_width(component(m, index)), COUNT(code));
    assert_ok(api.code(trace, index, code, &error), error);
    for (size_t j = 0; j < 12; ++j) out[j] = code[j] / code[12];
}

/* Of the 25 rows that are pooled some are scaled and some replaced, in the last layer and before. */
static void rows_of_a_mean_are_edited(void **state) {
    (void)state;
    static const uint32_t scaled[] = {1, 2, 3, 7, 25}, replaced[] = {4, 5, 25};
    char *norms_first = folder_with_norms_first();
    npy_array pixels = golden("clipa-a", "pixels");
    size_t count = pixels.shape[0];
    float values[12], before[12], after[12];
    for (size_t i = 0; i < COUNT(values); ++i) values[i] = 0.2F * (float)i - 1;
    for (size_t i = 0; i < 4 * backend_count; ++i) {
        const char *names[] = {"L0.H1", "L1.H2"};
        bool mean_first = i / 2 % 2 == 0, last = i % 2;
        opened_model m =
            open_folder(mean_first ? TEST_GOLDEN "/clipa-a/model" : norms_first, &backends[i / 4], MOST);
        uint32_t head = find_component(&m, names[last]), mlp = find_component(&m, "L0.MLP");
        const hl_edit all = {sizeof all, HL_SITE_HEAD, HL_EDIT_REPLACE, head, NULL, 0, 0, values};
        const hl_edit half = {sizeof half, HL_SITE_HEAD, HL_EDIT_SCALE, head, NULL, 0, 0.5F, NULL};
        const hl_edit some = {sizeof some,   HL_SITE_HEAD, HL_EDIT_SCALE, head, scaled,
                              COUNT(scaled), -2,           NULL};
        const hl_edit few = {sizeof few, HL_SITE_HEAD, HL_EDIT_REPLACE, head, replaced, COUNT(replaced),
                             0,          values};
        const hl_edit gone = {sizeof gone, HL_SITE_MLP, HL_EDIT_SCALE, mlp, scaled, COUNT(scaled), 0, NULL};
        const hl_edit *const edits[][3] = {{&all}, {&half}, {&some, &few, &gone}};
        static const size_t lengths[] = {1, 1, 3};
        for (size_t k = 0; k < COUNT(edits); ++k) {
            hl_trace *plain[MOST], *edited[MOST];
            encode(&m, &pixels, NULL, 0, plain);
            encode(&m, &pixels, edits[k], lengths[k], edited);
            for (size_t image = 0; image < count; ++image) {
                read_output(&m, plain[image], head, before);
                read_output(&m, edited[image], head, after);
                assert_parts_sum(&m, edited[image], head);
                assert_true(sum_error(&m, edited[image]) < 1e-5);
                for (size_t j = 0; j < COUNT(values); ++j) {
                    if (k == 0) assert_true(fabsf(after[j] - values[j]) < 1e-4F);
                    if (k == 1 && mean_first) assert_true(fabsf(after[j] - 0.5F * before[j]) < 1e-4F);
                }
            }
            release_all(plain, count);
            release_all(edited, count);
        }
        close_model(&m);
    }
    free(pixels.data);
    remove_folder(norms_first);
}

/* Positions of 4 x 4 patches for others, as open_clip's resize_pos_embed makes them. */
static void positions_are_resized_as_open_clip_does(void **state) {
    (void)state;
    static const char *const sizes[][2] = {{"24x56", "24x56"}, {"48", "48x48"}, {"48x48", "48x48"}};
    for (size_t i = 0; i < COUNT(sizes) * backend_count; ++i) {
        const char *const *size = sizes[i / backend_count];
        const opened_backend *b = &backends[i % backend_count];
        hl_error error;
        char *errors, *out = make_folder(), *option = text("image-size=%s", size[0]);
        char *pixels = text("%s/places/%s-pixels.npy", TEST_GOLDEN, size[1]),
             *made = text("%s/embedding.npy", out);
        char *name = text("%s-embedding", size[1]);
        int status = run_command(NULL, &errors, "decompose", "--model", TINY_A, "--option", option,
                                 "--backend", b->plugin->name, "--pixels", pixels, "--out", out, NULL);
        if (status) fail_msg("%s", errors);
        npy_array got;
        assert_ok(npy_read(made, &got, &error), error);
        assert_golden("places", name, &got, tolerance_of(b));
        free(name);
        free(made);
        free(pixels);
        free(option);
        free(errors);
        remove_folder(out);
    }
}

static void sizes_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"0",        "7",     "7x40", "40x", "x40", "40x-8",
                                        "40x40x40", "99999", "1e2",  "big", ""};
    for (size_t i = 0; i < COUNT(wrong); ++i) {
        char *errors, *out = make_folder(), *option = text("image-size='%s'", wrong[i]);
        int status = run_command(NULL, &errors, "decompose", "--model", TINY_A, "--option", option,
                                 "--pixels", TEST_GOLDEN "/tiny-a/pixels.npy", "--out", out, NULL);
        assert_int_equal(status, 2);
        if (!strstr(errors, "image-size")) fail_msg("%s: %s", wrong[i], errors);
        assert_int_equal(count_files(out), 0);
        free(errors);
        free(option);
        remove_folder(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_towers_are_golden),
        cmocka_unit_test(means_decompose_by_token),
        cmocka_unit_test(rows_of_a_mean_are_edited),
        cmocka_unit_test(positions_are_resized_as_open_clip_does),
        cmocka_unit_test(sizes_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
