/* See components.h. */
#include "components.h"

#include "checkpoint/try.h"
#include <stdlib.h>

static const uint32_t scopes[MOST_FURTHER] = {HL_PER_LAYER, HL_PER_IMAGE, HL_PER_IMAGE, HL_PER_IMAGE};

__attribute__((format(printf, 4, 5))) static void add(component_table *table, uint32_t index,
                                                      hl_component row, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(table->names[index].text, sizeof table->names[index].text, format, arguments);
    va_end(arguments);
    row.name = table->names[index].text;
    row.scalars = scopes + MOST_FURTHER - row.scalar_count; /* only the first of four is of the layer */
    table->rows[index] = row;
}

static hl_component head_row(const tower_shape *shape, size_t layer, size_t head) {
    return (hl_component){.kind = HL_HEAD,
                          .layer = (int32_t)layer,
                          .index = (int32_t)head,
                          .width = (uint32_t)head_width(shape),
                          .scalar_count = has_inner_norms(shape) ? 4 : 3,
                          .basis = (uint32_t)(layer * shape->heads + head),
                          .has_tokens = true};
}

static hl_component whole_row(const tower_shape *shape, hl_component_kind kind, int32_t layer) {
    return (hl_component){.kind = kind,
                          .layer = layer,
                          .index = -1,
                          .width = (uint32_t)shape->width,
                          .scalar_count = 2,
                          .basis = whole_basis(shape)};
}

/* What does not depend on the image, but for its length. */
static hl_component remainder_row(const tower_shape *shape) {
    return (hl_component){
        .kind = HL_REMAINDER, .layer = -1, .index = -1, .scalar_count = 1, .basis = whole_basis(shape) + 1};
}

hl_status components_make(const tower_shape *shape, bool has_remainder, component_table *out,
                          hl_error *error) {
    uint32_t further = has_remainder ? 1 : 0;
    out->count = (uint32_t)(1 + shape->layers * (shape->heads + 1)) + further;
    out->basis_count = whole_basis(shape) + 1 + further;
    out->rows = calloc(out->count, sizeof *out->rows);
    out->names = calloc(out->count, sizeof *out->names);
    if (!out->rows || !out->names) return hl_no_memory(error, "the component table");
    add(out, 0, whole_row(shape, HL_INPUT, -1), "input");
    for (size_t layer = 0; layer < shape->layers; ++layer) {
        for (size_t head = 0; head < shape->heads; ++head) {
            add(out, head_component(shape, layer, head), head_row(shape, layer, head), "L%zu.H%zu", layer,
                head);
        }
        add(out, mlp_component(shape, layer), whole_row(shape, HL_MLP, (int32_t)layer), "L%zu.MLP", layer);
    }
    if (has_remainder) add(out, out->count - 1, remainder_row(shape), "remainder");
    return HL_OK;
}

void components_free(component_table *table) {
    free(table->rows);
    free(table->names);
    *table = (component_table){0};
}
