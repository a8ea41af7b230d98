/* The shape of a SigLIP model, from open_clip's configuration or Hugging Face's. */
#ifndef CONFIG_H
#define CONFIG_H

#include "attention-pool/pooled_tower.h"
#include "open-clip/timm.h"
#include "two-towers/vit_model.h"

#define PLUGIN_NAME "siglip"

/* Whose files these are. The same weights compute something else in each: timm has its own idea of the
 * activation for each name of a model, transformers one for all. */
typedef enum siglip_layout { LAYOUT_OPEN_CLIP, LAYOUT_HUGGING_FACE } siglip_layout;

typedef struct siglip_config {
    siglip_layout layout;
    vit_config vit;
    pool_shape pool;
} siglip_config;

static inline const char *siglip_config_file(siglip_layout layout) {
    return layout == LAYOUT_OPEN_CLIP ? "open_clip_config.json" : "config.json";
}

/* Which of the two lies in the folder; false: neither. */
bool config_find_layout(const char *folder, siglip_layout *out);

/* Whether the configuration names a model of this family, right or wrong. Never fails. */
bool config_is_siglip(const hl_host *host, const char *folder, siglip_layout layout);

/* Every size is checked so that products of a batch, tokens and columns cannot overflow. */
hl_status config_read(const hl_host *host, const char *folder, siglip_layout layout, siglip_config *out,
                      hl_error *error);

/* ---- parts of it ---- */

/* `text` of the configuration, of which text[length] is NUL. `name` is for messages. */
hl_status config_parse(const char *name, const char *text, size_t length, siglip_layout layout,
                       siglip_config *out, hl_error *error);

/* timm.c: what timm makes of a name. */
typedef struct timm_shape {
    const char *name;
    size_t image;
    timm_tower tower;
    hl_activation activation;
} timm_shape;

/* NULL: none of this family. */
const timm_shape *timm_find(const char *name);

/* tensors.c: the names of tensors that follow from the shape. */
void tensors_name(siglip_config *config);

#endif
