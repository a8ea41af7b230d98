/* config.json and preprocessor_config.json of transformers' CLIPModel, CLIPVisionModelWithProjection and
 * CLIPVisionModel, said in open_clip's words. */
#ifndef HUGGING_FACE_H
#define HUGGING_FACE_H

#include "configuration/configuration.h"

#define HUGGING_FACE_CONFIG       "config.json"
#define HUGGING_FACE_PREPROCESSOR "preprocessor_config.json"

/* Whether config.json's text speaks of a CLIP model of transformers'. */
bool hugging_face_is_clip(const cJSON *config);

/* Makes what open_clip_config.json would say. Reads `config` strictly: what would make another model is
 * refused by name. cJSON_Delete *out. *projected: whether the image tower ends in a projection. */
void hugging_face_translate(config_reader *r, const cJSON *config, cJSON **out, bool *projected);

/* Puts preprocess_cfg into what the above made. */
void hugging_face_add_preprocess(config_reader *r, const cJSON *preprocessor, cJSON *to);

#endif
