/* Nodes -> YAML text, by libyaml's emitter; and what was read, as it was written. In neither is anything that
 * is hidden. */
#include "core/io/yaml_nodes.h"

#include "core/io/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Takes the event over; `made` is whether there was memory for it. */
static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made) {
    return made && yaml_emitter_emit(emitter, event);
}

static int write_bytes(void *user, unsigned char *bytes, size_t count) {
    return fwrite(bytes, 1, count, user) == count;
}

static bool emit_text(yaml_emitter_t *emitter, const yaml_node *node) {
    yaml_event_t event;
    const char *text = node->hidden ? YAML_HIDDEN : node->text;
    int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                            1, 1, (yaml_scalar_style_t)node->style);
    return emit(emitter, &event, made);
}

static bool emit_node(yaml_emitter_t *emitter, const yaml_node *node);

static bool emit_list(yaml_emitter_t *emitter, const yaml_node *list) {
    yaml_event_t event;
    yaml_sequence_style_t style = (yaml_sequence_style_t)list->style;
    bool ok = emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
    for (size_t i = 0; ok && i < list->count; ++i) ok = emit_node(emitter, list->items[i]);
    return ok && emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_map(yaml_emitter_t *emitter, const yaml_node *map, yaml_mapping_style_t style) {
    yaml_event_t event;
    bool ok = emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
    for (size_t i = 0; ok && i < map->count; ++i) {
        ok = emit_text(emitter, map->keys[i]) && emit_node(emitter, map->items[i]);
    }
    return ok && emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_node(yaml_emitter_t *emitter, const yaml_node *node) {
    switch (node->type) {
    case YAML_LIST:
        return emit_list(emitter, node);
    case YAML_MAP:
        return emit_map(emitter, node, (yaml_mapping_style_t)node->style);
    default:
        return emit_text(emitter, node);
    }
}

static bool emit_document(yaml_emitter_t *emitter, const yaml_node *root) {
    yaml_event_t event;
    bool ok = emit(emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
              emit(emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    ok = ok && (root->type == YAML_MAP ? emit_map(emitter, root, YAML_BLOCK_MAPPING_STYLE)
                                       : emit_node(emitter, root));
    return ok && emit(emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(emitter, &event, yaml_stream_end_event_initialize(&event));
}

hl_status yaml_write(const yaml_node *root, char **out, hl_error *error) {
    *out = NULL;
    size_t size = 0;
    yaml_emitter_t emitter;
    FILE *text = open_memstream(out, &size);
    bool ok = text && yaml_emitter_initialize(&emitter);
    if (ok) {
        yaml_emitter_set_output(&emitter, write_bytes, text);
        yaml_emitter_set_unicode(&emitter, 1);
        yaml_emitter_set_width(&emitter, -1); /* a text is never folded */
        ok = emit_document(&emitter, root);
        yaml_emitter_delete(&emitter);
    }
    if (text) ok = fclose(text) == 0 && ok && *out;
    if (ok) return HL_OK;
    free(*out);
    *out = NULL;
    return yaml_no_memory(error);
}

/* ---- as it was written ---- */

void yaml_hide(const yaml_node *text) {
    if (text->hidden) return;
    /* Nodes and origins are the file's own; to all others they are constant. */
    yaml_node *node = (yaml_node *)(uintptr_t)text;
    yaml_origin *origin = (yaml_origin *)(uintptr_t)text->origin;
    node->hidden = true;
    node->hidden_before = origin->hidden;
    origin->hidden = node;
}

/* The hidden text that begins at a character; NULL: none does. */
static const yaml_node *hidden_at(const yaml_origin *origin, size_t character) {
    const yaml_node *node = origin->hidden;
    while (node && node->first != character) node = node->hidden_before;
    return node;
}

static void print_origin(const yaml_origin *origin, FILE *out) {
    const uint8_t *at = origin->bytes, *end = at + origin->count;
    size_t character = 0, past = 0; /* of the text that is left out */
    fwrite(at, 1, utf8_mark(at, origin->count), out);
    at += utf8_mark(at, origin->count);
    for (; at < end; ++at) {
        bool begins = (*at & 0xC0) != 0x80;
        const yaml_node *hidden = begins ? hidden_at(origin, character) : NULL;
        if (hidden) {
            fputs("\"" YAML_HIDDEN "\"", out);
            past = hidden->past;
        }
        character += begins;
        bool ends_line = *at == '\n' && character == past; /* a block of lines takes its last one with it */
        if (character > past || ends_line) fputc(*at, out);
    }
}

static void print_origins(const yaml_origin *origin, FILE *out) {
    if (!origin) return;
    print_origins(origin->before, out);
    if (origin->is_argument) fprintf(out, "# %s=", origin->name);
    if (origin->bytes) print_origin(origin, out);
    if (origin->is_argument) fputc('\n', out);
}

hl_status yaml_print_source(const yaml_file *file, char **out, hl_error *error) {
    *out = NULL;
    size_t size = 0;
    FILE *text = open_memstream(out, &size);
    if (text) print_origins(file->origins, text);
    bool ok = text && !ferror(text);
    if (text) ok = fclose(text) == 0 && ok && *out; /* without memory the text may be missing */
    if (ok) return HL_OK;
    free(*out);
    *out = NULL;
    return yaml_no_memory(error);
}
