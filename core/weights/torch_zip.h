/* PyTorch's archives (.pt, .pth, .bin since PyTorch 1.6), TorchScript's among them. */
#ifndef TORCH_ZIP_H
#define TORCH_ZIP_H

#include "headlight/weights.h"
#include <stdbool.h>

/* Whether a file that begins so is a zip archive. */
bool torch_zip_is(const uint8_t *bytes, size_t count);

/* Puts the tensors of the table's last file into the table. */
hl_status torch_zip_read(hl_weights *table, hl_error *error);

#endif
