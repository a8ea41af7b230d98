/* A plugin is one .so with one exported symbol, `headlight_plugin`: a constant that says what the plugin is.
 *
 *     HL_EXPORT const hl_plugin headlight_plugin = {
 *         HL_PLUGIN(HL_ANALYSIS, "head-norms", "1.0.0", "how strongly each head writes"),
 *         HL_OPTIONS(options),
 *         .api = &api,
 *     };
 *
 * Where plugins are looked for, in this order: `--plugin-dir`, HEADLIGHT_PLUGIN_PATH (folders separated by
 * ':'), the folder `headlight` beside libheadlight.so (in a build and when installed). A plugin is opened
 * with RTLD_NOW | RTLD_LOCAL. Of two plugins of one kind and name the first found wins, with a warning that
 * names both files; of two in one folder neither is used, and both are listed as broken. No path that only an
 * experiment names is ever loaded, and no file that everybody may write to, or replace in a folder on its
 * way.
 *
 * How the ABI grows: the major must be equal, the minor at most the host's. Structs grow at their end only:
 * those that plugins or programs fill, tables of functions and requests start with their size
 * (`.size = sizeof x`), and the reader takes what a shorter one lacks as zero. Arrays cross the boundary as
 * arrays of pointers or together with their element size. A small struct that will not grow says that it is
 * frozen. Optional abilities are asked for by name, on both sides. */
#ifndef HEADLIGHT_PLUGIN_H
#define HEADLIGHT_PLUGIN_H

#include "host.h"
#include "option.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HL_ABI_MAJOR 2
#define HL_ABI_MINOR 4

#define HL_EXPORT __attribute__((visibility("default")))

typedef enum hl_kind {
    HL_COMPUTE = 1, /* api is an hl_compute_api, compute.h */
    HL_MODEL,       /* api is an hl_model_api, model.h */
    HL_EXTRACTOR,   /* api is an hl_extractor_api, extractor.h */
    HL_ANALYSIS,    /* api is an hl_analysis_api, analysis.h */
    HL_REPORT       /* api is an hl_report_api, report.h */
} hl_kind;

typedef struct hl_plugin {
    uint16_t abi_major, abi_minor; /* first, and never move */
    uint32_t size;                 /* of this struct as the plugin knows it */
    uint32_t kind;                 /* an hl_kind */
    const char *name;              /* as in YAML: lower case letters, digits and '-' */
    const char *version;           /* of the plugin: "1.0.0" */
    const char *summary;           /* one line, for lists */
    const hl_option *options;      /* option_count rows of option_size bytes; NULL when there are none */
    uint32_t option_count, option_size;
    const void *api; /* the table of functions of its kind; starts with its size */

    /* A further table of functions by name, or NULL. The field itself may be NULL. [any thread] */
    const void *(*extension)(const char *name);
} hl_plugin;

#define HL_PLUGIN(KIND, NAME, VERSION, SUMMARY)                                                              \
    .abi_major = HL_ABI_MAJOR, .abi_minor = HL_ABI_MINOR, .size = sizeof(hl_plugin), .kind = (KIND),         \
    .name = (NAME), .version = (VERSION), .summary = (SUMMARY)

#define HL_OPTIONS(TABLE)                                                                                    \
    .options = (TABLE), .option_count = sizeof(TABLE) / sizeof *(TABLE), .option_size = sizeof *(TABLE)

extern HL_EXPORT const hl_plugin headlight_plugin;

#ifdef __cplusplus
}
#endif

#endif
