/* Heat over pixels: where it lies, what colours it has, what a mask cuts from it. */
#include "plugins/shared/drawing/heatmap.h"
#include "tests/report.h"

#include <math.h>

static const float slope[6] = {0, 1, 2, 3, 4, 5}; /* 2 x 3 */

/* A picture without any structure, to draw on. */
static drawing make_drawing(size_t width, size_t height) {
    picture image = make_picture(width, height);
    return (drawing){width, height, image.rgb};
}

static drawing draw(size_t width, size_t height, drawing_frame crop, drawing_frame covered, double opacity) {
    heatmap heat = {slope, 2, 3, 0, 5, opacity};
    drawing image = make_drawing(width, height);
    colormap map;
    hl_error error;
    colormap_make(&map);
    assert_ok(heatmap_draw(&heat, &map, &crop, &covered, &image, &error), error);
    return image;
}

static const uint8_t *at(const drawing *image, size_t x, size_t y) {
    return image->rgb + 3 * (y * image->width + x);
}

static void test_no_opacity_is_the_image(void **state) {
    (void)state;
    drawing_frame whole = {0, 0, 45, 30};
    drawing image = make_drawing(45, 30), drawn = draw(45, 30, whole, whole, 0);
    assert_memory_equal(image.rgb, drawn.rgb, 45 * 30 * 3);
    drawing_free(&image);
    drawing_free(&drawn);
}

/* 15 pixels a cell: the middle pixel of each shows exactly its value. */
static void test_middle_of_a_cell_shows_its_value(void **state) {
    (void)state;
    drawing_frame whole = {0, 0, 45, 30};
    drawing drawn = draw(45, 30, whole, whole, 1);
    colormap map;
    colormap_make(&map);
    for (size_t r = 0; r < 2; r++) {
        for (size_t c = 0; c < 3; c++) {
            const uint8_t *expected = colormap_at(&map, (double)slope[r * 3 + c] / 5);
            assert_memory_equal(at(&drawn, c * 15 + 7, r * 15 + 7), expected, 3);
        }
    }
    drawing_free(&drawn);
}

static void test_enlarged_heat_keeps_its_order(void **state) {
    (void)state;
    drawing_frame whole = {0, 0, 45, 30};
    drawing drawn = draw(45, 30, whole, whole, 1);
    for (size_t y = 0; y < 30; y++) {
        for (size_t x = 7; x + 1 < 37; x++) {
            double here = to_lab(at(&drawn, x, y)).l, right = to_lab(at(&drawn, x + 1, y)).l;
            assert_true(right > here - 0.004); /* a step of a byte */
        }
    }
    drawing_free(&drawn);
}

/* Half the colour, a quarter of the picture, a quarter of its gray. */
static void test_half_opacity_is_half_heat(void **state) {
    (void)state;
    drawing_frame whole = {0, 0, 45, 30};
    drawing image = make_drawing(45, 30), full = draw(45, 30, whole, whole, 1);
    drawing half = draw(45, 30, whole, whole, 0.5);
    for (size_t i = 0; i < 45 * 30 * 3; i++) {
        const uint8_t *under = image.rgb + i / 3 * 3;
        double gray = 0.2126 * under[0] + 0.7152 * under[1] + 0.0722 * under[2];
        double expected = (2.0 * full.rgb[i] + image.rgb[i] + gray) / 4;
        assert_true(fabs(half.rgb[i] - expected) <= 0.5 + 1e-9);
    }
    drawing_free(&image);
    drawing_free(&full);
    drawing_free(&half);
}

/* A crop in the middle of a wide picture, its grid covering all but the last tenth. */
static void test_outside_of_the_crop_only_an_outline(void **state) {
    (void)state;
    drawing_frame crop = {30, 0, 40, 40}, covered = {30, 0, 36, 36};
    drawing image = make_drawing(100, 40), drawn = draw(100, 40, crop, covered, 1);
    static const uint8_t light[3] = {255, 255, 255}, dark[3] = {32, 32, 32};
    for (size_t y = 0; y < 40; y++) {
        for (size_t x = 0; x < 100; x++) {
            const uint8_t *got = at(&drawn, x, y), *was = at(&image, x, y);
            if (x == 29 || x == 70) {
                assert_memory_equal(got, light, 3);
            } else if (x == 28 || x == 71) {
                assert_memory_equal(got, dark, 3);
            } else if (x < 28 || x > 71 || x >= 66 || y >= 36) {
                assert_memory_equal(got, was, 3);
            }
        }
    }
    assert_memory_not_equal(at(&drawn, 30, 0), at(&image, 30, 0), 3);
    assert_memory_not_equal(at(&drawn, 65, 35), at(&image, 65, 35), 3);
    drawing_free(&image);
    drawing_free(&drawn);
}

static void test_flat_heat_is_drawn(void **state) {
    (void)state;
    static const float same[4] = {0.25F, 0.25F, 0.25F, 0.25F};
    heatmap heat = {same, 2, 2, 0.25, 0.25, 1};
    drawing_frame whole = {0, 0, 10, 10};
    drawing image = make_drawing(10, 10);
    colormap map;
    hl_error error;
    colormap_make(&map);
    assert_ok(heatmap_draw(&heat, &map, &whole, &whole, &image, &error), error);
    for (size_t i = 0; i < 100; i++) assert_memory_equal(image.rgb + 3 * i, map.rgb[0], 3);
    drawing_free(&image);
}

/* Above the threshold, and inside of the grid: 15 pixels a cell, whose middles have the cell's value. */
static void test_mask_cuts_the_enlarged_heat(void **state) {
    (void)state;
    heatmap heat = {.values = slope, .rows = 2, .cols = 3};
    drawing_frame covered = {10, 0, 45, 30};
    drawing mask = make_drawing(60, 30);
    hl_error error;
    assert_ok(heatmap_mask(&heat, 2.5, &covered, &mask, &error), error);
    for (size_t y = 0; y < 30; y++) {
        for (size_t x = 0; x < 60; x++) {
            const uint8_t *got = at(&mask, x, y);
            assert_true((got[0] == 0 || got[0] == 255) && got[1] == got[0] && got[2] == got[0]);
            if (x < 10 || x >= 55) assert_int_equal(got[0], 0);
            bool middle = x >= 10 && x < 55 && (x - 10) % 15 == 7 && y % 15 == 7;
            if (middle) assert_int_equal(got[0], slope[y / 15 * 3 + (x - 10) / 15] > 2.5F ? 255 : 0);
        }
    }
    heat = (heatmap){.values = slope, .rows = 1, .cols = 1}; /* all zero: not above zero */
    assert_ok(heatmap_mask(&heat, 0, &covered, &mask, &error), error);
    for (size_t i = 0; i < 60 * 30 * 3; i++) assert_int_equal(mask.rgb[i], 0);
    drawing_free(&mask);
}

/* The value of a row of cells at a place counted in cells, linear between the middles of two cells. */
static double between_cells(const double *cells, size_t count, double place) {
    double at_cell = fmin(fmax(place - 0.5, 0), (double)count - 1);
    size_t cell = (size_t)at_cell, next = cell + 1 < count ? cell + 1 : cell;
    return cells[cell] + (cells[next] - cells[cell]) * (at_cell - (double)cell);
}

/* As segmentations are measured: the heat enlarged bilinearly, half-pixel centres, clamped edges. */
static void test_mask_is_cut_from_the_bilinear_heat(void **state) {
    (void)state;
    enum { ROWS = 5, COLS = 7, WIDTH = 61, HEIGHT = 47 };
    float values[ROWS * COLS];
    for (size_t i = 0; i < ROWS * COLS; i++) values[i] = (float)((i * i * 29 + i * 13) % 53) / 53;
    heatmap heat = {.values = values, .rows = ROWS, .cols = COLS};
    drawing_frame covered = {0, 0, WIDTH, HEIGHT};
    drawing mask = make_drawing(WIDTH, HEIGHT);
    hl_error error;
    assert_ok(heatmap_mask(&heat, 0.417, &covered, &mask, &error), error);
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = 0; x < WIDTH; x++) {
            double column[ROWS];
            for (size_t r = 0; r < ROWS; r++) {
                double row[COLS];
                for (size_t c = 0; c < COLS; c++) row[c] = (double)values[r * COLS + c];
                column[r] = between_cells(row, COLS, ((double)x + 0.5) * COLS / WIDTH);
            }
            double value = between_cells(column, ROWS, ((double)y + 0.5) * ROWS / HEIGHT);
            if (fabs(value - 0.417) > 1e-9) assert_int_equal(*at(&mask, x, y), value > 0.417 ? 255 : 0);
        }
    }
    drawing_free(&mask);
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
        cmocka_unit_test(test_mask_is_cut_from_the_bilinear_heat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
