/* shared/pool: what becomes of the lines of a file, what is no pool, and embeddings that are encoded once. */
#include "core/host/host.h"
#include "headlight/library.h"
#include "pool/pool.h"
#include "tests/clip_vit.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;
static host *plain;
static char said[4096]; /* everything that was logged */
static const hl_call *nobody;

static void listen_to(void *user, hl_log_level level, const char *line) {
    (void)user;
    size_t length = strlen(said);
    snprintf(said + length, sizeof said - length, "%d %s\n", (int)level, line);
}

static int open_setting(void **state) {
    (void)state;
    static const hl_library_settings settings = {.size = sizeof settings, .log = listen_to};
    hl_error error;
    folder = make_folder();
    char *caches = text("%s/caches", folder);
    setenv("XDG_CACHE_HOME", caches, 1);
    free(caches);
    assert_ok(host_open(&settings, 1, &plain, &error), error);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    host_close(plain);
    remove_folder(folder);
    return 0;
}

static int forget_words(void **state) {
    (void)state;
    said[0] = '\0';
    return 0;
}

/* A pool of these bytes. */
static hl_status read_bytes(const char *bytes, size_t count, pool **out, hl_error *error) {
    char *path = text("%s/pool.txt", folder);
    write_file(path, bytes, count);
    hl_status status = pool_open(&plain->interface, path, out, error);
    free(path);
    return status;
}

static pool *read_well(const char *bytes) {
    pool *read;
    hl_error error;
    assert_ok(read_bytes(bytes, strlen(bytes), &read, &error), error);
    return read;
}

/* `expected`: the texts, each followed by '|'. */
static void need_texts(const pool *got, const char *expected) {
    char all[512] = "";
    for (size_t i = 0; i < got->count; ++i) strcat(strcat(all, got->texts[i]), "|");
    assert_string_equal(all, expected);
}

/* ---- lines ---- */

static void lines_become_texts(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *texts;
        size_t blank;
    } cases[] = {
        {"one", "one|", 0},
        {"a red star\nsnow\n", "a red star|snow|", 0},
        {"a\r\nb\r\n", "a|b|", 0},
        {"a\rb\r", "a|b|", 0},
        {"\xEF\xBB\xBF"
         "a\nb",
         "a|b|", 0},
        {"\n  a  b \t\n\n \t \nc\n\n", "a  b|c|", 4},
        {"\xC2\xA0"
         "caf\xC3\xA9\xE3\x80\x80\nb",
         "caf\xC3\xA9|b|", 0},
        {"\xF0\x9F\x90\x95\n# no comment\n", "\xF0\x9F\x90\x95|# no comment|", 0},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        pool *got = read_well(cases[i].bytes);
        need_texts(got, cases[i].texts);
        assert_int_equal(got->blank, cases[i].blank);
        assert_int_equal(got->duplicates, 0);
        pool_close(got);
    }
    assert_string_equal(said, "");
}

static void what_was_said_before_counts_once(void **state) {
    (void)state;
    pool *got = read_well("snow\n\nrain\n snow\nRain\r\nrain\nsnow");
    need_texts(got, "snow|rain|Rain|");
    assert_int_equal(got->duplicates, 3);
    assert_int_equal(got->blank, 1);
    assert_int_equal(got->lines[0], 1);
    assert_int_equal(got->lines[1], 3);
    assert_int_equal(got->lines[2], 5);
    assert_non_null(strstr(said, "2 "));
    assert_non_null(
        strstr(said, "pool.txt: 3 lines were said before, and left out: line 4 says what line 1"));
    pool_close(got);
}

static void texts_are_found_by_what_they_say(void **state) {
    (void)state;
    pool *got = read_well("snow\nrain\na red star\n");
    assert_int_equal(pool_find(got, "rain"), 1);
    assert_int_equal(pool_find(got, "  a red star\n"), 2);
    assert_true(pool_find(got, "a red") == SIZE_MAX);
    assert_true(pool_find(got, "") == SIZE_MAX);
    pool_close(got);
}

static void a_hundred_thousand_lines_are_read(void **state) {
    (void)state;
    enum { LINES = 100000 };
    char *bytes = malloc((size_t)LINES * 24), *end = bytes;
    assert_non_null(bytes);
    for (int i = 0; i < LINES; ++i) end += sprintf(end, "the number %d\n", i % (LINES - 10));
    pool *got;
    hl_error error;
    assert_ok(read_bytes(bytes, (size_t)(end - bytes), &got, &error), error);
    assert_int_equal(got->count, LINES - 10);
    assert_int_equal(got->duplicates, 10);
    assert_int_equal(pool_find(got, "the number 77777"), 77777);
    pool_close(got);
    free(bytes);
}

static void what_is_no_pool_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        hl_status status;
        const char *words;
    } cases[] = {
        {"", 0, HL_USAGE, "pool.txt: the pool is empty: write one text a line"},
        {"\n \r\n\t\n", 6, HL_USAGE, "the pool is empty"},
        {"\xEF\xBB\xBF", 3, HL_USAGE, "the pool is empty"},
        {"fine\nsn\xFFow\n", 11, HL_FAILED, "pool.txt:2: not UTF-8"},
        {"\xFF\xFEs\0n\0", 6, HL_FAILED, "pool.txt:1: "},
        {"a\nb\0c\n", 6, HL_FAILED, "pool.txt:2: the line contains a NUL byte"},
        {"a\r\n\r\ncut \xE3\x81", 11, HL_FAILED, "pool.txt:3: not UTF-8"},
        {"a\n\xED\xA0\x80\n", 6, HL_FAILED, "pool.txt:2: not UTF-8"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        pool *got;
        hl_error error;
        assert_int_equal(read_bytes(cases[i].bytes, cases[i].count, &got, &error), cases[i].status);
        assert_null(got);
        if (!strstr(error.message, cases[i].words)) fail_msg("case %zu: %s", i, error.message);
    }
}

static void what_is_no_file_or_too_large_is_refused(void **state) {
    (void)state;
    pool *got;
    hl_error error;
    assert_int_equal(pool_open(&plain->interface, folder, &got, &error), HL_USAGE);
    assert_non_null(strstr(error.message, folder));
    char *missing = text("%s/missing.txt", folder), *large = text("%s/large.txt", folder);
    assert_int_not_equal(pool_open(&plain->interface, missing, &got, &error), HL_OK);
    assert_non_null(strstr(error.message, "missing.txt"));
    write_text(large, "a");
    assert_int_equal(truncate(large, POOL_LARGEST + 1), 0);
    assert_int_equal(pool_open(&plain->interface, large, &got, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "large.txt"));
    char *line = malloc(100000);
    assert_non_null(line);
    memset(line, 'a', 100000);
    assert_int_equal(read_bytes(line, 100000, &got, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "pool.txt:1: the line has 100000 bytes"));
    free(line);
    free(missing);
    free(large);
}

/* ---- embeddings ---- */

static const hl_ask *open_model(hl_library **library, const hl_call *call) {
    static const char *const folders[] = {TEST_PLUGINS};
    const hl_library_settings settings = {
        .size = sizeof settings, .plugin_folders = folders, .plugin_folder_count = 1, .log = listen_to};
    const hl_ask_settings model = {.size = sizeof model, .model = MINI, .backend = "reference"};
    const hl_ask *ask;
    hl_error error;
    assert_ok(hl_library_open(&settings, library, &error), error);
    assert_ok(hl_ask_open(*library, call, &model, &ask, &error), error);
    return ask;
}

static uint64_t count_texts(const hl_ask *ask) {
    hl_ask_counts counts = {.size = sizeof counts};
    hl_ask_count(ask, &counts);
    return counts.texts;
}

static pool *read_many(const char *word, size_t lines) {
    char *bytes = zeros(lines, 40), *end = bytes;
    for (size_t i = 0; i < lines; ++i) end += sprintf(end, "%s %zu\n", word, i);
    pool *got = read_well(bytes);
    free(bytes);
    return got;
}

/* The embeddings, and how many texts the model encoded for them. */
static float *embed(const pool *from, uint64_t *encoded) {
    hl_library *library;
    const hl_ask *ask = open_model(&library, nobody);
    float *found, *copy;
    hl_error error;
    assert_ok(pool_embeddings(ask, from, &found, &error), error);
    size_t bytes = from->count * ask->model->embed_dim * sizeof *found;
    copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, found, bytes);
    *encoded = count_texts(ask);
    ask->host->release(ask->host, found);
    hl_ask_close(ask);
    hl_library_close(library);
    return copy;
}

static void texts_are_encoded_once(void **state) {
    (void)state;
    enum { LINES = 1500, DIM = 96 };
    pool *from = read_many("star", LINES);
    uint64_t encoded;
    float *first = embed(from, &encoded);
    assert_int_equal(encoded, LINES + 1);
    float *again = embed(from, &encoded);
    assert_int_equal(encoded, 1); /* which says which backend it is */
    assert_memory_equal(first, again, (size_t)LINES * DIM * sizeof *first);
    for (size_t i = 0; i < LINES; ++i) {
        double square = 0;
        for (size_t k = 0; k < DIM; ++k) square += (double)first[i * DIM + k] * (double)first[i * DIM + k];
        assert_true(fabs(square - 1) < 1e-5);
    }
    free(first);
    free(again);
    pool_close(from);
    from = read_many("star", LINES + 1); /* its first piece is known */
    free(embed(from, &encoded));
    assert_int_equal(encoded, 1 + LINES + 1 - 1024);
    pool_close(from);
}

static bool is_late(void *user) {
    const hl_ask *ask = *(const hl_ask *const *)user;
    return ask && count_texts(ask) > 1100;
}

static void an_interrupted_encoding_goes_on(void **state) {
    (void)state;
    enum { LINES = 2100 };
    pool *from = read_many("ring", LINES);
    const hl_ask *watched = NULL;
    const hl_call call = {.size = sizeof call, .user = &watched, .cancelled = is_late};
    hl_library *library;
    const hl_ask *ask = open_model(&library, &call);
    watched = ask;
    float *found;
    hl_error error;
    assert_int_equal(pool_embeddings(ask, from, &found, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_null(found);
    watched = NULL;
    hl_ask_close(ask);
    hl_library_close(library);
    uint64_t encoded;
    free(embed(from, &encoded));
    assert_int_equal(encoded, 1 + LINES - 1024);
    pool_close(from);
}

/* ---- what is kept is damaged ---- */

static const hl_ask *behind_liar;
static int lie;

/* A cache that gives back something else than was remembered. */
static void recall_wrongly(const hl_ask *ask, const char *key, void **bytes, size_t *count) {
    (void)ask;
    behind_liar->recall(behind_liar, key, bytes, count);
    if (!*bytes) return;
    float *numbers = *bytes;
    if (lie == 0) *count -= 4;
    if (lie == 1) numbers[5] = NAN;
    if (lie == 2) memset(numbers, 0, *count);
    if (lie == 3) numbers[*count / 4 - 1] = 3e38f;
}

static void count_remembered(const hl_ask *ask, const char *key, const void *bytes, size_t count) {
    behind_liar->remember(behind_liar, key, bytes, count);
    (void)ask;
}

static hl_status encode_behind(const hl_ask *ask, const char *const *texts, size_t count, float *out,
                               hl_error *error) {
    (void)ask;
    return behind_liar->encode_texts(behind_liar, texts, count, out, error);
}

static void what_is_kept_and_damaged_is_encoded_again(void **state) {
    (void)state;
    hl_library *library;
    behind_liar = open_model(&library, NULL);
    hl_ask liar = *behind_liar;
    liar.recall = recall_wrongly;
    liar.remember = count_remembered;
    liar.encode_texts = encode_behind;
    pool *from = read_well("snow\nrain\nfog\n");
    float *first, *again;
    hl_error error;
    assert_ok(pool_embeddings(behind_liar, from, &first, &error), error);
    for (lie = 0; lie < 4; ++lie) {
        uint64_t before = count_texts(behind_liar);
        assert_ok(pool_embeddings(&liar, from, &again, &error), error);
        assert_int_equal(count_texts(behind_liar) - before, 1 + 3);
        assert_memory_equal(first, again, 3 * liar.model->embed_dim * sizeof *first);
        liar.host->release(liar.host, again);
    }
    liar.host->release(liar.host, first);
    pool_close(from);
    hl_ask_close(behind_liar);
    hl_library_close(library);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_become_texts, forget_words),
        cmocka_unit_test_setup(what_was_said_before_counts_once, forget_words),
        cmocka_unit_test(texts_are_found_by_what_they_say),
        cmocka_unit_test(a_hundred_thousand_lines_are_read),
        cmocka_unit_test(what_is_no_pool_is_refused),
        cmocka_unit_test(what_is_no_file_or_too_large_is_refused),
        cmocka_unit_test(texts_are_encoded_once),
        cmocka_unit_test(an_interrupted_encoding_goes_on),
        cmocka_unit_test(what_is_kept_and_damaged_is_encoded_again),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
