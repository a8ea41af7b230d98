/* NumPy's .npy files (numpy.lib.format, version 1.0 and 2.0). */
#ifndef NPY_H
#define NPY_H

#include "core/io/output.h"
#include "headlight/error.h"
#include <stddef.h>
#include <stdint.h>

enum { NPY_MAX_RANK = 8 };

typedef struct npy_array {
    size_t rank, shape[NPY_MAX_RANK], elements;
    float *data; /* free() it */
} npy_array;

/* Starts a C-order file of `descr` ("<f4", "<i4") elements; the caller then writes exactly the elements with
 * output_write. */
hl_status npy_begin(output *out, const char *name, const char *descr, size_t rank, const size_t *shape,
                    FILE **file, hl_error *error);

/* A shape as two arguments, `rank` and `shape`: NPY_SHAPE(images, 3, height, width). */
#define NPY_SHAPE(...)                                                                                       \
    sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), (size_t[]) {                                           \
        __VA_ARGS__                                                                                          \
    }

/* Reads a little-endian f4 or f8 array in C order; everything is checked before it is used. */
hl_status npy_read(const char *path, npy_array *array, hl_error *error);

/* The same from memory; `name` is for messages. */
hl_status npy_parse(const char *name, const uint8_t *bytes, size_t count, npy_array *array, hl_error *error);

#endif
