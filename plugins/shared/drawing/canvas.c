/* From an item of the results and its image to a picture. The one place that knows the fields of the schemas
 * that are drawn. Writes no file. */
#include "canvas.h"
#include "heatmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much of a picture is heat where the analysis does not say. */
static const double usual_opacity = 0.6;

void canvas_open(canvas *self, const hl_report *report, size_t side, double grow) {
    *self = (canvas){.report = report, .side = side, .grow = grow};
    colormap_make(&self->map);
    colormap_make_diverging(&self->difference);
}

static void forget_image(canvas *self) {
    self->report->release(self->report, &self->image);
    self->image = (hl_picture){.size = sizeof self->image};
    free(self->name);
    self->name = NULL;
}

void canvas_close(canvas *self) {
    forget_image(self);
}

bool canvas_draws(const canvas *self, const hl_node *item) {
    return self->report->model && strcmp(hl_get_text(item, "schema"), HL_SCHEMA_HEAT) == 0;
}

bool canvas_is_difference(const hl_node *item) {
    return *hl_get_text(item, "minus") != '\0';
}

bool canvas_has_mask(const hl_node *item) {
    return hl_is_number(hl_get(item, "mask_threshold"));
}

/* ---- the image ---- */

static uint32_t scaled_length(uint32_t length, double scale) {
    double scaled = round(length * scale);
    return scaled < 1 ? 1 : (uint32_t)scaled;
}

/* A small image grows until its longer side is `side`, as far as it may. */
static hl_status grow_image(canvas *self, hl_error *error) {
    hl_picture *image = &self->image, grown = {.size = sizeof grown};
    uint32_t longer = image->width > image->height ? image->width : image->height;
    double scale = fmin((double)self->side / (double)longer, self->grow);
    if (!(scale > 1)) return HL_OK;
    hl_status status = self->report->resize(self->report, image, scaled_length(image->width, scale),
                                            scaled_length(image->height, scale), &grown, error);
    if (status != HL_OK) return status;
    grown.original_width = image->original_width, grown.original_height = image->original_height;
    self->report->release(self->report, image);
    *image = grown;
    return HL_OK;
}

static hl_status load_image(canvas *self, const char *name, hl_error *error) {
    forget_image(self);
    hl_status status = self->report->image(self->report, name, (uint32_t)self->side, &self->image, error);
    if (status == HL_OK) status = grow_image(self, error);
    if (status != HL_OK) return status;
    self->name = strdup(name);
    return self->name ? HL_OK : hl_no_memory(error, "the name of an image");
}

hl_status canvas_image(canvas *self, const char *name, const hl_picture **out, hl_error *error) {
    *out = &self->image;
    if (self->name && strcmp(self->name, name) == 0) return HL_OK;
    return load_image(self, name, error);
}

/* ---- the heat ---- */

/* What the model sees of the image that is held, and where the grid lies, in pixels of its picture. */
static void find_frames(const canvas *self, drawing_frame *crop, drawing_frame *covered) {
    const hl_picture *image = &self->image;
    const hl_model_info *model = self->report->model;
    double frame[4];
    self->report->crop(self->report, image->original_width, image->original_height, frame);
    double x = (double)image->width / image->original_width;
    double y = (double)image->height / image->original_height;
    *crop = (drawing_frame){frame[0] * x, frame[1] * y, frame[2] * x, frame[3] * y};
    /* Where the side is no multiple of the patch, the grid leaves out pixels at the right and the bottom. */
    *covered = *crop;
    covered->width *= (double)model->grid_cols * model->patch_width / model->preprocess->width;
    covered->height *= (double)model->grid_rows * model->patch_height / model->preprocess->height;
}

static hl_status draw_heat(const canvas *self, const hl_node *item, const heatmap *heat, drawing *out,
                           hl_error *error) {
    drawing_frame crop, covered;
    find_frames(self, &crop, &covered);
    const colormap *map = canvas_is_difference(item) ? &self->difference : &self->map;
    return heatmap_draw(heat, map, &crop, &covered, out, error);
}

static hl_status draw_mask(const canvas *self, const hl_node *item, const heatmap *heat, drawing *out,
                           hl_error *error) {
    drawing_frame crop, covered;
    find_frames(self, &crop, &covered);
    return heatmap_mask(heat, hl_get_number(item, "mask_threshold", 0), &covered, out, error);
}

hl_status canvas_grid(const canvas *self, const hl_node *item, const float **values, hl_error *error) {
    const hl_node *grid = hl_get(item, "grid");
    uint32_t rows = self->report->model->grid_rows, cols = self->report->model->grid_cols;
    if (grid && grid->type == HL_GRID && grid->rows == rows && grid->cols == cols) {
        *values = grid->grid;
        return HL_OK;
    }
    return hl_fail(error, HL_FAILED, "a result of schema heat needs a field 'grid' of %u x %u numbers", rows,
                   cols);
}

static hl_status read_heat(const canvas *self, const hl_node *item, heatmap *heat, hl_error *error) {
    size_t rows = self->report->model->grid_rows, cols = self->report->model->grid_cols;
    const float *values = NULL;
    double low = INFINITY, high = -INFINITY, opacity = hl_get_number(item, "opacity", usual_opacity);
    hl_status status = canvas_grid(self, item, &values, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < rows * cols; i++) {
        low = fmin(low, (double)values[i]);
        high = fmax(high, (double)values[i]);
    }
    low = hl_get_number(item, "low", low);
    high = hl_get_number(item, "high", high);
    if (!(opacity >= 0 && opacity <= 1)) {
        return hl_fail(error, HL_FAILED, "'opacity' is %g, expected a number from 0 to 1", opacity);
    }
    /* Zero is the middle of the colours of a difference. */
    if (canvas_is_difference(item)) high = fmax(fabs(low), fabs(high)), low = -high;
    *heat = (heatmap){values, rows, cols, low, high, opacity};
    return HL_OK;
}

/* Draws into a copy of the item's picture: draw_heat or draw_mask. */
typedef hl_status drawer(const canvas *self, const hl_node *item, const heatmap *heat, drawing *out,
                         hl_error *error);

static hl_status draw_over_image(canvas *self, const hl_node *item, drawer *draw, heatmap *heat, drawing *out,
                                 hl_error *error) {
    const hl_picture *image = NULL;
    hl_status status = read_heat(self, item, heat, error);
    if (status == HL_OK) status = canvas_image(self, hl_get_text(item, "image"), &image, error);
    if (status == HL_OK) status = drawing_copy(image, out, error);
    return status == HL_OK ? draw(self, item, heat, out, error) : status;
}

static hl_status draw_item(canvas *self, const hl_node *item, drawer *draw, heatmap *heat, drawing *out,
                           hl_error *error) {
    const hl_host *host = self->report->host;
    hl_error reason = {0};
    *out = (drawing){0};
    hl_status status = draw_over_image(self, item, draw, heat, out, &reason);
    if (status == HL_OK) return HL_OK;
    drawing_free(out);
    if (host->cancelled(host)) return hl_fail(error, status, "%s", reason.message);
    return hl_fail(error, status, "%s: its heat of \"%s\" for %s cannot be drawn: %s",
                   hl_get_text(item, "image"), hl_get_text(item, "text"), hl_get_text(item, "head"),
                   reason.message);
}

hl_status canvas_heat(canvas *self, const hl_node *item, drawing *out, double *low, double *high,
                      hl_error *error) {
    heatmap heat = {0};
    hl_status status = draw_item(self, item, draw_heat, &heat, out, error);
    *low = heat.low, *high = heat.high;
    return status;
}

hl_status canvas_mask(canvas *self, const hl_node *item, drawing *out, hl_error *error) {
    heatmap heat = {0};
    return draw_item(self, item, draw_mask, &heat, out, error);
}
