/* `headlight run --times`: where the time of a run went, beside its results and not in them. Through the
 * built command. */
#include "tests/json.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const experiment =
    "headlight: 1\n"
    "model: {path: " TEST_GOLDEN "/tiny-a/model}\n"
    "compute: {backend: reference}\n"
    "extractors: [{name: words, plugin: labels-file, path: labels.json}]\n"
    "analyses:\n"
    "  - {plugin: topic-segmentation, images: [" TEST_GOLDEN "/images/gray.png], texts: [a red circle]}\n"
    "  - {plugin: contrastive-segmentation, images: [" TEST_GOLDEN "/images/gray.png], texts: [red, blue]}\n";

typedef struct workshop {
    char *folder, *experiment, *out, *times;
} workshop;

static workshop open_workshop(const char *variants) {
    workshop made = {.folder = make_folder()};
    made.experiment = text("%s/experiment.yaml", made.folder);
    made.out = text("%s/out", made.folder);
    made.times = text("%s/times.json", made.out);
    char *content = text("%s%s", experiment, variants), *labels = text("%s/labels.json", made.folder);
    write_text(made.experiment, content);
    write_text(labels, "{\"heads\": {\"L0.H0\": \"colors\"}}");
    free(content);
    free(labels);
    return made;
}

static void close_workshop(workshop *made) {
    free(made->experiment);
    free(made->out);
    free(made->times);
    remove_folder(made->folder);
}

/* The errors, which are the caller's. */
static char *run_timed(const workshop *made, int status) {
    char *printed, *errors;
    int got = run_command(&printed, &errors, "run", made->experiment, "--out", made->out, "--times", NULL);
    if (got != status) fail_msg("status %d: %s", got, errors);
    free(printed);
    return errors;
}

/* Seconds of a phase, of any variant where that is NULL; below 0: it is not there. */
static double seconds_of(const cJSON *times, const char *phase, const char *variant) {
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItem(times, "phases")) {
        const cJSON *of = cJSON_GetObjectItem(each, "variant");
        if (strcmp(field(each, "phase"), phase) != 0) continue;
        if (!variant || (of && strcmp(of->valuestring, variant) == 0)) return number_of(each, "seconds");
    }
    return -1;
}

static double sum_of(const cJSON *times) {
    double sum = 0;
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItem(times, "phases")) {
        assert_true(number_of(each, "seconds") >= 0);
        sum += number_of(each, "seconds");
    }
    return sum;
}

static void every_part_of_a_run_has_its_seconds(void **state) {
    (void)state;
    static const char *const phases[] = {"plugins",     "opening",
                                         "weights",     "texts",
                                         "images",      "extractor/words",
                                         "report/html", "analysis/topic-segmentation",
                                         "report/json", "analysis/contrastive-segmentation"};
    workshop made = open_workshop("");
    char *errors = run_timed(&made, 0);
    assert_string_equal(errors, ""); /* nobody looks on */
    cJSON *times = read_json(made.times);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; ++i) {
        if (seconds_of(times, phases[i], NULL) < 0) fail_msg("no phase %s", phases[i]);
    }
    assert_true(number_of(times, "seconds") > 0);
    assert_true(fabs(sum_of(times) - number_of(times, "seconds")) < 1e-4);
    cJSON_Delete(times);
    free(errors);
    close_workshop(&made);
}

static void results_do_not_know_of_it(void **state) {
    (void)state;
    workshop made = open_workshop("");
    char *results = text("%s/results.json", made.out), *page = text("%s/report.html", made.out);
    free(run_timed(&made, 0));
    char *timed[] = {read_file(results, NULL), read_file(page, NULL)};
    assert_int_equal(run_command(NULL, NULL, "run", made.experiment, "--out", made.out, NULL), 0);
    char *plain[] = {read_file(results, NULL), read_file(page, NULL)};
    for (size_t i = 0; i < 2; ++i) {
        assert_string_equal(timed[i], plain[i]);
        free(timed[i]);
        free(plain[i]);
    }
    assert_false(file_exists(made.times)); /* it was of the earlier run */
    free(results);
    free(page);
    close_workshop(&made);
}

static void each_variant_has_its_own(void **state) {
    (void)state;
    workshop made = open_workshop("variants:\n"
                                  "  - {name: first, set: {compute.threads: 1}}\n"
                                  "  - {name: second, set: {analyses.0.texts: snow}}\n");
    free(run_timed(&made, 0));
    cJSON *times = read_json(made.times);
    const char *const variants[] = {"first", "second"};
    for (size_t i = 0; i < 2; ++i) {
        assert_true(seconds_of(times, "weights", variants[i]) >= 0);
        assert_true(seconds_of(times, "analysis/topic-segmentation", variants[i]) >= 0);
    }
    assert_true(seconds_of(times, "opening", "first") < 0);
    assert_true(fabs(sum_of(times) - number_of(times, "seconds")) < 1e-4);
    cJSON_Delete(times);
    close_workshop(&made);
}

static void what_is_not_ours_stays(void **state) {
    (void)state;
    workshop made = open_workshop("");
    char *own = text("%s/times.json", made.out);
    assert_int_equal(mkdir(made.out, 0777), 0);
    write_text(own, "mine");
    char *errors = run_timed(&made, 1), *kept = read_file(own, NULL);
    assert_non_null(strstr(errors, "times.json"));
    assert_string_equal(kept, "mine");
    assert_int_equal(count_files(made.out), 1);
    free(errors);
    free(kept);
    free(own);
    close_workshop(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_a_run_has_its_seconds),
        cmocka_unit_test(results_do_not_know_of_it),
        cmocka_unit_test(each_variant_has_its_own),
        cmocka_unit_test(what_is_not_ours_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
