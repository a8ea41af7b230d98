#include "tests/reporting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static reporting *owner_of(const hl_report *report) {
    return (reporting *)(uintptr_t)report;
}

static void hand_out(const picture *from, uint32_t width, uint32_t height, hl_picture *out) {
    *out = (hl_picture){.size = sizeof *out,
                        .width = (uint32_t)from->width,
                        .height = (uint32_t)from->height,
                        .rgb = from->rgb,
                        .original_width = width,
                        .original_height = height};
}

static hl_status resize_picture(const hl_report *report, const hl_picture *in, uint32_t width,
                                uint32_t height, hl_picture *out, hl_error *error) {
    (void)report;
    picture from = {in->width, in->height, (uint8_t *)(uintptr_t)in->rgb}, made;
    assert_true(width > 0 && height > 0);
    hl_status status = picture_resize(&from, width, height, &made, error);
    if (status == HL_OK) hand_out(&made, in->original_width, in->original_height, out);
    return status;
}

/* A picture without structure, its longer side at most `side`. */
static hl_status lend(reporting *self, uint32_t width, uint32_t height, uint32_t side, hl_picture *out,
                      hl_error *error) {
    hl_picture whole;
    picture made = make_picture(width, height);
    hand_out(&made, width, height, &whole);
    if (!side || width <= side) {
        *out = whole;
        return HL_OK;
    }
    uint32_t smaller = (uint32_t)lround((double)height * side / width);
    hl_status status = resize_picture(&self->report, &whole, side, smaller ? smaller : 1, out, error);
    picture_free(&made);
    return status;
}

static hl_status lend_image(const hl_report *report, const char *name, uint32_t side, hl_picture *out,
                            hl_error *error) {
    reporting *self = owner_of(report);
    if (strstr(name, "missing")) return hl_fail(error, HL_FAILED, "%s: there is no such file", name);
    self->images++;
    bool large = strstr(name, "large") != NULL;
    return lend(self, large ? 3000 : 90, large ? 2000 : 60, side, out, error);
}

static hl_status lend_neighbor(const hl_report *report, const char *path, uint32_t side, hl_picture *out,
                               hl_error *error) {
    reporting *self = owner_of(report);
    if (strstr(path, "missing")) return hl_fail(error, HL_FAILED, "%s: there is no such image", path);
    self->neighbors++;
    return lend(self, 40, 20, side, out, error);
}

static void take_back(const hl_report *report, hl_picture *lent) {
    (void)report;
    free((void *)(uintptr_t)lent->rgb);
    *lent = (hl_picture){0};
}

static void find_crop(const hl_report *report, uint32_t width, uint32_t height, double frame[4]) {
    picture_frame crop = picture_crop_frame(width, height, report->model->preprocess);
    frame[0] = crop.left, frame[1] = crop.top, frame[2] = crop.width, frame[3] = crop.height;
}

static hl_status encode_picture(const hl_report *report, const hl_picture *from, uint32_t encoding,
                                uint8_t **bytes, size_t *count, hl_error *error) {
    reporting *self = owner_of(report);
    picture image = {from->width, from->height, (uint8_t *)(uintptr_t)from->rgb};
    if (self->stop_after && --self->stop_after == 0) return hl_fail(error, HL_FAILED, "cancelled");
    if (from->width > self->largest) self->largest = from->width;
    if (from->height > self->largest) self->largest = from->height;
    assert_true(encoding == HL_PNG || encoding == HL_JPEG);
    return (encoding == HL_PNG ? picture_encode_png : picture_encode_jpeg)(&image, bytes, count, error);
}

/* A figure's file is open while the page's is. */
static hl_status start_figure(reporting *self, const char *name, hl_file **out) {
    assert_non_null(self->file);
    assert_null(self->figure_file);
    assert_string_not_equal(name, self->figure_name);
    assert_true(strlen(name) < sizeof self->figure_name);
    strcpy(self->figure_name, name);
    free(self->figure);
    self->figure_file = open_memstream(&self->figure, &self->figure_bytes);
    assert_non_null(self->figure_file);
    self->figures++;
    *out = (hl_file *)self->figure_file;
    return HL_OK;
}

static hl_status start_file(const hl_report *report, const char *name, hl_file **out, hl_error *error) {
    (void)error;
    reporting *self = owner_of(report);
    if (strncmp(name, "figures/", 8) == 0) return start_figure(self, name, out);
    assert_string_equal(name, "report.html");
    assert_null(self->file);
    self->file = open_memstream(&self->page, &self->bytes);
    assert_non_null(self->file);
    *out = (hl_file *)self->file;
    return HL_OK;
}

static hl_status write_bytes(const hl_report *report, hl_file *file, const void *bytes, size_t count,
                             hl_error *error) {
    (void)error;
    reporting *self = owner_of(report);
    assert_true(file == (hl_file *)self->file || file == (hl_file *)self->figure_file);
    assert_int_equal(fwrite(bytes, 1, count, (FILE *)file), count);
    return HL_OK;
}

static hl_status finish_file(const hl_report *report, hl_file *file, hl_error *error) {
    (void)error;
    reporting *self = owner_of(report);
    bool is_page = file == (hl_file *)self->file;
    assert_true(is_page || file == (hl_file *)self->figure_file);
    assert_int_equal(fclose((FILE *)file), 0);
    if (is_page) self->file = NULL;
    if (!is_page) self->figure_file = NULL;
    return HL_OK;
}

void open_reporting(reporting *self, const hl_node *root) {
    *self = (reporting){0};
    self->preprocess = (hl_preprocess){.size = sizeof self->preprocess,
                                       .resize = HL_RESIZE_COVER,
                                       .interpolation = HL_BICUBIC,
                                       .height = 20,
                                       .width = 20};
    self->model = (hl_model_info){.size = sizeof self->model,
                                  .name = "made-up",
                                  .summary = "",
                                  .preprocess = &self->preprocess,
                                  .grid_rows = 2,
                                  .grid_cols = 2,
                                  .patch_height = 10,
                                  .patch_width = 10};
    self->report = (hl_report){.size = sizeof self->report,
                               .host = &the_host->interface,
                               .results = root,
                               .model = &self->model,
                               .title = "title",
                               .experiment = "experiment",
                               .sections = "model: {path: m}\n",
                               .image = lend_image,
                               .neighbor = lend_neighbor,
                               .resize = resize_picture,
                               .release = take_back,
                               .crop = find_crop,
                               .encode = encode_picture,
                               .file = start_file,
                               .write = write_bytes,
                               .finish = finish_file};
}

void close_reporting(reporting *self) {
    if (self->file) fclose(self->file);
    if (self->figure_file) fclose(self->figure_file);
    free(self->page);
    free(self->figure);
    *self = (reporting){0};
}

hl_status write_html(reporting *self, size_t side, double megapixels, hl_error *error) {
    const hl_plugin *html = registry_find(plugins, HL_REPORT, "html");
    assert_non_null(html);
    hl_report_api api;
    registry_table(html, &api, sizeof api);
    assert_int_equal(html->option_count, 2);
    hl_value first = {.given = true, .integer = side ? (int64_t)side : atoi(html->options[0].fallback)};
    hl_value second = {.given = true,
                       .real = megapixels > 0 ? megapixels : strtod(html->options[1].fallback, NULL)};
    assert_string_equal(html->options[0].name, "picture-side");
    assert_string_equal(html->options[1].name, "megapixels");
    const hl_value *const values[] = {&first, &second};
    return api.write(&self->report, values, error);
}
