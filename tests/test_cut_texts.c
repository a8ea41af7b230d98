/* Texts that are longer than the model reads: said on stderr, in results.json and on the page, wherever a
 * text comes from and whatever shows it. Through the built command; tiny-a reads 32 tokens, of which "b" is
 * one. */
#include "tests/experiment.h"

#include <stdlib.h>
#include <string.h>

#define TINY_A TEST_GOLDEN "/tiny-a/model"
#define IMAGE  TEST_GOLDEN "/images/gray.png"

enum { CONTEXT = 32, WORDS = CONTEXT - 2 }; /* start and end are tokens too */

/* "b b b ... " and the end. */
static char *words(size_t count, const char *last) {
    char *out = text("%s", "");
    for (size_t i = 0; i < count; ++i) {
        char *longer = text("%sb ", out);
        free(out);
        out = longer;
    }
    char *whole = text("%s%s", out, last);
    free(out);
    return whole;
}

static size_t count_of(const char *in, const char *word) {
    size_t count = 0;
    for (; (in = strstr(in, word)); in += strlen(word)) ++count;
    return count;
}

static bool is_marked(const cJSON *item) {
    const cJSON *mark = cJSON_GetObjectItem(item, "truncated");
    assert_true(!mark || cJSON_IsTrue(mark));
    return mark != NULL;
}

static char *page_of(const outcome *got) {
    char *path = text("%s/out/report.html", got->folder), *page = read_file(path, NULL);
    free(path);
    return page;
}

/* The root's list, in the order of the texts. */
static void need_listed(const outcome *got, const char *const *texts, const double *tokens, int count) {
    const cJSON *list = cJSON_GetObjectItem(got->root, "truncated");
    assert_int_equal(cJSON_GetArraySize(list), count);
    for (int i = 0; i < count; ++i) {
        const cJSON *entry = cJSON_GetArrayItem(list, i);
        assert_string_equal(field(entry, "text"), texts[i]);
        assert_true(number_of(entry, "tokens") == tokens[i]);
        assert_true(number_of(entry, "context") == CONTEXT);
    }
}

static void heats_of_cut_texts_are_marked(void **state) {
    (void)state;
    char *longest = words(WORDS, "b"), *fits = words(WORDS - 1, "b"), *other = words(WORDS + 7, "<x>");
    char *analyses = text("  - {plugin: topic-segmentation, images: [" IMAGE "], heads: [L1.H0, aggregate], "
                          "texts: [\"%s\", \"%s\", snow, \"%s\"]}\n",
                          longest, fits, other);
    outcome got = run_well(TINY_A, "reference", analyses);
    const char *const cut[] = {longest, other};
    const double tokens[] = {CONTEXT + 1, CONTEXT + 10}; /* "<x>" is "<", "x", ">" */
    need_listed(&got, cut, tokens, 2);
    const cJSON *item;
    int marked = 0;
    cJSON_ArrayForEach(item, results_of(&got, 0)) {
        const char *shown = field(item, "text");
        bool expected = strcmp(shown, longest) == 0 || strcmp(shown, other) == 0;
        assert_int_equal(is_marked(item), expected);
        marked += expected;
    }
    assert_int_equal(marked, 4);
    assert_int_equal(count_of(got.errors, "\n"), 2);
    assert_int_equal(count_of(got.errors, " reads 32: it is cut"), 2);
    assert_non_null(strstr(got.errors, "has 33 tokens"));
    assert_non_null(strstr(got.errors, " ... "));
    assert_non_null(strstr(got.errors, "b b <x>\" has 42 tokens"));
    char *page = page_of(&got);
    assert_non_null(strstr(page, "2 texts are cut"));
    assert_non_null(strstr(page, "&lt;x&gt;</bdi> <span class=\"quiet\">42 tokens, 32 read</span>"));
    assert_int_equal(count_of(page, "<span class=\"chip\">cut</span>"), 2);
    free(page);
    end(&got);
    free(analyses);
    free(longest);
    free(fits);
    free(other);
}

/* Which side of a difference it is does not matter. */
static void differences_are_marked(void **state) {
    (void)state;
    char *longest = words(40, "b");
    for (int i = 0; i < 3; ++i) {
        char *analyses =
            text("  - {plugin: contrastive-segmentation, images: [" IMAGE "], heads: [aggregate], "
                 "texts: [\"%s\", \"%s\"]}\n",
                 i == 0 ? longest : "snow", i == 1 ? longest : "rain");
        outcome got = run_well(TINY_A, "reference", analyses);
        assert_int_equal(is_marked(cJSON_GetArrayItem(results_of(&got, 0), 0)), i < 2);
        char *page = page_of(&got);
        assert_int_equal(count_of(page, "<span class=\"chip\">cut</span>"), i < 2);
        assert_int_equal(count_of(got.errors, "is cut"), i < 2);
        free(page);
        end(&got);
        free(analyses);
    }
    free(longest);
}

/* An image may bear the name of a text. */
static void neighbors_of_cut_texts_are_marked(void **state) {
    (void)state;
    char *folder = make_folder(), *name = words(WORDS, "b"), *file = text("%s/%s", folder, name);
    copy_file(IMAGE, file);
    char *analyses = text("  - {plugin: text-neighbors, texts: [\"%s\", snow], heads: [L0.H0], count: 2}\n"
                          "  - {plugin: image-neighbors, images: [\"%s\"], heads: [L0.H0], count: 2}\n"
                          "  - {plugin: text-neighbors, texts: [\"%s\"], heads: [L1.H0, L1.H1], count: 1}\n",
                          name, name, name);
    outcome got =
        run_in(folder, "model: {path: " TINY_A "}\ngallery: {images: " TEST_GOLDEN "/gallery}\n", analyses);
    need_success(&got);
    assert_true(is_marked(cJSON_GetArrayItem(results_of(&got, 0), 0)));
    assert_false(is_marked(cJSON_GetArrayItem(results_of(&got, 0), 1)));
    assert_false(is_marked(cJSON_GetArrayItem(results_of(&got, 1), 0)));
    assert_true(is_marked(cJSON_GetArrayItem(results_of(&got, 2), 0)));
    assert_true(is_marked(cJSON_GetArrayItem(results_of(&got, 2), 1)));
    assert_int_equal(count_of(got.errors, "is cut"), 1); /* once, though three ask with it */
    free(analyses);
    free(file);
    free(name);
    end(&got);
}

/* Where nothing is cut, nothing is said. */
static void texts_that_fit_are_not_mentioned(void **state) {
    (void)state;
    char *fits = words(WORDS - 1, "b");
    char *analyses =
        text("  - {plugin: topic-segmentation, images: [" IMAGE "], texts: [\"%s\", \"\"]}\n", fits);
    outcome got = run_well(TINY_A, "reference", analyses);
    assert_null(cJSON_GetObjectItem(got.root, "truncated"));
    assert_string_equal(got.errors, "");
    char *page = page_of(&got);
    assert_null(strstr(page, ">cut<"));
    free(page);
    end(&got);
    free(analyses);
    free(fits);
}

static void a_check_and_every_variant_say_so(void **state) {
    (void)state;
    char *longest = words(WORDS, "b"), *folder = make_folder(), *path = text("%s/e.yaml", folder), *errors;
    char *yaml =
        text("headlight: 1\nmodel: {path: " TINY_A "}\noutput: out\n"
             "variants: [{name: one}, {name: two, set: {analyses.0.texts.0: snow}}]\n"
             "analyses:\n  - {plugin: topic-segmentation, images: [" IMAGE "], texts: [\"%s\", rain]}\n",
             longest);
    write_text(path, yaml);
    assert_int_equal(run_command(NULL, &errors, "run", "--check", path, NULL), 0);
    assert_int_equal(count_of(errors, "is cut"), 1);
    free(errors);
    assert_int_equal(run_command(NULL, &errors, "run", path, NULL), 0);
    assert_int_equal(count_of(errors, "is cut"), 1);
    free(errors);
    for (int i = 0; i < 2; ++i) {
        char *results = text("%s/out/%s/results.json", folder, i ? "two" : "one");
        cJSON *root = read_json(results);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "truncated")), i ? 0 : 1);
        cJSON_Delete(root);
        free(results);
    }
    free(yaml);
    free(path);
    free(longest);
    remove_folder(folder);
}

static void decompose_warns(void **state) {
    (void)state;
    char *folder = make_folder(), *list = text("%s/texts.txt", folder), *out = text("%s/out", folder),
         *errors;
    char *one = words(WORDS, "first"), *file = text("snow\n%s\n", one);
    for (int i = 0; i < 7; ++i) {
        char *next = words(WORDS + 1, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d"),
             *longer = text("%s%d%s\n", file, i, next);
        free(next);
        free(file);
        file = longer;
    }
    write_text(list, file);
    assert_int_equal(run_command(NULL, &errors, "decompose", "--model", TINY_A, "--image", IMAGE, "--text",
                                 one, "--text", "snow", "--texts", list, "--out", out, NULL),
                     0);
    assert_int_equal(count_of(errors, "it is cut"), 5);
    assert_non_null(strstr(errors, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d\" has "));
    assert_non_null(strstr(errors, "and 3 more texts are cut")); /* eight in all, one of them given twice */
    assert_int_equal(count_of(errors, "\n"), 6);
    free(errors);
    free(file);
    free(one);
    free(out);
    free(list);
    remove_folder(folder);
}

/* A character is never cut in half, wherever the shortened text ends and begins again. */
static void what_is_said_stays_utf8(void **state) {
    (void)state;
    char *folder = make_folder(), *out = text("%s/out", folder);
    for (int shift = 0; shift < 4; ++shift) {
        char *shown = words(0, ""), *errors;
        for (int i = 0; i < 60; ++i) {
            char *longer = text("%s%s", i ? shown : &"aaa"[3 - shift], "\xf0\x9f\x8c\x8d\xe2\x82\xac ");
            free(shown);
            shown = longer;
        }
        assert_int_equal(run_command(NULL, &errors, "decompose", "--model", TINY_A, "--image", IMAGE,
                                     "--text", shown, "--out", out, NULL),
                         0);
        assert_int_equal(count_of(errors, "it is cut"), 1);
        assert_null(strstr(errors, "\xef\xbf\xbd")); /* what stands for ill-formed bytes */
        assert_null(strstr(errors, "\\x"));
        free(errors);
        free(shown);
    }
    free(out);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heats_of_cut_texts_are_marked),
        cmocka_unit_test(differences_are_marked),
        cmocka_unit_test(neighbors_of_cut_texts_are_marked),
        cmocka_unit_test(texts_that_fit_are_not_mentioned),
        cmocka_unit_test(a_check_and_every_variant_say_so),
        cmocka_unit_test(decompose_warns),
        cmocka_unit_test(what_is_said_stays_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
