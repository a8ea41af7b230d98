/* A text as CLIP's tokenizer wants it: entities resolved, white space folded, lower case. */
#ifndef CLEAN_H
#define CLEAN_H

#include "buffer.h"
#include "headlight/error.h"
#include <unitypes.h>

/* *out gets the cleaned text, valid UTF-8. HL_USAGE when `text` is not UTF-8 or far too long. */
hl_status clean_text(const char *text, buffer *out, hl_error *error);

/* White space as Unicode defines it. */
bool is_white_space(ucs4_t c);

#endif
