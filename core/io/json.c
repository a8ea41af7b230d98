/* See json.h. Parses a copy that ends with NUL, so that nothing can be read beyond it. */
#include "core/io/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

hl_status json_parse(const char *name, const uint8_t *bytes, size_t count, cJSON **out, hl_error *error) {
    *out = NULL;
    char *copy = malloc(count + 1);
    if (!copy) return hl_no_memory(error, name);
    memcpy(copy, bytes, count);
    copy[count] = '\0';
    const char *end = copy;
    errno = 0;
    *out = cJSON_ParseWithLengthOpts(copy, count + 1, &end, true);
    hl_status status = HL_OK;
    if (!*out && errno == ENOMEM) {
        status = hl_no_memory(error, name);
    } else if (!*out) {
        status =
            hl_fail(error, HL_FAILED, "%s: no valid JSON near byte %td; correct the file or make it again",
                    name, end - copy);
    }
    free(copy);
    return status;
}
