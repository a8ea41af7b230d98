/* See json.h. Parses a copy that ends with NUL, so that nothing can be read beyond it. */
#include "core/io/json.h"

#include "core/io/utf8.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static hl_status parse(const char *name, const char *text, size_t count, cJSON **out, hl_error *error) {
    const char *end = text;
    errno = 0;
    *out = cJSON_ParseWithLengthOpts(text, count + 1, &end, true);
    if (*out) return HL_OK;
    if (errno == ENOMEM) return hl_no_memory(error, name);
    return hl_fail(error, HL_FAILED, "%s: no valid JSON near byte %td; correct the file or make it again",
                   name, end - text);
}

/* In valid JSON a backslash begins an escape; NULL: there is no such NUL. */
static const char *find_escaped_nul(const char *text) {
    for (; (text = strchr(text, '\\')); text += 2) {
        if (strncmp(text, "\\u0000", 6) == 0) return text;
    }
    return NULL;
}

static hl_status refuse_nul(const char *name, const char *text, size_t count, hl_error *error) {
    size_t length = strlen(text);
    const char *nul = length < count ? text + length : find_escaped_nul(text);
    if (!nul) return HL_OK;
    return hl_fail(error, HL_FAILED, "%s: a NUL character at byte %td, which no text may hold; remove it",
                   name, nul - text);
}

hl_status json_parse(const char *name, const uint8_t *bytes, size_t count, cJSON **out, hl_error *error) {
    *out = NULL;
    hl_status status = utf8_check(name, 1, bytes, count, error);
    if (status != HL_OK) return status;
    char *copy = malloc(count + 1);
    if (!copy) return hl_no_memory(error, name);
    memcpy(copy, bytes, count);
    copy[count] = '\0';
    status = parse(name, copy, count, out, error);
    if (status == HL_OK) status = refuse_nul(name, copy, count, error);
    free(copy);
    if (status == HL_OK) return HL_OK;
    cJSON_Delete(*out);
    *out = NULL;
    return status;
}

char *json_print(const cJSON *tree, bool indented) {
    char *printed = indented ? cJSON_Print(tree) : cJSON_PrintUnformatted(tree);
    char *text = printed ? utf8_rewrite(printed, "\\" UTF8_BYTE, NULL) : NULL;
    cJSON_free(printed);
    return text;
}

hl_status json_print_line(cJSON *tree, bool whole, FILE *out, hl_error *error) {
    char *line = whole ? json_print(tree, false) : NULL;
    cJSON_Delete(tree);
    if (!line) return hl_no_memory(error, "a line of JSON");
    fprintf(out, "%s\n", line);
    free(line);
    return HL_OK;
}
