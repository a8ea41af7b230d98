/* YAML text -> one checked tree. libyaml reads; this file adds limits, places, `--set` and readable errors.
 * Never knows what the keys mean. */
#include "core/io/yaml_file.h"

#include "core/io/input.h"
#include "core/io/utf8.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 1 << 20, MOST_NODES = 10000, DEEPEST = 32 };

/* A node that came from `sets[i]`, or from change number i, has line i and this column in its mark. */
#define COLUMN_OF_SET    SIZE_MAX
#define COLUMN_OF_CHANGE (SIZE_MAX - 1)

struct yaml_file {
    char *name;
    const char *const *sets, *const *places; /* of the sets the text, of the changes where they are written */
    bool is_set;                             /* the text of one `--set`, whose places nobody wants to count */
    bool loaded;                             /* `document` is to be freed */
    bool piped;                              /* it lies in no folder */
    yaml_document_t document;
};

/* ---- Places ---- */

static bool from_set(const yaml_node_t *node) {
    return node->start_mark.column == COLUMN_OF_SET;
}

static void place_mark(const yaml_file *file, yaml_mark_t mark, char *out, size_t size) {
    if (mark.column == COLUMN_OF_SET) {
        hl_format(out, size, "--set %s", file->sets[mark.line]);
    } else if (mark.column == COLUMN_OF_CHANGE) {
        hl_format(out, size, "%s", file->places[mark.line]);
    } else if (file->is_set) {
        hl_format(out, size, "%s", file->name);
    } else {
        hl_format(out, size, "%s:%zu:%zu", file->name, mark.line + 1, mark.column + 1);
    }
}

void yaml_place(const yaml_file *file, const yaml_node_t *at, char *out, size_t size) {
    place_mark(file, at->start_mark, out, size);
}

__attribute__((format(printf, 4, 0))) static hl_status fail_with(const yaml_file *file, yaml_mark_t mark,
                                                                 hl_error *error, const char *format,
                                                                 va_list arguments) {
    char place[320], detail[680]; /* together they fit a message, so that the ends of both stay */
    hl_format_list(detail, sizeof detail, format, arguments);
    place_mark(file, mark, place, sizeof place);
    return hl_fail(error, HL_USAGE, "%s: %s", place, detail);
}

__attribute__((format(printf, 4, 5))) static hl_status fail_mark(const yaml_file *file, yaml_mark_t mark,
                                                                 hl_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hl_status status = fail_with(file, mark, error, format, arguments);
    va_end(arguments);
    return status;
}

hl_status yaml_fail(const yaml_file *file, const yaml_node_t *at, hl_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hl_status status = fail_with(file, at->start_mark, error, format, arguments);
    va_end(arguments);
    return status;
}

/* ---- What libyaml says, for people ---- */

typedef struct text {
    const uint8_t *bytes;
    size_t count;
} text;

static yaml_mark_t mark_of_byte(text input, size_t offset) {
    yaml_mark_t mark = {0, 0, 0};
    for (size_t i = 0; i < offset && i < input.count; ++i) {
        bool continuation = (input.bytes[i] & 0xC0) == 0x80;
        mark.column += !continuation;
        if (input.bytes[i] == '\n') mark = (yaml_mark_t){0, mark.line + 1, 0};
    }
    return mark;
}

/* Whether a tab is among the blanks that start the line of `mark`; then `mark` becomes its place. */
static bool find_tab(text input, yaml_mark_t *mark) {
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

static hl_status fail_parser(const yaml_file *file, const yaml_parser_t *parser, text input,
                             hl_error *error) {
    /* libyaml does not always say so when it is memory that it lacks. */
    if (parser->error == YAML_MEMORY_ERROR || !parser->problem) return hl_no_memory(error, "a YAML document");
    if (parser->error == YAML_READER_ERROR) {
        return fail_mark(file, mark_of_byte(input, parser->problem_offset), error, "not UTF-8 text: %s",
                         parser->problem);
    }
    yaml_mark_t mark = parser->problem_mark;
    if (find_tab(input, &mark)) return fail_mark(file, mark, error, "a tab: YAML indents with blanks");
    if (parser->context && strcmp(parser->context, "while scanning a simple key") == 0) {
        return fail_mark(file, parser->context_mark, error,
                         "not YAML: expected \"KEY: VALUE\", but there is no ':'");
    }
    if (!parser->context) return fail_mark(file, mark, error, "not YAML: %s", parser->problem);
    return fail_mark(file, mark, error, "not YAML: %s %s that starts at line %zu", parser->problem,
                     parser->context, parser->context_mark.line + 1);
}

/* ---- Reading ---- */

static bool begin_parser(yaml_parser_t *parser, text input) {
    if (!yaml_parser_initialize(parser)) return false;
    size_t mark = utf8_mark(input.bytes, input.count); /* libyaml would count it as a column */
    input.bytes += mark;
    input.count -= mark;
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, input.bytes, input.count);
    return true;
}

/* The tag that was written at a node, or NULL. */
static const yaml_char_t *written_tag(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag;
    default:
        return NULL;
    }
}

typedef struct tally {
    size_t documents, nodes;
} tally;

static hl_status scan_event(const yaml_file *file, const yaml_event_t *event, tally *seen, hl_error *error) {
    if (event->type == YAML_DOCUMENT_START_EVENT && ++seen->documents > 1) {
        return fail_mark(file, event->start_mark, error,
                         "a second document starts here; expected exactly one: remove the line \"---\"");
    }
    if (written_tag(event)) {
        return fail_mark(file, event->start_mark, error, "the tag \"%s\" has no meaning here: remove it",
                         (const char *)written_tag(event));
    }
    if (++seen->nodes > 2 * MOST_NODES) {
        return fail_mark(file, event->start_mark, error, "too long: expected at most %d nodes", MOST_NODES);
    }
    return HL_OK;
}

/* A first pass over the text alone: all of its syntax, and how much there is of it. libyaml takes time that
 * grows with the square of the number of anchors, so nothing is loaded before it is known to be small. */
static hl_status scan(const yaml_file *file, text input, hl_error *error) {
    yaml_parser_t parser;
    if (!begin_parser(&parser, input)) return hl_no_memory(error, "a YAML parser");
    hl_status status = HL_OK;
    tally seen = {0, 0};
    for (bool more = true; more && status == HL_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = fail_parser(file, &parser, input, error);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = scan_event(file, &event, &seen, error);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (status == HL_OK && seen.documents == 0) {
        return fail_mark(file, (yaml_mark_t){0, 0, 0}, error, "empty; expected YAML");
    }
    return status;
}

static hl_status load(yaml_file *file, text input, hl_error *error) {
    yaml_parser_t parser;
    if (!begin_parser(&parser, input)) return hl_no_memory(error, "a YAML parser");
    hl_status status = HL_OK;
    file->loaded = yaml_parser_load(&parser, &file->document);
    if (!file->loaded) status = fail_parser(file, &parser, input, error);
    yaml_parser_delete(&parser);
    return status;
}

/* ---- Checking the tree ---- */

static yaml_node_t *node_at(const yaml_file *file, int id) {
    return file->document.nodes.start + id - 1;
}

typedef struct tree_walk {
    const yaml_file *file;
    hl_error *error;
    size_t visited; /* an alias counts as often as it is used */
    int path[DEEPEST];
    size_t depth;
} tree_walk;

static hl_status check_scalar(const tree_walk *walk, const yaml_node_t *node) {
    if (!memchr(node->data.scalar.value, '\0', node->data.scalar.length)) return HL_OK;
    return yaml_fail(walk->file, node, walk->error, "the text contains a NUL character: remove it");
}

static hl_status check_keys(const tree_walk *walk, const yaml_node_t *mapping) {
    const yaml_node_pair_t *first = mapping->data.mapping.pairs.start, *end = mapping->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = first; pair < end; ++pair) {
        const yaml_node_t *key = node_at(walk->file, pair->key);
        if (key->type != YAML_SCALAR_NODE) {
            return yaml_fail(walk->file, key, walk->error, "a key must be plain text");
        }
        const char *name = (const char *)key->data.scalar.value;
        if (strcmp(name, "<<") == 0 && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
            return yaml_fail(
                walk->file, key, walk->error,
                "<<, which merges another mapping in, is not part of YAML 1.2: write its keys out");
        }
        for (const yaml_node_pair_t *other = first; other < pair; ++other) {
            const yaml_node_t *earlier = node_at(walk->file, other->key);
            if (strcmp(name, (const char *)earlier->data.scalar.value) != 0) continue;
            return yaml_fail(walk->file, key, walk->error,
                             "the key \"%s\" is given twice, first at line %zu: remove one", name,
                             earlier->start_mark.line + 1);
        }
    }
    return HL_OK;
}

static hl_status check_node(tree_walk *walk, int id);

static hl_status check_children(tree_walk *walk, const yaml_node_t *node) {
    hl_status status = HL_OK;
    if (node->type == YAML_SEQUENCE_NODE) {
        const yaml_node_item_t *end = node->data.sequence.items.top;
        for (const yaml_node_item_t *item = node->data.sequence.items.start; item < end && status == HL_OK;) {
            status = check_node(walk, *item++);
        }
    } else {
        const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
        for (; pair < node->data.mapping.pairs.top && status == HL_OK; ++pair) {
            status = check_node(walk, pair->key);
            if (status == HL_OK) status = check_node(walk, pair->value);
        }
        if (status == HL_OK) status = check_keys(walk, node);
    }
    return status;
}

static hl_status check_node(tree_walk *walk, int id) {
    const yaml_node_t *node = node_at(walk->file, id);
    if (++walk->visited > MOST_NODES) {
        return yaml_fail(walk->file, node, walk->error,
                         "too much: more than %d nodes, aliases counted as what they stand for", MOST_NODES);
    }
    if (node->type == YAML_SCALAR_NODE) return check_scalar(walk, node);
    for (size_t i = 0; i < walk->depth; ++i) {
        if (walk->path[i] == id)
            return yaml_fail(walk->file, node, walk->error, "contains itself by an alias");
    }
    if (walk->depth == DEEPEST) {
        return yaml_fail(walk->file, node, walk->error, "nested deeper than %d levels", DEEPEST);
    }
    walk->path[walk->depth++] = id;
    hl_status status = check_children(walk, node);
    --walk->depth;
    return status;
}

static hl_status check(const yaml_file *file, hl_error *error) {
    tree_walk walk = {.file = file, .error = error};
    return check_node(&walk, 1);
}

/* ---- Opening ---- */

static hl_status parse(const char *name, bool is_set, text input, yaml_file **out, hl_error *error) {
    *out = NULL;
    yaml_file *file = calloc(1, sizeof *file);
    if (!file || !(file->name = strdup(name))) {
        free(file);
        return hl_no_memory(error, "a YAML document");
    }
    file->is_set = is_set;
    hl_status status = scan(file, input, error);
    if (status == HL_OK) status = load(file, input, error);
    if (status == HL_OK) status = check(file, error);
    if (status != HL_OK) {
        yaml_close(file);
        return status;
    }
    *out = file;
    return HL_OK;
}

hl_status yaml_parse(const char *name, const uint8_t *bytes, size_t count, yaml_file **out, hl_error *error) {
    return parse(name, false, (text){bytes, count}, out, error);
}

void yaml_close(yaml_file *file) {
    if (!file) return;
    if (file->loaded) yaml_document_delete(&file->document);
    free(file->name);
    free(file);
}

/* ---- --set PATH=VALUE ---- */

/* Adding a node may move all of them, so nodes go by number here; 0 stands for none or no memory. */
typedef struct tree_change {
    yaml_file *file;
    yaml_mark_t mark; /* of all that is added */
    hl_error *error;
} tree_change;

static hl_status change_no_memory(const tree_change *change) {
    return hl_no_memory(change->error, "a value of --set");
}

/* A copy of one node, whose children are the same as the original's. */
static int copy_node(const tree_change *change, int id) {
    yaml_document_t *document = &change->file->document;
    yaml_node_t from = *node_at(change->file, id);
    int to = 0;
    if (from.type == YAML_MAPPING_NODE) {
        to = yaml_document_add_mapping(document, NULL, YAML_ANY_MAPPING_STYLE);
        for (yaml_node_pair_t *pair = from.data.mapping.pairs.start; to && pair < from.data.mapping.pairs.top;
             ++pair) {
            if (!yaml_document_append_mapping_pair(document, to, pair->key, pair->value)) return 0;
        }
    } else if (from.type == YAML_SEQUENCE_NODE) {
        to = yaml_document_add_sequence(document, NULL, YAML_ANY_SEQUENCE_STYLE);
        for (int *item = from.data.sequence.items.start; to && item < from.data.sequence.items.top; ++item) {
            if (!yaml_document_append_sequence_item(document, to, *item)) return 0;
        }
    } else {
        return id;
    }
    if (to) node_at(change->file, to)->start_mark = from.start_mark;
    return to;
}

static int new_scalar(const tree_change *change, const char *value, size_t length,
                      yaml_scalar_style_t style) {
    int id = yaml_document_add_scalar(&change->file->document, NULL, (const yaml_char_t *)value, (int)length,
                                      style);
    if (id) node_at(change->file, id)->start_mark = change->mark;
    return id;
}

static int new_mapping(const tree_change *change) {
    int id = yaml_document_add_mapping(&change->file->document, NULL, YAML_ANY_MAPPING_STYLE);
    if (id) node_at(change->file, id)->start_mark = change->mark;
    return id;
}

/* Copies a tree from another file; its depth and size have been checked. */
static int graft(const tree_change *change, const yaml_file *from, int id) {
    yaml_document_t *document = &change->file->document;
    const yaml_node_t *node = node_at(from, id);
    if (node->type == YAML_SCALAR_NODE) {
        return new_scalar(change, (const char *)node->data.scalar.value, node->data.scalar.length,
                          node->data.scalar.style);
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        int to = yaml_document_add_sequence(document, NULL, YAML_ANY_SEQUENCE_STYLE);
        if (to) node_at(change->file, to)->start_mark = change->mark;
        for (int *item = node->data.sequence.items.start; to && item < node->data.sequence.items.top;
             ++item) {
            int child = graft(change, from, *item);
            if (!child || !yaml_document_append_sequence_item(document, to, child)) return 0;
        }
        return to;
    }
    int to = new_mapping(change);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; to && pair < node->data.mapping.pairs.top;
         ++pair) {
        int key = graft(change, from, pair->key), value = graft(change, from, pair->value);
        if (!key || !value || !yaml_document_append_mapping_pair(document, to, key, value)) return 0;
    }
    return to;
}

/* Where the node `key` of `parent` is kept: NULL when there is none, though one could be added. */
static hl_status find_slot(const tree_change *change, int parent, const char *key, int **slot) {
    yaml_node_t *node = node_at(change->file, parent);
    *slot = NULL;
    if (node->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
             ++pair) {
            const yaml_node_t *name = node_at(change->file, pair->key);
            if (strcmp((const char *)name->data.scalar.value, key) == 0) *slot = &pair->value;
        }
        return HL_OK;
    }
    if (node->type == YAML_SCALAR_NODE) {
        return fail_mark(change->file, change->mark, change->error,
                         "there is no \"%s\" here: what holds it is neither a mapping nor a list", key);
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    char *end;
    unsigned long index = strtoul(key, &end, 10);
    if (*key < '0' || *key > '9' || *end || index > count) {
        return fail_mark(change->file, change->mark, change->error,
                         "\"%s\" is no item of the list; it has %zu, counted from 0", key, count);
    }
    if (index < count) *slot = node->data.sequence.items.start + index;
    return HL_OK;
}

static hl_status put(const tree_change *change, int parent, const char *key, int value) {
    yaml_document_t *document = &change->file->document;
    int *slot;
    hl_status status = find_slot(change, parent, key, &slot);
    if (status != HL_OK) return status;
    if (!value) return change_no_memory(change);
    if (slot) {
        *slot = value;
        return HL_OK;
    }
    if (node_at(change->file, parent)->type == YAML_SEQUENCE_NODE) {
        return yaml_document_append_sequence_item(document, parent, value) ? HL_OK : change_no_memory(change);
    }
    int name = new_scalar(change, key, strlen(key), YAML_PLAIN_SCALAR_STYLE);
    bool added = name && yaml_document_append_mapping_pair(document, parent, name, value);
    return added ? HL_OK : change_no_memory(change);
}

/* Everything on the way is copied first: an alias elsewhere must not see the change. */
static hl_status put_at_path(const tree_change *change, char *path, int value) {
    int parent = 1;
    char *key = path;
    for (char *dot; (dot = strchr(key, '.')); key = dot + 1) {
        *dot = '\0';
        int *slot;
        hl_status status = find_slot(change, parent, key, &slot);
        if (status != HL_OK) return status;
        int child = slot ? copy_node(change, *slot) : new_mapping(change);
        status = put(change, parent, key, child);
        if (status != HL_OK) return status;
        parent = child;
    }
    return put(change, parent, key, value);
}

static hl_status apply(yaml_file *file, const char *argument, yaml_mark_t mark, hl_error *error) {
    const char *equals = strchr(argument, '=');
    tree_change change = {file, mark, error};
    if (!equals || equals == argument) {
        return fail_mark(file, change.mark, error, "expected PATH=VALUE, such as compute.backend=reference");
    }
    char name[512];
    place_mark(file, change.mark, name, sizeof name);
    text input = {(const uint8_t *)equals + 1, strlen(equals + 1)};
    yaml_file *value;
    hl_status status = parse(name, true, input, &value, error);
    if (status != HL_OK) return status;
    char *path = strndup(argument, (size_t)(equals - argument));
    status = path ? put_at_path(&change, path, graft(&change, value, 1)) : change_no_memory(&change);
    free(path);
    yaml_close(value);
    return status;
}

/* ---- Files ---- */

hl_status yaml_read(const char *path, const atomic_bool *cancel, yaml_source *out, hl_error *error) {
    *out = (yaml_source){.path = path};
    return input_read_piped(path, LARGEST_FILE, cancel, &out->bytes, &out->count, &out->piped, error);
}

void yaml_source_free(yaml_source *source) {
    free(source->bytes);
    *source = (yaml_source){0};
}

hl_status yaml_open(const yaml_source *source, const char *const *sets, size_t set_count, yaml_file **out,
                    hl_error *error) {
    *out = NULL;
    yaml_file *file = NULL;
    hl_status status = yaml_parse(source->path, source->bytes, source->count, &file, error);
    if (status == HL_OK) {
        file->piped = source->piped;
        file->sets = sets;
    }
    for (size_t i = 0; i < set_count && status == HL_OK; ++i) {
        status = apply(file, sets[i], (yaml_mark_t){0, i, COLUMN_OF_SET}, error);
    }
    if (status == HL_OK && set_count > 0) status = check(file, error);
    if (status != HL_OK) {
        yaml_close(file);
        return status;
    }
    *out = file;
    return HL_OK;
}

hl_status yaml_change(yaml_file *file, const char *const *changes, const char *const *places, size_t count,
                      hl_error *error) {
    file->places = places;
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = apply(file, changes[i], (yaml_mark_t){0, i, COLUMN_OF_CHANGE}, error);
    }
    return status == HL_OK && count > 0 ? check(file, error) : status;
}

/* ---- Questions ---- */

const yaml_node_t *yaml_root(const yaml_file *file) {
    return node_at(file, 1);
}

bool yaml_entry(const yaml_file *file, const yaml_node_t *mapping, size_t index, const yaml_node_t **key,
                const yaml_node_t **value) {
    if (mapping->type != YAML_MAPPING_NODE) return false;
    const yaml_node_pair_t *first = mapping->data.mapping.pairs.start, *end = mapping->data.mapping.pairs.top;
    if (index >= (size_t)(end - first)) return false;
    *key = node_at(file, first[index].key);
    *value = node_at(file, first[index].value);
    return true;
}

const yaml_node_t *yaml_get(const yaml_file *file, const yaml_node_t *mapping, const char *key) {
    const yaml_node_t *name, *value;
    for (size_t i = 0; yaml_entry(file, mapping, i, &name, &value); ++i) {
        if (strcmp((const char *)name->data.scalar.value, key) == 0) return value;
    }
    return NULL;
}

const yaml_node_t *yaml_item(const yaml_file *file, const yaml_node_t *sequence, size_t index) {
    if (sequence->type != YAML_SEQUENCE_NODE) return NULL;
    const yaml_node_item_t *first = sequence->data.sequence.items.start;
    if (index >= (size_t)(sequence->data.sequence.items.top - first)) return NULL;
    return node_at(file, first[index]);
}

char *yaml_resolve(const yaml_file *file, const yaml_node_t *node) {
    const char *path = (const char *)node->data.scalar.value, *slash = strrchr(file->name, '/');
    if (path[0] == '/' || from_set(node) || file->piped || !slash) return strdup(path);
    char *resolved = NULL;
    if (asprintf(&resolved, "%.*s/%s", (int)(slash - file->name), file->name, path) < 0) return NULL;
    return resolved;
}
