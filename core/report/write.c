/* Everything that a run leaves behind: PNG files, arrays, results.json, report.html. */
#include "core/report/write.h"
#include "core/io/json.h"
#include "core/io/npy.h"
#include "core/report/page.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_PART = 48 }; /* letters at most of each part of a file's name */

/* Appends "-" and the part, every run of other characters than letters, digits and dots as one '-'. */
static void append_part(char *name, size_t size, const char *part, size_t count) {
    size_t used = strlen(name), start = used;
    bool gap = true;
    for (size_t i = 0; i < count && part[i] && used - start < NAME_PART && used + 3 < size; i++) {
        bool plain = isascii(part[i]) && (isalnum(part[i]) || (part[i] == '.' && !gap));
        if (plain && gap) name[used++] = '-';
        if (plain) name[used++] = part[i];
        gap = !plain;
    }
    name[used] = '\0';
}

/* "01-topic-segmentation/003-scene-013-a-red-star-L3.H5": the numbers make it unique and keep the order, the
 * words make it readable. */
static void name_item(char *name, size_t size, size_t analysis, const char *plugin, size_t number,
                      const cJSON *item) {
    const char *image = canvas_text(item, "image");
    const char *slash = strrchr(image, '/'), *file = slash ? slash + 1 : image;
    const char *dot = strrchr(file, '.');
    size_t stem = dot && dot > file ? (size_t)(dot - file) : strlen(file);
    snprintf(name, size, "%02zu-%.64s/%03zu", analysis, plugin, number);
    append_part(name, size, file, stem);
    append_part(name, size, canvas_text(item, "text"), SIZE_MAX);
    append_part(name, size, canvas_text(item, "minus"), SIZE_MAX);
    append_part(name, size, canvas_text(item, "head"), SIZE_MAX);
}

/* One item of the results, and where its files go. */
typedef struct drawing {
    canvas *pictures;
    output *out;
    cJSON *item;
    char name[512]; /* of its files, without what follows for each kind */
} drawing;

/* The name of one of the item's files, kept in the item under `key`. The key is the host's, whatever a plugin
 * put there. */
static hl_status keep_name(drawing *self, const char *key, const char *ending, char name[544],
                           hl_error *error) {
    snprintf(name, 544, "%s%s", self->name, ending);
    cJSON_DeleteItemFromObjectCaseSensitive(self->item, key);
    return cJSON_AddStringToObject(self->item, key, name) ? HL_OK : hl_no_memory(error, "the results");
}

static hl_status write_picture(drawing *self, const char *key, const char *ending, const picture *image,
                               hl_error *error) {
    char name[544];
    hl_status status = keep_name(self, key, ending, name, error);
    return status == HL_OK ? picture_write_png(image, self->out, name, error) : status;
}

static hl_status write_array(drawing *self, const char *key, const char *ending, const char *descr,
                             const size_t shape[2], const void *values, size_t bytes, hl_error *error) {
    char name[544];
    FILE *file = NULL;
    hl_status status = keep_name(self, key, ending, name, error);
    if (status == HL_OK) status = npy_begin(self->out, name, descr, 2, shape, &file, error);
    if (status == HL_OK) status = output_write(self->out, file, values, bytes, error);
    return status == HL_OK ? output_finish(self->out, file, error) : status;
}

/* A mask as an array: one byte a pixel, as bright as the picture's. */
static hl_status write_mask_array(drawing *self, const picture *mask, hl_error *error) {
    size_t shape[2] = {mask->height, mask->width}, pixels = mask->width * mask->height;
    uint8_t *values = malloc(pixels);
    if (!values) return hl_no_memory(error, "a mask");
    for (size_t i = 0; i < pixels; i++) values[i] = mask->rgb[3 * i];
    hl_status status = write_array(self, "mask_npy", "-mask.npy", "|u1", shape, values, pixels, error);
    free(values);
    return status;
}

static hl_status write_grid(drawing *self, hl_error *error) {
    const results_images *images = self->pictures->images;
    size_t shape[2] = {images->grid_rows, images->grid_cols}, bytes = shape[0] * shape[1] * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return hl_no_memory(error, "a heat");
    hl_status status = canvas_grid(self->pictures, self->item, values, error);
    if (status == HL_OK) status = write_array(self, "heat_npy", ".npy", "<f4", shape, values, bytes, error);
    free(values);
    return status;
}

static hl_status write_mask(drawing *self, hl_error *error) {
    picture mask = {0};
    hl_status status = canvas_mask(self->pictures, self->item, 0, &mask, error);
    if (status == HL_OK) status = write_picture(self, "mask_png", "-mask.png", &mask, error);
    if (status == HL_OK) status = write_mask_array(self, &mask, error);
    picture_free(&mask);
    return status == HL_OK ? write_grid(self, error) : status;
}

static hl_status draw_item(drawing *self, hl_error *error) {
    picture drawn = {0};
    double low, high;
    hl_status status = canvas_heat(self->pictures, self->item, 0, &drawn, &low, &high, error);
    if (status == HL_OK) status = write_picture(self, "png", ".png", &drawn, error);
    picture_free(&drawn);
    return status == HL_OK && canvas_has_mask(self->item) ? write_mask(self, error) : status;
}

static hl_status draw_analysis(drawing *self, const cJSON *analysis, size_t analysis_number,
                               hl_error *error) {
    cJSON *list = cJSON_GetObjectItemCaseSensitive(analysis, "results");
    size_t number = 0;
    hl_status status = HL_OK;
    cJSON_ArrayForEach(self->item, list) {
        if (status != HL_OK || !canvas_draws(self->item)) continue;
        name_item(self->name, sizeof self->name, analysis_number, canvas_text(analysis, "plugin"), ++number,
                  self->item);
        status = draw_item(self, error);
    }
    return status;
}

static hl_status draw_all(const cJSON *root, canvas *pictures, output *out, hl_error *error) {
    drawing self = {.pictures = pictures, .out = out};
    const cJSON *analyses = cJSON_GetObjectItemCaseSensitive(root, "analyses"), *analysis = NULL;
    size_t number = 0;
    hl_status status = HL_OK;
    cJSON_ArrayForEach(analysis, analyses) {
        number++;
        if (status == HL_OK) status = draw_analysis(&self, analysis, number, error);
    }
    return status;
}

static hl_status write_json(const cJSON *root, output *out, hl_error *error) {
    FILE *file = NULL;
    hl_status status = output_file(out, "results.json", &file, error);
    if (status != HL_OK) return status;
    char *json = json_print(root, true);
    if (!json) return hl_no_memory(error, "results.json");
    status = output_write(out, file, json, strlen(json), error);
    if (status == HL_OK) status = output_write(out, file, "\n", 1, error);
    free(json);
    return status;
}

hl_status results_check_places(output *out, hl_error *error) {
    hl_status status = output_check(out, "results.json", error);
    return status == HL_OK ? output_check(out, "report.html", error) : status;
}

/* The tree as the page and the drawing know it. */
static hl_status convert(const hl_node *root, cJSON **out, hl_error *error) {
    char *json;
    hl_status status = tree_print_json(root, false, &json, error);
    if (status != HL_OK) return status;
    *out = cJSON_Parse(json);
    free(json);
    return *out ? HL_OK : hl_no_memory(error, "the results");
}

hl_status results_write(const hl_node *results, const results_images *images, const char *title,
                        const char *experiment, const char *sections, output *out, hl_error *error) {
    cJSON *root = NULL;
    page_texts texts = {title, experiment, sections};
    canvas pictures;
    canvas_open(&pictures, images);
    hl_status status = convert(results, &root, error);
    if (status == HL_OK) status = draw_all(root, &pictures, out, error);
    if (status == HL_OK) status = write_json(root, out, error);
    if (status == HL_OK) status = page_write(root, &pictures, &texts, out, error);
    canvas_close(&pictures);
    cJSON_Delete(root);
    return status;
}
