/* The shape of an EVA-02 CLIP, from open_clip's configuration or from EVA-CLIP's own. */
#ifndef CONFIG_H
#define CONFIG_H

#include "open-clip/open_clip.h"
#include "two-towers/vit_model.h"

#define PLUGIN_NAME "eva-clip"

/* Which file of the folder says that it is a model of this kind; free() it. *out is NULL where none does. */
hl_status config_find_file(const hl_host *host, const char *folder, char **out, hl_error *error);

/* Reads FOLDER/file, one of these. Every size is checked so that products of a batch, tokens and columns
 * cannot overflow. The image tower lacks its names, which tensors.c gives. */
hl_status config_read(const hl_host *host, const char *folder, const char *file, vit_config *out,
                      hl_error *error);

/* eva_json.c: EVA-CLIP's model_configs say the same in words of their own. */
bool eva_json_is(const cJSON *json);

/* What open_clip's configuration would say; cJSON_Delete it. NULL: no memory, or something has been refused.
 */
cJSON *eva_json_translate(config_reader *r, const cJSON *json);

#endif
