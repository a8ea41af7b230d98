/* Reads a merges file (Sennrich, Haddow and Birch 2016, section 3.2; over bytes as in Radford et al. 2019,
 * section 2.2). Symbols are compared as strings, as the original does, so that a file in which two merges
 * give the same string, or a pair occurs twice, means the same here: the later one counts. */
#include "merges.h"

#include "byte_names.h"
#include "text/string_table.h"
#include <libdeflate.h>
#include <unistd.h>
#include <unistr.h>

enum { MAX_FILE = 64 << 20, END_LENGTH = 4 };

static const char end_of_word[] = "</w>";

struct merges {
    string_table symbols; /* as they are written */
    int32_t *ids;         /* by symbol; -1: only ever an operand */
    size_t id_room, vocab_size;
    pair_table pairs;
    uint32_t byte_symbols[MERGES_BYTES];
};

typedef struct span {
    const char *bytes;
    size_t length;
} span;

/* The number of the symbol that is `text`, new if there was none; STRING_UNKNOWN: no memory. */
static uint32_t intern(merges *table, span text) {
    if (table->symbols.count == table->id_room) {
        size_t room = 2 * table->id_room + 1024;
        int32_t *grown = realloc(table->ids, room * sizeof *grown);
        if (!grown) return STRING_UNKNOWN;
        table->ids = grown;
        table->id_room = room;
    }
    bool fresh;
    uint32_t symbol = string_table_add(&table->symbols, text.bytes, text.length, &fresh);
    if (fresh) table->ids[symbol] = -1;
    return symbol;
}

static bool add_bytes(merges *table) {
    byte_names names;
    byte_names_make(&names);
    for (unsigned byte = 0; byte < MERGES_BYTES; ++byte) table->byte_symbols[byte] = names.numbers[byte];
    for (uint32_t id = 0; id < 2 * MERGES_BYTES; ++id) {
        char text[BYTE_NAME_ROOM + END_LENGTH];
        size_t length = byte_name_write(names.bytes[id % MERGES_BYTES], text);
        memcpy(text + length, end_of_word, END_LENGTH);
        uint32_t symbol = intern(table, (span){text, length + (id < MERGES_BYTES ? 0 : END_LENGTH)});
        if (symbol != id) return false;
        table->ids[id] = (int32_t)id;
    }
    return true;
}

uint32_t merges_byte(const merges *table, uint8_t byte, bool last) {
    return table->byte_symbols[byte] + (last ? MERGES_BYTES : 0);
}

void merges_free(merges *table) {
    if (!table) return;
    string_table_free(&table->symbols);
    free(table->ids);
    pair_table_free(&table->pairs);
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

/* `joined`: room for both. */
static bool add_pair(merges *table, span left, span right, uint32_t rank, buffer *joined) {
    joined->length = 0;
    buffer_append(joined, left.bytes, left.length);
    buffer_append(joined, right.bytes, right.length);
    uint32_t a = intern(table, left), b = intern(table, right), result = STRING_UNKNOWN;
    if (!joined->failed) result = intern(table, (span){joined->bytes, joined->length});
    if (a == STRING_UNKNOWN || b == STRING_UNKNOWN || result == STRING_UNKNOWN) return false;
    table->ids[result] = (int32_t)(2 * MERGES_BYTES + rank);
    return pair_table_put(&table->pairs, a, b, (merge){rank, result});
}

static hl_status add_merge(const char *name, size_t number, span line, merges *table, buffer *joined,
                           hl_error *error) {
    span left = next_symbol(&line), right = next_symbol(&line);
    if (right.length == 0 || next_symbol(&line).length != 0) {
        return hl_fail(error, HL_FAILED, "%s: line %zu: expected two symbols with a blank between them", name,
                       number + 1);
    }
    bool added = add_pair(table, left, right, (uint32_t)(number - 1), joined);
    return added ? HL_OK : hl_no_memory(error, "the merges");
}

static hl_status add_line(const char *name, size_t number, span line, merges *table, buffer *joined,
                          hl_error *error) {
    if (u8_check((const uint8_t *)line.bytes, line.length)) {
        return hl_fail(error, HL_FAILED, "%s: line %zu: is not valid UTF-8: get the file again", name,
                       number + 1);
    }
    return number > 0 ? add_merge(name, number, line, table, joined, error) : HL_OK;
}

/* A merge adds one symbol, as a rule, and takes four bytes at least. */
static bool reserve(merges *table, size_t count, size_t bytes) {
    size_t most = count < bytes / 4 ? count : bytes / 4;
    return string_table_reserve(&table->symbols, 2 * MERGES_BYTES + most) &&
           pair_table_reserve(&table->pairs, most);
}

/* The header is line 1, the first merge line 2. */
static hl_status add_merges(const char *name, span text, size_t count, merges *table, hl_error *error) {
    if (!reserve(table, count, text.length)) return hl_no_memory(error, "the merges");
    buffer joined = {0};
    hl_status status = HL_OK;
    for (size_t number = 0; number <= count && status == HL_OK; ++number) {
        span line;
        status =
            next_line(&text, &line)
                ? add_line(name, number, line, table, &joined, error)
                : hl_fail(error, HL_FAILED,
                          "%s: ends before line %zu, expected a header and %zu merges (vocab_size - %d): get "
                          "the file that belongs to the model",
                          name, number + 1, count, MERGES_FIXED);
    }
    free(joined.bytes);
    return status;
}

hl_status merges_parse(const char *name, const char *text, size_t length, size_t vocab_size, merges **out,
                       hl_error *error) {
    if (vocab_size < MERGES_FIXED || (vocab_size - MERGES_FIXED) > INT32_MAX / 2) {
        return hl_fail(error, HL_FAILED, "%s: a vocabulary of %zu tokens cannot be read", name, vocab_size);
    }
    merges *table = calloc(1, sizeof *table);
    if (!table || !add_bytes(table)) {
        merges_free(table);
        return hl_no_memory(error, "the merges");
    }
    table->vocab_size = vocab_size;
    hl_status status = add_merges(name, (span){text, length}, vocab_size - MERGES_FIXED, table, error);
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
    return table->ids[number];
}

const pair_table *merges_pairs(const merges *table) {
    return &table->pairs;
}

/* ---- gzip ---- */

static bool is_packed(const void *bytes, size_t count) {
    static const uint8_t magic[] = {0x1f, 0x8b};
    return count >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* How much the file says that it holds, in its last four bytes. It may say anything. */
static size_t told_size(const char *bytes, size_t count) {
    size_t told = 0;
    for (size_t i = 4; i > 0 && count >= 4; --i) told = told << 8 | (uint8_t)bytes[count - 5 + i];
    return told < MAX_FILE ? told : MAX_FILE;
}

static hl_status make_room(const char *name, buffer *out, size_t room, hl_error *error) {
    if (out->room == MAX_FILE) {
        return hl_fail(error, HL_FAILED, "%s: holds more than 64 MiB, expected a list of merges", name);
    }
    if (room > MAX_FILE) room = MAX_FILE;
    char *grown = realloc(out->bytes, room);
    if (!grown) return hl_no_memory(error, name);
    out->bytes = grown;
    out->room = room;
    return HL_OK;
}

/* All members, one behind the other; anything else behind them is not looked at, as gzip does it. */
static hl_status inflate_all(const char *name, struct libdeflate_decompressor *with, span from, buffer *out,
                             hl_error *error) {
    hl_status status = make_room(name, out, told_size(from.bytes, from.length) + 1, error);
    while (status == HL_OK && is_packed(from.bytes, from.length)) {
        size_t read = 0, written = 0;
        enum libdeflate_result result =
            libdeflate_gzip_decompress_ex(with, from.bytes, from.length, out->bytes + out->length,
                                          out->room - out->length, &read, &written);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
            status = make_room(name, out, 2 * out->room, error);
        } else if (result != LIBDEFLATE_SUCCESS) {
            return hl_fail(error, HL_FAILED, "%s: is damaged: get the file again", name);
        }
        out->length += written;
        from = (span){from.bytes + read, from.length - read};
    }
    return status;
}

hl_status merges_unpack(const char *name, const char *bytes, size_t count, size_t vocab_size, merges **out,
                        hl_error *error) {
    if (!is_packed(bytes, count)) return merges_parse(name, bytes, count, vocab_size, out, error);
    struct libdeflate_decompressor *with = libdeflate_alloc_decompressor();
    buffer text = {0};
    hl_status status =
        with ? inflate_all(name, with, (span){bytes, count}, &text, error) : hl_no_memory(error, name);
    libdeflate_free_decompressor(with);
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
