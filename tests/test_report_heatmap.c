/* Heat over pixels: where it lies, what colours it has, what a mask cuts from it. */
#include "core/report/colormap.h"
#include "core/report/heatmap.h"
#include "tests/report.h"

#include <math.h>

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
            assert_memory_equal(pixel_at(&drawn, c * 15 + 7, r * 15 + 7), expected, 3);
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
            double here = to_lab(pixel_at(&drawn, x, y)).l, right = to_lab(pixel_at(&drawn, x + 1, y)).l;
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
            const uint8_t *got = pixel_at(&drawn, x, y), *was = pixel_at(&image, x, y);
            if (x == 29 || x == 70) {
                assert_memory_equal(got, light, 3);
            } else if (x == 28 || x == 71) {
                assert_memory_equal(got, dark, 3);
            } else if (x < 28 || x > 71 || x >= 66 || y >= 36) {
                assert_memory_equal(got, was, 3);
            }
        }
    }
    assert_memory_not_equal(pixel_at(&drawn, 30, 0), pixel_at(&image, 30, 0), 3);
    assert_memory_not_equal(pixel_at(&drawn, 65, 35), pixel_at(&image, 65, 35), 3);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_opacity_is_the_image),
        cmocka_unit_test(test_middle_of_a_cell_shows_its_value),
        cmocka_unit_test(test_enlarged_heat_keeps_its_order),
        cmocka_unit_test(test_half_opacity_is_half_heat),
        cmocka_unit_test(test_outside_of_the_crop_only_an_outline),
        cmocka_unit_test(test_flat_heat_is_drawn),
        cmocka_unit_test(test_mask_cuts_the_enlarged_heat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
