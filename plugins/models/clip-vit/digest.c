/* What tells one model from any other: its stored weights, or the seed of random ones, and whatever else of
 * the configuration changes what the image tower computes. */
#include "clip_vit.h"

#include <string.h>

/* What most models have alike is not said, so that their digests stay what they were. */
static void add_unusual(const image_shape *image, char *out, size_t room) {
    const tower_shape *layers = &image->layers;
    vit_tell_width(image, out);
    size_t used = strlen(out);
    if (layers->epsilon != 1e-5F) {
        used += (size_t)snprintf(out + used, room - used, " epsilon %a", (double)layers->epsilon);
    }
    if (image->pooling != IMAGE_POOL_CLASS) {
        snprintf(out + used, room - used, " pooling %d", (int)image->pooling);
    }
}

hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const clip_config *config = &model->config;
    const image_shape *image = &config->vit.image;
    const tower_shape *layers = &image->layers;
    const float *mean = config->vit.preprocess.mean, *deviation = config->vit.preprocess.deviation;
    char unusual[128] = "";
    add_unusual(image, unusual, sizeof unusual);
    return two_towers_digest(
        &model->vit.base, out, error,
        "embed %zu image %zu patch %zu layers %zu width %zu heads %zu hidden %zu activation "
        "%d mean %a %a %a deviation %a %a %a%s",
        image->embed_dim, image->image_height, image->patch, layers->layers, layers->width, layers->heads,
        layers->hidden, (int)layers->activation, (double)mean[0], (double)mean[1], (double)mean[2],
        (double)deviation[0], (double)deviation[1], (double)deviation[2], unusual);
}
