/* Files that are read. Every one is opened here: a named pipe, a device or a folder where a file is expected
 * is an error at once, never a wait without end, and a file that changes while it is read is one too. Never
 * knows what is in them.
 *
 * Errors are HL_USAGE when the path leads to no file that may be read, or to one that is too large, and
 * HL_FAILED when the system fails: no memory, a bad disk, too many open files. */
#ifndef INPUT_H
#define INPUT_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens a regular file. *descriptor is the caller's to close. */
hl_status input_open(const char *path, int *descriptor, uint64_t *size, hl_error *error);

/* Reads a whole regular file of at most `most` bytes. *bytes, to be freed, has a NUL behind the last of them.
 */
hl_status input_read(const char *path, size_t most, uint8_t **bytes, size_t *count, hl_error *error);

/* The same for what may also come from a pipe that has no name: standard input, or what a shell puts for
 * `<(command)`. Waits for its end, or until the call is cancelled. *piped, unless NULL: whether it was
 * one. */
hl_status input_read_piped(const char *path, size_t most, uint8_t **bytes, size_t *count, bool *piped,
                           hl_error *error);

/* Reads exactly `count` bytes at `offset` of an opened file; fewer are an error. [any thread] */
hl_status input_read_at(const char *path, int descriptor, uint64_t offset, void *bytes, size_t count,
                        hl_error *error);

/* The sentence for a file that is no longer what it was when it was opened. */
hl_status input_changed(const char *path, hl_error *error);

#endif
