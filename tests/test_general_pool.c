/* configs/pools: the general pool is large, even, and fits every model that reads it. */
#include "core/host/host.h"
#include "headlight/library.h"
#include "pool/pool.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#define POOL  TEST_SOURCE "/configs/pools/general.txt"
#define TABLE TEST_SOURCE "/configs/pools/general_properties.tsv"

enum { LEAST_TEXTS = 3000, LEAST_PROPERTIES = 20, MOST_PROPERTIES = 64, CONTEXT = 77, LONGEST = CONTEXT - 2 };

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

static pool *read_pool(const char *path) {
    pool *read;
    hl_error error;
    assert_ok(pool_open(&plain->interface, path, &read, &error), error);
    return read;
}

/* UTF-8 is the reader's to check. A token of CLIP's is never less than a byte of the text, so what is no
 * longer than the context, but for the marks of its beginning and end, fits with any list of merges. */
static void texts_are_many_and_short(void **state) {
    (void)state;
    pool *read = read_pool(POOL);
    assert_true(read->count >= LEAST_TEXTS);
    assert_int_equal(read->blank, 0);
    assert_int_equal(read->duplicates, 0);
    for (size_t i = 0; i < read->count; ++i) {
        if (strlen(read->texts[i]) > LONGEST || strchr(read->texts[i], '\t')) fail_msg("%s", read->texts[i]);
    }
    pool_close(read);
}

static void no_two_texts_differ_in_case_alone(void **state) {
    (void)state;
    pool *read = read_pool(POOL);
    for (size_t i = 0; i < read->count; ++i) {
        for (size_t j = i + 1; j < read->count; ++j) {
            bool letters = strstr(read->texts[i], "letter") != NULL;
            if (!letters && strcasecmp(read->texts[i], read->texts[j]) == 0) fail_msg("%s", read->texts[i]);
        }
    }
    pool_close(read);
}

static void properties_are_many_and_even(void **state) {
    (void)state;
    pool *texts = read_pool(POOL), *rows = read_pool(TABLE);
    const char *names[MOST_PROPERTIES];
    size_t counts[MOST_PROPERTIES] = {0}, properties = 0, least = SIZE_MAX, most = 0;
    assert_int_equal(rows->count, texts->count);
    for (size_t i = 0; i < rows->count; ++i) {
        const char *tab = strchr(rows->texts[i], '\t');
        assert_non_null(tab);
        assert_int_equal(strncmp(rows->texts[i], texts->texts[i], strlen(texts->texts[i])), 0);
        assert_int_equal((size_t)(tab - rows->texts[i]), strlen(texts->texts[i]));
        assert_null(strpbrk(tab + 1, "\t,"));
        size_t at = 0;
        while (at < properties && strcmp(names[at], tab + 1) != 0) ++at;
        assert_true(at < MOST_PROPERTIES);
        if (at == properties) names[properties++] = tab + 1;
        ++counts[at];
    }
    for (size_t i = 0; i < properties; ++i) {
        least = counts[i] < least ? counts[i] : least;
        most = counts[i] > most ? counts[i] : most;
    }
    assert_true(properties >= LEAST_PROPERTIES);
    assert_true(most <= 2 * least);
    pool_close(rows);
    pool_close(texts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_many_and_short),
        cmocka_unit_test(no_two_texts_differ_in_case_alone),
        cmocka_unit_test(properties_are_many_and_even),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
