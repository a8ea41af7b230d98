/* What the analyses of one experiment found, as data: the hl_result that they fill, kept as JSON.
 *
 * results.json is this tree, written out; the page is made from it and from the pictures. Never knows which
 * analysis or model made it. */
#ifndef RESULTS_H
#define RESULTS_H

#include "core/io/output.h"
#include "core/io/picture.h"
#include "headlight/analysis.h"
#include <cjson/cJSON.h>

typedef struct results results;

hl_status results_open(results **out, hl_error *error);
void results_close(results *results); /* accepts NULL */

/* The root object: {"version": 1, "model": {...}, "compute": {...}, "analyses": [...]}; the caller adds to
 * "model" and "compute". */
cJSON *results_root(results *results);

/* What a gallery says of its image at `path`: an object (caption, mask and further keys; `path` is ignored),
 * or NULL. Every neighbour's entry gets a copy. May be called once, before the first analysis. */
typedef const cJSON *results_facts(void *user, const char *path);
void results_set_facts(results *results, results_facts *facts, void *user);

/* Starts the next analysis: {"plugin": name, "summary": ..., "options": {...}, "results": []}. `options` is
 * an object that becomes the results' own, also when this fails. *sink is what the plugin fills; it is valid
 * until the next call. */
hl_status results_analysis(results *results, const char *plugin, const char *summary, cJSON *options,
                           hl_result **sink, hl_error *error);

/* For people, of the analysis that was started last; NULL: none. */
hl_status results_set_title(results *results, const char *title, hl_error *error);

/* To be called when the plugin has returned: takes its grids over, and says "truncated": true in each item
 * that shows a text of the root's list "truncated": [{"text": ...}, ...]. Fails when the sink did on the way:
 * no memory, a number that is not finite, a field given twice. */
hl_status results_finish_analysis(results *results, hl_error *error);

/* Whether the text is in the root's list "truncated". */
bool results_is_cut(const cJSON *root, const char *text);

/* How a result's image name becomes a file, and where the model looks: for drawing. */
typedef struct results_images {
    void *user;
    hl_status (*load)(void *user, const char *name, picture *out, hl_error *error);
    /* The same for a neighbour: `path` is relative to the gallery's folder. */
    hl_status (*load_neighbor)(void *user, const char *path, picture *out, hl_error *error);
    hl_preprocess preprocess;
    uint32_t grid_rows, grid_cols, patch;
} results_images;

/* Draws every heat, writes the PNG files (an item's "png"), the masks and arrays of items with a number
 * "mask_threshold" ("mask_png", "mask_npy", "heat_npy"), results.json and report.html. To be called once.
 *
 * `title` is the page's heading, `experiment` the text of the YAML file that was run, `sections` all of it
 * but the analyses, as YAML that ends in a newline; NULL: the page's snippets show the analysis alone.
 *
 * Read from the tree, where the caller put it there: an analysis's "title" and "variant" (texts); the root's
 * "properties": {"heads": {"L3.H5": "colors", ...}}, "variants", the rows of compare.h, and "truncated", the
 * texts that are longer than the model reads. */
hl_status results_write(results *results, const results_images *images, const char *title,
                        const char *experiment, const char *sections, output *out, hl_error *error);

/* Whether results.json and report.html can be written, before the work for them begins; as `output_check`. */
hl_status results_check_places(output *out, hl_error *error);

#endif
