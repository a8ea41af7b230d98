/* See judged.h. */
#include "judged.h"

#include <string.h>

static const char *const scores[LABELS] = {"consistent", "consistent with another"};

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "verdicts");
}

static hl_status allocate(const hl_host *host, judged *self, hl_error *error) {
    size_t count = (self->count + 1) * (self->heads.count + 1);
    self->names = host->allocate(host, self->count + 1, sizeof *self->names);
    self->concept = host->allocate(host, count, sizeof *self->concept);
    bool whole = self->names && self->concept;
    for (int by = 0; by < LABELS; ++by) {
        self->found[by] = host->allocate(host, count, sizeof *self->found[by]);
        whole = whole && self->found[by];
    }
    return whole ? HL_OK : no_memory(error);
}

/* ---- verdicts ---- */

/* A description that is judged twice counts once. */
static void note(judged_head *of, const hl_verdict *verdict, size_t first) {
    uint64_t bit = verdict->rank <= first ? (uint64_t)1 << (verdict->rank - 1) : 0;
    bool consistent = verdict->value >= 0.5;
    if (of->seen & bit) return;
    of->seen |= bit;
    ++of->judged;
    of->consistent += consistent;
    of->first_judged += bit != 0;
    of->first_consistent += bit != 0 && consistent;
}

static hl_status read_judge(const hl_ask *ask, judged *self, size_t judge, size_t first, hl_error *error) {
    const hl_verdict *verdict;
    bool any = false;
    for (size_t i = 0; (verdict = ask->verdict(ask, self->names[judge], i)); ++i) {
        if (!verdict->head || verdict->rank == 0) continue;
        size_t head = head_list_find(&self->heads, verdict->head);
        for (int by = 0; by < LABELS; ++by) {
            if (strcmp(verdict->score, scores[by]) != 0) continue;
            any = any || by == OWN_LABEL;
            if (head == SIZE_MAX) continue;
            note(&self->found[by][judge * self->heads.count + head], verdict, first);
            self->has[by] = true;
        }
    }
    if (any) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "the step \"%s\" judges no description of a head: expected verdicts \"consistent\", as "
                   "lexicon-judge and llm-judge give",
                   self->names[judge]);
}

/* ---- layers ---- */

/* Layers in which nothing is judged say nothing. */
static hl_status leave_out(const hl_host *host, judged *self, hl_error *error) {
    head_list *heads = &self->heads;
    size_t before = heads->count, layers = heads->layer_count, kept = 0;
    bool *keep = host->allocate(host, layers + 1, sizeof *keep);
    if (!keep) return no_memory(error);
    for (size_t i = 0; i < self->count * before; ++i) {
        if (self->found[OWN_LABEL][i].judged > 0) keep[heads->layer[i % before]] = true;
    }
    for (size_t i = 0; i < self->count * before; ++i) {
        if (!keep[heads->layer[i % before]]) continue;
        for (int by = 0; by < LABELS; ++by) self->found[by][kept] = self->found[by][i];
        ++kept;
    }
    for (size_t layer = 0; layer < layers; ++layer) {
        if (keep[layer]) continue;
        host->log(host, HL_LOG_WARNING, "layer %d is left out: no description of its heads is judged",
                  heads->layers[layer]);
    }
    head_list_keep(heads, keep);
    host->release(host, keep);
    if (heads->count > 0) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "none of the heads that are looked at is judged: name others with `heads`, or describe "
                   "and label these");
}

/* ---- labels ---- */

static hl_status check_labels(const hl_ask *ask, const judged *self, const hl_value *labels,
                              hl_error *error) {
    if (!labels->given) return HL_OK;
    if (labels->count != 1 && labels->count != self->count) {
        return hl_fail(error, HL_USAGE,
                       "labels: expected one step for all, or one for each of the %zu judges, got %zu",
                       self->count, labels->count);
    }
    for (size_t i = 0; i < labels->count; ++i) {
        if (ask->label(ask, labels->strings[i], 0)) continue;
        return hl_fail(error, HL_USAGE, "labels: no judge builds on labels of a step \"%s\"",
                       labels->strings[i]);
    }
    return HL_OK;
}

static hl_status read_concepts(const hl_ask *ask, judged *self, const hl_value *labels, hl_error *error) {
    hl_status status = check_labels(ask, self, labels, error);
    for (size_t judge = 0; judge < self->count && status == HL_OK; ++judge) {
        const char *step = NULL;
        if (labels->given) step = labels->strings[labels->count == 1 ? 0 : judge];
        status = properties_read(ask, step, &self->heads, &self->concepts,
                                 self->concept + judge * self->heads.count, error);
    }
    return status;
}

/* ---- all together ---- */

hl_status judged_open(const hl_ask *ask, const hl_value *heads, const hl_value *layers,
                      const hl_value *labels, size_t first, judged *out, hl_error *error) {
    *out = (judged){.count = 0};
    while (ask->source(ask, out->count)) ++out->count;
    hl_status status = head_list_open(ask, heads, layers, &out->heads, error);
    if (status == HL_OK) status = allocate(ask->host, out, error);
    for (size_t judge = 0; judge < out->count && status == HL_OK; ++judge) {
        out->names[judge] = ask->source(ask, judge);
        status = read_judge(ask, out, judge, first, error);
    }
    if (status == HL_OK) status = leave_out(ask->host, out, error);
    return status == HL_OK ? read_concepts(ask, out, labels, error) : status;
}

void judged_close(judged *self) {
    const hl_host *host = self->heads.host;
    property_table_close(&self->concepts);
    if (!host) return;
    host->release(host, self->names);
    host->release(host, self->concept);
    for (int by = 0; by < LABELS; ++by) host->release(host, self->found[by]);
    head_list_close(&self->heads);
}
