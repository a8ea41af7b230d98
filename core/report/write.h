/* Everything that a run leaves behind. */
#ifndef WRITE_H
#define WRITE_H

#include "core/io/output.h"
#include "core/io/picture.h"
#include "core/tree/results.h"
#include "headlight/model.h"
#include <cjson/cJSON.h>

/* How a result's image name becomes a file, and where the model looks: for drawing. */
typedef struct results_images {
    void *user;
    hl_status (*load)(void *user, const char *name, picture *out, hl_error *error);
    /* The same for a neighbour: `path` is relative to the gallery's folder. */
    hl_status (*load_neighbor)(void *user, const char *path, picture *out, hl_error *error);
    hl_preprocess preprocess;
    uint32_t grid_rows, grid_cols, patch_height, patch_width;
} results_images;

/* Draws every heat, writes the PNG files (an item's "png"), the masks and arrays of items with a number
 * "mask_threshold" ("mask_png", "mask_npy", "heat_npy"), results.json and report.html. To be called once.
 *
 * `title` is the page's heading, `experiment` the text of the YAML file that was run, `sections` all of it
 * but the analyses, as YAML that ends in a newline; NULL: the page's snippets show the analysis alone. */
hl_status results_write(const hl_node *results, const results_images *images, const char *title,
                        const char *experiment, const char *sections, output *out, hl_error *error);

/* Whether results.json and report.html can be written, before the work for them begins; as `output_check`. */
hl_status results_check_places(output *out, hl_error *error);

#endif
