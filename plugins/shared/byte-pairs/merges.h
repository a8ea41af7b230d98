/* The merges of a byte-pair encoding: symbols, their token ids, and which pair becomes which symbol. */
#ifndef MERGES_H
#define MERGES_H

#include "headlight/host.h"
#include "pair_table.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids: 256 bytes, 256 bytes that end a word, the merges' results, start, end. */
enum { MERGES_BYTES = 256, MERGES_FIXED = 2 * MERGES_BYTES + 2 };

typedef struct merges merges;

/* Parses a header line and vocab_size - MERGES_FIXED merges. `name` is for messages. */
hl_status merges_parse(const char *name, const char *text, size_t length, size_t vocab_size, merges **out,
                       hl_error *error);

/* The same for a file as it is stored, which may be packed by gzip. */
hl_status merges_unpack(const char *name, const char *bytes, size_t count, size_t vocab_size, merges **out,
                        hl_error *error);

/* Reads the merges file of a model's folder, plain or gzip. HL_USAGE when there is none. */
hl_status merges_read(const hl_host *host, const char *folder, size_t vocab_size, merges **out,
                      hl_error *error);
void merges_free(merges *table); /* accepts NULL */

/* The symbol of a byte; `last`: of one that ends a word. */
uint32_t merges_byte(const merges *table, uint8_t byte, bool last);
int32_t merges_id(const merges *table, uint32_t symbol);

/* The ids behind the merges' own. */
int32_t merges_start(const merges *table);
int32_t merges_end(const merges *table);

const pair_table *merges_pairs(const merges *table);

#endif
