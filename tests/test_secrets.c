/* Secrets of an experiment: a plugin gets them, and nothing that is written or said holds them. */
#include "core/io/yaml.h"
#include "tests/experiment.h"
#include "tests/mini.h"

#include <stdlib.h>
#include <string.h>

/* ---- a text of YAML ---- */

static char *print(const yaml_file *file) {
    char *out;
    hl_error error;
    assert_ok(yaml_print_source(file, &out, &error), error);
    return out;
}

static void texts_are_hidden_however_they_are_written(void **state) {
    (void)state;
    static const struct {
        const char *written, *shown, *tree;
    } cases[] = {
        {"key: sk-1\nb: 2\n", "key: \"***\"\nb: 2\n", "key: '***'\nb: 2\n"},
        {"b: \xc3\xa4\xe5\xb1\xb1\nkey: 'sk''1' # \xc3\xa4\n",
         "b: \xc3\xa4\xe5\xb1\xb1\nkey: \"***\" # \xc3\xa4\n", "b: \xc3\xa4\xe5\xb1\xb1\nkey: '***'\n"},
        {"{b: [1], key: \"s\\x6b-1\"}\n", "{b: [1], key: \"***\"}\n", "b: [1]\nkey: \"***\"\n"},
        {"\xef\xbb\xbfkey: sk-1\r\nb: 2\r\n", "\xef\xbb\xbfkey: \"***\"\r\nb: 2\r\n", "key: '***'\nb: 2\n"},
        {"key: sk\n  -1\nb: 2\n", "key: \"***\"\nb: 2\n", "key: '***'\nb: 2\n"},
        {"key: \"sk\\\n  -1\"\nb: 2\n", "key: \"***\"\nb: 2\n", "key: \"***\"\nb: 2\n"},
        {"key: |-\n  sk-1\n\nb: 2\n", "key: \"***\"\nb: 2\n", NULL},
        {"key: sk-1", "key: \"***\"", "key: '***'\n"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *path = text("%s/a.yaml", folder), *tree;
        write_text(path, cases[i].written);
        yaml_file *file;
        hl_error error;
        assert_ok(yaml_read(path, &file, &error), error);
        char *before = print(file);
        assert_string_equal(before, cases[i].written);
        const yaml_node *key = yaml_get(yaml_root(file), "key");
        assert_non_null(strstr(key->text, "s"));
        yaml_hide(key);
        yaml_hide(key);
        char *after = print(file);
        assert_string_equal(after, cases[i].shown);
        assert_ok(yaml_write(yaml_root(file), &tree, &error), error);
        if (cases[i].tree) assert_string_equal(tree, cases[i].tree);
        assert_null(strstr(tree, "sk"));
        free(tree);
        free(after);
        free(before);
        yaml_close(file);
        free(path);
        remove_folder(folder);
    }
}

/* ---- an experiment ---- */

#define SECRET "sk-do-not-show-4711"
#define OTHER  "sk-nor-this-0815"

static char *plugins;

static int open_setting(void **state) {
    (void)state;
    plugins = make_folder();
    char *to = text("%s/sample_secret.so", plugins), *caches = text("%s/caches", plugins);
    copy_file(TEST_FIXTURES "/sample_secret.fixture", to);
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    setenv("XDG_CACHE_HOME", caches, 1);
    free(caches);
    free(to);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(plugins);
    return 0;
}

/* Whether any file of the folder but the experiment holds the words. */
static void expect_nowhere(const char *folder, const char *words) {
    const char *const search[] = {"grep", "-rl", "--exclude=e.yaml", words, folder, NULL};
    char *files;
    int status = run_program(search, &files, NULL);
    if (status != 1) fail_msg("%s is in %s", words, files);
    free(files);
}

/* Runs the experiment in `folder`, with sets, and returns what it says. */
static int run(const char *folder, const char *analyses, const char *first, const char *second, char **said) {
    char *yaml = text("headlight: 1\nmodel: {path: " MINI "}\ncompute: {backend: reference}\noutput: out\n%s",
                      analyses),
         *path = text("%s/e.yaml", folder);
    write_text(path, yaml);
    const char *words[8] = {TEST_COMMAND, "run", path};
    size_t count = 3;
    if (first) words[count++] = "--set", words[count++] = first;
    if (second) words[count++] = "--set", words[count++] = second;
    int status = run_program(words, NULL, said);
    free(path);
    free(yaml);
    return status;
}

static void expect_length(const char *results, size_t length) {
    char *wanted = text("\"length\":\t%zu", length), *content = read_file(results, NULL);
    assert_non_null(strstr(content, wanted));
    assert_non_null(strstr(content, "\"key\":\t\"***\""));
    free(content);
    free(wanted);
}

static void a_secret_reaches_its_plugin_and_no_file(void **state) {
    (void)state;
    static const struct {
        const char *analyses, *first, *second;
        size_t length;
    } cases[] = {
        {"analyses: [{plugin: sample-secret, key: " SECRET "}]\n", NULL, NULL, strlen(SECRET)},
        {"analyses:\n  - plugin: sample-secret\n    key: >-\n      " SECRET "\n", NULL, NULL, strlen(SECRET)},
        {"analyses: [{plugin: sample-secret, key: &k " SECRET "}, {plugin: sample-secret, key: *k}]\n", NULL,
         NULL, strlen(SECRET)},
        {"analyses: [{plugin: sample-secret}]\n", "analyses.0.key=" SECRET, "analyses.0.word=mild",
         strlen(SECRET)},
        {"analyses: [{plugin: sample-secret, key: " SECRET "}]\n", "analyses.0.key=" OTHER, NULL,
         strlen(OTHER)},
        {"analyses: [{plugin: sample-secret, key: " SECRET "}]\n",
         "analyses=[{plugin: sample-secret, key: " OTHER "}]", NULL, strlen(OTHER)},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *results = text("%s/out/results.json", folder), *said;
        int status = run(folder, cases[i].analyses, cases[i].first, cases[i].second, &said);
        if (status != 0) fail_msg("%s", said);
        expect_length(results, cases[i].length);
        expect_nowhere(folder, SECRET);
        expect_nowhere(folder, OTHER);
        assert_null(strstr(said, "sk-"));
        free(said);
        free(results);
        remove_folder(folder);
    }
    expect_nowhere(plugins, SECRET);
}

static void variants_keep_secrets_too(void **state) {
    (void)state;
    char *folder = make_folder(), *said;
    int status = run(folder,
                     "analyses: [{plugin: sample-secret, key: " SECRET "}]\n"
                     "variants: [{name: a, set: {analyses.0.key: " OTHER "}}, {name: b}]\n",
                     NULL, NULL, &said);
    if (status != 0) fail_msg("%s", said);
    char *a = text("%s/out/a/results.json", folder), *b = text("%s/out/b/results.json", folder);
    expect_length(a, strlen(OTHER));
    expect_length(b, strlen(SECRET));
    expect_nowhere(folder, SECRET);
    expect_nowhere(folder, OTHER);
    free(a);
    free(b);
    free(said);
    remove_folder(folder);
}

static void no_error_tells_a_secret(void **state) {
    (void)state;
    static const struct {
        const char *analyses, *set, *words;
    } cases[] = {
        {"analyses: [{plugin: sample-secret, key:" SECRET "}]\n", NULL, "\"key:\" needs a blank behind it"},
        {"analyses: [{plugin: sample-secret, key: [" SECRET "]}]\n", NULL, "got a list of 1"},
        {"analyses: [{plugin: text-neighbors, texts: [a]}]\n", "analyses.0.key=" SECRET,
         "unknown option \"key\""},
        {"analyses: [{plugin: sample-secret}]\n", "analyses.7.key=" SECRET, "is no item of the list"},
        {"analyses: [{plugin: sample-secret}]\n",
         "analyses.0={plugin: sample-secret, key: " SECRET ", wrod: a}", "unknown option \"wrod\""},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *folder = make_folder(), *said;
        assert_int_equal(run(folder, cases[i].analyses, cases[i].set, NULL, &said), 2);
        if (!strstr(said, cases[i].words) || strstr(said, SECRET)) fail_msg("case %zu: %s", i, said);
        free(said);
        remove_folder(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_hidden_however_they_are_written),
        cmocka_unit_test(a_secret_reaches_its_plugin_and_no_file),
        cmocka_unit_test(variants_keep_secrets_too),
        cmocka_unit_test(no_error_tells_a_secret),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
