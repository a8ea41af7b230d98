/* See parsing.h. cJSON and libyaml read, libunistring decodes; this file adds limits, places and readable
 * errors. Never knows what the keys mean. */
#include "parsing.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>
#include <yaml.h>

enum { LARGEST_FILE = 1 << 20, DEEPEST = 32, MOST_NODES = 1 << 18 };

static hl_status fail_at(const char *path, const char *bytes, const char *at, const char *what,
                         hl_error *error) {
    size_t line = 1, column = 1;
    for (; bytes < at; ++bytes, ++column) {
        if (*bytes != '\n') continue;
        ++line;
        column = 0;
    }
    return hl_fail(error, HL_FAILED, "%s:%zu:%zu: %s", path, line, column, what);
}

static hl_status check_utf8(const char *path, const char *bytes, size_t count, hl_error *error) {
    const char *wrong = (const char *)u8_check((const uint8_t *)bytes, count);
    return wrong ? fail_at(path, bytes, wrong, "not UTF-8: save the file as UTF-8", error) : HL_OK;
}

/* ---- JSON ---- */

/* In valid JSON a backslash begins an escape; NULL: there is no such NUL. */
static const char *find_escaped_nul(const char *json) {
    for (; (json = strchr(json, '\\')); json += 2) {
        if (strncmp(json, "\\u0000", 6) == 0) return json;
    }
    return NULL;
}

hl_status parsing_json(const char *path, const char *bytes, size_t count, cJSON **out, hl_error *error) {
    const char *end = bytes, *what = "not JSON from here on";
    errno = 0;
    *out = cJSON_ParseWithLengthOpts(bytes, count + 1, &end, true);
    bool valid = *out && strlen(bytes) == count;
    const char *nul = valid ? find_escaped_nul(bytes) : NULL;
    if (valid && !nul) return HL_OK;
    if (!*out && errno == ENOMEM) return hl_no_memory(error, path);
    cJSON_Delete(*out);
    *out = NULL;
    if (nul) what = "the text contains a NUL character: remove it";
    return fail_at(path, bytes, nul ? nul : end, what, error);
}

/* ---- YAML ---- */

typedef struct yaml_reader {
    const char *path;
    yaml_document_t *document;
    size_t depth, nodes; /* an alias counts as what it stands for */
    hl_error *error;
} yaml_reader;

static hl_status fail_yaml(const yaml_reader *reader, yaml_mark_t mark, const char *what) {
    return hl_fail(reader->error, HL_FAILED, "%s:%zu:%zu: %s", reader->path, mark.line + 1, mark.column + 1,
                   what);
}

static hl_status tree_no_memory(const yaml_reader *reader) {
    return hl_no_memory(reader->error, "a tree of YAML");
}

static hl_status fail_parser(const yaml_reader *reader, const yaml_parser_t *parser) {
    if (parser->error == YAML_MEMORY_ERROR || !parser->problem) return tree_no_memory(reader);
    char what[256];
    snprintf(what, sizeof what, "not YAML: %s", parser->problem);
    return fail_yaml(reader, parser->error == YAML_READER_ERROR ? parser->mark : parser->problem_mark, what);
}

static hl_status read_value(yaml_reader *reader, int id, cJSON **out);

static bool is_null(const yaml_node_t *node) {
    const char *text = (const char *)node->data.scalar.value;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return plain && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static hl_status read_scalar(const yaml_reader *reader, const yaml_node_t *node, cJSON **out) {
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        return fail_yaml(reader, node->start_mark, "the text contains a NUL character: remove it");
    }
    *out = is_null(node) ? cJSON_CreateNull() : cJSON_CreateString(text);
    return *out ? HL_OK : tree_no_memory(reader);
}

/* Adds a value to a list, or under `key` to a mapping. */
static hl_status read_child(yaml_reader *reader, int id, const char *key, cJSON *parent) {
    cJSON *child = NULL;
    hl_status status = read_value(reader, id, &child);
    if (status != HL_OK) return status;
    bool added = key ? cJSON_AddItemToObject(parent, key, child) : cJSON_AddItemToArray(parent, child);
    if (added) return HL_OK;
    cJSON_Delete(child);
    return tree_no_memory(reader);
}

static hl_status read_list(yaml_reader *reader, const yaml_node_t *node, cJSON *list) {
    hl_status status = HL_OK;
    const yaml_node_item_t *item = node->data.sequence.items.start;
    for (; status == HL_OK && item < node->data.sequence.items.top; ++item) {
        status = read_child(reader, *item, NULL, list);
    }
    return status;
}

static hl_status read_mapping(yaml_reader *reader, const yaml_node_t *node, cJSON *mapping) {
    hl_status status = HL_OK;
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; status == HL_OK && pair < node->data.mapping.pairs.top; ++pair) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return fail_yaml(reader, key->start_mark, "a key must be plain text");
        status = read_child(reader, pair->value, (const char *)key->data.scalar.value, mapping);
    }
    return status;
}

static hl_status read_value(yaml_reader *reader, int id, cJSON **out) {
    const yaml_node_t *node = yaml_document_get_node(reader->document, id);
    if (++reader->nodes > MOST_NODES) return fail_yaml(reader, node->start_mark, "too much");
    if (node->type == YAML_SCALAR_NODE) return read_scalar(reader, node, out);
    if (reader->depth == DEEPEST) return fail_yaml(reader, node->start_mark, "nested too deep");
    bool is_mapping = node->type == YAML_MAPPING_NODE;
    cJSON *parent = is_mapping ? cJSON_CreateObject() : cJSON_CreateArray();
    if (!parent) return tree_no_memory(reader);
    ++reader->depth;
    hl_status status = is_mapping ? read_mapping(reader, node, parent) : read_list(reader, node, parent);
    --reader->depth;
    if (status == HL_OK) {
        *out = parent;
    } else {
        cJSON_Delete(parent);
    }
    return status;
}

/* The document that comes next; without a root there is none. */
static hl_status load(const yaml_reader *reader, yaml_parser_t *parser, yaml_document_t *document) {
    return yaml_parser_load(parser, document) ? HL_OK : fail_parser(reader, parser);
}

static hl_status expect_end(const yaml_reader *reader, yaml_parser_t *parser) {
    yaml_document_t second;
    hl_status status = load(reader, parser, &second);
    if (status != HL_OK) return status;
    if (yaml_document_get_root_node(&second)) {
        status = fail_yaml(reader, second.start_mark, "a second document starts here");
    }
    yaml_document_delete(&second);
    return status;
}

static hl_status read_document(yaml_reader *reader, yaml_parser_t *parser, cJSON **out) {
    yaml_document_t document;
    hl_status status = load(reader, parser, &document);
    if (status != HL_OK) return status;
    reader->document = &document;
    if (!yaml_document_get_root_node(&document)) {
        status = fail_yaml(reader, (yaml_mark_t){0, 0, 0}, "empty; expected YAML");
    }
    if (status == HL_OK) status = read_value(reader, 1, out);
    yaml_document_delete(&document);
    return status == HL_OK ? expect_end(reader, parser) : status;
}

hl_status parsing_yaml(const char *path, const char *bytes, size_t count, cJSON **out, hl_error *error) {
    *out = NULL;
    yaml_reader reader = {.path = path, .error = error};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return tree_no_memory(&reader);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const yaml_char_t *)bytes, count);
    hl_status status = read_document(&reader, &parser, out);
    yaml_parser_delete(&parser);
    if (status == HL_OK) return HL_OK;
    cJSON_Delete(*out);
    *out = NULL;
    return status;
}

/* ---- files ---- */

static bool is_yaml(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0);
}

hl_status parsing_read(const hl_host *host, const char *path, cJSON **out, hl_error *error) {
    char *bytes;
    size_t count;
    *out = NULL;
    hl_status status = host->read_file(host, path, LARGEST_FILE, &bytes, &count, error);
    if (status != HL_OK) return status;
    status = check_utf8(path, bytes, count, error);
    if (status == HL_OK) {
        status = is_yaml(path) ? parsing_yaml(path, bytes, count, out, error)
                               : parsing_json(path, bytes, count, out, error);
    }
    free(bytes);
    return status;
}
