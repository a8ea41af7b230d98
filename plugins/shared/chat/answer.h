/* From the bytes that an endpoint sends to what was said, and to the JSON that was asked for. Whatever comes
 * is held to be wrong until it has been looked at. */
#ifndef ANSWER_H
#define ANSWER_H

#include "headlight/error.h"
#include <cjson/cJSON.h>
#include <stdbool.h>

/* The text of a completion, {"choices": [{"message": {"content": TEXT}}]}, empty where there is none. The
 * caller frees it. HL_USAGE for what is no completion, with a reason that ends a sentence. bytes[count] is
 * NUL. */
hl_status answer_content(const char *bytes, size_t count, char **content, hl_error *error);

/* What the endpoint says went wrong, {"error": {"message": TEXT}}, else all that it says up to a NUL. The
 * caller frees it; NULL: no memory. */
char *answer_reason(const char *bytes, size_t count);

/* The object that a text consists of, white space around it, one code fence, and a <think> part before it
 * left out. HL_USAGE with the reason for any other text. */
hl_status answer_object(const char *text, cJSON **out, hl_error *error);

/* The first bytes of a text on one line, without control characters; `size` at least 16. */
void answer_line(const char *text, char *out, size_t size);

#endif
