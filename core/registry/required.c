/* See required.h. */
#include "core/registry/required.h"

#include "headlight/analysis.h"
#include "headlight/compute.h"
#include "headlight/extractor.h"
#include "headlight/model.h"
#include "headlight/report.h"

typedef struct required_function {
    uint32_t kind;
    const char *name;
    size_t offset; /* of its pointer in the table */
} required_function;

#define COMPUTE(NAME)                                                                                        \
    { HL_COMPUTE, #NAME, offsetof(hl_compute_api, NAME) }
#define MODEL(NAME)                                                                                          \
    { HL_MODEL, #NAME, offsetof(hl_model_api, NAME) }
#define ANALYSIS(NAME)                                                                                       \
    { HL_ANALYSIS, #NAME, offsetof(hl_analysis_api, NAME) }
#define EXTRACTOR(NAME)                                                                                      \
    { HL_EXTRACTOR, #NAME, offsetof(hl_extractor_api, NAME) }
#define REPORT(NAME)                                                                                         \
    { HL_REPORT, #NAME, offsetof(hl_report_api, NAME) }

static const required_function functions[] = {
    COMPUTE(score),       COMPUTE(open),        COMPUTE(close),      COMPUTE(describe),
    COMPUTE(new_tensor),  COMPUTE(free_tensor), COMPUTE(upload),     COMPUTE(download),
    COMPUTE(prepare),     COMPUTE(free_weight), COMPUTE(linear),     COMPUTE(patch_embedding),
    MODEL(recognises),    MODEL(open),          MODEL(close),        MODEL(info),
    MODEL(load),          MODEL(basis),         MODEL(open_session), MODEL(close_session),
    MODEL(encode_images), MODEL(retain),        MODEL(release),      MODEL(bytes),
    MODEL(embedding),     MODEL(code),          MODEL(token_codes),  ANALYSIS(run),
    EXTRACTOR(run),       REPORT(write),
};

static bool is_there(const void *table, size_t size, size_t offset) {
    const void *function = NULL;
    if (offset + sizeof function <= size) memcpy(&function, (const char *)table + offset, sizeof function);
    return function != NULL;
}

void required_missing(uint32_t kind, const void *table, size_t size, char *out, size_t room) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof functions / sizeof *functions; ++i) {
        if (functions[i].kind != kind || is_there(table, size, functions[i].offset)) continue;
        int length = snprintf(out + used, room - used, "%s%s", used ? ", " : "", functions[i].name);
        if (length < 0 || (size_t)length >= room - used) return;
        used += (size_t)length;
    }
}
