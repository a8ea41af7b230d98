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

static void the_mini_study_can_be_run(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder), *errors;
    int status = run_command(NULL, &errors, "run", "--check", CONFIGS "study-mini.yaml", "--out", out, NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_string_equal(errors, "");
    free(errors);
    free(out);
    remove_folder(folder);
}

static size_t count_words(const char *in, const char *words) {
    size_t count = 0;
    for (; (in = strstr(in, words)); ++in) ++count;
    return count;
}

/* Nobody has the weights here: every variant says where they go. */
static void what_lacks_weights_says_where_they_go(void **state) {
    (void)state;
    static const struct {
        const char *file;
        size_t variants;
    } cases[] = {{CONFIGS "study.yaml", 6}, {CONFIGS "paper.yaml", 7}};
    char *folder = make_folder(), *out = text("%s/out", folder), *errors;
    for (size_t i = 0; i < COUNT(cases); ++i) {
        assert_int_equal(run_command(NULL, &errors, "run", "--check", cases[i].file, "--out", out, NULL), 1);
        assert_int_equal(count_words(errors, "is skipped, for its weights are not there: "),
                         cases[i].variants);
        assert_int_equal(count_words(errors, "/models/ViT-"), cases[i].variants);
        free(errors);
    }
    free(out);
    remove_folder(folder);
}

/* All of `text` with `by` in place of every `what`. */
static char *replace_all(char *content, const char *what, const char *by) {
    for (char *at; (at = strstr(content, what));) {
        char *rest = strdup(at + strlen(what)), *longer;
        assert_non_null(rest);
        longer = text("%.*s%s%s", (int)(at - content), content, by, rest);
        free(rest);
        free(content);
        content = longer;
    }
    return content;
}

/* With the shapes in place of the models, everything that an experiment says of them is right: heads that
 * they have, keys of options, files. */
static void they_fit_the_shapes_of_their_models(void **state) {
    (void)state;
    static const char *const files[] = {"study.yaml", "paper.yaml"};
    static const char *const places[][2] = {
        {"../models/", CONFIGS "shapes/"},
        {"../data/imagenet/gallery.json", CONFIGS "mini/gallery.json"},
        {"../data/waterbirds/gallery.json", CONFIGS "mini/gallery.json"},
        {"../data/imagenet/classes.txt", CONFIGS "mini/classes.txt"},
        {"../data/waterbirds/classes.txt", CONFIGS "mini/classes.txt"},
        {"../data/imagenet/templates.txt", CONFIGS "mini/pool.txt"},
        {"../data/waterbirds/templates.txt", CONFIGS "mini/pool.txt"},
        {"pools/image_descriptions_general.txt", CONFIGS "mini/pool.txt"},
        {": labels/", ": " CONFIGS "labels/"},
        {": pools/general", ": " CONFIGS "pools/general"},
        {": mini/", ": " CONFIGS "mini/"},
        {"[mini/", "[" CONFIGS "mini/"},
        /* no text can be read without a vocabulary, which is not there either */
        {"texts: [a red star, snow]", "texts: [{image: " CONFIGS "mini/gallery/scene-000.jpg}]"},
    };
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *folder = make_folder(), *path = text("%s/%s", folder, files[i]), *out = text("%s/out", folder);
        char *from = text("%s%s", CONFIGS, files[i]), *content = read_file(from, NULL), *errors;
        for (size_t k = 0; k < COUNT(places); ++k) content = replace_all(content, places[k][0], places[k][1]);
        write_text(path, content);
        int status = run_command(NULL, &errors, "run", "--check", path, "--out", out, "--set",
                                 "model.random-weights=1", NULL);
        if (status != 0) fail_msg("%s", errors);
        assert_null(strstr(errors, "skipped"));
        free(errors);
        free(content);
        free(from);
        free(out);
        free(path);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_labels_give_the_published_scores),
        cmocka_unit_test(the_mini_study_can_be_run),
        cmocka_unit_test(what_lacks_weights_says_where_they_go),
        cmocka_unit_test(they_fit_the_shapes_of_their_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
