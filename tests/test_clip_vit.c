/* model/clip-vit through its table of functions, on every compute plugin: against arrays that other people's
 * code computed, and against itself where the mathematics says what must hold. */
#include "core/host/compute.h"
#include "core/host/host.h"
#include "core/host/registry.h"
#include "headlight/model.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))
#define TINY_A       TEST_GOLDEN "/tiny-a/model"
#define WEIGHTS      "open_clip_model.safetensors"
#define CONFIG       "open_clip_config.json"

enum { MOST_BACKENDS = 8 };

typedef struct backend_case {
    const char *name;
    double tolerance;
    hl_compute compute;
} backend_case;

static atomic_bool cancel;
static host *the_host;
static registry *plugins;
static hl_model_api api;
static backend_case backends[MOST_BACKENDS];
static size_t backend_count;

static void open_backend(const hl_plugin *plugin) {
    hl_error error;
    hl_compute_api table;
    registry_table(plugin, &table, sizeof table);
    if (table.score(&the_host->interface) == 0) {
        print_message("compute/%s cannot run here and is skipped\n", plugin->name);
        return;
    }
    assert_true(backend_count < MOST_BACKENDS);
    backend_case *opened = &backends[backend_count++];
    opened->name = plugin->name;
    opened->tolerance = strcmp(plugin->name, "reference") == 0 ? 2e-5 : 1e-4;
    const hl_plugin *reference = registry_find(plugins, HL_COMPUTE, "reference");
    assert_ok(compute_open(&the_host->interface, plugin, reference, NULL, &opened->compute, &error), error);
}

static int open_plugins(void **state) {
    (void)state;
    hl_error error;
    const hl_library_settings settings = {0};
    assert_ok(host_open(&settings, &cancel, 2, &the_host, &error), error);
    const char *const folders[] = {TEST_PLUGINS};
    const registry_settings where = {.folders = folders, .folder_count = COUNT(folders)};
    assert_ok(registry_open(&where, &plugins, &error), error);
    const hl_plugin *plugin = registry_find(plugins, HL_MODEL, "clip-vit");
    assert_non_null(plugin);
    registry_table(plugin, &api, sizeof api);
    for (size_t i = 0; (plugin = registry_at(plugins, i)); ++i) {
        if (plugin->kind == HL_COMPUTE) open_backend(plugin);
    }
    assert_true(backend_count >= 2);
    return 0;
}

static int close_plugins(void **state) {
    (void)state;
    for (size_t i = 0; i < backend_count; ++i) compute_close(&backends[i].compute);
    registry_close(plugins);
    host_close(the_host);
    return 0;
}

/* ---- a model with a session, and what passes leave ---- */

typedef struct opened_model {
    hl_model *model;
    const hl_model_info *info;
    hl_session *session;
    size_t tokens, dim;
} opened_model;

static opened_model open_source(hl_model_source source, const backend_case *backend, size_t batch) {
    hl_error error;
    opened_model out = {0};
    source.size = sizeof source;
    assert_ok(api.open(&the_host->interface, &source, NULL, &out.model, &error), error);
    out.info = api.info(out.model);
    out.tokens = out.info->prefix_tokens + out.info->grid_rows * out.info->grid_cols;
    out.dim = out.info->embed_dim;
    assert_ok(api.load(out.model, &backend->compute, &error), error);
    assert_ok(api.open_session(out.model, batch, &out.session, &error), error);
    return out;
}

static opened_model open_folder(const char *folder, const backend_case *backend, size_t batch) {
    return open_source((hl_model_source){.path = folder}, backend, batch);
}

static void close_model(opened_model *m) {
    api.close_session(m->session);
    api.close(m->model);
}

static const hl_component *component(const opened_model *m, uint32_t index) {
    const char *rows = (const char *)m->info->components;
    return (const hl_component *)(const void *)(rows + (size_t)index * m->info->component_size);
}

static uint32_t find(const opened_model *m, const char *name) {
    for (uint32_t i = 0; i < m->info->component_count; ++i) {
        if (strcmp(component(m, i)->name, name) == 0) return i;
    }
    fail_msg("no component %s", name);
    return 0;
}

static size_t code_width(const hl_component *c) {
    return c->width + c->scalar_count;
}

static void *memory(size_t count, size_t element) {
    void *out = calloc(count, element);
    assert_non_null(out);
    return out;
}

static const hl_capture head_codes = {HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_CODES, NULL, 0};
static const hl_capture head_tokens = {HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_TOKENS, NULL, 0};
static const hl_capture mlp_codes = {HL_SITE_MLP, HL_ROWS_POOLED, HL_DETAIL_CODES, NULL, 0};

static hl_request make_request(const hl_capture *const *captures, size_t capture_count,
                               const hl_edit *const *edits, size_t edit_count) {
    return (hl_request){sizeof(hl_request), captures, capture_count, edits, edit_count};
}

/* Passes over all images with codes of everything, and with parts by token. */
static void encode_all(const opened_model *m, const npy_array *pixels, const hl_edit *const *edits,
                       size_t edit_count, hl_trace **traces) {
    hl_error error;
    const hl_capture *const captures[] = {&head_tokens, &mlp_codes};
    const hl_request request = make_request(captures, 2, edits, edit_count);
    assert_ok(api.encode_images(m->session, pixels->data, pixels->shape[0], &request, traces, &error), error);
}

static void release_all(hl_trace **traces, size_t count) {
    for (size_t i = 0; i < count; ++i) api.release(traces[i]);
}

static npy_array shaped(size_t rank, const size_t *shape) {
    npy_array out = {.rank = rank, .elements = 1};
    for (size_t i = 0; i < rank; ++i) out.elements *= out.shape[i] = shape[i];
    out.data = memory(out.elements, sizeof(float));
    return out;
}

#define SHAPED(...) shaped(COUNT(((const size_t[]){__VA_ARGS__})), (const size_t[]){__VA_ARGS__})

static void assert_close(const char *what, const npy_array *expected, const npy_array *got,
                         double tolerance) {
    double error = worst_error(expected, got);
    if (!(error <= tolerance)) fail_msg("%s: error %g, at most %g", what, error, tolerance);
}

static void assert_golden(const char *model, const char *name, npy_array *got, double tolerance) {
    npy_array expected = golden(model, name);
    char *what = text("%s of %s", name, model);
    assert_close(what, &expected, got, tolerance);
    free(what);
    free(expected.data);
    free(got->data);
}

/* out += y B, where out has embed_dim numbers. */
static void add_contribution(const opened_model *m, uint32_t index, const float *code, const float *basis,
                             double *out) {
    for (size_t i = 0; i < code_width(component(m, index)); ++i) {
        for (size_t j = 0; j < m->dim; ++j) out[j] += (double)code[i] * (double)basis[i * m->dim + j];
    }
}

static float *basis_of(const opened_model *m, uint32_t index) {
    hl_error error;
    float *out = memory(code_width(component(m, index)) * m->dim, sizeof *out);
    assert_ok(api.basis(m->model, component(m, index)->basis, out, &error), error);
    return out;
}

/* ---- golden arrays ---- */

typedef struct golden_model {
    const char *name, *folder;
    size_t layers, heads;
    bool has_tokens;
} golden_model;

static const golden_model golden_models[] = {
    {"tiny-a", TINY_A, 3, 3, true},
    {"tiny-b", TEST_GOLDEN "/tiny-b/model", 4, 4, true},
    {"mini", TEST_SOURCE "/configs/mini/model", 4, 8, false},
};

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
    size_t heads = g->layers * g->heads, width = code_width(component(m, find(m, "L0.H0"))), dim = m->dim;
    npy_array codes = SHAPED(count, g->layers, g->heads, width),
              bases = SHAPED(g->layers, g->heads, width, dim);
    npy_array contributions = SHAPED(count, g->layers, g->heads, dim);
    double *sum = memory(dim, sizeof *sum);
    for (size_t head = 0; head < heads; ++head) {
        char *name = text("L%zu.H%zu", head / g->heads, head % g->heads);
        uint32_t index = find(m, name);
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
    double *sum = memory(dim, sizeof *sum);
    for (size_t block = 0; block <= g->layers; ++block) {
        char *name = block ? text("L%zu.MLP", block - 1) : text("input");
        uint32_t index = find(m, name);
        free(name);
        float *basis = basis_of(m, index), *code = memory(code_width(component(m, index)), sizeof *code);
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
    size_t dim = m->dim, width = code_width(component(m, find(m, "L0.H0")));
    npy_array got = SHAPED(count, g->layers, m->tokens, g->heads, dim);
    float *codes = memory(m->tokens * width, sizeof *codes);
    double *sum = memory(dim, sizeof *sum);
    for (size_t head = 0; head < g->layers * g->heads; ++head) {
        size_t layer = head / g->heads, h = head % g->heads;
        char *name = text("L%zu.H%zu", layer, h);
        uint32_t index = find(m, name);
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
    int32_t *ids = memory(length, sizeof *ids);
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
    for (size_t i = 0; i < COUNT(golden_models) * backend_count; ++i) {
        const golden_model *g = &golden_models[i / backend_count];
        const backend_case *b = &backends[i % backend_count];
        opened_model m = open_folder(g->folder, b, 32);
        npy_array pixels = golden(g->name, "pixels");
        size_t count = pixels.shape[0];
        hl_trace *traces[32];
        assert_true(count <= COUNT(traces));
        encode_all(&m, &pixels, NULL, 0, traces);
        check_embedding(g, &m, traces, count, b->tolerance);
        check_heads(g, &m, traces, count, b->tolerance);
        check_mlps(g, &m, traces, count, b->tolerance);
        if (g->has_tokens) check_tokens(g, &m, traces, count, b->tolerance);
        check_texts(g, &m, b->tolerance);
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
            encode_all(&m, &pixels, NULL, 0, traces);
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

/* ---- what must hold ---- */

/* The largest difference between the sum of all contributions and the normalised embedding. */
static double sum_error(const opened_model *m, const hl_trace *trace) {
    hl_error error;
    double *sum = memory(m->dim, sizeof *sum), length = 0, worst = 0;
    float *embedding = memory(m->dim, sizeof *embedding);
    for (uint32_t i = 0; i < m->info->component_count; ++i) {
        float *basis = basis_of(m, i), *code = memory(code_width(component(m, i)), sizeof *code);
        assert_ok(api.code(trace, i, code, &error), error);
        add_contribution(m, i, code, basis, sum);
        free(basis);
        free(code);
    }
    api.embedding(trace, embedding);
    for (size_t j = 0; j < m->dim; ++j) length += (double)embedding[j] * (double)embedding[j];
    for (size_t j = 0; j < m->dim; ++j)
        worst = fmax(worst, fabs(sum[j] - (double)embedding[j] / sqrt(length)));
    free(sum);
    free(embedding);
    return worst;
}

/* One image of noise. */
static npy_array noise(size_t count, size_t side) {
    npy_array out = SHAPED(count, 3, side, side);
    uint32_t state = 12345;
    for (size_t i = 0; i < out.elements; ++i) {
        state = state * 1664525u + 1013904223u;
        out.data[i] = (float)(state >> 8) / 8388608.0F - 1;
    }
    return out;
}

static void assert_sums_up(const opened_model *m, const npy_array *pixels) {
    hl_trace *traces[32];
    encode_all(m, pixels, NULL, 0, traces);
    for (size_t i = 0; i < pixels->shape[0]; ++i) {
        double worst = sum_error(m, traces[i]);
        if (!(worst < 1e-4)) fail_msg("%s: contributions miss the embedding by %g", m->info->name, worst);
    }
    release_all(traces, pixels->shape[0]);
}

static void contributions_sum_to_the_embedding(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(golden_models) * backend_count; ++i) {
        const golden_model *g = &golden_models[i / backend_count];
        opened_model m = open_folder(g->folder, &backends[i % backend_count], 32);
        npy_array pixels = golden(g->name, "pixels");
        assert_sums_up(&m, &pixels);
        free(pixels.data);
        close_model(&m);
    }
}

/* Sanitizers make the large ones take minutes. */
#ifdef TEST_SANITIZED
#define SHAPES_THAT_FIT "ViT-B-32-openai"
#else
#define SHAPES_THAT_FIT                                                                                      \
    "ViT-B-32-openai", "ViT-B-32-datacomp_m_s128m_b4k", "ViT-B-16-openai", "ViT-B-16-laion2b_s34b_b88k",     \
        "ViT-L-14-openai", "ViT-L-14-laion2b_s32b_b82k", "ViT-L-14-336-openai", "ViT-H-14-laion2b_s32b_b79k"
#endif

/* Every published shape, with random weights: a folder that holds nothing but a configuration is enough. */
static void contributions_sum_up_for_every_shape(void **state) {
    (void)state;
    static const char *const shapes[] = {SHAPES_THAT_FIT};
    const backend_case *fastest = &backends[0];
    for (size_t b = 0; b < backend_count; ++b) {
        if (strcmp(backends[b].name, "reference") != 0) fastest = &backends[b];
    }
    for (size_t i = 0; i < COUNT(shapes); ++i) {
        char *folder = text("%s/configs/shapes/%s", TEST_SOURCE, shapes[i]);
        hl_model_source source = {.path = folder, .random_weights = true, .seed = 7};
        opened_model m = open_source(source, fastest, 2);
        npy_array pixels = noise(2, m.info->preprocess.size);
        assert_sums_up(&m, &pixels);
        free(pixels.data);
        close_model(&m);
        free(folder);
    }
}

static npy_array random_embedding(const char *folder, uint64_t seed) {
    hl_error error;
    opened_model m =
        open_source((hl_model_source){.path = folder, .random_weights = true, .seed = seed}, &backends[0], 1);
    npy_array pixels = noise(1, m.info->preprocess.size), out = SHAPED(2, m.dim);
    int32_t ids[77] = {2046, 5, 2047};
    hl_trace *trace;
    assert_ok(api.encode_images(m.session, pixels.data, 1, NULL, &trace, &error), error);
    api.embedding(trace, out.data);
    assert_ok(api.encode_texts(m.session, ids, 1, out.data + m.dim, &error), error);
    api.release(trace);
    free(pixels.data);
    close_model(&m);
    return out;
}

static void random_weights_follow_from_the_seed(void **state) {
    (void)state;
    const char *folder = TEST_GOLDEN "/tiny-a/model"; /* the weights in it are not looked at */
    npy_array a = random_embedding(folder, 1), b = random_embedding(folder, 1),
              c = random_embedding(folder, 2);
    assert_memory_equal(a.data, b.data, a.elements * sizeof *a.data);
    assert_true(worst_error(&a, &c) > 0.1);
    free(a.data);
    free(b.data);
    free(c.data);
}

/* What an image gives does not depend on its neighbours in the batch. */
static void images_do_not_see_each_other(void **state) {
    (void)state;
    hl_error error;
    npy_array pixels = golden("tiny-b", "pixels");
    size_t count = pixels.shape[0], each = pixels.elements / count;
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model m = open_folder(TEST_GOLDEN "/tiny-b/model", &backends[b], count);
        npy_array together = SHAPED(count, m.dim), alone = SHAPED(count, m.dim);
        hl_trace *traces[32], *one;
        encode_all(&m, &pixels, NULL, 0, traces);
        for (size_t i = 0; i < count; ++i) {
            api.embedding(traces[i], together.data + i * m.dim);
            assert_ok(api.encode_images(m.session, pixels.data + i * each, 1, NULL, &one, &error), error);
            api.embedding(one, alone.data + i * m.dim);
            api.release(one);
        }
        assert_close("alone", &together, &alone, 1e-5);
        release_all(traces, count);
        free(together.data);
        free(alone.data);
        close_model(&m);
    }
    free(pixels.data);
}

/* The pooled row of a text is that of the first end token, whatever follows it. */
static void texts_do_not_see_what_follows_their_end(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model m = open_folder(TINY_A, &backends[b], 2);
        size_t context = m.info->context;
        int32_t *ids = memory(3 * context, sizeof *ids);
        assert_ok(api.tokenize(m.model, "a cat", ids, &error), error);
        memcpy(ids + context, ids, context * sizeof *ids);
        ids[2 * context - 1] = 2047;
        ids[2 * context - 2] = 17;
        npy_array alone = SHAPED(1, m.dim), both = SHAPED(2, m.dim), first = SHAPED(1, m.dim);
        assert_ok(api.encode_texts(m.session, ids, 1, alone.data, &error), error);
        assert_ok(api.encode_texts(m.session, ids, 2, both.data, &error), error);
        for (size_t i = 0; i < 2; ++i) {
            memcpy(first.data, both.data + i * m.dim, m.dim * sizeof *first.data);
            assert_close("text", &alone, &first, 1e-6);
        }
        free(ids);
        free(alone.data);
        free(both.data);
        free(first.data);
        close_model(&m);
    }
}

/* The configuration `from` with one piece of it changed. */
static void write_config(const char *folder, const char *from, const char *what, const char *by) {
    char *stored = read_file(from, NULL), *found = strstr(stored, what);
    if (!found) fail_msg("%s does not hold %s", from, what);
    char *changed = text("%.*s%s%s", (int)(found - stored), stored, by, found + strlen(what));
    char *to = text("%s/%s", folder, CONFIG);
    write_text(to, changed);
    free(to);
    free(changed);
    free(stored);
}

/* A convolution passes over pixels at the right and at the bottom that no whole patch covers. */
static void pixels_beyond_the_grid_do_not_count(void **state) {
    (void)state;
    hl_error error;
    char *folder = make_folder();
    copy_folder(TINY_A, folder);
    write_config(folder, TINY_A "/" CONFIG, "\"image_size\": 32", "\"image_size\": 37");
    npy_array pixels = golden("tiny-a", "pixels"), wide = noise(2, 37);
    for (size_t row = 0; row < 2 * 3 * 32; ++row) {
        memcpy(wide.data + (row / 32 * 37 + row % 32) * 37, pixels.data + row * 32, 32 * sizeof(float));
    }
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model exact = open_folder(TINY_A, &backends[b], 2),
                     margin = open_folder(folder, &backends[b], 2);
        assert_int_equal(margin.info->preprocess.size, 37);
        assert_int_equal(margin.info->grid_rows, 4);
        hl_trace *traces[4];
        assert_ok(api.encode_images(exact.session, pixels.data, 2, NULL, traces, &error), error);
        assert_ok(api.encode_images(margin.session, wide.data, 2, NULL, traces + 2, &error), error);
        float a[32], c[32];
        for (size_t i = 0; i < 2; ++i) {
            api.embedding(traces[i], a);
            api.embedding(traces[i + 2], c);
            assert_memory_equal(a, c, sizeof a);
        }
        release_all(traces, 4);
        close_model(&exact);
        close_model(&margin);
    }
    free(pixels.data);
    free(wide.data);
    remove_folder(folder);
}

/* ---- edits ---- */

/* Where a tensor's f32 numbers begin in a .safetensors file that lies in memory. */
static float *tensor_in(char *file, const char *name) {
    uint64_t header;
    size_t first;
    memcpy(&header, file, sizeof header);
    char *key = text("\"%s\":", name), *found = strstr(file + 8, key);
    assert_non_null(found);
    found = strstr(found, "\"data_offsets\":[");
    assert_int_equal(sscanf(found, "\"data_offsets\":[%zu", &first), 1);
    free(key);
    return (float *)(void *)(file + 8 + header + first);
}

/* tiny-a without what head `head` of layer `layer` writes: its columns of W_O are zero. */
static char *folder_without_head(size_t layer, size_t head) {
    enum { WIDTH = 48, OWN = 16 };
    char *folder = make_folder(), *path = text("%s/%s", folder, WEIGHTS);
    copy_folder(TINY_A, folder);
    size_t count;
    char *file = read_file(path, &count);
    char *name = text("visual.transformer.resblocks.%zu.attn.out_proj.weight", layer);
    float *matrix = tensor_in(file, name);
    for (size_t row = 0; row < WIDTH; ++row)
        memset(matrix + row * WIDTH + head * OWN, 0, OWN * sizeof *matrix);
    write_file(path, file, count);
    free(name);
    free(file);
    free(path);
    return folder;
}

static npy_array embeddings(const opened_model *m, hl_trace **traces, size_t count) {
    npy_array out = SHAPED(count, m->dim);
    for (size_t i = 0; i < count; ++i) api.embedding(traces[i], out.data + i * m->dim);
    return out;
}

static npy_array edited(const opened_model *m, const npy_array *pixels, const hl_edit *const *edits,
                        size_t count) {
    hl_trace *traces[32];
    encode_all(m, pixels, edits, count, traces);
    npy_array out = embeddings(m, traces, pixels->shape[0]);
    release_all(traces, pixels->shape[0]);
    return out;
}

static hl_edit scale(uint32_t index, float factor) {
    return (hl_edit){.site = HL_SITE_HEAD, .action = HL_EDIT_SCALE, .component = index, .factor = factor};
}

static void ablating_a_head_is_a_model_without_it(void **state) {
    (void)state;
    npy_array pixels = golden("tiny-a", "pixels");
    size_t count = pixels.shape[0];
    for (size_t i = 0; i < 3 * backend_count; ++i) {
        const backend_case *b = &backends[i / 3];
        size_t layer = i % 3, head = 2 - layer;
        char *folder = folder_without_head(layer, head), *name = text("L%zu.H%zu", layer, head);
        opened_model whole = open_folder(TINY_A, b, count), without = open_folder(folder, b, count);
        const hl_edit edit = scale(find(&whole, name), 0), *const edits[] = {&edit};
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
    encode_all(m, pixels, edits, edit_count, traces);
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
        uint32_t index = find(&m, "L1.H2");
        const hl_edit twice = scale(index, 2), minus = scale(index, -1.5F), *const edits[] = {&twice, &minus};
        hl_trace *traces[32], *plain[32];
        encode_all(&m, &pixels, edits, 2, traces);
        encode_all(&m, &pixels, NULL, 0, plain);
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
            uint32_t index = find(&m, name);
            const hl_edit replace = {HL_SITE_HEAD, HL_EDIT_REPLACE, index, NULL, 0, 0, values};
            const hl_edit half = scale(index, 0.5F), *const edits[] = {&replace, &half};
            hl_trace *traces[32];
            encode_all(&m, &pixels, edits, 2, traces);
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
        hl_edit all = scale(find(&m, last ? "L2.H0" : "L0.H0"), 0), first = all, rest = all;
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

/* ---- requests ---- */

static void assert_refused(const opened_model *m, const hl_capture *capture, const hl_edit *edit,
                           const char *named) {
    hl_error error;
    const hl_request request = make_request(&capture, capture ? 1 : 0, &edit, edit ? 1 : 0);
    static float pixels[3 * 32 * 32];
    hl_trace *trace = NULL;
    assert_int_equal(api.encode_images(m->session, pixels, 1, &request, &trace, &error), HL_USAGE);
    assert_null(trace);
    if (!strstr(error.message, named)) fail_msg("\"%s\" does not name %s", error.message, named);
}

static void what_cannot_be_is_refused_by_name(void **state) {
    (void)state;
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    const uint32_t head = find(&m, "L1.H1"), mlp = find(&m, "L1.MLP"), input = find(&m, "input");
    const uint32_t beyond = m.info->component_count, row = 17;
    static float values[16];
    const struct {
        hl_capture capture;
        const char *named;
    } captures[] = {
        {{HL_SITE_HEAD, HL_ROWS_ALL, HL_DETAIL_CODES, NULL, 0}, "HL_ROWS_ALL"},
        {{HL_SITE_HEAD, 77, HL_DETAIL_CODES, NULL, 0}, "rows 77"},
        {{7, HL_ROWS_POOLED, HL_DETAIL_CODES, NULL, 0}, "site 7"},
        {{HL_SITE_HEAD, HL_ROWS_POOLED, 9, NULL, 0}, "detail 9"},
        {{HL_SITE_MLP, HL_ROWS_POOLED, HL_DETAIL_TOKENS, NULL, 0}, "HL_DETAIL_TOKENS"},
        {{HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_CODES, &mlp, 1}, "L1.MLP"},
        {{HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_CODES, &input, 1}, "input"},
        {{HL_SITE_MLP, HL_ROWS_POOLED, HL_DETAIL_CODES, &head, 1}, "L1.H1"},
        {{HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_CODES, &beyond, 1}, "component 13"},
    };
    const struct {
        hl_edit edit;
        const char *named;
    } edits[] = {
        {{HL_SITE_HEAD, HL_EDIT_ADD, head, NULL, 0, 1, values}, "HL_EDIT_ADD"},
        {{HL_SITE_HEAD, 9, head, NULL, 0, 1, values}, "action 9"},
        {{HL_SITE_MLP, HL_EDIT_SCALE, mlp, NULL, 0, 0, NULL}, "HL_SITE_MLP"},
        {{5, HL_EDIT_SCALE, head, NULL, 0, 0, NULL}, "site 5"},
        {{HL_SITE_HEAD, HL_EDIT_SCALE, mlp, NULL, 0, 0, NULL}, "L1.MLP"},
        {{HL_SITE_HEAD, HL_EDIT_SCALE, beyond, NULL, 0, 0, NULL}, "component 13"},
        {{HL_SITE_HEAD, HL_EDIT_REPLACE, head, NULL, 0, 0, NULL}, "L1.H1"},
        {{HL_SITE_HEAD, HL_EDIT_SCALE, head, &row, 1, 0, NULL}, "query row 17"},
        {{HL_SITE_HEAD, HL_EDIT_SCALE, head, NULL, 0, NAN, NULL}, "L1.H1"},
    };
    for (size_t i = 0; i < COUNT(captures); ++i)
        assert_refused(&m, &captures[i].capture, NULL, captures[i].named);
    for (size_t i = 0; i < COUNT(edits); ++i) assert_refused(&m, NULL, &edits[i].edit, edits[i].named);
    close_model(&m);
}

static void counts_and_ids_are_checked(void **state) {
    (void)state;
    hl_error error;
    hl_session *session = NULL;
    opened_model m = open_folder(TINY_A, &backends[0], 2);
    static float pixels[3 * 3 * 32 * 32], out[3 * 32];
    hl_trace *traces[3];
    int32_t ids[3 * 32] = {2046, 2048};
    assert_int_equal(api.encode_images(m.session, pixels, 3, NULL, traces, &error), HL_USAGE);
    assert_int_equal(api.encode_texts(m.session, ids, 3, out, &error), HL_USAGE);
    assert_int_equal(api.encode_texts(m.session, ids, 1, out, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "2048"));
    ids[1] = -1;
    assert_int_equal(api.encode_texts(m.session, ids, 1, out, &error), HL_USAGE);
    assert_int_equal(api.open_session(m.model, 0, &session, &error), HL_USAGE);
    assert_int_equal(api.open_session(m.model, SIZE_MAX, &session, &error), HL_USAGE);
    assert_int_equal(api.basis(m.model, m.info->basis_count, out, &error), HL_USAGE);
    assert_ok(api.encode_images(m.session, pixels, 0, NULL, traces, &error), error);
    assert_ok(api.encode_texts(m.session, ids, 0, out, &error), error);
    close_model(&m);
}

static void traces_tell_only_what_was_captured(void **state) {
    (void)state;
    hl_error error;
    npy_array pixels = golden("tiny-a", "pixels");
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    const uint32_t heads[] = {find(&m, "L1.H1"), find(&m, "L2.H0")}, mlp = find(&m, "L0.MLP");
    const hl_capture some = {HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_TOKENS, heads, 1};
    const hl_capture other = {HL_SITE_HEAD, HL_ROWS_POOLED, HL_DETAIL_CODES, heads + 1, 1};
    const hl_capture one_mlp = {HL_SITE_MLP, HL_ROWS_POOLED, HL_DETAIL_CODES, &mlp, 1};
    const hl_capture *const captures[] = {&some, &other, &one_mlp};
    const hl_request request = make_request(captures, 3, NULL, 0);
    hl_trace *trace, *whole, *codes;
    float code[64], expected[64], parts[17 * 19];
    assert_ok(api.encode_images(m.session, pixels.data, 1, &request, &trace, &error), error);
    const hl_capture *const everything[] = {&head_codes, &mlp_codes};
    const hl_request all = make_request(everything, 2, NULL, 0);
    assert_ok(api.encode_images(m.session, pixels.data, 1, &all, &codes, &error), error);
    pixels.shape[0] = 1;
    encode_all(&m, &pixels, NULL, 0, &whole);
    for (uint32_t i = 0; i < m.info->component_count; ++i) {
        bool known = i == heads[0] || i == heads[1] || i == mlp;
        assert_int_equal(api.code(trace, i, code, &error), known ? HL_OK : HL_USAGE);
        if (!known) assert_non_null(strstr(error.message, component(&m, i)->name));
        assert_ok(api.code(whole, i, expected, &error), error);
        if (known) assert_memory_equal(code, expected, code_width(component(&m, i)) * sizeof *code);
        assert_int_equal(api.token_codes(trace, i, parts, &error), i == heads[0] ? HL_OK : HL_USAGE);
        assert_int_equal(api.token_codes(codes, i, parts, &error), HL_USAGE);
        assert_ok(api.code(codes, i, code, &error), error);
        assert_memory_equal(code, expected, code_width(component(&m, i)) * sizeof *code);
    }
    assert_int_equal(api.code(trace, 13, code, &error), HL_USAGE);
    assert_true(api.bytes(trace) < api.bytes(whole) && api.bytes(codes) < api.bytes(whole));
    api.retain(trace);
    api.release(trace);
    assert_ok(api.code(trace, heads[0], code, &error), error);
    api.release(trace);
    api.release(whole);
    api.release(codes);
    api.release(NULL);
    free(pixels.data);
    close_model(&m);
}

static void cancelling_stops_a_pass(void **state) {
    (void)state;
    hl_error error;
    static float pixels[3 * 32 * 32], out[32];
    static const int32_t ids[32] = {2046, 2047};
    hl_trace *trace = NULL;
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    atomic_store(&cancel, true);
    assert_int_equal(api.encode_images(m.session, pixels, 1, NULL, &trace, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_null(trace);
    assert_int_equal(api.encode_texts(m.session, ids, 1, out, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    atomic_store(&cancel, false);
    close_model(&m);
}

static void numbers_that_are_not_finite_are_an_error(void **state) {
    (void)state;
    hl_error error;
    static float pixels[3 * 32 * 32];
    hl_trace *trace = NULL;
    pixels[100] = NAN;
    for (size_t b = 0; b < backend_count; ++b) {
        opened_model m = open_folder(TINY_A, &backends[b], 1);
        assert_int_equal(api.encode_images(m.session, pixels, 1, NULL, &trace, &error), HL_FAILED);
        assert_non_null(strstr(error.message, "not finite"));
        assert_null(trace);
        close_model(&m);
    }
}

/* ---- opening ---- */

static void info_says_what_the_configuration_says(void **state) {
    (void)state;
    opened_model m = open_folder(TEST_GOLDEN "/tiny-b/model/", &backends[0], 1);
    assert_string_equal(m.info->name, "tiny-b");
    assert_string_equal(m.info->summary, "ViT, 4 layers x 4 heads of width 24, patch 12, 48 pixels");
    assert_int_equal(m.info->embed_dim, 40);
    assert_int_equal(m.info->context, 24);
    assert_int_equal(m.info->patch, 12);
    assert_int_equal(m.info->grid_rows * 10 + m.info->grid_cols, 44);
    assert_int_equal(m.info->component_count, 1 + 4 * 5);
    assert_int_equal(m.info->basis_count, 17);
    assert_true(m.info->preprocess.mean[2] == 0.40821073F && m.info->preprocess.deviation[0] == 0.26862954F);
    static const char *const names[] = {"input", "L0.H0", "L0.H1", "L0.H2", "L0.H3", "L0.MLP", "L1.H0"};
    for (uint32_t i = 0; i < COUNT(names); ++i) assert_string_equal(component(&m, i)->name, names[i]);
    const hl_component *head = component(&m, find(&m, "L3.H2")), *mlp = component(&m, find(&m, "L3.MLP"));
    assert_true(head->kind == HL_HEAD && head->layer == 3 && head->index == 2 && head->has_tokens);
    assert_true(head->width == 24 && head->scalar_count == 3 && head->basis == 14);
    assert_true(mlp->kind == HL_MLP && mlp->layer == 3 && mlp->index == -1 && !mlp->has_tokens);
    assert_true(mlp->width == 96 && mlp->scalar_count == 2 && mlp->basis == 16);
    assert_true(component(&m, 0)->kind == HL_INPUT && component(&m, 0)->basis == 16);
    close_model(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_golden),
        cmocka_unit_test(half_precision_files_hold_their_values),
        cmocka_unit_test(contributions_sum_to_the_embedding),
        cmocka_unit_test(contributions_sum_up_for_every_shape),
        cmocka_unit_test(random_weights_follow_from_the_seed),
        cmocka_unit_test(images_do_not_see_each_other),
        cmocka_unit_test(texts_do_not_see_what_follows_their_end),
        cmocka_unit_test(pixels_beyond_the_grid_do_not_count),
        cmocka_unit_test(ablating_a_head_is_a_model_without_it),
        cmocka_unit_test(scaled_heads_stay_consistent),
        cmocka_unit_test(replaced_heads_write_the_values),
        cmocka_unit_test(edits_touch_the_rows_that_they_name),
        cmocka_unit_test(what_cannot_be_is_refused_by_name),
        cmocka_unit_test(counts_and_ids_are_checked),
        cmocka_unit_test(traces_tell_only_what_was_captured),
        cmocka_unit_test(cancelling_stops_a_pass),
        cmocka_unit_test(numbers_that_are_not_finite_are_an_error),
        cmocka_unit_test(info_says_what_the_configuration_says),
    };
    return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}
