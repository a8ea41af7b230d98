/* Reads a merges file (Sennrich, Haddow and Birch 2016, section 3.2; over bytes as in Radford et al. 2019,
 * section 2.2). Symbols are compared as strings, as the original does, so that a file in which two merges
 * give the same string, or a pair occurs twice, means the same here: the later one counts. */
#include "merges.h"

#include "text/buffer.h"
#include <unistd.h>
#include <unistr.h>
#include <zlib.h>

enum { MAX_FILE = 64 << 20, END_LENGTH = 4, GZIP_ONLY = 16 };

static const char end_of_word[] = "</w>";

typedef struct pair {
    uint64_t key; /* left << 32 | right */
    merge merge;
    bool used;
} pair;

typedef struct symbol {
    size_t offset, length; /* in `strings` */
    int32_t id;            /* -1: only ever an operand */
} symbol;

struct merges {
    char *strings;
    size_t string_length;
    symbol *symbols;
    uint32_t symbol_count;
    uint32_t *symbol_slots; /* hash table of symbol + 1 */
    pair *pairs;            /* hash table */
    size_t symbol_mask, pair_mask, vocab_size;
    uint32_t byte_symbols[MERGES_BYTES];
};

typedef struct span {
    const char *bytes;
    size_t length;
} span;

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15U;
    return x ^ (x >> 29);
}

static uint64_t hash(span text) {
    uint64_t out = 0;
    for (size_t i = 0; i < text.length; ++i) out = mix(out + (uint8_t)text.bytes[i] + 1);
    return out;
}

/* The number of the symbol that is `text`, new if there was none. */
static uint32_t intern(merges *table, span text) {
    size_t slot = hash(text) & table->symbol_mask;
    for (; table->symbol_slots[slot]; slot = (slot + 1) & table->symbol_mask) {
        uint32_t found = table->symbol_slots[slot] - 1;
        const symbol *known = &table->symbols[found];
        if (known->length == text.length &&
            memcmp(table->strings + known->offset, text.bytes, text.length) == 0) {
            return found;
        }
    }
    memmove(table->strings + table->string_length, text.bytes, text.length);
    table->symbols[table->symbol_count] = (symbol){table->string_length, text.length, -1};
    table->string_length += text.length;
    table->symbol_slots[slot] = ++table->symbol_count;
    return table->symbol_count - 1;
}

static pair *pair_slot(const merges *table, uint64_t key) {
    size_t slot = mix(key + 1) & table->pair_mask;
    while (table->pairs[slot].used && table->pairs[slot].key != key) slot = (slot + 1) & table->pair_mask;
    return &table->pairs[slot];
}

static uint64_t pair_key(uint32_t left, uint32_t right) {
    return (uint64_t)left << 32 | right;
}

static int is_printable(unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* Printable bytes come first and are written as themselves; the others follow, written as U+0100 and on. */
static void number_bytes(uint32_t numbers[MERGES_BYTES], ucs4_t written[MERGES_BYTES]) {
    uint32_t number = 0;
    for (int printable = 1; printable >= 0; --printable) {
        ucs4_t next = 0x100;
        for (unsigned byte = 0; byte < MERGES_BYTES; ++byte) {
            if (is_printable(byte) != printable) continue;
            written[number] = printable ? byte : next++;
            numbers[byte] = number++;
        }
    }
}

static void add_bytes(merges *table) {
    ucs4_t written[MERGES_BYTES];
    number_bytes(table->byte_symbols, written);
    for (uint32_t id = 0; id < 2 * MERGES_BYTES; ++id) {
        char text[4 + END_LENGTH];
        size_t length = (size_t)u8_uctomb((uint8_t *)text, written[id % MERGES_BYTES], 4);
        memcpy(text + length, end_of_word, END_LENGTH);
        intern(table, (span){text, length + (id < MERGES_BYTES ? 0 : END_LENGTH)});
        table->symbols[id].id = (int32_t)id;
    }
}

uint32_t merges_byte(const merges *table, uint8_t byte, bool last) {
    return table->byte_symbols[byte] + (last ? MERGES_BYTES : 0);
}

static size_t power_of_two(size_t at_least) {
    size_t out = 1;
    while (out < at_least) out *= 2;
    return out;
}

static merges *allocate(size_t text_length, size_t count) {
    merges *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    /* A line brings at most two operands and their concatenation. */
    size_t symbols = 2 * MERGES_BYTES + 3 * count;
    size_t symbol_slots = power_of_two(2 * symbols), pair_slots = power_of_two(2 * count + 1);
    table->strings = malloc(2 * text_length + 2 * MERGES_BYTES * 8);
    table->symbols = malloc(symbols * sizeof *table->symbols);
    table->symbol_slots = calloc(symbol_slots, sizeof *table->symbol_slots);
    table->pairs = calloc(pair_slots, sizeof *table->pairs);
    table->symbol_mask = symbol_slots - 1;
    table->pair_mask = pair_slots - 1;
    if (table->strings && table->symbols && table->symbol_slots && table->pairs) return table;
    merges_free(table);
    return NULL;
}

void merges_free(merges *table) {
    if (!table) return;
    free(table->strings);
    free(table->symbols);
    free(table->symbol_slots);
    free(table->pairs);
    free(table);
}

/* Takes the next line, without its end, off the text; false when there is none. */
static bool next_line(span *text, span *line) {
    if (text->length == 0) return false;
    const char *end = memchr(text->bytes, '\n', text->length);
    line->bytes = text->bytes;
    line->length = end ? (size_t)(end - text->bytes) : text->length;
    size_t used = line->length + (end ? 1 : 0);
    text->bytes += used;
    text->length -= used;
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next symbol off the line; its length is 0 when there is none. */
static span next_symbol(span *line) {
    while (line->length && is_blank(*line->bytes)) ++line->bytes, --line->length;
    span out = {line->bytes, 0};
    while (line->length && !is_blank(*line->bytes)) ++line->bytes, --line->length, ++out.length;
    return out;
}

/* Adds the merge on a line; false when it is not two symbols. */
static bool add_merge(merges *table, span line, uint32_t rank) {
    span left = next_symbol(&line), right = next_symbol(&line);
    if (right.length == 0 || next_symbol(&line).length != 0) return false;
    uint32_t left_symbol = intern(table, left), right_symbol = intern(table, right);
    /* Joined behind the strings, where `intern` puts it if it is new. */
    char *joined = table->strings + table->string_length;
    memcpy(joined, left.bytes, left.length);
    memcpy(joined + left.length, right.bytes, right.length);
    uint32_t result = intern(table, (span){joined, left.length + right.length});
    table->symbols[result].id = (int32_t)(2 * MERGES_BYTES + rank);
    uint64_t key = pair_key(left_symbol, right_symbol);
    *pair_slot(table, key) = (pair){key, {rank, result}, true};
    return true;
}

/* The header is line 1, the first merge line 2. */
static hl_status add_merges(const char *name, span text, size_t count, merges *table, hl_error *error) {
    for (size_t number = 0; number <= count; ++number) {
        span line;
        if (!next_line(&text, &line)) {
            return hl_fail(
                error, HL_FAILED,
                "%s: ends before line %zu, expected a header and %zu merges (vocab_size - %d): get the "
                "file that belongs to the model",
                name, number + 1, count, MERGES_FIXED);
        }
        if (u8_check((const uint8_t *)line.bytes, line.length)) {
            return hl_fail(error, HL_FAILED, "%s: line %zu: is not valid UTF-8: get the file again", name,
                           number + 1);
        }
        if (number > 0 && !add_merge(table, line, (uint32_t)(number - 1))) {
            return hl_fail(error, HL_FAILED, "%s: line %zu: expected two symbols with a blank between them",
                           name, number + 1);
        }
    }
    return HL_OK;
}

hl_status merges_parse(const char *name, const char *text, size_t length, size_t vocab_size, merges **out,
                       hl_error *error) {
    if (vocab_size < MERGES_FIXED || (vocab_size - MERGES_FIXED) > INT32_MAX / 2) {
        return hl_fail(error, HL_FAILED, "%s: a vocabulary of %zu tokens cannot be read", name, vocab_size);
    }
    size_t count = vocab_size - MERGES_FIXED;
    /* A merge takes at least four bytes; more could never be found, so no memory is asked for them. */
    merges *table = allocate(length, count < length / 4 + 2 ? count : length / 4 + 2);
    if (!table) return hl_no_memory(error, "the merges");
    table->vocab_size = vocab_size;
    add_bytes(table);
    hl_status status = add_merges(name, (span){text, length}, count, table, error);
    if (status == HL_OK) {
        *out = table;
    } else {
        merges_free(table);
    }
    return status;
}

int32_t merges_start(const merges *table) {
    return (int32_t)table->vocab_size - 2;
}

int32_t merges_end(const merges *table) {
    return (int32_t)table->vocab_size - 1;
}

int32_t merges_id(const merges *table, uint32_t number) {
    return table->symbols[number].id;
}

const merge *merges_find(const merges *table, uint32_t left, uint32_t right) {
    const pair *found = pair_slot(table, pair_key(left, right));
    return found->used ? &found->merge : NULL;
}

/* ---- gzip ---- */

static hl_status explain(const char *name, int code, hl_error *error) {
    if (code == Z_MEM_ERROR) return hl_no_memory(error, name);
    return hl_fail(error, HL_FAILED, "%s: is damaged: get the file again", name);
}

static bool is_packed(const void *bytes, size_t count) {
    static const uint8_t magic[] = {0x1f, 0x8b};
    return count >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* Another member may follow the one that has ended; anything else behind it is not looked at, as gzip does
 * it. */
static bool next_member(z_stream *stream) {
    return is_packed(stream->next_in, stream->avail_in) && inflateReset(stream) == Z_OK;
}

static hl_status inflate_all(const char *name, z_stream *stream, buffer *out, hl_error *error) {
    Bytef block[1 << 14];
    for (;;) {
        stream->next_out = block;
        stream->avail_out = sizeof block;
        int code = inflate(stream, Z_NO_FLUSH);
        buffer_append(out, (const char *)block, sizeof block - stream->avail_out);
        if (out->failed) return hl_no_memory(error, name);
        if (out->length > MAX_FILE) {
            return hl_fail(error, HL_FAILED, "%s: holds more than 64 MiB, expected a list of merges", name);
        }
        if (code == Z_STREAM_END && !next_member(stream)) return HL_OK;
        if (code != Z_OK && code != Z_STREAM_END) return explain(name, code, error);
    }
}

hl_status merges_unpack(const char *name, char *bytes, size_t count, size_t vocab_size, merges **out,
                        hl_error *error) {
    if (!is_packed(bytes, count)) return merges_parse(name, bytes, count, vocab_size, out, error);
    z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)count};
    int code = inflateInit2(&stream, MAX_WBITS + GZIP_ONLY);
    if (code != Z_OK) return explain(name, code, error);
    buffer text = {0};
    buffer_append(&text, "", 0);
    hl_status status = inflate_all(name, &stream, &text, error);
    inflateEnd(&stream);
    if (status == HL_OK) status = merges_parse(name, text.bytes, text.length, vocab_size, out, error);
    free(text.bytes);
    return status;
}

static hl_status read_file(const hl_host *host, const char *path, size_t vocab_size, merges **out,
                           hl_error *error) {
    char *bytes;
    size_t count;
    hl_status status = host->read_file(host, path, MAX_FILE, &bytes, &count, error);
    if (status != HL_OK) return status;
    status = merges_unpack(path, bytes, count, vocab_size, out, error);
    free(bytes);
    return status;
}

hl_status merges_read(const hl_host *host, const char *folder, size_t vocab_size, merges **out,
                      hl_error *error) {
    static const char *const names[] = {"merges.txt", "merges.txt.gz", "bpe_simple_vocab_16e6.txt",
                                        "bpe_simple_vocab_16e6.txt.gz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", folder, names[i]) < 0) return hl_no_memory(error, "a path");
        bool there = access(path, F_OK) == 0;
        hl_status status = there ? read_file(host, path, vocab_size, out, error) : HL_OK;
        free(path);
        if (there) return status;
    }
    return hl_fail(error, HL_USAGE,
                   "%s: texts need the tokenizer's merges: put %s or %s there (.gz works too)", folder,
                   names[0], names[2]);
}
