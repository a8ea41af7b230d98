#include "tests/tables.h"

#include <math.h>
#include <string.h>

const cJSON *item_of(const outcome *got, int analysis, const char *words) {
    const cJSON *item;
    cJSON_ArrayForEach(item, results_of(got, analysis)) {
        if (strstr(field(item, "title"), words)) return item;
    }
    fail_msg("no item with %s", words);
    return NULL;
}

const cJSON *row_of(const cJSON *item, const char *key, const char *value, const char *other,
                    const char *that) {
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(item, "rows")) {
        if (strcmp(field(row, key), value) == 0 && (!other || strcmp(field(row, other), that) == 0))
            return row;
    }
    fail_msg("no row with %s %s", key, value);
    return NULL;
}

void need_near(double found, double expected, double tolerance, const char *what) {
    if (!(fabs(found - expected) <= tolerance)) fail_msg("%s is %.9g, not %.9g", what, found, expected);
}
