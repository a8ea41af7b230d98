/* What sections hold besides their plugin's options is checked like a plugin's options. */
#ifndef SECTION_H
#define SECTION_H

#include "core/experiment/experiment.h"

#define SECTION(NAME, TABLE)                                                                                 \
    { .size = sizeof(hl_plugin), .name = (NAME), HL_OPTIONS(TABLE) }

/* The plugin that a section names under `key`, and its options; `keys` are the section's own. */
hl_status section_plugin(const registry *plugins, const yaml_node *node, hl_kind kind, const char *key,
                         const char *const *keys, experiment_step *step, hl_error *error);

/* The same for a section whose own keys are options, the first of which names the plugin. */
hl_status section_step(const registry *plugins, const yaml_node *node, const hl_plugin *section, hl_kind kind,
                       experiment_step *step, hl_error *error);

/* The sections `extractors` and `properties`; what the plan says of its gallery is known. */
hl_status extractors_read(const registry *plugins, experiment *plan, hl_error *error);

/* The section `reports`. */
hl_status reports_read(const registry *plugins, experiment *plan, hl_error *error);

#endif
