/* Scores of consistency, by the built command, from verdicts in files: against numbers that NumPy computed,
 * against some that are counted by hand, and what cannot be scored. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 4, HEADS = 8, FIRST = 5 };

#define MODEL "model: {path: " MINI "}\ncompute: {backend: reference}\n"

static cJSON *truth;
static char *plugins;

static int open_setting(void **state) {
    (void)state;
    truth = read_json(TEST_GOLDEN "/scores/verdicts.json");
    plugins = make_folder();
    char *to = text("%s/sample_verdicts.so", plugins);
    copy_file(TEST_FIXTURES "/sample_verdicts.fixture", to);
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    free(to);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    cJSON_Delete(truth);
    remove_folder(plugins);
    return 0;
}

/* ---- running ---- */

/* Labels as YAML, verdicts of two judges, and what consistency-scores makes of those of `from`. */
static outcome score(const char *labels, const char *p, const char *q, const char *from,
                     const char *options) {
    char *folder = make_folder(), *names[] = {"labels.yaml", "others.yaml", "p.txt", "q.txt"};
    char *others = cJSON_PrintUnformatted(cJSON_GetObjectItem(truth, "other labels"));
    const char *contents[] = {labels, others, p, q};
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *path = text("%s/%s", folder, names[i]);
        write_text(path, contents[i]);
        free(path);
    }
    char *head = text(MODEL "extractors:\n"
                            "  - {name: labels, plugin: labels-file, path: labels.yaml}\n"
                            "  - {name: others, plugin: labels-file, path: others.yaml}\n"
                            "  - {name: p, plugin: sample-verdicts, path: p.txt, from: labels}\n"
                            "  - {name: q, plugin: sample-verdicts, path: q.txt, from: others}\n"
                            "  - {name: counts, plugin: entanglement, from: labels}\n"
                            "  - {name: scores, plugin: consistency-scores, from: %s%s}\n",
                      from, options);
    outcome got = run_in(folder, head, "");
    free(others);
    free(head);
    return got;
}

static outcome score_truth(const char *from, const char *options) {
    const cJSON *verdicts = cJSON_GetObjectItem(truth, "verdicts");
    char *labels = cJSON_PrintUnformatted(cJSON_GetObjectItem(truth, "labels"));
    outcome got = score(labels, field(verdicts, "p"), field(verdicts, "q"), from, options);
    free(labels);
    return got;
}

/* ---- what it found ---- */

static const cJSON *found_by(const outcome *got, const char *step) {
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItem(got->root, "extractors")) {
        if (strcmp(field(each, "name"), step) == 0) return cJSON_GetObjectItem(each, "results");
    }
    fail_msg("there is no step %s", step);
    return NULL;
}

/* Of a head, of a layer, or of the model: `where` is "L3.H1", "3" or "all". NULL: there is none. */
static const cJSON *find_verdict(const outcome *got, const char *name, const char *where) {
    const cJSON *each;
    cJSON_ArrayForEach(each, found_by(got, "scores")) {
        const cJSON *of = cJSON_GetObjectItem(each, "score"), *at = cJSON_GetObjectItem(each, "layer");
        if (!of || strcmp(of->valuestring, name) != 0) continue;
        if (!at) at = cJSON_GetObjectItem(each, "head");
        char *place = cJSON_IsString(at) ? text("%s", at->valuestring) : text("%d", at->valueint);
        bool found = strcmp(place, where) == 0;
        free(place);
        if (found) return each;
    }
    return NULL;
}

static const cJSON *verdict(const outcome *got, const char *name, const char *where) {
    const cJSON *found = find_verdict(got, name, where);
    if (!found) fail_msg("there is no %s of %s", name, where);
    return found;
}

static double value(const outcome *got, const char *name, const char *where) {
    return number_of(verdict(got, name, where), "value");
}

static void need_near(const char *what, double got, double expected, double tolerance) {
    if (!(fabs(got - expected) <= tolerance)) fail_msg("%s: %.9g, expected %.9g", what, got, expected);
}

static const char *const places[LAYERS + 1] = {"0", "1", "2", "3", "all"};

static const cJSON *expected(const char *key) {
    return cJSON_GetObjectItem(cJSON_GetObjectItem(truth, "expected"), key);
}

/* ---- against NumPy ---- */

static void two_judges_are_scored_as_numpy_does(void **state) {
    (void)state;
    outcome got = score_truth("[p, q]", ", labels: [labels, others]");
    need_success(&got);
    const cJSON *measure;
    size_t measures = 0;
    cJSON_ArrayForEach(measure, cJSON_GetObjectItem(truth, "expected")) {
        const cJSON *own = cJSON_GetObjectItem(measure, "own"),
                    *another = cJSON_GetObjectItem(measure, "another");
        if (!own) continue;
        ++measures;
        char *shuffled = text("%s, labels shuffled", measure->string);
        char *above = text("%s, above labels shuffled", measure->string);
        for (int i = 0; i <= LAYERS; ++i) {
            double right = cJSON_GetArrayItem(own, i)->valuedouble;
            double chance = cJSON_GetArrayItem(another, i)->valuedouble;
            need_near(measure->string, value(&got, measure->string, places[i]), right, 1e-12);
            need_near(shuffled, value(&got, shuffled, places[i]), chance, 1e-12);
            need_near(above, value(&got, above, places[i]), right - chance, 1e-12);
        }
        free(shuffled);
        free(above);
    }
    assert_int_equal(measures, 12);
    for (int i = 0; i <= LAYERS; ++i) {
        const cJSON *p = cJSON_GetArrayItem(cJSON_GetArrayItem(expected("ccr"), 0), i);
        const cJSON *q = cJSON_GetArrayItem(cJSON_GetArrayItem(expected("ccr"), 2), i);
        need_near("ccr", value(&got, "ccr", places[i]), (p->valuedouble + q->valuedouble) / 2, 1e-12);
    }
    const cJSON *head;
    size_t heads = 0;
    cJSON_ArrayForEach(head, expected("ccs by head")) {
        need_near(head->string, value(&got, "ccs", head->string), head->valuedouble, 1e-12);
        ++heads;
    }
    assert_int_equal(heads, LAYERS * HEADS - 2);
    assert_null(find_verdict(&got, "ccs", "L0.H0")); /* not judged */
    assert_null(find_verdict(&got, "ccs", "L2.H3")); /* only 3 of its descriptions are */
    assert_non_null(strstr(got.errors, "2 of 61 heads have fewer than 5 judged descriptions"));
    end(&got);
}

/* Without a word of whose labels were judged, those of the first judge. */
static void concepts_are_those_of_the_labels_that_were_judged(void **state) {
    (void)state;
    static const struct {
        const char *from, *options;
        int rows[2];
    } cases[] = {
        {"[p, q]", "", {0, 1}},
        {"[p, q]", ", labels: labels", {0, 1}},
        {"q", "", {2, 2}},
        {"p", "", {0, 0}},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = score_truth(cases[i].from, cases[i].options);
        need_success(&got);
        double sum = 0;
        for (int k = 0; k < 2; ++k) {
            sum += cJSON_GetArrayItem(cJSON_GetArrayItem(expected("ccr"), cases[i].rows[k]), LAYERS)
                       ->valuedouble;
        }
        need_near(cases[i].options, value(&got, "ccr", "all"), sum / 2, 1e-12);
        bool several = cases[i].rows[0] != cases[i].rows[1];
        assert_true(several == (cJSON_GetObjectItem(verdict(&got, "ccr", "all"), "low") != NULL));
        end(&got);
    }
}

static void intervals_are_those_of_heads_drawn_anew(void **state) {
    (void)state;
    outcome got = score_truth("p", ", resamples: 20000");
    need_success(&got);
    const cJSON *one = verdict(&got, "consistent descriptions", "all"), *known = expected("interval of p");
    need_near("low", number_of(one, "low"), known->child->valuedouble, 0.006);
    need_near("high", number_of(one, "high"), known->child->next->valuedouble, 0.006);
    const cJSON *above = verdict(&got, "consistent descriptions, above labels shuffled", "all");
    assert_true(number_of(above, "low") > 0.2); /* it is no chance */
    end(&got);
    got = score_truth("p", ", resamples: 0");
    need_success(&got);
    assert_null(cJSON_GetObjectItem(verdict(&got, "association", "all"), "low"));
    end(&got);
}

/* ---- by hand ---- */

/* Verdicts "consistent" of a head: '1' and '0' in the order of ranks. */
static char *add_head(char *before, const char *head, const char *marks) {
    char *lines = before;
    for (size_t i = 0; marks[i]; ++i) {
        char *longer = text("%sconsistent %s %zu %c\n", lines ? lines : "", head, i + 1, marks[i]);
        free(lines);
        lines = longer;
    }
    return lines;
}

static void a_small_example_is_counted_by_hand(void **state) {
    (void)state;
    char *p = add_head(NULL, "L3.H0", "11111000"), *q = text("consistent L3.H0 1 1\n");
    p = add_head(p, "L3.H1", "11111");
    p = add_head(p, "L3.H2", "1110000");
    p = add_head(p, "L3.H3", "00001");
    p = add_head(p, "L2.H0", "111110000000");
    p = add_head(p, "L2.H1", "0000000000");
    p = add_head(p, "L0.H0", "11111");
    outcome got =
        score("heads: {L3.H0: Color, L3.H1: colors., L3.H2: animal, L3.H3: art, L2.H0: COLORS, L2.H1: "
              "art, L0.H0: mixed}\n",
              p, q, "p", "");
    need_success(&got);
    /* 5 of 8, 5 of 5, 3 of 7, 1 of 5; 5 of 12, none; 5 of 5 */
    assert_true(value(&got, "association", "3") == 0.5 && value(&got, "association", "2") == 0);
    need_near("association", value(&got, "association", "all"), 3.0 / 7, 1e-12);
    assert_true(value(&got, "ccs", "3") == 3.5 && value(&got, "ccs@5", "3") == 0.5);
    assert_true(value(&got, "ccs@3", "3") == 0.25 && value(&got, "ccs@1", "3") == 0.25);
    assert_true(value(&got, "low consistency", "2") == 0.5 && value(&got, "high consistency", "2") == 0.5);
    /* one concept on three of the three high heads that have one; L0.H0 has none */
    need_near("ccr", value(&got, "ccr", "all"), 1.0 / 3, 1e-12);
    assert_true(value(&got, "ccr", "3") == 0.5 && value(&got, "ccr", "2") == 0);
    assert_null(find_verdict(&got, "ccr", "0"));
    assert_null(find_verdict(&got, "association", "1"));
    assert_non_null(strstr(got.errors, "layer 1 is left out"));
    assert_null(find_verdict(&got, "association, labels shuffled", "all"));
    static const char *const groups[][2] = {
        {"L3.H0", "high"}, {"L3.H2", "moderate"}, {"L3.H3", "low"}, {"L2.H1", "low"}};
    for (size_t i = 0; i < COUNT(groups); ++i) {
        const cJSON *each, *found = NULL;
        cJSON_ArrayForEach(each, found_by(&got, "scores")) {
            const cJSON *head = cJSON_GetObjectItem(each, "head");
            bool facts = head && cJSON_GetObjectItem(each, "consistency");
            if (facts && strcmp(head->valuestring, groups[i][0]) == 0) found = each;
        }
        assert_non_null(found);
        assert_string_equal(field(found, "consistency"), groups[i][1]);
    }
    end(&got);
    got = score("heads: {L3.H0: Color}\n", p, q, "p", ", layers: 1, first: 7, associated: 0.6");
    need_success(&got);
    assert_true(value(&got, "association", "all") == 0.5); /* 5 of 8 and 5 of 5 */
    assert_true(value(&got, "ccs", "L3.H0") == 5 && value(&got, "ccs", "L3.H2") == 3);
    assert_null(find_verdict(&got, "ccs", "L3.H1"));
    assert_true(value(&got, "ccs@3", "all") == 0.5);
    assert_null(find_verdict(&got, "ccr", "all"));
    end(&got);
    free(p);
    free(q);
}

static void verdicts_count_once_and_others_not_at_all(void **state) {
    (void)state;
    outcome got =
        score("heads: {L3.H0: a}\n",
              "consistent L3.H0 1 1\nconsistent L3.H0 1 1\nconsistent L3.H0 2 0\nconsistent L3.H0 0 1\n"
              "Consistent L3.H0 3 1\nother L3.H0 4 1\n",
              "consistent L3.H0 1 1\n", "p", ", first: 2");
    need_success(&got);
    assert_true(value(&got, "ccs", "L3.H0") == 1);
    assert_true(value(&got, "consistent descriptions", "all") == 0.5);
    end(&got);
}

/* ---- what is shown ---- */

static void tables_and_figures_show_the_same(void **state) {
    (void)state;
    outcome got = score_truth("[p, q]", "");
    need_success(&got);
    const cJSON *each, *items[5] = {NULL};
    static const char *const titles[] = {"Consistency of descriptions", "Association", "CCS@K", "Concepts of",
                                         "CCS: consistent"};
    cJSON_ArrayForEach(each, found_by(&got, "scores")) {
        const cJSON *title = cJSON_GetObjectItem(each, "title");
        for (size_t i = 0; title && i < COUNT(titles); ++i) {
            if (strncmp(title->valuestring, titles[i], strlen(titles[i])) == 0) items[i] = each;
        }
    }
    for (size_t i = 0; i < COUNT(items); ++i) assert_non_null(items[i]);
    const cJSON *row = cJSON_GetObjectItem(items[0], "rows")->child;
    assert_string_equal(field(row, "score"), "association");
    assert_true(number_of(row, "value") == value(&got, "association", "all"));
    assert_true(number_of(row, "shuffled") == value(&got, "association, labels shuffled", "all"));
    assert_true(number_of(row, "low") < number_of(row, "value"));
    const cJSON *series = cJSON_GetObjectItem(items[1], "series");
    const cJSON *point = cJSON_GetObjectItem(series->child, "points")->child;
    assert_string_equal(field(point, "x"), "L0");
    assert_true(number_of(point, "y") == value(&got, "association", "0"));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(series->child->next, "reference")));
    const cJSON *counts = cJSON_GetObjectItem(cJSON_GetObjectItem(items[2], "series")->child, "points");
    assert_int_equal(cJSON_GetArraySize(counts), FIRST + 1);
    assert_true(number_of(cJSON_GetArrayItem(counts, FIRST), "y") == value(&got, "ccs@5", "all"));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(items[4], "heads")), LAYERS * HEADS - 2);
    char *page = text("%s/out/report.html", got.folder), *content = read_file(page, NULL);
    assert_non_null(strstr(content, "Association"));
    free(content);
    free(page);
    end(&got);
}

/* ---- what goes wrong ---- */

static void what_cannot_be_scored_is_said(void **state) {
    (void)state;
    static const char labels[] = "heads: {L3.H0: a}\n", fine[] = "consistent L3.H0 1 1\n";
    static const struct {
        const char *p, *from, *options, *words;
    } cases[] = {
        {"other L3.H0 1 1\n", "p", "", "the step \"p\" judges no description of a head"},
        {"consistent L3.H0 0 1\n", "[q, p]", "", "the step \"p\" judges no description of a head"},
        {fine, "counts", "", "the step \"counts\" judges no description of a head"},
        {fine, "p", ", heads: [L2]", "none of the heads that are looked at is judged"},
        {fine, "[p, q]", ", labels: [labels, others, labels]",
         "labels: expected one step for all, or one for each"},
        {fine, "p", ", labels: others", "labels: no judge builds on labels of a step \"others\""},
        {fine, "p", ", labels: nothing", "labels: no judge builds on labels of a step \"nothing\""},
        {fine, "labels", "", "consistency-scores builds on verdicts, and the step \"labels\" gives labels"},
        {fine, "p", ", associated: 2", "option \"associated\": expected"},
        {fine, "p", ", first: 0", "option \"first\": expected"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = score(labels, cases[i].p, fine, cases[i].from, cases[i].options);
        need_failure(&got, 2, cases[i].words);
        end(&got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_judges_are_scored_as_numpy_does),
        cmocka_unit_test(concepts_are_those_of_the_labels_that_were_judged),
        cmocka_unit_test(intervals_are_those_of_heads_drawn_anew),
        cmocka_unit_test(a_small_example_is_counted_by_hand),
        cmocka_unit_test(verdicts_count_once_and_others_not_at_all),
        cmocka_unit_test(tables_and_figures_show_the_same),
        cmocka_unit_test(what_cannot_be_scored_is_said),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
