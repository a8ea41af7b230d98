/* See reporting.h: the host's side of hl_report. */
#include "core/experiment/reporting.h"

#include "core/host/host.h"
#include "core/io/call.h"
#include "core/io/watch.h"
#include "core/registry/guard.h"
#include "core/tree/tree.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct hl_file {
    hl_file *next;
    FILE *file; /* the output's; NULL: it is complete */
};

typedef struct desk {
    hl_report interface; /* first: the one is cast to the other */
    const report_subject *what;
    output *files;
    const char *const *claimed; /* files that other reports of the run write; ends with NULL */
    hl_file *open;
    pthread_mutex_t warning;
    size_t blanks; /* pictures of neighbours that could not be read */
} desk;

static desk *behind(const hl_report *interface) {
    return (desk *)(uintptr_t)interface;
}

/* ---- pictures ---- */

static void lend(picture *image, const size_t original[2], hl_picture *out) {
    out->width = (uint32_t)image->width;
    out->height = (uint32_t)image->height;
    out->rgb = image->rgb;
    out->original_width = (uint32_t)original[0];
    out->original_height = (uint32_t)original[1];
}

/* hl_picture is read only; what is here only reads too. */
static picture borrow(const hl_picture *from) {
    return (picture){from->width, from->height, (uint8_t *)(uintptr_t)from->rgb};
}

static hl_status load(const desk *self, reporting_load *source, const char *name, uint32_t side,
                      hl_picture *out, hl_error *error) {
    bool from_kept = side > 0 && side <= REPORTING_KEPT_SIDE;
    picture image = {0}, small = {0};
    size_t original[2] = {0, 0};
    hl_status status = call_check(error);
    if (status == HL_OK) {
        size_t asked = from_kept ? REPORTING_KEPT_SIDE : side;
        status = source(self->what->pictures.user, name, asked, &image, original, error);
    }
    if (status == HL_OK && from_kept && side < REPORTING_KEPT_SIDE) {
        status = picture_within(&image, side, &small, error);
        picture_free(&image);
        image = small;
    }
    if (status == HL_OK) lend(&image, original, out);
    return status;
}

static void clear(hl_picture *out) {
    *out = (hl_picture){.size = sizeof *out};
}

static hl_status load_image(const hl_report *interface, const char *name, uint32_t side, hl_picture *out,
                            hl_error *error) {
    const desk *self = behind(interface);
    clear(out);
    if (self->what->pictures.image) return load(self, self->what->pictures.image, name, side, out, error);
    return hl_fail(error, HL_FAILED, "%s: there are no images behind these results", name);
}

/* In the place of an image whose file is away: its score needs no file. */
static hl_status blank_picture(uint32_t side, hl_picture *out, hl_error *error) {
    enum { GRAY = 0xc8, USUAL = 64 };
    if (side == 0) side = USUAL;
    size_t bytes = (size_t)side * side * 3;
    uint8_t *rgb = malloc(bytes);
    if (!rgb) return hl_no_memory(error, "a picture");
    memset(rgb, GRAY, bytes);
    picture image = {side, side, rgb};
    lend(&image, (const size_t[2]){side, side}, out);
    return HL_OK;
}

/* Once: who misses one picture looks for the rest. */
static void warn_of_blank(desk *self, const hl_error *why) {
    const hl_host *interface = self->interface.host;
    pthread_mutex_lock(&self->warning);
    bool first = self->blanks++ == 0;
    pthread_mutex_unlock(&self->warning);
    if (!first) return;
    host_log(interface, HL_LOG_WARNING, "%s; the page shows a gray square for it, and for others like it",
             why->message);
}

static hl_status load_neighbor(const hl_report *interface, const char *path, uint32_t side, hl_picture *out,
                               hl_error *error) {
    desk *self = behind(interface);
    hl_error why = {""};
    clear(out);
    if (!self->what->pictures.neighbor) {
        return hl_fail(error, HL_FAILED,
                       "%s: a result names this image of a gallery, but the experiment names no gallery; add "
                       "`gallery: {images: ..., atlas: ...}`",
                       path);
    }
    hl_status status = load(self, self->what->pictures.neighbor, path, side, out, &why);
    if (status == HL_UNAVAILABLE) {
        warn_of_blank(self, &why);
        return blank_picture(side, out, error);
    }
    return status == HL_OK ? HL_OK : hl_fail(error, status, "%s", why.message);
}

static hl_status resize(const hl_report *interface, const hl_picture *in, uint32_t width, uint32_t height,
                        hl_picture *out, hl_error *error) {
    (void)interface;
    picture from = borrow(in), made = {0};
    clear(out);
    hl_status status = call_check(error);
    if (status == HL_OK && (!width || !height)) {
        status = hl_fail(error, HL_FAILED, "a picture of %u x %u pixels cannot be made", width, height);
    }
    if (status == HL_OK) status = picture_resize(&from, width, height, &made, error);
    if (status == HL_OK) {
        lend(&made, (const size_t[2]){in->original_width, in->original_height}, out);
    }
    return status;
}

static void release(const hl_report *interface, hl_picture *image) {
    (void)interface;
    if (!image) return;
    free((uint8_t *)(uintptr_t)image->rgb);
    clear(image);
}

static void find_crop(const hl_report *interface, uint32_t width, uint32_t height, double frame[4]) {
    picture_frame found = {0, 0, width, height};
    if (interface->model) found = picture_crop_frame(width, height, interface->model->preprocess);
    frame[0] = found.left;
    frame[1] = found.top;
    frame[2] = found.width;
    frame[3] = found.height;
}

static hl_status encode(const hl_report *interface, const hl_picture *image, uint32_t encoding,
                        uint8_t **bytes, size_t *count, hl_error *error) {
    (void)interface;
    picture from = borrow(image);
    *bytes = NULL;
    hl_status status = call_check(error);
    if (status != HL_OK) return status;
    if (encoding == HL_PNG) return picture_encode_png(&from, bytes, count, error);
    if (encoding == HL_JPEG) return picture_encode_jpeg(&from, bytes, count, error);
    return hl_fail(error, HL_FAILED, "%u is no encoding of pictures", encoding);
}

/* ---- files ---- */

static bool is_listed(const char *const *names, const char *name) {
    while (names && *names && strcmp(*names, name) != 0) ++names;
    return names && *names;
}

/* Below the folder, and where the list of an output's files can find it again: no part begins with a dot. */
static bool is_file_name(const char *name) {
    const char *part = name;
    do {
        size_t length = strcspn(part, "/");
        if (length == 0 || *part == '.') return false;
        part += length;
    } while (*part++ == '/');
    return true;
}

static hl_status open_file(const hl_report *interface, const char *name, hl_file **out, hl_error *error) {
    desk *self = behind(interface);
    *out = NULL;
    if (!is_file_name(name)) {
        return hl_fail(
            error, HL_FAILED,
            "\"%s\" is no name for a file of a report: a path below the results' folder, whose parts "
            "do not begin with a dot, is",
            name);
    }
    if (is_listed(self->claimed, name)) {
        return hl_fail(error, HL_FAILED, "%s: another report of the run writes this file", name);
    }
    hl_file *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, name);
    hl_status status = output_file(self->files, name, &made->file, error);
    if (status != HL_OK) {
        free(made);
        return status;
    }
    made->next = self->open;
    self->open = made;
    *out = made;
    return HL_OK;
}

static hl_status write_file(const hl_report *interface, hl_file *file, const void *bytes, size_t count,
                            hl_error *error) {
    if (!file->file) return hl_fail(error, HL_FAILED, "a file that is finished is written into");
    return output_write(behind(interface)->files, file->file, bytes, count, error);
}

static hl_status finish_file(const hl_report *interface, hl_file *file, hl_error *error) {
    FILE *written = file->file;
    file->file = NULL;
    return written ? output_finish(behind(interface)->files, written, error) : HL_OK;
}

static hl_status write_json(const hl_report *interface, hl_file *file, const hl_node *node, hl_error *error) {
    char *json;
    hl_status status = tree_print_json(node, true, &json, error);
    if (status != HL_OK) return status;
    status = write_file(interface, file, json, strlen(json), error);
    free(json);
    return status;
}

/* ---- running ---- */

static desk make_desk(const report_subject *what, output *files) {
    return (desk){.interface = {.size = sizeof(hl_report),
                                .host = what->host,
                                .results = what->results,
                                .model = what->model,
                                .title = what->title,
                                .experiment = what->experiment,
                                .sections = what->sections,
                                .image = load_image,
                                .neighbor = load_neighbor,
                                .resize = resize,
                                .release = release,
                                .crop = find_crop,
                                .encode = encode,
                                .file = open_file,
                                .write = write_file,
                                .finish = finish_file,
                                .json = write_json},
                  .what = what,
                  .files = files};
}

static hl_report_api api_of(const experiment_step *step) {
    hl_report_api api;
    registry_table(step->plugin, &api, sizeof api);
    return api;
}

/* The files that the other reports say they write. free() the list. */
static const char **find_claimed(const experiment *plan, const experiment_step *self) {
    size_t count = 0;
    for (size_t i = 0; i < plan->report_count; ++i) {
        const char *const *names = api_of(&plan->reports[i]).files;
        while (names && *names++) ++count;
    }
    const char **all = calloc(count + 1, sizeof *all), **next = all;
    for (size_t i = 0; all && i < plan->report_count; ++i) {
        const char *const *names = api_of(&plan->reports[i]).files;
        if (&plan->reports[i] == self) continue;
        while (names && *names) *next++ = *names++;
    }
    return all;
}

static hl_status run_report(desk *self, const experiment *plan, const experiment_step *step,
                            hl_error *error) {
    const char **claimed = find_claimed(plan, step);
    if (!claimed) return hl_no_memory(error, "a report");
    hl_error why = {""};
    self->claimed = claimed;
    hl_report_api api = api_of(step);
    hl_status status =
        GUARD(step->plugin, &why, api.write(&self->interface, options_values(step->values), &why));
    while (self->open) {
        hl_file *file = self->open;
        self->open = file->next;
        if (status == HL_OK) status = finish_file(&self->interface, file, &why);
        free(file);
    }
    free(claimed);
    return status == HL_OK ? HL_OK : hl_fail(error, status, "%s", why.message);
}

hl_status reporting_write(const report_subject *what, const experiment *plan, output *files,
                          hl_error *error) {
    desk self = make_desk(what, files);
    hl_status status = HL_OK;
    pthread_mutex_init(&self.warning, NULL);
    for (size_t i = 0; i < plan->report_count && status == HL_OK; ++i) {
        size_t before = watch_enter("report/%s", plan->reports[i].plugin->name);
        status = run_report(&self, plan, &plan->reports[i], error);
        watch_leave(before);
    }
    pthread_mutex_destroy(&self.warning);
    return status;
}

/* `report`: the number of the one that says that it writes the file. */
static hl_status check_file(const experiment *plan, size_t report, const char *name, output *files,
                            hl_error *error) {
    for (size_t i = 0; i < report; ++i) {
        if (!is_listed(api_of(&plan->reports[i]).files, name)) continue;
        return hl_fail(error, HL_USAGE, "the reports %s and %s both write %s; keep one of them",
                       plan->reports[i].plugin->name, plan->reports[report].plugin->name, name);
    }
    return output_check(files, name, error);
}

hl_status reporting_check_places(const experiment *plan, output *files, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < plan->report_count; ++i) {
        const char *const *names = api_of(&plan->reports[i]).files;
        for (; names && *names && status == HL_OK; ++names) {
            status = check_file(plan, i, *names, files, error);
        }
    }
    return status;
}

const char *reporting_page(const experiment *plan) {
    for (size_t i = 0; i < plan->report_count; ++i) {
        hl_report_api api = api_of(&plan->reports[i]);
        if (api.page) return api.page;
    }
    return NULL;
}
