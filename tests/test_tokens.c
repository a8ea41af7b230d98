/* The tokenizers of plugins/shared/tokenizer, over the files as they are published: golden ids of awkward
 * texts by every rule, what is cut, and files that are not what they say. */
#include "plugins/shared/tokenizer/tokenizer.h"
#include "tests/json.h"
#include "tests/plugins.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER TEST_GOLDEN "/tokenizers"
enum { CONTEXT = 256 };

static int open_host(void **state) {
    (void)state;
    open_plugins(1, NULL);
    return 0;
}

static int close_host(void **state) {
    (void)state;
    close_plugins();
    return 0;
}

static tokenizer *open_at(const char *folder, tokenizer_style style, text_cleaning cleaning,
                          size_t vocabulary, size_t context) {
    hl_error error;
    tokenizer *out;
    const tokenizer_rules rules = {
        .style = style, .cleaning = cleaning, .vocab_size = vocabulary, .context = context};
    assert_ok(tokenizer_open(&the_host->interface, folder, &rules, &out, &error), error);
    return out;
}

static void put(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name);
    write_text(path, content);
    free(path);
}

/* A folder with files of the golden one; NULL ends them. */
static char *folder_with(const char *from, const char *const *files) {
    char *folder = make_folder();
    for (; *files; ++files) {
        char *source = text(FOLDER "/%s/%s", from, *files), *target = text("%s/%s", folder, *files);
        copy_file(source, target);
        free(source);
        free(target);
    }
    return folder;
}

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- golden cases ---- */

typedef struct rule {
    const char *name, *folder;
    const char *const *files;
    tokenizer_style style;
    text_cleaning cleaning;
    size_t vocabulary;
    int32_t pad;
    bool end_is_zero;
} rule;

#define T5    FILES("tokenizer.json", "tokenizer_config.json")
#define GEMMA FILES("tokenizer.json", "tokenizer_config.json")

static void check_ids(const char *name, const char *written, const cJSON *expected, const int32_t *ids,
                      size_t context, int32_t pad) {
    size_t count = (size_t)cJSON_GetArraySize(expected);
    for (size_t i = 0; i < context; ++i) {
        size_t at = i + 1 == context && count > context ? count - 1 : i; /* the end stays */
        int32_t wanted = i < count ? cJSON_GetArrayItem(expected, (int)at)->valueint : pad;
        if (ids[i] != wanted)
            fail_msg("%s: \"%s\": id %zu is %d, expected %d", name, written, i, ids[i], wanted);
    }
}

static void check_rule(const rule *by, const cJSON *cases, size_t context) {
    hl_error error;
    char *folder = folder_with(by->folder, by->files);
    const tokenizer_rules rules = {by->style, by->cleaning, by->vocabulary, context, by->end_is_zero};
    tokenizer *t;
    assert_ok(tokenizer_open(&the_host->interface, folder, &rules, &t, &error), error);
    assert_int_equal(tokenizer_pad(t), by->pad);
    const cJSON *item;
    cJSON_ArrayForEach(item, cases) {
        const char *written = cJSON_GetObjectItem(item, "text")->valuestring;
        const cJSON *expected = cJSON_GetObjectItem(item, by->name);
        int32_t ids[CONTEXT];
        size_t count;
        assert_true(cJSON_GetArraySize(expected) > 0);
        assert_ok(tokenizer_run(t, written, ids, &error), error);
        check_ids(by->name, written, expected, ids, context, by->pad);
        assert_ok(tokenizer_count(t, written, &count, &error), error);
        assert_int_equal(count, cJSON_GetArraySize(expected));
    }
    tokenizer_close(t);
    remove_folder(folder);
}

static void every_rule_is_golden(void **state) {
    (void)state;
    const rule rules[] = {
        {"siglip-open_clip", "siglip", T5, TOKENIZER_FILES, TEXT_CANONICAL, 500, 1, false},
        {"siglip-hf", "siglip", FILES("spiece.model"), TOKENIZER_TRANSFORMERS, 0, 500, 1, false},
        {"siglip-hf", "siglip", FILES("spiece.model", "tokenizer.json"), TOKENIZER_TRANSFORMERS, 0, 500, 1,
         false},
        {"siglip-hf", "siglip", FILES("tokenizer.json"), TOKENIZER_TRANSFORMERS, 0, 500, 1, false},
        {"siglip-open_clip", "siglip", FILES("spiece.model"), TOKENIZER_FILES, TEXT_CANONICAL, 500, 1, false},
        {"siglip2-open_clip", "siglip2", GEMMA, TOKENIZER_FILES, TEXT_CANONICAL, 640, 0, false},
        {"siglip2-open_clip", "siglip2", FILES("tokenizer.json"), TOKENIZER_FILES, TEXT_CANONICAL, 640, 0,
         false},
        {"siglip2-hf", "siglip2", GEMMA, TOKENIZER_FILES, TEXT_AS_IT_IS, 640, 0, false},
        {"siglip2-hf-lowercased", "siglip2", GEMMA, TOKENIZER_TRANSFORMERS, 0, 640, 0, false},
        {"siglip2-hf-lowercased", "siglip2", FILES("tokenizer.model"), TOKENIZER_TRANSFORMERS, 0, 640, 0,
         false},
        {"clip-open_clip", "clip", FILES("merges.txt"), TOKENIZER_SIMPLE, TEXT_CLIP, 2048, 0, false},
        {"clip-open_clip", "clip", FILES("merges.txt", "vocab.json", "tokenizer.json"), TOKENIZER_SIMPLE,
         TEXT_CLIP, 2048, 0, false},
        {"clip-hf", "clip", FILES("tokenizer.json", "tokenizer_config.json"), TOKENIZER_TRANSFORMERS, 0, 2048,
         0, false},
        {"clip-hf", "clip", FILES("vocab.json", "merges.txt"), TOKENIZER_TRANSFORMERS, 0, 2048, 0, false},
        {"clipa-open_clip", "wordpiece", FILES("tokenizer.json", "vocab.txt"), TOKENIZER_FILES, TEXT_FOLDED,
         400, 0, true},
        {"clipa-open_clip", "wordpiece", FILES("vocab.txt"), TOKENIZER_FILES, TEXT_FOLDED, 400, 0, true},
    };
    const size_t contexts[] = {CONTEXT, 64, 16, 3, 2};
    cJSON *json = read_json(FOLDER "/tokens.json");
    const cJSON *cases = cJSON_GetObjectItem(json, "cases");
    assert_int_equal(cJSON_GetArraySize(cases), 30);
    for (size_t i = 0; i < COUNT(rules); ++i) {
        for (size_t k = 0; k < COUNT(contexts); ++k) check_rule(&rules[i], cases, contexts[k]);
    }
    cJSON_Delete(json);
}

/* ---- texts of odd shapes ---- */

static char *repeated(const char *unit, size_t count) {
    size_t length = strlen(unit);
    char *out = malloc(count * length + 1);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i) memcpy(out + i * length, unit, length);
    out[count * length] = '\0';
    return out;
}

typedef struct opened {
    const char *folder;
    const char *const *files;
    tokenizer_style style;
    text_cleaning cleaning;
    size_t vocabulary;
    int32_t end;
} opened;

#define KINDS                                                                                                \
    {                                                                                                        \
        {"siglip", FILES("tokenizer.json"), TOKENIZER_FILES, TEXT_CANONICAL, 500, 1},                        \
            {"siglip", FILES("tokenizer.json"), TOKENIZER_FILES, TEXT_AS_IT_IS, 600, 1},                     \
            {"siglip", FILES("spiece.model"), TOKENIZER_TRANSFORMERS, 0, 500, 1},                            \
            {"siglip2", FILES("tokenizer.json"), TOKENIZER_TRANSFORMERS, 0, 640, 1},                         \
            {"siglip2", FILES("tokenizer.model"), TOKENIZER_TRANSFORMERS, 0, 640, 1},                        \
            {"clip", FILES("tokenizer.json"), TOKENIZER_TRANSFORMERS, 0, 2048, 2047},                        \
            {"clip", FILES("vocab.json", "merges.txt"), TOKENIZER_TRANSFORMERS, 0, 2048, 2047},              \
            {"wordpiece", FILES("tokenizer.json"), TOKENIZER_FILES, TEXT_FOLDED, 400, 4},                    \
            {"wordpiece", FILES("vocab.txt"), TOKENIZER_FILES, TEXT_AS_IT_IS, 400, 4},                       \
    }

static void texts_of_any_shape_are_cut_and_counted(void **state) {
    (void)state;
    enum { FEW = 16, MANY = 10000 };
    static const char *const units[] = {
        "x",      "\u2581", "\U0001f600", "e\u0301\u0302", "<",       "</s>", "[SEP]", "&amp;amp;",
        "\u65e5", "\u200b", "\u0345",     "a b ",          "<table>", "\n",   "##",    "\u0130"};
    const opened kinds[] = KINDS;
    for (size_t k = 0; k < COUNT(kinds); ++k) {
        const opened *kind = &kinds[k];
        char *folder = folder_with(kind->folder, kind->files);
        tokenizer *t = open_at(folder, kind->style, kind->cleaning, kind->vocabulary, FEW);
        for (size_t i = 0; i < COUNT(units); ++i) {
            hl_error error;
            int32_t ids[FEW];
            size_t count, same;
            char *written = repeated(units[i], MANY);
            assert_ok(tokenizer_run(t, written, ids, &error), error);
            assert_ok(tokenizer_count(t, written, &count, &error), error);
            assert_int_equal(ids[(count < FEW ? count : FEW) - 1], kind->end);
            for (size_t at = 0; at < FEW; ++at) assert_in_range(ids[at], 0, kind->vocabulary - 1);
            free(written);
            written = repeated(units[i], 5);
            assert_ok(tokenizer_run(t, written, ids, &error), error);
            assert_ok(tokenizer_count(t, written, &same, &error), error);
            if (same <= FEW) assert_int_equal(ids[same - 1], kind->end);
            free(written);
        }
        tokenizer_close(t);
        remove_folder(folder);
    }
}

static void invalid_utf8_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"\xff", "abc\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"};
    const opened kinds[] = KINDS;
    for (size_t k = 0; k < COUNT(kinds); ++k) {
        char *folder = folder_with(kinds[k].folder, kinds[k].files);
        tokenizer *t = open_at(folder, kinds[k].style, kinds[k].cleaning, kinds[k].vocabulary, 8);
        for (size_t i = 0; i < COUNT(texts); ++i) {
            hl_error error;
            int32_t ids[8];
            size_t count;
            assert_int_equal(tokenizer_run(t, texts[i], ids, &error), HL_USAGE);
            assert_non_null(strstr(error.message, "UTF-8"));
            assert_int_equal(tokenizer_count(t, texts[i], &count, &error), HL_USAGE);
        }
        tokenizer_close(t);
        remove_folder(folder);
    }
}

static void special_tokens_are_cut_out(void **state) {
    (void)state;
    char *folder = folder_with("siglip2", FILES("tokenizer.json"));
    tokenizer *t = open_at(folder, TOKENIZER_TRANSFORMERS, 0, 640, 6);
    hl_error error;
    int32_t ids[6];
    assert_ok(tokenizer_run(t, "<bos>\n\n<table><eos>", ids, &error), error);
    const int32_t expected[] = {2, 6, 9, 1, 1, 0};
    assert_memory_equal(ids, expected, sizeof expected);
    tokenizer_close(t);
    remove_folder(folder);
}

/* ---- files that are not what they say ---- */

typedef struct bad_file {
    const char *file, *content, *complaint;
} bad_file;

#define MODEL(REST) "{\"model\": " REST "}"
#define BPE(VOCAB, MERGES)                                                                                   \
    MODEL("{\"type\": \"BPE\", \"byte_fallback\": true, \"vocab\": " VOCAB ", \"merges\": " MERGES "}")
#define WITH(KEY, VALUE)                                                                                     \
    "{\"" KEY "\": " VALUE ", \"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}"

static void bad_files_are_refused_by_name(void **state) {
    (void)state;
    static const bad_file cases[] = {
        {"tokenizer.json", "", "is not valid JSON"},
        {"tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": ", "is not valid JSON"},
        {"tokenizer.json", "[]", "expected a vocabulary"},
        {"tokenizer.json", "{}", "expected a vocabulary"},
        {"tokenizer.json", MODEL("7"), "expected a vocabulary"},
        {"tokenizer.json", MODEL("{\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}"),
         "\"WordLevel\" is not supported"},
        {"tokenizer.json", BPE("{\"a\": -1}", "[]"), "\"a\": expected an id"},
        {"tokenizer.json", BPE("{\"a\": 0.5}", "[]"), "\"a\": expected an id"},
        {"tokenizer.json", BPE("{\"a\": 1e30}", "[]"), "\"a\": expected an id"},
        {"tokenizer.json", BPE("{\"a\": 99999999999}", "[]"), "\"a\": expected an id"},
        {"tokenizer.json", BPE("{\"a\": \"b\"}", "[]"), "\"a\": expected an id"},
        {"tokenizer.json", BPE("{\"a\": 0, \"a\": 1}", "[]"), "\"a\" is there twice"},
        {"tokenizer.json", BPE("{\"a\": 0, \"b\": 0}", "[]"), "id 0 belongs to two"},
        {"tokenizer.json", BPE("{\"a\": 0}", "[\"a a\"]"), "not in the vocabulary"},
        {"tokenizer.json", BPE("{\"a\": 0, \"aa\": 1}", "[\"a  a\"]"), "not in the vocabulary"},
        {"tokenizer.json", BPE("{\"a\": 0, \"aa\": 1}", "[\"aa\"]"), "merge 0: expected two symbols"},
        {"tokenizer.json", BPE("{\"a\": 0, \"aa\": 1}", "[[\"a\"]]"), "expected pairs"},
        {"tokenizer.json", BPE("{\"a\": 0, \"aa\": 1}", "[7]"), "expected pairs"},
        {"tokenizer.json", MODEL("{\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"a\", 0]]}"),
         "unk_id"},
        {"tokenizer.json", MODEL("{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\"]]}"),
         "pieces and their scores"},
        {"tokenizer.json", MODEL("{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", 1e999]]}"),
         "pieces and their scores"},
        {"tokenizer.json",
         MODEL("{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", 0], [\"a\", 0]]}"), "twice"},
        {"tokenizer.json", MODEL("{\"type\": \"WordPiece\", \"unk_token\": \"u\", \"vocab\": {\"a\": 0}}"),
         "unk_token"},
        {"tokenizer.json", WITH("normalizer", "{\"type\": \"Nmt\"}"),
         "the normalizer \"Nmt\" is not supported"},
        {"tokenizer.json", WITH("normalizer", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"!\"}"),
         "no base64"},
        {"tokenizer.json",
         WITH("normalizer", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"/////w==\"}"),
         "of 4 bytes says that 4294967295"},
        {"tokenizer.json",
         WITH("normalizer", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAAAA==\"}"),
         "of 4 bytes says that 0"},
        {"tokenizer.json", WITH("pre_tokenizer", "{\"type\": \"Digits\"}"), "the pre-tokenizer \"Digits\""},
        {"tokenizer.json",
         WITH("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a+)+\"}}"), "(a+)+"},
        {"tokenizer.json", WITH("post_processor", "{\"type\": \"Odd\"}"), "the post-processor \"Odd\""},
        {"tokenizer.json",
         WITH("post_processor",
              "{\"type\": \"RobertaProcessing\", \"sep\": [\"s\", 9999999], \"cls\": [\"c\", 0]}"),
         "token embeddings"},
        {"tokenizer.json", WITH("added_tokens", "[{\"id\": 1}]"), "added_tokens"},
        {"tokenizer.json", WITH("added_tokens", "[{\"id\": 7, \"content\": \"q\", \"single_word\": true}]"),
         "single_word"},
        {"vocab.txt", "", "[CLS]"},
        {"vocab.txt", "[CLS]\n[SEP]\n[UNK]\na\na\n", "line 5"},
        {"vocab.txt", "[CLS]\n[SEP]\n[UNK]\n\xff\n", "UTF-8"},
        {"spiece.model", "", "expected a piece for what is unknown"},
        {"spiece.model", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "cut off or damaged"},
        {"spiece.model", "\x0a\x7f", "cut off or damaged"},
        {"spiece.model", "\x0a\x02\x0a\x7f", "cut off or damaged"},
        {"spiece.model", "\x0a\x03\x0a\x01\xff", "piece 0"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder();
        put(folder, cases[i].file, cases[i].content);
        tokenizer *t = open_at(folder, TOKENIZER_FILES, TEXT_AS_IT_IS, 500, 8);
        hl_error error = {.message = ""};
        int32_t ids[8];
        hl_status status = tokenizer_run(t, "a a a", ids, &error);
        if (status == HL_OK || !strstr(error.message, cases[i].complaint) || !strstr(error.message, folder)) {
            fail_msg("%s: %d, \"%s\" does not name \"%s\"", cases[i].content, (int)status, error.message,
                     cases[i].complaint);
        }
        assert_null(strchr(error.message, '\n'));
        tokenizer_close(t);
        remove_folder(folder);
    }
}

/* Merges that undo each other's order, and whose results are parts of earlier ones, still come to an end. */
static void merges_in_any_order_end(void **state) {
    (void)state;
    char *folder = make_folder();
    put(folder, "tokenizer.json",
        BPE("{\"<unk>\": 0, \"a\": 1, \"aa\": 2, \"aaa\": 3, \"aaaa\": 4}",
            "[[\"aaa\", \"a\"], [\"aa\", \"aa\"], [\"a\", \"aaa\"], [\"aa\", \"a\"], [\"a\", \"aa\"], "
            "[\"a\", \"a\"], [\"a\", "
            "\"a\"]]"));
    tokenizer *t = open_at(folder, TOKENIZER_FILES, TEXT_AS_IT_IS, 5, 4);
    hl_error error;
    int32_t ids[4];
    size_t count;
    char *written = repeated("a", 100000);
    assert_ok(tokenizer_run(t, "aaaaaa", ids, &error), error);
    assert_int_equal(ids[0], 4);
    assert_int_equal(ids[1], 2);
    assert_ok(tokenizer_count(t, written, &count, &error), error);
    assert_int_equal(count, 25000);
    free(written);
    tokenizer_close(t);
    remove_folder(folder);
}

static void ids_beyond_the_embeddings_are_refused(void **state) {
    (void)state;
    char *folder = folder_with("siglip2", FILES("tokenizer.json"));
    tokenizer *t = open_at(folder, TOKENIZER_FILES, TEXT_CANONICAL, 300, 8);
    hl_error error;
    int32_t ids[8];
    assert_int_equal(tokenizer_run(t, "zzz yyy", ids, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "300 token embeddings"));
    tokenizer_close(t);
    remove_folder(folder);
}

static void missing_files_are_named_when_a_text_comes(void **state) {
    (void)state;
    char *folder = make_folder();
    const tokenizer_style styles[] = {TOKENIZER_FILES, TOKENIZER_TRANSFORMERS};
    for (size_t i = 0; i < COUNT(styles); ++i) {
        tokenizer *t = open_at(folder, styles[i], TEXT_CANONICAL, 500, 8);
        hl_error error;
        int32_t ids[8];
        assert_int_equal(tokenizer_run(t, "a", ids, &error), HL_USAGE);
        assert_non_null(strstr(error.message, folder));
        assert_non_null(strstr(error.message, "tokenizer.json"));
        tokenizer_close(t);
    }
    remove_folder(folder);
}

/* Cut anywhere, and with any byte changed: refused, or a tokenizer that still gives ids. */
static void damaged_files_never_crash(void **state) {
    (void)state;
    static const char *const files[][2] = {{"siglip", "spiece.model"},    {"siglip2", "tokenizer.model"},
                                           {"siglip2", "tokenizer.json"}, {"wordpiece", "tokenizer.json"},
                                           {"wordpiece", "vocab.txt"},    {"clip", "tokenizer.json"}};
    uint32_t seed = 1;
    for (size_t f = 0; f < COUNT(files); ++f) {
        size_t length;
        char *source = text(FOLDER "/%s/%s", files[f][0], files[f][1]), *bytes = read_file(source, &length);
        char *folder = make_folder(), *path = text("%s/%s", folder, files[f][1]);
        for (int i = 0; i < 60; ++i) {
            char *copy = malloc(length);
            assert_non_null(copy);
            memcpy(copy, bytes, length);
            size_t kept = length;
            for (int k = 0; k < 1 + i / 10; ++k) {
                seed = seed * 1664525 + 1013904223;
                size_t at = (size_t)((uint64_t)seed * length >> 32);
                if (i % 3 == 0) kept = at;
                copy[at] = (char)(copy[at] ^ (1 << seed % 8));
            }
            write_file(path, copy, kept);
            free(copy);
            tokenizer *t =
                open_at(folder, i % 2 ? TOKENIZER_FILES : TOKENIZER_TRANSFORMERS, TEXT_FOLDED, 1 << 24, 32);
            hl_error error = {.message = ""};
            int32_t ids[32];
            hl_status status = tokenizer_run(t, "a red \u00e9 \ufb01 \u2460 \u65e5 circle", ids, &error);
            assert_true(status == HL_OK || *error.message);
            assert_null(strchr(error.message, '\n'));
            tokenizer_close(t);
        }
        free(source);
        free(bytes);
        free(path);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_golden),
        cmocka_unit_test(texts_of_any_shape_are_cut_and_counted),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(special_tokens_are_cut_out),
        cmocka_unit_test(bad_files_are_refused_by_name),
        cmocka_unit_test(merges_in_any_order_end),
        cmocka_unit_test(ids_beyond_the_embeddings_are_refused),
        cmocka_unit_test(missing_files_are_named_when_a_text_comes),
        cmocka_unit_test(damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
