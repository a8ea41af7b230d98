/* See items.h. */
#include "items.h"

#include "files.h"

#include <ctype.h>
#include <stdlib.h>

enum { NAME_PART = 48, FILE_NAME = 544 }; /* letters at most of each part of a file's name; of the whole */

static hl_status no_memory(const items *self) {
    return hl_no_memory(self->error, "results.json");
}

/* ---- names ---- */

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
static void name_item(items *self, size_t analysis, const char *plugin, size_t number, const hl_node *item) {
    const char *image = hl_get_text(item, "image");
    const char *slash = strrchr(image, '/'), *file = slash ? slash + 1 : image;
    const char *dot = strrchr(file, '.');
    size_t stem = dot && dot > file ? (size_t)(dot - file) : strlen(file);
    snprintf(self->name, sizeof self->name, "%02zu-%.64s/%03zu", analysis, plugin, number);
    append_part(self->name, sizeof self->name, file, stem);
    append_part(self->name, sizeof self->name, hl_get_text(item, "text"), SIZE_MAX);
    append_part(self->name, sizeof self->name, hl_get_text(item, "minus"), SIZE_MAX);
    append_part(self->name, sizeof self->name, hl_get_text(item, "head"), SIZE_MAX);
    self->numbered = 0;
}

/* The name of one of the item's files, kept in the item under `key`, whatever a plugin put there. */
static hl_status keep_name(items *self, hl_node *item, const char *key, const char *ending,
                           char name[FILE_NAME]) {
    snprintf(name, FILE_NAME, "%s%s", self->name, ending);
    return nodes_set_text(&self->changed, item, key, name, self->error);
}

/* ---- heats ---- */

static hl_status write_picture(items *self, hl_node *item, const char *key, const char *ending,
                               const drawing *drawn) {
    char name[FILE_NAME];
    hl_picture shown = drawing_picture(drawn);
    hl_status status = keep_name(self, item, key, ending, name);
    return status == HL_OK ? files_png(self->report, name, &shown, self->error) : status;
}

static hl_status write_heat(items *self, hl_node *item) {
    drawing drawn = {0};
    double low, high;
    hl_status status = canvas_heat(&self->pictures, item, &drawn, &low, &high, self->error);
    if (status == HL_OK) status = write_picture(self, item, "png", ".png", &drawn);
    drawing_free(&drawn);
    return status;
}

/* One byte a pixel, as bright as the picture's. */
static hl_status write_mask_array(items *self, hl_node *item, const drawing *mask) {
    char name[FILE_NAME];
    size_t pixels = mask->width * mask->height;
    uint8_t *values = malloc(pixels);
    if (!values) return no_memory(self);
    for (size_t i = 0; i < pixels; i++) values[i] = mask->rgb[3 * i];
    hl_status status = keep_name(self, item, "mask_npy", "-mask.npy", name);
    if (status == HL_OK) {
        status = files_npy(self->report, name, "|u1", 1, mask->height, mask->width, values, self->error);
    }
    free(values);
    return status;
}

static hl_status write_grid(items *self, hl_node *item) {
    const hl_node *grid = hl_get(item, "grid"); /* there, or the heat could not have been drawn */
    char name[FILE_NAME];
    hl_status status = keep_name(self, item, "heat_npy", ".npy", name);
    if (status != HL_OK) return status;
    return files_npy(self->report, name, "<f4", sizeof(float), grid->rows, grid->cols, grid->grid,
                     self->error);
}

static hl_status write_mask(items *self, hl_node *item) {
    drawing mask = {0};
    hl_status status = canvas_mask(&self->pictures, item, &mask, self->error);
    if (status == HL_OK) status = write_picture(self, item, "mask_png", "-mask.png", &mask);
    if (status == HL_OK) status = write_mask_array(self, item, &mask);
    drawing_free(&mask);
    return status == HL_OK ? write_grid(self, item) : status;
}

/* ---- pictures that a plugin made ---- */

static bool has_picture(const hl_node *node) {
    if (node->type == HL_PICTURE) return true;
    for (const hl_node *entry = node->first; entry; entry = entry->next) {
        if (has_picture(entry)) return true;
    }
    return false;
}

/* The node becomes the name of its file. */
static hl_status write_own(items *self, hl_node *node) {
    hl_picture shown = {.size = sizeof shown,
                        .width = node->cols,
                        .height = node->rows,
                        .rgb = node->rgb,
                        .original_width = node->cols,
                        .original_height = node->rows};
    char name[FILE_NAME];
    snprintf(name, sizeof name, "%s-picture-%02zu.png", self->name, ++self->numbered);
    hl_status status = files_png(self->report, name, &shown, self->error);
    hl_node list = {.type = HL_LIST, .count = 0}, *text = nodes_copy(&self->changed, &list, 1);
    if (status != HL_OK || !text) return status == HL_OK ? no_memory(self) : status;
    status = nodes_set_text(&self->changed, text, node->key, name, self->error);
    const hl_node *next = node->next;
    if (status == HL_OK) *node = *nodes_entry(text, 0);
    node->next = next;
    return status;
}

/* Changes the node, which is a copy, and what is below it. */
static hl_status write_pictures(items *self, hl_node *node) {
    if (!has_picture(node)) return HL_OK;
    if (node->type == HL_PICTURE) return write_own(self, node);
    const hl_node *next = node->next;
    hl_node *copy = nodes_copy(&self->changed, node, 0);
    if (!copy) return no_memory(self);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < copy->count && status == HL_OK; ++i) {
        status = write_pictures(self, nodes_entry(copy, i));
    }
    *node = *copy;
    node->next = next;
    return status;
}

/* ---- the results ---- */

enum { MOST_FILES = 4 }; /* of a heat */

/* A copy in its list: changed where it gets files. */
static hl_status write_item(items *self, hl_node *item) {
    const hl_node *next = item->next;
    hl_status status = write_pictures(self, item);
    if (status != HL_OK || !canvas_draws(&self->pictures, item)) return status;
    hl_node *copy = nodes_copy(&self->changed, item, MOST_FILES);
    if (!copy) return no_memory(self);
    status = write_heat(self, copy);
    if (status == HL_OK && canvas_has_mask(copy)) status = write_mask(self, copy);
    *item = *copy;
    item->next = next;
    return status;
}

static hl_status write_results(items *self, size_t number, const char *plugin, hl_node *results) {
    size_t count = 0;
    hl_status status = HL_OK;
    hl_node *copy = nodes_copy(&self->changed, results, 0);
    if (!copy) return no_memory(self);
    for (uint32_t i = 0; i < copy->count && status == HL_OK; ++i) {
        hl_node *item = nodes_entry(copy, i);
        if (!canvas_draws(&self->pictures, item) && !has_picture(item)) continue;
        name_item(self, number, plugin, ++count, item);
        status = write_item(self, item);
    }
    const hl_node *next = results->next;
    *results = *copy;
    results->next = next;
    return status;
}

static hl_status write_analysis(items *self, size_t number, hl_node *analysis) {
    const hl_node *next = analysis->next;
    hl_node *copy = nodes_copy(&self->changed, analysis, 0);
    if (!copy) return no_memory(self);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < copy->count && status == HL_OK; ++i) {
        hl_node *entry = nodes_entry(copy, i);
        if (strcmp(entry->key, "results") != 0 || !hl_is_list(entry)) continue;
        status = write_results(self, number, hl_get_text(analysis, "plugin"), entry);
    }
    *analysis = *copy;
    analysis->next = next;
    return status;
}

static hl_status write_analyses(items *self, hl_node *list) {
    const hl_node *next = list->next;
    hl_node *copy = nodes_copy(&self->changed, list, 0);
    if (!copy) return no_memory(self);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < copy->count && status == HL_OK; ++i) {
        status = write_analysis(self, (size_t)i + 1, nodes_entry(copy, i));
    }
    *list = *copy;
    list->next = next;
    return status;
}

hl_status items_write(items *self, const hl_node **root) {
    hl_node *copy = nodes_copy(&self->changed, self->report->results, 0);
    if (!copy) return no_memory(self);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < copy->count && status == HL_OK; ++i) {
        hl_node *section = nodes_entry(copy, i);
        if (strcmp(section->key, "analyses") == 0) {
            status = write_analyses(self, section);
        } else {
            snprintf(self->name, sizeof self->name, "%.64s", "other/");
            append_part(self->name, sizeof self->name, section->key, SIZE_MAX);
            self->numbered = 0;
            status = write_pictures(self, section);
        }
    }
    *root = copy;
    return status;
}
