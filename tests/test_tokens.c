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

int main(void) {
    (void)put;
    (void)open_at;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_golden),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
