/* The configuration of model/clip-vit: any bytes are refused or become sizes whose products cannot overflow.
 */
#include "plugins/models/clip-vit/config.c"
#include "plugins/models/clip-vit/hugging_face.c"
#include "plugins/models/clip-vit/timm.c"

#include "tests/fuzz/clip_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    hl_error error;
    clip_config config;
    char *json = copy_text(bytes, count);
    if (!json) return 0;
    if (config_parse("fuzz", json, count, &config, &error) == HL_OK) check_config(&config);
    free(json);
    return 0;
}
