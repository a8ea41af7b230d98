/* The report from inside: colours, heat over pixels, the sink, the files. */
#include "core/report/colormap.h"
#include "core/report/heatmap.h"
#include "core/report/results.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- colours ---- */

typedef struct lab {
    double l, a, b;
} lab;

static double linear(uint8_t byte) {
    double x = byte / 255.0;
    return x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
}

/* sRGB -> OKLab, the published matrices. */
static lab to_lab(const uint8_t *rgb) {
    double r = linear(rgb[0]), g = linear(rgb[1]), b = linear(rgb[2]);
    double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return (lab){0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

static void test_lightness_rises(void **state) {
    (void)state;
    colormap map;
    colormap_make(&map);
    double last = -1;
    for (int i = 0; i < COLORMAP_STEPS; i += 3) {
        double lightness = to_lab(map.rgb[i]).l;
        assert_true(lightness > last);
        last = lightness;
    }
    assert_true(to_lab(map.rgb[0]).l < 0.25);
    assert_true(to_lab(map.rgb[COLORMAP_STEPS - 1]).l > 0.9);
}

static void test_equal_steps_look_equal(void **state) {
    (void)state;
    enum { PARTS = 15 };
    colormap map;
    colormap_make(&map);
    double step[PARTS], mean = 0;
    for (int i = 0; i < PARTS; i++) {
        lab from = to_lab(map.rgb[i * 17]), to = to_lab(map.rgb[(i + 1) * 17]);
        step[i] = hypot(hypot(to.l - from.l, to.a - from.a), to.b - from.b);
        mean += step[i] / PARTS;
    }
    for (int i = 0; i < PARTS; i++) assert_true(fabs(step[i] / mean - 1) < 0.15);
}

static void test_colors_end_at_the_ends(void **state) {
    (void)state;
    colormap map;
    colormap_make(&map);
    assert_ptr_equal(colormap_at(&map, -3), map.rgb[0]);
    assert_ptr_equal(colormap_at(&map, 0), map.rgb[0]);
    assert_ptr_equal(colormap_at(&map, 1), map.rgb[COLORMAP_STEPS - 1]);
    assert_ptr_equal(colormap_at(&map, 1e30), map.rgb[COLORMAP_STEPS - 1]);
}

static double apart(lab p, lab q) {
    return hypot(hypot(p.l - q.l, p.a - q.a), p.b - q.b);
}

/* Of a difference lightness tells the amount, and the side is blue or orange: told apart by the one axis that
 * the common colour blindnesses leave. */
static void test_differences_run_both_ways_from_gray(void **state) {
    (void)state;
    enum { HALF = COLORMAP_STEPS / 2 };
    colormap map;
    colormap_make_diverging(&map);
    assert_memory_equal(map.rgb[HALF - 1], map.rgb[HALF], 3);
    lab middle = to_lab(map.rgb[HALF]);
    assert_true(hypot(middle.a, middle.b) < 0.005);
    for (int i = 3; i < HALF; i += 3) {
        lab less = to_lab(map.rgb[HALF - 1 - i]), more = to_lab(map.rgb[HALF + i]);
        assert_true(less.l > to_lab(map.rgb[HALF - 1 - i + 3]).l);
        assert_true(more.l > to_lab(map.rgb[HALF + i - 3]).l);
        assert_true(fabs(less.l - more.l) < 0.06);
        if (i > HALF / 4) assert_true(less.b < -0.02 && more.b > 0.02);
    }
}

static void test_categories_differ_in_hue_alone(void **state) {
    (void)state;
    static const double tones[2][2] = {{0.85, 0.08}, {0.42, 0.075}}; /* of the page, light and dark */
    for (size_t tone = 0; tone < 2; tone++) {
        lab colors[12];
        for (size_t i = 0; i < 12; i++) {
            uint8_t rgb[3];
            colormap_category(i, 12, tones[tone][0], tones[tone][1], rgb);
            colors[i] = to_lab(rgb);
            assert_true(fabs(colors[i].l - tones[tone][0]) < 0.015);
            for (size_t k = 0; k < i; k++) assert_true(apart(colors[i], colors[k]) > 0.03);
        }
    }
}

/* ---- heat over pixels ---- */

static picture make_picture(size_t width, size_t height) {
    picture image = {width, height, malloc(width * height * 3)};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < width * height * 3; i++) image.rgb[i] = (uint8_t)(i * 37 % 251);
    return image;
}

static const uint8_t *pixel(const picture *image, size_t x, size_t y) {
    return image->rgb + 3 * (y * image->width + x);
}

static const float slope[6] = {0, 1, 2, 3, 4, 5}; /* 2 x 3 */

static picture draw(size_t width, size_t height, picture_frame crop, picture_frame covered, double opacity) {
    heatmap heat = {slope, 2, 3, 0, 5, opacity};
    picture image = make_picture(width, height);
    colormap map;
    hl_error error;
    colormap_make(&map);
    assert_ok(heatmap_draw(&heat, &map, &crop, &covered, &image, &error), error);
    return image;
}

static void test_no_opacity_is_the_image(void **state) {
    (void)state;
    picture_frame whole = {0, 0, 45, 30};
    picture image = make_picture(45, 30), drawn = draw(45, 30, whole, whole, 0);
    assert_memory_equal(image.rgb, drawn.rgb, 45 * 30 * 3);
    picture_free(&image);
    picture_free(&drawn);
}

/* 15 pixels a cell: the middle pixel of each shows exactly its value. */
static void test_middle_of_a_cell_shows_its_value(void **state) {
    (void)state;
    picture_frame whole = {0, 0, 45, 30};
    picture drawn = draw(45, 30, whole, whole, 1);
    colormap map;
    colormap_make(&map);
    for (size_t r = 0; r < 2; r++) {
        for (size_t c = 0; c < 3; c++) {
            const uint8_t *expected = colormap_at(&map, (double)slope[r * 3 + c] / 5);
            assert_memory_equal(pixel(&drawn, c * 15 + 7, r * 15 + 7), expected, 3);
        }
    }
    picture_free(&drawn);
}

static void test_enlarged_heat_keeps_its_order(void **state) {
    (void)state;
    picture_frame whole = {0, 0, 45, 30};
    picture drawn = draw(45, 30, whole, whole, 1);
    for (size_t y = 0; y < 30; y++) {
        for (size_t x = 7; x + 1 < 37; x++) {
            double here = to_lab(pixel(&drawn, x, y)).l, right = to_lab(pixel(&drawn, x + 1, y)).l;
            assert_true(right > here - 0.004); /* a step of a byte */
        }
    }
    picture_free(&drawn);
}

/* Half the colour, a quarter of the picture, a quarter of its gray. */
static void test_half_opacity_is_half_heat(void **state) {
    (void)state;
    picture_frame whole = {0, 0, 45, 30};
    picture image = make_picture(45, 30), full = draw(45, 30, whole, whole, 1);
    picture half = draw(45, 30, whole, whole, 0.5);
    for (size_t i = 0; i < 45 * 30 * 3; i++) {
        const uint8_t *under = image.rgb + i / 3 * 3;
        double gray = 0.2126 * under[0] + 0.7152 * under[1] + 0.0722 * under[2];
        double expected = (2.0 * full.rgb[i] + image.rgb[i] + gray) / 4;
        assert_true(fabs(half.rgb[i] - expected) <= 0.5 + 1e-9);
    }
    picture_free(&image);
    picture_free(&full);
    picture_free(&half);
}

/* A crop in the middle of a wide picture, its grid covering all but the last tenth. */
static void test_outside_of_the_crop_only_an_outline(void **state) {
    (void)state;
    picture_frame crop = {30, 0, 40, 40}, covered = {30, 0, 36, 36};
    picture image = make_picture(100, 40), drawn = draw(100, 40, crop, covered, 1);
    static const uint8_t light[3] = {255, 255, 255}, dark[3] = {32, 32, 32};
    for (size_t y = 0; y < 40; y++) {
        for (size_t x = 0; x < 100; x++) {
            const uint8_t *got = pixel(&drawn, x, y), *was = pixel(&image, x, y);
            if (x == 29 || x == 70) {
                assert_memory_equal(got, light, 3);
            } else if (x == 28 || x == 71) {
                assert_memory_equal(got, dark, 3);
            } else if (x < 28 || x > 71 || x >= 66 || y >= 36) {
                assert_memory_equal(got, was, 3);
            }
        }
    }
    assert_memory_not_equal(pixel(&drawn, 30, 0), pixel(&image, 30, 0), 3);
    assert_memory_not_equal(pixel(&drawn, 65, 35), pixel(&image, 65, 35), 3);
    picture_free(&image);
    picture_free(&drawn);
}

static void test_flat_heat_is_drawn(void **state) {
    (void)state;
    static const float same[4] = {0.25F, 0.25F, 0.25F, 0.25F};
    heatmap heat = {same, 2, 2, 0.25, 0.25, 1};
    picture_frame whole = {0, 0, 10, 10};
    picture image = make_picture(10, 10);
    colormap map;
    hl_error error;
    colormap_make(&map);
    assert_ok(heatmap_draw(&heat, &map, &whole, &whole, &image, &error), error);
    for (size_t i = 0; i < 100; i++) assert_memory_equal(image.rgb + 3 * i, map.rgb[0], 3);
    picture_free(&image);
}

/* Above the threshold, and inside of the grid: 15 pixels a cell, whose middles have the cell's value. */
static void test_mask_cuts_the_enlarged_heat(void **state) {
    (void)state;
    heatmap heat = {.values = slope, .rows = 2, .cols = 3};
    picture_frame covered = {10, 0, 45, 30};
    uint8_t mask[60 * 30];
    hl_error error;
    assert_ok(heatmap_mask(&heat, 2.5, &covered, 60, 30, mask, &error), error);
    for (size_t y = 0; y < 30; y++) {
        for (size_t x = 0; x < 60; x++) {
            uint8_t got = mask[y * 60 + x];
            assert_true(got == 0 || got == 255);
            if (x < 10 || x >= 55) assert_int_equal(got, 0);
            bool middle = x >= 10 && x < 55 && (x - 10) % 15 == 7 && y % 15 == 7;
            if (middle) assert_int_equal(got, slope[y / 15 * 3 + (x - 10) / 15] > 2.5F ? 255 : 0);
        }
    }
    heat = (heatmap){.values = slope, .rows = 1, .cols = 1}; /* all zero: not above zero */
    assert_ok(heatmap_mask(&heat, 0, &covered, 60, 30, mask, &error), error);
    for (size_t i = 0; i < sizeof mask; i++) assert_int_equal(mask[i], 0);
}

/* ---- the sink ---- */

static results *open_results(hl_result **sink) {
    results *all = NULL;
    hl_error error;
    assert_ok(results_open(&all, &error), error);
    assert_ok(results_analysis(all, "some-analysis", "what it does", cJSON_CreateObject(), sink, &error),
              error);
    return all;
}

static const cJSON *first_item(results *all) {
    const cJSON *analyses = cJSON_GetObjectItem(results_root(all), "analyses");
    return cJSON_GetObjectItem(cJSON_GetArrayItem(analyses, 0), "results")->child;
}

static void test_floats_survive_printing(void **state) {
    (void)state;
    enum { COUNT = 4000 };
    hl_result *sink;
    hl_error error;
    results *all = open_results(&sink);
    float *grid = sink->grid(sink->item(sink, "x"), "grid", COUNT / 4, 4);
    float expected[COUNT];
    uint32_t bits = 1;
    for (size_t i = 0; i < COUNT; i++) {
        do {
            bits = bits * 1664525 + 1013904223;
            memcpy(&expected[i], &bits, sizeof bits);
        } while (!isfinite(expected[i]));
        grid[i] = expected[i];
    }
    assert_ok(results_finish_analysis(all, &error), error);
    char *json = cJSON_Print(first_item(all));
    cJSON *read = cJSON_Parse(json), *rows = cJSON_GetObjectItem(read, "grid"), *row, *number;
    size_t i = 0;
    cJSON_ArrayForEach(row, rows) {
        cJSON_ArrayForEach(number, row) assert_true((float)number->valuedouble == expected[i++]);
    }
    assert_int_equal(i, COUNT);
    cJSON_Delete(read);
    free(json);
    results_close(all);
}

static void test_numbers_print_short_and_exact(void **state) {
    (void)state;
    hl_result *sink;
    hl_error error;
    results *all = open_results(&sink);
    hl_item *item = sink->item(sink, "x");
    sink->number(item, "real", 0.6);
    sink->number(item, "float", (double)0.1F);
    sink->number(item, "count", 1099511627776);
    assert_ok(results_finish_analysis(all, &error), error);
    char *json = cJSON_PrintUnformatted(first_item(all));
    assert_string_equal(json, "{\"schema\":\"x\",\"real\":0.6,\"float\":0.1,\"count\":1099511627776}");
    free(json);
    results_close(all);
}

/* Finishes and expects a failure that names both words. */
static void expect_refusal(results *all, const char *word, const char *other) {
    hl_error error = {0};
    assert_int_equal(results_finish_analysis(all, &error), HL_FAILED);
    if (!strstr(error.message, word) || !strstr(error.message, other)) fail_msg("%s", error.message);
    assert_non_null(strstr(error.message, "some-analysis, result 2"));
    results_close(all);
}

static void test_no_nan_gets_in(void **state) {
    (void)state;
    hl_result *sink;
    results *all = open_results(&sink);
    sink->item(sink, "x");
    sink->number(sink->item(sink, "x"), "score", NAN);
    expect_refusal(all, "score", "nan");

    all = open_results(&sink);
    sink->item(sink, "x");
    float *grid = sink->grid(sink->item(sink, "x"), "heights", 2, 3);
    grid[5] = INFINITY;
    sink->item(sink, "x");
    expect_refusal(all, "heights", "row 1, column 2 is inf");
}

static void test_other_mistakes_of_plugins(void **state) {
    (void)state;
    hl_result *sink;
    results *all = open_results(&sink);
    sink->item(sink, "x");
    hl_item *item = sink->item(sink, "x");
    sink->text(item, "name", "a");
    sink->text(item, "name", "b");
    expect_refusal(all, "'name'", "already there");

    all = open_results(&sink);
    sink->item(sink, "x");
    assert_null(sink->grid(sink->item(sink, "x"), "grid", 0, 4));
    expect_refusal(all, "'grid'", "0 x 4");

    all = open_results(&sink);
    hl_error error = {0};
    assert_null(sink->grid(sink->item(sink, "x"), "grid", UINT32_MAX, UINT32_MAX));
    assert_int_equal(results_finish_analysis(all, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "out of memory"));
    sink->text(NULL, "key", "value");
    sink->number(NULL, "key", 1);
    assert_null(sink->grid(NULL, "key", 1, 1));
    results_close(all);
}

/* ---- the files ---- */

static const char nasty[] = "<script>alert(\"a\" & 'b')</script> \xc3\xa9toile \xe2\x98\x83";
static const char escaped[] =
    "&lt;script&gt;alert(&quot;a&quot; &amp; &#39;b&#39;)&lt;/script&gt; \xc3\xa9toile \xe2\x98\x83";

static hl_status load_picture(void *user, const char *name, picture *out, hl_error *error) {
    (void)user;
    if (strstr(name, "missing")) return hl_fail(error, HL_FAILED, "%s: there is no such file", name);
    *out = make_picture(90, 60);
    return HL_OK;
}

static const results_images test_images = {.load = load_picture,
                                           .preprocess = {.resize = HL_RESIZE_SHORT_SIDE, .size = 20},
                                           .grid_rows = 2,
                                           .grid_cols = 2,
                                           .patch = 10};

static void add_heat(hl_result *sink, const char *image, const char *words, const char *head, uint32_t cols) {
    hl_item *item = sink->item(sink, HL_SCHEMA_HEAT);
    sink->text(item, "image", image);
    sink->text(item, "text", words);
    sink->text(item, "head", head);
    float *grid = sink->grid(item, "grid", 2, cols);
    for (uint32_t i = 0; i < 2 * cols; i++) grid[i] = (float)i / 8;
}

static void add_row(hl_result *sink, const char *name, double number) {
    hl_item *item = sink->item(sink, "head-norm");
    sink->text(item, "name", name);
    sink->number(item, "norm", number);
}

/* Two texts of two heads over one image, then a table. */
static hl_status write_files(const char *folder, const char *image, uint32_t cols,
                             const results_images *images, hl_error *error) {
    hl_result *sink;
    results *all = open_results(&sink);
    const char *heads[] = {"aggregate", "L3.H5"};
    for (int i = 0; i < 4; i++) add_heat(sink, image, i < 2 ? nasty : "snow", heads[i % 2], cols);
    add_row(sink, nasty, 0.125);
    add_row(sink, "plain", -2);
    assert_ok(results_finish_analysis(all, error), *error);
    output *out = NULL;
    assert_ok(output_open(folder, &out, error), *error);
    hl_status status = results_write(all, images, nasty, nasty, NULL, out, error);
    if (status == HL_OK)
        status = output_commit(out, error);
    else
        output_abandon(out);
    results_close(all);
    return status;
}

static hl_status write_report(const char *folder, const char *image, uint32_t cols, hl_error *error) {
    return write_files(folder, image, cols, &test_images, error);
}

static size_t count_words(const char *in, const char *word) {
    size_t count = 0;
    for (const char *at = in; (at = strstr(at, word)); at++) count++;
    return count;
}

static void test_page_is_escaped_and_needs_nothing_else(void **state) {
    (void)state;
    char *folder = make_folder();
    hl_error error;
    assert_ok(write_report(folder, "a.jpg", 2, &error), error);
    char *path = text("%s/report.html", folder), *page = read_file(path, NULL);
    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, escaped));
    assert_int_equal(count_words(page, "<img "), 5); /* the image, and four heats */
    assert_int_equal(count_words(page, "src="), 5);
    assert_int_equal(count_words(page, "src=\"data:image/png;base64,iVBORw0KGgo"), 5);
    assert_null(strstr(page, "http:"));
    assert_null(strstr(page, "https:"));
    assert_null(strstr(page, "url("));
    assert_null(strstr(page, "<link"));
    assert_non_null(strstr(page, "prefers-color-scheme:dark"));
    assert_non_null(strstr(page, "<th>name</th><th>norm</th>"));
    assert_non_null(strstr(page, "<td>plain</td><td>-2</td>"));
    free(path);
    free(page);
    remove_folder(folder);
}

static uint8_t letter_value(char letter) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(alphabet, letter);
    assert_true(letter && at);
    return (uint8_t)(at - alphabet);
}

/* Bytes of a base64 text up to the closing quote. */
static uint8_t *decode_base64(const char *letters, size_t *count) {
    size_t length = strcspn(letters, "\"");
    assert_int_equal(length % 4, 0);
    uint8_t *bytes = malloc(length);
    size_t padding = strcspn(letters, "=") < length ? length - strcspn(letters, "=") : 0;
    *count = 0;
    for (size_t i = 0; i < length; i += 4) {
        unsigned group = 0;
        for (size_t k = 0; k < 4; k++) {
            group = group << 6 | (letters[i + k] == '=' ? 0U : letter_value(letters[i + k]));
        }
        for (int k = 16; k >= 0; k -= 8) bytes[(*count)++] = (uint8_t)(group >> k);
    }
    *count -= padding;
    return bytes;
}

/* The page's pictures are pictures: the first is the image, enlarged at most twice. */
static void test_page_pictures_decode(void **state) {
    (void)state;
    char *folder = make_folder();
    hl_error error;
    assert_ok(write_report(folder, "a.jpg", 2, &error), error);
    char *path = text("%s/report.html", folder), *page = read_file(path, NULL);
    size_t pictures = 0;
    for (const char *at = page; (at = strstr(at, "base64,")); pictures++) {
        size_t count;
        at += strlen("base64,");
        uint8_t *bytes = decode_base64(at, &count);
        picture image;
        assert_ok(picture_decode("page", bytes, count, &image, &error), error);
        assert_int_equal(image.width, 180);
        assert_int_equal(image.height, 120);
        picture_free(&image);
        free(bytes);
    }
    assert_int_equal(pictures, 5);
    free(path);
    free(page);
    remove_folder(folder);
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
    results_images images = test_images;
    images.preprocess.size = 30, images.grid_cols = 3, images.patch = 8;
    char *folder = make_folder();
    hl_error error;
    assert_ok(write_files(folder, "a.jpg", 3, &images, &error), error);
    char *path = text("%s/01-some-analysis/003-a-snow-aggregate.png", folder);
    picture drawn, image = make_picture(90, 60);
    assert_ok(picture_load(path, &drawn, &error), error);
    for (size_t y = 0; y < 60; y++) {
        for (size_t x = 16; x < 76; x++) {
            bool colored = memcmp(pixel(&drawn, x, y), pixel(&image, x, y), 3) != 0;
            assert_int_equal(colored, x < 16 + 48 && y < 32);
        }
    }
    picture_free(&drawn);
    picture_free(&image);
    free(path);
    remove_folder(folder);
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

/* ---- differences, masks, neighbours, properties ---- */

/* Gallery images are 40 x 20, so that they are told from the experiment's. */
static hl_status load_thumbnail(void *user, const char *path, picture *out, hl_error *error) {
    size_t *loaded = user;
    if (strstr(path, "missing")) return hl_fail(error, HL_FAILED, "%s: there is no such image", path);
    ++*loaded;
    *out = make_picture(40, 20);
    return HL_OK;
}

static cJSON *parse(const char *json) {
    cJSON *tree = cJSON_Parse(json);
    if (!tree) fail_msg("not JSON: %s", json);
    return tree;
}

typedef struct written {
    char *folder, *page;
    cJSON *root;
    size_t loaded; /* images of the gallery */
} written;

/* Writes the results of analyses given as JSON, with further keys of the root. */
static hl_status write_tree(written *self, const char *analyses, const char *more, hl_error *error) {
    results *all = NULL;
    output *out = NULL;
    *self = (written){.folder = make_folder()};
    results_images images = test_images;
    images.user = &self->loaded;
    images.load_neighbor = load_thumbnail;
    assert_ok(results_open(&all, error), *error);
    cJSON_ReplaceItemInObject(results_root(all), "analyses", parse(analyses));
    cJSON *keys = parse(more ? more : "{}");
    for (cJSON *key; (key = cJSON_DetachItemFromArray(keys, 0));) {
        cJSON_AddItemToObject(results_root(all), key->string, key);
    }
    cJSON_Delete(keys);
    assert_ok(output_open(self->folder, &out, error), *error);
    hl_status status = results_write(all, &images, "title", "experiment", "model: {path: m}\n", out, error);
    results_close(all);
    if (status != HL_OK) {
        output_abandon(out);
        return status;
    }
    assert_ok(output_commit(out, error), *error);
    char *page = text("%s/report.html", self->folder), *json = text("%s/results.json", self->folder);
    self->page = read_file(page, NULL);
    char *tree = read_file(json, NULL);
    self->root = parse(tree);
    free(tree);
    free(json);
    free(page);
    return HL_OK;
}

static void drop(written *self) {
    free(self->page);
    cJSON_Delete(self->root);
    remove_folder(self->folder);
}

static const cJSON *item_of(const written *self, int analysis, int item) {
    const cJSON *of = cJSON_GetArrayItem(cJSON_GetObjectItem(self->root, "analyses"), analysis);
    return cJSON_GetArrayItem(cJSON_GetObjectItem(of, "results"), item);
}

#define ANALYSIS(PLUGIN, ITEMS)                                                                              \
    "{\"plugin\":\"" PLUGIN "\",\"summary\":\"s\",\"options\":{},\"results\":[" ITEMS "]}"
#define HEAT(MORE, GRID)                                                                                     \
    "{\"schema\":\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\"," MORE "\"grid\":" GRID "}"

/* Zero is the middle of the colours, whatever the ends: the crop's left half is exactly it. */
static void test_difference_has_zero_in_the_middle(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(&it,
                   "[" ANALYSIS("contrast", HEAT("\"minus\":\"<moon>\",\"opacity\":1,", "[[0,0],[0,3]]")) "]",
                   NULL, &error),
        error);
    assert_non_null(strstr(it.page, "sun <span class=\"quiet\">\xe2\x88\x92</span> &lt;moon&gt;</h4>"));
    assert_non_null(strstr(it.page, "<span>&lt;moon&gt; <b>\xe2\x88\x92"
                                    "3.0</b></span><span>sun <b>3.0</b></span>"));
    const char *png = cJSON_GetStringValue(cJSON_GetObjectItem(item_of(&it, 0, 0), "png"));
    assert_string_equal(png, "01-contrast/001-a-sun-moon-L3.H5.png");
    char *path = text("%s/%s", it.folder, png);
    picture drawn;
    assert_ok(picture_load(path, &drawn, &error), error);
    colormap map;
    colormap_make_diverging(&map);
    /* The grid covers [15, 75) x [0, 60), 30 pixels a cell. */
    const uint8_t *zero = pixel(&drawn, 20, 10), *most = pixel(&drawn, 70, 55);
    assert_memory_equal(zero, map.rgb[COLORMAP_STEPS / 2], 3);
    assert_memory_equal(most, map.rgb[COLORMAP_STEPS - 1], 3);
    picture_free(&drawn);
    free(path);
    drop(&it);
}

static char *path_of(const written *self, const char *key) {
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item_of(self, 0, 0), key));
    if (!name) fail_msg("the item has no %s", key);
    return text("%s/%s", self->folder, name);
}

/* The mask as a picture and as an array say the same, and the heat is exactly the item's grid. */
static void test_masks_are_written(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it,
                         "[" ANALYSIS("topic", HEAT("\"mask_threshold\":0.5,", "[[0,1],[0.25,0.1]]")) "]",
                         NULL, &error),
              error);
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
    size_t white = 0;
    for (size_t i = 0; i < 90 * 60; i++) {
        for (size_t k = 0; k < 3; k++) assert_true(mask.rgb[3 * i + k] == values[i]);
        white += values[i] == 255;
    }
    assert_int_equal(values[15 * 90 + 60], 255); /* the middle of the cell that is 1 */
    assert_int_equal(values[15 * 90 + 30], 0);
    assert_int_equal(values[15 * 90 + 80], 0); /* outside of the crop */
    assert_true(white > 300 && white < 1200);
    npy_array grid;
    assert_ok(npy_read(heat, &grid, &error), error);
    assert_true(grid.rank == 2 && grid.shape[0] == 2 && grid.shape[1] == 2);
    const float expected[4] = {0, 1, 0.25F, 0.1F};
    assert_memory_equal(grid.data, expected, sizeof expected);
    assert_int_equal(count_words(it.page, "<img "), 3); /* the image, its heat, its mask */
    free(grid.data);
    free(bytes);
    picture_free(&mask);
    free(png);
    free(npy);
    free(heat);
    drop(&it);
}

#define NEIGHBOR(PATH, CAPTION) "{\"path\":\"" PATH "\",\"score\":0.25,\"caption\":\"" CAPTION "\"}"
#define NEIGHBORS(QUERY, HEAD, LIST)                                                                         \
    "{\"schema\":\"neighbors\"," QUERY ",\"head\":\"" HEAD "\",\"neighbors\":[" LIST "]}"
#define OF_IMAGE "\"query\":\"photos/q.jpg\",\"query_is_image\":1"
#define OF_TEXT  "\"query\":\"a <b>\""

static void test_neighbors_are_shown_and_embedded_once(void **state) {
    (void)state;
    static const char analyses[] = "[" ANALYSIS(
        "n",
        NEIGHBORS(
            OF_IMAGE, "L3.H5",
            NEIGHBOR("x/1.jpg", "one & only") "," NEIGHBOR(
                "x/2.jpg",
                "two")) "," NEIGHBORS(OF_IMAGE, "L2.H1",
                                      NEIGHBOR("x/2.jpg",
                                               "two")) "," NEIGHBORS(OF_TEXT, "L2.H1",
                                                                     NEIGHBOR("x/2.jpg",
                                                                              "two")) "," NEIGHBORS(OF_TEXT,
                                                                                                    "L2.H2",
                                                                                                    "")) "]";
    written it;
    hl_error error;
    assert_ok(write_tree(&it, analyses, NULL, &error), error);
    assert_int_equal(it.loaded, 2);
    assert_int_equal(count_words(it.page, "<article>"), 2); /* an image and a text, two heads each */
    assert_int_equal(count_words(it.page, "<img "), 1);     /* the query */
    assert_int_equal(count_words(it.page, "<image id="), 2);
    assert_int_equal(count_words(it.page, "<use href=\"#g1\"/>"), 2);
    assert_int_equal(count_words(it.page, "viewBox=\"0 0 40 20\""), 4);
    assert_int_equal(count_words(it.page, "<b>0.250</b>"), 4);
    assert_non_null(strstr(it.page, "aria-label=\"one &amp; only\""));
    assert_non_null(strstr(it.page, "<span class=\"file\">1.jpg</span>"));
    assert_non_null(strstr(it.page, "<p class=\"query\">a &lt;b&gt;</p>"));
    assert_non_null(strstr(it.page, "<h3>q.jpg</h3>"));
    drop(&it);
}

static void test_missing_neighbor_fails_and_is_named(void **state) {
    (void)state;
    written it;
    hl_error error = {0};
    const char *analyses = "[" ANALYSIS("n", NEIGHBORS(OF_TEXT, "L0.H0", NEIGHBOR("missing.jpg", ""))) "]";
    assert_int_equal(write_tree(&it, analyses, NULL, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "missing.jpg: there is no such image"));
    assert_int_equal(count_files(it.folder), 0);
    remove_folder(it.folder);
}

/* Contents only where there is a choice; every entry leads to a section. */
static void test_contents_lead_to_the_analyses(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("one", "") "]", NULL, &error), error);
    assert_null(strstr(it.page, "<nav>"));
    drop(&it);
    assert_ok(
        write_tree(&it,
                   "[{\"plugin\":\"one\",\"summary\":\"s\",\"title\":\"A <title>\",\"variant\":\"v&w\","
                   "\"options\":{\"images\":[\"x/a.jpg\"],\"texts\":[\"sun\",\"<moon>\"],\"heads\":[\"L1\"]},"
                   "\"results\":[]}," ANALYSIS("two", "") "]",
                   NULL, &error),
        error);
    assert_non_null(strstr(it.page,
                           "<a href=\"#analysis-1\">A &lt;title&gt;</a> <span class=\"chip\">v&amp;w</span> "
                           "<span>a.jpg &middot; sun, &lt;moon&gt; &middot; L1</span>"));
    assert_non_null(strstr(it.page, "<a href=\"#analysis-2\">two</a>"));
    assert_int_equal(count_words(it.page, "<section id=\"analysis-1\">"), 1);
    assert_int_equal(count_words(it.page, "<section id=\"analysis-2\">"), 1);
    drop(&it);
}

static void test_snippet_stands_at_every_picture(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(&it,
                   "[{\"plugin\":\"topic\",\"summary\":\"s\",\"options\":{\"texts\":[\"sun\",\"<moon>\"]},"
                   "\"results\":[" HEAT("", "[[0,1],[2,3]]") "," NEIGHBORS("\"query\":\"<moon>\"", "L0.H0",
                                                                           "") "]}]",
                   NULL, &error),
        error);
    assert_int_equal(
        count_words(it.page, "<pre class=\"copy\">model: {path: m}\nanalyses:\n- plugin: topic\n"), 2);
    assert_non_null(strstr(it.page, "  texts: [sun]\n</pre>"));
    assert_non_null(strstr(it.page, "  texts: [&quot;&lt;moon&gt;&quot;]\n</pre>"));
    drop(&it);
}

static void test_heads_are_mapped_by_property(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(
        write_tree(&it, "[" ANALYSIS("topic", HEAT("", "[[0,1],[2,3]]")) "]",
                   "{\"properties\":{\"heads\":{\"L3.H5\":\"colors\",\"L2.H1\":\"a <place>\",\"L2.H3\":\"a "
                   "<place>\"}}}",
                   &error),
        error);
    /* Layers 2 and 3, heads 0 to 5; most frequent first. */
    assert_non_null(strstr(it.page, "<th>H5</th></tr>"));
    assert_non_null(
        strstr(it.page, "<th>L2</th><td></td><td class=\"label p0\" title=\"L2.H1: a &lt;place&gt;\">"));
    assert_null(strstr(it.page, "<th>L1</th>"));
    assert_int_equal(count_words(it.page, "<td></td>"), 9);
    assert_int_equal(count_words(it.page, "<td class=\"label p0\""), 2);
    assert_int_equal(count_words(it.page, "<td class=\"label p1\""), 1);
    assert_int_equal(count_words(it.page, ".p1{--color:#"), 2); /* light and dark */
    assert_non_null(strstr(it.page, "<summary>L3.H5 <span class=\"chip p1\">colors</span></summary>"));
    drop(&it);
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]", NULL, &error), error);
    assert_null(strstr(it.page, "<section id=\"heads\">"));
    drop(&it);
}

/* 24 layers of 16 heads and more properties than colours: those that one head alone has stay gray. */
static void test_big_towers_are_mapped(void **state) {
    (void)state;
    cJSON *root = cJSON_CreateObject(), *properties = cJSON_AddObjectToObject(root, "properties");
    cJSON *heads = cJSON_AddObjectToObject(properties, "heads");
    for (int i = 0; i < 24 * 16; i++) {
        char *head = text("L%d.H%d", i / 16, i % 16), *property = text("property %d", i < 200 ? i % 8 : i);
        cJSON_AddStringToObject(heads, head, property);
        free(property);
        free(head);
    }
    char *json = cJSON_PrintUnformatted(root);
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]", json, &error), error);
    assert_int_equal(count_words(it.page, "<td class=\"label"), 24 * 16);
    assert_int_equal(count_words(it.page, "<td class=\"label p"), 200);
    assert_non_null(strstr(it.page, "title=\"L23.H15: property 383\""));
    assert_null(strstr(it.page, ".p8{"));
    drop(&it);
    free(json);
    cJSON_Delete(root);
}

static void test_differences_of_variants_are_a_table(void **state) {
    (void)state;
    written it;
    hl_error error;
    assert_ok(write_tree(&it, "[" ANALYSIS("topic", "") "]",
                         "{\"variants\":[{\"variant\":\"v\",\"grid difference\":0.000000123456},"
                         "{\"variant\":\"w\",\"remark\":\"<other>\"}]}",
                         &error),
              error);
    assert_non_null(strstr(it.page, "<th>variant</th><th>grid difference</th><th>remark</th>"));
    assert_non_null(strstr(it.page, "<td>v</td><td>1.235e-07</td><td></td>"));
    assert_non_null(strstr(it.page, "<td>w</td><td></td><td>&lt;other&gt;</td>"));
    drop(&it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lightness_rises),
        cmocka_unit_test(test_equal_steps_look_equal),
        cmocka_unit_test(test_colors_end_at_the_ends),
        cmocka_unit_test(test_differences_run_both_ways_from_gray),
        cmocka_unit_test(test_categories_differ_in_hue_alone),
        cmocka_unit_test(test_no_opacity_is_the_image),
        cmocka_unit_test(test_middle_of_a_cell_shows_its_value),
        cmocka_unit_test(test_enlarged_heat_keeps_its_order),
        cmocka_unit_test(test_half_opacity_is_half_heat),
        cmocka_unit_test(test_outside_of_the_crop_only_an_outline),
        cmocka_unit_test(test_flat_heat_is_drawn),
        cmocka_unit_test(test_mask_cuts_the_enlarged_heat),
        cmocka_unit_test(test_floats_survive_printing),
        cmocka_unit_test(test_numbers_print_short_and_exact),
        cmocka_unit_test(test_no_nan_gets_in),
        cmocka_unit_test(test_other_mistakes_of_plugins),
        cmocka_unit_test(test_page_is_escaped_and_needs_nothing_else),
        cmocka_unit_test(test_page_pictures_decode),
        cmocka_unit_test(test_results_have_the_shape),
        cmocka_unit_test(test_heat_lies_where_the_grid_does),
        cmocka_unit_test(test_same_results_same_bytes),
        cmocka_unit_test(test_failed_drawing_names_the_image_and_leaves_nothing),
        cmocka_unit_test(test_difference_has_zero_in_the_middle),
        cmocka_unit_test(test_masks_are_written),
        cmocka_unit_test(test_neighbors_are_shown_and_embedded_once),
        cmocka_unit_test(test_missing_neighbor_fails_and_is_named),
        cmocka_unit_test(test_contents_lead_to_the_analyses),
        cmocka_unit_test(test_snippet_stands_at_every_picture),
        cmocka_unit_test(test_heads_are_mapped_by_property),
        cmocka_unit_test(test_big_towers_are_mapped),
        cmocka_unit_test(test_differences_of_variants_are_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
