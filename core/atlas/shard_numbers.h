/* Numbers that are none: a checksum is right also where they were written. */
#ifndef SHARD_NUMBERS_H
#define SHARD_NUMBERS_H

#include "core/atlas/shard_file.h"

/* HL_FAILED, with shard, tensor and row, when a tensor holds one. Reads all its numbers. */
hl_status shard_check_numbers(const shard_file *self, size_t tensor, hl_error *error);

#endif
