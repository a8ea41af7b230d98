/* Inside findings: what is kept, for the files that take it from plugins and from the disk. */
#ifndef FINDINGS_INSIDE_H
#define FINDINGS_INSIDE_H

#include "core/asking/findings.h"
#include "core/asking/properties.h"
#include "core/io/arena.h"

typedef struct spelling {
    const char *text, *property;
} spelling;

struct findings {
    hl_finding sink; /* first: the one is cast to the other */
    const hl_plugin *plugin;
    const hl_model_info *model;
    hl_extractor_api api;
    arena memory; /* of all strings and directions */
    hl_description *descriptions;
    hl_label *labels;
    spelling *spellings;
    hl_verdict *verdicts;
    size_t description_count, label_count, spelling_count, verdict_count;
    properties *properties; /* of a step of labels */
    cut_texts cut;          /* that were encoded for it */
};

/* Empty: to be filled through its sink, and then settled, which closes it unless all went well. */
hl_status findings_open(const hl_plugin *extractor, const hl_model_info *model, findings **out,
                        hl_error *error);
hl_status findings_settle(hl_status status, findings **out, hl_error *error);

#endif
