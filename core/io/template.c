/* See template.h. */
#include "core/io/template.h"

#include <string.h>

const char *template_fill(arena *memory, const char *template, const char *text) {
    size_t gaps = 0, length = strlen(text);
    for (const char *at = template; (at = strstr(at, "{}")); at += 2) ++gaps;
    char *filled = arena_array(memory, strlen(template) + gaps * length + 1, 1), *end = filled;
    if (!filled) return NULL;
    for (const char *gap; (gap = strstr(template, "{}")); template = gap + 2) {
        end = mempcpy(end, template, (size_t)(gap - template));
        end = mempcpy(end, text, length);
    }
    strcpy(end, template);
    return filled;
}
