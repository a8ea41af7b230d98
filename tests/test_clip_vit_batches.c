/* An image's codes and a text's embedding are the same bits whatever else is in their batch. */
#include "tests/clip_vit.h"
#include "tests/kernels.h"

#include <stdlib.h>
#include <string.h>

/* Shapes of published towers with few layers, and odd ones. */
static const struct {
    const char *name, *vision, *text;
    size_t images;
} shapes[] = {
    {"like ViT-B-32, 50 tokens", "\"image_size\": 224, \"layers\": 1, \"width\": 768, \"patch_size\": 32",
     "\"context_length\": 77, \"vocab_size\": 600, \"width\": 512, \"heads\": 8, \"layers\": 1", 8},
    {"like ViT-L-14-336, 577 tokens",
     "\"image_size\": 336, \"layers\": 1, \"width\": 1024, \"patch_size\": 14, \"mlp_ratio\": 0.5",
     "\"context_length\": 9, \"vocab_size\": 600, \"width\": 768, \"heads\": 12, \"layers\": 1", 2},
    {"like ViT-B-16, 197 tokens",
     "\"image_size\": 224, \"layers\": 1, \"width\": 768, \"patch_size\": 16, \"mlp_ratio\": 1",
     "\"context_length\": 16, \"vocab_size\": 600, \"width\": 512, \"heads\": 8, \"layers\": 1", 3},
    {"65 tokens of width 128",
     "\"image_size\": 64, \"layers\": 3, \"width\": 128, \"head_width\": 16, \"patch_size\": 8",
     "\"context_length\": 32, \"vocab_size\": 600, \"width\": 128, \"heads\": 4, \"layers\": 2", 8},
    {"26 tokens of width 40",
     "\"image_size\": 30, \"layers\": 2, \"width\": 40, \"head_width\": 8, \"patch_size\": 6",
     "\"context_length\": 7, \"vocab_size\": 600, \"width\": 24, \"heads\": 2, \"layers\": 1", 8},
    {"5 tokens of width 392",
     "\"image_size\": 32, \"layers\": 2, \"width\": 392, \"head_width\": 56, \"patch_size\": 16",
     "\"context_length\": 5, \"vocab_size\": 600, \"width\": 100, \"heads\": 2, \"layers\": 1", 8},
};

enum { MOST = 8 };

/* How a gallery of at most 8 may be cut into batches; 0 ends a way. */
static const size_t ways[][MOST + 1] = {{1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 2}, {5, 1, 2}, {2, 6}};

static opened_model open_shape(size_t index, const opened_backend *backend) {
    char *folder = make_folder(), *path = text("%s/%s", folder, CONFIG);
    char *config = text("{\"model_cfg\": {\"embed_dim\": 96, \"vision_cfg\": {%s}, \"text_cfg\": {%s}}}",
                        shapes[index].vision, shapes[index].text);
    write_text(path, config);
    opened_model m =
        open_source((hl_model_source){.path = folder, .random_weights = true, .seed = 7}, backend, MOST);
    free(config);
    free(path);
    remove_folder(folder);
    return m;
}

static npy_array some_images(const npy_array *all, size_t first, size_t count) {
    npy_array out = *all;
    size_t image = all->elements / all->shape[0];
    out.data += first * image;
    out.shape[0] = count;
    out.elements = count * image;
    return out;
}

static void assert_same_trace(const opened_model *m, size_t shape, const hl_trace *one,
                              const hl_trace *other) {
    hl_error error;
    for (uint32_t i = 0; i < m->info->component_count; ++i) {
        size_t width = code_width(component(m, i));
        bool is_head = component(m, i)->kind == HL_HEAD;
        size_t count = is_head ? m->tokens * width : width;
        float *a = zeros(count, sizeof *a), *b = zeros(count, sizeof *b);
        assert_ok(is_head ? api.token_codes(one, i, a, &error) : api.code(one, i, a, &error), error);
        assert_ok(is_head ? api.token_codes(other, i, b, &error) : api.code(other, i, b, &error), error);
        if (memcmp(a, b, count * sizeof *a) != 0) {
            fail_msg("%s: %s differs with the batch", shapes[shape].name, component(m, i)->name);
        }
        free(a);
        free(b);
    }
}

static void check_images(const opened_model *m, size_t shape) {
    npy_array pixels = noise(shapes[shape].images, m->info->preprocess->height);
    hl_trace *all[MOST], *some[MOST];
    encode(m, &pixels, NULL, 0, all);
    for (size_t w = 0; w < COUNT(ways); ++w) {
        size_t first = 0;
        for (size_t i = 0; ways[w][i] && first + ways[w][i] <= shapes[shape].images; ++i) {
            npy_array batch = some_images(&pixels, first, ways[w][i]);
            encode(m, &batch, NULL, 0, some);
            for (size_t k = 0; k < ways[w][i]; ++k) assert_same_trace(m, shape, all[first + k], some[k]);
            release_all(some, ways[w][i]);
            first += ways[w][i];
        }
    }
    release_all(all, shapes[shape].images);
    free(pixels.data);
}

static void check_texts(const opened_model *m, size_t shape) {
    size_t context = m->info->context;
    int32_t *ids = zeros(MOST * context, sizeof *ids);
    for (size_t t = 0; t < MOST; ++t) {
        ids[t * context] = 598;
        for (size_t i = 1; i < context; ++i)
            ids[t * context + i] = i < context - 1 - t % 3 ? (int32_t)(i + t) : 0;
        ids[t * context + context - 1 - t % 3] = 599; /* the end, at different places */
    }
    hl_error error;
    float *all = zeros(MOST * m->dim, sizeof *all), *some = zeros(MOST * m->dim, sizeof *some);
    assert_ok(api.encode_texts(m->session, ids, MOST, all, &error), error);
    for (size_t w = 0; w < COUNT(ways); ++w) {
        for (size_t i = 0, first = 0; first < MOST; first += ways[w][i++]) {
            assert_ok(api.encode_texts(m->session, ids + first * context, ways[w][i], some + first * m->dim,
                                       &error),
                      error);
        }
        if (memcmp(all, some, MOST * m->dim * sizeof *all) != 0) {
            fail_msg("%s: a text differs with the batch", shapes[shape].name);
        }
    }
    free(all);
    free(some);
    free(ids);
}

/* On the backend that users get; test_backends_rows asks the same of every backend's operations. */
static void test_batches(void **state) {
    (void)state;
    const opened_backend *fastest = &backends[0];
    for (size_t b = 0; b < backend_count; ++b) {
        if (strcmp(backends[b].plugin->name, "openblas") == 0) fastest = &backends[b];
    }
    if (!treats_rows_alike(&fastest->compute)) skip();
    for (size_t i = 0; i < COUNT(shapes); ++i) {
        opened_model m = open_shape(i, fastest);
        check_images(&m, i);
        check_texts(&m, i);
        close_model(&m);
    }
}

static int all_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}

int main(void) {
    return with_each_kernel(all_tests);
}
