/* Models by their names: `headlight models`, models at home, and tools/get-model, from a server on loopback
 * that stalls, breaks off, sends elsewhere and lies: the model is there whole or not at all. */
#include "tests/file_server.h"
#include "tests/support.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINI TEST_SOURCE "/configs/mini/model"
#define CARD                                                                                                 \
    "title: a mini\ntower: 4 layers of 8 heads\nparameters: 0.84\nactivation: gelu\npixels: any\n"           \
    "tokenizer: byte pairs\ntraining: scenes\nlicence: that of headlight\nplugin: clip-vit\n"                \
    "page: https://example.org\nfrom: http://127.0.0.1:1/\nmegabytes: 3\n"                                   \
    "files: [open_clip_model.safetensors, open_clip_config.json, merges.txt.gz]\n"

static char *home, *target;
static file_server files[3];
static bool no_curl;

static int open_setting(void **state) {
    static const char *const names[] = {"open_clip_model.safetensors", "open_clip_config.json",
                                        "merges.txt.gz"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *path = text("%s/%s", MINI, names[i]);
        files[i] = (file_server){.path = names[i]};
        files[i].content = read_file(path, &files[i].size);
        free(path);
    }
    const char *const words[] = {"sh", "-c", "command -v curl && command -v flock", NULL};
    no_curl = run_program(words, NULL, NULL) != 0;
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(files); ++i) free((void *)(uintptr_t)files[i].content);
    return 0;
}

static int open_home(void **state) {
    (void)state;
    home = make_folder();
    char *card = text("%s/models/tiny.yaml", home), *folder = text("mkdir -p %s/models", home);
    assert_int_equal(system(folder), 0);
    write_text(card, CARD);
    target = text("%s/models/tiny", home);
    setenv("HEADLIGHT_HOME", home, 1);
    setenv("HEADLIGHT", TEST_COMMAND, 1);
    setenv("FETCH_PATIENCE", "1", 1);
    setenv("FETCH_PAUSE", "0.1", 1);
    free(card);
    free(folder);
    return 0;
}

static int close_home(void **state) {
    (void)state;
    remove_folder(home);
    free(target);
    return 0;
}

/* ---- names ---- */

static void every_card_is_right(void **state) {
    (void)state;
    char *printed;
    assert_int_equal(run_command(&printed, NULL, "models", "--json", NULL), 0);
    cJSON *list = cJSON_Parse(printed), *card;
    assert_true(cJSON_GetArraySize(list) > 30);
    size_t of_the_study = 0, loadable = 0;
    cJSON_ArrayForEach(card, list) {
        const char *title = cJSON_GetObjectItem(card, "title")->valuestring;
        const char *from = cJSON_GetObjectItem(card, "from")->valuestring;
        if (strstr(title, "(the study)")) ++of_the_study;
        if (cJSON_IsTrue(cJSON_GetObjectItem(card, "loads"))) ++loadable;
        assert_non_null(cJSON_GetObjectItem(card, "licence"));
        if (strcmp(title, "a mini") != 0) assert_int_equal(strncmp(from, "https://", 8), 0);
    }
    assert_int_equal(of_the_study, 6);
    assert_true(loadable > 15);
    cJSON_Delete(list);
    free(printed);
}

static void a_model_at_home_goes_by_its_name(void **state) {
    (void)state;
    char *printed, *errors, *out = text("%s/out", home), *experiment = text("%s/e.yaml", home);
    assert_int_equal(run_command(NULL, &errors, "decompose", "--model", "tiny", "--text", "a star", "--image",
                                 TEST_SOURCE "/configs/mini/gallery/scene-258.jpg", "--out", out, NULL),
                     2);
    assert_non_null(strstr(errors, "the model's folder tiny does not exist"));
    free(errors);
    copy_folder(MINI, target);
    assert_int_equal(run_command(NULL, NULL, "decompose", "--model", "tiny", "--text", "a star", "--image",
                                 TEST_SOURCE "/configs/mini/gallery/scene-258.jpg", "--out", out, NULL),
                     0);
    write_text(experiment, "headlight: 1\noutput: results\nmodel: {name: tiny}\nanalyses:\n"
                           "- {plugin: topic-segmentation, images: [" TEST_SOURCE
                           "/configs/mini/gallery/scene-258.jpg], texts: [a star], heads: [aggregate]}\n");
    assert_int_equal(run_command(NULL, NULL, "run", "--check", experiment, NULL), 0);
    assert_int_equal(run_command(&printed, NULL, "models", "tiny", NULL), 0);
    assert_non_null(strstr(printed, target));
    free(printed);
    free(out);
    free(experiment);
}

static void need_refusal(const char *model, const char *words) {
    char *errors, *experiment = text("%s/e.yaml", home);
    char *yaml = text(
        "headlight: 1\nmodel: %s\nanalyses: [{plugin: topic-segmentation, images: [a.jpg], texts: [b]}]\n",
        model);
    write_text(experiment, yaml);
    assert_int_equal(run_command(NULL, &errors, "run", "--check", experiment, NULL), 2);
    if (!strstr(errors, words)) fail_msg("%s", errors);
    free(errors);
    free(yaml);
    free(experiment);
}

static void what_is_no_model_at_home_is_refused(void **state) {
    (void)state;
    need_refusal("{name: tiny}", "e.yaml:2:15: the model's folder");
    need_refusal("{name: ../tiny}", "e.yaml:2:15: \"../tiny\" is no name of a model");
    need_refusal("{name: .tiny}", "is no name of a model");
    need_refusal("{name: tiny, path: " MINI "}", "expected either path, the model's folder, or name");
    need_refusal("{plugin: clip-vit}", "expected either path, the model's folder, or name");
    char *errors;
    assert_int_equal(run_command(NULL, &errors, "models", "ViT-B-16-openia", NULL), 2);
    assert_non_null(strstr(errors, "did you mean ViT-B-16-openai"));
    free(errors);
    char *card = text("%s/models/bad.yaml", home);
    write_text(card, CARD "colour: red\n");
    assert_int_equal(run_command(NULL, &errors, "models", NULL), 2);
    assert_non_null(strstr(errors, "bad.yaml:14:1: "));
    free(errors);
    free(card);
}

/* ---- fetching ---- */

static int get(const file_server *from, char **errors) {
    char *address;
    pid_t server = file_server_start(from, COUNT(files), &address);
    const char *const words[] = {TEST_SOURCE "/tools/get-model", "tiny", "--from", address, NULL};
    int status = run_program(words, NULL, errors);
    file_server_stop(server);
    free(address);
    return status;
}

static void need_model(const char *errors) {
    char *weights = text("%s/open_clip_model.safetensors", target);
    if (!file_exists(weights)) fail_msg("%s", errors);
    size_t size;
    char *got = read_file(weights, &size);
    assert_int_equal(size, files[0].size);
    assert_memory_equal(got, files[0].content, size);
    assert_int_equal(count_files(target), 3);
    free(got);
    free(weights);
}

static void a_model_is_fetched_whatever_the_server_does(void **state) {
    (void)state;
    const file_server manners[] = {
        {.cut = 1500000}, {.no_parts = true}, {.stalls_once = true}, {.moved = "elsewhere"}};
    for (size_t i = 0; i < COUNT(manners) && !no_curl; ++i) {
        file_server bad[COUNT(files)];
        memcpy(bad, files, sizeof files);
        bad[0].cut = manners[i].cut;
        bad[0].no_parts = manners[i].no_parts;
        bad[0].stalls_once = manners[i].stalls_once;
        bad[0].moved = manners[i].moved;
        char *errors;
        assert_int_equal(get(bad, &errors), 0);
        need_model(errors);
        free(errors);
        assert_int_equal(get(bad, NULL), 0); /* it is there already */
        char *clear = text("rm -r %s", target);
        assert_int_equal(system(clear), 0);
        free(clear);
    }
}

static void need_nothing(const file_server *from, const char *words) {
    char *errors;
    assert_int_equal(get(from, &errors), 1);
    if (!strstr(errors, words)) fail_msg("%s", errors);
    assert_false(file_exists(target));
    free(errors);
}

static void what_is_not_the_model_never_appears(void **state) {
    (void)state;
    if (no_curl) return;
    static const char page[] = "<html>Sign in</html>";
    file_server bad[COUNT(files)];
    memcpy(bad, files, sizeof files);
    bad[0].content = page;
    bad[0].size = sizeof page - 1;
    need_nothing(bad, "a page or a pointer in place of the file");
    memcpy(bad, files, sizeof files);
    bad[0].lie = -1000; /* what is told comes, and the file's end is missing */
    need_nothing(bad, "what came is not the model");
    memcpy(bad, files, sizeof files);
    bad[0].lie = 1000;
    need_nothing(bad, "curl ends with");
    memcpy(bad, files, sizeof files);
    bad[0].lie = 1L << 40;
    need_nothing(bad, "another file");
    memcpy(bad, files, sizeof files);
    bad[0].sum = "0000000000000000000000000000000000000000000000000000000000000000";
    need_nothing(bad, "does not have the SHA-256 that the server told");
    memcpy(bad, files, sizeof files);
    bad[1].path = "another.json";
    need_nothing(bad, "open_clip_config.json: curl ends with 22");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_card_is_right, open_home, close_home),
        cmocka_unit_test_setup_teardown(a_model_at_home_goes_by_its_name, open_home, close_home),
        cmocka_unit_test_setup_teardown(what_is_no_model_at_home_is_refused, open_home, close_home),
        cmocka_unit_test_setup_teardown(a_model_is_fetched_whatever_the_server_does, open_home, close_home),
        cmocka_unit_test_setup_teardown(what_is_not_the_model_never_appears, open_home, close_home),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
