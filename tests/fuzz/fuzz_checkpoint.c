/* The header of a .safetensors file held against a configuration: whatever both say, they are refused or
 * every tensor of the model can be read and none is left over that could matter.
 *
 * An input is the configuration, NUL, how many bytes of data there are (four bytes, low first), the header.
 */
#include "plugins/models/clip-vit/config.c"
#include "plugins/models/clip-vit/hugging_face.c"
#include "plugins/models/clip-vit/tensors.c"
#include "plugins/models/clip-vit/timm.c"

#include "core/weights/safetensors.h"
#include "core/weights/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { MOST_DATA = 1 << 16 };

/* The file that `open` opens, whatever its path. */
static uint8_t *file;
static size_t file_count;

static hl_status open_file(const char *path, hl_weights **weights, hl_error *error) {
    return safetensors_parse(path, file, file_count, weights, error);
}

static const void *extension(const hl_host *host, const char *name) {
    static hl_weights_api api;
    (void)host, (void)name;
    api = weights_api;
    api.open = open_file;
    return &api;
}

static bool make_file(const uint8_t *bytes, size_t count) {
    if (count < 4) return false;
    size_t data = (bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16) % (MOST_DATA + 1);
    uint64_t header = count - 4;
    file_count = sizeof header + header + data;
    file = calloc(file_count, 1);
    if (!file) return false;
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, bytes + 4, header);
    return true;
}

static void check_tensor(const checkpoint *weights, tensor_spec spec) {
    hl_error error;
    float *numbers = NULL;
    spec = checkpoint_spec(weights, spec);
    if (checkpoint_take(weights, &spec, &numbers, &error) != HL_OK) __builtin_trap();
    free(numbers);
}

static bool may_be_left(const checkpoint *weights, const char *name) {
    name += strlen(weights->before);
    for (const char *const *known = open_clip_harmless; *known; ++known) {
        size_t length = strlen(name), tail = strlen(*known);
        if (strcmp(name, *known) == 0) return true;
        if (**known == '.' && length >= tail && strcmp(name + length - tail, *known) == 0) return true;
    }
    return false;
}

static void check_opened(const checkpoint *weights, const vit_config *config) {
    const tower_shape *image = &config->image.layers, *text = &config->text.layers;
    size_t most = IMAGE_SLOTS + TEXT_SLOTS + LAYER_SLOTS * (image->layers + text->layers);
    tensor_spec *all = calloc(most, sizeof *all);
    if (!all) return;
    size_t count = image_tensors(&config->image, all), mattering = 0;
    count += layer_tensors(image, all + count);
    if (config->has_texts) count += text_tensors(&config->text, all + count);
    if (config->has_texts) count += layer_tensors(text, all + count);
    for (size_t i = 0; i < count; ++i) check_tensor(weights, all[i]);
    free(all);
    const hl_stored_tensor *tensor;
    for (size_t i = 0; (tensor = weights->api->at(weights->file, i)); ++i)
        mattering += !may_be_left(weights, tensor->name);
    /* queries, keys and values may lie apart */
    if (mattering < count) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    const hl_host host = {.size = sizeof host, .extension = extension};
    const hl_model_source source = {.size = sizeof source, .path = "fuzz"};
    const uint8_t *end = memchr(bytes, '\0', count);
    clip_config config;
    checkpoint weights;
    hl_error error;
    if (!end) return 0;
    size_t length = (size_t)(end - bytes);
    if (config_parse("fuzz", (const char *)bytes, length, &config, &error) != HL_OK) return 0;
    if (!make_file(end + 1, count - length - 1)) return 0;
    tensors_name(&config);
    if (tensors_open(&host, &source, NULL, &config, &weights, &error) == HL_OK) {
        check_opened(&weights, &config.vit);
        checkpoint_close(&weights);
    }
    free(file);
    return 0;
}
