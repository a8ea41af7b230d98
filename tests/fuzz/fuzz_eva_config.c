/* Both configurations of model/eva-clip: any bytes are refused or become sizes whose products cannot
 * overflow. */
#include "plugins/models/eva-clip/config.c"
#include "plugins/models/eva-clip/eva_json.c"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check_sizes(const vit_config *config) {
    const image_shape *image = &config->image;
    const tower_shape *layers = &image->layers;
    if (image->grid_rows < 1 || image->grid_rows > OPEN_CLIP_GRID || layers->layers < 1 ||
        layers->layers > OPEN_CLIP_LAYERS || layers->width < 1 || layers->width > OPEN_CLIP_WIDTH ||
        layers->hidden < 1 || layers->hidden > OPEN_CLIP_HIDDEN || layers->width % layers->heads != 0 ||
        head_width(layers) % 4 != 0 || image->grid_rows * image->patch > image->image_height) {
        fprintf(stderr, "a shape that cannot be\n");
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    vit_config config = {.has_texts = false};
    hl_error error;
    char *json = malloc(count + 1);
    if (!json) return 0;
    memcpy(json, bytes, count);
    json[count] = '\0';
    if (parse("fuzz", json, count, &config, &error) == HL_OK) check_sizes(&config);
    free(json);
    return 0;
}
