/* Stored weights, as a model plugin reads them. Ask the host for the extension HL_WEIGHTS_EXTENSION.
 *
 * A file is what its content says, whatever its name: .safetensors; an index of such shards, or of others,
 * beside it (model.safetensors.index.json); what PyTorch's torch.save wrote, as a zip archive or as before
 * those, whether a state dict or a training checkpoint with a model in it; TorchScript's archives. Pickles
 * are read as data: code that they ask for is refused by name and never run. Of a checkpoint the model's
 * tensors alone are there, under their dotted names.
 *
 * The layout is checked as a whole when the file is opened (sizes of headers; what overlaps, leaves the file
 * or its storage, or aliases; shapes that disagree with their bytes; of a dtype that the host does not know,
 * which is HL_OTHER, all but the last); afterwards a tensor is read in parts, converted to f32, from where
 * its numbers lie. Nothing of the file stays in memory, and one that shrinks or cannot be read any more is an
 * error of `read` and `digest`. */
#ifndef HEADLIGHT_WEIGHTS_H
#define HEADLIGHT_WEIGHTS_H

#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HL_WEIGHTS_EXTENSION "headlight.weights/1"

typedef enum hl_dtype { HL_F32 = 1, HL_F16, HL_BF16, HL_F64, HL_I64, HL_I32, HL_U8, HL_OTHER } hl_dtype;

/* A tensor of more than eight dimensions has eight here, the last being the product of the rest. */
typedef struct hl_stored_tensor {
    const char *name;
    hl_dtype dtype;
    uint32_t rank;     /* 0: a scalar */
    uint64_t shape[8]; /* outermost first */
    uint64_t elements; /* their product */
    const char *type;  /* the dtype as the file names it, for messages: "F8_E4M3" */
    bool scattered; /* since ABI 2.3: its numbers lie in another order, and reading some may cost as much as
                       reading all */
} hl_stored_tensor;

typedef struct hl_weights hl_weights; /* an opened file; owned by whoever opened it */

typedef struct hl_weights_api {
    uint32_t size;

    /* Opens a file. Errors name it and the tensor. [any thread] */
    hl_status (*open)(const char *path, hl_weights **weights, hl_error *error);
    void (*close)(hl_weights *weights); /* accepts NULL */

    /* The tensors in the order of their names. NULL past the end. Valid until `close`. [any thread] */
    const hl_stored_tensor *(*at)(const hl_weights *weights, size_t index);

    /* NULL when there is none of that name. [any thread] */
    const hl_stored_tensor *(*find)(const hl_weights *weights, const char *name);

    /* Converts elements [first, first + count) of an f32, f16, bf16 or f64 tensor to f32. [any thread] */
    hl_status (*read)(const hl_weights *weights, const hl_stored_tensor *tensor, uint64_t first,
                      uint64_t count, float *out, hl_error *error);

    /* Call it once a tensor has been prepared: whatever the host may keep of it is given back, so that file
     * and prepared copy are never both resident. Reading it again still works. [any thread] */
    void (*done)(const hl_weights *weights, const hl_stored_tensor *tensor);

    /* 32 hex digits and NUL: a 128-bit hash (XXH3) of the file's bytes, of shards that of theirs, for
     * fingerprints. Reads the whole file, unless it was asked for before and the file's path, identity, size
     * and times are the same. [any thread] */
    hl_status (*digest)(const hl_weights *weights, char out[33], hl_error *error);
} hl_weights_api;

#ifdef __cplusplus
}
#endif

#endif
