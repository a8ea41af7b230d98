/* What must hold for any weights of model/clip-vit, on every compute plugin: contributions sum to the
 * embedding, images and texts depend on nothing but themselves. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>

static void contributions_sum_to_the_embedding(void **state) {
    (void)state;
    for (size_t i = 0; i < GOLDEN_MODELS * backend_count; ++i) {
        const golden_model *g = &golden_models[i / backend_count];
        opened_model m = open_folder(g->folder, &backends[i % backend_count], 32);
        npy_array pixels = golden(g->name, "pixels");
        assert_sums_up(&m, &pixels);
        free(pixels.data);
        close_model(&m);
    }
}

static npy_array random_embedding(const char *folder, uint64_t seed) {
    hl_error error;
    opened_model m =
        open_source((hl_model_source){.path = folder, .random_weights = true, .seed = seed}, &backends[0], 1);
    npy_array pixels = noise(1, m.info->preprocess->height), out = SHAPED(2, m.dim);
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
    const char *folder = TINY_A; /* the weights in it are not looked at */
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
        opened_model m = open_folder(TINY_B, &backends[b], count);
        npy_array together = SHAPED(count, m.dim), alone = SHAPED(count, m.dim);
        hl_trace *traces[32], *one;
        encode(&m, &pixels, NULL, 0, traces);
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
        int32_t *ids = zeros(3 * context, sizeof *ids);
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
        assert_int_equal(margin.info->preprocess->height, 37);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_sum_to_the_embedding),
        cmocka_unit_test(random_weights_follow_from_the_seed),
        cmocka_unit_test(images_do_not_see_each_other),
        cmocka_unit_test(texts_do_not_see_what_follows_their_end),
        cmocka_unit_test(pixels_beyond_the_grid_do_not_count),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
