/* shared/wordnet: senses, forms and what lies above, in a small database whose offsets are counted here and
 * in the real one where it is installed; and what is damaged. */
#include "core/host/host.h"
#include "headlight/library.h"
#include "tests/support.h"
#include "wordnet/wordnet.h"

#include <stdlib.h>
#include <string.h>

#define REAL "/usr/share/wordnet"

/* ---- a small database ---- */

enum { THING, BEAST, DOG, MOUSE, FIDO, HUE, RED_NOUN, NOUNS };
enum { COLORED, RED, ADJECTIVES };

typedef struct small {
    char index[WORDNET_PARTS][2048], data[WORDNET_PARTS][2048], exceptions[WORDNET_PARTS][256];
    size_t nouns[NOUNS], adjectives[ADJECTIVES];
} small;

static const char licence[] = "  1 Made for a test.  \n";

static void add(char *to, size_t *at, const char *line) {
    *at = strlen(to);
    strcat(to, line);
}

/* Pointers of fixed width, so that two passes give the same offsets: the first counts, the second fills in.
 */
static void fill(small *of) {
    for (int pass = 0; pass < 2; ++pass) {
        char line[512], *nouns = of->data[WORDNET_NOUN], *adjectives = of->data[WORDNET_ADJECTIVE];
        const size_t *n = of->nouns, *a = of->adjectives;
        strcpy(nouns, licence);
        strcpy(adjectives, licence);
#define NOUN(AT, ...) snprintf(line, sizeof line, __VA_ARGS__), add(nouns, &of->nouns[AT], line)
#define ADJECTIVE(AT, ...)                                                                                   \
    snprintf(line, sizeof line, __VA_ARGS__), add(adjectives, &of->adjectives[AT], line)
        NOUN(THING, "%08zu 03 n 01 thing 0 001 ~ %08zu n 0000 | all there is  \n", n[THING], n[BEAST]);
        NOUN(BEAST, "%08zu 05 n 02 beast 0 animal 0 002 @ %08zu n 0000 ~ %08zu n 0000 | it moves  \n",
             n[BEAST], n[THING], n[DOG]);
        NOUN(DOG, "%08zu 05 n 01 dog 0 001 @ %08zu n 0000 | it barks  \n", n[DOG], n[BEAST]);
        NOUN(MOUSE, "%08zu 05 n 01 mouse 0 001 @ %08zu n 0000 | it hides  \n", n[MOUSE], n[BEAST]);
        NOUN(FIDO, "%08zu 05 n 01 old_dog 0 001 @i %08zu n 0000 | one of them  \n", n[FIDO], n[DOG]);
        NOUN(HUE, "%08zu 07 n 01 hue 0 001 @ %08zu n 0000 | seen  \n", n[HUE], n[THING]);
        NOUN(RED_NOUN, "%08zu 07 n 01 red 0 002 @ %08zu n 0000 + %08zu a 0101 | as blood  \n", n[RED_NOUN],
             n[HUE], a[RED]);
        ADJECTIVE(COLORED, "%08zu 00 a 01 colored 0 002 = %08zu n 0000 & %08zu a 0000 | with a hue  \n",
                  a[COLORED], n[HUE], a[RED]);
        ADJECTIVE(RED, "%08zu 00 s 01 red 0 002 & %08zu a 0000 + %08zu n 0101 | of that hue  \n", a[RED],
                  a[COLORED], n[RED_NOUN]);
    }
    snprintf(of->index[WORDNET_NOUN], sizeof *of->index,
             "%sanimal n 1 1 @ 1 1 %08zu  \nbeast n 1 2 @ ~ 1 1 %08zu  \ndog n 2 1 @ 2 1 %08zu %08zu  \nhue "
             "n 1 1 @ 1 0 %08zu  \n"
             "mouse n 1 1 @ 1 0 %08zu  \nold_dog n 1 1 @ 1 0 %08zu  \nred n 1 2 @ + 1 0 %08zu  \nthing n 1 1 "
             "~ 1 0 %08zu  \n",
             licence, of->nouns[BEAST], of->nouns[BEAST], of->nouns[DOG], of->nouns[MOUSE], of->nouns[HUE],
             of->nouns[MOUSE], of->nouns[FIDO], of->nouns[RED_NOUN], of->nouns[THING]);
    snprintf(of->index[WORDNET_ADJECTIVE], sizeof *of->index,
             "%scolored a 1 2 = & 1 0 %08zu  \nred a 1 2 & + 1 0 %08zu  \n", licence, of->adjectives[COLORED],
             of->adjectives[RED]);
    strcpy(of->exceptions[WORDNET_NOUN], "mice mouse\n");
}

static wordnet *open_texts(const small *of) {
    wordnet_texts texts[WORDNET_PARTS];
    wordnet *words;
    hl_error error;
    for (size_t i = 0; i < WORDNET_PARTS; ++i) {
        texts[i] = (wordnet_texts){.index = {of->index[i], strlen(of->index[i])},
                                   .data = {of->data[i], strlen(of->data[i])},
                                   .exceptions = {of->exceptions[i], strlen(of->exceptions[i])}};
    }
    assert_ok(wordnet_of_texts(texts, &words, &error), error);
    return words;
}

/* Senses of a word, by their places in the data. */
static void need_senses(const wordnet *words, wordnet_part part, const char *word, size_t count,
                        const size_t *expected) {
    wordnet_senses found;
    hl_error error;
    assert_ok(wordnet_find(words, part, word, &found, &error), error);
    assert_int_equal(found.count, count);
    for (size_t i = 0; i < count; ++i) assert_int_equal(found.at[i].offset, expected[i]);
}

static void words_have_senses(void **state) {
    (void)state;
    small of = {0};
    fill(&of);
    wordnet *words = open_texts(&of);
    need_senses(words, WORDNET_NOUN, "dog", 2, (size_t[]){of.nouns[DOG], of.nouns[MOUSE]});
    need_senses(words, WORDNET_NOUN, "animal", 1, (size_t[]){of.nouns[BEAST]}); /* the first */
    need_senses(words, WORDNET_NOUN, "thing", 1, (size_t[]){of.nouns[THING]});  /* and the last line */
    need_senses(words, WORDNET_ADJECTIVE, "red", 1, (size_t[]){of.adjectives[RED]});
    static const char *const unknown[] = {"", "1", "do", "dogs", "zebra", "a", "old dog", "\xff\xff"};
    for (size_t i = 0; i < COUNT(unknown); ++i) need_senses(words, WORDNET_NOUN, unknown[i], 0, NULL);
    need_senses(words, WORDNET_VERB, "dog", 0, NULL);
    wordnet_close(words);
}

static void need_above(const wordnet *words, wordnet_sense from, size_t count, const size_t *expected) {
    wordnet_above above;
    hl_error error;
    assert_ok(wordnet_climb(words, from, &above, &error), error);
    assert_int_equal(above.count, count);
    for (size_t i = 0; i < count; ++i) assert_int_equal(above.at[i].offset, expected[i]);
}

static void what_lies_above_comes_near_first(void **state) {
    (void)state;
    small of = {0};
    fill(&of);
    wordnet *words = open_texts(&of);
    const size_t *n = of.nouns, *a = of.adjectives;
    need_above(words, (wordnet_sense){WORDNET_NOUN, (uint32_t)n[FIDO]}, 4,
               (size_t[]){n[FIDO], n[DOG], n[BEAST], n[THING]});
    need_above(words, (wordnet_sense){WORDNET_NOUN, (uint32_t)n[RED_NOUN]}, 3,
               (size_t[]){n[RED_NOUN], n[HUE], n[THING]});
    need_above(words, (wordnet_sense){WORDNET_ADJECTIVE, (uint32_t)a[COLORED]}, 3,
               (size_t[]){a[COLORED], n[HUE], n[THING]});
    need_above(words, (wordnet_sense){WORDNET_ADJECTIVE, (uint32_t)a[RED]}, 5,
               (size_t[]){a[RED], a[COLORED], n[RED_NOUN], n[HUE], n[THING]});
    wordnet_close(words);
}

static void need_forms(const wordnet *words, wordnet_part part, const char *word, const char *expected) {
    wordnet_forms forms;
    char all[512] = "";
    wordnet_base_forms(words, part, word, &forms);
    for (size_t i = 0; i < forms.count; ++i) strcat(strcat(all, i ? " " : ""), forms.at[i]);
    assert_string_equal(all, expected);
}

static void forms_lead_to_words(void **state) {
    (void)state;
    small of = {0};
    fill(&of);
    wordnet *words = open_texts(&of);
    static const char *const cases[][2] = {
        {"dog", "dog"},          {"dogs", "dog"}, {"mice", "mouse"}, {"mouses", "mouse"},
        {"old_dogs", "old_dog"}, {"s", ""},       {"", ""},          {"unheard", ""}};
    for (size_t i = 0; i < COUNT(cases); ++i) need_forms(words, WORDNET_NOUN, cases[i][0], cases[i][1]);
    need_forms(words, WORDNET_ADJECTIVE, "reder", "red");
    char longest[4 * WORDNET_LONGEST];
    memset(longest, 's', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    need_forms(words, WORDNET_NOUN, longest, "");
    wordnet_close(words);
}

/* ---- damage ---- */

static hl_status climb_word(const small *of, const char *word, hl_error *error) {
    wordnet *words = open_texts(of);
    wordnet_senses senses;
    wordnet_above above;
    hl_status status = wordnet_find(words, WORDNET_NOUN, word, &senses, error);
    for (size_t i = 0; i < senses.count && status == HL_OK; ++i)
        status = wordnet_climb(words, senses.at[i], &above, error);
    wordnet_close(words);
    return status;
}

static void damage_is_named_with_its_place(void **state) {
    (void)state;
    static const struct {
        bool data;
        const char *from, *to, *words;
    } cases[] = {
        {false, "mouse n 1", "mouse n x", "index.noun: byte"},
        {false, "mouse n 1 1 @ 1 0 ", "mouse n 2 1 @ 2 0 ", "index.noun: byte"},
        {false, "mouse n 1 1 @ 1 0 0", "mouse n 1 1 @ 1 0 9", "data.noun: byte 9"},
        {false, "mouse n 1 1", "mouse n 1 9", "index.noun: byte"},
        {false, "mouse n 1 1", "mouse n 0 1", "1 to 96 senses"},
        {true, " 05 n 01 mouse", " xx n 01 mouse", "data.noun: byte"},
        {true, " 05 n 01 mouse", " 05 v 01 mouse", "the synset's part of speech"},
        {true, " 05 n 01 mouse", " 05 n ff mouse", "data.noun: byte"},
        {true, "mouse 0 001 @", "mouse 0 999 @", "data.noun: byte"},
        {true, "mouse 0 001 @", "mouse 0 001 ?", NULL}, /* a symbol that means nothing here leads nowhere */
        {true, "mouse 0 001 @", "mouse 0 1   @", "how many pointers there are"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        small of = {0};
        hl_error error = {""};
        fill(&of);
        char *text = cases[i].data ? of.data[WORDNET_NOUN] : of.index[WORDNET_NOUN],
             *at = strstr(text, cases[i].from);
        assert_non_null(at);
        memcpy(at, cases[i].to, strlen(cases[i].to));
        hl_status status = climb_word(&of, "mouse", &error);
        assert_int_equal(status, cases[i].words ? HL_FAILED : HL_OK);
        if (cases[i].words && !strstr(error.message, cases[i].words)) fail_msg("%zu: %s", i, error.message);
        if (cases[i].words) assert_non_null(strstr(error.message, "install wordnet-base again"));
    }
}

/* Wherever a file ends, there is an answer or an error. */
static void files_cut_short_end_well(void **state) {
    (void)state;
    small whole = {0};
    fill(&whole);
    for (int data = 0; data < 2; ++data) {
        size_t length = strlen(data ? whole.data[WORDNET_NOUN] : whole.index[WORDNET_NOUN]);
        for (size_t end = 0; end < length; ++end) {
            small of = whole;
            hl_error error;
            (data ? of.data[WORDNET_NOUN] : of.index[WORDNET_NOUN])[end] = '\0';
            climb_word(&of, "mouse", &error);
            climb_word(&of, "thing", &error);
        }
    }
}

static void a_circle_is_walked_once(void **state) {
    (void)state;
    small of = {0};
    hl_error error;
    fill(&of);
    char *top = strstr(of.data[WORDNET_NOUN], "thing 0 001 ~");
    top[strlen("thing 0 001 ")] = '@'; /* all there is is a beast */
    assert_ok(climb_word(&of, "dog", &error), error);
}

/* ---- the real one ---- */

static void real_words_are_under_what_they_are(void **state) {
    (void)state;
    if (!file_exists(REAL "/data.noun")) {
        print_message("skipped: no " REAL ", Debian's wordnet-base\n");
        return;
    }
    static const hl_library_settings settings = {.size = sizeof settings};
    static const struct {
        const char *word, *root;
        wordnet_part part;
        bool under;
    } cases[] = {{"dog", "animal", WORDNET_NOUN, true},
                 {"violin", "musical_instrument", WORDNET_NOUN, true},
                 {"mice", "animal", WORDNET_NOUN, true},
                 {"barns", "building", WORDNET_NOUN, true},
                 {"scarlet", "color", WORDNET_ADJECTIVE, true},
                 {"happy", "feeling", WORDNET_ADJECTIVE, true},
                 {"sewing_machines", "artifact", WORDNET_NOUN, true},
                 {"stone", "animal", WORDNET_NOUN, false},
                 {"paris", "location", WORDNET_NOUN, true},
                 {"oak", "animal", WORDNET_NOUN, false}};
    host *plain;
    wordnet *words;
    hl_error error;
    assert_ok(host_open(&settings, 1, &plain, &error), error);
    assert_ok(wordnet_open(&plain->interface, REAL, &words, &error), error);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        wordnet_forms forms;
        wordnet_senses senses, roots;
        wordnet_above above;
        bool found = false;
        wordnet_base_forms(words, cases[i].part, cases[i].word, &forms);
        assert_true(forms.count > 0);
        assert_ok(wordnet_find(words, cases[i].part, forms.at[0], &senses, &error), error);
        assert_ok(wordnet_find(words, WORDNET_NOUN, cases[i].root, &roots, &error), error);
        assert_ok(wordnet_climb(words, senses.at[0], &above, &error), error);
        for (size_t a = 0; a < above.count; ++a)
            found |= above.at[a].part == WORDNET_NOUN && above.at[a].offset == roots.at[0].offset;
        if (found != cases[i].under) fail_msg("%s under %s", cases[i].word, cases[i].root);
    }
    wordnet_close(words);
    host_close(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_senses),
        cmocka_unit_test(what_lies_above_comes_near_first),
        cmocka_unit_test(forms_lead_to_words),
        cmocka_unit_test(damage_is_named_with_its_place),
        cmocka_unit_test(files_cut_short_end_well),
        cmocka_unit_test(a_circle_is_walked_once),
        cmocka_unit_test(real_words_are_under_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
