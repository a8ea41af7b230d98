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

hl_status canvas_image(canvas *self, const char *name, size_t side, const picture **out, hl_error *error) {
    hl_status status = hold(self, name, error);
    if (status != HL_OK) return status;
    const picture *original = &self->original;
    *out = side ? &self->scaled : original;
    if (!side || (self->scaled.rgb && self->side == side)) return HL_OK;
    forget_scaled(self);
    self->side = side;
    size_t longer = original->width > original->height ? original->width : original->height;
    double scale = fmin((double)side / (double)longer, 2);
    return picture_resize(original, scaled_length(original->width, scale),
                          scaled_length(original->height, scale), &self->scaled, error);
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

static hl_status draw_heat(canvas *self, const heatmap *heat, picture *image, hl_error *error) {
    const results_images *images = self->images;
    const picture *original = &self->original;
    picture_frame crop = picture_crop_frame(original->width, original->height, &images->preprocess);
    crop = scale_frame(crop, original, image);
    /* Where the side is no multiple of the patch, the grid leaves out pixels at the right and the bottom. */
    picture_frame covered = crop;
    covered.width *= (double)images->grid_cols * images->patch / images->preprocess.size;
    covered.height *= (double)images->grid_rows * images->patch / images->preprocess.size;
    return heatmap_draw(heat, &self->map, &crop, &covered, image, error);
}

/* The item's grid into `values` (rows x cols), and its own ends; false when it has another shape. */
static bool read_grid(const cJSON *item, size_t rows, size_t cols, float *values, double *low, double *high) {
    const cJSON *grid = cJSON_GetObjectItemCaseSensitive(item, "grid"), *row = NULL, *number = NULL;
    size_t r = 0, count = 0;
    *low = INFINITY, *high = -INFINITY;
    cJSON_ArrayForEach(row, grid) {
        size_t c = 0;
        cJSON_ArrayForEach(number, row) {
            if (r == rows || c == cols || !cJSON_IsNumber(number)) return false;
            values[count++] = (float)number->valuedouble;
            *low = fmin(*low, number->valuedouble);
            *high = fmax(*high, number->valuedouble);
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

static hl_status read_heat(const canvas *self, const cJSON *item, heatmap *heat, float *values,
                           hl_error *error) {
    size_t rows = self->images->grid_rows, cols = self->images->grid_cols;
    double opacity = usual_opacity, low, high;
    if (!read_grid(item, rows, cols, values, &low, &high)) {
        return hl_fail(error, HL_FAILED, "a result of schema heat needs a field 'grid' of %zu x %zu numbers",
                       rows, cols);
    }
    read_number(item, "low", &low);
    read_number(item, "high", &high);
    read_number(item, "opacity", &opacity);
    if (!(opacity >= 0 && opacity <= 1)) {
        return hl_fail(error, HL_FAILED, "'opacity' is %g, expected a number from 0 to 1", opacity);
    }
    *heat = (heatmap){values, rows, cols, low, high, opacity};
    return HL_OK;
}

static hl_status heat_over_image(canvas *self, const cJSON *item, size_t side, heatmap *heat, picture *out,
                                 hl_error *error) {
    size_t rows = self->images->grid_rows, cols = self->images->grid_cols;
    float *values = calloc(rows * cols, sizeof *values);
    if (!values) return hl_no_memory(error, "a heat");
    const picture *image = NULL;
    hl_status status = read_heat(self, item, heat, values, error);
    if (status == HL_OK) status = canvas_image(self, canvas_text(item, "image"), side, &image, error);
    if (status == HL_OK) status = copy_picture(image, out, error);
    if (status == HL_OK) status = draw_heat(self, heat, out, error);
    free(values);
    return status;
}

hl_status canvas_heat(canvas *self, const cJSON *item, size_t side, picture *out, double *low, double *high,
                      hl_error *error) {
    hl_error reason = {0};
    heatmap heat = {0};
    *out = (picture){0};
    hl_status status = heat_over_image(self, item, side, &heat, out, &reason);
    if (status != HL_OK) {
        picture_free(out);
        *out = (picture){0};
        return hl_fail(error, status, "%s: its heat of \"%s\" for %s cannot be drawn: %s",
                       canvas_text(item, "image"), canvas_text(item, "text"), canvas_text(item, "head"),
                       reason.message);
    }
    *low = heat.low, *high = heat.high;
    return HL_OK;
}
