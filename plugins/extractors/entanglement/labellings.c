/* See labellings.h. */
#include "labellings.h"

#include <math.h>
#include <string.h>

/* ---- opening and closing ---- */

static hl_status allocate(const hl_host *host, labellings *out, hl_error *error) {
    size_t count = out->count + 1;
    out->of_head = host->allocate(host, count * (out->heads.count + 1), sizeof *out->of_head);
    out->labelled = host->allocate(host, count * (out->heads.layer_count + 1), sizeof *out->labelled);
    out->names = host->allocate(host, count, sizeof *out->names);
    return out->of_head && out->labelled && out->names ? HL_OK : hl_no_memory(error, "labellings");
}

/* Layers in which nothing is named say nothing about how properties lie there. */
static hl_status leave_out(const hl_ask *ask, labellings *self, hl_error *error) {
    head_list *heads = &self->heads;
    size_t before = heads->count, layers = heads->layer_count;
    bool *keep = ask->host->allocate(ask->host, layers + 1, sizeof *keep);
    if (!keep) return hl_no_memory(error, "labellings");
    for (size_t i = 0; i < self->count * before; ++i) {
        if (self->of_head[i] != NO_PROPERTY) keep[heads->layer[i % before]] = true;
    }
    size_t kept = 0;
    for (size_t run = 0; run < self->count; ++run) {
        for (size_t i = 0; i < before; ++i) {
            if (keep[heads->layer[i]]) self->of_head[kept++] = self->of_head[run * before + i];
        }
    }
    for (size_t layer = 0; layer < layers; ++layer) {
        if (keep[layer]) continue;
        ask->host->log(ask->host, HL_LOG_WARNING, "layer %d is left out: no head of it has a property",
                       heads->layers[layer]);
    }
    head_list_keep(heads, keep);
    ask->host->release(ask->host, keep);
    if (heads->count > 0) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "none of the heads that are looked at has a property: name others with `heads`, or label "
                   "these");
}

static void mark_labelled(labellings *self) {
    const head_list *heads = &self->heads;
    for (size_t i = 0; i < self->count * heads->count; ++i) {
        size_t run = i / heads->count, layer = heads->layer[i % heads->count];
        if (self->of_head[i] != NO_PROPERTY) self->labelled[run * heads->layer_count + layer] = true;
    }
}

hl_status labellings_open(const hl_ask *ask, const hl_value *heads, const hl_value *layers, labellings *out,
                          hl_error *error) {
    *out = (labellings){.count = 0};
    while (ask->source(ask, out->count)) ++out->count;
    hl_status status = head_list_open(ask, heads, layers, &out->heads, error);
    if (status == HL_OK) status = allocate(ask->host, out, error);
    for (size_t run = 0; run < out->count && status == HL_OK; ++run) {
        out->names[run] = ask->source(ask, run);
        status = properties_read(ask, out->names[run], &out->heads, &out->properties,
                                 out->of_head + run * out->heads.count, error);
    }
    if (status == HL_OK) status = leave_out(ask, out, error);
    if (status == HL_OK) mark_labelled(out);
    return status;
}

void labellings_close(labellings *self) {
    const hl_host *host = self->heads.host;
    property_table_close(&self->properties);
    if (!host) return;
    host->release(host, self->of_head);
    host->release(host, self->labelled);
    host->release(host, self->names);
    head_list_close(&self->heads);
}

/* ---- entanglement ---- */

static size_t property_of(const labellings *self, size_t labelling, size_t head, const size_t *order) {
    return self->of_head[labelling * self->heads.count + (order ? order[head] : head)];
}

static void entangle_layer(const labellings *self, size_t labelling, size_t layer, const size_t *order,
                           size_t *counts, double *out[FORMS]) {
    size_t first = self->heads.first[layer], end = self->heads.first[layer + 1], shared = 0, twice = 0;
    for (size_t i = first; i < end; ++i) {
        size_t property = property_of(self, labelling, i, order);
        if (property != NO_PROPERTY) ++counts[property];
    }
    for (size_t i = first; i < end; ++i) {
        size_t property = property_of(self, labelling, i, order);
        size_t others = property == NO_PROPERTY ? 0 : counts[property] - 1;
        shared += others > 0;
        twice += others;
    }
    for (size_t i = first; i < end; ++i) {
        size_t property = property_of(self, labelling, i, order);
        if (property != NO_PROPERTY) counts[property] = 0;
    }
    double heads = (double)(end - first), pairs = heads * (heads - 1);
    out[BY_HEADS][layer] = (double)shared / heads;
    out[BY_PAIRS][layer] = pairs > 0 ? (double)twice / pairs : 0;
}

void labellings_entangle(const labellings *self, size_t labelling, const size_t *order, size_t *counts,
                         double *out[FORMS]) {
    size_t layers = self->heads.layer_count, labelled = 0;
    double sums[FORMS] = {0};
    for (size_t layer = 0; layer < layers; ++layer) {
        if (!self->labelled[labelling * layers + layer]) {
            out[BY_HEADS][layer] = out[BY_PAIRS][layer] = (double)NAN;
            continue;
        }
        entangle_layer(self, labelling, layer, order, counts, out);
        for (int i = 0; i < FORMS; ++i) sums[i] += out[i][layer];
        ++labelled;
    }
    for (int i = 0; i < FORMS; ++i) out[i][layers] = labelled > 0 ? sums[i] / (double)labelled : (double)NAN;
}

size_t labellings_named(const labellings *self, size_t labelling, size_t layer) {
    const head_list *heads = &self->heads;
    bool all = layer == heads->layer_count;
    size_t first = all ? 0 : heads->first[layer], end = all ? heads->count : heads->first[layer + 1],
           named = 0;
    for (size_t i = first; i < end; ++i) named += property_of(self, labelling, i, NULL) != NO_PROPERTY;
    return named;
}

/* ---- agreement ---- */

/* (observed - expected) / (1 - expected); 1 where all agree on one property, of which chance has no say. */
static double kappa(double observed, double expected) {
    if (observed >= 1) return 1;
    return expected < 1 ? (observed - expected) / (1 - expected) : 0;
}

/* `counts`: of properties, twice as many as there are, zero before and after. */
agreement labellings_agree(const labellings *self, size_t one, size_t other, const size_t *heads,
                           size_t count, size_t *counts) {
    size_t *others = counts + self->properties.count, both = 0, same = 0;
    for (size_t i = 0; i < count; ++i) {
        size_t a = property_of(self, one, heads[i], NULL), b = property_of(self, other, heads[i], NULL);
        if (a == NO_PROPERTY || b == NO_PROPERTY) continue;
        ++counts[a];
        ++others[b];
        ++both;
        same += a == b;
    }
    double expected = 0, total = (double)both;
    for (size_t i = 0; i < self->properties.count; ++i) expected += (double)counts[i] * (double)others[i];
    memset(counts, 0, 2 * self->properties.count * sizeof *counts);
    agreement found = {.heads = both, .share = (double)NAN, .kappa = (double)NAN};
    if (both == 0) return found;
    found.share = (double)same / total;
    found.kappa = kappa(found.share, expected / (total * total));
    return found;
}

static bool named_by_all(const labellings *self, size_t head) {
    size_t run = 0;
    while (run < self->count && property_of(self, run, head, NULL) != NO_PROPERTY) ++run;
    return run == self->count;
}

/* Pairs of labellings that agree on the head. */
static size_t count_pairs(const labellings *self, size_t head) {
    size_t pairs = 0;
    for (size_t a = 0; a < self->count; ++a) {
        for (size_t b = 0; b < a; ++b) {
            pairs += property_of(self, a, head, NULL) == property_of(self, b, head, NULL);
        }
    }
    return pairs;
}

double labellings_agree_all(const labellings *self, const size_t *heads, size_t count, size_t *counts) {
    size_t named = 0, pairs = 0;
    for (size_t i = 0; i < count; ++i) {
        if (!named_by_all(self, heads[i])) continue;
        ++named;
        pairs += count_pairs(self, heads[i]);
        for (size_t run = 0; run < self->count; ++run) ++counts[property_of(self, run, heads[i], NULL)];
    }
    double runs = (double)self->count, total = (double)named * runs, expected = 0;
    for (size_t i = 0; i < self->properties.count; ++i) expected += (double)counts[i] * (double)counts[i];
    memset(counts, 0, self->properties.count * sizeof *counts);
    if (named == 0 || self->count < 2) return (double)NAN;
    return kappa((double)pairs / ((double)named * runs * (runs - 1) / 2), expected / (total * total));
}
