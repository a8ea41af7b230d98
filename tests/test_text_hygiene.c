/* Text that is not what it should be: bytes that are no UTF-8, control characters, NUL, names that turn the
 * direction of writing. Whatever comes in, JSON, page and messages of the command are clean. */
#include "core/io/json.h"
#include "core/io/utf8.h"
#include "tests/experiment.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unistr.h>

#define TINY        TEST_GOLDEN "/tiny-a/model"
#define TINY_PIXELS TEST_GOLDEN "/tiny-a/pixels.npy"
#define HIDDEN      "\xe2\x80\xae" /* U+202E: what follows runs from right to left */

/* ---- what is expected ---- */

static void assert_utf8(const char *path) {
    size_t count;
    char *bytes = read_file(path, &count);
    const uint8_t *wrong = u8_check((const uint8_t *)bytes, count);
    if (wrong) fail_msg("%s: byte %td is not UTF-8", path, wrong - (const uint8_t *)bytes);
    free(bytes);
}

/* UTF-8 without control characters, line ends apart. */
static void assert_clean(const char *name, const char *said) {
    const uint8_t *at = (const uint8_t *)said, *end = at + strlen(said);
    if (u8_check(at, strlen(said))) fail_msg("%s: not UTF-8", name);
    while (at < end) {
        ucs4_t character;
        at += u8_mbtouc(&character, at, (size_t)(end - at));
        bool control = character < 0x20 || (character >= 0x7f && character < 0xa0);
        if (control && character != '\n') fail_msg("%s: U+%04X", name, (unsigned)character);
    }
}

static void assert_contains(const char *content, const char *wanted) {
    if (!strstr(content, wanted)) fail_msg("lacks \"%s\":\n%.2000s", wanted, content);
}

/* ---- the helpers ---- */

static void ill_formed_bytes_stay_apart(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"a\xc3\xa9\xf0\x9f\x8c\x99 z", "a\xc3\xa9\xf0\x9f\x8c\x99 z"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"a\xffz", "a\\xffz"},
        {"m\xf2", "m\\xf2"},
        {"cut \xe2\x82", "cut \\xe2\\x82"},
        {"\xed\xa0\x80 \xc0\x80", "\\xed\\xa0\\x80 \\xc0\\x80"},
        {"\xef\xbf", "\\xef\\xbf"},
        {"kept " UTF8_REPLACEMENT " and\x07", "kept " UTF8_REPLACEMENT " and\x07"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *clean = utf8_rewrite(cases[i].text, UTF8_BYTE, NULL);
        assert_string_equal(clean, cases[i].expected);
        free(clean);
    }
}

static void json_is_utf8(void **state) {
    (void)state;
    hl_error error;
    cJSON *tree = cJSON_CreateObject(), *again;
    cJSON_AddStringToObject(tree, "na\xffme", "x\xc0y\x01\x7f");
    char *json = json_print(tree, false);
    assert_string_equal(json, "{\"na\\\\xffme\":\"x\\\\xc0y\\u0001\x7f\"}");
    assert_ok(json_parse("j", (const uint8_t *)json, strlen(json), &again, &error), error);
    cJSON_Delete(again);
    cJSON_Delete(tree);
    free(json);
}

#define BYTES(TEXT) TEXT, sizeof TEXT - 1

static void damaged_json_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *said; /* NULL: it is sound */
    } cases[] = {
        {BYTES("[1,\n\"a\xff\"]"), "j:2: not UTF-8"},
        {BYTES("\xff\xfe[\0]\0"), "j:1: not UTF-8"},
        {BYTES("[\"a\\u0000b\"]"), "NUL character at byte 3"},
        {BYTES("[\"\\\\\\u0000b\"]"), "NUL character at byte 4"},
        {BYTES("[\"a\0b\"]"), "NUL character at byte 3"},
        {BYTES("[1]\0 "), "NUL character at byte 3"},
        {BYTES("[1]\0[2]"), "no valid JSON"},
        {BYTES("[\"\\ud800\"]"), "no valid JSON"},
        {BYTES("[\"a\\\\u0000b\\\"\\u00001\"]"), "NUL character at byte 13"},
        {BYTES("[\"a\\\\u0000b\\\"\"]"), NULL},
        {BYTES(UTF8_MARK "[\"\xc3\xa9\"]"), NULL},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        cJSON *tree;
        hl_error error;
        hl_status status = json_parse("j", (const uint8_t *)cases[i].bytes, cases[i].count, &tree, &error);
        assert_int_equal(status, cases[i].said ? HL_FAILED : HL_OK);
        if (cases[i].said) assert_contains(error.message, cases[i].said);
        assert_true(!tree == !!cases[i].said);
        cJSON_Delete(tree);
    }
}

/* ---- an experiment with all of it ---- */

static void put_scene(const char *folder, const char *name, int number) {
    char *from = text(MINI_GALLERY "/scene-%03d.jpg", number), *to = text("%s/images/%s", folder, name);
    copy_file(from, to);
    free(from);
    free(to);
}

static void put(const char *folder, const char *name, const char *content) {
    char *path = text("%s/%s", folder, name);
    write_text(path, content);
    free(path);
}

/* A model and images whose names are no text, and captions that a page cannot hold. */
static char *make_hostile_folder(void) {
    char *folder = make_folder(), *model = text("%s/m\xf2\x1b[31m", folder), *link = text("%s/model", folder);
    char *images = text("%s/images", folder);
    copy_folder(MINI, model);
    assert_int_equal(symlink(model, link), 0);
    assert_int_equal(mkdir(images, 0755), 0);
    put_scene(folder, "plain.jpg", 0);
    put_scene(folder, "bad\xff\xfe.png", 1);
    put_scene(folder, "bad\xfe\xff.png", 4);
    put_scene(folder, "line\nbreak\x1b[31m.jpg", 2);
    put_scene(folder, "turned" HIDDEN "gpj.jpg", 3);
    put(images, "no picture\x1b]0;x\x07\n\xff.jpg", "x");
    put(images, "gallery.json",
        "[{\"path\": \"plain.jpg\", \"caption\": \"bell\\u0007, tab\\u000b, \\ufdd0 &\", \"kind\": 7}]");
    free(images);
    free(link);
    free(model);
    return folder;
}

static void check_page(const char *folder) {
    char *path = text("%s/out/report.html", folder);
    char *page = read_file(path, NULL);
    assert_clean(path, page);
    assert_contains(page, "bad\\xff\\xfe.png");
    assert_contains(page, "bell" UTF8_REPLACEMENT ", tab" UTF8_REPLACEMENT ", " UTF8_REPLACEMENT " &amp;");
    assert_contains(page, "<bdi>sn" HIDDEN "ow</bdi>, <bdi>ice</bdi>");
    assert_contains(page, "<bdi>m\\xf2" UTF8_REPLACEMENT "[31m</bdi> &middot; ");
    assert_contains(page, "unicode-bidi:isolate");
    free(page);
    free(path);
}

static void check_json(const char *folder, const outcome *got) {
    char *results = text("%s/out/results.json", folder), *atlas = text("%s/atlas/atlas.json", folder);
    assert_utf8(results);
    assert_utf8(atlas);
    cJSON *manifest = read_json(atlas);
    assert_string_equal(field(manifest, "model"), "m\\xf2\x1b[31m");
    const cJSON *neighbors = cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(got, 0), 0), "neighbors");
    const cJSON *neighbor;
    size_t found = 0;
    assert_int_equal(cJSON_GetArraySize(neighbors), 5);
    cJSON_ArrayForEach(neighbor, neighbors) {
        const char *path = field(neighbor, "path");
        found += strcmp(path, "bad\\xff\\xfe.png") == 0;
        found += strcmp(path, "bad\\xfe\\xff.png") == 0;
        found += strcmp(path, "line\nbreak\x1b[31m.jpg") == 0;
        if (strcmp(path, "plain.jpg") == 0 && number_of(neighbor, "kind") == 7) ++found;
    }
    assert_int_equal(found, 4);
    cJSON_Delete(manifest);
    free(results);
    free(atlas);
}

static void run_leaves_clean_files(void **state) {
    (void)state;
    outcome got = run_in(make_hostile_folder(),
                         "model: {path: model}\ncompute: {threads: 2}\n"
                         "gallery: {images: images, atlas: atlas}\n",
                         "- {plugin: text-neighbors, texts: [\"sn\\u202eow\", ice], heads: [L3.H5], count: 9,"
                         " title: \"a\\u0007 title\"}\n");
    need_success(&got);
    assert_clean("warnings", got.errors);
    assert_contains(got.errors, "skipped no picture" UTF8_REPLACEMENT "]0;x" UTF8_REPLACEMENT);
    assert_int_equal(strchr(got.errors, '\n') - got.errors, strlen(got.errors) - 1); /* one line */
    check_json(got.folder, &got);
    check_page(got.folder);
    char *atlas = text("%s/atlas", got.folder);
    assert_int_equal(run_command(NULL, NULL, "verify", atlas, NULL), 0);
    free(atlas);
    end(&got);
}

static void bench_prints_utf8(void **state) {
    (void)state;
    char *folder = make_folder(), *model = text("%s/m\xf2", folder), *printed;
    copy_folder(TINY, model);
    assert_int_equal(run_command(&printed, NULL, "bench", "--model", model, "--json", "--runs", "1",
                                 "--batch", "1", "--threads", "1", NULL),
                     0);
    assert_null(u8_check((const uint8_t *)printed, strlen(printed)));
    assert_contains(printed, "{\"model\":\"m\\\\xf2\"");
    free(printed);
    free(model);
    remove_folder(folder);
}

/* ---- text files ---- */

typedef struct text_file {
    const char *name, *content, *said;
} text_file;

static void index_refuses_text_that_is_not_utf8(void **state) {
    (void)state;
    static const text_file files[] = {
        {"list.txt", "a.jpg\nb\xff.jpg\n", "list.txt:2: not UTF-8"},
        {"g.json", "[{\"path\": \"a.jpg\",\n\n\"caption\": \"\xe9\"}]", "g.json:3: not UTF-8"},
        {"g.json", "[{\"path\": \"a.jpg\\u0000x\"}]", "g.json: a NUL character"},
    };
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *folder = make_folder(), *images = text("%s/%s", folder, files[i].name), *errors;
        char *out = text("%s/out", folder);
        write_text(images, files[i].content);
        assert_int_equal(
            run_command(NULL, &errors, "index", "--model", TINY, "--images", images, "--out", out, NULL), 1);
        assert_contains(errors, files[i].said);
        assert_false(file_exists(out));
        free(errors);
        free(out);
        free(images);
        remove_folder(folder);
    }
}

static void labels_that_are_not_utf8_are_refused(void **state) {
    (void)state;
    static const text_file files[] = {
        {"l.json", "{\"heads\": {\"L0.H0\":\n\"col\xff\"}}", "l.json:2:5: not UTF-8"},
        {"l.yaml", "heads:\n  L0.H0: col\xff\n", "l.yaml:2:13: not UTF-8"},
        {"l.json", "{\"heads\": {\"L0.H0\": \"col\\u0000x\"}}", "l.json:1:25: the text contains a NUL"},
    };
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *folder = make_folder();
        char *head =
            text("model: {path: %s}\nproperties: {extractor: labels-file, path: %s}\n", TINY, files[i].name);
        put(folder, files[i].name, files[i].content);
        outcome got = run_in(folder, head,
                             "- {plugin: topic-segmentation, images: [" TEST_GOLDEN
                             "/images/gray.png], texts: [a], heads: [L0.H0]}\n");
        need_failure(&got, 1, files[i].said);
        end(&got);
        free(head);
    }
}

static char *decompose_texts(const char *folder, const char *content, int status, char **errors) {
    char *path = text("%s/texts.txt", folder), *out = text("%s/out", folder);
    write_text(path, content);
    assert_int_equal(run_command(NULL, errors, "decompose", "--model", TINY, "--pixels", TINY_PIXELS,
                                 "--text", "first", "--texts", path, "--out", out, NULL),
                     status);
    free(path);
    return out;
}

static char *read_ids(const char *content, size_t *count) {
    char *folder = make_folder(), *out = decompose_texts(folder, content, 0, NULL);
    char *path = text("%s/text_ids.npy", out), *ids = read_file(path, count);
    free(path);
    free(out);
    remove_folder(folder);
    return ids;
}

static void texts_may_begin_with_a_mark(void **state) {
    (void)state;
    size_t plain_count, marked_count;
    char *plain = read_ids("snow\nice\n", &plain_count),
         *marked = read_ids(UTF8_MARK "snow\nice\n", &marked_count);
    assert_int_equal(plain_count, marked_count);
    assert_memory_equal(plain, marked, plain_count);
    free(plain);
    free(marked);
}

static void texts_that_are_not_utf8_are_refused(void **state) {
    (void)state;
    char *folder = make_folder(), *errors;
    char *out = decompose_texts(folder, "snow\n\nic\xe9\n", 1, &errors);
    assert_contains(errors, "texts.txt:3: not UTF-8");
    assert_false(file_exists(out));
    free(errors);
    free(out);
    remove_folder(folder);
}

/* ---- messages ---- */

static void messages_are_single_clean_lines(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"ru\n\x1b[31mn\x7f", NULL},
        {"--\xc2\x9b"
         "31m\xff",
         NULL},
        {"plugins", "x\ny\x1b[31m\xc2\x85", NULL},
        {"run", "no\nsuch\x1b]0;x\x07.yaml", NULL},
        {"run", TEST_SOURCE "/configs/all-five.yaml", "--set", "model.plugin=\"a\\nb\\e[31m\""},
        {"verify", "no\rsuch\x08 atlas", NULL},
        {"merge", "a", "--\x1b[2J", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        const char *arguments[] = {TEST_COMMAND,
                                   cases[i][0],
                                   cases[i][1],
                                   cases[i][1] ? cases[i][2] : NULL,
                                   cases[i][1] && cases[i][2] ? cases[i][3] : NULL,
                                   NULL};
        char *printed, *errors;
        assert_in_range(run_program(arguments, &printed, &errors), 1, 2);
        assert_clean(cases[i][0], errors);
        assert_string_equal(printed, "");
        assert_contains(errors, UTF8_REPLACEMENT);
        const char *line_end = strchr(errors, '\n'); /* after it nothing, or the usage after an empty line */
        assert_true(line_end && (!line_end[1] || line_end[1] == '\n'));
        free(printed);
        free(errors);
    }
}

/* A message is as long as a message, whatever name is in it. */
static void long_names_are_cut(void **state) {
    (void)state;
    enum { LENGTH = 70000, MOST = 1500 };
    char *name = malloc(LENGTH + 1), *errors;
    assert_non_null(name);
    memset(name, 'a', LENGTH);
    name[LENGTH] = '\0';
    assert_int_equal(run_command(NULL, &errors, name, NULL), 2);
    assert_in_range(strlen(errors), 64, MOST);
    assert_contains(errors, "valid are: run, ");
    free(errors);
    assert_int_equal(run_command(NULL, &errors, "plugins", name, NULL), 2);
    assert_in_range(strlen(errors), 64, MOST);
    free(errors);
    free(name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ill_formed_bytes_stay_apart),
        cmocka_unit_test(json_is_utf8),
        cmocka_unit_test(damaged_json_is_refused),
        cmocka_unit_test(run_leaves_clean_files),
        cmocka_unit_test(bench_prints_utf8),
        cmocka_unit_test(index_refuses_text_that_is_not_utf8),
        cmocka_unit_test(labels_that_are_not_utf8_are_refused),
        cmocka_unit_test(texts_may_begin_with_a_mark),
        cmocka_unit_test(texts_that_are_not_utf8_are_refused),
        cmocka_unit_test(messages_are_single_clean_lines),
        cmocka_unit_test(long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
