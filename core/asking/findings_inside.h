/* Inside findings: what is kept, for the files that take it from plugins and from the disk. */
#ifndef FINDINGS_INSIDE_H
#define FINDINGS_INSIDE_H

#include "core/asking/findings.h"
#include "core/asking/properties.h"
#include "core/io/arena.h"
#include "core/tree/results.h"

typedef struct spelling {
    const char *text, *property;
} spelling;

struct findings {
    hl_finding functions; /* first: the one is cast to the other */
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
    tree *told;             /* of what else is shown: */
    hl_item *heads;         /* by their names, what hl_finding.about gave */
    sink items;             /* behind hl_finding.result */
    hl_status told_status;  /* of a question that has no status to return */
    hl_error told_error;
};

/* Empty: to be filled through its functions, and then settled, which closes it unless all went well. */
hl_status findings_open(const hl_plugin *extractor, const hl_model_info *model, findings **out,
                        hl_error *error);
hl_status findings_settle(hl_status status, findings **out, hl_error *error);

/* The component that a finding is about. */
hl_status findings_find_head(const findings *self, const char *name, uint32_t *out, hl_error *error);

/* ---- what else is shown: findings_told.c ---- */

hl_status told_open(findings *self, hl_error *error);
hl_status told_check(findings *self, hl_error *error); /* once all is there */

/* Adds the head's facts to its map in the results, once. */
void told_add(const findings *self, const char *head, hl_item *item);
/* Those of heads that the list has no map of, and the items with a schema. */
void told_write(const findings *self, hl_item *list);

#endif
