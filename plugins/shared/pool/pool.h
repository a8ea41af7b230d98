/* A pool: the texts by which heads are described, one a line of a file, and their embeddings, which are
 * encoded once for each model and kept on disk. */
#ifndef POOL_H
#define POOL_H

#include "headlight/ask.h"

/* Of the file in bytes, and of the texts in it. */
enum { POOL_LARGEST = 64 << 20, POOL_MOST_TEXTS = 1 << 20 };

/* Read only, once it is open. */
typedef struct pool {
    const hl_host *host;
    const char *path;
    const char *const *texts; /* in the order of the file, without white space around them, no two alike */
    const size_t *lines;      /* where each of them stands first, from 1 */
    const uint64_t *hashes;   /* of each text's bytes; the same on every machine */
    size_t count;
    size_t blank, duplicates; /* lines that are none of them: empty, or said before */
} pool;

/* UTF-8, with or without a byte-order mark, lines ended by LF, CR or both. Blank lines are left out, and so,
 * with a warning, is what was said before. HL_USAGE where nothing is left; HL_FAILED, with file and line, for
 * what is no text. *out is the caller's until `pool_close`. */
hl_status pool_open(const hl_host *host, const char *path, pool **out, hl_error *error);
void pool_close(pool *self); /* accepts NULL */

/* The same of bytes that are in memory, for a parser's tests: takes bytes[0 .. count], of which the last is
 * NUL and which `free` frees, also where it fails. `name` is for messages. */
hl_status pool_parse(const hl_host *host, const char *name, char *bytes, size_t count, pool **out,
                     hl_error *error);

/* Which of the texts this one is, white space around it left out; SIZE_MAX: none. */
size_t pool_find(const pool *self, const char *text);

/* *out: count x embed_dim numbers, unit norm, by `host->release` to be released. Encoded in pieces, each of
 * which is kept on disk by model, backend and its texts, so that an interrupted encoding goes on where it
 * was; what is kept and damaged is encoded again. */
hl_status pool_embeddings(const hl_ask *ask, const pool *self, float **out, hl_error *error);

#endif
