/* tokenizer.json, as Hugging Face's tokenizers write it. It can describe more than any text tower here was
 * trained with: what is not known is refused by name. */
#include "parsing.h"

#include "sentence-pieces/unigram.h"
#include <math.h>

/* ---- values ---- */

static const cJSON *find(const cJSON *from, const char *key) {
    return config_find((config_section){"", from}, key);
}

static const char *text_of(const cJSON *from, const char *key) {
    const cJSON *item = find(from, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static bool is(const cJSON *from, const char *key, const char *value) {
    return strcmp(text_of(from, key), value) == 0;
}

static bool is_true(const cJSON *from, const char *key, bool fallback) {
    const cJSON *item = find(from, key);
    return item ? cJSON_IsTrue(item) : fallback;
}

static hl_status refuse(const json_file *file, const char *what, const char *which, hl_error *error) {
    return hl_fail(error, HL_USAGE, "%s: %s \"%.64s\" is not supported", file->name, what, which);
}

bool json_id(const cJSON *item, int32_t *out) {
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (!(value >= 0 && value < MOST_IDS && value == floor(value))) return false;
    *out = (int32_t)value;
    return true;
}

/* ---- bringing a text into form ---- */

static hl_status add_step(const json_file *file, pipeline *out, normal_step step, hl_error *error) {
    if (out->step_count == PIPELINE_STEPS)
        return refuse(file, "a normalizer of so many steps, with", "Sequence", error);
    out->steps[out->step_count++] = step;
    return HL_OK;
}

static hl_status add_bert(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    bool lower = is_true(item, "lowercase", true);
    const struct {
        bool wanted;
        normal_step step;
    } steps[] = {{is_true(item, "clean_text", true), NORMAL_BERT_CLEAN},
                 {is_true(item, "handle_chinese_chars", true), NORMAL_BERT_CHINESE},
                 {is_true(item, "strip_accents", lower), NORMAL_NO_ACCENTS},
                 {lower, NORMAL_LOWER}};
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == HL_OK; ++i) {
        if (steps[i].wanted) status = add_step(file, out, steps[i].step, error);
    }
    return status;
}

static hl_status add_replacing(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    const cJSON *pattern = find(item, "pattern");
    const char *content = text_of(item, "content"), *regex = text_of(pattern, "Regex"),
               *plain = text_of(pattern, "String");
    bool line = strcmp(content, "\u2581") == 0, blank = strcmp(content, " ") == 0;
    if (strcmp(plain, " ") == 0 && line) return add_step(file, out, NORMAL_LINES, error);
    if (strcmp(regex, "\\s+") == 0 && blank) return add_step(file, out, NORMAL_FOLD, error);
    /* Where they become U+2581 the splitting that follows makes one of a single blank too. */
    if (strcmp(regex, " {2,}") == 0 && (blank || line)) return add_step(file, out, NORMAL_BLANKS, error);
    return refuse(file, "a normalizer that replaces", *regex ? regex : plain, error);
}

static hl_status add_charsmap(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    buffer map = {0};
    if (out->map.unit_count) return refuse(file, "a second normalizer", "Precompiled", error);
    if (!json_from_base64(text_of(item, "precompiled_charsmap"), &map)) {
        free(map.bytes);
        return hl_fail(error, HL_FAILED, "%s: its precompiled_charsmap is no base64: get the file again",
                       file->name);
    }
    hl_status status = map.failed ? hl_no_memory(error, file->name)
                                  : charsmap_read(file->name, map.bytes, map.length, &out->map, error);
    free(map.bytes);
    return status ? status : add_step(file, out, NORMAL_CHARSMAP, error);
}

static hl_status add_stripping(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    hl_status status = HL_OK;
    if (is_true(item, "strip_left", true)) status = add_step(file, out, NORMAL_STRIP_LEFT, error);
    if (status == HL_OK && is_true(item, "strip_right", true))
        status = add_step(file, out, NORMAL_STRIP_RIGHT, error);
    return status;
}

static hl_status add_normalizer(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    static const struct {
        const char *type;
        normal_step step;
    } plain[] = {{"NFC", NORMAL_NFC},
                 {"NFD", NORMAL_NFD},
                 {"NFKC", NORMAL_NFKC},
                 {"NFKD", NORMAL_NFKD},
                 {"Lowercase", NORMAL_LOWER}};
    const char *type = text_of(item, "type");
    if (strcmp(type, "BertNormalizer") == 0) return add_bert(file, item, out, error);
    if (strcmp(type, "Replace") == 0) return add_replacing(file, item, out, error);
    if (strcmp(type, "Precompiled") == 0) return add_charsmap(file, item, out, error);
    if (strcmp(type, "Strip") == 0) return add_stripping(file, item, out, error);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; ++i) {
        if (strcmp(type, plain[i].type) == 0) return add_step(file, out, plain[i].step, error);
    }
    return refuse(file, "the normalizer", type, error);
}

/* The parts of a "Sequence", or the one that it is. */
static hl_status for_parts(const json_file *file, const cJSON *item, const char *list,
                           hl_status (*add)(const json_file *, const cJSON *, pipeline *, hl_error *),
                           pipeline *out, hl_error *error) {
    if (!item) return HL_OK;
    if (!is(item, "type", "Sequence")) return add(file, item, out, error);
    const cJSON *part;
    cJSON_ArrayForEach(part, find(item, list)) {
        hl_status status = add(file, part, out, error);
        if (status) return status;
    }
    return HL_OK;
}

/* ---- splitting ---- */

static hl_status add_metaspace(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    const char *scheme = text_of(item, "prepend_scheme");
    if (!is(item, "replacement", "\u2581"))
        return refuse(file, "Metaspace with", text_of(item, "replacement"), error);
    out->split = SPLIT_METASPACE;
    out->joined = !is_true(item, "split", true);
    out->prepend = is_true(item, "add_prefix_space", true) ? PREPEND_ALWAYS : PREPEND_NEVER;
    if (strcmp(scheme, "first") == 0) out->prepend = PREPEND_FIRST;
    if (strcmp(scheme, "never") == 0) out->prepend = PREPEND_NEVER;
    if (strcmp(scheme, "always") == 0) out->prepend = PREPEND_ALWAYS;
    return HL_OK;
}

static bool makes_lines(const pipeline *p) {
    for (size_t i = 0; i < p->step_count; ++i) {
        if (p->steps[i] == NORMAL_LINES) return true;
    }
    return false;
}

static hl_status add_pattern(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    static const char clip[] = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
    const cJSON *pattern = find(item, "pattern");
    const char *regex = text_of(pattern, "Regex"), *plain = text_of(pattern, "String");
    bool kept = is(item, "behavior", "Removed") && is_true(item, "invert", false);
    if (strcmp(regex, clip) == 0 && kept) {
        out->split = SPLIT_CLIP;
        return HL_OK;
    }
    /* No blank is left to split at. */
    if (strcmp(plain, " ") == 0 && makes_lines(out)) return HL_OK;
    return refuse(file, "a pre-tokenizer that splits at", *regex ? regex : plain, error);
}

static hl_status add_splitter(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    const char *type = text_of(item, "type");
    if (strcmp(type, "Metaspace") == 0) return add_metaspace(file, item, out, error);
    if (strcmp(type, "Split") == 0) return add_pattern(file, item, out, error);
    if (strcmp(type, "BertPreTokenizer") == 0) {
        out->split = SPLIT_BERT;
        return HL_OK;
    }
    if (strcmp(type, "WhitespaceSplit") == 0 && out->split == SPLIT_NOT) {
        out->at_spaces = true;
        return HL_OK;
    }
    /* What it would split besides CLIP's pattern has split. */
    bool byte_level = strcmp(type, "ByteLevel") == 0 && !is_true(item, "add_prefix_space", true);
    if (byte_level && out->split == SPLIT_CLIP) return HL_OK;
    return refuse(file, "the pre-tokenizer", type, error);
}

/* ---- what stands around a text ---- */

static hl_status add_pair(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    const cJSON *start = cJSON_GetArrayItem(find(item, "cls"), 1),
                *end = cJSON_GetArrayItem(find(item, "sep"), 1);
    if (json_id(start, &out->start) && json_id(end, &out->end)) return HL_OK;
    return hl_fail(error, HL_FAILED, "%s: post_processor: expected ids of cls and sep", file->name);
}

static hl_status add_template(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    bool behind = false;
    const cJSON *part;
    cJSON_ArrayForEach(part, find(item, "single")) {
        const cJSON *token = find(part, "SpecialToken");
        if (!token) {
            behind = true;
            continue;
        }
        const cJSON *ids = find(find(find(item, "special_tokens"), text_of(token, "id")), "ids");
        int32_t *to = behind ? &out->end : &out->start;
        if (cJSON_GetArraySize(ids) != 1 || *to >= 0 || !json_id(cJSON_GetArrayItem(ids, 0), to)) {
            return hl_fail(error, HL_USAGE,
                           "%s: post_processor: expected at most one id before and one behind a text",
                           file->name);
        }
    }
    return HL_OK;
}

static hl_status add_ends(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    const char *type = text_of(item, "type");
    if (strcmp(type, "TemplateProcessing") == 0) return add_template(file, item, out, error);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        return add_pair(file, item, out, error);
    }
    return strcmp(type, "ByteLevel") == 0 ? HL_OK : refuse(file, "the post-processor", type, error);
}

/* ---- special tokens ---- */

static hl_status add_special(const json_file *file, const cJSON *item, pipeline *out, hl_error *error) {
    special_token row = {.strips_left = is_true(item, "lstrip", false),
                         .strips_right = is_true(item, "rstrip", false)};
    const char *content = text_of(item, "content");
    bool normalized = is_true(item, "normalized", true);
    if (!json_id(find(item, "id"), &row.id) || !*content) {
        return hl_fail(error, HL_FAILED, "%s: added_tokens: expected texts and their ids", file->name);
    }
    if (is_true(item, "single_word", false))
        return refuse(file, "single_word of the added token", content, error);
    buffer formed = {0};
    buffer_append(&formed, content, strlen(content));
    for (size_t i = 0; normalized && i < out->step_count; ++i)
        normal_apply(out->steps[i], &out->map, &formed);
    bool added =
        !formed.failed && (formed.length == 0 || special_tokens_add(normalized ? &out->formed : &out->raw,
                                                                    formed.bytes, formed.length, row));
    free(formed.bytes);
    return added ? HL_OK : hl_no_memory(error, file->name);
}

static hl_status add_specials(const json_file *file, pipeline *out, hl_error *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, find(file->json, "added_tokens")) {
        hl_status status = add_special(file, item, out, error);
        if (status) return status;
    }
    bool ready = special_tokens_ready(&out->raw) && special_tokens_ready(&out->formed);
    return ready ? HL_OK : hl_no_memory(error, file->name);
}

/* ---- the vocabulary ---- */

static hl_status add_piece(const json_file *file, const char *where, const cJSON *item, string_table *pieces,
                           int32_t *ids, hl_error *error) {
    bool fresh;
    uint32_t number = string_table_add(pieces, item->string, strlen(item->string), &fresh);
    if (number == STRING_UNKNOWN) return hl_no_memory(error, file->name);
    if (!fresh) {
        return hl_fail(error, HL_FAILED, "%s: %s\"%.64s\" is there twice", file->name, where, item->string);
    }
    if (json_id(item, &ids[number])) return HL_OK;
    return hl_fail(error, HL_FAILED, "%s: %s\"%.64s\": expected an id from 0 to %d", file->name, where,
                   item->string, MOST_IDS - 1);
}

static hl_status check_ids(const json_file *file, const char *where, const int32_t *ids, uint32_t count,
                           hl_error *error) {
    uint8_t *taken = calloc(MOST_IDS / 8, 1);
    if (!taken) return hl_no_memory(error, file->name);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < count && status == HL_OK; ++i) {
        uint8_t bit = (uint8_t)(1 << ids[i] % 8);
        if (taken[ids[i] / 8] & bit) {
            status =
                hl_fail(error, HL_FAILED, "%s: %sid %d belongs to two pieces", file->name, where, ids[i]);
        }
        taken[ids[i] / 8] |= bit;
    }
    free(taken);
    return status;
}

hl_status json_pieces(const json_file *file, const char *where, const cJSON *vocabulary, string_table *pieces,
                      int32_t **ids, hl_error *error) {
    *ids = malloc(((size_t)cJSON_GetArraySize(vocabulary) + 1) * sizeof **ids);
    if (!*ids) return hl_no_memory(error, file->name);
    if (!cJSON_IsObject(vocabulary)) {
        return hl_fail(error, HL_FAILED, "%s: %sexpected an object of pieces and their ids", file->name,
                       where);
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, vocabulary) {
        hl_status status = add_piece(file, where, item, pieces, *ids, error);
        if (status) return status;
    }
    return check_ids(file, where, *ids, pieces->count, error);
}

static void free_byte_pairs(void *vocabulary) {
    byte_pairs_free(vocabulary);
}

void pipeline_take_byte_pairs(pipeline *out, byte_pairs *pairs) {
    out->vocabulary = pairs;
    out->encode = byte_pairs_encode;
    out->free = free_byte_pairs;
}

static hl_status add_merge(const json_file *file, byte_pairs *pairs, const cJSON *item, hl_error *error) {
    const char *left = cJSON_IsString(item) ? item->valuestring : NULL, *right = NULL;
    size_t length = 0;
    hl_error why;
    if (left) {
        const char *blank = strchr(left, ' ');
        length = blank ? (size_t)(blank - left) : 0;
        right = blank ? blank + 1 : "";
    } else if (cJSON_IsArray(item) && cJSON_IsString(item->child) && cJSON_IsString(item->child->next)) {
        left = item->child->valuestring;
        length = strlen(left);
        right = item->child->next->valuestring;
    } else {
        return hl_fail(error, HL_FAILED, "%s: model.merges: expected pairs of symbols", file->name);
    }
    hl_status status = byte_pairs_add(pairs, left, length, right, strlen(right), &why);
    return status ? hl_fail(error, status, "%s: model.merges: %s", file->name, why.message) : HL_OK;
}

static hl_status read_byte_pairs(const json_file *file, const cJSON *model, pipeline *out, hl_error *error) {
    const cJSON *unknown = find(model, "unk_token");
    const byte_pair_rules rules = {.byte_level = out->split == SPLIT_CLIP,
                                   .byte_fallback = is_true(model, "byte_fallback", false),
                                   .joins_unknown = is_true(model, "fuse_unk", false),
                                   .suffix = text_of(model, "end_of_word_suffix"),
                                   .unknown = cJSON_IsString(unknown) ? unknown->valuestring : NULL};
    if (*text_of(model, "continuing_subword_prefix")) {
        return refuse(file, "continuing_subword_prefix", text_of(model, "continuing_subword_prefix"), error);
    }
    if (is_true(model, "ignore_merges", false)) return refuse(file, "ignore_merges", "true", error);
    string_table pieces = {0};
    int32_t *ids = NULL;
    hl_error why;
    hl_status status = json_pieces(file, "model.vocab: ", find(model, "vocab"), &pieces, &ids, error);
    if (status) {
        string_table_free(&pieces);
        free(ids);
        return status;
    }
    byte_pairs *pairs = NULL;
    status = byte_pairs_make(&rules, &pieces, ids, &pairs, &why);
    if (status) return hl_fail(error, status, "%s: %s", file->name, why.message);
    pipeline_take_byte_pairs(out, pairs);
    const cJSON *item;
    cJSON_ArrayForEach(item, find(model, "merges")) {
        status = add_merge(file, pairs, item, error);
        if (status) return status;
    }
    return HL_OK;
}

static void free_word_pieces(void *vocabulary) {
    word_pieces_free(vocabulary);
}

void pipeline_take_word_pieces(pipeline *out, word_pieces *pieces) {
    out->vocabulary = pieces;
    out->encode = word_pieces_encode;
    out->free = free_word_pieces;
}

static hl_status read_word_pieces(const json_file *file, const cJSON *model, pipeline *out, hl_error *error) {
    int32_t unknown, most = 100;
    const cJSON *vocabulary = find(model, "vocab"), *limit = find(model, "max_input_chars_per_word");
    const char *prefix =
        find(model, "continuing_subword_prefix") ? text_of(model, "continuing_subword_prefix") : "##";
    if (!json_id(find(vocabulary, text_of(model, "unk_token")), &unknown) ||
        (limit && !json_id(limit, &most))) {
        return hl_fail(error, HL_FAILED, "%s: model: expected an unk_token that is in the vocabulary",
                       file->name);
    }
    string_table pieces = {0};
    int32_t *ids = NULL;
    hl_status status = json_pieces(file, "model.vocab: ", vocabulary, &pieces, &ids, error);
    if (status) {
        string_table_free(&pieces);
        free(ids);
        return status;
    }
    word_pieces *made = NULL;
    hl_error why;
    status = word_pieces_make(&pieces, ids, prefix, unknown, (size_t)most, &made, &why);
    if (status) return hl_fail(error, status, "%s: %s", file->name, why.message);
    pipeline_take_word_pieces(out, made);
    return HL_OK;
}

static void free_unigram(void *vocabulary) {
    unigram_free(vocabulary);
}

static hl_status take_scores(const json_file *file, const cJSON *vocabulary, string_table *pieces,
                             double *scores, hl_error *error) {
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, vocabulary) {
        const cJSON *piece = item->child, *score = piece ? piece->next : NULL;
        bool fresh = false;
        if (!cJSON_IsString(piece) || !cJSON_IsNumber(score) || !isfinite(score->valuedouble)) {
            return hl_fail(error, HL_FAILED,
                           "%s: model.vocab: expected pieces and their scores, see the one of id %zu",
                           file->name, count);
        }
        uint32_t number = string_table_add(pieces, piece->valuestring, strlen(piece->valuestring), &fresh);
        if (number == STRING_UNKNOWN) return hl_no_memory(error, file->name);
        if (!fresh) {
            return hl_fail(error, HL_FAILED, "%s: model.vocab: \"%.64s\" is there twice", file->name,
                           piece->valuestring);
        }
        scores[count++] = score->valuedouble;
    }
    return HL_OK;
}

static hl_status read_unigram(const json_file *file, const cJSON *model, pipeline *out, hl_error *error) {
    const cJSON *vocabulary = find(model, "vocab");
    int32_t unknown;
    size_t count = (size_t)cJSON_GetArraySize(vocabulary);
    if (is_true(model, "byte_fallback", false))
        return refuse(file, "byte_fallback of a Unigram", "true", error);
    if (!json_id(find(model, "unk_id"), &unknown) || (size_t)unknown >= count) {
        return hl_fail(error, HL_FAILED, "%s: model.unk_id: expected one of the %zu pieces", file->name,
                       count);
    }
    string_table pieces = {0};
    double *scores = malloc((count + 1) * sizeof *scores);
    hl_status status =
        scores ? take_scores(file, vocabulary, &pieces, scores, error) : hl_no_memory(error, file->name);
    if (status) {
        string_table_free(&pieces);
        free(scores);
        return status;
    }
    unigram *made = NULL;
    status = unigram_make(&pieces, scores, (uint32_t)unknown, &made, error);
    if (status) return status;
    out->vocabulary = made;
    out->encode = unigram_encode;
    out->free = free_unigram;
    return HL_OK;
}

static hl_status read_model(const json_file *file, pipeline *out, hl_error *error) {
    const cJSON *model = find(file->json, "model");
    const char *type = text_of(model, "type");
    if (cJSON_GetArraySize(find(model, "vocab")) < 1) {
        return hl_fail(error, HL_FAILED, "%s: model.vocab: expected a vocabulary", file->name);
    }
    if (strcmp(type, "BPE") == 0 || (!*type && find(model, "merges")))
        return read_byte_pairs(file, model, out, error);
    if (strcmp(type, "Unigram") == 0) return read_unigram(file, model, out, error);
    if (strcmp(type, "WordPiece") == 0) return read_word_pieces(file, model, out, error);
    return refuse(file, "the model", type, error);
}

/* How transformers cleans a text before such a tokenizer sees it, for models of images and texts: SigLIP's
 * drops punctuation, SigLIP 2's were trained in lower case. */
static text_cleaning cleaning_of(const json_file *file) {
    const cJSON *model = find(file->json, "model");
    if (is(model, "type", "Unigram")) return TEXT_SIGLIP;
    return is_true(model, "byte_fallback", false) ? TEXT_LOWER : TEXT_AS_IT_IS;
}

static hl_status read_all(const json_file *file, pipeline *out, hl_error *error) {
    *out = (pipeline){.start = -1, .end = -1, .cleaning = cleaning_of(file)};
    hl_status status =
        for_parts(file, find(file->json, "normalizer"), "normalizers", add_normalizer, out, error);
    if (status) return status;
    status = for_parts(file, find(file->json, "pre_tokenizer"), "pretokenizers", add_splitter, out, error);
    if (status) return status;
    status = for_parts(file, find(file->json, "post_processor"), "processors", add_ends, out, error);
    if (status) return status;
    status = add_specials(file, out, error);
    return status ? status : read_model(file, out, error);
}

hl_status pipeline_parse_json(const char *name, const char *text, size_t length, pipeline *out,
                              hl_error *error) {
    cJSON *json;
    *out = (pipeline){0};
    hl_status status = config_parse_json(name, text, length, &json, error);
    if (status) return status;
    const json_file file = {name, json};
    status = read_all(&file, out, error);
    cJSON_Delete(json);
    return status;
}
