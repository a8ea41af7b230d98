/* From an item of the results and an image file to a picture. The one place that knows the fields of the
 * schemas that are drawn. Writes no file. */
#include "core/report/canvas.h"
#include "core/report/heatmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much of a picture is heat where the analysis does not say. */
static const double usual_opacity = 0.6;

void canvas_open(canvas *self, const results_images *images) {
    memset(self, 0, sizeof *self);
    self->images = images;
    colormap_make(&self->map);
    colormap_make_diverging(&self->difference);
}

static void forget_scaled(canvas *self) {
    picture_free(&self->scaled);
    self->scaled = (picture){0};
}

static void forget_image(canvas *self) {
    forget_scaled(self);
    picture_free(&self->original);
    self->original = (picture){0};
    free(self->name);
    self->name = NULL;
}

void canvas_close(canvas *self) {
    forget_image(self);
}

const char *canvas_text(const cJSON *item, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, key));
    return text ? text : "";
}

bool canvas_draws(const cJSON *item) {
    return strcmp(canvas_text(item, "schema"), HL_SCHEMA_HEAT) == 0;
}

bool canvas_is_difference(const cJSON *item) {
    return *canvas_text(item, "minus") != '\0';
}

static hl_status hold(canvas *self, const char *name, hl_error *error) {
    if (self->name && strcmp(self->name, name) == 0) return HL_OK;
    forget_image(self);
    hl_status status = self->images->load(self->images->user, name, &self->original, error);
    if (status != HL_OK) return status;
    self->name = strdup(name);
    if (self->name) return HL_OK;
    forget_image(self);
    return hl_no_memory(error, "the name of an image");
}

static size_t scaled_length(size_t length, double scale) {
    double scaled = round((double)length * scale);
    return scaled < 1 ? 1 : (size_t)scaled;
}

/* The longer side becomes `side`, but no image grows to more than `most` times its size. */
static hl_status scale_picture(const picture *original, size_t side, double most, picture *out,
                               hl_error *error) {
    size_t longer = original->width > original->height ? original->width : original->height;
    double scale = fmin((double)side / (double)longer, most);
    return picture_resize(original, scaled_length(original->width, scale),
                          scaled_length(original->height, scale), out, error);
}

hl_status canvas_image(canvas *self, const char *name, size_t side, const picture **out, hl_error *error) {
    hl_status status = hold(self, name, error);
    if (status != HL_OK) return status;
    *out = side ? &self->scaled : &self->original;
    if (!side || (self->scaled.rgb && self->side == side)) return HL_OK;
    forget_scaled(self);
    self->side = side;
    return scale_picture(&self->original, side, 2, &self->scaled, error);
}

/* In the place of an image whose file is away: its score needs no file. */
static hl_status blank_picture(size_t side, picture *out, hl_error *error) {
    enum { GRAY = 0xc8 };
    size_t bytes = side * side * 3;
    *out = (picture){side, side, malloc(bytes)};
    if (!out->rgb) return hl_no_memory(error, "a picture");
    memset(out->rgb, GRAY, bytes);
    return HL_OK;
}

hl_status canvas_neighbor(canvas *self, const char *path, size_t side, picture *out, hl_error *error) {
    picture original = {0};
    if (!self->images->load_neighbor) {
        return hl_fail(error, HL_FAILED,
                       "%s: a result names this image of a gallery, but the experiment names "
                       "no gallery; add `gallery: {images: ..., atlas: ...}`",
                       path);
    }
    hl_status status = self->images->load_neighbor(self->images->user, path, &original, error);
    if (status == HL_UNAVAILABLE) return blank_picture(side, out, error);
    if (status != HL_OK) return status;
    status = scale_picture(&original, side, 1, out, error);
    picture_free(&original);
    return status;
}

static hl_status copy_picture(const picture *from, picture *to, hl_error *error) {
    size_t bytes = from->width * from->height * 3;
    *to = (picture){from->width, from->height, malloc(bytes)};
    if (!to->rgb) return hl_no_memory(error, "a picture");
    memcpy(to->rgb, from->rgb, bytes);
    return HL_OK;
}

/* A frame within `from`, seen in the same picture at another size. */
static picture_frame scale_frame(picture_frame frame, const picture *from, const picture *to) {
    double x = (double)to->width / (double)from->width, y = (double)to->height / (double)from->height;
    return (picture_frame){frame.left * x, frame.top * y, frame.width * x, frame.height * y};
}

/* What the model sees of the image that is held, and where the grid lies, in pixels of `image`, which is the
 * same at another size. */
static void find_frames(const canvas *self, const picture *image, picture_frame *crop,
                        picture_frame *covered) {
    const results_images *images = self->images;
    const picture *original = &self->original;
    *crop = picture_crop_frame(original->width, original->height, &images->preprocess);
    *crop = scale_frame(*crop, original, image);
    /* Where the side is no multiple of the patch, the grid leaves out pixels at the right and the bottom. */
    *covered = *crop;
    covered->width *= (double)images->grid_cols * images->patch_width / images->preprocess.width;
    covered->height *= (double)images->grid_rows * images->patch_height / images->preprocess.height;
}

static hl_status draw_heat(canvas *self, const cJSON *item, const heatmap *heat, picture *image,
                           hl_error *error) {
    picture_frame crop, covered;
    find_frames(self, image, &crop, &covered);
    const colormap *map = canvas_is_difference(item) ? &self->difference : &self->map;
    return heatmap_draw(heat, map, &crop, &covered, image, error);
}

/* White where the heat is above the item's threshold, black elsewhere, in place of the image's pixels. */
static hl_status draw_mask(canvas *self, const cJSON *item, const heatmap *heat, picture *image,
                           hl_error *error) {
    picture_frame crop, covered;
    find_frames(self, image, &crop, &covered);
    double threshold = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, "mask_threshold"));
    size_t pixels = image->width * image->height;
    uint8_t *mask = malloc(pixels);
    if (!mask) return hl_no_memory(error, "a mask");
    hl_status status = heatmap_mask(heat, threshold, &covered, image->width, image->height, mask, error);
    for (size_t i = 0; i < pixels && status == HL_OK; i++) memset(image->rgb + 3 * i, mask[i], 3);
    free(mask);
    return status;
}

/* The item's grid into `values`; false when it is not rows x cols numbers. */
static bool read_grid(const cJSON *item, size_t rows, size_t cols, float *values) {
    const cJSON *grid = cJSON_GetObjectItemCaseSensitive(item, "grid"), *row = NULL, *number = NULL;
    size_t r = 0, count = 0;
    cJSON_ArrayForEach(row, grid) {
        size_t c = 0;
        cJSON_ArrayForEach(number, row) {
            if (r == rows || c == cols || !cJSON_IsNumber(number)) return false;
            values[count++] = (float)number->valuedouble;
            c++;
        }
        r++;
    }
    return count == rows * cols;
}

static void read_number(const cJSON *item, const char *key, double *number) {
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(item, key);
    if (cJSON_IsNumber(field)) *number = field->valuedouble;
}

hl_status canvas_grid(const canvas *self, const cJSON *item, float *values, hl_error *error) {
    size_t rows = self->images->grid_rows, cols = self->images->grid_cols;
    if (read_grid(item, rows, cols, values)) return HL_OK;
    return hl_fail(error, HL_FAILED, "a result of schema heat needs a field 'grid' of %zu x %zu numbers",
                   rows, cols);
}

static hl_status read_heat(const canvas *self, const cJSON *item, heatmap *heat, float *values,
                           hl_error *error) {
    size_t rows = self->images->grid_rows, cols = self->images->grid_cols;
    double opacity = usual_opacity, low = INFINITY, high = -INFINITY;
    hl_status status = canvas_grid(self, item, values, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < rows * cols; i++) {
        low = fmin(low, (double)values[i]);
        high = fmax(high, (double)values[i]);
    }
    read_number(item, "low", &low);
    read_number(item, "high", &high);
    read_number(item, "opacity", &opacity);
    if (!(opacity >= 0 && opacity <= 1)) {
        return hl_fail(error, HL_FAILED, "'opacity' is %g, expected a number from 0 to 1", opacity);
    }
    /* Zero is the middle of the colours of a difference. */
    if (canvas_is_difference(item)) high = fmax(fabs(low), fabs(high)), low = -high;
    *heat = (heatmap){values, rows, cols, low, high, opacity};
    return HL_OK;
}

/* Draws into a copy of the item's image: draw_heat or draw_mask. */
typedef hl_status drawing(canvas *self, const cJSON *item, const heatmap *heat, picture *image,
                          hl_error *error);

static hl_status draw_over_image(canvas *self, const cJSON *item, size_t side, drawing *draw, heatmap *heat,
                                 picture *out, hl_error *error) {
    size_t rows = self->images->grid_rows, cols = self->images->grid_cols;
    float *values = calloc(rows * cols, sizeof *values);
    if (!values) return hl_no_memory(error, "a heat");
    const picture *image = NULL;
    hl_status status = read_heat(self, item, heat, values, error);
    if (status == HL_OK) status = canvas_image(self, canvas_text(item, "image"), side, &image, error);
    if (status == HL_OK) status = copy_picture(image, out, error);
    if (status == HL_OK) status = draw(self, item, heat, out, error);
    free(values);
    return status;
}

static hl_status draw_item(canvas *self, const cJSON *item, size_t side, drawing *draw, heatmap *heat,
                           picture *out, hl_error *error) {
    hl_error reason = {0};
    *out = (picture){0};
    hl_status status = draw_over_image(self, item, side, draw, heat, out, &reason);
    if (status == HL_OK) return HL_OK;
    picture_free(out);
    *out = (picture){0};
    return hl_fail(error, status, "%s: its heat of \"%s\" for %s cannot be drawn: %s",
                   canvas_text(item, "image"), canvas_text(item, "text"), canvas_text(item, "head"),
                   reason.message);
}

hl_status canvas_heat(canvas *self, const cJSON *item, size_t side, picture *out, double *low, double *high,
                      hl_error *error) {
    heatmap heat = {0};
    hl_status status = draw_item(self, item, side, draw_heat, &heat, out, error);
    *low = heat.low, *high = heat.high;
    return status;
}

bool canvas_has_mask(const cJSON *item) {
    return cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(item, "mask_threshold"));
}

hl_status canvas_mask(canvas *self, const cJSON *item, size_t side, picture *out, hl_error *error) {
    heatmap heat = {0};
    return draw_item(self, item, side, draw_mask, &heat, out, error);
}
