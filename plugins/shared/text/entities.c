/* HTML character references. A reference is cut out by the rules of Python's html.unescape and only then
 * shown, alone, to libgumbo, which holds the table of names; so no markup of a text is ever parsed. */
#include "entities.h"

#include <gumbo.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_NAME = 32, MAX_REFERENCE = MAX_NAME + 3 };

/* libgumbo does not check its allocations. For documents as short as ours it needs about 2 KiB, so it gets a
 * fixed piece of memory in which none can fail. */
typedef struct arena {
    _Alignas(max_align_t) char bytes[32 << 10];
    size_t used;
} arena;

static void *arena_allocate(void *user, size_t size) {
    arena *from = user;
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof from->bytes - from->used) return NULL;
    void *memory = from->bytes + from->used;
    from->used += size;
    return memory;
}

static void arena_release(void *user, void *memory) {
    (void)user;
    (void)memory;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The value of a hexadecimal digit, or 16. */
static unsigned digit_value(char c) {
    if (is_digit(c)) return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A' + 10);
    return 16;
}

/* The first text below a node. */
static const char *title_text(const GumboNode *node) {
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE) return node->v.text.text;
    if (node->type != GUMBO_NODE_ELEMENT) return NULL;
    const GumboVector *children = &node->v.element.children;
    for (unsigned i = 0; i < children->length; ++i) {
        const char *found = title_text(children->data[i]);
        if (found) return found;
    }
    return NULL;
}

/* `reference`: '&', then only letters, digits, '#' and ';'. */
static void look_up(const char *reference, size_t length, buffer *out) {
    char document[sizeof "<title>" + MAX_REFERENCE];
    int count = snprintf(document, sizeof document, "<title>%.*s", (int)length, reference);
    arena memory;
    memory.used = 0;
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = arena_allocate;
    options.deallocator = arena_release;
    options.userdata = &memory;
    const GumboOutput *parsed = gumbo_parse_with_options(&options, document, (size_t)count);
    const char *found = title_text(parsed->root);
    if (!found) found = reference;
    buffer_append(out, found, found == reference ? length : strlen(found));
}

/* Python drops these, where a browser would keep most of them. */
static bool is_dropped(uint32_t c) {
    bool control = (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f;
    bool noncharacter = (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
    return control || noncharacter;
}

/* "#65;" or "#x41;", `text` beginning after '&'. Returns the bytes read; 0: not a number. */
static size_t numeric(const char *text, size_t length, buffer *out) {
    bool hexadecimal = length > 1 && (text[1] == 'x' || text[1] == 'X');
    size_t start = hexadecimal ? 2 : 1, i = start;
    uint32_t value = 0, base = hexadecimal ? 16 : 10;
    for (; i < length && digit_value(text[i]) < base; ++i) {
        value = value * base + digit_value(text[i]);
        if (value > 0x10ffff) value = 0x110000; /* stays too large, cannot overflow */
    }
    if (i == start) return 0;
    if (value > 0x10ffff) value = 0;
    char reference[16];
    int count = snprintf(reference, sizeof reference, "&#%u;", value); /* 0 becomes U+FFFD */
    if (!is_dropped(value)) look_up(reference, (size_t)count, out);
    return i + (i < length && text[i] == ';');
}

/* "lt;" or "notit". Names are ASCII; Python cuts them after 32 characters. Returns the bytes read. */
static size_t named(const char *text, size_t length, buffer *out) {
    size_t i = 0;
    while (i < length && i < MAX_NAME && (is_letter(text[i]) || is_digit(text[i]))) ++i;
    if (i == 0) return 0;
    if (i < length && text[i] == ';') ++i;
    look_up(text - 1, i + 1, out);
    return i;
}

void entities_resolve(const char *text, size_t length, buffer *out) {
    buffer_append(out, "", 0); /* so that even an empty result has bytes */
    const char *end = text + length;
    while (text < end) {
        const char *reference = memchr(text, '&', (size_t)(end - text));
        size_t plain = reference ? (size_t)(reference - text) : (size_t)(end - text);
        buffer_append(out, text, plain);
        text += plain;
        if (!reference) return;
        size_t left = (size_t)(end - ++text);
        size_t used = left && *text == '#' ? numeric(text, left, out) : named(text, left, out);
        if (used == 0) buffer_append(out, "&", 1);
        text += used;
    }
}
