/* extractor/weights, by the built command: against a singular value decomposition of the product that it
 * stands for, and on pools, options and models that give little or nothing. */
#include "tests/clip_vit.h"
#include "tests/described.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *caches;

/* A cache of its own, so that what earlier runs kept has no say. */
static int open_setting(void **state) {
    (void)state;
    caches = make_folder();
    setenv("XDG_CACHE_HOME", caches, 1);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(caches);
    return 0;
}

/* Without a gallery. */
static outcome describe(const char *pool, const char *options) {
    char *folder = make_folder(), *path = text("%s/pool.txt", folder);
    char *head = text("model: {path: " MINI "}\ncompute: {backend: reference}\n"
                      "extractors: [{name: parts, plugin: weights, pool: pool.txt, %s}]\n",
                      options);
    write_text(path, pool);
    outcome got = run_in(folder, head, "");
    free(head);
    free(path);
    return got;
}

static outcome describe_well(const char *pool, const char *options) {
    outcome got = describe(pool, options);
    need_success(&got);
    return got;
}

static const cJSON *direction_of(const outcome *got, const char *head, int rank) {
    return of_rank(cJSON_GetObjectItem(described(got, head), "directions"), rank);
}

static const cJSON *texts_of(const cJSON *direction) {
    return cJSON_GetObjectItem(direction, "texts");
}

static void they_are_those_of_the_product(void **state) {
    (void)state;
    static const char *const models[] = {"tiny-a", "tiny-b"}, *const names[] = {"reference", "openblas"};
    for (size_t i = 0; i < COUNT(models) * COUNT(names); ++i) {
        outcome got = describe_golden(models[i / 2], names[i % 2], "weights");
        assert_golden_parts(&got, models[i / 2], "weights", "directions", 2e-3);
        end(&got);
    }
}

/* Each further text explains more; the first one is the same however many there may be, and names the
 * direction. */
static void each_text_explains_more(void **state) {
    (void)state;
    char *pool = read_file(MINI_FOLDER "/pool.txt", NULL);
    double before[32] = {0};
    for (int texts = 1; texts <= 5; texts += 2) {
        char *options = text("texts: %d, count: 2, heads: [L3]", texts);
        outcome got = describe_well(pool, options);
        for (int i = 0; i < 16; ++i) {
            char *head = text("L3.H%d", i / 2);
            const cJSON *one = direction_of(&got, head, i % 2 + 1), *text;
            const cJSON *named = cJSON_GetArrayItem(texts_of(described(&got, head)), i % 2);
            assert_in_range(cJSON_GetArraySize(texts_of(one)), 1, texts);
            assert_true(number_of(one, "explained") >= before[i] - 1e-12);
            assert_true(number_of(one, "explained") <= 1);
            assert_string_equal(field(named, "text"), field(texts_of(one)->child, "text"));
            cJSON_ArrayForEach(text, texts_of(one)) assert_true(number_of(text, "weight") > 0);
            before[i] = number_of(one, "explained");
            free(head);
        }
        free(options);
        end(&got);
    }
    free(pool);
}

/* Of single directions that are there twice in other words, more coherence takes more alike ones, and
 * explains less. */
static void coherence_costs_what_it_says(void **state) {
    (void)state;
    char *pool = read_file(MINI_FOLDER "/pool.txt", NULL);
    double explained[2] = {0};
    static const char *const options[] = {"coherence: 0, texts: 2", "coherence: 0.8, texts: 2"};
    size_t changed = 0;
    outcome got[2];
    for (size_t i = 0; i < 2; ++i) got[i] = describe_well(pool, options[i]);
    for (int i = 0; i < 32; ++i) {
        char *head = text("L%d.H%d", i / 8, i % 8);
        const cJSON *one = direction_of(&got[0], head, 1), *other = direction_of(&got[1], head, 1);
        changed += !cJSON_Compare(texts_of(one), texts_of(other), true);
        explained[0] += number_of(one, "explained");
        explained[1] += number_of(other, "explained");
        free(head);
    }
    assert_true(changed > 10);
    assert_true(explained[1] < explained[0]);
    free(pool);
    end(&got[0]);
    end(&got[1]);
}

static void there_are_no_more_than_directions(void **state) {
    (void)state;
    outcome got = describe_well("snow\na red star\n", "count: 1000, texts: 32, heads: [L2.H1]");
    const cJSON *head = described(&got, "L2.H1"), *one;
    double shares = 0;
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(head, "directions")), 16);
    assert_int_equal((int)number_of(head, "rank"), 16);
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(head, "directions")) shares += number_of(one, "share");
    assert_true(fabs(shares - 1) < 1e-9);
    end(&got);
}

static void one_text_explains_every_direction_it_can(void **state) {
    (void)state;
    outcome got = describe_well("snow\r\n\r\nsnow\r\n", "count: 3, heads: [L3.H1]");
    for (int rank = 1; rank <= 3; ++rank) {
        const cJSON *one = direction_of(&got, "L3.H1", rank);
        double weight = number_of(texts_of(one)->child, "weight");
        assert_int_equal(cJSON_GetArraySize(texts_of(one)), 1);
        assert_true(fabs(number_of(one, "explained") - weight * weight) < 1e-6);
    }
    end(&got);
}

/* Without a column in the output projection there is no direction, and that is said. */
static void a_head_of_zeros_has_no_direction(void **state) {
    (void)state;
    char *model = folder_without_head(1, 2);
    char *head =
        text("model: {path: %s}\ncompute: {backend: reference}\n"
             "extractors: [{name: parts, plugin: weights, pool: " TEST_GOLDEN "/pool.txt, heads: [L1]}]\n",
             model);
    outcome got = run_in(make_folder(), head, "");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(described(&got, "L1.H2"), "directions")), 0);
    assert_int_equal((int)number_of(described(&got, "L1.H2"), "rank"), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(described(&got, "L1.H1"), "directions")), 4);
    assert_non_null(strstr(got.errors, "1 of 3 heads, L1.H2 among them, has no direction"));
    free(head);
    end(&got);
    remove_folder(model);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *pool, *options, *words;
        int status;
    } cases[] = {{"snow\n", "count: 0", "count", 2},  {"snow\n", "coherence: 1.5", "coherence", 2},
                 {"snow\n", "texts: 33", "texts", 2}, {"snow\n", "heads: [L9.H1]", "L9", 2},
                 {"", "count: 2", "pool.txt", 2},     {"\xc3\x28\n", "count: 2", "pool.txt", 1}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = describe(cases[i].pool, cases[i].options);
        need_failure(&got, cases[i].status, cases[i].words);
        end(&got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_those_of_the_product),
        cmocka_unit_test(each_text_explains_more),
        cmocka_unit_test(coherence_costs_what_it_says),
        cmocka_unit_test(there_are_no_more_than_directions),
        cmocka_unit_test(one_text_explains_every_direction_it_can),
        cmocka_unit_test(a_head_of_zeros_has_no_direction),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
