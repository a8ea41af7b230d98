/* spiece.model and tokenizer.model, as sentencepiece itself uses them, or as transformers' SiglipTokenizer
 * does. */
#include "sentence-pieces/piece_model.h"

#include "parsing.h"

static void free_model(void *vocabulary) {
    piece_model_free(vocabulary);
    free(vocabulary);
}

/* Special tokens are cut out with the white space around them, punctuation is dropped from the rest, and only
 * what begins the text gets a U+2581 before it. */
static hl_status wrap(const char *name, const piece_model *model, pipeline *out, hl_error *error) {
    const special_token end = {model->end, true, true}, unknown = {model->unknown, true, true};
    out->prepend = PREPEND_FIRST;
    bool enough = special_tokens_add(&out->raw, "</s>", 4, end) &&
                  special_tokens_add(&out->raw, "<unk>", 5, unknown) && special_tokens_ready(&out->raw);
    return enough ? HL_OK : hl_no_memory(error, name);
}

hl_status pipeline_parse_sentence(const char *name, const void *bytes, size_t count, bool wrapped,
                                  pipeline *out, hl_error *error) {
    *out = (pipeline){.split = SPLIT_METASPACE, .joined = true, .start = -1, .end = -1};
    piece_model *model = calloc(1, sizeof *model);
    if (!model) return hl_no_memory(error, name);
    hl_status status = piece_model_parse(name, bytes, count, model, error);
    if (status) {
        free(model);
        return status;
    }
    out->vocabulary = model;
    out->encode = piece_model_encode;
    out->free = free_model;
    out->end = model->end;
    out->map = model->map; /* moved */
    model->map = (charsmap){0};
    if (wrapped) out->steps[out->step_count++] = NORMAL_PUNCTUATION;
    out->steps[out->step_count++] = NORMAL_SENTENCE;
    if (model->trims) out->steps[out->step_count++] = NORMAL_TRIM;
    out->prepend = model->begins_with_line ? PREPEND_ALWAYS : PREPEND_NEVER;
    out->cleaning = TEXT_LOWER; /* of whoever asks for no other: SigLIP in transformers, both versions */
    return wrapped ? wrap(name, model, out, error) : HL_OK;
}
