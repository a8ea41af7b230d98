/* The configuration of model/clip-vit: any bytes are refused or become sizes whose products cannot overflow.
 */
#include "plugins/models/clip-vit/config.c"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check_tower(const tower_shape *tower) {
    if (!tower->layers || !tower->width || !tower->heads || !tower->hidden) __builtin_trap();
    if (tower->width % tower->heads || tower->width > MAX_WIDTH || tower->hidden > MAX_HIDDEN)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    hl_error error;
    clip_config config;
    char *json = malloc(count + 1);
    if (!json) return 0;
    memcpy(json, bytes, count);
    json[count] = '\0';
    if (config_parse("fuzz", json, count, &config, &error) == HL_OK) {
        const image_shape *image = &config.image;
        check_tower(&image->layers);
        check_tower(&config.text.layers);
        if (!image->grid || image->grid * image->patch > image->size || !image->embed_dim) __builtin_trap();
        for (int i = 0; i < 3; ++i) {
            if (!isfinite(config.mean[i]) || !(config.deviation[i] > 0)) __builtin_trap();
        }
    }
    free(json);
    return 0;
}
