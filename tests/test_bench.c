/* `headlight bench` on a small model's shape, through the built command. */
#include "tests/support.h"

#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model folder that holds a configuration and no weights. */
static int make_model(void **state) {
    char *folder = make_folder(), *config = text("%s/open_clip_config.json", folder);
    copy_file(TEST_GOLDEN "/tiny-a/model/open_clip_config.json", config);
    free(config);
    *state = folder;
    return 0;
}

static int remove_model(void **state) {
    remove_folder(*state);
    return 0;
}

static double number(const cJSON *line, const char *key) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(line, key);
    if (!cJSON_IsNumber(value)) fail_msg("\"%s\" is no number", key);
    return value->valuedouble;
}

/* Checks one line by itself; returns the operations of a pass. */
static double check_line(const char *text, double batch, const char *plugin) {
    cJSON *line = cJSON_Parse(text);
    assert_non_null(line);
    double seconds = number(line, "seconds"), images = number(line, "images_per_second");
    double gflops = number(line, "gflops");
    assert_true(number(line, "batch") == batch);
    assert_true(number(line, "threads") == 1);
    assert_true(number(line, "runs") == 3);
    assert_true(seconds > 0 && gflops > 0);
    assert_true(number(line, "peak_gflops") >= 0 && number(line, "peak_256_gflops") >= 0);
    assert_true(fabs(images * seconds - batch) <= 1e-9 * batch);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(line, "plugin")), plugin);
    assert_true(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(line, "backend"))) > 0);
    cJSON_Delete(line);
    return gflops * seconds;
}

static void test_json(void **state) {
    char *printed, *errors;
    int status =
        run_command(&printed, &errors, "bench", "--model", (const char *)*state, "--backend", "reference",
                    "--batch", "1", "--batch", "3", "--threads", "1", "--runs", "3", "--json", NULL);
    if (status != 0) fail_msg("%s", errors);
    char *second = strchr(printed, '\n');
    assert_non_null(second);
    *second++ = '\0';
    assert_ptr_equal(strchr(second, '\n'), second + strlen(second) - 1);
    double one = check_line(printed, 1, "reference"), three = check_line(second, 3, "reference");
    assert_true(fabs(three - 3 * one) <= 1e-9 * three);
    free(printed);
    free(errors);
}

static void test_table(void **state) {
    char *printed, *errors;
    int status =
        run_command(&printed, &errors, "bench", "--model", (const char *)*state, "--backend", "reference",
                    "--batch", "2", "--threads", "1", "--threads", "2", "--runs", "1", NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_non_null(strstr(printed, "images/s"));
    assert_non_null(strstr(printed, "reference: plain C in double precision, 1 thread\n"));
    assert_non_null(strstr(printed, "reference: plain C in double precision, 2 threads\n"));
    assert_non_null(strstr(printed, "\n     2        1 "));
    assert_non_null(strstr(printed, "\n     2        2 "));
    free(printed);
    free(errors);
}

/* Every backend that there is, each with what it takes beyond the tower, and where its time goes. */
static void test_every_backend(void **state) {
    char *printed, *errors;
    int status =
        run_command(&printed, &errors, "bench", "--model", (const char *)*state, "--every", "--batch", "2",
                    "--runs", "1", "--operations", "--decomposition", "--json", NULL);
    if (status != 0) fail_msg("%s", errors);
    size_t lines = 0;
    bool reference = false;
    for (char *rest = printed, *end; (end = strchr(rest, '\n')); rest = end + 1, ++lines) {
        *end = '\0';
        cJSON *line = cJSON_Parse(rest);
        assert_non_null(line);
        double shares = 0;
        cJSON *share;
        cJSON_ArrayForEach(share, cJSON_GetObjectItem(line, "operations")) shares += share->valuedouble;
        assert_true(shares > 0 && shares < 1.0001);
        assert_true(number(line, "plain_seconds") > 0 && number(line, "times_plain") > 0 &&
                    number(line, "heat_times_plain") > 0);
        assert_true(number(line, "load_seconds") > 0 && number(line, "peak_tile_gflops") >= 0);
        assert_non_null(cJSON_GetStringValue(cJSON_GetObjectItem(line, "precision")));
        reference |= strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(line, "plugin")), "reference") == 0;
        cJSON_Delete(line);
    }
    assert_true(lines > 1 && reference);
    free(printed);
    free(errors);
}

static void test_own_weights(void **state) {
    (void)state;
    char *printed, *errors;
    int status = run_command(&printed, &errors, "bench", "--model", TEST_SOURCE "/configs/mini/model",
                             "--weights", "--batch", "1", "--runs", "1", "--operations", NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_non_null(strstr(printed, "weights ready after 0."));
    assert_non_null(strstr(printed, "       linear "));
    free(printed);
    free(errors);
    assert_int_equal(run_command(NULL, &errors, "bench", "--model", TEST_SOURCE "/configs/mini/model",
                                 "--every", "--backend", "reference", NULL),
                     2);
    assert_non_null(strstr(errors, "every backend with all its options: name none"));
    free(errors);
}

static void test_unknown_backend(void **state) {
    char *printed, *errors;
    assert_int_equal(run_command(&printed, &errors, "bench", "--model", (const char *)*state, "--backend",
                                 "refrence", "--batch", "1", NULL),
                     2);
    assert_string_equal(printed, "");
    assert_non_null(strstr(errors, "\"reference\""));
    free(printed);
    free(errors);
}

/* `auto` loads no library for a backend that another one outdoes anyway; the loader says what is loaded. */
static void test_auto_loads_what_it_needs(void **state) {
    (void)state;
    char *printed, *errors;
    assert_int_equal(setenv("LD_DEBUG", "files", 1), 0);
    int status = run_command(&printed, &errors, "bench", "--model", TEST_SOURCE "/configs/mini/model",
                             "--batch", "1", "--runs", "1", "--json", NULL);
    assert_int_equal(unsetenv("LD_DEBUG"), 0);
    assert_int_equal(status, 0);
    bool best = strstr(printed, "\"kernel\":\"amx\"") || strstr(printed, "\"kernel\":\"avx512\"");
    assert_non_null(strstr(errors, "libheadlight"));
    if (best) assert_null(strstr(errors, "libopenblas"));
    free(printed);
    free(errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_loads_what_it_needs),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_backend),
        cmocka_unit_test(test_own_weights),
        cmocka_unit_test(test_unknown_backend),
    };
    return cmocka_run_group_tests_name("bench", tests, make_model, remove_model);
}
