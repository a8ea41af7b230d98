/* See answer.h. cJSON reads, libunistring knows UTF-8. */
#include "answer.h"

#include <errno.h>
#include <unistr.h>

static const char blanks[] = " \t\r\n";

/* In valid JSON a backslash begins an escape, and one of a NUL would end a text early. */
static bool has_escaped_nul(const char *json) {
    for (; (json = strchr(json, '\\')); json += json[1] ? 2 : 1) {
        if (strncmp(json, "\\u0000", 6) == 0) return true;
    }
    return false;
}

/* All of it, and nothing behind it. bytes[count] is NUL. */
static hl_status parse(const char *bytes, size_t count, cJSON **out, hl_error *error) {
    *out = NULL;
    if (strlen(bytes) != count || u8_check((const uint8_t *)bytes, count)) {
        return hl_fail(error, HL_USAGE, "is not text in UTF-8");
    }
    if (bytes[strspn(bytes, blanks)] == '\0') return hl_fail(error, HL_USAGE, "is empty");
    errno = 0;
    cJSON *tree = cJSON_ParseWithLengthOpts(bytes, count + 1, NULL, true);
    if (!tree && errno == ENOMEM) return hl_no_memory(error, "an answer");
    if (!tree || has_escaped_nul(bytes)) {
        cJSON_Delete(tree);
        return hl_fail(error, HL_USAGE, "is not JSON");
    }
    *out = tree;
    return HL_OK;
}

/* ---- completions ---- */

static const char *text_of(const cJSON *map, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(map, key));
}

/* Some endpoints say what went wrong and call it a success. */
static const char *error_of(const cJSON *root) {
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(root, "error");
    return cJSON_IsString(said) ? said->valuestring : text_of(said, "message");
}

hl_status answer_content(const char *bytes, size_t count, char **content, hl_error *error) {
    cJSON *root;
    *content = NULL;
    hl_status status = parse(bytes, count, &root, error);
    if (status != HL_OK) return status;
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(root, "choices");
    const cJSON *message =
        cJSON_GetObjectItemCaseSensitive(cJSON_IsArray(choices) ? choices->child : NULL, "message");
    const char *said = text_of(message, "content");
    if (cJSON_IsObject(message)) {
        *content = strdup(said ? said : "");
        if (!*content) status = hl_no_memory(error, "an answer");
    } else {
        status = hl_fail(error, HL_USAGE, "is JSON without choices, so no completion of a chat");
    }
    cJSON_Delete(root);
    return status;
}

char *answer_reason(const char *bytes, size_t count) {
    cJSON *root;
    const char *why = parse(bytes, count, &root, NULL) == HL_OK ? error_of(root) : NULL;
    char *out = strdup(why ? why : bytes);
    cJSON_Delete(root);
    return out;
}

/* ---- what was asked for ---- */

/* Narrows [*first, *past) to what is between white space. */
static void trim(const char **first, const char **past) {
    while (*first < *past && strchr(blanks, **first)) ++*first;
    while (*first < *past && strchr(blanks, (*past)[-1])) --*past;
}

/* Models that think aloud do so before they answer. */
static void skip_thoughts(const char **first, const char *past) {
    static const char opening[] = "<think>", closing[] = "</think>";
    if ((size_t)(past - *first) < sizeof opening - 1 || strncmp(*first, opening, sizeof opening - 1) != 0)
        return;
    const char *end = strstr(*first, closing);
    if (end) *first = end + sizeof closing - 1;
}

/* ``` and maybe a word, up to the end of the line, and ``` at the end. */
static void strip_fence(const char **first, const char **past) {
    static const char fence[] = "```";
    size_t length = sizeof fence - 1;
    if ((size_t)(*past - *first) < 2 * length || strncmp(*first, fence, length) != 0) return;
    const char *line = memchr(*first, '\n', (size_t)(*past - *first));
    if (!line || line + 1 > *past - length || strncmp(*past - length, fence, length) != 0) return;
    *first = line + 1;
    *past -= length;
}

hl_status answer_object(const char *text, cJSON **out, hl_error *error) {
    const char *first = text, *past = text + strlen(text);
    *out = NULL;
    trim(&first, &past);
    skip_thoughts(&first, past);
    trim(&first, &past);
    strip_fence(&first, &past);
    char *json = strndup(first, (size_t)(past - first));
    if (!json) return hl_no_memory(error, "an answer");
    hl_status status = parse(json, strlen(json), out, error);
    free(json);
    if (status != HL_OK || cJSON_IsObject(*out)) return status;
    cJSON_Delete(*out);
    *out = NULL;
    return hl_fail(error, HL_USAGE, "is JSON, but no object");
}

/* ---- for messages ---- */

void answer_line(const char *text, char *out, size_t size) {
    size_t used = 0;
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    while (at < end) {
        ucs4_t character;
        int length = u8_mbtoucr(&character, at, (size_t)(end - at));
        bool shown =
            length > 0 && character >= 0x20 && character != 0x7f && !(character >= 0x80 && character < 0xa0);
        size_t bytes = length > 0 ? (size_t)length : 1;
        if (used + bytes + sizeof "..." > size) {
            memcpy(out + used, "...", sizeof "...");
            return;
        }
        if (shown) {
            memcpy(out + used, at, bytes);
        } else {
            memset(out + used, ' ', bytes);
        }
        used += bytes;
        at += bytes;
    }
    out[used] = '\0';
}
