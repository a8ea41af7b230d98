#include "tests/experiment.h"

#include <stdlib.h>
#include <string.h>

outcome run_in(char *folder, const char *head, const char *analyses) {
    outcome got = {.folder = folder};
    char *yaml = text("headlight: 1\noutput: out\n%sanalyses:\n%s", head, analyses);
    char *path = text("%s/experiment.yaml", folder), *results = text("%s/out/results.json", folder);
    write_text(path, yaml);
    got.status = run_command(NULL, &got.errors, "run", path, NULL);
    if (file_exists(results)) got.root = read_json(results);
    free(yaml);
    free(path);
    free(results);
    return got;
}

outcome run_experiment(const char *model, const char *backend, const char *analyses) {
    char *head = text("model: {path: %s}\ncompute: {backend: %s, threads: 2}\n", model, backend);
    outcome got = run_in(make_folder(), head, analyses);
    free(head);
    return got;
}

outcome run_well(const char *model, const char *backend, const char *analyses) {
    outcome got = run_experiment(model, backend, analyses);
    need_success(&got);
    return got;
}

void need_success(const outcome *got) {
    if (got->status != 0) fail_msg("%s", got->errors);
    assert_non_null(got->root);
}

void need_failure(const outcome *got, int status, const char *words) {
    if (got->status != status || !strstr(got->errors, words)) {
        fail_msg("status %d: %s\nexpected %d: %s", got->status, got->errors, status, words);
    }
    assert_null(got->root);
}

void forget(outcome *got) {
    cJSON_Delete(got->root);
    free(got->errors);
}

void end(outcome *got) {
    forget(got);
    remove_folder(got->folder);
}

const cJSON *results_of(const outcome *got, int analysis) {
    const cJSON *analyses = cJSON_GetObjectItem(got->root, "analyses");
    return cJSON_GetObjectItem(cJSON_GetArrayItem(analyses, analysis), "results");
}

void read_grid(const cJSON *item, size_t rows, size_t cols, float *heat) {
    const cJSON *grid = cJSON_GetObjectItem(item, "grid"), *row, *number;
    assert_int_equal(cJSON_GetArraySize(grid), rows);
    cJSON_ArrayForEach(row, grid) {
        assert_int_equal(cJSON_GetArraySize(row), cols);
        cJSON_ArrayForEach(number, row) *heat++ = (float)number->valuedouble;
    }
}
