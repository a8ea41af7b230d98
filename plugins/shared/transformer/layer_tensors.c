/* See layer_tensors.h. */
#include "layer_tensors.h"

#include <math.h>

/* Sizes are multiples of the tower's width and of its hidden width; no columns: a vector. */
typedef struct layer_row {
    uint8_t row_widths, row_hiddens, column_widths, column_hiddens;
    float mean, deviation; /* of a matrix: for inputs of deviation 1; of a branch's end: for one layer */
    bool ends_branch;      /* writes into the residual stream, to which 2 * layers branches add */
} layer_row;

static const layer_row layer_rows[LAYER_SLOTS] = {
    [LN_1_GAIN] = {1, 0, 0, 0, 1, 0.25F, false},       [LN_1_SHIFT] = {1, 0, 0, 0, 0, 0.1F, false},
    [QKV_WEIGHT] = {3, 0, 1, 0, 0, 1.2F, false},       [QKV_BIAS] = {3, 0, 0, 0, 0, 0.1F, false},
    [OUT_WEIGHT] = {1, 0, 1, 0, 0, 2, true},           [OUT_BIAS] = {1, 0, 0, 0, 0, 0.05F, false},
    [LN_2_GAIN] = {1, 0, 0, 0, 1, 0.25F, false},       [LN_2_SHIFT] = {1, 0, 0, 0, 0, 0.1F, false},
    [MLP_IN_WEIGHT] = {0, 1, 1, 0, 0, 1, false},       [MLP_IN_BIAS] = {0, 1, 0, 0, 0, 0.1F, false},
    [MLP_OUT_WEIGHT] = {1, 0, 0, 1, 0, 2, true},       [MLP_OUT_BIAS] = {1, 0, 0, 0, 0, 0.05F, false},
    [HEADS_NORM_GAIN] = {1, 0, 0, 0, 1, 0.25F, false}, [HEADS_NORM_SHIFT] = {1, 0, 0, 0, 0, 0.1F, false},
    [MLP_NORM_GAIN] = {0, 1, 0, 0, 1, 0.25F, false},   [MLP_NORM_SHIFT] = {0, 1, 0, 0, 0, 0.1F, false},
    [OUT_SCALE] = {1, 0, 0, 0, 1, 0.25F, false},       [MLP_OUT_SCALE] = {1, 0, 0, 0, 1, 0.25F, false},
};

tensor_spec layer_tensor(const tower_shape *shape, size_t layer, layer_slot slot) {
    const layer_row *row = &layer_rows[slot];
    if (!shape->names->slots[slot]) return (tensor_spec){.rank = 0};
    bool is_gate = slot == MLP_IN_WEIGHT || slot == MLP_IN_BIAS;
    size_t hidden = is_gate ? hidden_rows(shape) : shape->hidden;
    size_t rows = row->row_widths * shape->width + row->row_hiddens * hidden;
    size_t columns = row->column_widths * shape->width + row->column_hiddens * shape->hidden;
    tensor_spec out = {.rank = columns ? 2 : 1, .shape = {rows, columns}, .mean = row->mean};
    double deviation = row->deviation;
    if (columns) deviation /= sqrt((double)columns);
    if (row->ends_branch) deviation /= sqrt(2.0 * (double)shape->layers);
    out.deviation = (float)deviation;
    snprintf(out.name, sizeof out.name, "%s%zu.%s", shape->names->before, layer, shape->names->slots[slot]);
    return out;
}

size_t layer_tensors(const tower_shape *shape, tensor_spec *out) {
    size_t count = 0;
    for (size_t layer = 0; layer < shape->layers; ++layer) {
        for (int slot = 0; slot < LAYER_SLOTS; ++slot) {
            tensor_spec spec = layer_tensor(shape, layer, (layer_slot)slot);
            if (spec.rank) out[count++] = spec;
        }
    }
    return count;
}

tensor_beyond layer_beyond(const tower_shape *shape) {
    return (tensor_beyond){layer_tensor(shape, shape->layers, LN_1_GAIN), shape->layers};
}
