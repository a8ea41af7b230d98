/* What PyTorch wrote before it wrote zip archives, and writes still if asked to: pickles, and numbers behind
 * them. */
#ifndef TORCH_LEGACY_H
#define TORCH_LEGACY_H

#include "headlight/weights.h"
#include <stdbool.h>

/* Whether a file that begins so is one. */
bool torch_legacy_is(const uint8_t *bytes, size_t count);

/* Puts the tensors of the table's last file into the table. */
hl_status torch_legacy_read(hl_weights *table, hl_error *error);

#endif
