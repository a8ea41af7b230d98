/* JSON text in memory -> cJSON's tree. */
#ifndef JSON_H
#define JSON_H

#include "headlight/error.h"
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* One value and nothing after it. `name` is for messages; cJSON_Delete the result. */
hl_status json_parse(const char *name, const uint8_t *bytes, size_t count, cJSON **out, hl_error *error);

#endif
