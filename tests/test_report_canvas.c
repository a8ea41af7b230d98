/* From an item of the results to its picture: where the heat lies, what colours it has, what the mask is, how
 * large it is. */
#include "plugins/shared/drawing/canvas.h"
#include "tests/reporting.h"

#include <stdlib.h>
#include <string.h>

/* The first item of some results, and a canvas to draw it on. */
typedef struct easel {
    tree *tree;
    reporting by;
    canvas pictures;
    const hl_node *item;
} easel;

#define HEAT(MORE, GRID)                                                                                     \
    "{\"item\":{\"schema\":\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\"," MORE           \
    "\"grid\":" GRID "}}"

static void set_up(easel *self, const char *json, size_t side, double grow) {
    self->tree = make_tree(json);
    open_reporting(&self->by, tree_node(self->tree));
    canvas_open(&self->pictures, &self->by.report, side, grow);
    self->item = hl_get(tree_node(self->tree), "item");
}

static void put_away(easel *self) {
    canvas_close(&self->pictures);
    close_reporting(&self->by);
    tree_close(self->tree);
}

static drawing draw_heat(easel *self) {
    drawing drawn;
    double low, high;
    hl_error error;
    assert_true(canvas_draws(&self->pictures, self->item));
    assert_ok(canvas_heat(&self->pictures, self->item, &drawn, &low, &high, &error), error);
    return drawn;
}

static const uint8_t *at(const drawing *image, size_t x, size_t y) {
    return image->rgb + 3 * (y * image->width + x);
}

/* Zero is the middle of the colours, whatever the ends: the crop's left half is exactly it. */
static void test_difference_has_zero_in_the_middle(void **state) {
    (void)state;
    easel it;
    set_up(&it, HEAT("\"minus\":\"moon\",\"opacity\":1,", "[[0,0],[0,3]]"), 0, 1);
    drawing drawn = draw_heat(&it);
    colormap map;
    colormap_make_diverging(&map);
    /* The grid covers [15, 75) x [0, 60), 30 pixels a cell. */
    assert_memory_equal(at(&drawn, 20, 10), map.rgb[COLORMAP_STEPS / 2], 3);
    assert_memory_equal(at(&drawn, 70, 55), map.rgb[COLORMAP_STEPS - 1], 3);
    drawing_free(&drawn);
    put_away(&it);
}

/* A grid of 2 x 3 cells of 8 pixels in a crop of 30: of the 60 x 60 pixels at 16, 0 it covers 48 x 32. (The
 * resized image is 45 wide; its crop starts at 7.5, rounded half to even.) */
static void test_heat_lies_where_the_grid_does(void **state) {
    (void)state;
    easel it;
    set_up(&it, HEAT("", "[[1,2,3],[4,5,6]]"), 0, 1);
    it.by.preprocess.height = it.by.preprocess.width = 30, it.by.model.grid_cols = 3;
    it.by.model.patch_height = it.by.model.patch_width = 8;
    drawing drawn = draw_heat(&it);
    picture image = make_picture(90, 60);
    for (size_t y = 0; y < 60; y++) {
        for (size_t x = 16; x < 76; x++) {
            bool colored = memcmp(at(&drawn, x, y), pixel_at(&image, x, y), 3) != 0;
            assert_int_equal(colored, x < 16 + 48 && y < 32);
        }
    }
    picture_free(&image);
    drawing_free(&drawn);
    put_away(&it);
}

/* A model that squashes images sees all of each, and so the heat covers all of it. */
static void test_heat_of_a_squashed_image_covers_it(void **state) {
    (void)state;
    easel it;
    set_up(&it, HEAT("\"opacity\":1,", "[[0,1],[0,1]]"), 0, 1);
    it.by.preprocess.resize = HL_RESIZE_SQUASH;
    drawing drawn = draw_heat(&it);
    colormap map;
    colormap_make(&map);
    /* cells 45 wide, whose middles have the cells' values */
    for (size_t y = 0; y < 60; y++) {
        assert_memory_equal(at(&drawn, 22, y), map.rgb[0], 3);
        assert_memory_equal(at(&drawn, 67, y), map.rgb[COLORMAP_STEPS - 1], 3);
    }
    drawing_free(&drawn);
    put_away(&it);
}

/* White in the middle of the cell that is above the threshold; not beside it, nor outside of the crop. */
static void test_mask_is_white_above_the_threshold(void **state) {
    (void)state;
    easel it;
    drawing mask;
    hl_error error;
    set_up(&it, HEAT("\"mask_threshold\":0.5,", "[[0,1],[0.25,0.1]]"), 0, 1);
    assert_true(canvas_has_mask(it.item));
    assert_ok(canvas_mask(&it.pictures, it.item, &mask, &error), error);
    assert_true(mask.width == 90 && mask.height == 60);
    size_t white = 0;
    for (size_t i = 0; i < 90 * 60; i++) white += mask.rgb[3 * i] == 255;
    assert_int_equal(*at(&mask, 60, 15), 255);
    assert_int_equal(*at(&mask, 30, 15), 0);
    assert_int_equal(*at(&mask, 80, 15), 0);
    assert_true(white > 300 && white < 1200);
    drawing_free(&mask);
    put_away(&it);
}

/* A photo's picture has the side that was asked for, its mask too, and the heat lies at the same place. */
static void test_large_images_are_drawn_small(void **state) {
    (void)state;
    easel it;
    drawing mask;
    hl_error error;
    set_up(
        &it,
        "{\"item\":{\"schema\":\"heat\",\"image\":\"large.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\",\"mask_"
        "threshold\":0.5,\"opacity\":1,\"grid\":[[1,1],[1,1]]}}",
        300, 1);
    drawing drawn = draw_heat(&it);
    assert_true(drawn.width == 300 && drawn.height == 200);
    assert_ok(canvas_mask(&it.pictures, it.item, &mask, &error), error);
    assert_true(mask.width == 300 && mask.height == 200);
    for (size_t x = 0; x < 300; x++) assert_int_equal(*at(&mask, x, 100), x >= 50 && x < 250 ? 255 : 0);
    assert_int_equal(it.by.images, 1);
    drawing_free(&mask);
    drawing_free(&drawn);
    put_away(&it);
}

static void test_small_images_grow_as_far_as_they_may(void **state) {
    (void)state;
    static const struct {
        size_t side;
        double grow;
        size_t width;
    } cases[] = {{0, 1, 90}, {500, 1, 90}, {500, 2, 180}, {120, 2, 120}, {60, 2, 60}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        easel it;
        set_up(&it, HEAT("", "[[0,1],[2,3]]"), cases[i].side, cases[i].grow);
        drawing drawn = draw_heat(&it);
        assert_int_equal(drawn.width, cases[i].width);
        assert_int_equal(drawn.height, cases[i].width * 2 / 3);
        drawing_free(&drawn);
        put_away(&it);
    }
}

static void need_refusal(const char *json, const char *words) {
    easel it;
    drawing drawn;
    double low, high;
    hl_error error = {0};
    set_up(&it, json, 0, 1);
    assert_int_equal(canvas_heat(&it.pictures, it.item, &drawn, &low, &high, &error), HL_FAILED);
    if (!strstr(error.message, words)) fail_msg("%s", error.message);
    assert_non_null(strstr(error.message, "a.jpg: its heat of \"sun\" for L3.H5 cannot be drawn: "));
    assert_null(drawn.rgb);
    put_away(&it);
}

static void test_what_cannot_be_drawn_is_named(void **state) {
    (void)state;
    need_refusal(HEAT("", "[[0,1,2],[3,4,5]]"), "2 x 2 numbers");
    need_refusal(HEAT("\"opacity\":1.5,", "[[0,1],[2,3]]"), "'opacity' is 1.5");
    need_refusal("{\"item\":{\"schema\":\"heat\",\"image\":\"a.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\"}}",
                 "needs a field 'grid'");
}

/* The overview of variants has no model, and nothing is drawn there. */
static void test_without_a_model_nothing_is_drawn(void **state) {
    (void)state;
    easel it;
    set_up(&it, HEAT("", "[[0,1],[2,3]]"), 0, 1);
    it.by.report.model = NULL;
    assert_false(canvas_draws(&it.pictures, it.item));
    put_away(&it);
}

static int open_all(void **state) {
    (void)state;
    open_plugins(1, NULL);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    close_plugins();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difference_has_zero_in_the_middle),
        cmocka_unit_test(test_heat_lies_where_the_grid_does),
        cmocka_unit_test(test_heat_of_a_squashed_image_covers_it),
        cmocka_unit_test(test_mask_is_white_above_the_threshold),
        cmocka_unit_test(test_large_images_are_drawn_small),
        cmocka_unit_test(test_small_images_grow_as_far_as_they_may),
        cmocka_unit_test(test_what_cannot_be_drawn_is_named),
        cmocka_unit_test(test_without_a_model_nothing_is_drawn),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
