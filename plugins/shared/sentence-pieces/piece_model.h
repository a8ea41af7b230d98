/* spiece.model: a sentencepiece model, read and checked field by field, and made anew for the library that
 * encodes with it. What brings a text into form is left out of that: it is done here, where nothing is
 * trusted (text/charsmap.h). */
#ifndef PIECE_MODEL_H
#define PIECE_MODEL_H

#include "module.h"
#include "text/charsmap.h"
#include "text/string_table.h"
#include "text/token_ids.h"

typedef struct piece_model {
    module module;
    void *model; /* of the module: encodes text that is in form */
    charsmap map;
    bool begins_with_line, trims; /* a text: with a U+2581 before it; without surplus blanks */
    int32_t end, unknown;
} piece_model;

/* `name` is for messages. */
hl_status piece_model_parse(const char *name, const void *bytes, size_t count, piece_model *out,
                            hl_error *error);
void piece_model_free(piece_model *self); /* accepts one that is zeroed */

/* The number of a piece, of bytes that need not be a model; -1: none. */
int32_t piece_model_find(const void *bytes, size_t count, const char *text);

/* Appends the ids of a text that is in form. [any thread] */
hl_status piece_model_encode(const void *self, const char *text, size_t length, token_ids *out,
                             hl_error *error);

#endif
