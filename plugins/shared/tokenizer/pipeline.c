/* See pipeline.h. Knows no file. */
#include "pipeline.h"

#include "byte-pairs/words.h"
#include "word-pieces/word_pieces.h"
#include <unistr.h>

static const char line[] = "\u2581";
enum { LINE = sizeof line - 1 };

void pipeline_free(pipeline *p) {
    special_tokens_free(&p->raw);
    special_tokens_free(&p->formed);
    charsmap_free(&p->map);
    if (p->vocabulary) p->free(p->vocabulary);
    *p = (pipeline){0};
}

/* A text on its way. */
typedef struct passage {
    const pipeline *by;
    token_ids *out;
    bool first; /* nothing of the text has been seen yet */
    hl_error *error;
} passage;

static bool is_full(const passage *on) {
    return on->out->count == on->out->room;
}

static hl_status encode(const passage *on, const char *word, size_t length) {
    return length ? on->by->encode(on->by->vocabulary, word, length, on->out, on->error) : HL_OK;
}

typedef size_t next_word(const char **text, size_t *length);

static size_t next_of_clip(const char **text, size_t *length) {
    return words_next(text, length, false);
}

static hl_status encode_words(const passage *on, next_word *next, const char *text, size_t length) {
    for (size_t used; !is_full(on) && (used = next(&text, &length)) > 0; text += used, length -= used) {
        hl_status status = encode(on, text, used);
        if (status) return status;
    }
    return HL_OK;
}

/* Each U+2581 begins a word. */
static size_t next_after_line(const char **text, size_t *length) {
    if (*length <= LINE) return *length;
    size_t from = strncmp(*text, line, LINE) == 0 ? LINE : 1;
    const char *next = memmem(*text + from, *length - from, line, LINE);
    return next ? (size_t)(next - *text) : *length;
}

static hl_status encode_metaspace(const passage *on, const char *text, size_t length, bool first) {
    const pipeline *p = on->by;
    buffer words = {0};
    bool begins = length > 0 && (*text == ' ' || (length >= LINE && strncmp(text, line, LINE) == 0));
    bool wanted = p->prepend == PREPEND_ALWAYS || (p->prepend == PREPEND_FIRST && first);
    if (length == 0) return HL_OK;
    if (wanted && !begins) buffer_append(&words, line, LINE);
    buffer_append(&words, text, length);
    normal_apply(NORMAL_LINES, NULL, &words);
    if (words.failed) {
        free(words.bytes);
        return hl_no_memory(on->error, "a text");
    }
    hl_status status = p->joined ? encode(on, words.bytes, words.length)
                                 : encode_words(on, next_after_line, words.bytes, words.length);
    free(words.bytes);
    return status;
}

/* Bytes up to white space, or those of it. */
static size_t run_length(const char *text, size_t length, bool space) {
    size_t used = 0;
    while (used < length) {
        ucs4_t c;
        int size = u8_mbtouc(&c, (const uint8_t *)text + used, length - used);
        if (is_white_space(c) != space) break;
        used += (size_t)size;
    }
    return used;
}

static hl_status encode_words_at_spaces(const passage *on, const char *text, size_t length) {
    bool first = on->first;
    hl_status status = HL_OK;
    for (size_t used; status == HL_OK && length > 0 && !is_full(on); text += used, length -= used) {
        bool space = run_length(text, length, true) > 0;
        used = run_length(text, length, space);
        if (!space) status = encode_metaspace(on, text, used, first);
        first = false;
    }
    return status;
}

static hl_status encode_section(const passage *on, const char *text, size_t length) {
    switch (on->by->split) {
    case SPLIT_NOT:
        return encode(on, text, length);
    case SPLIT_CLIP:
        return encode_words(on, next_of_clip, text, length);
    case SPLIT_BERT:
        return encode_words(on, word_pieces_next, text, length);
    case SPLIT_METASPACE:
        return on->by->at_spaces ? encode_words_at_spaces(on, text, length)
                                 : encode_metaspace(on, text, length, on->first);
    }
    return HL_OK;
}

typedef hl_status section(passage *on, const char *text, size_t length);

/* Hands what lies between special tokens to `rest`, in order. */
static hl_status cut_out(passage *on, const special_tokens *tokens, section *rest, const char *text,
                         size_t length) {
    for (size_t start, end; !is_full(on); text += end, length -= end) {
        const special_token *found = special_tokens_find(tokens, text, length, &start, &end);
        if (!found) start = end = length;
        hl_status status = start > 0 ? rest(on, text, start) : HL_OK;
        if (status) return status;
        if (!found) break;
        token_ids_add(on->out, found->id);
        on->first = false;
    }
    return HL_OK;
}

static hl_status encode_formed(passage *on, const char *text, size_t length) {
    hl_status status = encode_section(on, text, length);
    on->first = false;
    return status;
}

static hl_status form(passage *on, const char *text, size_t length) {
    const pipeline *p = on->by;
    buffer formed = {0};
    buffer_append(&formed, text, length);
    for (size_t i = 0; i < p->step_count; ++i) normal_apply(p->steps[i], &p->map, &formed);
    hl_status status = formed.failed ? hl_no_memory(on->error, "a text")
                                     : cut_out(on, &p->formed, encode_formed, formed.bytes, formed.length);
    free(formed.bytes);
    return status;
}

hl_status pipeline_encode(const pipeline *p, const char *text, token_ids *out, hl_error *error) {
    passage on = {p, out, true, error};
    buffer cleaned;
    hl_status status = clean_text(text, p->cleaning, &cleaned, error);
    if (status) return status;
    status = cut_out(&on, &p->raw, form, cleaned.bytes, cleaned.length);
    free(cleaned.bytes);
    return status;
}
