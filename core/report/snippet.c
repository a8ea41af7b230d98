/* An experiment with one analysis whose lists are narrowed to what one item shows. Knows how an experiment is
 * written (spec: images, texts, heads, properties), never which analyses there are. libyaml writes it, so
 * that whatever is in a text reads back as that text. */
#include "core/report/snippet.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* NULL: there is none. */
static const char *find_text(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const char *text_of(const cJSON *object, const char *key) {
    const char *text = find_text(object, key);
    return text ? text : "";
}

static bool contains(const cJSON *list, const char *text) {
    const cJSON *element = NULL;
    cJSON_ArrayForEach(element, list) {
        if (cJSON_IsString(element) && strcmp(element->valuestring, text) == 0) return true;
    }
    return false;
}

/* ---- narrowing ---- */

/* A list of the options becomes those of the texts (NULL: none) that are in it; when none is, it stays whole.
 */
static bool keep_only(cJSON *options, const char *name, const char *const texts[], size_t count) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(options, name);
    const char *kept[4];
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (texts[i] && contains(list, texts[i])) kept[found++] = texts[i];
    }
    if (!found) return true;
    cJSON *narrow = cJSON_CreateStringArray(kept, found);
    if (narrow && cJSON_ReplaceItemInObjectCaseSensitive(options, name, narrow)) return true;
    cJSON_Delete(narrow);
    return false;
}

/* The item's head is a property, when it is in the list of those, or a head, which the list of heads may hold
 * in other words (L3, all): it replaces them. */
static bool keep_head(cJSON *options, const char *head) {
    if (contains(cJSON_GetObjectItemCaseSensitive(options, "properties"), head)) {
        cJSON_DeleteItemFromObjectCaseSensitive(options, "heads");
        return keep_only(options, "properties", &head, 1);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(options, "properties");
    if (!*head || !cJSON_HasObjectItem(options, "heads")) return true;
    cJSON *only = cJSON_CreateStringArray(&head, 1);
    if (only && cJSON_ReplaceItemInObjectCaseSensitive(options, "heads", only)) return true;
    cJSON_Delete(only);
    return false;
}

/* Where a picture depends on the other texts and heads of its image (a mean over them is taken off, they
 * share one run of colours), leaving these out would change it. */
static bool depends_on_others(const cJSON *options) {
    const char *baseline = text_of(options, "baseline");
    return (*baseline && strcmp(baseline, "none") != 0) || strcmp(text_of(options, "scale"), "shared") == 0;
}

static bool narrow(cJSON *options, const cJSON *item) {
    const char *images[] = {find_text(item, "image"), find_text(item, "query")};
    const char *texts[] = {find_text(item, "text"), find_text(item, "minus"), find_text(item, "query")};
    if (!keep_only(options, "images", images, 2)) return false;
    if (depends_on_others(options)) return true;
    return keep_only(options, "texts", texts, 3) && keep_head(options, text_of(item, "head"));
}

/* ---- writing ---- */

/* Whether a text can stand without quotes and still be read as a text: words of letters, digits and a few
 * signs that begin with a letter, and are no word that YAML takes for a truth value or for nothing. */
static bool is_plain(const char *text) {
    static const char *const taken[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._/-";
    size_t length = strlen(text);
    if (!length || !strchr(letters, text[0]) || strspn(text, others) != length) return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcasecmp(text, taken[i]) == 0) return false;
    }
    return text[length - 1] != ' ';
}

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made) {
    return made && yaml_emitter_emit(emitter, event);
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, bool plain) {
    yaml_event_t event;
    yaml_scalar_style_t style = plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                            1, 1, style);
    return emit(emitter, &event, made);
}

static bool emit_text(yaml_emitter_t *emitter, const char *text) {
    return emit_scalar(emitter, text, is_plain(text));
}

static bool emit_list_start(yaml_emitter_t *emitter, yaml_sequence_style_t style) {
    yaml_event_t event;
    return emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
}

static bool emit_list_end(yaml_emitter_t *emitter) {
    yaml_event_t event;
    return emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_mapping_start(yaml_emitter_t *emitter) {
    yaml_event_t event;
    return emit(emitter, &event,
                yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

static bool emit_mapping_end(yaml_emitter_t *emitter) {
    yaml_event_t event;
    return emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

/* An option's value: a text, a list of such, or a number or truth value, which JSON and YAML write alike. */
static bool emit_value(yaml_emitter_t *emitter, const cJSON *value) {
    if (cJSON_IsString(value)) return emit_text(emitter, value->valuestring);
    if (cJSON_IsArray(value)) {
        const cJSON *element = NULL;
        bool ok = emit_list_start(emitter, YAML_FLOW_SEQUENCE_STYLE);
        cJSON_ArrayForEach(element, value) ok = ok && emit_value(emitter, element);
        return ok && emit_list_end(emitter);
    }
    char *json = cJSON_PrintUnformatted(value);
    bool ok = json && emit_scalar(emitter, json, true);
    cJSON_free(json);
    return ok;
}

/* analyses: [the one], as a document of its own that needs no marks at its ends. */
static bool emit_analyses(yaml_emitter_t *emitter, const char *plugin, const cJSON *options) {
    yaml_event_t event;
    const cJSON *option = NULL;
    bool ok = emit(emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
              emit(emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
              emit_mapping_start(emitter) && emit_text(emitter, "analyses") &&
              emit_list_start(emitter, YAML_BLOCK_SEQUENCE_STYLE) && emit_mapping_start(emitter) &&
              emit_text(emitter, "plugin") && emit_text(emitter, plugin);
    cJSON_ArrayForEach(option, options) {
        if (cJSON_IsNull(option)) continue; /* left out, and optional */
        ok = ok && emit_text(emitter, option->string) && emit_value(emitter, option);
    }
    return ok && emit_mapping_end(emitter) && emit_list_end(emitter) && emit_mapping_end(emitter) &&
           emit(emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(emitter, &event, yaml_stream_end_event_initialize(&event));
}

static int write_bytes(void *file, unsigned char *bytes, size_t count) {
    return fwrite(bytes, 1, count, file) == count;
}

static bool write_analyses(FILE *file, const char *plugin, const cJSON *options) {
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) return false;
    yaml_emitter_set_output(&emitter, write_bytes, file);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1); /* a text is never folded */
    bool ok = emit_analyses(&emitter, plugin, options);
    yaml_emitter_delete(&emitter);
    return ok;
}

hl_status snippet_make(const char *sections, const cJSON *analysis, const cJSON *item, char **yaml,
                       hl_error *error) {
    size_t size = 0;
    *yaml = NULL;
    cJSON *options = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(analysis, "options"), 1);
    FILE *file = options && narrow(options, item) ? open_memstream(yaml, &size) : NULL;
    bool ok = file && fputs(sections, file) >= 0;
    ok = ok && write_analyses(file, text_of(analysis, "plugin"), options);
    if (file) ok = fclose(file) == 0 && ok && *yaml;
    cJSON_Delete(options);
    if (ok) return HL_OK;
    free(*yaml);
    *yaml = NULL;
    return hl_no_memory(error, "an experiment to copy");
}
