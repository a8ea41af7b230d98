#include "tests/described.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const cJSON *described(const outcome *got, const char *head) {
    const cJSON *step = cJSON_GetArrayItem(cJSON_GetObjectItem(got->root, "extractors"), 0), *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(step, "results")) {
        if (strcmp(field(item, "head"), head) == 0) return item;
    }
    fail_msg("nothing is said of %s", head);
    return NULL;
}

const cJSON *of_rank(const cJSON *list, int rank) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        if ((int)number_of(item, "rank") == rank) return item;
    }
    fail_msg("nothing has rank %d", rank);
    return NULL;
}

void assert_says(const cJSON *got, const cJSON *expected, double tolerance) {
    const cJSON *one;
    int at = 0;
    if (!got) fail_msg("no \"%s\"", expected->string);
    if (cJSON_IsNumber(expected)) {
        double off = fabs(got->valuedouble - expected->valuedouble);
        if (!cJSON_IsNumber(got) || !(off <= tolerance * (fabs(expected->valuedouble) + 0.01))) {
            fail_msg("\"%s\" is %.9g instead of %.9g", expected->string, got->valuedouble,
                     expected->valuedouble);
        }
    } else if (cJSON_IsString(expected)) {
        const char *word = cJSON_GetStringValue(got);
        if (!word || strcmp(word, expected->valuestring) != 0)
            fail_msg("\"%s\" is \"%s\" instead of \"%s\"", expected->string, word, expected->valuestring);
    } else {
        bool is_list = cJSON_IsArray(expected);
        cJSON_ArrayForEach(one, expected) {
            assert_says(is_list ? cJSON_GetArrayItem(got, at++) : cJSON_GetObjectItem(got, one->string), one,
                        tolerance);
        }
    }
}

outcome describe_golden(const char *model, const char *backend, const char *plugin) {
    char *head = text("model: {path: " TEST_GOLDEN "/%s/model}\ncompute: {backend: %s, threads: 2}\n"
                      "gallery: {images: " TEST_GOLDEN "/gallery, dtype: f32, atlas: atlas}\n"
                      "extractors: [{name: parts, plugin: %s, pool: " TEST_GOLDEN "/pool.txt}]\n",
                      model, backend, plugin);
    outcome got = run_in(make_folder(), head, "");
    free(head);
    need_success(&got);
    return got;
}

void assert_golden_parts(const outcome *got, const char *model, const char *plugin, const char *list,
                         double tolerance) {
    char *path = text(TEST_GOLDEN "/parts/%s-%s.json", model, plugin);
    cJSON *heads = read_json(path), *head, *part;
    size_t count = 0;
    cJSON_ArrayForEach(head, heads) {
        const cJSON *said = described(got, field(head, "head"));
        double total = number_of(head, "variance");
        assert_true(fabs(number_of(said, "variance") - total) <= tolerance * total);
        cJSON_ArrayForEach(part, cJSON_GetObjectItem(head, list)) {
            assert_says(of_rank(cJSON_GetObjectItem(said, list), (int)number_of(part, "rank")), part,
                        tolerance);
            ++count;
        }
    }
    assert_true(count > 30);
    cJSON_Delete(heads);
    free(path);
}
