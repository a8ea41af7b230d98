/* What a tokenizer's files say is done with a text, whatever files they were:
 *
 *     cleaned -> special tokens cut out -> each section brought into form -> split into words -> each word's
 * ids
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "special_tokens.h"
#include "text/normal.h"
#include "text/token_ids.h"
#include "tokenizer.h"

/* How a section is split into words. */
typedef enum pipeline_split {
    SPLIT_NOT,       /* it is one word */
    SPLIT_CLIP,      /* CLIP's pattern */
    SPLIT_METASPACE, /* blanks become U+2581, one begins the section, and each begins a word */
    SPLIT_BERT       /* white space, and punctuation by itself */
} pipeline_split;

typedef enum pipeline_prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } pipeline_prepend;

enum { PIPELINE_STEPS = 8 };

typedef struct pipeline {
    text_cleaning cleaning;
    special_tokens raw, formed; /* cut out before and after a section is brought into form */
    normal_step steps[PIPELINE_STEPS];
    size_t step_count;
    charsmap map;
    pipeline_split split;
    pipeline_prepend prepend; /* of SPLIT_METASPACE */
    bool joined;              /* of SPLIT_METASPACE: the section stays one word */
    bool at_spaces;           /* of SPLIT_METASPACE: sections are cut at white space first */

    void *vocabulary; /* never changes; NULL: nothing has been read */
    hl_status (*encode)(const void *vocabulary, const char *word, size_t length, token_ids *out,
                        hl_error *error);
    void (*free)(void *vocabulary);
    int32_t start, end; /* -1: none */
} pipeline;

/* Appends the ids of a text that may be any bytes, without start and end; stops when `out` is full. [any
 * thread] */
hl_status pipeline_encode(const pipeline *p, const char *text, token_ids *out, hl_error *error);

/* Accepts one that is zeroed or made in part. */
void pipeline_free(pipeline *p);

/* Reads what lies in the folder, by the rules. HL_USAGE, saying which files are read, where there is none. */
hl_status pipeline_read(const hl_host *host, const char *folder, const tokenizer_rules *rules, pipeline *out,
                        hl_error *error);

#endif
