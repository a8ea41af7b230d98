/* The experiments of the study, as they lie in configs/, by the built command. */
#include "tests/json.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONFIGS TEST_SOURCE "/configs/"

static double score_of(const cJSON *overview, const char *variant, const char *score) {
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(overview, "scores")) {
        if (strcmp(field(row, "variant"), variant) == 0 && strcmp(field(row, "score"), score) == 0)
            return number_of(row, "value");
    }
    fail_msg("no %s of %s", score, variant);
    return 0;
}

/* The shares of heads whose property another head of the layer has too, mean over the last four layers:
 * computed by other code from the same files. */
static void published_labels_give_the_published_scores(void **state) {
    (void)state;
    static const struct {
        const char *variant;
        double entanglement;
    } expected[] = {{"B-32-openai", 0.375},      {"B-16-openai", 0.25},     {"L-14-openai", 0.3125},
                    {"B-32-datacomp", 13. / 48}, {"B-16-laion2b", 9. / 48}, {"L-14-laion2b", 0.375}};
    char *folder = make_folder(), *out = text("%s/out", folder), *path = text("%s/results.json", out),
         *errors;
    int status = run_command(NULL, &errors, "run", CONFIGS "published-labels.yaml", "--out", out, NULL);
    if (status != 0) fail_msg("%s", errors);
    cJSON *overview = read_json(path);
    for (size_t i = 0; i < COUNT(expected); ++i) {
        double value = score_of(overview, expected[i].variant, "entanglement");
        if (fabs(value - expected[i].entanglement) > 1e-12) fail_msg("%s: %g", expected[i].variant, value);
        assert_true(score_of(overview, expected[i].variant, "pairwise entanglement") < 0.1);
    }
    cJSON_Delete(overview);
    free(errors);
    free(path);
    free(out);
    remove_folder(folder);
}

static void the_others_can_be_run(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder), *errors;
    int status = run_command(NULL, &errors, "run", "--check", CONFIGS "study-mini.yaml", "--out", out, NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_string_equal(errors, "");
    free(errors);
    free(out);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_labels_give_the_published_scores),
        cmocka_unit_test(the_others_can_be_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
