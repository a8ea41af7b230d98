/* extractor/lexicon, lexicon-agreement and lexicon-judge, by the built command on the embedded model, whose
 * truth is known: how many heads they name rightly, what they say of mixed ones, and what is wrong with their
 * tables. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>

#define MODEL   "model: {path: " MINI "}\ncompute: {backend: reference}\n"
#define GALLERY "gallery: {images: " MINI_FOLDER "/gallery.json, atlas: %s/atlas}\n"
#define SPANS                                                                                                \
    "  - {name: spans, plugin: textspan, pool: " MINI_FOLDER "/pool.txt, picks: 8, stability: false%s}\n"
#define KNOWN   ", pool-properties: " MINI_FOLDER "/pool_properties.tsv"
#define LEXICON "  - {name: labels, plugin: lexicon, from: spans%s}\n"
#define AGREED  "  - {name: agreed, plugin: lexicon-agreement, from: spans%s}\n"
#define JUDGED  "  - {name: judged, plugin: lexicon-judge, from: %s%s}\n"

enum { HEADS = 32, HALF = 16, BASELINE = 15, BASELINE_OF_HALF = 9 };

static char *place; /* with the atlas that all tests share */

static int open_setting(void **state) {
    (void)state;
    place = make_folder();
    char *caches = text("%s/caches", place);
    setenv("XDG_CACHE_HOME", caches, 1);
    free(caches);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(place);
    return 0;
}

/* Runs the steps that come after descriptions of these heads. */
static outcome run_steps(const char *heads, const char *steps) {
    char *spans = text(SPANS, heads), *gallery = text(GALLERY, place);
    char *yaml = text(MODEL "%sextractors:\n%s%s", gallery, spans, steps);
    outcome got = run_in(make_folder(), yaml, "");
    free(yaml);
    free(gallery);
    free(spans);
    return got;
}

static const cJSON *found_by(const outcome *got, const char *step) {
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItem(got->root, "extractors")) {
        if (strcmp(field(each, "name"), step) == 0) return cJSON_GetObjectItem(each, "results");
    }
    fail_msg("no step %s", step);
    return NULL;
}

/* The first label of a head; NULL: it has none. */
static const cJSON *label_of(const cJSON *found, const char *head) {
    const cJSON *each;
    cJSON_ArrayForEach(each, found) {
        if (strcmp(field(each, "head"), head) == 0 && cJSON_HasObjectItem(each, "property")) return each;
    }
    return NULL;
}

/* ---- the truth ---- */

typedef struct naming {
    char truth[HEADS][32], named[HEADS][32];
} naming;

static naming read_naming(const cJSON *found) {
    naming out = {.truth = {{0}}};
    cJSON *labels = read_json(MINI_FOLDER "/labels.json");
    for (int i = 0; i < HEADS; ++i) {
        char head[16];
        snprintf(head, sizeof head, "L%d.H%d", i / 8, i % 8);
        const cJSON *label = label_of(found, head);
        snprintf(out.truth[i], sizeof *out.truth, "%s", field(cJSON_GetObjectItem(labels, "heads"), head));
        snprintf(out.named[i], sizeof *out.named, "%s", label ? field(label, "property") : "");
    }
    cJSON_Delete(labels);
    return out;
}

static int count_right(const naming *of, int first, const int *order) {
    int right = 0;
    for (int i = first; i < HEADS; ++i) right += strcmp(of->named[i], of->truth[order ? order[i] : i]) == 0;
    return right;
}

/* The most that are right in so many shuffles of the truth, but for the best of forty. */
static int count_by_chance(const naming *of) {
    enum { SHUFFLES = 1000, BEST = SHUFFLES / 40 };
    int order[HEADS], often[HEADS + 1] = {0}, above = 0, right = HEADS;
    uint64_t state = 1;
    for (int i = 0; i < HEADS; ++i) order[i] = i;
    for (int s = 0; s < SHUFFLES; ++s) {
        for (int i = HEADS - 1; i > 0; --i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            int j = (int)((state >> 33) % (uint64_t)(i + 1)), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        ++often[count_right(of, 0, order)];
    }
    while (right > 0 && above + often[right] <= BEST) above += often[right--];
    return right;
}

static void need_right(const outcome *got, const char *step, int all, int half) {
    naming of = read_naming(found_by(got, step));
    int right = count_right(&of, 0, NULL), late = count_right(&of, HALF, NULL), chance = count_by_chance(&of);
    print_message("%s: %d of %d heads, %d of the last %d; with shuffled labels at most %d\n", step, right,
                  HEADS, late, HALF, chance);
    assert_true(right >= all);
    assert_true(late >= half);
    assert_true(right > chance);
}

/* The variance-weighted majority of the same picks, computed by other code, names 15 and 9. */
static void more_heads_are_named_rightly_than_by_a_majority(void **state) {
    (void)state;
    char *labels = text(LEXICON, KNOWN), *agreed = text(AGREED, KNOWN), *steps = text("%s%s", labels, agreed);
    outcome got = run_steps("", steps);
    need_success(&got);
    need_right(&got, "labels", BASELINE + 2, BASELINE_OF_HALF);
    need_right(&got, "agreed", 28, 14);
    free(steps);
    free(agreed);
    free(labels);
    end(&got);
}

/* ---- what is said ---- */

static void labels_come_with_evidence(void **state) {
    (void)state;
    char *labels = text(LEXICON, KNOWN), *agreed = text(AGREED, KNOWN), *steps = text("%s%s", labels, agreed);
    outcome got = run_steps(", heads: [L3.H7]", steps);
    need_success(&got);
    const cJSON *label = label_of(found_by(&got, "labels"), "L3.H7");
    assert_non_null(strstr(field(label, "evidence"), " of 8 descriptions, "));
    assert_non_null(strstr(field(label, "evidence"), "a photo of a thing on the left"));
    label = label_of(found_by(&got, "agreed"), "L3.H7");
    assert_non_null(strstr(field(label, "evidence"), "agrees with the whole model by 0."));
    assert_true(number_of(label, "weight") > 0.2 && number_of(label, "weight") < 1);
    free(steps);
    free(agreed);
    free(labels);
    end(&got);
}

static void several_labels_begin_with_the_heaviest(void **state) {
    (void)state;
    char *steps = text(LEXICON, KNOWN ", most: 3, threshold: 0");
    outcome got = run_steps(", heads: [L3.H5]", steps);
    need_success(&got);
    const cJSON *each, *before = NULL;
    int count = 0;
    cJSON_ArrayForEach(each, found_by(&got, "labels")) {
        if (before) assert_true(number_of(each, "weight") <= number_of(before, "weight"));
        before = each;
        ++count;
    }
    assert_int_equal(count, 3);
    free(steps);
    end(&got);
}

static void mixed_heads_have_no_label(void **state) {
    (void)state;
    char *labels = text(LEXICON, KNOWN ", threshold: 1"), *agreed = text(AGREED, KNOWN ", threshold: 1");
    char *steps = text("%s%s", labels, agreed);
    outcome got = run_steps(", heads: [L2.H3]", steps);
    need_success(&got);
    static const char *const names[] = {"labels", "agreed"};
    for (size_t i = 0; i < COUNT(names); ++i) {
        const cJSON *found = found_by(&got, names[i]);
        assert_null(label_of(found, "L2.H3"));
        assert_string_equal(field(found->child, "head"), "L2.H3");
        assert_true(strlen(field(found->child, "mixed")) > 10);
    }
    free(steps);
    free(agreed);
    free(labels);
    end(&got);
}

/* ---- verdicts ---- */

static double mean_of(const cJSON *found, const char *score, int *count) {
    const cJSON *each;
    double sum = 0;
    *count = 0;
    cJSON_ArrayForEach(each, found) {
        if (!cJSON_HasObjectItem(each, "score") || strcmp(field(each, "score"), score) != 0) continue;
        double value = number_of(each, "value");
        assert_true(value == 0 || value == 1);
        assert_true(number_of(each, "rank") >= 1 && *field(each, "head") == 'L');
        sum += value;
        ++*count;
    }
    return *count ? sum / *count : 0;
}

static void descriptions_are_consistent_more_often_with_their_own_label(void **state) {
    (void)state;
    char *labels = text(LEXICON, KNOWN), *judged = text(JUDGED, "labels", KNOWN),
         *steps = text("%s%s", labels, judged);
    outcome got = run_steps("", steps);
    need_success(&got);
    int own, other;
    double of_own = mean_of(found_by(&got, "judged"), "consistent", &own);
    double of_other = mean_of(found_by(&got, "judged"), "consistent with another", &other);
    assert_int_equal(own, other);
    assert_true(own >= 8 * 20);
    assert_true(of_own > of_other + 0.15);
    free(steps);
    free(judged);
    free(labels);
    end(&got);
}

/* ---- tables ---- */

/* Runs the labeller with a table of lines of these bytes. */
static outcome run_with_table(const char *option, const char *bytes, size_t count) {
    char *path = text("%s/table.tsv", place), *options = text(", %s: %s", option, path),
         *steps = text(LEXICON, options);
    write_file(path, bytes, count);
    outcome got = run_steps(", heads: [L3.H7]", steps);
    free(steps);
    free(options);
    free(path);
    return got;
}

/* The pool's own table, its lines ended as elsewhere, with lines that are in no pool. */
static void tables_are_read_as_they_come(void **state) {
    (void)state;
    char *table = read_file(MINI_FOLDER "/pool_properties.tsv", NULL),
         *long_ends = malloc(3 * strlen(table) + 64), *to = long_ends;
    for (const char *from = table; *from; ++from) {
        if (*from == '\n') *to++ = '\r';
        *to++ = *from;
    }
    strcpy(to, "\r\nno line of the pool\tPosition.\r\n");
    outcome got = run_with_table("pool-properties", long_ends, strlen(long_ends));
    need_success(&got);
    assert_string_equal(field(label_of(found_by(&got, "labels"), "L3.H7"), "property"), "positions");
    free(long_ends);
    free(table);
    end(&got);
}

static void wrong_tables_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *option, *bytes, *words;
    } cases[] = {
        {"pool-properties", "red\tcolors\nsnow\n", "table.tsv:2: expected two columns"},
        {"pool-properties", "red\tcolors\tagain\n", "table.tsv:1: expected two columns"},
        {"pool-properties", "red\tcolors\n\tcolors\n", "table.tsv:2: expected two columns"},
        {"pool-properties", "red\tcolors,,places\n",
         "table.tsv:1: expected a property before and after each comma"},
        {"pool-properties", "red\tcolors\nblue\tcolors\nred\tplaces\n", "\"red\" stands there twice"},
        {"pool-properties", "red\tcol\xC3\x28ors\n", "table.tsv:1"},
        {"pool-properties", "\n\n", "table.tsv"},
        {"properties", "colors\tcolor\n", "table.tsv:1: \"color\": no sense of WordNet's"},
        {"properties", "colors\tcolor#x#1\n", "table.tsv:1: \"color#x#1\": no sense of WordNet's"},
        {"properties", "colors\tcolor#n#1\nothers\tcolor#n#99\n",
         "table.tsv:2: \"color#n#99\": WordNet has no such sense"},
        {"properties", "colors color#n#1\n", "table.tsv:1: expected two columns"},
    };
    bool known = file_exists("/usr/share/wordnet/data.noun");
    for (size_t i = 0; i < COUNT(cases); ++i) {
        if (!known && strstr(cases[i].words, "WordNet")) continue;
        outcome got = run_with_table(cases[i].option, cases[i].bytes, strlen(cases[i].bytes));
        need_failure(&got, cases[i].words == cases[6].words ? 2 : 1, cases[i].words);
        assert_non_null(strstr(got.errors, "lexicon"));
        end(&got);
    }
}

static void agreement_compares_at_least_two_lines(void **state) {
    (void)state;
    char *path = text("%s/single.tsv", place), *options = text(", pool-properties: %s", path),
         *steps = text(AGREED, options);
    write_text(path, "red\tcolors\nsnow\tplaces\n");
    outcome got = run_steps(", heads: [L3.H7]", steps);
    need_failure(&got, 2, "single.tsv: expected at least two lines that speak of one property");
    end(&got);
    write_text(path, "red\tcolors\nblue\tcolors\nsnow\tplaces\n"); /* places have but one */
    got = run_steps(", heads: [L3.H7]", steps);
    need_success(&got);
    end(&got);
    free(steps);
    free(options);
    free(path);
}

/* A label that is no property of the table is what its words mean, and one that is no word is said to be. */
static void labels_of_others_are_judged_by_their_words(void **state) {
    (void)state;
    if (!file_exists("/usr/share/wordnet/data.noun")) return;
    static const char *const named[] = {"Hue", "hues.", "qwertyuiop"};
    for (size_t i = 0; i < COUNT(named); ++i) {
        char *path = text("%s/renamed.tsv", place),
             *table = read_file(MINI_FOLDER "/pool_properties.tsv", NULL);
        char *renamed = malloc(4 * strlen(table) + 1), *to = renamed;
        for (char *line = strtok(table, "\n"); line; line = strtok(NULL, "\n"))
            to += sprintf(to, "%.*s\t%s\n", (int)strcspn(line, "\t"), line, named[i]);
        write_text(path, renamed);
        char *options = text(", threshold: 0, pool-properties: %s", path), *labels = text(LEXICON, options);
        char *judged = text(JUDGED, "labels", ""), *steps = text("%s%s", labels, judged);
        outcome got = run_steps(", heads: [L3.H5]", steps);
        need_success(&got);
        int count;
        double mean = mean_of(found_by(&got, "judged"), "consistent", &count);
        assert_int_equal(count, 8);
        assert_true(i < 2 ? mean > 0 : !(mean > 0));
        char *all = cJSON_PrintUnformatted(found_by(&got, "judged"));
        assert_int_equal(strstr(all, "no word that WordNet knows") != NULL, i == 2);
        free(all);
        free(steps);
        free(judged);
        free(labels);
        free(options);
        free(table);
        free(renamed);
        free(path);
        end(&got);
    }
}

static void without_wordnet_the_package_is_named(void **state) {
    (void)state;
    char *empty = make_folder(), *options = text(", wordnet: %s", empty), *steps = text(LEXICON, options);
    outcome got = run_steps(", heads: [L3.H7]", steps);
    need_failure(&got, 2, "install Debian's wordnet-base");
    assert_non_null(strstr(got.errors, "/index.noun"));
    free(steps);
    free(options);
    end(&got);
    options = text(KNOWN ", wordnet: %s", empty); /* not needed: all is known */
    steps = text(LEXICON, options);
    got = run_steps(", heads: [L3.H7]", steps);
    need_success(&got);
    free(steps);
    free(options);
    remove_folder(empty);
    end(&got);
}

/* Over one image nothing varies: no descriptions, no labels, no verdicts, and no error. */
static void where_nothing_varies_nothing_is_said(void **state) {
    (void)state;
    char *folder = make_folder(), *images = text("%s/gallery", folder), *spans = text(SPANS, "");
    char *labels = text(LEXICON, KNOWN), *agreed = text(AGREED, KNOWN),
         *judged = text(JUDGED, "labels", KNOWN);
    char *yaml =
        text(MODEL "gallery: {images: gallery}\nextractors:\n%s%s%s%s", spans, labels, agreed, judged);
    put_scenes(images, 0, 1);
    outcome got = run_in(folder, yaml, "");
    need_success(&got);
    static const char *const names[] = {"labels", "agreed", "judged"};
    for (size_t i = 0; i < COUNT(names); ++i)
        assert_int_equal(cJSON_GetArraySize(found_by(&got, names[i])), 0);
    free(yaml);
    free(judged);
    free(agreed);
    free(labels);
    free(spans);
    free(images);
    end(&got);
}

static void labels_without_descriptions_cannot_be_judged(void **state) {
    (void)state;
    char *gallery = text(GALLERY, place), *judged = text(JUDGED, "given", KNOWN);
    char *yaml = text(MODEL "%sextractors:\n  - {name: given, plugin: labels-file, path: " MINI_FOLDER
                            "/labels.json}\n%s",
                      gallery, judged);
    outcome got = run_in(make_folder(), yaml, "");
    need_failure(&got, 2, "expected labels that were made from descriptions");
    free(yaml);
    free(judged);
    free(gallery);
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_heads_are_named_rightly_than_by_a_majority),
        cmocka_unit_test(labels_come_with_evidence),
        cmocka_unit_test(several_labels_begin_with_the_heaviest),
        cmocka_unit_test(mixed_heads_have_no_label),
        cmocka_unit_test(descriptions_are_consistent_more_often_with_their_own_label),
        cmocka_unit_test(tables_are_read_as_they_come),
        cmocka_unit_test(wrong_tables_are_refused),
        cmocka_unit_test(agreement_compares_at_least_two_lines),
        cmocka_unit_test(labels_of_others_are_judged_by_their_words),
        cmocka_unit_test(without_wordnet_the_package_is_named),
        cmocka_unit_test(where_nothing_varies_nothing_is_said),
        cmocka_unit_test(labels_without_descriptions_cannot_be_judged),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
