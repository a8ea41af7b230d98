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

/* Rows of a matrix, each times a number of its own, which makes a layer scale a part of the weights. */
static void scale_rows(const float *scales, size_t count, size_t in, float *rows) {
    for (size_t i = 0; i < count; ++i) {
        for (size_t j = 0; j < in; ++j) rows[i * in + j] *= scales[i];
    }
}

/* A matrix in the file, or a part of it, as a backend asks for its rows. What goes wrong is kept, so that the
 * user reads of the file and not of the backend that asked. */
typedef struct stored_rows {
    hl_rows rows;
    const checkpoint *weights;
    const tensor_spec *matrix;
    size_t first, in;
    const float *scales; /* NULL: none */
    hl_failure *failure;
} stored_rows;

static hl_status read_rows(const hl_rows *rows, size_t first, size_t count, float *to, hl_error *error) {
    const stored_rows *from = (const stored_rows *)(const void *)rows;
    hl_status status = checkpoint_read(from->weights, from->matrix, (from->first + first) * from->in,
                                       count * from->in, to, error);
    if (status == HL_OK && from->scales) scale_rows(from->scales + first, count, from->in, to);
    if (status != HL_OK && error) hl_keep_failure(from->failure, first, status, error);
    return status;
}

/* By the backend's own threads, part by part. */
static hl_status prepare_parts(loader *from, const hl_weight_source *source, const tensor_spec *matrix,
                               size_t first, const float *scales, hl_weight **out) {
    hl_failure failure = HL_NO_FAILURE;
    const stored_rows rows = {{read_rows}, from->weights, matrix, first, source->in, scales, &failure};
    const hl_compute *c = from->compute;
    hl_status status = c->api->prepare_rows(c->backend, source, &rows.rows, out, from->error);
    checkpoint_done(from->weights, matrix);
    if (status != HL_OK) hl_tell_failure(&failure, from->error);
    return status;
}

static hl_status prepare_whole(loader *from, hl_weight_source *source, const tensor_spec *matrix,
                               size_t first, const float *scales, float *room, hl_weight **out) {
    TRY(read_part(from, matrix, first * source->in, source->out * source->in, room));
    if (scales) scale_rows(scales, source->out, source->in, room);
    source->data = room;
    return from->compute->api->prepare(from->compute->backend, source, out, from->error);
}

hl_status load_scaled(loader *from, const hl_weight_source *what, tensor_spec matrix, tensor_spec bias,
                      tensor_spec scale, size_t first, hl_weight **out) {
    bool in_order = checkpoint_in_order(from->weights, &matrix);
    hl_weight_source source = *what;
    source.size = sizeof source;
    source.in = tensor_elements(&matrix) / matrix.shape[0];
    TRY(make_room(from, 2 * source.out + (in_order ? 0 : source.out * source.in)));
    float *shift = from->numbers, *scales = shift + source.out, *whole = scales + source.out;
    if (bias.rank) {
        TRY(read_part(from, &bias, first, source.out, shift));
        source.bias = shift;
    }
    if (scale.rank) {
        TRY(read_part(from, &scale, first, source.out, scales));
        if (bias.rank) scale_rows(scales, source.out, 1, shift);
    } else {
        scales = NULL;
    }
    return in_order ? prepare_parts(from, &source, &matrix, first, scales, out)
                    : prepare_whole(from, &source, &matrix, first, scales, whole, out);
}

hl_status load_linear(loader *from, const hl_weight_source *what, tensor_spec matrix, tensor_spec bias,
                      size_t first, hl_weight **out) {
    return load_scaled(from, what, matrix, bias, (tensor_spec){.rank = 0}, first, out);
}

/* Some columns at a time, so that what is read and what is written stays in the cache. */
static void turn(const float *from, size_t rows, size_t cols, float *to) {
    enum { SOME = 16 };
    for (size_t first = 0; first < cols; first += SOME) {
        size_t end = first + SOME < cols ? first + SOME : cols;
        for (size_t i = 0; i < rows; ++i) {
            for (size_t j = first; j < end; ++j) to[j * rows + i] = from[i * cols + j];
        }
    }
}

hl_status load_projection(loader *from, tensor_spec matrix, tensor_spec bias, hl_weight **out) {
    size_t rows = matrix.shape[0], cols = matrix.shape[1], elements = rows * cols;
    TRY(make_room(from, 2 * elements + cols));
    const float *stored = from->numbers;
    float *turned = from->numbers + elements;
    TRY(read_part(from, &matrix, 0, elements, from->numbers));
    turn(stored, rows, cols, turned);
    hl_weight_source source = {sizeof source, HL_ROLE_EMBED, -1, cols, rows, turned, NULL};
    if (bias.rank) {
        TRY(read_part(from, &bias, 0, cols, turned + elements));
        source.bias = turned + elements;
    }
    return from->compute->api->prepare(from->compute->backend, &source, out, from->error);
}
