/* model/clip-vit on every compute plugin against arrays that other people's code computed, and half precision
 * files against the values that they hold. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>

static void assert_golden(const char *model, const char *name, npy_array *got, double tolerance) {
    npy_array expected = golden(model, name);
    char *what = text("%s of %s", name, model);
    assert_close(what, &expected, got, tolerance);
    free(what);
    free(expected.data);
    free(got->data);
}

static void check_embedding(const golden_model *g, const opened_model *m, hl_trace **traces, size_t count,
                            double tolerance) {
    npy_array got = SHAPED(count, m->dim);
    for (size_t i = 0; i < count; ++i) api.embedding(traces[i], got.data + i * m->dim);
    assert_golden(g->name, "embedding", &got, tolerance);
}

/* Codes, bases, and their products, the contributions. */
static void check_heads(const golden_model *g, const opened_model *m, hl_trace **traces, size_t count,
                        double tolerance) {
    hl_error error;
    size_t heads = g->layers * g->heads, width = code_width(component(m, find_component(m, "L0.H0"))),
           dim = m->dim;
    npy_array codes = SHAPED(count, g->layers, g->heads, width),
              bases = SHAPED(g->layers, g->heads, width, dim);
    npy_array contributions = SHAPED(count, g->layers, g->heads, dim);
    double *sum = zeros(dim, sizeof *sum);
    for (size_t head = 0; head < heads; ++head) {
        char *name = text("L%zu.H%zu", head / g->heads, head % g->heads);
        uint32_t index = find_component(m, name);
        free(name);
        float *basis = basis_of(m, index);
        memcpy(bases.data + head * width * dim, basis, width * dim * sizeof *basis);
        for (size_t i = 0; i < count; ++i) {
            float *code = codes.data + (i * heads + head) * width;
            assert_ok(api.code(traces[i], index, code, &error), error);
            memset(sum, 0, dim * sizeof *sum);
            add_contribution(m, index, code, basis, sum);
            for (size_t j = 0; j < dim; ++j) contributions.data[(i * heads + head) * dim + j] = (float)sum[j];
        }
        free(basis);
    }
    free(sum);
    assert_golden(g->name, "codes", &codes, tolerance);
    assert_golden(g->name, "bases", &bases, tolerance);
    assert_golden(g->name, "heads", &contributions, tolerance);
}

static void check_mlps(const golden_model *g, const opened_model *m, hl_trace **traces, size_t count,
                       double tolerance) {
    hl_error error;
    size_t dim = m->dim;
    npy_array got = SHAPED(count, g->layers + 1, dim);
    double *sum = zeros(dim, sizeof *sum);
    for (size_t block = 0; block <= g->layers; ++block) {
        char *name = block ? text("L%zu.MLP", block - 1) : text("input");
        uint32_t index = find_component(m, name);
        free(name);
        float *basis = basis_of(m, index), *code = zeros(code_width(component(m, index)), sizeof *code);
        for (size_t i = 0; i < count; ++i) {
            assert_ok(api.code(traces[i], index, code, &error), error);
            memset(sum, 0, dim * sizeof *sum);
            add_contribution(m, index, code, basis, sum);
            for (size_t j = 0; j < dim; ++j)
                got.data[(i * (g->layers + 1) + block) * dim + j] = (float)sum[j];
        }
        free(basis);
        free(code);
    }
    free(sum);
    assert_golden(g->name, "mlps", &got, tolerance);
}

/* tokens.npy has the axes image, layer, token, head, embedding. */
static void check_tokens(const golden_model *g, const opened_model *m, hl_trace **traces, size_t count,
                         double tolerance) {
    hl_error error;
    size_t dim = m->dim, width = code_width(component(m, find_component(m, "L0.H0")));
    npy_array got = SHAPED(count, g->layers, m->tokens, g->heads, dim);
    float *codes = zeros(m->tokens * width, sizeof *codes);
    double *sum = zeros(dim, sizeof *sum);
    for (size_t head = 0; head < g->layers * g->heads; ++head) {
        size_t layer = head / g->heads, h = head % g->heads;
        char *name = text("L%zu.H%zu", layer, h);
        uint32_t index = find_component(m, name);
        free(name);
        float *basis = basis_of(m, index);
        for (size_t i = 0; i < count; ++i) {
            assert_ok(api.token_codes(traces[i], index, codes, &error), error);
            for (size_t token = 0; token < m->tokens; ++token) {
                memset(sum, 0, dim * sizeof *sum);
                add_contribution(m, index, codes + token * width, basis, sum);
                float *to = got.data + (((i * g->layers + layer) * m->tokens + token) * g->heads + h) * dim;
                for (size_t j = 0; j < dim; ++j) to[j] = (float)sum[j];
            }
        }
        free(basis);
    }
    free(codes);
    free(sum);
    assert_golden(g->name, "tokens", &got, tolerance);
}

/* The lines of golden/texts.txt: ids exactly, then embeddings. */
static void check_texts(const golden_model *g, const opened_model *m, double tolerance) {
    hl_error error;
    size_t context = m->info->context, count = 0, length;
    char *lines = read_file(TEST_GOLDEN "/texts.txt", NULL), *rest = lines, *line;
    char *path = text("%s/%s/text_ids.npy", TEST_GOLDEN, g->name), *stored = read_file(path, &length);
    free(path);
    size_t header = 10 + (size_t)(unsigned char)stored[8] + 256 * (size_t)(unsigned char)stored[9];
    int32_t *ids = zeros(length, sizeof *ids);
    while ((line = strsep(&rest, "\n")) && (*line || rest)) {
        assert_ok(api.tokenize(m->model, line, ids + count++ * context, &error), error);
    }
    assert_int_equal(header + count * context * sizeof *ids, length);
    assert_memory_equal(stored + header, ids, count * context * sizeof *ids);
    npy_array got = SHAPED(count, m->dim);
    assert_ok(api.encode_texts(m->session, ids, count, got.data, &error), error);
    assert_golden(g->name, "text_embedding", &got, tolerance);
    free(ids);
    free(stored);
    free(lines);
}

static void everything_is_golden(void **state) {
    (void)state;
    for (size_t i = 0; i < GOLDEN_MODELS * backend_count; ++i) {
        const golden_model *g = &golden_models[i / backend_count];
        const opened_backend *b = &backends[i % backend_count];
        opened_model m = open_folder(g->folder, b, 32);
        npy_array pixels = golden(g->name, "pixels");
        size_t count = pixels.shape[0];
        hl_trace *traces[32];
        assert_true(count <= COUNT(traces));
        encode(&m, &pixels, NULL, 0, traces);
        check_embedding(g, &m, traces, count, tolerance_of(b));
        check_heads(g, &m, traces, count, tolerance_of(b));
        check_mlps(g, &m, traces, count, tolerance_of(b));
        if (g->has_tokens) check_tokens(g, &m, traces, count, tolerance_of(b));
        check_texts(g, &m, tolerance_of(b));
        release_all(traces, count);
        free(pixels.data);
        close_model(&m);
    }
}

/* f16 and bf16 files against the same values stored as f32. */
static void half_precision_files_hold_their_values(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {TEST_GOLDEN "/tiny-a/model-f16", TEST_GOLDEN "/tiny-a/model-f16-rounded"},
        {TEST_GOLDEN "/tiny-a/model-bf16", TEST_GOLDEN "/tiny-a/model-bf16-rounded"}};
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count = pixels.shape[0];
    for (size_t i = 0; i < COUNT(pairs) * backend_count; ++i) {
        npy_array got[2][2];
        for (size_t j = 0; j < 2; ++j) {
            hl_error error;
            opened_model m = open_folder(pairs[i / backend_count][j], &backends[i % backend_count], count);
            hl_trace *traces[32];
            int32_t ids[77];
            encode(&m, &pixels, NULL, 0, traces);
            got[0][j] = SHAPED(count, m.dim);
            got[1][j] = SHAPED(1, m.dim);
            for (size_t k = 0; k < count; ++k) api.embedding(traces[k], got[0][j].data + k * m.dim);
            assert_ok(api.tokenize(m.model, "a red circle", ids, &error), error);
            assert_ok(api.encode_texts(m.session, ids, 1, got[1][j].data, &error), error);
            release_all(traces, count);
            close_model(&m);
        }
        assert_close("image", &got[0][1], &got[0][0], 1e-7);
        assert_close("text", &got[1][1], &got[1][0], 1e-7);
        for (size_t j = 0; j < 4; ++j) free(got[j / 2][j % 2].data);
    }
    free(pixels.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_golden),
        cmocka_unit_test(half_precision_files_hold_their_values),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
