/* What holds of whatever became of a tokenizer's file. */
#ifndef TOKENIZED_H
#define TOKENIZED_H

#include "plugins/shared/tokenizer/pipeline.h"

/* Frees it. */
void check_tokenized(pipeline *made, hl_status status, const hl_error *error);

#endif
