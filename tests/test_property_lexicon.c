/* shared/property-lexicon: what WordNet alone says of the general pool, whose properties are known, and of
 * labels that are no property. */
#include "core/host/host.h"
#include "headlight/library.h"
#include "pool/pool.h"
#include "property-lexicon/property_lexicon.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#define TABLE TEST_SOURCE "/configs/pools/general_properties.tsv"

static host *plain;

static int open_setting(void **state) {
    (void)state;
    static const hl_library_settings settings = {.size = sizeof settings};
    hl_error error;
    assert_ok(host_open(&settings, 1, &plain, &error), error);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    host_close(plain);
    return 0;
}

static bool is_installed(void) {
    bool there = file_exists(LEXICON_WORDNET_FOLDER "/data.noun");
    if (!there) print_message("skipped: no " LEXICON_WORDNET_FOLDER ", Debian's wordnet-base\n");
    return there;
}

static lexicon *open_words(const char *lines) {
    const lexicon_files files = {.wordnet = LEXICON_WORDNET_FOLDER, .lines = lines};
    lexicon *words;
    hl_error error;
    assert_ok(lexicon_open(&plain->interface, &files, &words, &error), error);
    return words;
}

/* The property of which most of the text speaks; SIZE_MAX: nothing is known. */
static size_t read_best(lexicon *words, const char *text, double *shares) {
    size_t best = SIZE_MAX;
    double all = 0;
    hl_error error;
    assert_ok(lexicon_read(words, text, shares, &error), error);
    for (size_t p = 0; p < lexicon_count(words); ++p) {
        all += shares[p];
        if (shares[p] > 0 && (best == SIZE_MAX || shares[p] > shares[best])) best = p;
    }
    assert_true(best == SIZE_MAX ? !(all > 0) : all > 0.999 && all < 1.001);
    return best;
}

/* Twenty-seven properties: chance is below a twentieth. */
static void wordnet_knows_most_of_the_general_pool(void **state) {
    (void)state;
    if (!is_installed()) return;
    pool *rows;
    hl_error error;
    assert_ok(pool_open(&plain->interface, TABLE, &rows, &error), error);
    lexicon *words = open_words(NULL);
    double *shares = calloc(lexicon_count(words), sizeof *shares);
    size_t right = 0, spoken_of = 0;
    for (size_t i = 0; i < rows->count; ++i) {
        size_t length = strcspn(rows->texts[i], "\t"), known;
        char line[256];
        snprintf(line, sizeof line, "%.*s", (int)length, rows->texts[i]);
        assert_ok(lexicon_find(words, rows->texts[i] + length + 1, &known, &error), error);
        if (known == SIZE_MAX) fail_msg("%s is not built in", rows->texts[i] + length + 1);
        size_t best = read_best(words, line, shares);
        right += best == known;
        spoken_of += shares[known] >= 0.25;
    }
    print_message("%zu of %zu texts rightly, %zu spoken of\n", right, rows->count, spoken_of);
    assert_true(10 * right >= 6 * rows->count);
    free(shares);
    lexicon_close(words);
    pool_close(rows);
}

static void tables_come_before_wordnet(void **state) {
    (void)state;
    lexicon *words = open_words(TABLE);
    double *shares = calloc(lexicon_count(words), sizeof *shares), chances = 0;
    size_t best = read_best(words, "a piece of rusty metal", shares);
    assert_string_equal(lexicon_property(words, best), "materials");
    for (size_t p = 0; p < lexicon_count(words); ++p) chances += lexicon_chance(words, p);
    assert_true(chances > 0.999 && chances < 1.001);
    free(shares);
    lexicon_close(words);
}

static void names_of_properties_fold(void **state) {
    (void)state;
    lexicon *words = open_words(TABLE);
    static const char *const same[] = {"Animals.", "animal", " ANIMALS "};
    size_t first, found;
    hl_error error;
    assert_ok(lexicon_find(words, "animals", &first, &error), error);
    for (size_t i = 0; i < COUNT(same); ++i) {
        assert_ok(lexicon_find(words, same[i], &found, &error), error);
        assert_int_equal(found, first);
    }
    assert_ok(lexicon_find(words, "birds", &found, &error), error);
    assert_true(found == SIZE_MAX);
    lexicon_close(words);
}

static void other_labels_mean_what_their_words_do(void **state) {
    (void)state;
    if (!is_installed()) return;
    static const struct {
        const char *label, *text;
        bool known, under;
    } cases[] = {{"Birds", "a photo of a sparrow", true, true},
                 {"Birds", "a photo of a violin", true, false},
                 {"musical instruments", "a photo of a violin", true, true},
                 {"Geographic locations", "a photo taken in Paris", true, true},
                 {"Flower", "a close up of a sunflower", true, true},
                 {"qwertyuiop", "a photo of a violin", false, false},
                 {"", "a photo of a violin", false, false},
                 {"\xc3\xa9t\xc3\xa9", "a photo of a violin", false, false}};
    lexicon *words = open_words(NULL);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        wordnet_senses senses;
        bool under;
        hl_error error;
        assert_ok(lexicon_meaning(words, cases[i].label, &senses, &error), error);
        assert_int_equal(senses.count > 0, cases[i].known);
        assert_ok(lexicon_is_under(words, cases[i].text, &senses, &under, &error), error);
        if (under != cases[i].under) fail_msg("%s, %s", cases[i].label, cases[i].text);
    }
    lexicon_close(words);
}

static void any_text_is_read(void **state) {
    (void)state;
    if (!is_installed()) return;
    static const char *const odd[] = {
        "", " ", "the of a", "12345 678", "na\xc3\xafve caf\xc3\xa9", "\xff\xfe", "it's o'clock"};
    lexicon *words = open_words(NULL);
    double *shares = calloc(lexicon_count(words), sizeof *shares);
    for (size_t i = 0; i < COUNT(odd); ++i) read_best(words, odd[i], shares);
    char longest[20000];
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < sizeof longest; i += 7) longest[i] = ' ';
    longest[sizeof longest - 1] = '\0';
    read_best(words, longest, shares);
    free(shares);
    lexicon_close(words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wordnet_knows_most_of_the_general_pool),
        cmocka_unit_test(tables_come_before_wordnet),
        cmocka_unit_test(names_of_properties_fold),
        cmocka_unit_test(other_labels_mean_what_their_words_do),
        cmocka_unit_test(any_text_is_read),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
