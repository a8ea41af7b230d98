/* What a tokenizer pads with, found without reading its vocabulary: models say it before the first text
 * comes. */
#include "parsing.h"

#include "sentence-pieces/piece_model.h"
#include <errno.h>

enum { MOST_CONFIG = 1 << 22, NAME_ROOM = 64 };

/* Who pads, as it is written. */
typedef struct padding {
    char name[NAME_ROOM]; /* "": nobody has said */
} padding;

/* *bytes NULL: it cannot be read; whoever reads it for a text says why. Only missing memory is an error here,
 * as padding would be another one without it. */
static hl_status read_file(const hl_host *host, const char *folder, const char *file, size_t most,
                           char **bytes, size_t *count, hl_error *error) {
    char *path = NULL;
    *bytes = NULL;
    if (asprintf(&path, "%s/%s", folder, file) < 0) return hl_no_memory(error, "a path");
    hl_status status = host->read_file(host, path, most, bytes, count, error);
    free(path);
    if (status != HL_OK) *bytes = NULL;
    return status == HL_NO_MEMORY ? status : HL_OK;
}

static const cJSON *find(const cJSON *from, const char *key) {
    return config_find((config_section){"", from}, key);
}

static bool is_text(const cJSON *item, const char *text) {
    return cJSON_IsString(item) && strcmp(item->valuestring, text) == 0;
}

/* "pad_token": "<pad>", or an object with its content. */
static void read_name(const cJSON *config, padding *p) {
    const cJSON *token = find(config, "pad_token");
    if (cJSON_IsObject(token)) token = find(token, "content");
    if (cJSON_IsString(token)) snprintf(p->name, sizeof p->name, "%s", token->valuestring);
}

/* ---- tokenizer.json ---- */

/* The list alone: it stands before the vocabulary, which may be long. The caller deletes it; NULL: there is
 * none. */
static hl_status read_added_tokens(const char *text, cJSON **out, hl_error *error) {
    static const char key[] = "\"added_tokens\"";
    *out = NULL;
    for (const char *at = text; (at = strstr(at, key));) {
        at += sizeof key - 1;
        const char *value = at + strspn(at, " \t\r\n");
        if (*value != ':') continue;
        errno = 0;
        *out = cJSON_ParseWithOpts(value + 1, NULL, false);
        return !*out && errno == ENOMEM ? hl_no_memory(error, "added tokens") : HL_OK;
    }
    return HL_OK;
}

static int32_t id_of(const cJSON *tokens, const char *name) {
    const cJSON *item;
    int32_t id;
    cJSON_ArrayForEach(item, tokens) {
        if (is_text(find(item, "content"), name) && json_id(find(item, "id"), &id)) return id;
    }
    return -1;
}

/* Where nobody says it: SigLIP's tokenizers, which are T5's, pad with the end. */
static int32_t usual_pad(const cJSON *tokens) {
    static const char *const names[] = {"</s>", "<pad>", "[PAD]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        int32_t id = id_of(tokens, names[i]);
        if (id >= 0) return id;
    }
    return 0;
}

static hl_status find_in_json(const padding *p, const char *text, int32_t *out, hl_error *error) {
    cJSON *tokens;
    hl_status status = read_added_tokens(text, &tokens, error);
    if (status) return status;
    int32_t id = *p->name ? id_of(tokens, p->name) : -1;
    if (id < 0) id = usual_pad(tokens);
    if (id_of(tokens, "<|endoftext|>") >= 0) id = 0; /* CLIP's */
    cJSON_Delete(tokens);
    *out = id;
    return HL_OK;
}

/* ---- the others ---- */

static int32_t find_in_lines(const padding *p, const char *text) {
    const char *name = *p->name ? p->name : "[PAD]";
    size_t length = strlen(name);
    for (int32_t number = 0; text; ++number) {
        bool here = strncmp(text, name, length) == 0 && (!text[length] || strchr("\r\n", text[length]));
        if (here) return number;
        text = strchr(text, '\n');
        if (text) ++text;
    }
    return 0;
}

static int32_t find_in_pieces(const padding *p, const char *bytes, size_t count) {
    int32_t id = *p->name ? piece_model_find(bytes, count, p->name) : -1;
    if (id < 0) id = piece_model_find(bytes, count, "</s>");
    if (id < 0) id = piece_model_find(bytes, count, "<pad>");
    return id < 0 ? 0 : id;
}

static hl_status find_in(token_source source, const padding *p, const char *bytes, size_t count, int32_t *out,
                         hl_error *error) {
    if (source == SOURCE_JSON) return find_in_json(p, bytes, out, error);
    *out = source == SOURCE_BERT ? find_in_lines(p, bytes) : find_in_pieces(p, bytes, count);
    return HL_OK;
}

static hl_status read_config(const hl_host *host, const char *folder, padding *p, hl_error *error) {
    char *text;
    size_t length;
    cJSON *config = NULL;
    hl_status status = read_file(host, folder, "tokenizer_config.json", MOST_CONFIG, &text, &length, error);
    if (status == HL_OK && text)
        status = config_parse_json("tokenizer_config.json", text, length, &config, error);
    if (status == HL_OK && config) read_name(config, p);
    cJSON_Delete(config);
    free(text);
    return status == HL_NO_MEMORY ? status : HL_OK;
}

hl_status pipeline_pad(const hl_host *host, const char *folder, const tokenizer_rules *rules, int32_t *out,
                       hl_error *error) {
    const char *file;
    char *bytes;
    size_t count;
    token_source source = pipeline_source(folder, rules, &file);
    *out = 0; /* CLIP's */
    if (source == SOURCE_NONE || source == SOURCE_MERGES || source == SOURCE_CLIP) return HL_OK;
    padding p = {.name = ""};
    hl_status status = read_config(host, folder, &p, error);
    if (status) return status;
    status = read_file(host, folder, file, MOST_BYTES, &bytes, &count, error);
    if (status == HL_OK && bytes) status = find_in(source, &p, bytes, count, out, error);
    free(bytes);
    return status;
}
