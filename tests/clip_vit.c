#include "tests/clip_vit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

hl_model_api api;

int open_clip_vit(void **state) {
    (void)state;
    open_plugins(2, NULL);
    const hl_plugin *plugin = registry_find(plugins, HL_MODEL, "clip-vit");
    assert_non_null(plugin);
    registry_table(plugin, &api, sizeof api);
    return 0;
}

int open_clip_vit_and_backends(void **state) {
    open_clip_vit(state);
    open_backends();
    return 0;
}

int close_clip_vit(void **state) {
    (void)state;
    close_plugins();
    return 0;
}

void write_config(const char *folder, const char *from, const char *what, const char *by) {
    char *stored = read_file(from, NULL), *found = strstr(stored, what);
    if (!found) fail_msg("%s does not hold %s", from, what);
    char *changed = text("%.*s%s%s", (int)(found - stored), stored, by, found + strlen(what));
    char *to = text("%s/%s", folder, CONFIG);
    write_text(to, changed);
    free(to);
    free(changed);
    free(stored);
}

void add_tensor(const char *folder, const char *name, const char *dtype, const char *shape, size_t bytes) {
    char *path = text("%s/%s", folder, WEIGHTS);
    size_t count;
    char *file = read_file(path, &count);
    uint64_t length;
    memcpy(&length, file, sizeof length);
    char *data = file + sizeof length + length, *header = text("%.*s", (int)length, file + sizeof length);
    size_t data_count = count - sizeof length - length;
    *strrchr(header, '}') = '\0';
    char *longer = text("%s,\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}}", header, name,
                        dtype, shape, data_count, data_count + bytes);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    length = strlen(longer);
    assert_int_equal(fwrite(&length, 1, sizeof length, out), sizeof length);
    assert_int_equal(fwrite(longer, 1, length, out), length);
    assert_int_equal(fwrite(data, 1, data_count, out), data_count);
    for (size_t i = 0; i < bytes; ++i) assert_int_equal(fputc(0x3d, out), 0x3d);
    assert_int_equal(fclose(out), 0);
    free(longer);
    free(header);
    free(file);
    free(path);
}

opened_model open_source(hl_model_source source, const opened_backend *backend, size_t batch) {
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

opened_model open_folder(const char *folder, const opened_backend *backend, size_t batch) {
    return open_source((hl_model_source){.path = folder}, backend, batch);
}

void close_model(opened_model *m) {
    api.close_session(m->session);
    api.close(m->model);
}

const hl_component *component(const opened_model *m, uint32_t index) {
    return hl_component_at(m->info, index);
}

uint32_t find_component(const opened_model *m, const char *name) {
    for (uint32_t i = 0; i < m->info->component_count; ++i) {
        if (strcmp(component(m, i)->name, name) == 0) return i;
    }
    fail_msg("no component %s", name);
    return 0;
}

size_t code_width(const hl_component *c) {
    return c->width + c->scalar_count;
}

float *basis_of(const opened_model *m, uint32_t index) {
    hl_error error;
    float *out = zeros(code_width(component(m, index)) * m->dim, sizeof *out);
    assert_ok(api.basis(m->model, component(m, index)->basis, out, &error), error);
    return out;
}

void add_contribution(const opened_model *m, uint32_t index, const float *code, const float *basis,
                      double *out) {
    for (size_t i = 0; i < code_width(component(m, index)); ++i) {
        for (size_t j = 0; j < m->dim; ++j) out[j] += (double)code[i] * (double)basis[i * m->dim + j];
    }
}

hl_request make_request(const hl_capture *const *captures, size_t capture_count, const hl_edit *const *edits,
                        size_t edit_count) {
    return (hl_request){sizeof(hl_request), captures, capture_count, edits, edit_count};
}

static const hl_capture head_tokens = {sizeof(hl_capture), HL_SITE_HEAD, HL_DETAIL_TOKENS, NULL, 0};
static const hl_capture mlp_codes = {sizeof(hl_capture), HL_SITE_MLP, HL_DETAIL_CODES, NULL, 0};

void encode(const opened_model *m, const npy_array *pixels, const hl_edit *const *edits, size_t edit_count,
            hl_trace **traces) {
    hl_error error;
    const hl_capture *const captures[] = {&head_tokens, &mlp_codes};
    const hl_request request = make_request(captures, 2, edits, edit_count);
    assert_ok(api.encode_images(m->session, pixels->data, pixels->shape[0], &request, traces, &error), error);
}

void release_all(hl_trace **traces, size_t count) {
    for (size_t i = 0; i < count; ++i) api.release(traces[i]);
}

double sum_error(const opened_model *m, const hl_trace *trace) {
    hl_error error;
    double *sum = zeros(m->dim, sizeof *sum), length = 0, worst = 0;
    float *embedding = zeros(m->dim, sizeof *embedding);
    for (uint32_t i = 0; i < m->info->component_count; ++i) {
        float *basis = basis_of(m, i), *code = zeros(code_width(component(m, i)), sizeof *code);
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

void assert_sums_up(const opened_model *m, const npy_array *pixels) {
    hl_trace *traces[32];
    encode(m, pixels, NULL, 0, traces);
    for (size_t i = 0; i < pixels->shape[0]; ++i) {
        double worst = sum_error(m, traces[i]);
        if (!(worst < 1e-4)) fail_msg("%s: contributions miss the embedding by %g", m->info->name, worst);
    }
    release_all(traces, pixels->shape[0]);
}

void *zeros(size_t count, size_t element) {
    void *out = calloc(count, element);
    assert_non_null(out);
    return out;
}

npy_array shaped(size_t rank, const size_t *shape) {
    npy_array out = {.rank = rank, .elements = 1};
    for (size_t i = 0; i < rank; ++i) out.elements *= out.shape[i] = shape[i];
    out.data = zeros(out.elements, sizeof(float));
    return out;
}

npy_array noise(size_t count, size_t side) {
    npy_array out = SHAPED(count, 3, side, side);
    uint32_t state = 12345;
    for (size_t i = 0; i < out.elements; ++i) {
        state = state * 1664525u + 1013904223u;
        out.data[i] = (float)(state >> 8) / 8388608.0F - 1;
    }
    return out;
}

double tolerance_of(const opened_backend *backend) {
    return strcmp(backend->plugin->name, "reference") == 0 ? 2e-5 : 1e-4;
}

void assert_close(const char *what, const npy_array *expected, const npy_array *got, double tolerance) {
    double error = worst_error(expected, got);
    if (!(error <= tolerance)) fail_msg("%s: error %g, at most %g", what, error, tolerance);
}

const golden_model golden_models[GOLDEN_MODELS] = {
    {"tiny-a", TINY_A, 3, 3, true},
    {"tiny-b", TINY_B, 4, 4, true},
    {"mini", TEST_SOURCE "/configs/mini/model", 4, 8, false},
};

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

char *folder_without_head(size_t layer, size_t head) {
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
