/* An experiment with one analysis whose lists are narrowed to what one item shows. Knows how an experiment is
 * written (spec: images, texts, heads, properties), never which analyses there are. libyaml writes it, so
 * that whatever is in a text reads back as that text. */
#include "snippet.h"

#include <inttypes.h>
#include <yaml.h>

/* ---- narrowing ---- */

/* One of a list's elements: a text, or a mapping that has a name. */
static bool is_named(const hl_node *element, const char *name) {
    if (element->type == HL_TEXT) return strcmp(element->text, name) == 0;
    const hl_node *own = hl_get(element, "name");
    return own && own->type == HL_TEXT && strcmp(own->text, name) == 0;
}

static const hl_node *find_element(const hl_node *list, const char *name) {
    const hl_node *element = hl_is_list(list) ? list->first : NULL;
    while (element && !is_named(element, name)) element = element->next;
    return element;
}

/* What an item shows of a list of its analysis; none: the list stays whole. */
typedef struct narrow_list {
    const hl_node *elements[3];
    hl_node made; /* for a name that the list says in other words */
    size_t count;
} narrow_list;

static void keep(narrow_list *self, const hl_node *list, const hl_node *item, const char *key) {
    const hl_node *name = hl_get(item, key);
    const hl_node *found = name && name->type == HL_TEXT ? find_element(list, name->text) : NULL;
    if (found) self->elements[self->count++] = found;
}

/* The one element `name`, whatever the list holds. */
static void keep_name(narrow_list *self, const char *name) {
    self->made = (hl_node){.type = HL_TEXT, .text = name};
    self->elements[0] = &self->made;
    self->count = 1;
}

/* Where a picture depends on the other texts and heads of its image (a mean over them is taken off, they
 * share one run of colours), leaving these out would change it. */
static bool depends_on_others(const hl_node *options) {
    const char *baseline = hl_get_text(options, "baseline");
    return (*baseline && strcmp(baseline, "none") != 0) ||
           strcmp(hl_get_text(options, "scale"), "shared") == 0;
}

static bool is(const hl_node *option, const char *name) {
    return strcmp(option->key, name) == 0;
}

/* An image may come from a folder or a pattern, which then is no element of its name. */
static void keep_images(narrow_list *self, const hl_node *list, const hl_node *item) {
    bool of_image = hl_get_number(item, "query_is_image", 0) == 1;
    const char *image = of_image ? hl_get_text(item, "query") : hl_get_text(item, "image");
    keep(self, list, item, "image");
    keep(self, list, item, "query");
    if (!self->count && *image) keep_name(self, image);
}

/* What the item shows of an option. false: the option goes. The item's head is a property, when it is in the
 * list of those, or a head, which the list of heads may hold in other words (L3, all). */
static bool narrow(narrow_list *self, const hl_node *options, const hl_node *option, const hl_node *item) {
    const char *head = hl_get_text(item, "head");
    *self = (narrow_list){.count = 0};
    if (is(option, "images") && hl_is_list(option)) keep_images(self, option, item);
    if (depends_on_others(options)) return true;
    bool is_property = find_element(hl_get(options, "properties"), head) != NULL;
    if (is(option, "texts")) {
        keep(self, option, item, "text");
        keep(self, option, item, "minus");
        keep(self, option, item, "query");
    } else if (is(option, "properties")) {
        keep(self, option, item, "head");
        return is_property;
    } else if (is(option, "heads")) {
        if (*head) keep_name(self, head);
        return !is_property;
    }
    return true;
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

static bool emit_mapping_start(yaml_emitter_t *emitter, yaml_mapping_style_t style) {
    yaml_event_t event;
    return emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
}

static bool emit_mapping_end(yaml_emitter_t *emitter) {
    yaml_event_t event;
    return emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

/* The fewest digits that read back as the number. */
static bool emit_number(yaml_emitter_t *emitter, const hl_node *value) {
    char digits[40];
    if (value->text) return emit_scalar(emitter, value->text, true);
    if (value->type == HL_WHOLE) {
        snprintf(digits, sizeof digits, "%" PRId64, value->whole);
        return emit_scalar(emitter, digits, true);
    }
    for (int precision = value->single ? 6 : 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value->number);
        double read = strtod(digits, NULL);
        if (value->single ? (float)read == (float)value->number : read == value->number) break;
    }
    return emit_scalar(emitter, digits, true);
}

static bool emit_value(yaml_emitter_t *emitter, const hl_node *value);

static bool emit_map(yaml_emitter_t *emitter, const hl_node *map) {
    bool ok = emit_mapping_start(emitter, YAML_FLOW_MAPPING_STYLE);
    for (const hl_node *entry = map->first; entry; entry = entry->next) {
        ok = ok && emit_text(emitter, entry->key) && emit_value(emitter, entry);
    }
    return ok && emit_mapping_end(emitter);
}

static bool emit_list(yaml_emitter_t *emitter, const hl_node *list) {
    bool ok = emit_list_start(emitter, YAML_FLOW_SEQUENCE_STYLE);
    for (const hl_node *element = list->first; element; element = element->next) {
        ok = ok && emit_value(emitter, element);
    }
    return ok && emit_list_end(emitter);
}

static bool emit_value(yaml_emitter_t *emitter, const hl_node *value) {
    if (value->type == HL_TEXT) return emit_text(emitter, value->text);
    if (value->type == HL_MAP) return emit_map(emitter, value);
    if (hl_is_list(value)) return emit_list(emitter, value);
    if (hl_is_number(value)) return emit_number(emitter, value);
    if (value->type == HL_TRUTH) return emit_scalar(emitter, value->truth ? "true" : "false", true);
    return emit_scalar(emitter, "null", true);
}

static bool emit_narrow_list(yaml_emitter_t *emitter, const narrow_list *list) {
    bool ok = emit_list_start(emitter, YAML_FLOW_SEQUENCE_STYLE);
    for (size_t i = 0; i < list->count; i++) ok = ok && emit_value(emitter, list->elements[i]);
    return ok && emit_list_end(emitter);
}

static bool emit_option(yaml_emitter_t *emitter, const hl_node *options, const hl_node *option,
                        const hl_node *item) {
    narrow_list kept;
    if (!narrow(&kept, options, option, item)) return true;
    if (option->type == HL_NOTHING && !kept.count) return true; /* left out, and optional */
    if (!emit_text(emitter, option->key)) return false;
    return kept.count ? emit_narrow_list(emitter, &kept) : emit_value(emitter, option);
}

/* analyses: [the one], as a document of its own that needs no marks at its ends. */
static bool emit_analyses(yaml_emitter_t *emitter, const hl_node *analysis, const hl_node *item) {
    yaml_event_t event;
    const hl_node *options = hl_get(analysis, "options");
    bool ok = emit(emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
              emit(emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
              emit_mapping_start(emitter, YAML_BLOCK_MAPPING_STYLE) && emit_text(emitter, "analyses") &&
              emit_list_start(emitter, YAML_BLOCK_SEQUENCE_STYLE) &&
              emit_mapping_start(emitter, YAML_BLOCK_MAPPING_STYLE) && emit_text(emitter, "plugin") &&
              emit_text(emitter, hl_get_text(analysis, "plugin"));
    for (const hl_node *option = options ? options->first : NULL; option; option = option->next) {
        ok = ok && emit_option(emitter, options, option, item);
    }
    return ok && emit_mapping_end(emitter) && emit_list_end(emitter) && emit_mapping_end(emitter) &&
           emit(emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(emitter, &event, yaml_stream_end_event_initialize(&event));
}

static int write_bytes(void *file, unsigned char *bytes, size_t count) {
    return fwrite(bytes, 1, count, file) == count;
}

static bool write_analyses(FILE *file, const hl_node *analysis, const hl_node *item) {
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) return false;
    yaml_emitter_set_output(&emitter, write_bytes, file);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1); /* a text is never folded */
    bool ok = emit_analyses(&emitter, analysis, item);
    yaml_emitter_delete(&emitter);
    return ok;
}

hl_status snippet_make(const char *sections, const hl_node *analysis, const hl_node *item, char **yaml,
                       hl_error *error) {
    size_t size = 0;
    *yaml = NULL;
    FILE *file = open_memstream(yaml, &size);
    bool ok = file && fputs(sections, file) >= 0 && write_analyses(file, analysis, item);
    if (file) ok = fclose(file) == 0 && ok && *yaml;
    if (ok) return HL_OK;
    free(*yaml);
    *yaml = NULL;
    return hl_no_memory(error, "an experiment to copy");
}
