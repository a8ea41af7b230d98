/* The tensors of opened files, whatever the containers: where each one's numbers lie, and their reading in
 * parts. What a reader of a container puts in has been checked by it to lie inside its file. */
#ifndef TABLE_H
#define TABLE_H

#include "core/io/arena.h"
#include "headlight/weights.h"
#include <stdbool.h>

enum { MAX_RANK = 8 };

typedef struct weights_file {
    char *path;           /* for messages */
    int descriptor;       /* -1: its bytes lie in memory */
    const uint8_t *bytes; /* in memory, somebody else's; NULL: in a file */
    uint64_t size;
} weights_file;

/* The public part comes first, so that a pointer to it is a pointer to the tensor. */
typedef struct tensor {
    hl_stored_tensor stored;
    size_t file;                /* which of the table's */
    uint64_t begin, end;        /* of its numbers, in the file */
    size_t item;                /* bytes of a number; 0: this program does not know its dtype */
    uint64_t strides[MAX_RANK]; /* where scattered: numbers from one to the next, for each side; no two share
                                   a place */
} tensor;

struct hl_weights {
    arena texts; /* names and types of tensors */
    weights_file *files;
    size_t file_count;
    tensor *tensors; /* by name, once the table is finished */
    size_t count, room;
};

hl_weights *table_new(void);        /* NULL: no memory */
void table_close(hl_weights *self); /* closes its files; accepts NULL */

/* Takes the file over, whether it succeeds or not, but not its path, which is copied. Its number is the one
 * before self->file_count. */
hl_status table_add_file(hl_weights *self, const weights_file *file, hl_error *error);

/* Copies the tensor, its name and its type. */
hl_status table_add(hl_weights *self, const tensor *added, hl_error *error);

/* Sorts by name; no name comes twice. */
hl_status table_finish(hl_weights *self, hl_error *error);

/* "PATH: tensor NAME: why" */
hl_status table_refuse(const hl_weights *self, const tensor *refused, const char *why, hl_error *error);

hl_status weights_file_read(const weights_file *file, uint64_t offset, void *out, size_t count,
                            hl_error *error);

/* The functions of hl_weights_api that are about an opened table. */
const hl_stored_tensor *table_at(const hl_weights *self, size_t index);
const hl_stored_tensor *table_find(const hl_weights *self, const char *name);
hl_status table_read(const hl_weights *self, const hl_stored_tensor *stored, uint64_t first, uint64_t count,
                     float *out, hl_error *error);
void table_done(const hl_weights *self, const hl_stored_tensor *stored);
hl_status table_digest(const hl_weights *self, char out[33], hl_error *error);

#endif
