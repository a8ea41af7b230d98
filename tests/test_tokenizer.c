/* The tokenizer of model/clip-vit, through the plugin's table of functions: golden ids, odd Unicode, odd
 * merges files. No weights are needed: the models here are a configuration and merges. */
#include "tests/clip_vit.h"
#include "tests/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A folder with a small model's configuration, whose weights are random and never made. */
static char *make_model_folder(size_t vocabulary, size_t context) {
    char *folder = make_folder(), *path = text("%s/open_clip_config.json", folder);
    char *config =
        text("{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"image_size\": 16, \"patch_size\": 8,"
             " \"width\": 8, \"layers\": 1, \"head_width\": 8}, \"text_cfg\": {\"width\": 8, \"heads\": 1,"
             " \"layers\": 1, \"context_length\": %zu, \"vocab_size\": %zu}}}",
             context, vocabulary);
    write_text(path, config);
    free(config);
    free(path);
    return folder;
}

static hl_model *open_model(const char *folder) {
    hl_error error;
    const hl_model_source source = {.size = sizeof source, .path = folder, .random_weights = true};
    hl_model *model = NULL;
    assert_ok(api.open(&the_host->interface, &source, NULL, &model, &error), error);
    return model;
}

static void put(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name);
    write_text(path, content);
    free(path);
}

/* ---- golden cases ---- */

/* start, the ids, end, zeros */
static void check_case(const hl_model *model, const cJSON *item, int32_t end, size_t context) {
    hl_error error;
    const char *written = cJSON_GetObjectItem(item, "text")->valuestring;
    const cJSON *expected = cJSON_GetObjectItem(item, "ids"), *id;
    int32_t ids[256];
    assert_true(context <= COUNT(ids));
    assert_ok(api.tokenize(model, written, ids, &error), error);
    size_t i = 0;
    assert_int_equal(ids[i++], end - 1);
    cJSON_ArrayForEach(id, expected) {
        if (i < context - 1 && ids[i] != id->valueint) {
            fail_msg("\"%s\": id %zu is %d, expected %d", written, i, ids[i], id->valueint);
        }
        i += i < context - 1;
    }
    assert_int_equal(ids[i++], end);
    for (; i < context; ++i) assert_int_equal(ids[i], 0);
    size_t count = 0; /* of all, however few fit */
    assert_ok(api.count_tokens(model, written, &count, &error), error);
    assert_int_equal(count, cJSON_GetArraySize(expected) + 2);
}

static void check_cases(const char *name, const char *merges, size_t vocabulary) {
    cJSON *json = read_json(TEST_GOLDEN "/tokens.json");
    const cJSON *cases = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "cases"), name), *item;
    assert_true(cJSON_GetArraySize(cases) > 40);
    const size_t contexts[] = {200, 77, 6, 2};
    for (size_t i = 0; i < COUNT(contexts); ++i) {
        char *folder = make_model_folder(vocabulary, contexts[i]), *path = text("%s/merges.txt.gz", folder);
        copy_file(merges, path);
        hl_model *model = open_model(folder);
        cJSON_ArrayForEach(item, cases) check_case(model, item, (int32_t)vocabulary - 1, contexts[i]);
        api.close(model);
        free(path);
        remove_folder(folder);
    }
    cJSON_Delete(json);
}

static void small_vocabulary_is_golden(void **state) {
    (void)state;
    check_cases("mini", TEST_GOLDEN "/merges.txt.gz", 2048);
}

static void clip_vocabulary_is_golden(void **state) {
    (void)state;
    const char *path = getenv("HEADLIGHT_CLIP_VOCAB");
    if (!path) {
        print_message("skipped: HEADLIGHT_CLIP_VOCAB does not name CLIP's bpe_simple_vocab_16e6.txt.gz\n");
        skip();
    }
    check_cases("clip", path, 49408);
}

/* ---- words and bytes ---- */

/* A vocabulary without merges gives one token for each byte, by which words can be told apart: the last byte
 * of a word has its id raised by 256. */
static char *bytes_folder;
static hl_model *bytes_model;

static int open_bytes(void **state) {
    (void)state;
    bytes_folder = make_model_folder(514, 128);
    put(bytes_folder, "merges.txt", "header\n");
    bytes_model = open_model(bytes_folder);
    return 0;
}

static int close_bytes(void **state) {
    (void)state;
    api.close(bytes_model);
    remove_folder(bytes_folder);
    return 0;
}

/* The id of a byte that is not the last of its word. */
static int32_t byte_id(unsigned char byte) {
    if (byte >= '!' && byte <= '~') return byte - '!';
    if (byte >= 0xa1 && byte <= 0xac) return 94 + byte - 0xa1;
    if (byte >= 0xae) return 106 + byte - 0xae;
    return 188 + (byte <= ' ' ? byte : byte == 0xad ? 67 : 33 + byte - 0x7f);
}

/* Words are written with '|' between them; "\1" and "\2" stand for start and end inside a text. */
static void assert_words(const char *written, const char *words) {
    hl_error error;
    int32_t ids[128], expected[128] = {512};
    size_t count = 1;
    for (const char *c = words; *c; ++c) {
        if (*c == '|') continue;
        bool special = *c == 1 || *c == 2, last = c[1] == '|' || !c[1];
        expected[count++] = special ? 511 + *c : byte_id((unsigned char)*c) + (last ? 256 : 0);
    }
    expected[count] = 513;
    assert_ok(api.tokenize(bytes_model, written, ids, &error), error);
    for (size_t i = 0; i < COUNT(ids); ++i) {
        if (ids[i] != expected[i])
            fail_msg("\"%s\": id %zu is %d, expected %d", written, i, ids[i], expected[i]);
    }
}

/* Expected words: Python's html.unescape (twice), str.strip, str.lower and the module regex with CLIP's
 * pattern. */
static void texts_are_cleaned_as_in_python(void **state) {
    (void)state;
    static const struct {
        const char *written, *words;
    } cases[] = {
        {"", ""},
        {"  a \t\n\v\f\r b  ", "a|b"},
        {"\u00a0a\u2003\u3000b\xc2\x85"
         "c",
         "a|b|c"},
        {"\x1c"
         "a\x1c"
         "b\x1f",
         "a|\x1c|b"}, /* stripped at the ends; within, the pattern counts them among the rest */
        {"a\u200bb", "a|\u200b|b"},
        {"&lt;&amp;&gt;", "<&>"},
        {"&amp;lt;", "<"},
        {"&amp;amp;lt;", "&|lt|;"},
        {"&lt&notit;&notin;", "<\u00ac|it|;\u2209"},
        {"&CounterClockwiseContourIntegral;", "\u2233"},
        {"&nosuch;&", "&|nosuch|;&"},
        {"&#65;&#x42;&#X43", "abc"},
        {"&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd\ufffd\ufffd\ufffd"},
        {"&#128;&#129;", "\u20ac\xc2\x81"},
        {"x&#1;y&#11;z&#xfdd0;w&#xffff;v&#127;u", "xyzwvu"},
        {"&#;&#x;&#xg;", "&#;&#|x|;&#|xg|;"},
        {"<b>&lt;b&gt;</b>", "<|b|><|b|></|b|>"},
        {"<title>&amp;</title>", "<|title|>&</|title|>"},
        {"\u0130I", "i|\u0307|i"}, /* two characters, of which the second is a mark */
        {"\u039f\u0394\u039f\u03a3 \u03a3 \u0391\u03a3\u0391",
         "\u03bf\u03b4\u03bf\u03c2|\u03c3|\u03b1\u03c3\u03b1"},
        {"\u0391\u03a3\u0345", "\u03b1\u03c2"}, /* U+0345 belongs to no class of the pattern */
        {"\u1e9e", "\u00df"},
        {"<start_of_text>a<END_OF_TEXT>", "\1|a|\2"},
        {"<start_of_textx>", "<|start|_|of|_|textx|>"},
        {"!<start_of_text>", "!<|start|_|of|_|text|>"},
        {"it's IT'RE i'll x'd", "it|'s|it|'re|i|'ll|x|'d"},
        {"it'\u017fa", "it|'\u017f|a"},
        {"''s", "''|s"},
        {"12a\u00bd\u2163", "1|2|a|\u00bd|\u2173"},
        {"e\u0301", "e|\u0301"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) assert_words(cases[i].written, cases[i].words);
}

static void invalid_utf8_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"\xff", "abc\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"};
    hl_error error;
    int32_t ids[128];
    for (size_t i = 0; i < COUNT(texts); ++i) {
        size_t count;
        assert_int_equal(api.count_tokens(bytes_model, texts[i], &count, &error), HL_USAGE);
        assert_int_equal(api.tokenize(bytes_model, texts[i], ids, &error), HL_USAGE);
        assert_non_null(strstr(error.message, "UTF-8"));
    }
}

static char *repeated(const char *unit, size_t count) {
    size_t length = strlen(unit);
    char *out = malloc(count * length + 1);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i) memcpy(out + i * length, unit, length);
    out[count * length] = '\0';
    return out;
}

/* A word of n bytes that takes n^2 steps would take hours here. */
static void long_words_take_no_longer_than_they_must(void **state) {
    (void)state;
    char *folder = make_model_folder(514 + 3, 16);
    put(folder, "merges.txt", "header\nx x\nxx xx\nx x</w>\n");
    hl_model *model = open_model(folder);
    static const char *const units[] = {"x", "&lt;", "\u03a3'", "'s", "&amp;amp;", "&"};
    for (size_t i = 0; i < COUNT(units); ++i) {
        hl_error error;
        int32_t ids[16];
        char *word = repeated(units[i], 200000);
        assert_ok(api.tokenize(model, word, ids, &error), error);
        assert_int_equal(ids[0], 515);
        assert_int_equal(ids[15], 516);
        if (i == 0) assert_int_equal(ids[1], 513);
        size_t count = 0;
        assert_ok(api.count_tokens(model, word, &count, &error), error);
        assert_true(count > 16);
        free(word);
    }
    api.close(model);
    remove_folder(folder);
}

/* ---- merges ---- */

static void assert_ids(const char *merges, size_t vocabulary, const char *written, const int32_t *expected,
                       size_t count) {
    hl_error error;
    int32_t ids[16];
    char *folder = make_model_folder(vocabulary, COUNT(ids));
    put(folder, "merges.txt", merges);
    hl_model *model = open_model(folder);
    assert_ok(api.tokenize(model, written, ids, &error), error);
    for (size_t i = 0; i < count; ++i) assert_int_equal(ids[i + 1], expected[i]);
    assert_int_equal(ids[count + 1], vocabulary - 1);
    api.close(model);
    remove_folder(folder);
}

/* What the original does (a dictionary from symbol to id and from pair to rank) in the corners. */
static void merges_mean_what_they_mean_in_python(void **state) {
    (void)state;
    const int32_t a = 'a' - '!', b = 'b' - '!', word = 256;
    /* Lines after those that the vocabulary needs are ignored, however they look. */
    assert_ids("h\na b</w>\n\xff garbage of five words\n", 515, "ab", (int32_t[]){512}, 1);
    /* A pair that occurs twice has the later rank. */
    assert_ids("h\na b\nb a\na b\n", 517, "abax", (int32_t[]){a, 513, 'x' - '!' + word}, 3);
    /* Two merges with the same string: the later id. */
    assert_ids("h\na b\nb c\nab c</w>\na bc</w>\nc c\n", 519, "abc", (int32_t[]){515}, 1);
    /* All places of a pair are merged before any pair that comes up meanwhile, whatever its rank. */
    assert_ids("h\nab a\na b\n", 516, "ababx", (int32_t[]){513, 513, 'x' - '!' + word}, 3);
    /* From left to right, without overlap. */
    assert_ids("h\na a\n", 515, "aaab", (int32_t[]){512, a, b + word}, 3);
    /* CRLF and blanks around. */
    assert_ids("h\r\n a\tb</w> \r\n", 515, "ab", (int32_t[]){512}, 1);
    /* No newline at the end. */
    assert_ids("h\na b</w>", 515, "ab", (int32_t[]){512}, 1);
}

static void damaged_merges_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *content, *complaint;
    } cases[] = {
        {"", "line 1"},
        {"header\n", "line 2"},
        {"header\na b\n", "line 3"},
        {"header\na b\nc\n", "line 3: expected two symbols"},
        {"header\na b c\nd e\n", "line 2: expected two symbols"},
        {"header\n\nd e\n", "line 2: expected two symbols"},
        {"header\na b\n\xff c\n", "line 3: is not valid UTF-8"},
        {"head\xc3r\na b\nb c\n", "line 1: is not valid UTF-8"},
    };
    hl_error error;
    int32_t ids[16];
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_model_folder(516, COUNT(ids));
        put(folder, "merges.txt", cases[i].content);
        hl_model *model = open_model(folder);
        assert_int_equal(api.tokenize(model, "a", ids, &error), HL_FAILED);
        if (!strstr(error.message, cases[i].complaint) || !strstr(error.message, "/merges.txt:")) {
            fail_msg("\"%s\" does not name \"%s\"", error.message, cases[i].complaint);
        }
        api.close(model);
        remove_folder(folder);
    }
}

static void cut_gzip_is_refused(void **state) {
    (void)state;
    hl_error error;
    int32_t ids[16];
    size_t count;
    char *folder = make_model_folder(2048, COUNT(ids)), *path = text("%s/merges.txt.gz", folder);
    char *whole = read_file(TEST_GOLDEN "/merges.txt.gz", &count);
    const size_t lengths[] = {count - 1, count - 8, count / 2, 20, 1};
    hl_model *model = open_model(folder);
    for (size_t i = 0; i < COUNT(lengths); ++i) {
        write_file(path, whole, lengths[i]);
        assert_int_equal(api.tokenize(model, "a", ids, &error), HL_FAILED);
        assert_non_null(strstr(error.message, "merges.txt.gz"));
    }
    whole[count / 2] ^= 0x55;
    write_file(path, whole, count);
    assert_int_equal(api.tokenize(model, "a", ids, &error), HL_FAILED);
    /* 80 MB in 80 kB. */
    char *pack = text("yes '' | head -c 80000000 | gzip > %s", path);
    const char *const arguments[] = {"sh", "-c", pack, NULL};
    assert_int_equal(run_program(arguments, NULL, NULL), 0);
    free(pack);
    assert_int_equal(api.tokenize(model, "a", ids, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "64 MiB"));
    /* A file that has been mended is read at the next text. */
    copy_file(TEST_GOLDEN "/merges.txt.gz", path);
    assert_ok(api.tokenize(model, "a", ids, &error), error);
    api.close(model);
    free(whole);
    free(path);
    remove_folder(folder);
}

static void missing_merges_are_named(void **state) {
    (void)state;
    hl_error error;
    int32_t ids[16];
    char *folder = make_model_folder(516, COUNT(ids));
    hl_model *model = open_model(folder);
    assert_int_equal(api.tokenize(model, "a", ids, &error), HL_USAGE);
    assert_non_null(strstr(error.message, folder));
    assert_non_null(strstr(error.message, "merges.txt"));
    assert_non_null(strstr(error.message, "bpe_simple_vocab_16e6.txt"));
    put(folder, "bpe_simple_vocab_16e6.txt", "header\na b</w>\nb c\n");
    assert_ok(api.tokenize(model, "ab", ids, &error), error);
    assert_int_equal(ids[1], 512);
    api.close(model);
    remove_folder(folder);
}

/* ---- threads ---- */

static void *tokenize_often(void *model) {
    int32_t ids[77];
    hl_error error;
    for (int i = 0; i < 200; ++i) {
        if (api.tokenize(model, "a photo of a dog &amp; a cat", ids, &error) || ids[0] != 2046) return model;
    }
    return NULL;
}

static void first_texts_may_come_at_once(void **state) {
    (void)state;
    char *folder = make_model_folder(2048, 77), *path = text("%s/merges.txt.gz", folder);
    copy_file(TEST_GOLDEN "/merges.txt.gz", path);
    hl_model *model = open_model(folder);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, tokenize_often, model), 0);
    }
    for (size_t i = 0; i < COUNT(threads); ++i) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    api.close(model);
    free(path);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_vocabulary_is_golden),
        cmocka_unit_test(clip_vocabulary_is_golden),
        cmocka_unit_test_setup_teardown(texts_are_cleaned_as_in_python, open_bytes, close_bytes),
        cmocka_unit_test_setup_teardown(invalid_utf8_is_refused, open_bytes, close_bytes),
        cmocka_unit_test(long_words_take_no_longer_than_they_must),
        cmocka_unit_test(merges_mean_what_they_mean_in_python),
        cmocka_unit_test(damaged_merges_are_refused),
        cmocka_unit_test(cut_gzip_is_refused),
        cmocka_unit_test(missing_merges_are_named),
        cmocka_unit_test(first_texts_may_come_at_once),
    };
    return cmocka_run_group_tests(tests, open_clip_vit, close_clip_vit);
}
