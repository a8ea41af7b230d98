/* Contributions sum to the embedding in every published shape of CLIP, with random weights. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>

/* Sanitizers make the large ones take minutes. */
#ifdef TEST_SANITIZED
#define SHAPES_THAT_FIT "ViT-B-32-openai"
#else
#define SHAPES_THAT_FIT                                                                                      \
    "ViT-B-32-openai", "ViT-B-32-datacomp_m_s128m_b4k", "ViT-B-16-openai", "ViT-B-16-laion2b_s34b_b88k",     \
        "ViT-L-14-openai", "ViT-L-14-laion2b_s32b_b82k", "ViT-L-14-336-openai", "ViT-H-14-laion2b_s32b_b79k"
#endif

/* A folder that holds nothing but a configuration is enough. */
static void contributions_sum_up_for_every_shape(void **state) {
    (void)state;
    static const char *const shapes[] = {SHAPES_THAT_FIT};
    const opened_backend *fastest = &backends[0];
    for (size_t b = 0; b < backend_count; ++b) {
        if (strcmp(backends[b].plugin->name, "reference") != 0) fastest = &backends[b];
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_sum_up_for_every_shape),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
