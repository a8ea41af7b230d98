/* JSON text in memory <-> cJSON's tree. */
#ifndef JSON_H
#define JSON_H

#include "headlight/error.h"
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One value in UTF-8 and nothing after it. Texts with NUL characters, which cJSON would cut there, are
 * refused. `name` is for messages; cJSON_Delete the result. */
hl_status json_parse(const char *name, const uint8_t *bytes, size_t count, cJSON **out, hl_error *error);

/* Always UTF-8: in the tree's texts, which may be any bytes, those that are ill-formed become \xHH each.
 * free() it; NULL: no memory. */
char *json_print(const cJSON *tree, bool indented);

/* The same as one line to `out`, which is not flushed; deletes the tree. `whole`: whether all of it could be
 * made. HL_NO_MEMORY when not, or when the text cannot. */
hl_status json_print_line(cJSON *tree, bool whole, FILE *out, hl_error *error);

#endif
