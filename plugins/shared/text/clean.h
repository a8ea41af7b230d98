/* A text as the code that a model was trained with hands it to its tokenizer. */
#ifndef CLEAN_H
#define CLEAN_H

#include "buffer.h"
#include "headlight/error.h"
#include <unitypes.h>

typedef enum text_cleaning {
    TEXT_AS_IT_IS,
    TEXT_LOWER,  /* lower case */
    TEXT_FOLDED, /* HTML entities resolved twice, white space folded and trimmed: open_clip's "whitespace" */
    TEXT_CLIP,   /* the same, lower case: open_clip's "lower", CLIP's own */
    TEXT_CANONICAL, /* HTML entities twice, _ to blank, ASCII punctuation dropped, lower case, folded:
                       open_clip's "canonicalize" */
    TEXT_SIGLIP /* lower case, ASCII punctuation dropped (also _), folded: transformers' SiglipTokenizer */
} text_cleaning;

/* *out gets the cleaned text, valid UTF-8. HL_USAGE when `text` is not UTF-8 or far too long. */
hl_status clean_text(const char *text, text_cleaning how, buffer *out, hl_error *error);

/* `text` without ASCII punctuation, white space folded and trimmed. `out` has bytes. */
void clean_punctuation(const buffer *text, buffer *out);

/* White space as Unicode defines it. */
bool is_white_space(ucs4_t c);

#endif
