/* The configurations of model/siglip: the first byte says whose, the rest is the file. Any bytes are refused
 * or become sizes whose products cannot overflow. */
#include "plugins/models/siglip/config.c"
#include "plugins/models/siglip/tensors.c"
#include "plugins/models/siglip/timm.c"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    siglip_layout layout = data[0] == 'h' ? LAYOUT_HUGGING_FACE : LAYOUT_OPEN_CLIP;
    char *text = calloc(size, 1);
    siglip_config config;
    hl_error error;
    if (!text) return 0;
    memcpy(text, data + 1, size - 1);
    config_parse("fuzz", text, size - 1, layout, &config, &error);
    free(text);
    return 0;
}
