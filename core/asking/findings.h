/* What one step of the extractor chain found, as its plugin handed it over and checked on the way. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "core/engine/cut_texts.h"
#include "core/tree/tree.h"
#include "headlight/extractor.h"
#include "headlight/plugin.h"

typedef struct findings findings;

/* Asks the extractor, which outlives *out as does the model. */
hl_status findings_ask(const hl_plugin *extractor, const hl_ask *ask, const hl_value *const *values,
                       findings **out, hl_error *error);
void findings_close(findings *self); /* accepts NULL */

/* NULL past the end. */
const hl_description *findings_description(const findings *self, size_t index);
const hl_label *findings_label(const findings *self, size_t index);
const hl_verdict *findings_verdict(const findings *self, size_t index);

/* The texts that were encoded for it and cut: whoever asks it notes them, and gives them here, emptied. */
void findings_take_cut(findings *self, cut_texts *cut);
const cut_texts *findings_cut(const findings *self);

/* See properties.h; of labels only. */
hl_status findings_property(const findings *self, const char *name, const hl_selection **out,
                            hl_error *error);
hl_status findings_describe_heads(const findings *self, hl_item *heads, hl_error *error);

/* The step's "results": {"head", "texts": [{"text", "variance", "total"}]}, {"head", "property", "weight",
 * "evidence"}, {"score", "layer" or "head" and "rank", "value", "low", "high"}; each head's further facts in
 * its first map, or in one of its own behind all findings; then items with a schema. The list's tree has said
 * by then which texts are cut. */
void findings_write(const findings *self, hl_item *list);

/* All of it as bytes, for the cache and to tell findings apart; *bytes is to be freed. */
hl_status findings_pack(const findings *self, uint8_t **bytes, size_t *count, hl_error *error);

/* And from them. What is read is checked like what a plugin hands over; HL_FAILED for anything else. */
hl_status findings_unpack(const hl_plugin *extractor, const hl_model_info *model, const uint8_t *bytes,
                          size_t count, findings **out, hl_error *error);

#endif
