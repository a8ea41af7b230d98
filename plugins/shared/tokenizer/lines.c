/* Tokenizers as lists of lines: BERT's vocab.txt, and vocab.json with merges.txt. */
#include "parsing.h"
#include <unistr.h>

/* Takes the next line, without its end, off the text. */
static bool next_line(const char **text, size_t *left, const char **line, size_t *length) {
    if (*left == 0) return false;
    const char *end = memchr(*text, '\n', *left);
    *line = *text;
    *length = end ? (size_t)(end - *text) : *left;
    size_t used = *length + (end != NULL);
    *text += used;
    *left -= used;
    if (*length > 0 && (*line)[*length - 1] == '\r') --*length;
    return true;
}

static hl_status check_text(const char *name, const char *text, size_t length, hl_error *error) {
    const uint8_t *wrong = u8_check((const uint8_t *)text, length);
    if (!wrong) return HL_OK;
    return hl_fail(error, HL_FAILED, "%s: is not valid UTF-8 at byte %zu: get the file again", name,
                   (size_t)(wrong - (const uint8_t *)text));
}

/* ---- vocab.txt ---- */

static hl_status list_pieces(const char *name, const char *text, size_t length, string_table *pieces,
                             int32_t **ids, hl_error *error) {
    const char *line;
    size_t size, room = 0;
    for (uint32_t number = 0; next_line(&text, &length, &line, &size); ++number) {
        bool fresh;
        if (number == room) {
            int32_t *grown = realloc(*ids, (room = 2 * room + 1024) * sizeof *grown);
            if (!grown) return hl_no_memory(error, name);
            *ids = grown;
        }
        if (string_table_add(pieces, line, size, &fresh) == STRING_UNKNOWN) return hl_no_memory(error, name);
        if (!fresh || number >= MOST_IDS) {
            return hl_fail(error, HL_FAILED, "%s: line %u: \"%.*s\" is there twice", name, number + 1,
                           (int)(size < 64 ? size : 64), line);
        }
        (*ids)[number] = (int32_t)number;
    }
    return HL_OK;
}

static uint32_t piece(const string_table *pieces, const char *text) {
    return string_table_find(pieces, text, strlen(text));
}

static hl_status make_bert(const char *name, string_table *pieces, int32_t *ids, pipeline *out,
                           hl_error *error) {
    enum { MOST_CHARACTERS = 100 };
    uint32_t start = piece(pieces, "[CLS]"), end = piece(pieces, "[SEP]"), unknown = piece(pieces, "[UNK]");
    static const char *const special[] = {"[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"};
    bool enough = true;
    for (size_t i = 0; i < sizeof special / sizeof *special; ++i) {
        uint32_t found = piece(pieces, special[i]);
        if (found == STRING_UNKNOWN) continue;
        special_token row = {.id = (int32_t)found};
        enough = enough && special_tokens_add(&out->raw, special[i], strlen(special[i]), row);
    }
    enough = enough && special_tokens_ready(&out->raw);
    if (!enough || start == STRING_UNKNOWN || end == STRING_UNKNOWN || unknown == STRING_UNKNOWN) {
        string_table_free(pieces);
        free(ids);
        return enough ? hl_fail(error, HL_FAILED, "%s: expected lines [CLS], [SEP] and [UNK]", name)
                      : hl_no_memory(error, name);
    }
    out->start = (int32_t)start;
    out->end = (int32_t)end;
    word_pieces *made;
    hl_status status = word_pieces_make(pieces, ids, "##", (int32_t)unknown, MOST_CHARACTERS, &made, error);
    if (status == HL_OK) pipeline_take_word_pieces(out, made);
    return status;
}

hl_status pipeline_parse_bert(const char *name, const char *text, size_t length, pipeline *out,
                              hl_error *error) {
    *out = (pipeline){.split = SPLIT_BERT,
                      .steps = {NORMAL_BERT_CLEAN, NORMAL_BERT_CHINESE, NORMAL_NO_ACCENTS, NORMAL_LOWER},
                      .step_count = 4};
    hl_status status = check_text(name, text, length, error);
    if (status) return status;
    string_table pieces = {0};
    int32_t *ids = NULL;
    status = list_pieces(name, text, length, &pieces, &ids, error);
    if (status == HL_OK) return make_bert(name, &pieces, ids, out, error);
    string_table_free(&pieces);
    free(ids);
    return status;
}

/* ---- vocab.json and merges.txt ---- */

static hl_status add_merges(const char *name, const char *text, size_t length, byte_pairs *pairs,
                            hl_error *error) {
    const char *line;
    size_t size;
    for (size_t number = 1; next_line(&text, &length, &line, &size); ++number) {
        hl_error why;
        bool header = number == 1 && strncmp(line, "#version", 8) == 0;
        if (header || size == 0) continue;
        const char *blank = memchr(line, ' ', size);
        size_t left = blank ? (size_t)(blank - line) : 0;
        hl_status status =
            byte_pairs_add(pairs, line, left, line + left + 1, blank ? size - left - 1 : 0, &why);
        if (status) return hl_fail(error, status, "%s: line %zu: %s", name, number, why.message);
    }
    return HL_OK;
}

static hl_status find_id(const char *name, const cJSON *vocabulary, const char *content, int32_t *id,
                         special_tokens *among, hl_error *error) {
    if (!json_id(cJSON_GetObjectItemCaseSensitive(vocabulary, content), id)) {
        return hl_fail(error, HL_FAILED, "%s: expected an id for \"%s\"", name, content);
    }
    bool added = special_tokens_add(among, content, strlen(content), (special_token){.id = *id});
    return added && special_tokens_ready(among) ? HL_OK : hl_no_memory(error, name);
}

static hl_status make_clip(const char *name, const cJSON *vocabulary, pipeline *out, hl_error *error) {
    static const byte_pair_rules rules = {.byte_level = true, .suffix = "</w>", .unknown = "<|endoftext|>"};
    const json_file file = {name, vocabulary};
    hl_status status = find_id(name, vocabulary, "<|startoftext|>", &out->start, &out->formed, error);
    if (status) return status;
    status = find_id(name, vocabulary, "<|endoftext|>", &out->end, &out->raw, error);
    if (status) return status;
    string_table pieces = {0};
    int32_t *ids = NULL;
    status = json_pieces(&file, "", vocabulary, &pieces, &ids, error);
    if (status) {
        string_table_free(&pieces);
        free(ids);
        return status;
    }
    byte_pairs *pairs;
    status = byte_pairs_make(&rules, &pieces, ids, &pairs, error);
    if (status == HL_OK) pipeline_take_byte_pairs(out, pairs);
    return status;
}

hl_status pipeline_parse_clip(const char *name, const char *json, size_t length, const char *merges_name,
                              const char *merges, size_t merges_length, pipeline *out, hl_error *error) {
    cJSON *vocabulary;
    *out = (pipeline){.split = SPLIT_CLIP,
                      .steps = {NORMAL_NFC, NORMAL_FOLD, NORMAL_LOWER},
                      .step_count = 3,
                      .start = -1,
                      .end = -1};
    hl_status status = config_parse_json(name, json, length, &vocabulary, error);
    if (status) return status;
    status = make_clip(name, vocabulary, out, error);
    cJSON_Delete(vocabulary);
    if (status == HL_OK) status = check_text(merges_name, merges, merges_length, error);
    return status ? status : add_merges(merges_name, merges, merges_length, out->vocabulary, error);
}
