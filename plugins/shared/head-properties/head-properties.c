/* See head-properties.h. */
#include "head-properties/head-properties.h"

#include "property-words/property-words.h"
#include <stdlib.h>
#include <string.h>

/* ---- heads ---- */

static int32_t last_layer(const hl_model_info *model) {
    int32_t last = -1;
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *row = hl_component_at(model, i);
        if (row->kind == HL_HEAD && row->layer > last) last = row->layer;
    }
    return last;
}

/* Marks by component which heads are meant. */
static size_t mark_heads(const hl_model_info *model, const hl_value *heads, const hl_value *layers,
                         bool *meant) {
    size_t count = 0;
    int64_t first = (int64_t)last_layer(model) - layers->integer + 1;
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *row = hl_component_at(model, i);
        meant[i] = !heads->given && row->kind == HL_HEAD && row->layer >= first;
    }
    for (size_t i = 0; heads->given && i < heads->count; ++i) {
        uint32_t component = heads->selections[i]->components[0];
        meant[component] = hl_component_at(model, component)->kind == HL_HEAD;
    }
    for (uint32_t i = 0; i < model->component_count; ++i) count += meant[i];
    return count;
}

static void add_heads(const hl_model_info *model, const bool *meant, int32_t layer, head_list *to) {
    size_t before = to->count;
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *row = hl_component_at(model, i);
        if (!meant[i] || row->layer != layer) continue;
        to->names[to->count] = row->name;
        to->layer[to->count++] = to->layer_count;
    }
    if (to->count == before) return;
    to->layers[to->layer_count] = layer;
    to->first[to->layer_count++] = before;
    to->first[to->layer_count] = to->count;
}

hl_status head_list_open(const hl_ask *ask, const hl_value *heads, const hl_value *layers, head_list *out,
                         hl_error *error) {
    const hl_host *host = ask->host;
    const hl_model_info *model = ask->model;
    *out = (head_list){.host = host};
    bool *meant = host->allocate(host, model->component_count + 1, sizeof *meant);
    size_t count = meant ? mark_heads(model, heads, layers, meant) : 0;
    out->names = host->allocate(host, count + 1, sizeof *out->names);
    out->layer = host->allocate(host, count + 1, sizeof *out->layer);
    out->layers = host->allocate(host, count + 1, sizeof *out->layers);
    out->first = host->allocate(host, count + 2, sizeof *out->first);
    hl_status status = meant && out->names && out->layer && out->layers && out->first
                           ? HL_OK
                           : hl_no_memory(error, "a list of heads");
    int32_t last = last_layer(model);
    for (int32_t layer = -1; layer <= last && status == HL_OK; ++layer) add_heads(model, meant, layer, out);
    host->release(host, meant);
    if (status == HL_OK && out->count == 0) status = hl_fail(error, HL_USAGE, "the model has no heads");
    if (status != HL_OK) head_list_close(out);
    return status;
}

void head_list_close(head_list *self) {
    if (!self->host) return;
    self->host->release(self->host, self->names);
    self->host->release(self->host, self->layer);
    self->host->release(self->host, self->layers);
    self->host->release(self->host, self->first);
    *self = (head_list){.host = NULL};
}

void head_list_keep(head_list *self, const bool *keep) {
    size_t layers = 0, heads = 0;
    for (size_t layer = 0; layer < self->layer_count; ++layer) {
        size_t first = self->first[layer], end = self->first[layer + 1];
        if (!keep[layer]) continue;
        self->layers[layers] = self->layers[layer];
        self->first[layers] = heads;
        for (size_t i = first; i < end; ++i) {
            self->names[heads] = self->names[i];
            self->layer[heads++] = layers;
        }
        ++layers;
    }
    self->first[layers] = heads;
    self->layer_count = layers;
    self->count = heads;
}

size_t head_list_find(const head_list *self, const char *name) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->names[i], name) == 0) return i;
    }
    return SIZE_MAX;
}

/* ---- properties ---- */

void property_table_close(property_table *self) {
    for (size_t i = 0; i < self->count; ++i) {
        free(self->names[i]);
        free(self->keys[i]);
    }
    free(self->names);
    free(self->keys);
    *self = (property_table){.count = 0};
}

/* Takes the key; SIZE_MAX: no memory. */
static size_t add_property(property_table *self, const char *name, char *key) {
    char *kept = strdup(name);
    char **names = kept ? reallocarray(self->names, self->count + 1, sizeof *names) : NULL;
    if (names) self->names = names;
    char **keys = names ? reallocarray(self->keys, self->count + 1, sizeof *keys) : NULL;
    if (keys) self->keys = keys;
    if (!keys) {
        free(kept);
        free(key);
        return SIZE_MAX;
    }
    names[self->count] = kept;
    keys[self->count] = key;
    return self->count++;
}

static hl_status find_property(property_table *self, const char *name, size_t *out, hl_error *error) {
    char *key = property_key(name);
    size_t i = 0;
    if (!key) return hl_no_memory(error, "names of properties");
    while (i < self->count && strcmp(self->keys[i], key) != 0) ++i;
    if (property_key_is_none(key)) {
        *out = NO_PROPERTY;
    } else if (i < self->count) {
        *out = i;
    } else {
        *out = add_property(self, name, key);
        return *out == SIZE_MAX ? hl_no_memory(error, "names of properties") : HL_OK;
    }
    free(key);
    return HL_OK;
}

hl_status properties_read(const hl_ask *ask, const char *step, const head_list *heads, property_table *table,
                          size_t *of_head, hl_error *error) {
    const hl_label *label;
    double *heaviest = ask->host->allocate(ask->host, heads->count + 1, sizeof *heaviest);
    hl_status status = heaviest ? HL_OK : hl_no_memory(error, "labels of heads");
    for (size_t i = 0; i < heads->count; ++i) of_head[i] = NO_PROPERTY;
    for (size_t i = 0; status == HL_OK && (label = ask->label(ask, step, i)); ++i) {
        size_t head = head_list_find(heads, label->head), property = NO_PROPERTY;
        if (head == SIZE_MAX || !(label->weight > heaviest[head])) continue;
        status = find_property(table, label->property, &property, error);
        if (status != HL_OK || property == NO_PROPERTY) continue;
        heaviest[head] = label->weight;
        of_head[head] = property;
    }
    ask->host->release(ask->host, heaviest);
    return status;
}
