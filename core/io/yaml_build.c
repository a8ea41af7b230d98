/* YAML text -> nodes. libyaml cuts it into events; this file makes nodes of them, with limits, places and
 * readable errors, all in one pass. */
#include "core/io/yaml_nodes.h"

#include "core/io/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct span {
    const uint8_t *bytes;
    size_t count;
} span;

/* The last node that was called so; NULL while that is still being read. */
typedef struct anchor {
    struct anchor *next;
    const char *name;
    const yaml_node *node;
    yaml_mark_t mark;
} anchor;

typedef struct builder {
    yaml_file *file;
    const yaml_origin *origin;
    span input;
    yaml_parser_t parser;
    yaml_event_t event; /* the next one, not yet taken */
    anchor *anchors;
    size_t events, depth;
    hl_error *error;
} builder;

/* ---- errors ---- */

__attribute__((format(printf, 3, 4))) static hl_status fail_at(const builder *self, yaml_mark_t mark,
                                                               const char *format, ...) {
    yaml_node at = {.origin = self->origin, .line = mark.line + 1, .column = mark.column + 1};
    char detail[680];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(detail, sizeof detail, format, arguments);
    va_end(arguments);
    return yaml_fail(&at, self->error, "%s", detail);
}

static yaml_mark_t mark_of_byte(span input, size_t offset) {
    yaml_mark_t mark = {0, 0, 0};
    for (size_t i = 0; i < offset && i < input.count; ++i) {
        bool continuation = (input.bytes[i] & 0xC0) == 0x80;
        mark.column += !continuation;
        if (input.bytes[i] == '\n') mark = (yaml_mark_t){0, mark.line + 1, 0};
    }
    return mark;
}

/* Whether a tab is among the blanks that start the line of `mark`; then `mark` becomes its place. */
static bool find_tab(span input, yaml_mark_t *mark) {
    size_t at = 0;
    for (size_t line = 0; line < mark->line && at < input.count; ++at) line += input.bytes[at] == '\n';
    for (size_t column = 0; at + column < input.count; ++column) {
        uint8_t byte = input.bytes[at + column];
        if (byte == '\t') {
            mark->column = column;
            return true;
        }
        if (byte != ' ') return false;
    }
    return false;
}

/* What libyaml says, for people. */
static hl_status fail_parser(const builder *self) {
    const yaml_parser_t *parser = &self->parser;
    /* libyaml does not always say so when it is memory that it lacks. */
    if (parser->error == YAML_MEMORY_ERROR || !parser->problem) return yaml_no_memory(self->error);
    if (parser->error == YAML_READER_ERROR) {
        return fail_at(self, mark_of_byte(self->input, parser->problem_offset), "not UTF-8 text: %s",
                       parser->problem);
    }
    yaml_mark_t mark = parser->problem_mark;
    if (find_tab(self->input, &mark)) return fail_at(self, mark, "a tab: YAML indents with blanks");
    if (parser->context && strcmp(parser->context, "while scanning a simple key") == 0) {
        return fail_at(self, parser->context_mark, "not YAML: expected \"KEY: VALUE\", but there is no ':'");
    }
    if (!parser->context) return fail_at(self, mark, "not YAML: %s", parser->problem);
    return fail_at(self, mark, "not YAML: %s %s that starts at line %zu", parser->problem, parser->context,
                   parser->context_mark.line + 1);
}

/* ---- events ---- */

static hl_status check_tag(const builder *self) {
    const yaml_event_t *event = &self->event;
    const yaml_char_t *tag = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.tag
                             : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
                             : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
                                                                        : NULL;
    if (!tag) return HL_OK;
    return fail_at(self, event->start_mark, "the tag \"%s\" has no meaning here: remove it",
                   (const char *)tag);
}

/* Goes to the next event. */
static hl_status step(builder *self) {
    yaml_event_delete(&self->event);
    memset(&self->event, 0, sizeof self->event);
    if (!yaml_parser_parse(&self->parser, &self->event)) return fail_parser(self);
    if (++self->events > 2 * YAML_MOST_NODES) {
        return fail_at(self, self->event.start_mark, "too long: expected at most %d nodes", YAML_MOST_NODES);
    }
    return check_tag(self);
}

/* ---- anchors ---- */

static hl_status remember(builder *self, const yaml_char_t *name, anchor **out) {
    *out = NULL;
    if (!name) return HL_OK;
    anchor *made = *out = arena_array(&self->file->memory, 1, sizeof *made);
    if (!made) return yaml_no_memory(self->error);
    made->name = arena_copy_text(&self->file->memory, (const char *)name, strlen((const char *)name));
    if (!made->name) return yaml_no_memory(self->error);
    made->mark = self->event.start_mark;
    made->next = self->anchors;
    self->anchors = made;
    return HL_OK;
}

static hl_status take_alias(builder *self, const yaml_node **out) {
    const char *name = (const char *)self->event.data.alias.anchor;
    yaml_mark_t here = self->event.start_mark;
    const anchor *found = self->anchors;
    while (found && strcmp(found->name, name) != 0) found = found->next;
    if (!found) return fail_at(self, here, "not YAML: found undefined alias *%.100s", name);
    if (!found->node) return fail_at(self, found->mark, "contains itself by an alias");
    if (self->depth + found->node->depth > YAML_DEEPEST) {
        return fail_at(self, here, "nested deeper than %d levels", YAML_DEEPEST);
    }
    *out = found->node;
    return step(self);
}

/* ---- nodes ---- */

static hl_status take_node(builder *self, const yaml_node **out);

static yaml_node *new_node(builder *self, yaml_type type, size_t count) {
    yaml_node at = {.origin = self->origin,
                    .line = self->event.start_mark.line + 1,
                    .column = self->event.start_mark.column + 1};
    return yaml_new(self->file, type, &at, count);
}

static hl_status take_scalar(builder *self, const yaml_node **out) {
    const char *value = (const char *)self->event.data.scalar.value;
    size_t length = self->event.data.scalar.length;
    if (memchr(value, '\0', length)) {
        return fail_at(self, self->event.start_mark, "the text contains a NUL character: remove it");
    }
    yaml_node *node = new_node(self, YAML_TEXT, 0);
    if (node) node->text = arena_copy_text(&self->file->memory, value, length);
    if (!node || !node->text) return yaml_no_memory(self->error);
    node->style = (int)self->event.data.scalar.style;
    node->plain = node->style == YAML_PLAIN_SCALAR_STYLE;
    node->first = self->event.start_mark.index;
    node->past = self->event.end_mark.index;
    anchor *name;
    hl_status status = remember(self, self->event.data.scalar.anchor, &name);
    if (status != HL_OK) return status;
    if (name) name->node = node;
    *out = node;
    return step(self);
}

/* The children of a list or map that is being read: of a map key and value in turn. */
typedef struct children {
    const yaml_node **nodes;
    size_t count, room;
} children;

static hl_status add_child(const builder *self, children *all, const yaml_node *child) {
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 8;
        const yaml_node **longer = reallocarray(all->nodes, room, sizeof *longer);
        if (!longer) return yaml_no_memory(self->error);
        all->nodes = longer;
        all->room = room;
    }
    all->nodes[all->count++] = child;
    return HL_OK;
}

static hl_status check_key(const builder *self, const children *earlier, const yaml_node *key) {
    if (key->type != YAML_TEXT) return yaml_fail(key, self->error, "a key must be plain text");
    if (key->plain && strcmp(key->text, "<<") == 0) {
        return yaml_fail(key, self->error,
                         "<<, which merges another mapping in, is not part of YAML 1.2: write its keys out");
    }
    for (size_t i = 0; i < earlier->count; i += 2) {
        if (strcmp(key->text, earlier->nodes[i]->text) != 0) continue;
        return yaml_fail(key, self->error, "the key \"%s\" is given twice, first at line %zu: remove one",
                         key->text, earlier->nodes[i]->line);
    }
    return HL_OK;
}

static hl_status take_children(builder *self, bool is_map, children *all) {
    yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    hl_status status = step(self);
    while (status == HL_OK && self->event.type != end) {
        const yaml_node *child = NULL;
        status = take_node(self, &child);
        if (status == HL_OK && is_map && all->count % 2 == 0) status = check_key(self, all, child);
        if (status == HL_OK) status = add_child(self, all, child);
    }
    return status;
}

static void put_children(yaml_node *node, const children *all) {
    for (size_t i = 0; i < node->count; ++i) {
        if (node->keys) node->keys[i] = all->nodes[2 * i];
        node->items[i] = node->keys ? all->nodes[2 * i + 1] : all->nodes[i];
    }
    yaml_settle(node);
}

static hl_status take_collection(builder *self, const yaml_node **out) {
    bool is_map = self->event.type == YAML_MAPPING_START_EVENT;
    yaml_mark_t mark = self->event.start_mark;
    if (self->depth == YAML_DEEPEST) return fail_at(self, mark, "nested deeper than %d levels", YAML_DEEPEST);
    int style =
        is_map ? (int)self->event.data.mapping_start.style : (int)self->event.data.sequence_start.style;
    yaml_node at = {.origin = self->origin, .line = mark.line + 1, .column = mark.column + 1};
    anchor *name;
    children all = {NULL, 0, 0};
    hl_status status = remember(
        self, is_map ? self->event.data.mapping_start.anchor : self->event.data.sequence_start.anchor, &name);
    ++self->depth;
    if (status == HL_OK) status = take_children(self, is_map, &all);
    --self->depth;
    yaml_node *node = NULL;
    if (status == HL_OK) {
        node = yaml_new(self->file, is_map ? YAML_MAP : YAML_LIST, &at, is_map ? all.count / 2 : all.count);
        if (!node) status = yaml_no_memory(self->error);
    }
    if (node) {
        put_children(node, &all);
        node->style = style;
        if (name) name->node = node;
        *out = node;
    }
    free(all.nodes);
    if (status != HL_OK) return status;
    if (node->nodes > YAML_MOST_NODES) {
        return yaml_fail(node, self->error,
                         "too much: more than %d nodes, aliases counted as what they stand for",
                         YAML_MOST_NODES);
    }
    return step(self);
}

static hl_status take_node(builder *self, const yaml_node **out) {
    switch (self->event.type) {
    case YAML_ALIAS_EVENT:
        return take_alias(self, out);
    case YAML_SCALAR_EVENT:
        return take_scalar(self, out);
    default:
        return take_collection(self, out);
    }
}

/* ---- the document ---- */

static hl_status take_document(builder *self, const yaml_node **out) {
    hl_status status = step(self); /* the stream */
    if (status == HL_OK) status = step(self);
    if (status == HL_OK && self->event.type == YAML_STREAM_END_EVENT) {
        return fail_at(self, (yaml_mark_t){0, 0, 0}, "empty; expected YAML");
    }
    if (status == HL_OK) status = step(self);
    if (status == HL_OK) status = take_node(self, out);
    if (status == HL_OK) status = step(self);
    if (status != HL_OK || self->event.type == YAML_STREAM_END_EVENT) return status;
    return fail_at(self, self->event.start_mark,
                   "a second document starts here; expected exactly one: remove the line \"---\"");
}

hl_status yaml_build(yaml_file *file, const yaml_origin *origin, const uint8_t *bytes, size_t count,
                     const yaml_node **out, hl_error *error) {
    size_t mark = utf8_mark(bytes, count); /* libyaml would count it as a column */
    builder self = {.file = file, .origin = origin, .input = {bytes + mark, count - mark}, .error = error};
    if (!yaml_parser_initialize(&self.parser)) return yaml_no_memory(error);
    yaml_parser_set_encoding(&self.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&self.parser, self.input.bytes, self.input.count);
    hl_status status = take_document(&self, out);
    yaml_event_delete(&self.event);
    yaml_parser_delete(&self.parser);
    return status;
}
