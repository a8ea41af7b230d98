/* An experiment without its analyses, written out again as YAML: what the page's snippets begin with. Knows
 * trees of YAML and which sections it leaves out. */
#include "core/experiment/experiment.h"

#include <stdlib.h>
#include <string.h>

typedef struct section_writer {
    const yaml_file *file;
    const char *variant; /* whose results lie in a folder of its name; may be NULL */
    yaml_emitter_t emitter;
} section_writer;

static int write_bytes(void *user, unsigned char *bytes, size_t count) {
    return fwrite(bytes, 1, count, user) == count;
}

/* Takes the event over; `made` is whether there was memory for it. */
static bool emit(section_writer *self, yaml_event_t *event, int made) {
    return made && yaml_emitter_emit(&self->emitter, event);
}

static bool emit_node(section_writer *self, const yaml_node_t *node);

static bool emit_scalar(section_writer *self, const yaml_node_t *node) {
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(&event, NULL, NULL, node->data.scalar.value,
                                            (int)node->data.scalar.length, 1, 1, node->data.scalar.style);
    return emit(self, &event, made);
}

static bool emit_text(section_writer *self, const char *text) {
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                            1, 1, YAML_ANY_SCALAR_STYLE);
    return emit(self, &event, made);
}

static bool emit_list(section_writer *self, const yaml_node_t *list) {
    yaml_event_t event;
    const yaml_node_t *item;
    yaml_sequence_style_t style = list->data.sequence.style;
    bool ok = emit(self, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
    for (size_t i = 0; ok && (item = yaml_item(self->file, list, i)); ++i) ok = emit_node(self, item);
    return ok && emit(self, &event, yaml_sequence_end_event_initialize(&event));
}

/* What a snippet says itself, or no longer needs: a variant's changes have been made in its own tree. */
static bool is_left_out(const yaml_node_t *key) {
    const char *name = (const char *)key->data.scalar.value;
    return strcmp(name, "analyses") == 0 || strcmp(name, "variants") == 0;
}

/* A folder beside the page, below the experiment's output. */
static bool emit_below_output(section_writer *self, const char *name) {
    const yaml_node_t *output = yaml_get(self->file, yaml_root(self->file), "output");
    const char *folder = (const char *)output->data.scalar.value, *variant = self->variant;
    char *path;
    if (asprintf(&path, "%s/%s%s%s", folder, variant ? variant : "", variant ? "/" : "", name) < 0)
        return false;
    bool ok = emit_text(self, path);
    free(path);
    return ok;
}

static bool is_called(const yaml_node_t *key, const char *name) {
    return strcmp((const char *)key->data.scalar.value, name) == 0;
}

/* So that what a snippet leaves does not take the place of the page that it came from. */
static bool emit_value(section_writer *self, const yaml_node_t *key, const yaml_node_t *value, bool is_root) {
    bool moved = is_root && is_called(key, "output");
    return moved ? emit_below_output(self, "snippet") : emit_node(self, value);
}

/* The atlas is among the page's results where the experiment does not say; a snippet is to find it there. */
static bool emit_atlas(section_writer *self, const yaml_node_t *gallery) {
    bool settled =
        yaml_get(self->file, gallery, "atlas") || !yaml_get(self->file, yaml_root(self->file), "output");
    return settled || (emit_text(self, "atlas") && emit_below_output(self, "atlas"));
}

static bool emit_mapping(section_writer *self, const yaml_node_t *mapping, bool is_root) {
    yaml_event_t event;
    const yaml_node_t *key, *value;
    yaml_mapping_style_t style = is_root ? YAML_BLOCK_MAPPING_STYLE : mapping->data.mapping.style;
    bool ok = emit(self, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
    for (size_t i = 0; ok && yaml_entry(self->file, mapping, i, &key, &value); ++i) {
        if (is_root && is_left_out(key)) continue;
        ok = emit_node(self, key) && emit_value(self, key, value, is_root);
    }
    if (ok && mapping == yaml_get(self->file, yaml_root(self->file), "gallery"))
        ok = emit_atlas(self, mapping);
    return ok && emit(self, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_node(section_writer *self, const yaml_node_t *node) {
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return emit_list(self, node);
    case YAML_MAPPING_NODE:
        return emit_mapping(self, node, false);
    default:
        return emit_scalar(self, node);
    }
}

static bool emit_document(section_writer *self) {
    yaml_event_t event;
    return emit(self, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
           emit(self, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
           emit_mapping(self, yaml_root(self->file), true) &&
           emit(self, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(self, &event, yaml_stream_end_event_initialize(&event));
}

hl_status experiment_sections(const experiment *plan, char **out, hl_error *error) {
    *out = NULL;
    size_t size = 0;
    section_writer self = {.file = plan->file, .variant = plan->variant};
    FILE *text = open_memstream(out, &size);
    bool ok = text && yaml_emitter_initialize(&self.emitter);
    if (ok) {
        yaml_emitter_set_output(&self.emitter, write_bytes, text);
        yaml_emitter_set_unicode(&self.emitter, 1);
        yaml_emitter_set_width(&self.emitter, -1); /* a text is never folded */
        ok = emit_document(&self);
        yaml_emitter_delete(&self.emitter);
    }
    if (text) ok = fclose(text) == 0 && ok && *out;
    if (ok) return HL_OK;
    free(*out);
    *out = NULL;
    return hl_no_memory(error, "the experiment's sections");
}
