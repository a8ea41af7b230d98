/* Analyses: from codes to results. An analysis computes; the host reads the images, runs the model, keeps
 * traces, draws the pictures and writes the files. If an analysis draws, formats or opens a file, the
 * contract lacks something. */
#ifndef HEADLIGHT_ANALYSIS_H
#define HEADLIGHT_ANALYSIS_H

#include "ask.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hl_analysis_api {
    uint32_t size;

    /* `values`: one for each row of the plugin's option table, in its order. Returns HL_OK, or an error and
     * whatever it likes in `result`, which is then thrown away. [one thread at a time] */
    hl_status (*run)(const hl_ask *ask, const hl_value *const *values, hl_result *result, hl_error *error);

    uint32_t needs; /* HL_NEEDS_..., option.h */
} hl_analysis_api;

#ifdef __cplusplus
}
#endif
#endif
