/* See pooled.h: the component table, its bases, and loading. */
#include "pooled.h"

#include <stdlib.h>

/* ---- components ---- */

__attribute__((format(printf, 3, 4))) static void add(pooled *self, hl_component row, const char *format,
                                                      ...) {
    component_table *table = &self->components;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(table->names[table->count].text, sizeof table->names->text, format, arguments);
    va_end(arguments);
    row.name = table->names[table->count].text;
    row.scalars = self->scopes;
    table->rows[table->count++] = row;
}

static void add_pooling_heads(pooled *self) {
    const pool_shape *shape = self->pool.shape;
    hl_component row = {.kind = HL_HEAD,
                        .layer = (int32_t)self->layer,
                        .width = (uint32_t)pool_head_width(shape),
                        .scalar_count = 1,
                        .has_tokens = true};
    for (size_t i = 0; i < shape->heads; ++i) {
        row.index = (int32_t)i;
        row.basis = self->components.basis_count++;
        add(self, row, "pool.H%zu", i);
    }
}

static void add_pooling_mlp(pooled *self) {
    const hl_component row = {.kind = HL_MLP,
                              .layer = (int32_t)self->layer,
                              .index = -1,
                              .width = (uint32_t)self->pool.shape->embed_dim,
                              .basis = self->components.basis_count};
    if (self->pool.shape->hidden == 0) return;
    self->components.basis_count++;
    add(self, row, "pool.MLP");
}

/* Bases: one for each layer's heads, then that of MLPs and the input. */
static void add_layers(pooled *self) {
    const tower_shape *layers = self->path.layers;
    uint32_t width = (uint32_t)self->pool.shape->width;
    hl_component head = {.kind = HL_HEAD,
                         .width = width,
                         .scalar_count = (uint32_t)path_head_scalars(&self->path),
                         .has_tokens = true};
    hl_component rest = {.kind = HL_INPUT,
                         .layer = -1,
                         .index = -1,
                         .width = width,
                         .scalar_count = (uint32_t)path_row_scalars(&self->path),
                         .basis = (uint32_t)layers->layers};
    add(self, rest, "input");
    rest.kind = HL_MLP;
    for (size_t i = 0; i < layers->layers; ++i) {
        head.layer = rest.layer = (int32_t)i;
        head.basis = (uint32_t)i;
        for (size_t h = 0; h < layers->heads; ++h) {
            head.index = (int32_t)h;
            add(self, head, "L%zu.H%zu", i, h);
        }
        add(self, rest, "L%zu.MLP", i);
    }
    self->components.basis_count = (uint32_t)layers->layers + 1;
}

static void add_remainder(pooled *self) {
    const hl_component row = {.kind = HL_REMAINDER,
                              .layer = -1,
                              .index = -1,
                              .scalar_count = 1,
                              .basis = self->components.basis_count++};
    add(self, row, "remainder");
}

hl_status pooled_describe(pooled *self, hl_error *error) {
    const tower_shape *layers = self->path.layers;
    component_table *table = &self->components;
    self->path.pool = &self->pool;
    size_t room = self->pool.shape->heads + 1, scopes = 2 * self->pool.shape->heads + 1;
    if (self->by_layers) room = 3 + layers->layers * (layers->heads + 1);
    table->rows = calloc(room, sizeof *table->rows);
    table->names = calloc(room, sizeof *table->names);
    self->scopes = calloc(scopes, sizeof *self->scopes);
    if (!table->rows || !table->names || !self->scopes) return hl_no_memory(error, "the component table");
    for (size_t i = 0; i < scopes; ++i) self->scopes[i] = HL_PER_IMAGE;
    if (self->by_layers)
        add_layers(self);
    else
        add_pooling_heads(self);
    add_pooling_mlp(self);
    if (self->by_layers) add_remainder(self);
    return HL_OK;
}

pass_subject pooled_subject(const pooled *self) {
    const pooling every_row = {0, self->pool.shape->tokens, NULL}, one_row = {0, 1, NULL};
    const pooling rows = self->by_layers ? every_row : one_row;
    return (pass_subject){self->plugin, &self->components, self->layer + 1, rows.count, rows};
}

/* Nothing is nothing in any space. */
static bool is_zero(const float *values, size_t count) {
    bool zero = values != NULL;
    for (size_t i = 0; zero && i < count; ++i) zero = !(values[i] < 0 || values[i] > 0);
    return zero;
}

hl_status pooled_check_edits(const pooled *self, const hl_request *request, hl_error *error) {
    for (size_t i = 0; request && i < request->edit_count; ++i) {
        const hl_edit *edit = request->edits[i];
        if (edit->action != HL_EDIT_REPLACE || edit->component >= self->components.count) continue;
        const hl_component *row = &self->components.rows[edit->component];
        if (row->layer == (int32_t)self->layer || is_zero(edit->values, row->width)) continue;
        return hl_fail(
            error, HL_USAGE,
            "%s: HL_EDIT_REPLACE of %s: what it wrote cannot be replaced, since its code says what "
            "the pooling makes of it; scale it, or replace what the pooling's heads gather",
            self->plugin, row->name);
    }
    return HL_OK;
}

/* ---- weights ---- */

hl_status pooled_load(pooled *self, loader *from, tensor_spec gain, tensor_spec shift) {
    TRY(attention_pool_load(&self->pool, from));
    return self->by_layers ? value_path_load(&self->path, from, gain, shift) : HL_OK;
}

void pooled_free(pooled *self) {
    value_path_free(&self->path);
    attention_pool_free(&self->pool);
    components_free(&self->components);
    free(self->scopes);
}

static void identity(size_t n, float *out) {
    for (size_t i = 0; i < n * n; ++i) out[i] = i / n == i % n;
}

/* The first component that uses a basis says what it is of. */
static const hl_component *user_of(const pooled *self, uint32_t basis) {
    const component_table *table = &self->components;
    for (uint32_t i = 0; i < table->count; ++i) {
        if (table->rows[i].basis == basis) return &table->rows[i];
    }
    return NULL;
}

hl_status pooled_basis(const pooled *self, uint32_t basis, float *out, hl_error *error) {
    const hl_component *user = user_of(self, basis);
    if (!user) {
        return hl_fail(error, HL_USAGE, "%s: basis %u does not exist, there are %u", self->plugin, basis,
                       self->components.basis_count);
    }
    bool of_pool = user->layer == (int32_t)self->layer;
    if (user->kind == HL_REMAINDER) return value_path_remainder(&self->path, out, error);
    if (of_pool && user->kind == HL_HEAD) return attention_pool_basis(&self->pool, basis, out, error);
    if (user->kind == HL_HEAD) return value_path_head_basis(&self->path, basis, out, error);
    if (!of_pool) return value_path_row_basis(&self->path, out, error);
    identity(self->pool.shape->embed_dim, out);
    return HL_OK;
}

hl_status pooled_value_gram(const pooled *self, uint32_t component, const float *gain, double *out,
                            hl_error *error) {
    if (component >= self->components.count) {
        return hl_fail(error, HL_USAGE, "%s: component %u does not exist, there are %u", self->plugin,
                       component, self->components.count);
    }
    const hl_component *row = &self->components.rows[component];
    if (row->kind != HL_HEAD || self->by_layers) {
        return hl_fail(error, HL_USAGE, "%s has no value map by itself: only a head of the pooling has",
                       row->name);
    }
    return attention_pool_value_gram(&self->pool, (size_t)row->index, gain, out, error);
}
