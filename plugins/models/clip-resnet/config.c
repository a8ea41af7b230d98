/* open_clip_config.json -> resnet_config. Refuses by name whatever would make the image tower another one
 * than this plugin computes. Never looks at weights. */
#include "resnet.h"

#include <math.h>

enum { MOST_BLOCKS = 256, MOST_CHANNELS = 1 << 12, USUAL_HEAD = 64 };

static const config_setting vision_settings[] = {{"layers", CONFIG_READ},
                                                 {"width", CONFIG_READ},
                                                 {"head_width", CONFIG_READ},
                                                 {"image_size", CONFIG_READ},
                                                 /* of a transformer */
                                                 {"patch_size", CONFIG_WITHOUT_EFFECT},
                                                 {"mlp_ratio", CONFIG_WITHOUT_EFFECT},
                                                 {"image_seq_len", CONFIG_WITHOUT_EFFECT},
                                                 {"patch_dropout", CONFIG_WITHOUT_EFFECT},
                                                 {"output_tokens", CONFIG_WITHOUT_EFFECT},
                                                 {NULL, NULL}};

static void read_stages(config_reader *r, config_section vision, trunk_shape *out) {
    const cJSON *stages = config_find(vision, "layers");
    for (int i = 0; i < TRUNK_STAGES; ++i) {
        const cJSON *item = cJSON_GetArraySize(stages) == TRUNK_STAGES ? cJSON_GetArrayItem(stages, i) : NULL;
        double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        if (!(value >= 1 && value <= MOST_BLOCKS && value == floor(value))) {
            config_refuse(r, HL_FAILED,
                          "%s.layers: expected the blocks of %d stages, whole numbers from 1 to %d",
                          vision.path, TRUNK_STAGES, MOST_BLOCKS);
            return;
        }
        out->blocks[i] = (size_t)value;
    }
}

static void read_image_tower(config_reader *r, const open_clip_config *from, resnet_config *config) {
    trunk_shape *trunk = &config->trunk;
    config_check_settings(r, from->vision, vision_settings);
    read_stages(r, from->vision, trunk);
    trunk->width = config_read_size(r, from->vision, "width", 64, 2, MOST_CHANNELS);
    trunk->image = config_read_side(r, from->vision, "image_size", 224, OPEN_CLIP_IMAGE);
    size_t head = config_read_size(r, from->vision, "head_width", USUAL_HEAD, 1, OPEN_CLIP_WIDTH);
    if (r->status) return;
    if (trunk->width % 2 != 0 || trunk_channels(trunk) % head != 0) {
        config_refuse(r, HL_FAILED,
                      "%s.width: is %zu, expected an even number of which 32 times are heads of width %zu",
                      from->vision.path, trunk->width, head);
    }
    if (trunk->image % TRUNK_REDUCTION != 0) {
        config_refuse(r, HL_FAILED, "%s.image_size: is %zu, expected a multiple of %d", from->vision.path,
                      trunk->image, TRUNK_REDUCTION);
    }
    config->pool = (pool_shape){.tokens = 1 + trunk_grid(trunk) * trunk_grid(trunk),
                                .width = trunk_channels(trunk),
                                .heads = trunk_channels(trunk) / head,
                                .embed_dim = from->embed_dim};
}

hl_status config_parse(const char *name, const char *json, size_t length, void *out, hl_error *error) {
    resnet_config *config = out;
    *config = (resnet_config){.text = {.context = 0}};
    cJSON *parsed;
    hl_status status = config_parse_json(name, json, length, &parsed, error);
    if (status) return status;
    config_reader r = {PLUGIN_NAME, name, HL_OK, error};
    open_clip_config from;
    open_clip_read(&r, parsed, &from);
    if (r.status == HL_OK) read_image_tower(&r, &from, config);
    if (r.status == HL_OK) {
        open_clip_read_text(&r, &from, &config->text, &config->tokenizer);
        open_clip_read_preprocess(&r, &from, config->trunk.image, config->trunk.image, &config->preprocess);
    }
    cJSON_Delete(parsed);
    return r.status;
}
