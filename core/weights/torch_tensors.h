/* What PyTorch's pickles say of tensors (torch/_utils.py, torch/storage.py,
 * torch/csrc/jit/serialization/pickler.cpp): which there are, in which of the container's storages their
 * numbers lie, and how. Knows no container. */
#ifndef TORCH_TENSORS_H
#define TORCH_TENSORS_H

#include "core/weights/pickle.h"
#include "core/weights/table.h"

/* A storage's bytes in the file; an error where there is none of that key. */
typedef hl_status torch_locate(void *container, const char *key, uint64_t *begin, uint64_t *bytes,
                               hl_error *error);

/* The names that a pickle of tensors needs: none does anything. */
bool torch_may(const char *name);

/* Puts every tensor below the pickle's root into the table, as a tensor of its last file. Of a training
 * checkpoint, in which the model stands beside an optimizer and other things, the model's alone. */
hl_status torch_add_tensors(hl_weights *table, const pickle *from, torch_locate *locate, void *container,
                            hl_error *error);

/* A storage as a pickle speaks of it, or a part of one (only before PyTorch 1.6). */
typedef struct torch_storage {
    const char *key;
    hl_dtype dtype;
    const char *type;      /* "float32" */
    size_t item;           /* bytes of a number */
    uint64_t whole;        /* its numbers */
    uint64_t first, count; /* of the part, or of all */
} torch_storage;

/* Why it is none; NULL: it is one. */
const char *torch_read_storage(const pickle_value *stored, torch_storage *out);

#endif
