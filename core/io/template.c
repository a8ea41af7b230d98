/* See template.h. */
#include "core/io/template.h"

#include <string.h>

static const char *find_gap(const char *from, const char *end) {
    return memmem(from, (size_t)(end - from), "{}", 2);
}

const char *template_fill(arena *memory, const char *template, size_t length, const char *text) {
    const char *end = template + length;
    size_t gaps = 0, inserted = strlen(text);
    for (const char *gap = template; (gap = find_gap(gap, end)); gap += 2) ++gaps;
    char *filled = arena_array(memory, length + gaps * inserted + 1, 1), *to = filled;
    if (!filled) return NULL;
    for (const char *gap; (gap = find_gap(template, end)); template = gap + 2) {
        to = mempcpy(to, template, (size_t)(gap - template));
        to = mempcpy(to, text, inserted);
    }
    *(char *)mempcpy(to, template, (size_t)(end - template)) = '\0';
    return filled;
}
