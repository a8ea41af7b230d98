/* Names of properties that are one property, and chance that comes from a seed. */
#include "chance/chance.h"
#include "property-words/property-words.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

static bool are_one(const char *a, const char *b) {
    char *one = property_key(a), *other = property_key(b);
    assert_true(one && other);
    bool same = strcmp(one, other) == 0;
    free(one);
    free(other);
    return same;
}

static void spellings_of_one_property_are_one(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"Animals", "animal"},
        {"Location.", "LOCATIONS"},
        {" photography. . ", "Photography"},
        {"Body parts", "body part"},
        {"Activities", "activity"},
        {"Body  parts", "body\tparts"},
        {"churches", "church"},
        {"headaches", "headache"},
        {"boxes", "box"},
        {"axes", "axe"},
        {"shoes", "shoe"},
        {"potatoes", "potato"},
        {"buses", "bus"},
        {"houses", "house"},
        {"vases", "vase"},
        {"canvases", "canvas"},
        {"lenses", "lens"},
        {"glasses", "glass"},
        {"movies", "movie"},
        {"ties", "tie"},
        {"series", "Series"},
        {"toys", "toy"},
        {"skies", "sky"},
        {"mazes", "maze"},
        {"people", "person"},
        {"Women", "woman"},
        {"snowmen", "snowman"},
        {"children", "child"},
        {"leaves", "leaf"},
        {"gloves", "glove"},
        {"cactuses", "cactus"},
        {"irises", "iris"},
        {"menus", "Menus"},
        {"dresses", "dress"},
        {"Stra\u00dfe", "STRASSE"},
        {"CAF\u00c9S", "cafe\u0301"},
        {"\xff"
         "Birds",
         "\xff"
         "birds"},
    };
    for (size_t i = 0; i < COUNT(pairs); ++i) {
        if (!are_one(pairs[i][0], pairs[i][1])) fail_msg("%s and %s are two", pairs[i][0], pairs[i][1]);
    }
}

static void others_are_others(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"birds", "animals"}, {"colors", "colorful"},  {"art", "artistic"},
        {"artwork", "art"},   {"body parts", "parts"}, {"bodyparts", "body parts"},
        {"cats", "cat food"}, {"class", "clas"},       {"location", "geo-location"},
        {"bus", "bu"},        {"clothes", "cloth"},    {"city", "cit"},
        {"glass", "gla"},
    };
    for (size_t i = 0; i < COUNT(pairs); ++i) {
        if (are_one(pairs[i][0], pairs[i][1])) fail_msg("%s and %s are one", pairs[i][0], pairs[i][1]);
    }
}

static void no_property_is_known_by_its_name(void **state) {
    (void)state;
    static const char *const none[] = {"", " . ", "Mixed.", "NONE", "unknown"}, *const some[] = {"mix",
                                                                                                 "colors"};
    for (size_t i = 0; i < COUNT(none) + COUNT(some); ++i) {
        char *key = property_key(i < COUNT(none) ? none[i] : some[i - COUNT(none)]);
        assert_true(property_key_is_none(key) == (i < COUNT(none)));
        free(key);
    }
}

/* Published first numbers of splitmix64 from the seed 1234567. */
static void numbers_are_those_of_the_seed(void **state) {
    (void)state;
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                        4593380528125082431u, 16408922859458223821u};
    chance drawn = chance_begin(1234567);
    for (size_t i = 0; i < COUNT(expected); ++i) assert_true(chance_next(&drawn) == expected[i]);
}

/* Every order of four as often, and every one that leaves none in its place. */
static void orders_are_as_likely(void **state) {
    (void)state;
    enum { SIDE = 4, TRIES = 24000 };
    size_t counts[2][256] = {{0}}, order[SIDE];
    chance drawn = chance_begin(7);
    for (int i = 0; i < 2 * TRIES; ++i) {
        bool exchanged = i % 2;
        if (exchanged)
            chance_exchange(&drawn, order, SIDE);
        else
            chance_permutation(&drawn, order, SIDE);
        size_t code = 0, seen = 0;
        for (size_t k = 0; k < SIDE; ++k) {
            code = 4 * code + order[k];
            seen |= (size_t)1 << order[k];
            assert_true(!exchanged || order[k] != k);
        }
        assert_int_equal(seen, 15);
        ++counts[exchanged][code];
    }
    for (size_t kind = 0; kind < 2; ++kind) {
        size_t orders = 0, expected = kind ? TRIES / 6 : TRIES / 24;
        for (size_t code = 0; code < 256; ++code) {
            size_t count = counts[kind][code];
            if (count == 0) continue;
            ++orders;
            assert_true(count > expected * 8 / 10 && count < expected * 12 / 10);
        }
        assert_int_equal(orders, kind ? 6 : 24); /* cycles through all four */
    }
    chance_exchange(&drawn, order, 1);
    assert_int_equal(order[0], 0);
}

static void quantiles_lie_between_values(void **state) {
    (void)state;
    double values[] = {4, 1, 3, 2};
    assert_true(chance_quantile(values, 4, 0) == 1 && chance_quantile(values, 4, 1) == 4);
    assert_true(chance_quantile(values, 4, 0.5) == 2.5 && chance_quantile(values, 4, 0.25) == 1.75);
    assert_true(chance_quantile(values, 1, 0.3) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_property_are_one),
        cmocka_unit_test(others_are_others),
        cmocka_unit_test(no_property_is_known_by_its_name),
        cmocka_unit_test(numbers_are_those_of_the_seed),
        cmocka_unit_test(orders_are_as_likely),
        cmocka_unit_test(quantiles_lie_between_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
