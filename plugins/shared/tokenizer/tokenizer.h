/* The tokenizer that lies in a model's folder: a text -> token ids.
 *
 *     text -> cleaned -> split and encoded by what the folder's files say -> start, ids, end, padding
 *
 * A model says only whose code its files were made for and how many ids its text tower reads; which files
 * there are, and what kind of tokenizer they hold, is found out here. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "configuration/configuration.h"
#include "text/clean.h"

/* Whose code splits a text. */
typedef enum tokenizer_style {
    /* open_clip's own: merges.txt or bpe_simple_vocab_16e6.txt, ids counted from the merges' lines. */
    TOKENIZER_SIMPLE,
    /* open_clip's wrapper around Hugging Face's tokenizers: tokenizer.json, spiece.model, vocab.txt. */
    TOKENIZER_FILES,
    /* transformers': the same files and vocab.json + merges.txt; how it cleans texts follows from the kind
     * that it finds, and `cleaning` says nothing. */
    TOKENIZER_TRANSFORMERS
} tokenizer_style;

/* Of TOKENIZER_SIMPLE: 256 bytes, 256 bytes that end a word, start, end. */
enum { TOKENIZER_SIMPLE_LEAST = 514 };

typedef struct tokenizer_rules {
    tokenizer_style style;
    text_cleaning cleaning;
    size_t vocab_size; /* rows of the token embedding: no id reaches this */
    size_t context;    /* ids of a text, padding included */
    bool end_is_zero;  /* the end is written as 0 (open_clip's strip_sep_token) */
} tokenizer_rules;

/* Reads what open_clip's text_cfg says of the tokenizer (hf_tokenizer_name, tokenizer_kwargs) into the first
 * two and the last of the rules. Refuses by name what there is no tokenizer for. */
void tokenizer_read_settings(config_reader *r, config_section text, tokenizer_rules *rules);

typedef struct tokenizer tokenizer;

/* Looks which files there are and what they pad with; they are read when the first text comes, and may be
 * missing until then. */
hl_status tokenizer_open(const hl_host *host, const char *folder, const tokenizer_rules *rules,
                         tokenizer **out, hl_error *error);
void tokenizer_close(tokenizer *t); /* accepts NULL */

/* What fills up the context behind the end: for hl_model_info.pad_id. */
int32_t tokenizer_pad(const tokenizer *t);

/* ids: `context` numbers: start, the text's, end, padding; a longer text is cut and keeps its end.
 * [any thread] */
hl_status tokenizer_run(tokenizer *t, const char *text, int32_t *ids, hl_error *error);

/* All ids of a text, start and end included, whether or not they fit the context. [any thread] */
hl_status tokenizer_count(tokenizer *t, const char *text, size_t *count, hl_error *error);

#endif
