/* What the readers of tokenizers' files share, and these themselves for text in memory. */
#ifndef PARSING_H
#define PARSING_H

#include "byte-pairs/byte_pairs.h"
#include "pipeline.h"
#include "word-pieces/word_pieces.h"

enum { MOST_IDS = 1 << 24, MOST_BYTES = 256 << 20 };

/* What a folder's tokenizer is read from. */
typedef enum token_source {
    SOURCE_NONE,
    SOURCE_MERGES,   /* merges alone, whose lines number the ids */
    SOURCE_JSON,     /* tokenizer.json */
    SOURCE_CLIP,     /* vocab.json and merges.txt */
    SOURCE_SENTENCE, /* spiece.model, tokenizer.model */
    SOURCE_WRAPPED,  /* spiece.model, as transformers' SiglipTokenizer uses it */
    SOURCE_BERT      /* vocab.txt */
} token_source;

/* *file: its name, or of several that of the vocabulary. */
token_source pipeline_source(const char *folder, const tokenizer_rules *rules, const char **file);

/* What the folder's tokenizer pads with; 0 where that cannot be found out, as no text can be encoded then.
 * Reads no vocabulary. */
hl_status pipeline_pad(const hl_host *host, const char *folder, const tokenizer_rules *rules, int32_t *out,
                       hl_error *error);

typedef struct json_file {
    const char *name; /* for messages */
    const cJSON *json;
} json_file;

/* A whole number from 0 that can be an id. */
bool json_id(const cJSON *item, int32_t *out);

/* Appends what `text` stands for; false: it is no base64. */
bool json_from_base64(const char *text, buffer *out);

/* The pieces of an object and their ids, which the caller frees, also on failure. */
hl_status json_pieces(const json_file *file, const char *where, const cJSON *vocabulary, string_table *pieces,
                      int32_t **ids, hl_error *error);

/* ---- texts of files; each leaves `out` to pipeline_free ---- */

/* tokenizer.json, of which text[length] is NUL. */
hl_status pipeline_parse_json(const char *name, const char *text, size_t length, pipeline *out,
                              hl_error *error);

/* vocab.txt: BERT's pieces, one a line. */
hl_status pipeline_parse_bert(const char *name, const char *text, size_t length, pipeline *out,
                              hl_error *error);

/* vocab.json, of which json[length] is NUL, and merges.txt: what transformers makes of them for CLIP. */
hl_status pipeline_parse_clip(const char *name, const char *json, size_t length, const char *merges_name,
                              const char *merges, size_t merges_length, pipeline *out, hl_error *error);

/* spiece.model, tokenizer.model; `wrapped`: as transformers' SiglipTokenizer uses it. */
hl_status pipeline_parse_sentence(const char *name, const void *bytes, size_t count, bool wrapped,
                                  pipeline *out, hl_error *error);

/* A byte-pair encoding becomes what encodes the words of `out`; it is taken over. */
void pipeline_take_byte_pairs(pipeline *out, byte_pairs *pairs);

/* The same for word pieces. */
void pipeline_take_word_pieces(pipeline *out, word_pieces *pieces);

#endif
