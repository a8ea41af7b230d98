/* The files of both reports: the page, results.json, pictures, arrays; bounded, whole or not at all. */
#include "plugins/shared/drawing/colormap.h"
#include "tests/plugins.h"
#include "tests/report.h"
#include "tests/tree.h"

#include <stdlib.h>
#include <string.h>

static const char nasty[] = "<script>alert(\"a\" & 'b')</script> \xc3\xa9toile \xe2\x98\x83";
static void add_heat(hl_result *result, const char *image, const char *words, const char *head,
                     uint32_t cols) {
    hl_item *item = result->item(result, HL_SCHEMA_HEAT);
    result->text(item, "image", image);
    result->text(item, "text", words);
    result->text(item, "head", head);
    float *grid = result->grid(item, "grid", 2, cols);
    for (uint32_t i = 0; i < 2 * cols; i++) grid[i] = (float)i / 8;
}

static void add_row(hl_result *result, const char *name, double number) {
    hl_item *item = result->item(result, "head-norm");
    result->text(item, "name", name);
    result->number(item, "norm", number);
}

static const char *const BOTH[] = {"html", "json", NULL};
static const char *const JSON[] = {"json", NULL};

static report_subject with_model(const hl_model_info *model) {
    return (report_subject){
        .pictures = test_pictures, .model = model, .title = nasty, .experiment = nasty, .sections = "x: 1\n"};
}

/* Two texts of two heads over one image, then a table. */
static hl_status write_files(const char *folder, const char *image, uint32_t cols, const hl_model_info *model,
                             const char *const *reports, hl_error *error) {
    sink items;
    tree *all = open_results(&items);
    hl_result *result = &items.functions;
    const char *heads[] = {"aggregate", "L3.H5"};
    for (int i = 0; i < 4; i++) add_heat(result, image, i < 2 ? nasty : "snow", heads[i % 2], cols);
    add_row(result, nasty, 0.125);
    add_row(result, "plain", -2);
    assert_ok(sink_finish(&items, all, error), *error);
    report_subject what = with_model(model);
    hl_status status = write_reports(folder, all, &what, reports, error);
    tree_close(all);
    return status;
}

static hl_status write_report(const char *folder, const char *image, uint32_t cols, hl_error *error) {
    return write_files(folder, image, cols, &test_model, BOTH, error);
}

static void test_results_have_the_shape(void **state) {
    (void)state;
    char *folder = make_folder();
    hl_error error;
    assert_ok(write_report(folder, "photos/a \xc3\xa9.b.jpg", 2, &error), error);
    char *path = text("%s/results.json", folder), *json = read_file(path, NULL);
    cJSON *root = cJSON_Parse(json);
    assert_int_equal(cJSON_GetObjectItem(root, "version")->valueint, 1);
    assert_true(cJSON_IsObject(cJSON_GetObjectItem(root, "model")));
    assert_true(cJSON_IsObject(cJSON_GetObjectItem(root, "compute")));
    const cJSON *analysis = cJSON_GetObjectItem(root, "analyses")->child;
    assert_string_equal(cJSON_GetObjectItem(analysis, "plugin")->valuestring, "some-analysis");
    assert_true(cJSON_IsObject(cJSON_GetObjectItem(analysis, "options")));
    const cJSON *heat = cJSON_GetArrayItem(cJSON_GetObjectItem(analysis, "results"), 1);
    assert_string_equal(cJSON_GetObjectItem(heat, "image")->valuestring, "photos/a \xc3\xa9.b.jpg");
    assert_string_equal(cJSON_GetObjectItem(heat, "text")->valuestring, nasty);
    assert_string_equal(cJSON_GetObjectItem(heat, "head")->valuestring, "L3.H5");
    char *grid = cJSON_PrintUnformatted(cJSON_GetObjectItem(heat, "grid"));
    assert_string_equal(grid, "[[0,0.125],[0.25,0.375]]");
    const char *png = cJSON_GetObjectItem(heat, "png")->valuestring;
    assert_string_equal(png, "01-some-analysis/002-a-b-script-alert-a-b-script-toile-L3.H5.png");
    char *picture_path = text("%s/%s", folder, png);
    picture image;
    assert_ok(picture_load(picture_path, &image, &error), error);
    assert_int_equal(image.width, 90);
    assert_int_equal(image.height, 60);
    picture_free(&image);
    cJSON_Delete(root);
    free(picture_path);
    free(grid);
    free(json);
    free(path);
    remove_folder(folder);
}

/* A grid of 2 x 3 cells of 8 pixels in a crop of 30: of the 60 x 60 pixels at 16, 0 it covers 48 x 32. (The
 * resized image is 45 wide; its crop starts at 7.5, rounded half to even.) */
static void test_heat_lies_where_the_grid_does(void **state) {
    (void)state;
    hl_model_info model = test_model;
    hl_preprocess preprocess = *model.preprocess;
    preprocess.height = preprocess.width = 30;
    model.preprocess = &preprocess, model.grid_cols = 3, model.patch_height = model.patch_width = 8;
    char *folder = make_folder();
    hl_error error;
    assert_ok(write_files(folder, "a.jpg", 3, &model, JSON, &error), error);
    char *path = text("%s/01-some-analysis/003-a-snow-aggregate.png", folder);
    picture drawn, image = make_picture(90, 60);
    assert_ok(picture_load(path, &drawn, &error), error);
    for (size_t y = 0; y < 60; y++) {
        for (size_t x = 16; x < 76; x++) {
            bool colored = memcmp(pixel_at(&drawn, x, y), pixel_at(&image, x, y), 3) != 0;
            assert_int_equal(colored, x < 16 + 48 && y < 32);
        }
    }
    picture_free(&drawn);
    picture_free(&image);
    free(path);
    remove_folder(folder);
}

/* What report/json made of one heat. */
typedef struct written {
    char *folder;
    cJSON *root;
    const cJSON *item;
} written;

static written write_heat(const char *more, const char *grid) {
    written self = {.folder = make_folder()};
    hl_error error;
    char *json = text(
        "{\"analyses\":[{\"plugin\":\"contrast\",\"summary\":\"\",\"options\":{},\"results\":[{\"schema\":"
        "\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\",%s\"grid\":%s}]}]}",
        more, grid);
    tree *made = make_tree(json);
    report_subject what = with_model(&test_model);
    assert_ok(write_reports(self.folder, made, &what, JSON, &error), error);
    char *path = text("%s/results.json", self.folder);
    self.root = read_json(path);
    const cJSON *analysis = cJSON_GetArrayItem(cJSON_GetObjectItem(self.root, "analyses"), 0);
    self.item = cJSON_GetArrayItem(cJSON_GetObjectItem(analysis, "results"), 0);
    free(path);
    tree_close(made);
    free(json);
    return self;
}

static char *path_of(const written *self, const char *key) {
    return text("%s/%s", self->folder, field(self->item, key));
}

static void drop(written *self) {
    cJSON_Delete(self->root);
    remove_folder(self->folder);
}

/* Zero is the middle of the colours, whatever the ends: the crop's left half is exactly it. */
static void test_differences_are_written(void **state) {
    (void)state;
    written it = write_heat("\"minus\":\"<moon>\",\"opacity\":1,", "[[0,0],[0,3]]");
    assert_string_equal(field(it.item, "png"), "01-contrast/001-a-sun-moon-L3.H5.png");
    char *path = path_of(&it, "png");
    picture drawn;
    hl_error error;
    assert_ok(picture_load(path, &drawn, &error), error);
    colormap map;
    colormap_make_diverging(&map);
    /* The grid covers [15, 75) x [0, 60), 30 pixels a cell. */
    assert_memory_equal(pixel_at(&drawn, 20, 10), map.rgb[COLORMAP_STEPS / 2], 3);
    assert_memory_equal(pixel_at(&drawn, 70, 55), map.rgb[COLORMAP_STEPS - 1], 3);
    picture_free(&drawn);
    free(path);
    drop(&it);
}

/* White in the middle of the cell that is 1; not beside it, nor outside of the crop. */
static void check_mask(const uint8_t *values) {
    size_t white = 0;
    for (size_t i = 0; i < 90 * 60; i++) white += values[i] == 255;
    assert_int_equal(values[15 * 90 + 60], 255);
    assert_int_equal(values[15 * 90 + 30], 0);
    assert_int_equal(values[15 * 90 + 80], 0);
    assert_true(white > 300 && white < 1200);
}

/* The mask as a picture and as an array say the same, and the heat is exactly the item's grid. */
static void test_masks_are_written(void **state) {
    (void)state;
    written it = write_heat("\"mask_threshold\":0.5,", "[[0,1],[0.25,0.1]]");
    hl_error error;
    char *png = path_of(&it, "mask_png"), *npy = path_of(&it, "mask_npy"), *heat = path_of(&it, "heat_npy");
    picture mask;
    assert_ok(picture_load(png, &mask, &error), error);
    assert_true(mask.width == 90 && mask.height == 60);
    size_t count;
    char *bytes = read_file(npy, &count);
    assert_non_null(strstr(bytes + 10, "'descr': '|u1'"));
    assert_non_null(strstr(bytes + 10, "'shape': (60, 90)"));
    assert_true(count > 90 * 60);
    const uint8_t *values = (const uint8_t *)bytes + count - 90 * 60;
    for (size_t i = 0; i < 90 * 60 * 3; i++) assert_true(mask.rgb[i] == values[i / 3]);
    check_mask(values);
    npy_array grid;
    assert_ok(npy_read(heat, &grid, &error), error);
    assert_true(grid.rank == 2 && grid.shape[0] == 2 && grid.shape[1] == 2);
    const float expected[4] = {0, 1, 0.25F, 0.1F};
    assert_memory_equal(grid.data, expected, sizeof expected);
    free(grid.data);
    free(bytes);
    picture_free(&mask);
    free(png);
    free(npy);
    free(heat);
    drop(&it);
}

static void test_same_results_same_bytes(void **state) {
    (void)state;
    static const char *const names[] = {"report.html", "results.json",
                                        "01-some-analysis/001-a-script-alert-a-b-script-toile-aggregate.png"};
    char *one = make_folder(), *two = make_folder();
    hl_error error;
    assert_ok(write_report(one, "a.jpg", 2, &error), error);
    assert_ok(write_report(two, "a.jpg", 2, &error), error);
    for (size_t i = 0; i < 3; i++) {
        char *path[2] = {text("%s/%s", one, names[i]), text("%s/%s", two, names[i])};
        size_t count[2];
        char *bytes[2] = {read_file(path[0], &count[0]), read_file(path[1], &count[1])};
        assert_int_equal(count[0], count[1]);
        assert_memory_equal(bytes[0], bytes[1], count[0]);
        for (int k = 0; k < 2; k++) {
            free(path[k]);
            free(bytes[k]);
        }
    }
    remove_folder(one);
    remove_folder(two);
}

static void test_failed_drawing_names_the_image_and_leaves_nothing(void **state) {
    (void)state;
    char *folder = make_folder();
    hl_error error = {0};
    assert_int_equal(write_report(folder, "missing.jpg", 2, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "missing.jpg: "));
    assert_non_null(strstr(error.message, "there is no such file"));
    assert_int_equal(write_report(folder, "a.jpg", 3, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "a.jpg: "));
    assert_non_null(strstr(error.message, "2 x 2"));
    assert_int_equal(count_files(folder), 0);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_have_the_shape),
        cmocka_unit_test(test_heat_lies_where_the_grid_does),
        cmocka_unit_test(test_differences_are_written),
        cmocka_unit_test(test_masks_are_written),
        cmocka_unit_test(test_same_results_same_bytes),
        cmocka_unit_test(test_failed_drawing_names_the_image_and_leaves_nothing),
    };
    open_plugins(2, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_plugins();
    return failed;
}
