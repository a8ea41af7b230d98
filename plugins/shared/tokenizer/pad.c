/* What a tokenizer pads with, found without reading its vocabulary: models say it before the first text
 * comes. */
#include "parsing.h"

#include "sentence-pieces/piece_model.h"

enum { MOST_CONFIG = 1 << 22, NAME_ROOM = 64 };

/* Who pads, as it is written. */
typedef struct padding {
    char name[NAME_ROOM]; /* "": nobody has said */
} padding;

static char *read_file(const hl_host *host, const char *folder, const char *file, size_t most,
                       size_t *count) {
    char *path = NULL, *bytes = NULL;
    hl_error ignored; /* whoever reads the file for a text says what is wrong with it */
    if (asprintf(&path, "%s/%s", folder, file) < 0) return NULL;
    if (host->read_file(host, path, most, &bytes, count, &ignored) != HL_OK) bytes = NULL;
    free(path);
    return bytes;
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

/* The list alone: it stands before the vocabulary, which may be long. The caller deletes it. */
static cJSON *read_added_tokens(const char *text) {
    static const char key[] = "\"added_tokens\"";
    const char *at = text;
    while ((at = strstr(at, key))) {
        at += sizeof key - 1;
        const char *value = at + strspn(at, " \t\r\n");
        if (*value == ':') return cJSON_ParseWithOpts(value + 1, NULL, false);
    }
    return NULL;
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

static int32_t find_in_json(const padding *p, const char *text) {
    cJSON *tokens = read_added_tokens(text);
    int32_t id = *p->name ? id_of(tokens, p->name) : -1;
    if (id < 0) id = usual_pad(tokens);
    if (id_of(tokens, "<|endoftext|>") >= 0) id = 0; /* CLIP's */
    cJSON_Delete(tokens);
    return id;
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

static int32_t find_in(token_source source, const padding *p, const char *bytes, size_t count) {
    if (source == SOURCE_JSON) return find_in_json(p, bytes);
    if (source == SOURCE_BERT) return find_in_lines(p, bytes);
    return find_in_pieces(p, bytes, count);
}

int32_t pipeline_pad(const hl_host *host, const char *folder, const tokenizer_rules *rules) {
    const char *file;
    size_t length, count;
    token_source source = pipeline_source(folder, rules, &file);
    if (source == SOURCE_NONE || source == SOURCE_MERGES || source == SOURCE_CLIP) return 0; /* CLIP's */
    padding p = {.name = ""};
    char *text = read_file(host, folder, "tokenizer_config.json", MOST_CONFIG, &length);
    cJSON *config = text ? cJSON_Parse(text) : NULL;
    read_name(config, &p);
    char *bytes = read_file(host, folder, file, MOST_BYTES, &count);
    int32_t id = bytes ? find_in(source, &p, bytes, count) : 0;
    cJSON_Delete(config);
    free(text);
    free(bytes);
    return id;
}
