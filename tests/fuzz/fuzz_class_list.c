/* A class list: any bytes are refused, or become classes that every heading and every value finds again. */
#include "classifier/class_list.h"
#include "core/host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check(const class_list *got) {
    const class_row *rows;
    if (got->count == 0) __builtin_trap();
    for (size_t i = 0; i < got->count; ++i) {
        const class_row *row = &got->rows[i];
        if (!*row->value || !*row->text || row->line == 0) __builtin_trap();
        if (row->key && (class_list_find(got, row->key, &rows) == 0 || rows->key != row->key))
            __builtin_trap();
    }
    for (size_t i = 0; i < got->key_count; ++i) {
        if (class_list_find(got, got->keys[i], &rows) == 0) __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const hl_library_settings silent = {.size = sizeof silent};
    static host *with;
    hl_error error;
    class_list *got;
    if (!with && host_open(&silent, 1, &with, &error) != HL_OK) return 0;
    char *content = malloc(count + 1);
    if (!content) return 0;
    memcpy(content, bytes, count);
    content[count] = '\0';
    if (class_list_parse(&with->interface, "fuzz", content, count, &got, &error) == HL_OK) check(got);
    class_list_close(got);
    return 0;
}
