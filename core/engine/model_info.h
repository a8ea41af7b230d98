/* What a model plugin says of a model, looked at once: what relies on it need not look again. */
#ifndef MODEL_INFO_H
#define MODEL_INFO_H

#include "headlight/model.h"
#include "headlight/plugin.h"

/* HL_FAILED with what makes no sense, naming the plugin. `info` is complete, or NULL. */
hl_status model_info_check(const hl_plugin *plugin, const hl_model_info *info, hl_error *error);

#endif
