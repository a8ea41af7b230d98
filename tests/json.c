#include "tests/json.h"

#include "tests/support.h"

#include <stdlib.h>

cJSON *parse_json(const char *json) {
    cJSON *tree = cJSON_Parse(json);
    if (!tree) fail_msg("not JSON: %s", json);
    return tree;
}

cJSON *read_json(const char *path) {
    char *json = read_file(path, NULL);
    cJSON *tree = parse_json(json);
    free(json);
    return tree;
}

const char *field(const cJSON *item, const char *key) {
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(item, key));
    if (!value) fail_msg("no text \"%s\"", key);
    return value;
}

double number_of(const cJSON *item, const char *key) {
    const cJSON *value = cJSON_GetObjectItem(item, key);
    if (!cJSON_IsNumber(value)) fail_msg("no number \"%s\"", key);
    return value->valuedouble;
}
