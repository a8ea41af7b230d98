/* `headlight bench --fidelity`: what precisions cost on the embedded model and its gallery, through the built
 * command. A precision that is broken, or that is another one in truth, keeps none of these bounds. */
#include "tests/support.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MINI TEST_SOURCE "/configs/mini/"

/* Every `step`th scene of the gallery, as a list of files, with `also` at its end. */
static char *list_scenes(const char *folder, int step, const char *also) {
    char *path = text("%s/scenes-%d.txt", folder, step);
    FILE *list = fopen(path, "w");
    assert_non_null(list);
    for (int i = 0; i < 400; i += step) fprintf(list, MINI "gallery/scene-%03d.jpg\n", i);
    fprintf(list, "%s", also);
    assert_int_equal(fclose(list), 0);
    return path;
}

static double number(const cJSON *object, const char *outer, const char *key) {
    const cJSON *value = cJSON_GetObjectItem(outer ? cJSON_GetObjectItem(object, outer) : object, key);
    if (!cJSON_IsNumber(value)) fail_msg("\"%s\" is no number", key);
    return value->valuedouble;
}

static const char *word(const cJSON *object, const char *key) {
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    if (!value) fail_msg("\"%s\" is no text", key);
    return value;
}

/* What a precision keeps on the mini model: errors are some two to four times what was measured. `least_mean`
 * is what it cannot keep if it is what it says: numbers of eight bits are a thousandth off. */
typedef struct bounds {
    const char *precision;
    double cosine, kept, kept_by_head, largest, mean, least_mean;
} bounds;

static const bounds all_bounds[] = {
    {"f32", 0.9999999, 0.9999, 0.999, 1e-5, 2e-6, 0},     {"bf16x6", 0.9999999, 0.9999, 0.999, 1e-5, 2e-6, 0},
    {"bf16x3", 0.9999999, 0.999, 0.99, 4e-4, 2e-5, 3e-7}, {"bf16", 0.9996, 0.98, 0.95, 0.1, 0.01, 3e-4},
    {"int8", 0.999, 0.95, 0.93, 0.2, 0.05, 1e-3},
};

static const bounds *bounds_of(const char *precision) {
    for (size_t i = 0; i < sizeof all_bounds / sizeof *all_bounds; ++i) {
        if (strcmp(all_bounds[i].precision, precision) == 0) return &all_bounds[i];
    }
    fail_msg("a precision that is not known here: %s", precision);
    return NULL;
}

static void check_codes(const cJSON *layer, const char *key, const bounds *within) {
    assert_true(number(layer, key, "largest") <= within->largest);
    assert_true(number(layer, key, "mean") <= within->mean);
    assert_true(number(layer, key, "mean") <= number(layer, key, "largest"));
}

/* One line of JSON; returns the precision that it is about. */
static const bounds *check_line(const cJSON *line, double images) {
    const bounds *within = bounds_of(word(line, "precision"));
    double mean = 0;
    int layers = 0, heads = 0;
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(line, "random_weights")));
    assert_string_equal(word(cJSON_GetObjectItem(line, "against"), "plugin"), "reference");
    assert_true(number(line, NULL, "images") == images && number(line, NULL, "texts") == 64);
    assert_true(number(line, "image_cosine", "least") >= within->cosine);
    assert_true(number(line, "text_cosine", "least") >= within->cosine);
    assert_true(number(line, "kept", "mean") >= within->kept);
    assert_true(number(line, "kept", "least") >= within->kept_by_head);
    const cJSON *layer, *head;
    cJSON_ArrayForEach(layer, cJSON_GetObjectItem(line, "layers")) {
        check_codes(layer, "other_codes", within);
        if (!cJSON_GetObjectItem(layer, "layer")) continue; /* what enters the first one */
        check_codes(layer, "head_codes", within);
        assert_true(number(layer, "head_codes", "mean") >= within->least_mean);
        assert_true(number(layer, NULL, "layer") == layers++);
    }
    cJSON_ArrayForEach(head, cJSON_GetObjectItem(line, "kept_by_head")) {
        mean += head->valuedouble / 32;
        ++heads;
    }
    assert_true(layers == 4 && heads == 32);
    assert_true(mean > number(line, "kept", "mean") - 1e-9 && mean < number(line, "kept", "mean") + 1e-9);
    return within;
}

/* Every precision of `native` is there, once. */
static void test_precisions(void **state) {
    char *list = list_scenes(*state, 4, "broken.jpg\n"), *broken = text("%s/broken.jpg", (char *)*state);
    char *printed, *errors;
    write_text(broken, "no picture");
    int status = run_command(&printed, &errors, "bench", "--fidelity", "--backend", "native", "--images",
                             list, "--json", NULL);
    if (status != 0) fail_msg("%s", errors);
    size_t seen = 0;
    for (char *rest = printed, *end; (end = strchr(rest, '\n')); rest = end + 1) {
        *end = '\0';
        cJSON *line = cJSON_Parse(rest);
        assert_non_null(line);
        assert_string_equal(word(line, "plugin"), "native");
        assert_true(number(line, NULL, "unreadable") == 1);
        seen += (size_t)1 << (check_line(line, 100) - all_bounds);
        cJSON_Delete(line);
    }
    assert_true(seen == 31);
    free(printed), free(errors), free(list), free(broken);
}

/* The case that is named, and no other. */
static void test_one_case(void **state) {
    char *list = list_scenes(*state, 16, ""), *printed, *errors;
    int status = run_command(&printed, &errors, "bench", "--fidelity", "--model", MINI "model", "--images",
                             list, "--backend", "native", "--compute", "kernel=plain", "--compute",
                             "precision=int8", "--json", NULL);
    if (status != 0) fail_msg("%s", errors);
    cJSON *line = cJSON_Parse(printed);
    assert_string_equal(word(line, "kernel"), "plain");
    assert_string_equal(check_line(line, 25)->precision, "int8");
    assert_ptr_equal(strchr(printed, '\n'), printed + strlen(printed) - 1);
    cJSON_Delete(line);
    free(printed), free(errors), free(list);
}

/* A folder without weights, tokenizer or gallery: random numbers, made images, and what is missing is said.
 */
static void test_shape_alone(void **state) {
    char *config = text("%s/shape/open_clip_config.json", (char *)*state), *printed, *errors;
    char *folder = text("%s/shape", (char *)*state);
    assert_int_equal(mkdir(folder, 0700), 0);
    copy_file(TEST_GOLDEN "/tiny-a/model/open_clip_config.json", config);
    int status = run_command(&printed, &errors, "bench", "--fidelity", "--model", folder, "--backend",
                             "native", "--compute", "precision=f32", "--images", "9", NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_non_null(strstr(printed, "random weights\n9 made images, no texts: "));
    assert_non_null(strstr(printed, "held against reference: "));
    assert_non_null(strstr(printed, "neighbours: too few images"));
    free(printed), free(errors), free(folder), free(config);
}

/* There is nothing that it could be held against. */
static void test_reference(void **state) {
    char *list = list_scenes(*state, 100, ""), *printed;
    assert_int_equal(
        run_command(&printed, NULL, "bench", "--fidelity", "--backend", "reference", "--images", list, NULL),
        0);
    assert_non_null(strstr(printed, "\nskipped: plain C in double precision, "));
    free(printed), free(list);
}

static void refuse(const char *expected, const char *argument, const char *value) {
    char *errors;
    assert_int_equal(run_command(NULL, &errors, "bench", "--fidelity", argument, value, NULL), 2);
    if (!strstr(errors, expected)) fail_msg("%s", errors);
    free(errors);
}

static void test_refused(void **state) {
    char *errors;
    refuse("--search, --fidelity or --uses", "--search", NULL);
    refuse("without --operations", "--operations", NULL);
    refuse("nowhere", "--images", "nowhere");
    refuse("precision", "--compute", "precision=bf17");
    refuse("nowhere", "--model", "nowhere");
    assert_int_equal(run_command(NULL, &errors, "bench", "--model", MINI "model", "--images", "3", NULL), 2);
    assert_non_null(strstr(errors, "--images goes with --search, --fidelity or --uses"));
    free(errors);
    char *list = text("%s/none.txt", (char *)*state);
    write_text(list, "missing.jpg\n");
    refuse("no image that can be read", "--images", list);
    free(list);
}

static int open_folder(void **state) {
    *state = make_folder();
    return 0;
}

static int close_folder(void **state) {
    remove_folder(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precisions),  cmocka_unit_test(test_one_case),
        cmocka_unit_test(test_shape_alone), cmocka_unit_test(test_reference),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
