/* Entanglement of heads, by the built command: the numbers of the published labels, those of made-up
 * labellings that NumPy computed, closed forms of what chance makes of them, and what it cannot be asked. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "model: {path: " MINI "}\ncompute: {backend: reference}\n"

static const cJSON *found_by(const outcome *got, const char *step) {
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItem(got->root, "extractors")) {
        if (strcmp(field(each, "name"), step) == 0) return cJSON_GetObjectItem(each, "results");
    }
    fail_msg("there is no step %s", step);
    return NULL;
}

/* Of a layer, or of the model (-1); NULL: there is none. */
static const cJSON *find_verdict(const outcome *got, const char *score, int layer) {
    const cJSON *each;
    cJSON_ArrayForEach(each, found_by(got, "scores")) {
        const cJSON *named = cJSON_GetObjectItem(each, "score"), *at = cJSON_GetObjectItem(each, "layer");
        if (!named || strcmp(named->valuestring, score) != 0) continue;
        if (layer < 0 ? cJSON_IsString(at) : cJSON_IsNumber(at) && at->valueint == layer) return each;
    }
    return NULL;
}

static const cJSON *verdict(const outcome *got, const char *score, int layer) {
    const cJSON *found = find_verdict(got, score, layer);
    if (!found) fail_msg("there is no %s of layer %d", score, layer);
    return found;
}

static double value(const outcome *got, const char *score, int layer) {
    return number_of(verdict(got, score, layer), "value");
}

static void need_near(const char *what, double got, double expected, double tolerance) {
    if (!(fabs(got - expected) <= tolerance)) fail_msg("%s: %.9g, expected %.9g", what, got, expected);
}

/* ---- published labels ---- */

/* The mean-over-layers form as an independent computation found it, the pairwise form as NumPy did; weights
 * are not needed. */
static void published_labels_give_the_known_numbers(void **state) {
    (void)state;
    static const struct {
        const char *model;
        double by_heads, by_pairs;
    } cases[] = {
        {"ViT-B-32-openai", 0.375, 2.0 / 33},    {"ViT-B-32-datacomp_m_s128m_b4k", 13.0 / 48, 1.0 / 33},
        {"ViT-B-16-openai", 0.25, 15.0 / 264},   {"ViT-B-16-laion2b_s34b_b88k", 0.1875, 6.0 / 264},
        {"ViT-L-14-openai", 0.3125, 27.0 / 480}, {"ViT-L-14-laion2b_s32b_b82k", 0.375, 43.0 / 480},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *head =
            text("model: {path: " TEST_SOURCE "/configs/shapes/%s, random-weights: 0}\n"
                 "extractors:\n"
                 "  - {name: labels, plugin: labels-file, path: " TEST_SOURCE "/configs/labels/%s.json}\n"
                 "  - {name: scores, plugin: entanglement, from: labels}\n",
                 cases[i].model, cases[i].model);
        outcome got = run_in(make_folder(), head, "");
        need_success(&got);
        need_near(cases[i].model, value(&got, "entanglement", -1), cases[i].by_heads, 1e-12);
        need_near(cases[i].model, value(&got, "pairwise entanglement", -1), cases[i].by_pairs, 1e-12);
        assert_true(value(&got, "share of heads that are labelled", -1) == 1);
        assert_null(cJSON_GetObjectItem(verdict(&got, "entanglement", -1), "low")); /* of one labelling */
        assert_null(find_verdict(&got, "kappa", -1));
        free(head);
        end(&got);
    }
}

/* ---- several labellings ---- */

enum { LAYERS = 4 };
static cJSON *truth;

/* The labellings as files, and what a run on some of them gives. */
static outcome run_labellings(const char *from, const char *options) {
    char *folder = make_folder();
    const cJSON *labels;
    cJSON_ArrayForEach(labels, cJSON_GetObjectItem(truth, "labellings")) {
        char *path = text("%s/%s.json", folder, labels->string), *content = cJSON_PrintUnformatted(labels);
        write_text(path, content);
        free(content);
        free(path);
    }
    char *head = text(MODEL "extractors:\n"
                            "  - {name: a, plugin: labels-file, path: a.json}\n"
                            "  - {name: b, plugin: labels-file, path: b.json}\n"
                            "  - {name: c, plugin: labels-file, path: c.json}\n"
                            "  - {name: scores, plugin: entanglement, from: %s%s}\n",
                      from, options);
    outcome got = run_in(folder, head, "");
    free(head);
    return got;
}

static const cJSON *expected(const char *key) {
    return cJSON_GetObjectItem(cJSON_GetObjectItem(truth, "expected"), key);
}

static double at(const cJSON *list, int index) {
    const cJSON *number = cJSON_GetArrayItem(list, index);
    assert_true(cJSON_IsNumber(number));
    return number->valuedouble;
}

static void labellings_are_scored_as_numpy_does(void **state) {
    (void)state;
    static const char *const forms[] = {"entanglement", "pairwise entanglement"};
    outcome got = run_labellings("[a, b, c]", ", resamples: 4000, permutations: 100");
    need_success(&got);
    for (size_t i = 0; i < COUNT(forms); ++i) {
        const cJSON *form = expected(forms[i]);
        for (int place = 0; place <= LAYERS; ++place) {
            const cJSON *score = verdict(&got, forms[i], place < LAYERS ? place : -1);
            need_near(forms[i], number_of(score, "value"), at(cJSON_GetObjectItem(form, "mean"), place),
                      1e-12);
            /* one of 27 draws of three is thrice the same, one of 4 of two twice */
            need_near(forms[i], number_of(score, "low"), at(cJSON_GetObjectItem(form, "low"), place), 1e-12);
            need_near(forms[i], number_of(score, "high"), at(cJSON_GetObjectItem(form, "high"), place),
                      1e-12);
        }
    }
    for (int place = 0; place <= LAYERS; ++place) {
        need_near("labelled", value(&got, "share of heads that are labelled", place < LAYERS ? place : -1),
                  at(expected("labelled"), place), 1e-12);
    }
    const cJSON *kappa = verdict(&got, "kappa", -1);
    need_near("kappa", number_of(kappa, "value"), expected("kappa")->valuedouble, 1e-12);
    assert_true(number_of(kappa, "low") < number_of(kappa, "value") - 0.1);
    assert_true(number_of(kappa, "high") > number_of(kappa, "value") + 0.1);
    need_near("Fleiss", value(&got, "kappa (Fleiss)", -1), expected("fleiss")->valuedouble, 1e-12);
    end(&got);
}

static const cJSON *item_with(const outcome *got, const char *schema, const char *title) {
    const cJSON *each;
    cJSON_ArrayForEach(each, found_by(got, "scores")) {
        const cJSON *of = cJSON_GetObjectItem(each, "schema");
        if (of && strcmp(of->valuestring, schema) == 0 && strstr(field(each, "title"), title)) return each;
    }
    fail_msg("there is no %s %s", schema, title);
    return NULL;
}

static void tables_and_figures_show_the_same(void **state) {
    (void)state;
    outcome got = run_labellings("[a, b, c]", ", permutations: 50");
    need_success(&got);
    const cJSON *rows = cJSON_GetObjectItem(item_with(&got, "table", "two forms"), "rows");
    assert_int_equal(cJSON_GetArraySize(rows), 2 * (LAYERS + 1));
    const cJSON *row = cJSON_GetArrayItem(rows, LAYERS);
    assert_string_equal(field(row, "form"), "mean over layers");
    assert_string_equal(field(row, "layer"), "all");
    assert_true(number_of(row, "value") == value(&got, "entanglement", -1));
    assert_true(number_of(row, "shuffled") == value(&got, "entanglement, labels shuffled", -1));
    assert_true(number_of(row, "shuffles_as_low") ==
                value(&got, "entanglement, share of shuffles as low", -1));
    const cJSON *pairs = cJSON_GetObjectItem(item_with(&got, "table", "Agreement"), "rows");
    for (int i = 0; i < 3; ++i) {
        const cJSON *pair = cJSON_GetArrayItem(pairs, i), *known = cJSON_GetArrayItem(expected("pairs"), i);
        assert_true(number_of(pair, "heads") == at(known, 0));
        need_near("agreement", number_of(pair, "agreement"), at(known, 1), 1e-12);
        need_near("kappa of a pair", number_of(pair, "value"), at(known, 2), 1e-12);
    }
    assert_string_equal(field(pairs->child, "one"), "a");
    assert_string_equal(field(pairs->child, "other"), "b");
    const cJSON *series = cJSON_GetObjectItem(item_with(&got, "chart", "pairwise form"), "series");
    const cJSON *points = cJSON_GetObjectItem(series->child, "points");
    assert_string_equal(field(points->child, "x"), "L0");
    assert_true(number_of(points->child, "y") == value(&got, "pairwise entanglement", 0));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(series->child->next, "reference")));
    const cJSON *map = cJSON_GetObjectItem(item_with(&got, "head-map", "Entangled heads"), "heads");
    assert_true(cJSON_GetArraySize(map) > 0);
    char *page = text("%s/out/report.html", got.folder), *content = read_file(page, NULL);
    assert_non_null(strstr(content, "pairwise entanglement"));
    free(content);
    free(page);
    end(&got);
}

/* The mean over all shuffles is known: a label's companions are drawn without being put back. */
static void shuffles_have_the_mean_that_counting_gives(void **state) {
    (void)state;
    static const char *const steps[] = {"a", "b"};
    for (size_t i = 0; i < COUNT(steps); ++i) {
        outcome got = run_labellings(steps[i], ", permutations: 20000, seed: 5");
        need_success(&got);
        const cJSON *means = cJSON_GetObjectItem(expected("shuffled"), steps[i]);
        for (int layer = -1; layer < LAYERS; ++layer) {
            need_near("shuffled", value(&got, "entanglement, labels shuffled", layer), at(means, 0), 0.006);
            need_near("shuffled", value(&got, "pairwise entanglement, labels shuffled", layer), at(means, 1),
                      0.003);
        }
        end(&got);
    }
}

/* Properties that lie apart, or together, as no shuffle has them. */
static void shuffles_tell_order_from_chance(void **state) {
    (void)state;
    static const struct {

        double value, as_low;
    } cases[] = {
        {0, 1.0 / 1001}, /* one of each in every layer */
        {1, 1},          /* one for each layer */
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *path = text("%s/labels.yaml", folder);
        FILE *out = fopen(path, "w");
        fputs("heads:\n", out);
        for (int layer = 0; layer < LAYERS; ++layer) {
            for (int head = 0; head < 8; ++head) {
                fprintf(out, "  L%d.H%d: kind %c\n", layer, head, 'a' + (i == 0 ? head : layer));
            }
        }
        fclose(out);
        outcome got = run_in(folder,
                             MODEL "extractors:\n"
                                   "  - {name: labels, plugin: labels-file, path: labels.yaml}\n"
                                   "  - {name: scores, plugin: entanglement, from: labels}\n",
                             "");
        need_success(&got);
        assert_true(value(&got, "entanglement", -1) == cases[i].value);
        need_near("as low", value(&got, "entanglement, share of shuffles as low", -1), cases[i].as_low,
                  1e-12);
        free(path);
        end(&got);
    }
}

/* ---- which heads ---- */

static void heads_and_layers_may_be_chosen(void **state) {
    (void)state;
    outcome got = run_labellings("a", ", layers: 2");
    need_success(&got);
    assert_null(find_verdict(&got, "entanglement", 1));
    double third = value(&got, "entanglement", 2), fourth = value(&got, "entanglement", 3);
    need_near("two layers", value(&got, "entanglement", -1), (third + fourth) / 2, 1e-12);
    end(&got);
    got = run_labellings("a", ", heads: [L2, L2.H1]");
    need_success(&got);
    assert_true(value(&got, "entanglement", -1) == third && value(&got, "entanglement", 2) == third);
    end(&got);
    got = run_labellings("c", ""); /* it says nothing of layer 1 */
    need_success(&got);
    assert_null(find_verdict(&got, "entanglement", 1));
    assert_non_null(strstr(got.errors, "layer 1 is left out: no head of it has a property"));
    const cJSON *own = cJSON_GetArrayItem(cJSON_GetObjectItem(expected("entanglement"), "per labelling"), 2);
    need_near("three layers", value(&got, "entanglement", -1), at(own, LAYERS), 1e-12);
    end(&got);
}

static void the_same_seed_gives_the_same(void **state) {
    (void)state;
    double values[3];
    static const char *const options[] = {", seed: 3", ", seed: 3", ", seed: 4"};
    for (size_t i = 0; i < COUNT(options); ++i) {
        outcome got = run_labellings("[b, a]", options[i]);
        need_success(&got);
        values[i] = value(&got, "entanglement, labels shuffled", -1);
        end(&got);
    }
    assert_true(values[0] == values[1] && values[0] != values[2]);
    outcome got = run_labellings("[a, b]", ", permutations: 0, resamples: 0");
    need_success(&got);
    assert_null(find_verdict(&got, "entanglement, labels shuffled", -1));
    assert_null(cJSON_GetObjectItem(verdict(&got, "entanglement", -1), "low"));
    assert_null(cJSON_GetObjectItem(verdict(&got, "kappa", -1), "low"));
    end(&got);
}

static void what_cannot_be_scored_is_said(void **state) {
    (void)state;
    static const struct {
        const char *from, *options, *words;
        int status;
    } cases[] = {
        {"c", ", heads: [L1]", "none of the heads that are looked at has a property", 2},
        {"a", ", heads: [L9]", "L9", 2},
        {"a", ", layers: 0", "option \"layers\": expected", 2},
        {"a", ", permutations: -1", "option \"permutations\": expected", 2},
        {"[a, a]", "", "builds on the step \"a\" already", 2},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = run_labellings(cases[i].from, cases[i].options);
        need_failure(&got, cases[i].status, cases[i].words);
        end(&got);
    }
}

static int open_golden(void **state) {
    (void)state;
    truth = read_json(TEST_GOLDEN "/scores/labellings.json");
    return truth ? 0 : -1;
}

static int close_golden(void **state) {
    (void)state;
    cJSON_Delete(truth);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_labels_give_the_known_numbers),
        cmocka_unit_test(labellings_are_scored_as_numpy_does),
        cmocka_unit_test(tables_and_figures_show_the_same),
        cmocka_unit_test(shuffles_have_the_mean_that_counting_gives),
        cmocka_unit_test(shuffles_tell_order_from_chance),
        cmocka_unit_test(heads_and_layers_may_be_chosen),
        cmocka_unit_test(the_same_seed_gives_the_same),
        cmocka_unit_test(what_cannot_be_scored_is_said),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
