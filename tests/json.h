/* JSON that must be there: what is missing or of another kind fails the test. */
#ifndef TESTS_JSON_H
#define TESTS_JSON_H

#include <cjson/cJSON.h>

cJSON *parse_json(const char *json);
cJSON *read_json(const char *path);

/* An item's text, or its number, under `key`. */
const char *field(const cJSON *item, const char *key);
double number_of(const cJSON *item, const char *key);

#endif
