/* Which of a folder's files the tokenizer is read from. */
#include "byte-pairs/words.h"
#include "parsing.h"

/* The first that is there is read. */
typedef struct choice {
    const char *file, *other; /* both have to be there; NULL: it needs no other */
    token_source source;
} choice;

/* open_clip takes the fast tokenizer where there is one, transformers SigLIP's own, which is none. */
static const choice for_open_clip[] = {
    {"tokenizer.json", NULL, SOURCE_JSON},      {"spiece.model", NULL, SOURCE_SENTENCE},
    {"tokenizer.model", NULL, SOURCE_SENTENCE}, {"vocab.txt", NULL, SOURCE_BERT},
    {"vocab.json", "merges.txt", SOURCE_CLIP},  {NULL, NULL, SOURCE_NONE}};
static const choice for_transformers[] = {
    {"spiece.model", NULL, SOURCE_WRAPPED},    {"tokenizer.json", NULL, SOURCE_JSON},
    {"vocab.json", "merges.txt", SOURCE_CLIP}, {"tokenizer.model", NULL, SOURCE_SENTENCE},
    {"vocab.txt", NULL, SOURCE_BERT},          {NULL, NULL, SOURCE_NONE}};

static void free_merges(void *vocabulary) {
    merges_free(vocabulary);
}

static hl_status encode_with_merges(const void *vocabulary, const char *text, size_t length, token_ids *out,
                                    hl_error *error) {
    return words_encode(vocabulary, text, length, out, error);
}

static hl_status read_merges(const hl_host *host, const char *folder, const tokenizer_rules *rules,
                             pipeline *out, hl_error *error) {
    merges *table;
    hl_status status = merges_read(host, folder, rules->vocab_size, &table, error);
    if (status) return status;
    *out = (pipeline){.vocabulary = table,
                      .encode = encode_with_merges,
                      .free = free_merges,
                      .start = merges_start(table),
                      .end = merges_end(table)};
    return HL_OK;
}

/* A file of the folder, in memory. */
typedef struct held_file {
    char *path, *bytes;
    size_t count;
} held_file;

/* Nothing where `name` is NULL. Free it also after a failure. */
static hl_status hold(const hl_host *host, const char *folder, const char *name, held_file *out,
                      hl_error *error) {
    *out = (held_file){.path = NULL};
    if (!name) return HL_OK;
    if (asprintf(&out->path, "%s/%s", folder, name) < 0) {
        out->path = NULL;
        return hl_no_memory(error, "a path");
    }
    return host->read_file(host, out->path, MOST_BYTES, &out->bytes, &out->count, error);
}

static void free_held(held_file *file) {
    free(file->path);
    free(file->bytes);
}

static hl_status parse(token_source source, const held_file *file, const held_file *other, pipeline *out,
                       hl_error *error) {
    const char *path = file->path, *bytes = file->bytes;
    switch (source) {
    case SOURCE_CLIP:
        return pipeline_parse_clip(path, bytes, file->count, other->path, other->bytes, other->count, out,
                                   error);
    case SOURCE_SENTENCE:
    case SOURCE_WRAPPED:
        return pipeline_parse_sentence(path, bytes, file->count, source == SOURCE_WRAPPED, out, error);
    case SOURCE_BERT:
        return pipeline_parse_bert(path, bytes, file->count, out, error);
    default:
        return pipeline_parse_json(path, bytes, file->count, out, error);
    }
}

static hl_status read_files(const hl_host *host, const char *folder, const choice *chosen, pipeline *out,
                            hl_error *error) {
    held_file file, other = {.path = NULL};
    hl_status status = hold(host, folder, chosen->file, &file, error);
    if (status == HL_OK) status = hold(host, folder, chosen->other, &other, error);
    if (status == HL_OK) status = parse(chosen->source, &file, &other, out, error);
    free_held(&file);
    free_held(&other);
    return status;
}

/* Hugging Face's folders of CLIP may hold no more than the merges. */
static bool has_only_merges(const char *folder) {
    return config_is_there(folder, "merges.txt") && !config_is_there(folder, "vocab.json") &&
           !config_is_there(folder, "tokenizer.json");
}

static choice choose(const char *folder, const tokenizer_rules *rules) {
    bool transformers = rules->style == TOKENIZER_TRANSFORMERS;
    if (rules->style == TOKENIZER_SIMPLE || (transformers && has_only_merges(folder))) {
        return (choice){NULL, NULL, SOURCE_MERGES};
    }
    const choice *c = transformers ? for_transformers : for_open_clip;
    while (c->file && (!config_is_there(folder, c->file) || (c->other && !config_is_there(folder, c->other))))
        ++c;
    return *c;
}

token_source pipeline_source(const char *folder, const tokenizer_rules *rules, const char **file) {
    choice chosen = choose(folder, rules);
    *file = chosen.file;
    return chosen.source;
}

static hl_status refuse_folder(const char *folder, hl_error *error) {
    return hl_fail(
        error, HL_USAGE,
        "%s: texts need the model's tokenizer: put tokenizer.json there, or spiece.model, vocab.txt, or "
        "vocab.json and merges.txt, as it was published with the model",
        folder);
}

static hl_status check_ends(const char *folder, const tokenizer_rules *rules, const pipeline *p,
                            hl_error *error) {
    int32_t most = p->start > p->end ? p->start : p->end;
    if (most < 0 || (size_t)most < rules->vocab_size) return HL_OK;
    return hl_fail(
        error, HL_FAILED,
        "%s: its tokenizer begins or ends texts with id %d, but the model has %zu token embeddings: get the "
        "tokenizer that belongs to it",
        folder, most, rules->vocab_size);
}

static hl_status read_chosen(const hl_host *host, const char *folder, const tokenizer_rules *rules,
                             const choice *chosen, pipeline *out, hl_error *error) {
    if (chosen->source == SOURCE_NONE) return refuse_folder(folder, error);
    if (chosen->source == SOURCE_MERGES) return read_merges(host, folder, rules, out, error);
    return read_files(host, folder, chosen, out, error);
}

hl_status pipeline_read(const hl_host *host, const char *folder, const tokenizer_rules *rules, pipeline *out,
                        hl_error *error) {
    choice chosen = choose(folder, rules);
    hl_status status = read_chosen(host, folder, rules, &chosen, out, error);
    if (status == HL_OK) {
        bool transformers = rules->style == TOKENIZER_TRANSFORMERS;
        if (!transformers) out->cleaning = rules->cleaning;
        if (transformers && chosen.source == SOURCE_MERGES) out->cleaning = TEXT_CLIP;
        status = check_ends(folder, rules, out, error);
    }
    if (status) pipeline_free(out);
    return status;
}
