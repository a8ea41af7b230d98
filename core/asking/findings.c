/* See findings.h. */
#include "core/asking/findings_inside.h"

#include "core/asking/nearest.h"
#include "core/io/call.h"
#include "core/registry/guard.h"
#include "core/registry/registry.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a plugin hands over ---- */

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "what an extractor found");
}

/* Room for one more element behind `count`; NULL: no memory. */
static void *grow(void **array, size_t count, size_t element) {
    bool full = (count & (count - 1)) == 0; /* 0, 1, 2, 4, 8 ... */
    void *grown = full ? reallocarray(*array, count ? 2 * count : 1, element) : *array;
    if (!grown) return NULL;
    *array = grown;
    return memset((char *)grown + count * element, 0, element);
}

static hl_status keep(findings *self, const char **text, hl_error *error) {
    if (!*text) return HL_OK;
    *text = arena_copy_text(&self->memory, *text, strlen(*text));
    return *text ? HL_OK : no_memory(error);
}

static hl_status check_step(const findings *self, uint32_t step, const char *what, hl_error *error) {
    if (self->api.step == step) return HL_OK;
    return hl_fail(error, HL_FAILED, "extractor/%s hands over %s, and its step gives none",
                   self->plugin->name, what);
}

hl_status findings_find_head(const findings *self, const char *name, uint32_t *out, hl_error *error) {
    for (*out = 0; name && *out < self->model->component_count; ++*out) {
        const hl_component *component = hl_component_at(self->model, *out);
        if (component->kind == HL_HEAD && strcmp(component->name, name) == 0) return HL_OK;
    }
    return hl_fail(error, HL_USAGE, "extractor/%s speaks of the head %s, which the model %s lacks",
                   self->plugin->name, name ? name : "(none)", self->model->name);
}

/* The rank that the head's next description has. */
static uint32_t next_rank(const findings *self, const char *head) {
    for (size_t i = self->description_count; i-- > 0;) {
        if (strcmp(self->descriptions[i].head, head) == 0) return self->descriptions[i].rank + 1;
    }
    return 1;
}

static hl_status check_description(const findings *self, const hl_description *given, hl_error *error) {
    uint32_t component;
    hl_status status = check_step(self, HL_STEP_DESCRIPTIONS, "a description", error);
    if (status == HL_OK) status = findings_find_head(self, given->head, &component, error);
    if (status != HL_OK) return status;
    const char *plugin = self->plugin->name;
    if (!given->text && !given->direction) {
        return hl_fail(error, HL_FAILED, "extractor/%s describes %s by neither a text nor a direction",
                       plugin, given->head);
    }
    if (given->rank != next_rank(self, given->head)) {
        return hl_fail(error, HL_FAILED, "extractor/%s gives %s a description of rank %u; expected %u",
                       plugin, given->head, given->rank, next_rank(self, given->head));
    }
    bool finite = isfinite(given->variance) && isfinite(given->total);
    for (uint32_t i = 0; given->direction && finite && i < self->model->embed_dim; ++i) {
        finite = isfinite(given->direction[i]);
    }
    if (finite) return HL_OK;
    return hl_fail(error, HL_FAILED, "extractor/%s gives %s a description with a number that is none", plugin,
                   given->head);
}

static hl_status keep_direction(findings *self, const float **direction, hl_error *error) {
    if (!*direction) return HL_OK;
    size_t bytes = self->model->embed_dim * sizeof **direction;
    float *kept = arena_take(&self->memory, bytes);
    if (!kept) return no_memory(error);
    *direction = memcpy(kept, *direction, bytes);
    return HL_OK;
}

static hl_status describe(hl_finding *finding, const hl_description *given, hl_error *error) {
    findings *self = (findings *)finding;
    hl_description taken;
    hl_status status = call_take(&taken, sizeof taken, given, "hl_description", error);
    if (status == HL_OK) status = check_description(self, &taken, error);
    if (status == HL_OK) status = keep(self, &taken.head, error);
    if (status == HL_OK) status = keep(self, &taken.text, error);
    if (status == HL_OK) status = keep_direction(self, &taken.direction, error);
    if (status != HL_OK) return status;
    hl_description *added =
        grow((void **)&self->descriptions, self->description_count, sizeof *self->descriptions);
    if (!added) return no_memory(error);
    taken.size = sizeof taken;
    *added = taken;
    ++self->description_count;
    return HL_OK;
}

static hl_status check_label(const findings *self, const hl_label *given, uint32_t *component,
                             hl_error *error) {
    hl_status status = check_step(self, HL_STEP_LABELS, "a label", error);
    if (status == HL_OK) status = findings_find_head(self, given->head, component, error);
    if (status != HL_OK) return status;
    if (!given->property || !*given->property) {
        return hl_fail(error, HL_FAILED, "extractor/%s gives %s a property without a name",
                       self->plugin->name, given->head);
    }
    if (given->weight >= 0 && given->weight <= 1) return HL_OK;
    return hl_fail(error, HL_FAILED, "extractor/%s gives %s the property %s with weight %g; expected 0 to 1",
                   self->plugin->name, given->head, given->property, given->weight);
}

static hl_status label(hl_finding *finding, const hl_label *given, hl_error *error) {
    findings *self = (findings *)finding;
    uint32_t component;
    hl_label taken;
    hl_status status = call_take(&taken, sizeof taken, given, "hl_label", error);
    if (status == HL_OK) status = check_label(self, &taken, &component, error);
    if (status == HL_OK)
        status = properties_label(self->properties, component, taken.property, taken.weight, error);
    if (status == HL_OK) status = keep(self, &taken.head, error);
    if (status == HL_OK) status = keep(self, &taken.property, error);
    if (status == HL_OK) status = keep(self, &taken.evidence, error);
    if (status != HL_OK) return status;
    hl_label *added = grow((void **)&self->labels, self->label_count, sizeof *self->labels);
    if (!added) return no_memory(error);
    taken.size = sizeof taken;
    *added = taken;
    ++self->label_count;
    return HL_OK;
}

static hl_status alias(hl_finding *finding, const char *text, const char *property, hl_error *error) {
    findings *self = (findings *)finding;
    hl_status status = check_step(self, HL_STEP_LABELS, "a spelling of a property", error);
    if (status != HL_OK) return status;
    if (!text || !property) {
        return hl_fail(error, HL_FAILED, "extractor/%s hands over a spelling without a text or a property",
                       self->plugin->name);
    }
    status = properties_alias(self->properties, text, property, error);
    if (status == HL_OK) status = keep(self, &text, error);
    if (status == HL_OK) status = keep(self, &property, error);
    if (status != HL_OK) return status;
    spelling *added = grow((void **)&self->spellings, self->spelling_count, sizeof *self->spellings);
    if (!added) return no_memory(error);
    *added = (spelling){text, property};
    ++self->spelling_count;
    return HL_OK;
}

/* -1: the whole model. */
static bool has_layer(const hl_model_info *model, int32_t layer) {
    bool found = layer == -1;
    for (uint32_t i = 0; i < model->component_count && !found; ++i) {
        found = layer >= 0 && hl_component_at(model, i)->layer == layer;
    }
    return found;
}

/* A verdict on a head may name its layer, and no other. */
static bool fits_head(const findings *self, const hl_verdict *given, uint32_t component) {
    return given->layer == -1 || given->layer == hl_component_at(self->model, component)->layer;
}

static hl_status check_verdict(const findings *self, const hl_verdict *given, hl_error *error) {
    uint32_t component = 0;
    hl_status status = check_step(self, HL_STEP_VERDICTS, "a verdict", error);
    if (status == HL_OK && given->head) status = findings_find_head(self, given->head, &component, error);
    if (status != HL_OK) return status;
    const char *plugin = self->plugin->name;
    bool whole = given->score && *given->score && has_layer(self->model, given->layer);
    if (!whole || !isfinite(given->value) || !isfinite(given->low) || !isfinite(given->high)) {
        return hl_fail(
            error, HL_FAILED,
            "extractor/%s hands over a verdict without a name, a layer of the model or finite numbers",
            plugin);
    }
    if (!given->head && given->rank > 0) {
        return hl_fail(error, HL_FAILED,
                       "extractor/%s hands over a verdict \"%s\" on rank %u of no head: name the head",
                       plugin, given->score, given->rank);
    }
    if (!given->head || fits_head(self, given, component)) return HL_OK;
    return hl_fail(error, HL_FAILED, "extractor/%s hands over a verdict on %s with layer %d", plugin,
                   given->head, given->layer);
}

static hl_status judge(hl_finding *finding, const hl_verdict *given, hl_error *error) {
    findings *self = (findings *)finding;
    hl_verdict taken;
    hl_status status = call_take(&taken, sizeof taken, given, "hl_verdict", error);
    if (status == HL_OK) status = check_verdict(self, &taken, error);
    if (status == HL_OK) status = keep(self, &taken.score, error);
    if (status == HL_OK) status = keep(self, &taken.head, error);
    if (status != HL_OK) return status;
    hl_verdict *added = grow((void **)&self->verdicts, self->verdict_count, sizeof *self->verdicts);
    if (!added) return no_memory(error);
    taken.size = sizeof taken;
    *added = taken;
    ++self->verdict_count;
    return HL_OK;
}

/* ---- opening and closing ---- */

hl_status findings_open(const hl_plugin *extractor, const hl_model_info *model, findings **out,
                        hl_error *error) {
    findings *self = *out = calloc(1, sizeof *self);
    if (!self) return no_memory(error);
    self->functions = (hl_finding){
        .size = sizeof self->functions, .describe = describe, .label = label, .alias = alias, .judge = judge};
    self->plugin = extractor;
    self->model = model;
    registry_table(extractor, &self->api, sizeof self->api);
    hl_status status = told_open(self, error);
    if (status != HL_OK || self->api.step != HL_STEP_LABELS) return status;
    return properties_open(model, &self->properties, error);
}

hl_status findings_settle(hl_status status, findings **out, hl_error *error) {
    if (status == HL_OK && (*out)->properties) status = properties_finish((*out)->properties, error);
    if (status == HL_OK) status = told_check(*out, error);
    if (status == HL_OK) return HL_OK;
    findings_close(*out);
    *out = NULL;
    return status;
}

hl_status findings_ask(const hl_plugin *extractor, const hl_ask *ask, const hl_value *const *values,
                       findings **out, hl_error *error) {
    hl_status status = findings_open(extractor, ask->model, out, error);
    if (status == HL_OK && !(*out)->api.run) {
        status = hl_fail(error, HL_USAGE, "extractor/%s lacks the function `run`", extractor->name);
    } else if (status == HL_OK) {
        if ((*out)->api.needs & HL_NEEDS_GALLERY) {
            tree_set_facts((*out)->told, nearest_facts, (void *)(uintptr_t)ask->gallery);
        }
        status = GUARD(extractor, error, (*out)->api.run(ask, values, &(*out)->functions, error));
    }
    return findings_settle(status, out, error);
}

void findings_close(findings *self) {
    if (!self) return;
    properties_close(self->properties);
    cut_texts_free(&self->cut);
    tree_close(self->told);
    free(self->descriptions);
    free(self->labels);
    free(self->spellings);
    free(self->verdicts);
    arena_free(&self->memory);
    free(self);
}

/* ---- answering ---- */

const hl_description *findings_description(const findings *self, size_t index) {
    return index < self->description_count ? &self->descriptions[index] : NULL;
}

const hl_label *findings_label(const findings *self, size_t index) {
    return index < self->label_count ? &self->labels[index] : NULL;
}

const hl_verdict *findings_verdict(const findings *self, size_t index) {
    return index < self->verdict_count ? &self->verdicts[index] : NULL;
}

void findings_take_cut(findings *self, cut_texts *cut) {
    cut_texts_free(&self->cut);
    self->cut = *cut;
    *cut = (cut_texts){.count = 0};
}

const cut_texts *findings_cut(const findings *self) {
    return &self->cut;
}

hl_status findings_property(const findings *self, const char *name, const hl_selection **out,
                            hl_error *error) {
    *out = NULL;
    if (self->properties) return properties_find(self->properties, name, out, error);
    return hl_fail(error, HL_USAGE, "extractor/%s gives no labels", self->plugin->name);
}

hl_status findings_describe_heads(const findings *self, hl_item *heads, hl_error *error) {
    return self->properties ? properties_describe(self->properties, heads, error) : HL_OK;
}

/* ---- as results ---- */

static void write_text(hl_item *texts, const hl_description *of) {
    hl_item *item = item_map(texts, NULL);
    if (of->text) item_text(item, "text", of->text);
    item_double(item, "variance", of->variance);
    item_double(item, "total", of->total);
}

/* A head's descriptions, together where its first one is. */
static void write_head(const findings *self, size_t first, hl_item *list) {
    const char *head = self->descriptions[first].head;
    hl_item *item = item_map(list, NULL);
    item_text(item, "head", head);
    hl_item *texts = item_list(item, "texts", HL_LIST);
    for (size_t i = first; i < self->description_count; ++i) {
        if (strcmp(self->descriptions[i].head, head) == 0) write_text(texts, &self->descriptions[i]);
    }
    told_add(self, head, item);
}

static bool is_first_of_head(const findings *self, size_t label) {
    size_t first = 0;
    while (strcmp(self->labels[first].head, self->labels[label].head) != 0) ++first;
    return first == label;
}

static void write_label(const findings *self, size_t index, hl_item *list) {
    const hl_label *of = &self->labels[index];
    hl_item *item = item_map(list, NULL);
    item_text(item, "head", of->head);
    item_text(item, "property", of->property);
    item_double(item, "weight", of->weight);
    if (of->evidence) item_text(item, "evidence", of->evidence);
    if (is_first_of_head(self, index)) told_add(self, of->head, item);
}

/* What it is a verdict on. */
static void write_subject(const hl_verdict *of, hl_item *item) {
    if (of->head) {
        item_text(item, "head", of->head);
        if (of->rank > 0) item_whole(item, "rank", of->rank);
    } else if (of->layer < 0) {
        item_text(item, "layer", "all");
    } else {
        item_whole(item, "layer", of->layer);
    }
}

static void write_verdict(const hl_verdict *of, hl_item *list) {
    hl_item *item = item_map(list, NULL);
    item_text(item, "score", of->score);
    write_subject(of, item);
    item_double(item, "value", of->value);
    if (of->low > of->high) return;
    item_double(item, "low", of->low);
    item_double(item, "high", of->high);
}

void findings_write(const findings *self, hl_item *list) {
    for (size_t i = 0; i < self->description_count; ++i) {
        if (self->descriptions[i].rank == 1) write_head(self, i, list);
    }
    for (size_t i = 0; i < self->label_count; ++i) write_label(self, i, list);
    for (size_t i = 0; i < self->verdict_count; ++i) write_verdict(&self->verdicts[i], list);
    told_write(self, list);
}
