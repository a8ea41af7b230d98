/* Which reports a run writes, and what a report may do: the built command, the plugins html and json, and one
 * from outside. */
#include "headlight/library.h"
#include "tests/comma.h"
#include "tests/experiment.h"
#include "tests/mini.h"
#include "tests/plugins.h"
#include "tests/report.h"
#include "tests/tree.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define HEAD "model: {path: " MINI "}\ncompute: {backend: reference, threads: 2}\n"
#define HEAT                                                                                                 \
    "  - {plugin: topic-segmentation, images: [" MINI_GALLERY                                                \
    "/scene-000.jpg], texts: [a red star], mask: true}\n"

/* ---- which reports ---- */

static bool has(const outcome *got, const char *name) {
    char *path = text("%s/out/%s", got->folder, name);
    bool there = file_exists(path);
    free(path);
    return there;
}

static void what_is_named_is_written_and_nothing_else(void **state) {
    (void)state;
    static const struct {
        const char *reports;
        bool page, json;
        const char *last; /* of the path that the command prints */
    } table[] = {
        {"", true, true, "/out/report.html\n"},
        {"reports: [json]\n", false, true, "/out\n"},
        {"reports: [html]\n", true, false, "/out/report.html\n"},
        {"reports: [json, html]\n", true, true, "/out/report.html\n"},
        {"reports: [{plugin: json, picture-side: 32}, {plugin: html}]\n", true, true, "/out/report.html\n"}};
    for (size_t i = 0; i < COUNT(table); ++i) {
        outcome got = {.folder = make_folder()};
        char *yaml = text("headlight: 1\noutput: out\n" HEAD "%sanalyses:\n" HEAT, table[i].reports),
             *printed;
        char *path = text("%s/e.yaml", got.folder);
        write_text(path, yaml);
        got.status = run_command(&printed, &got.errors, "run", path, NULL);
        assert_int_equal(got.status, 0);
        assert_int_equal(has(&got, "report.html"), table[i].page);
        assert_int_equal(has(&got, "results.json"), table[i].json);
        assert_int_equal(has(&got, "01-topic-segmentation"), table[i].json);
        size_t length = strlen(table[i].last), all = strlen(printed);
        assert_true(all > length && strcmp(printed + all - length, table[i].last) == 0);
        free(printed);
        free(path);
        free(yaml);
        end(&got);
    }
}

static void mistakes_in_the_section_are_named(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"reports: [htlm]\n", "e.yaml:5:11: unknown report plugin \"htlm\"; did you mean \"html\"?"},
        {"reports: [json, json]\n", "e.yaml:5:17: the report json is named twice"},
        {"reports: []\n", "e.yaml:5:10: reports: expected a list of at least one report"},
        {"reports: html\n", "e.yaml:5:10: reports: expected a list of at least one report"},
        {"reports: [[html]]\n", "expected a report's name or a mapping"},
        {"reports: [{plugin: json, picture-sde: 3}]\n", "picture-side"},
        {"reports: [{plugin: json, picture-side: -1}]\n", "picture-side"},
        {"reports: [{picture-side: 3}]\n", "plugin"},
        {"reports: [topic-segmentation]\n", "unknown report plugin \"topic-segmentation\""},
    };
    for (size_t i = 0; i < COUNT(table); ++i) {
        outcome got = {.folder = make_folder()};
        char *yaml = text("headlight: 1\noutput: out\n" HEAD "%sanalyses:\n" HEAT, table[i][0]);
        char *path = text("%s/e.yaml", got.folder);
        write_text(path, yaml);
        for (int checking = 0; checking < 2; ++checking) {
            got.status = run_command(NULL, &got.errors, "run", path, checking ? "--check" : NULL, NULL);
            need_failure(&got, 2, table[i][1]);
            free(got.errors);
        }
        got.errors = NULL;
        assert_false(has(&got, ""));
        free(path);
        free(yaml);
        end(&got);
    }
}

/* ---- what is in results.json ---- */

/* Keys may be added. */
static void compare_values(const cJSON *got, const cJSON *wanted, size_t *numbers) {
    if (cJSON_IsNumber(wanted)) {
        double room = 1e-5 * fmax(1, fabs(wanted->valuedouble));
        if (!cJSON_IsNumber(got) || !(fabs(got->valuedouble - wanted->valuedouble) <= room)) {
            fail_msg("%s: %.9g, expected %.9g", wanted->string, got->valuedouble, wanted->valuedouble);
        }
        ++*numbers;
    } else if (cJSON_IsString(wanted)) {
        assert_string_equal(cJSON_GetStringValue(got), wanted->valuestring);
    } else {
        assert_int_equal(got->type, wanted->type);
        if (cJSON_IsArray(wanted)) assert_int_equal(cJSON_GetArraySize(got), cJSON_GetArraySize(wanted));
        const cJSON *inner = NULL;
        int i = 0;
        cJSON_ArrayForEach(inner, wanted) {
            const cJSON *same = inner->string ? cJSON_GetObjectItemCaseSensitive(got, inner->string)
                                              : cJSON_GetArrayItem(got, i);
            if (!same) fail_msg("%s is missing", inner->string);
            compare_values(same, inner, numbers);
            ++i;
        }
    }
}

/* What results.json had before it was written by a plugin. */
static void quickstart_keeps_every_number(void **state) {
    (void)state;
    char *folder = make_folder(), *atlas = text("gallery.atlas=%s/atlas", folder);
    char *out = text("%s/out", folder), *results = text("%s/results.json", out);
    assert_int_equal(run_command(NULL, NULL, "run", TEST_SOURCE "/configs/quickstart.yaml", "--set",
                                 "compute.backend=reference", "--set", "compute.threads=2", "--set", atlas,
                                 "--out", out, NULL),
                     0);
    cJSON *got = read_json(results), *wanted = read_json(TEST_GOLDEN "/quickstart-results.json");
    size_t numbers = 0;
    compare_values(got, wanted, &numbers);
    assert_true(numbers > 1000);
    cJSON_Delete(wanted);
    cJSON_Delete(got);
    free(results);
    free(out);
    free(atlas);
    remove_folder(folder);
}

static void numbers_of_the_gallery_come_back(void **state) {
    (void)state;
    static const char said[] = "\"post\":\t1234567890123456789,\n";
    char *folder = make_folder(), *gallery = text("%s/gallery.json", folder);
    write_text(gallery,
               "[{\"path\":\"" MINI_GALLERY "/scene-001.jpg\",\"post\":1234567890123456789,\"price\":1.10,"
               "\"huge\":123456789012345678901234567890,\"zero\":-0,\"odd\":{\"list\":[1e5,1E+05,1e999]}}]");
    outcome got =
        run_in(folder, HEAD "gallery: {images: gallery.json}\n",
               "  - {plugin: image-neighbors, images: [" MINI_GALLERY "/scene-000.jpg], heads: [L3.H5]}\n");
    need_success(&got);
    char *path = text("%s/out/results.json", folder), *json = read_file(path, NULL);
    assert_non_null(strstr(json, said));
    assert_non_null(strstr(json, "\"price\":\t1.10,\n"));
    assert_non_null(strstr(json, "\"huge\":\t123456789012345678901234567890,\n"));
    assert_non_null(strstr(json, "\"zero\":\t-0,\n"));
    assert_non_null(strstr(json, "[1e5, 1E+05, 1e999]"));
    free(json);
    free(path);
    free(gallery);
    end(&got);
}

/* ---- pictures ---- */

static tree *heat_of(const char *image, bool mask) {
    char *json = text("{\"analyses\":[{\"plugin\":\"p\",\"results\":[{\"schema\":\"heat\",\"image\":\"%s\","
                      "\"text\":\"t\",\"head\":\"h\",\"grid\":[[0,1],[2,3]]%s}]}]}",
                      image, mask ? ",\"mask_threshold\":1.5" : "");
    tree *made = make_tree(json);
    free(json);
    return made;
}

static hl_status write_heat(const char *folder, const tree *results, const char *report, hl_error *error) {
    report_subject what = {
        .pictures = test_pictures, .model = &test_model, .title = "", .experiment = "", .sections = ""};
    return write_reports(folder, results, &what, (const char *const[]){report, NULL}, error);
}

static void pictures_are_bounded(void **state) {
    (void)state;
    static const struct {
        const char *image, *report;
        size_t width, height;
    } table[] = {{"large.jpg", "json", 1024, 683},
                 {"large.jpg", "{plugin: json, picture-side: 300}", 300, 200},
                 {"large.jpg", "{plugin: json, picture-side: 1500}", 1500, 1000},
                 {"large.jpg", "{plugin: json, picture-side: 0}", 3000, 2000},
                 {"small.jpg", "json", 90, 60}};
    for (size_t i = 0; i < COUNT(table); ++i) {
        char *folder = make_folder(), *stem = strndup(table[i].image, 5);
        tree *results = heat_of(table[i].image, true);
        hl_error error;
        assert_ok(write_heat(folder, results, table[i].report, &error), error);
        char *png = text("%s/01-p/001-%s-t-h.png", folder, stem),
             *mask = text("%s/01-p/001-%s-t-h-mask.png", folder, stem);
        char *array = text("%s/01-p/001-%s-t-h-mask.npy", folder, stem),
             *shape = text("(%zu, %zu)", table[i].height, table[i].width);
        size_t width, height;
        assert_ok(picture_size(png, &width, &height, &error), error);
        assert_true(width == table[i].width && height == table[i].height);
        assert_ok(picture_size(mask, &width, &height, &error), error);
        assert_true(width == table[i].width && height == table[i].height);
        char *header = read_file(array, NULL);
        assert_non_null(strstr(header + 10, shape));
        free(header);
        free(shape);
        free(array);
        free(mask);
        free(png);
        free(stem);
        tree_close(results);
        remove_folder(folder);
    }
}

static void pictures_of_plugins_are_files(void **state) {
    (void)state;
    static const uint8_t rgb[] = {255, 0, 0, 0, 255, 0};
    tree *results;
    hl_error error;
    assert_ok(results_open(&results, &error), error);
    hl_item *list = item_list(results_analysis(results, "p", ""), "results", HL_LIST);
    item_text(item_map(list, NULL), "schema", "plain");
    hl_item *item = item_map(list, NULL);
    item_text(item, "schema", "x");
    item_text(item, "head", "L0.H1");
    item_picture(item, "shot", 1, 2, rgb);
    hl_item *rows = item_list(item, "rows", HL_TABLE);
    for (int i = 0; i < 2; ++i) item_picture(item_map(rows, NULL), "cell", 2, 1, rgb);
    item_picture(tree_root(results), "elsewhere", 1, 2, rgb);
    char *folder = make_folder();
    assert_ok(write_heat(folder, results, "json", &error), error);
    char *path = text("%s/results.json", folder);
    cJSON *root = read_json(path);
    const cJSON *found =
        cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "analyses")->child, "results"), 1);
    assert_string_equal(field(found, "shot"), "01-p/001-L0.H1-picture-01.png");
    const cJSON *second = cJSON_GetArrayItem(cJSON_GetObjectItem(found, "rows"), 1);
    assert_string_equal(field(second, "cell"), "01-p/001-L0.H1-picture-03.png");
    assert_string_equal(field(root, "elsewhere"), "other/-elsewhere-picture-01.png");
    char *png = text("%s/%s", folder, field(second, "cell"));
    picture read;
    assert_ok(picture_load(png, &read, &error), error);
    assert_true(read.width == 1 && read.height == 2);
    assert_memory_equal(read.rgb, rgb, sizeof rgb);
    picture_free(&read);
    free(png);
    cJSON_Delete(root);
    free(path);
    tree_close(results);
    remove_folder(folder);
}

/* Files of this process may not grow beyond some bytes: the nearest thing to a full disk. */
static void a_full_disk_leaves_nothing(void **state) {
    (void)state;
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    static const char *const reports[] = {"json", "html"};
    for (size_t i = 0; i < COUNT(reports); ++i) {
        char *folder = make_folder();
        tree *results = heat_of("large.jpg", true);
        hl_error error = {""};
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, before.rlim_max});
        assert_int_equal(write_heat(folder, results, reports[i], &error), HL_FAILED);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_non_null(strstr(error.message, folder));
        assert_int_equal(count_files(folder), 0);
        tree_close(results);
        remove_folder(folder);
    }
}

/* ---- a report from outside ---- */

static char *with_notes(void) {
    char *folder = make_folder(), *plugin = text("%s/notes.so", folder);
    copy_file(TEST_FIXTURES "/notes_report.fixture", plugin);
    free(plugin);
    return folder;
}

static int run_notes(const char *folder, const char *reports, char **errors) {
    char *path = text("%s/e.yaml", folder);
    char *yaml = text("headlight: 1\noutput: out\n" HEAD "reports: [%s]\nanalyses:\n" HEAT, reports);
    write_text(path, yaml);
    int status = run_command(NULL, errors, "run", "--plugin-dir", folder, path, NULL);
    free(path);
    free(yaml);
    return status;
}

static void others_can_report(void **state) {
    (void)state;
    static const struct {
        const char *side, *line;
    } table[] = {{"0", "1.50 160 x 160 of 160 x 160\n"},
                 {"40", "1.50 40 x 40 of 160 x 160\n"},
                 {"1024", "1.50 160 x 160 of 160 x 160\n"}};
    char *folder = with_notes();
    for (size_t i = 0; i < COUNT(table); ++i) {
        char *reports = text("{plugin: notes, file: sub/notes.txt, side: %s, picture: %s}", table[i].side,
                             MINI_GALLERY "/scene-000.jpg");
        assert_int_equal(run_notes(folder, reports, NULL), 0);
        char *path = text("%s/out/sub/notes.txt", folder), *notes = read_file(path, NULL);
        char *expected = text("topic-segmentation\n%s", table[i].line);
        assert_string_equal(notes, expected);
        free(expected);
        free(notes);
        free(path);
        free(reports);
    }
    remove_folder(folder);
}

static void names_of_files_stay_in_the_folder(void **state) {
    (void)state;
    static const char *const wrong[] = {"../notes", "/tmp/notes", ".notes", "a/../b",
                                        "a//b",     "a/",         "\"\"",   "a/.b"};
    char *folder = with_notes(), *errors;
    for (size_t i = 0; i < COUNT(wrong); ++i) {
        char *reports = text("{plugin: notes, file: %s}, json", wrong[i]);
        assert_int_equal(run_notes(folder, reports, &errors), 1);
        assert_non_null(strstr(errors, "no name for a file of a report"));
        free(errors);
        free(reports);
    }
    assert_int_equal(run_notes(folder, "{plugin: notes, file: results.json}, json", &errors), 1);
    assert_non_null(strstr(errors, "results.json: another report of the run writes this file"));
    free(errors);
    char *out = text("%s/out", folder);
    assert_false(file_exists(out));
    free(out);
    remove_folder(folder);
}

/* ---- the locale of the program ---- */

static void run_here(const char *folder, const char *out) {
    char *path = text("%s/e.yaml", folder), *into = text("%s/%s", folder, out);
    const char *const folders[] = {folder, TEST_PLUGINS};
    hl_library_settings settings = {
        .size = sizeof settings, .plugin_folders = folders, .plugin_folder_count = 2};
    hl_run_request request = {.size = sizeof request, .experiment = path, .output = into};
    hl_library *library;
    hl_error error;
    assert_ok(hl_library_open(&settings, &library, &error), error);
    assert_ok(hl_run(library, NULL, &request, NULL, &error), error);
    hl_library_close(library);
    free(into);
    free(path);
}

static void need_same(const char *folder, const char *name) {
    char *one = text("%s/one/%s", folder, name), *other = text("%s/other/%s", folder, name);
    char *content = read_file(one, NULL), *same = read_file(other, NULL);
    assert_string_equal(content, same);
    free(content);
    free(same);
    free(one);
    free(other);
}

static void a_decimal_comma_changes_no_file(void **state) {
    (void)state;
    char *folder = with_notes(), *path = text("%s/e.yaml", folder);
    write_text(path, "headlight: 1\n" HEAD "gallery: {images: " MINI_GALLERY ", atlas: atlas}\n"
                     "reports: [html, json, {plugin: notes, picture: " MINI_GALLERY
                     "/scene-000.jpg}]\nanalyses:\n" HEAT
                     "  - {plugin: text-neighbors, texts: [snow], heads: [0.5*L3.H5 + L2.H1], count: 3}\n");
    run_here(folder, "one");
    if (!comma_set(folder)) {
        free(path);
        remove_folder(folder);
        skip();
    }
    run_here(folder, "other");
    assert_true(comma_is_set());
    comma_unset();
    need_same(folder, "results.json");
    need_same(folder, "report.html");
    need_same(folder, "notes.txt");
    free(path);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_named_is_written_and_nothing_else),
        cmocka_unit_test(mistakes_in_the_section_are_named),
        cmocka_unit_test(quickstart_keeps_every_number),
        cmocka_unit_test(numbers_of_the_gallery_come_back),
        cmocka_unit_test(pictures_are_bounded),
        cmocka_unit_test(pictures_of_plugins_are_files),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(others_can_report),
        cmocka_unit_test(names_of_files_stay_in_the_folder),
        cmocka_unit_test(a_decimal_comma_changes_no_file),
    };
    open_plugins(2, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_plugins();
    return failed;
}
