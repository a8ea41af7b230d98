/* A pool: any bytes are refused, or become texts that are UTF-8, not blank, and no two alike. */
#include "core/host/host.h"
#include "pool/pool.h"

#include <unistr.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check(const pool *got) {
    if (got->count == 0) __builtin_trap();
    for (size_t i = 0; i < got->count; ++i) {
        const char *text = got->texts[i];
        if (!*text || strpbrk(text, "\r\n") || u8_check((const uint8_t *)text, strlen(text)))
            __builtin_trap();
        if (pool_find(got, text) != i || got->lines[i] <= (i ? got->lines[i - 1] : 0)) __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const hl_library_settings silent = {.size = sizeof silent};
    static host *with;
    hl_error error;
    pool *got;
    if (!with && host_open(&silent, 1, &with, &error) != HL_OK) return 0;
    char *content = malloc(count + 1);
    if (!content) return 0;
    memcpy(content, bytes, count);
    content[count] = '\0';
    if (pool_parse(&with->interface, "fuzz", content, count, &got, &error) == HL_OK) check(got);
    pool_close(got);
    return 0;
}
