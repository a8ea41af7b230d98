/* One kind of tokenizer, read from a folder: what encodes a cleaned text, and the ids around it. */
#ifndef ENCODER_H
#define ENCODER_H

#include "text/token_ids.h"
#include "tokenizer.h"

typedef struct encoder {
    void *vocabulary; /* never changes */
    hl_status (*encode)(const void *vocabulary, const char *text, size_t length, token_ids *out,
                        hl_error *error);
    void (*free)(void *vocabulary);
    text_cleaning cleaning;
    int32_t start, end; /* -1: none */
} encoder;

/* Reads what the rules ask for out of the folder. HL_USAGE, saying which files are read, where there is none.
 */
hl_status encoder_read(const hl_host *host, const char *folder, const tokenizer_rules *rules, encoder *out,
                       hl_error *error);

#endif
