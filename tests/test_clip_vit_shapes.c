/* Contributions sum to the embedding in a published shape of CLIP, with random weights: of the shapes that
 * are the arguments, each a folder of configs/shapes; without any, of the smallest one. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>

static const char *const smallest[] = {"ViT-B-32-openai"};
static const char *const *shapes = smallest;
static size_t shape_count = COUNT(smallest);

static const opened_backend *fastest_backend(void) {
    const opened_backend *fastest = &backends[0];
    for (size_t b = 0; b < backend_count; ++b) {
        if (strcmp(backends[b].plugin->name, "reference") != 0) fastest = &backends[b];
    }
    return fastest;
}

/* A folder that holds nothing but a configuration is enough. */
static void contributions_sum_up(void **state) {
    (void)state;
    for (size_t i = 0; i < shape_count; ++i) {
        char *folder = text("%s/configs/shapes/%s", TEST_SOURCE, shapes[i]);
        hl_model_source source = {.path = folder, .random_weights = true, .seed = 7};
        opened_model m = open_source(source, fastest_backend(), 2);
        npy_array pixels = noise(2, m.info->preprocess->height);
        assert_sums_up(&m, &pixels);
        free(pixels.data);
        close_model(&m);
        free(folder);
    }
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_sum_up),
    };
    if (count > 1) {
        shapes = (const char *const *)arguments + 1;
        shape_count = (size_t)count - 1;
    }
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
