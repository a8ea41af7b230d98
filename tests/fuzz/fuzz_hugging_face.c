/* transformers' config.json and, behind a NUL, preprocessor_config.json, as model/clip-vit reads them. */
#include "plugins/models/clip-vit/config.c"
#include "plugins/models/clip-vit/hugging_face.c"
#include "plugins/models/clip-vit/timm.c"

#include "tests/fuzz/clip_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    hl_error error;
    clip_config config;
    char *first = copy_text(bytes, count);
    if (!first) return 0;
    size_t length = strlen(first);
    const char *second = length < count ? first + length + 1 : "{}";
    if (hugging_face_parse("fuzz", first, length, &config, &error) == HL_OK) {
        check_config(&config);
        hl_preprocess *preprocess = &config.vit.preprocess;
        if (hugging_face_parse_preprocessor("clip-vit", "fuzz", second, strlen(second), preprocess, &error) ==
            HL_OK)
            check_config(&config);
    }
    free(first);
    return 0;
}
