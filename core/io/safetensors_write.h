/* Writes .safetensors files (huggingface/safetensors, README, "Format") in one pass. */
#ifndef SAFETENSORS_WRITE_H
#define SAFETENSORS_WRITE_H

#include "core/io/checksum.h"
#include "core/io/output.h"
#include "headlight/weights.h"

enum { SAFETENSORS_WRITE_RANK = 3, SAFETENSORS_WRITE_ALIGNMENT = 8 };

typedef struct safetensors_part {
    const char *name;
    hl_dtype dtype; /* HL_F64, HL_I64, HL_F32, HL_F16 or HL_U8 */
    uint32_t rank;
    uint64_t shape[SAFETENSORS_WRITE_RANK];
    const void *data; /* may be NULL where a side is 0 */
} safetensors_part;

/* What has been written, for whoever wants to check it later. */
typedef struct safetensors_receipt {
    uint64_t bytes;
    char checksum[CHECKSUM_ROOM]; /* of the whole file */
    char header[CHECKSUM_ROOM];   /* of what comes before the first tensor */
} safetensors_receipt;

/* Writes the tensors in their order to a new file of the output. Each begins at a multiple of 8 bytes of the
 * file; as the format allows no gaps, a tensor "padding.N" of U8 fills one where a size makes it necessary.
 */
hl_status safetensors_write(output *out, const char *name, const safetensors_part *parts, size_t count,
                            safetensors_receipt *receipt, hl_error *error);

/* Bytes of an element; 0 for a dtype that is not written. */
size_t safetensors_item(hl_dtype dtype);

#endif
