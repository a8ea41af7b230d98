/* Everything that a run leaves behind: PNG files, results.json, report.html. */
#include "core/report/page.h"
#include "core/report/results.h"

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

/* "01-topic-segmentation/003-scene-013-a-red-star-L3.H5.png": the numbers make it unique and keep the order,
 * the words make it readable. */
static void name_picture(char *name, size_t size, size_t analysis, const char *plugin, size_t number,
                         const cJSON *item) {
    const char *image = canvas_text(item, "image");
    const char *slash = strrchr(image, '/'), *file = slash ? slash + 1 : image;
    const char *dot = strrchr(file, '.');
    size_t stem = dot && dot > file ? (size_t)(dot - file) : strlen(file);
    snprintf(name, size, "%02zu-%.64s/%03zu", analysis, plugin, number);
    append_part(name, size, file, stem);
    append_part(name, size, canvas_text(item, "text"), SIZE_MAX);
    append_part(name, size, canvas_text(item, "head"), SIZE_MAX);
    strcat(name, ".png");
}

static hl_status draw_item(canvas *pictures, cJSON *item, const char *name, output *out, hl_error *error) {
    picture drawn = {0};
    double low, high;
    hl_status status = canvas_heat(pictures, item, 0, &drawn, &low, &high, error);
    if (status == HL_OK) status = picture_write_png(&drawn, out, name, error);
    picture_free(&drawn);
    if (status != HL_OK) return status;
    cJSON_DeleteItemFromObjectCaseSensitive(item,
                                            "png"); /* the key is the host's, whatever a plugin put there */
    return cJSON_AddStringToObject(item, "png", name) ? HL_OK : hl_no_memory(error, "the results");
}

static hl_status draw_all(const cJSON *root, canvas *pictures, output *out, hl_error *error) {
    const cJSON *analyses = cJSON_GetObjectItemCaseSensitive(root, "analyses"), *analysis = NULL;
    size_t analysis_number = 0;
    hl_status status = HL_OK;
    cJSON_ArrayForEach(analysis, analyses) {
        cJSON *item = NULL;
        size_t number = 0;
        analysis_number++;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(analysis, "results")) {
            char name[256];
            if (status != HL_OK || !canvas_draws(item)) continue;
            name_picture(name, sizeof name, analysis_number, canvas_text(analysis, "plugin"), ++number, item);
            status = draw_item(pictures, item, name, out, error);
        }
    }
    return status;
}

static hl_status write_json(const cJSON *root, output *out, hl_error *error) {
    FILE *file = NULL;
    hl_status status = output_file(out, "results.json", &file, error);
    if (status != HL_OK) return status;
    char *json = cJSON_Print(root);
    if (!json) return hl_no_memory(error, "results.json");
    status = output_write(out, file, json, strlen(json), error);
    if (status == HL_OK) status = output_write(out, file, "\n", 1, error);
    cJSON_free(json);
    return status;
}

hl_status results_write(results *self, const results_images *images, const char *title,
                        const char *experiment, output *out, hl_error *error) {
    const cJSON *root = results_root(self);
    canvas pictures;
    canvas_open(&pictures, images);
    hl_status status = draw_all(root, &pictures, out, error);
    if (status == HL_OK) status = write_json(root, out, error);
    if (status == HL_OK) status = page_write(root, &pictures, title, experiment, out, error);
    canvas_close(&pictures);
    return status;
}
