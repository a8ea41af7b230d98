/* The report's colours: of heat, of differences, of categories. */
#include "plugins/shared/drawing/colormap.h"
#include "tests/report.h"

#include <math.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lightness_rises),
        cmocka_unit_test(test_equal_steps_look_equal),
        cmocka_unit_test(test_colors_end_at_the_ends),
        cmocka_unit_test(test_differences_run_both_ways_from_gray),
        cmocka_unit_test(test_categories_differ_in_hue_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
