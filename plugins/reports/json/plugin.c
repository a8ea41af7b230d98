/* json: the results as data. results.json with every number, and the files that it names: pictures, masks,
 * arrays. */
#include "items.h"

#include <headlight/plugin.h>

/* In the order of the table. */
enum { PICTURE_SIDE };

static const hl_option options[] = {
    [PICTURE_SIDE] = {.name = "picture-side",
                      .type = HL_INT,
                      .fallback = "1024",
                      .min = 0,
                      .max = 65535,
                      .help =
                          "The longest side of a picture or mask, in pixels, however large its image is; 0: "
                          "as large as the image."},
};

static hl_status write_json(const hl_report *report, const hl_node *root, hl_error *error) {
    hl_file *file;
    hl_status status = report->file(report, "results.json", &file, error);
    if (status == HL_OK) status = report->json(report, file, root, error);
    if (status == HL_OK) status = report->write(report, file, "\n", 1, error);
    return status == HL_OK ? report->finish(report, file, error) : status;
}

static hl_status write_files(const hl_report *report, const hl_value *const *values, hl_error *error) {
    items all = {.report = report, .error = error};
    const hl_node *root = NULL;
    canvas_open(&all.pictures, report, (size_t)values[PICTURE_SIDE]->integer, 1);
    hl_status status = items_write(&all, &root);
    canvas_close(&all.pictures);
    if (status == HL_OK) status = write_json(report, root, error);
    nodes_free(&all.changed);
    return status;
}

static const char *const files[] = {"results.json", NULL};

static const hl_report_api api = {.size = sizeof api, .write = write_files, .files = files};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_REPORT, "json", "1.0.0",
              "results.json with every number, and the pictures, masks and arrays it names"),
    HL_OPTIONS(options), .api = &api};
