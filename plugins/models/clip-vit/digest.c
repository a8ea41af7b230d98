/* What tells one model from any other: its stored weights, or the seed of random ones, and whatever else of
 * the configuration changes what the image tower computes. */
#include "clip_vit.h"

#include <inttypes.h>
#include <xxhash.h>

/* Stored weights have the shapes of both towers; what a seed makes of the text tower depends on its own. */
static void add_text_tower(const text_shape *text, char *out, size_t room) {
    const tower_shape *layers = &text->layers;
    size_t used = strlen(out);
    snprintf(out + used, room - used, " text %zu %zu %zu %zu context %zu vocabulary %zu", layers->layers,
             layers->width, layers->heads, layers->hidden, text->context, text->vocab_size);
}

/* What most models have alike is not said, so that their digests stay what they were. */
static void add_unusual(const image_shape *image, char *out, size_t room) {
    const tower_shape *layers = &image->layers;
    size_t used = strlen(out);
    if (image->image_width != image->image_height) {
        used += (size_t)snprintf(out + used, room - used, " by %zu", image->image_width);
    }
    if (layers->epsilon != 1e-5F) {
        used += (size_t)snprintf(out + used, room - used, " epsilon %a", (double)layers->epsilon);
    }
    if (image->pooling != IMAGE_POOL_CLASS) {
        snprintf(out + used, room - used, " pooling %d", (int)image->pooling);
    }
}

hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const clip_config *config = &model->config;
    const tower_shape *image = &config->image.layers;
    const float *mean = config->preprocess.mean, *deviation = config->preprocess.deviation;
    char weights[128], text[768];
    hl_status status = checkpoint_digest(&model->weights, weights, error);
    if (status) return status;
    if (!model->weights.file) add_text_tower(&config->text, weights, sizeof weights);
    snprintf(text, sizeof text,
             "%s embed %zu image %zu patch %zu layers %zu width %zu heads %zu hidden %zu activation "
             "%d mean %a %a %a deviation %a %a %a",
             weights, config->image.embed_dim, config->image.image_height, config->image.patch, image->layers,
             image->width, image->heads, image->hidden, (int)image->activation, (double)mean[0],
             (double)mean[1], (double)mean[2], (double)deviation[0], (double)deviation[1],
             (double)deviation[2]);
    add_unusual(&config->image, text, sizeof text);
    XXH128_hash_t hash = XXH3_128bits(text, strlen(text));
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
    return HL_OK;
}
