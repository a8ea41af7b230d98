/* A tree as JSON. Gathers bytes, so that whoever takes them is called seldom. */
#include "core/io/utf8.h"
#include "core/tree/tree.h"

#include <stdlib.h>
#include <string.h>
#include <unistr.h>

typedef struct writer {
    tree_sink *sink;
    void *user;
    bool indented;
    hl_status status;
    hl_error *error;
    size_t count;
    char bytes[16 << 10];
} writer;

static void flush(writer *self) {
    if (self->status == HL_OK && self->count > 0) {
        self->status = self->sink(self->user, self->bytes, self->count, self->error);
    }
    self->count = 0;
}

static void put(writer *self, const char *bytes, size_t count) {
    while (count > 0) {
        if (self->count == sizeof self->bytes) flush(self);
        size_t room = sizeof self->bytes - self->count, taken = count < room ? count : room;
        memcpy(self->bytes + self->count, bytes, taken);
        self->count += taken;
        bytes += taken;
        count -= taken;
    }
}

static void put_text(writer *self, const char *text) {
    put(self, text, strlen(text));
}

static void indent(writer *self, size_t level) {
    if (!self->indented) return;
    put(self, "\n", 1);
    while (level-- > 0) put(self, "\t", 1);
}

/* What JSON wants written otherwise; NULL: as it is. */
static const char *escape(unsigned char byte, char room[8]) {
    static const char *const known[256] = {['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
                                           ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t"};
    if (known[byte] || byte >= 0x20) return known[byte];
    snprintf(room, 8, "\\u%04x", byte);
    return room;
}

static void put_escaped(writer *self, const char *text) {
    const char *kept = text;
    put(self, "\"", 1);
    for (; *text; ++text) {
        char room[8];
        const char *instead = escape((unsigned char)*text, room);
        if (!instead) continue;
        put(self, kept, (size_t)(text - kept));
        put_text(self, instead);
        kept = text + 1;
    }
    put(self, kept, (size_t)(text - kept));
    put(self, "\"", 1);
}

/* A node that a report made itself may hold any bytes. */
static void write_text(writer *self, const char *text) {
    if (!u8_check((const uint8_t *)text, strlen(text))) {
        put_escaped(self, text);
        return;
    }
    char *rewritten = utf8_rewrite(text, UTF8_BYTE, NULL);
    if (rewritten) {
        put_escaped(self, rewritten);
    } else if (self->status == HL_OK) {
        self->status = hl_no_memory(self->error, "JSON");
    }
    free(rewritten);
}

static void write_grid(writer *self, const hl_node *node) {
    const char *between = self->indented ? ", " : ",";
    hl_node cell = {.type = HL_NUMBER, .single = true};
    char room[NUMBER_ROOM];
    for (uint32_t row = 0; row < node->rows && self->status == HL_OK; ++row) {
        put_text(self, row == 0 ? "[" : between);
        for (uint32_t col = 0; col < node->cols; ++col) {
            cell.number = (double)node->grid[(size_t)row * node->cols + col];
            put_text(self, col == 0 ? "[" : between);
            put_text(self, number_text(&cell, room));
        }
        put_text(self, "]");
    }
    put_text(self, "]");
}

static void write_node(writer *self, const hl_node *node, size_t level);

static void write_list(writer *self, const hl_node *node, size_t level) {
    put_text(self, "[");
    for (const hl_node *entry = node->first; entry && self->status == HL_OK; entry = entry->next) {
        write_node(self, entry, level + 1);
        if (entry->next) put_text(self, self->indented ? ", " : ",");
    }
    put_text(self, "]");
}

static void write_map(writer *self, const hl_node *node, size_t level) {
    put_text(self, "{");
    for (const hl_node *entry = node->first; entry && self->status == HL_OK; entry = entry->next) {
        indent(self, level + 1);
        write_text(self, entry->key);
        put_text(self, self->indented ? ":\t" : ":");
        write_node(self, entry, level + 1);
        if (entry->next) put_text(self, ",");
    }
    indent(self, level);
    put_text(self, "}");
}

static void write_node(writer *self, const hl_node *node, size_t level) {
    char room[NUMBER_ROOM];
    switch (node->type) {
    case HL_TRUTH:
        put_text(self, node->truth ? "true" : "false");
        break;
    case HL_WHOLE:
    case HL_NUMBER:
        put_text(self, number_text(node, room));
        break;
    case HL_TEXT:
        write_text(self, node->text);
        break;
    case HL_MAP:
        write_map(self, node, level);
        break;
    case HL_LIST:
    case HL_TABLE:
    case HL_NEIGHBORS:
        write_list(self, node, level);
        break;
    case HL_GRID:
        write_grid(self, node);
        break;
    default:
        put_text(self, "null");
    }
}

hl_status tree_write_json(const hl_node *node, bool indented, tree_sink *sink, void *user, hl_error *error) {
    writer *self = malloc(sizeof *self);
    if (!self) return hl_no_memory(error, "JSON");
    self->sink = sink;
    self->user = user;
    self->indented = indented;
    self->status = HL_OK;
    self->error = error;
    self->count = 0;
    write_node(self, node, 0);
    flush(self);
    hl_status status = self->status;
    free(self);
    return status;
}

static hl_status write_memory(void *user, const void *bytes, size_t count, hl_error *error) {
    return fwrite(bytes, 1, count, user) == count ? HL_OK : hl_no_memory(error, "JSON");
}

hl_status tree_print_json(const hl_node *node, bool indented, char **out, hl_error *error) {
    *out = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(out, &size);
    hl_status status = memory ? tree_write_json(node, indented, write_memory, memory, error) : HL_NO_MEMORY;
    if (memory && fclose(memory) != 0 && status == HL_OK) status = HL_NO_MEMORY;
    if (status == HL_OK && *out) return HL_OK;
    free(*out);
    *out = NULL;
    return status == HL_OK || status == HL_NO_MEMORY ? hl_no_memory(error, "JSON") : status;
}
