/* The tables of property-lexicon: any bytes, as a table of lines or (first byte odd) of roots, are refused,
 * or become lines with properties that are known by name. WordNet is not asked. */
#include "core/host/host.h"
#include "property-lexicon/property_lexicon.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* What every file is. */
static const uint8_t *content;
static size_t content_count;

static hl_status read_content(const hl_host *with, const char *path, size_t most, char **bytes, size_t *count,
                              hl_error *error) {
    (void)with, (void)path;
    *bytes = content_count <= most ? malloc(content_count + 1) : NULL;
    if (!*bytes) return hl_no_memory(error, "a table");
    memcpy(*bytes, content, content_count);
    (*bytes)[content_count] = '\0';
    *count = content_count;
    return HL_OK;
}

static void check(lexicon *got) {
    hl_error error;
    for (size_t p = 0; p < lexicon_count(got); ++p) {
        size_t found;
        hl_status status = lexicon_find(got, lexicon_property(got, p), &found, &error);
        if (status == HL_OK && found != p) __builtin_trap();
    }
    double *shares = calloc(lexicon_count(got) + 1, sizeof *shares);
    for (size_t i = 0; shares && i < lexicon_line_count(got); ++i) {
        lexicon_line line = lexicon_line_at(got, i);
        if (line.count == 0 || !*line.text) __builtin_trap();
        if (lexicon_read(got, line.text, shares, &error) != HL_OK) __builtin_trap();
        if (!(shares[line.properties[0]] > 0)) __builtin_trap();
    }
    free(shares);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const hl_library_settings silent = {.size = sizeof silent};
    static host *with;
    hl_error error;
    lexicon *got;
    if (count < 1 || (!with && host_open(&silent, 1, &with, &error) != HL_OK)) return 0;
    with->interface.read_file = read_content;
    content = bytes + 1;
    content_count = count - 1;
    lexicon_files files = {.wordnet = "nowhere"};
    if (bytes[0] & 1)
        files.roots = "fuzz";
    else
        files.lines = "fuzz";
    if (lexicon_open(&with->interface, &files, &got, &error) == HL_OK) {
        check(got);
        lexicon_close(got);
    }
    return 0;
}
