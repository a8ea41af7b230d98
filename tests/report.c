#include "tests/report.h"

#include "core/experiment/section.h"
#include "tests/plugins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

picture make_picture(size_t width, size_t height) {
    picture image = {width, height, malloc(width * height * 3)};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < width * height * 3; i++) image.rgb[i] = (uint8_t)(i * 37 % 251);
    return image;
}

const uint8_t *pixel_at(const picture *image, size_t x, size_t y) {
    return image->rgb + 3 * (y * image->width + x);
}

static double linear(uint8_t byte) {
    double x = byte / 255.0;
    return x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
}

/* The published matrices. */
lab to_lab(const uint8_t *rgb) {
    double r = linear(rgb[0]), g = linear(rgb[1]), b = linear(rgb[2]);
    double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return (lab){0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

tree *open_results(sink *items) {
    tree *all = NULL;
    hl_error error;
    assert_ok(results_open(&all, &error), error);
    hl_item *analysis = results_analysis(all, "some-analysis", "what it does");
    item_map(analysis, "options");
    sink_open(items, item_list(analysis, "results", HL_LIST), "some-analysis");
    return all;
}

static hl_status load_picture(void *user, const char *name, size_t side, picture *out, size_t original[2],
                              hl_error *error) {
    (void)user;
    if (strstr(name, "missing")) return hl_fail(error, HL_FAILED, "%s: there is no such file", name);
    bool large = strstr(name, "large") != NULL;
    picture whole = large ? make_picture(3000, 2000) : make_picture(90, 60);
    original[0] = whole.width;
    original[1] = whole.height;
    hl_status status = picture_within(&whole, side, out, error);
    picture_free(&whole);
    return status;
}

const reporting_pictures test_pictures = {.image = load_picture, .neighbor = load_picture};

static const hl_preprocess preprocess = {.size = sizeof preprocess,
                                         .resize = HL_RESIZE_COVER,
                                         .interpolation = HL_BICUBIC,
                                         .height = 20,
                                         .width = 20};

const hl_model_info test_model = {.size = sizeof test_model,
                                  .name = "made-up",
                                  .summary = "",
                                  .preprocess = &preprocess,
                                  .grid_rows = 2,
                                  .grid_cols = 2,
                                  .patch_height = 10,
                                  .patch_width = 10};

hl_status write_reports(const char *folder, const tree *results, const report_subject *with,
                        const char *const *reports, hl_error *error) {
    char *yaml = strdup("reports: [");
    for (; *reports; ++reports) {
        char *longer = text("%s%s,", yaml, *reports);
        free(yaml);
        yaml = longer;
    }
    char *list = text("%s]", yaml);
    yaml_file *file;
    assert_ok(yaml_parse("test.yaml", (const uint8_t *)list, strlen(list), &file, error), *error);
    experiment plan = {.file = file, .root = yaml_root(file)};
    output *files = NULL;
    report_subject what = *with;
    what.host = &the_host->interface;
    what.results = tree_node(results);
    hl_status status = reports_read(plugins, &plan, error);
    if (status == HL_OK) assert_ok(output_open(folder, &files, error), *error);
    if (status == HL_OK) status = reporting_check_places(&plan, files, error);
    if (status == HL_OK) status = reporting_write(&what, &plan, files, error);
    if (status == HL_OK) {
        status = output_commit(files, error);
    } else {
        output_abandon(files);
    }
    for (size_t i = 0; i < plan.report_count; ++i) options_free(plan.reports[i].values);
    free(plan.reports);
    yaml_close(file);
    free(list);
    free(yaml);
    return status;
}

size_t count_words(const char *in, const char *word) {
    size_t count = 0;
    for (const char *at = in; (at = strstr(at, word)); at++) count++;
    return count;
}
