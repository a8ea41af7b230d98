/* From a checkpoint to a backend. Knows no tower. */
#include "loader.h"

#include <stdlib.h>

/* Room for `count` numbers. Kept from tensor to tensor, because fresh memory costs more than reading does. */
static hl_status make_room(loader *from, size_t count) {
    if (count <= from->room) return HL_OK;
    free(from->numbers);
    from->numbers = malloc(count * sizeof *from->numbers);
    from->room = from->numbers ? count : 0;
    return from->numbers ? HL_OK : hl_no_memory(from->error, "a tensor that is being loaded");
}

/* Elements [first, first + count) to `out`; the tensor's file pages are given back. */
static hl_status read_part(const loader *from, const tensor_spec *spec, size_t first, size_t count,
                           float *out) {
    TRY(checkpoint_read(from->weights, spec, first, count, out, from->error));
    checkpoint_done(from->weights, spec);
    return HL_OK;
}

hl_status load_vector(loader *from, tensor_spec spec, hl_tensor **out) {
    const hl_compute *c = from->compute;
    size_t count = tensor_elements(&spec);
    TRY(make_room(from, count));
    TRY(read_part(from, &spec, 0, count, from->numbers));
    TRY(c->api->new_tensor(c->backend, count, out, from->error));
    return c->api->upload(c->backend, from->numbers, (hl_matrix){*out, 0, 1, count, count}, from->error);
}

hl_status load_norm(loader *from, tensor_spec gain, tensor_spec shift, float epsilon, norm *out) {
    out->epsilon = epsilon;
    out->width = gain.shape[0];
    TRY(load_vector(from, gain, &out->gain));
    return load_vector(from, shift, &out->shift);
}

void free_norm(const hl_compute *compute, norm *n) {
    compute->api->free_tensor(compute->backend, n->gain);
    compute->api->free_tensor(compute->backend, n->shift);
}

/* Each output times a number of its own, which makes a layer scale a part of the weights. */
static void scale_outputs(const float *scale, size_t out, size_t in, float *matrix, float *bias) {
    for (size_t i = 0; i < out; ++i) {
        for (size_t j = 0; j < in; ++j) matrix[i * in + j] *= scale[i];
        if (bias) bias[i] *= scale[i];
    }
}

hl_status load_scaled(loader *from, const hl_weight_source *what, tensor_spec matrix, tensor_spec bias,
                      tensor_spec scale, size_t first, hl_weight **out) {
    hl_weight_source source = *what;
    source.size = sizeof source;
    source.in = tensor_elements(&matrix) / matrix.shape[0];
    size_t elements = source.out * source.in;
    TRY(make_room(from, elements + 2 * source.out));
    float *shift = from->numbers + elements, *scales = shift + source.out;
    source.data = from->numbers;
    TRY(read_part(from, &matrix, first * source.in, elements, from->numbers));
    if (bias.rank) {
        TRY(read_part(from, &bias, first, source.out, shift));
        source.bias = shift;
    }
    if (scale.rank) {
        TRY(read_part(from, &scale, first, source.out, scales));
        scale_outputs(scales, source.out, source.in, from->numbers, bias.rank ? shift : NULL);
    }
    return from->compute->api->prepare(from->compute->backend, &source, out, from->error);
}

hl_status load_linear(loader *from, const hl_weight_source *what, tensor_spec matrix, tensor_spec bias,
                      size_t first, hl_weight **out) {
    return load_scaled(from, what, matrix, bias, (tensor_spec){.rank = 0}, first, out);
}

hl_status load_projection(loader *from, tensor_spec matrix, tensor_spec bias, hl_weight **out) {
    size_t rows = matrix.shape[0], cols = matrix.shape[1], elements = rows * cols;
    TRY(make_room(from, 2 * elements + cols));
    const float *stored = from->numbers;
    float *turned = from->numbers + elements;
    TRY(read_part(from, &matrix, 0, elements, from->numbers));
    for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < cols; ++j) turned[j * rows + i] = stored[i * cols + j];
    }
    hl_weight_source source = {sizeof source, HL_ROLE_EMBED, -1, cols, rows, turned, NULL};
    if (bias.rank) {
        TRY(read_part(from, &bias, 0, cols, turned + elements));
        source.bias = turned + elements;
    }
    return from->compute->api->prepare(from->compute->backend, &source, out, from->error);
}
