/* Reads .safetensors files (huggingface/safetensors, README, "Format"). */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "headlight/weights.h"

/* Checks the header and the layout of the table's last file, and puts its tensors into the table. */
hl_status safetensors_read(hl_weights *table, hl_error *error);

/* The same with a whole file that lies in memory. `name` is for messages. The bytes must outlive *weights;
 * weights_api.close frees it and leaves the bytes alone. */
hl_status safetensors_parse(const char *name, const uint8_t *bytes, size_t count, hl_weights **weights,
                            hl_error *error);

/* A tensor's bytes where they lie, at any address; valid as long as those. Only of what `safetensors_parse`
 * gave. */
const void *safetensors_data(const hl_weights *weights, const hl_stored_tensor *tensor);

/* Bytes of what comes before the first tensor, the header and its length, from the beginning of a file of
 * `count` bytes; 0: it says no possible length. */
uint64_t safetensors_header_of(const uint8_t *bytes, size_t count);

#endif
