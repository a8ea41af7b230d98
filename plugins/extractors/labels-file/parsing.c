/* See parsing.h. cJSON and libyaml read, libunistring decodes; this file adds limits, places and readable
 * errors. Never knows what the keys mean. */
#include "parsing.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>
#include <yaml.h>

enum { LARGEST_FILE = 1 << 20, DEEPEST = 32 };

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
    yaml_parser_t parser;
    size_t depth;
    hl_error *error;
} yaml_reader;

static hl_status fail_yaml(const yaml_reader *reader, yaml_mark_t mark, const char *what) {
    return hl_fail(reader->error, HL_FAILED, "%s:%zu:%zu: %s", reader->path, mark.line + 1, mark.column + 1,
                   what);
}

static hl_status tree_no_memory(const yaml_reader *reader) {
    return hl_no_memory(reader->error, "a tree of YAML");
}

/* On success the event is the caller's to delete. */
static hl_status next_event(yaml_reader *reader, yaml_event_t *event) {
    yaml_parser_t *parser = &reader->parser;
    if (yaml_parser_parse(parser, event)) return HL_OK;
    if (parser->error == YAML_MEMORY_ERROR || !parser->problem) return tree_no_memory(reader);
    char what[256];
    snprintf(what, sizeof what, "not YAML: %s", parser->problem);
    return fail_yaml(reader, parser->error == YAML_READER_ERROR ? parser->mark : parser->problem_mark, what);
}

static hl_status read_value(yaml_reader *reader, const yaml_event_t *event, cJSON **out);

static bool is_null(const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return plain && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static hl_status read_scalar(const yaml_reader *reader, const yaml_event_t *event, cJSON **out) {
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return fail_yaml(reader, event->start_mark, "the text contains a NUL character: remove it");
    }
    *out = is_null(event) ? cJSON_CreateNull() : cJSON_CreateString(text);
    return *out ? HL_OK : tree_no_memory(reader);
}

/* Reads the value that follows and adds it to a list, or under `key` to a mapping. */
static hl_status read_child(yaml_reader *reader, const yaml_event_t *event, const char *key, cJSON *parent) {
    cJSON *child = NULL;
    hl_status status = read_value(reader, event, &child);
    if (status != HL_OK) return status;
    bool added = key ? cJSON_AddItemToObject(parent, key, child) : cJSON_AddItemToArray(parent, child);
    if (added) return HL_OK;
    cJSON_Delete(child);
    return tree_no_memory(reader);
}

static hl_status read_pair(yaml_reader *reader, const yaml_event_t *key, cJSON *mapping) {
    if (key->type != YAML_SCALAR_EVENT) return fail_yaml(reader, key->start_mark, "a key must be plain text");
    yaml_event_t value;
    hl_status status = next_event(reader, &value);
    if (status != HL_OK) return status;
    status = read_child(reader, &value, (const char *)key->data.scalar.value, mapping);
    yaml_event_delete(&value);
    return status;
}

/* All until the event that ends the list or mapping. */
static hl_status read_children(yaml_reader *reader, bool is_mapping, cJSON *parent) {
    yaml_event_type_t end = is_mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (bool more = true; more;) {
        yaml_event_t event;
        hl_status status = next_event(reader, &event);
        if (status != HL_OK) return status;
        more = event.type != end;
        if (more) {
            status =
                is_mapping ? read_pair(reader, &event, parent) : read_child(reader, &event, NULL, parent);
        }
        yaml_event_delete(&event);
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

static hl_status read_value(yaml_reader *reader, const yaml_event_t *event, cJSON **out) {
    if (event->type == YAML_SCALAR_EVENT) return read_scalar(reader, event, out);
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    if (!is_mapping && event->type != YAML_SEQUENCE_START_EVENT) {
        return fail_yaml(reader, event->start_mark, "expected a value; aliases have no place here");
    }
    if (reader->depth == DEEPEST) return fail_yaml(reader, event->start_mark, "nested too deep");
    cJSON *parent = is_mapping ? cJSON_CreateObject() : cJSON_CreateArray();
    if (!parent) return tree_no_memory(reader);
    ++reader->depth;
    hl_status status = read_children(reader, is_mapping, parent);
    --reader->depth;
    if (status == HL_OK) {
        *out = parent;
    } else {
        cJSON_Delete(parent);
    }
    return status;
}

/* Passes the event that must come next. */
static hl_status expect(yaml_reader *reader, yaml_event_type_t type, const char *otherwise) {
    yaml_event_t event;
    hl_status status = next_event(reader, &event);
    if (status != HL_OK) return status;
    if (event.type != type) status = fail_yaml(reader, event.start_mark, otherwise);
    yaml_event_delete(&event);
    return status;
}

static hl_status read_document(yaml_reader *reader, cJSON **out) {
    hl_status status = expect(reader, YAML_STREAM_START_EVENT, "expected YAML");
    if (status == HL_OK) status = expect(reader, YAML_DOCUMENT_START_EVENT, "empty; expected YAML");
    yaml_event_t event;
    if (status == HL_OK) status = next_event(reader, &event);
    if (status != HL_OK) return status;
    status = read_value(reader, &event, out);
    yaml_event_delete(&event);
    if (status == HL_OK) status = expect(reader, YAML_DOCUMENT_END_EVENT, "expected the end");
    if (status == HL_OK) status = expect(reader, YAML_STREAM_END_EVENT, "a second document starts here");
    return status;
}

hl_status parsing_yaml(const char *path, const char *bytes, size_t count, cJSON **out, hl_error *error) {
    *out = NULL;
    yaml_reader reader = {.path = path, .error = error};
    if (!yaml_parser_initialize(&reader.parser)) return tree_no_memory(&reader);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const yaml_char_t *)bytes, count);
    hl_status status = read_document(&reader, out);
    yaml_parser_delete(&reader.parser);
    if (status == HL_OK) return HL_OK;
    cJSON_Delete(*out);
    *out = NULL;
    return status;
}

/* ---- files ---- */

static bool is_yaml(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
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
