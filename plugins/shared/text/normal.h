/* Steps by which tokenizers bring a text into the form that their vocabulary is of. Other than a cleaning
 * rule they belong to the tokenizer's own file, and what it splits off as special is spared. */
#ifndef NORMAL_H
#define NORMAL_H

#include "charsmap.h"
#include "clean.h"

typedef enum normal_step {
    NORMAL_NFC = 1,
    NORMAL_NFD,
    NORMAL_NFKC,
    NORMAL_NFKD,
    NORMAL_LOWER,        /* each character by itself, so that every sigma becomes the same */
    NORMAL_FOLD,         /* each run of white space becomes a blank */
    NORMAL_BLANKS,       /* each run of two blanks or more becomes one */
    NORMAL_LINES,        /* each blank becomes U+2581 */
    NORMAL_STRIP_LEFT,   /* white space at the beginning goes */
    NORMAL_STRIP_RIGHT,  /* and at the end */
    NORMAL_CHARSMAP,     /* each cluster of characters by the map, as Hugging Face's tokenizers apply it */
    NORMAL_SENTENCE,     /* the longest beginnings by the map, as sentencepiece applies it */
    NORMAL_TRIM,         /* runs of blanks become one, none at the ends */
    NORMAL_PUNCTUATION,  /* ASCII punctuation is dropped, white space folded and trimmed (SigLIP in
                            transformers) */
    NORMAL_BERT_CLEAN,   /* control characters are dropped, white space becomes blanks */
    NORMAL_BERT_CHINESE, /* blanks around Chinese characters */
    NORMAL_NO_ACCENTS    /* decomposed, without nonspacing marks */
} normal_step;

/* `text` is valid UTF-8 and stays so unless the map makes it something else; text->failed: no memory. */
void normal_apply(normal_step step, const charsmap *map, buffer *text);

#endif
