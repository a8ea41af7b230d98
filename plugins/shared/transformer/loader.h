/* Takes tensors out of a checkpoint and puts them on a backend, one at a time, so that memory never holds the
 * file and the prepared copies at once. A matrix is read by the threads that prepare it, some rows at a time,
 * wherever the file has it row by row. */
#ifndef LOADER_H
#define LOADER_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/try.h"

typedef struct norm {
    hl_tensor *gain, *shift;
    size_t width;
    float epsilon;
} norm;

/* Where weights come from and go to. `numbers` is on loan to one tensor after another. */
typedef struct loader {
    const checkpoint *weights;
    const hl_compute *compute;
    hl_error *error;
    float *numbers; /* free() it at the end */
    size_t room;
} loader;

hl_status load_vector(loader *from, tensor_spec spec, hl_tensor **out);
hl_status load_norm(loader *from, tensor_spec gain, tensor_spec shift, float epsilon, norm *out);
void free_norm(const hl_compute *compute, norm *n);

/* Rows [first, first + what->out) of a matrix that is stored as out x in; no bias where bias.rank is 0.
 * `what`: role, layer and out. */
hl_status load_linear(loader *from, const hl_weight_source *what, tensor_spec matrix, tensor_spec bias,
                      size_t first, hl_weight **out);

/* The same, each output times a number of its own: a layer scale; none where scale.rank is 0. */
hl_status load_scaled(loader *from, const hl_weight_source *what, tensor_spec matrix, tensor_spec bias,
                      tensor_spec scale, size_t first, hl_weight **out);

/* A matrix that is stored as in x out; no bias where bias.rank is 0. */
hl_status load_projection(loader *from, tensor_spec matrix, tensor_spec bias, hl_weight **out);

#endif
