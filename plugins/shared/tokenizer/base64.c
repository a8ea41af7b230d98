/* Base64 (RFC 4648, section 4). */
#include "parsing.h"

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool json_from_base64(const char *text, buffer *out) {
    uint32_t bits = 0;
    unsigned count = 0;
    for (; *text && *text != '='; ++text) {
        int value = value_of(*text);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        char byte = (char)(bits >> count & 0xff);
        buffer_append(out, &byte, 1);
    }
    while (*text == '=') ++text;
    return !*text;
}
