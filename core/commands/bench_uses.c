/* `headlight bench --uses`: how long what people do with a model takes. */
#include "core/commands/bench_folder.h"
#include "core/commands/made_input.h"
#include "core/commands/median.h"
#include "core/commands/peak.h"
#include "core/commands/uses.h"
#include "core/host/library.h"
#include "core/io/call.h"
#include "core/io/folder.h"
#include "core/io/json.h"
#include "core/io/picture.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

typedef struct uses_bench {
    const hl_uses_request *request;
    FILE *out;
    host *made;
    engine *model;
    gallery *files;
    char folder[BENCH_FOLDER]; /* empty: not made */
    double *seconds[2];        /* of each run */
} uses_bench;

/* One row: `count` things in so many seconds. */
typedef struct used {
    const char *use, *what;
    size_t count;
    double seconds;
    bool many; /* how many a second is what matters */
} used;

/* ---- what is printed ---- */

static hl_status print_json(const uses_bench *self, const used *row, hl_error *error) {
    const hl_compute *compute = &self->model->compute;
    const hl_host *threads = &self->made->interface;
    cJSON *object = cJSON_CreateObject();
    bool whole =
        object && cJSON_AddStringToObject(object, "use", row->use) &&
        cJSON_AddStringToObject(object, "what", row->what) &&
        cJSON_AddStringToObject(object, "model", self->model->info->name) &&
        cJSON_AddStringToObject(object, "plugin", self->model->compute_plugin->name) &&
        cJSON_AddStringToObject(object, "backend", compute->api->describe(compute->backend)) &&
        cJSON_AddStringToObject(object, "precision", compute->api->precision(compute->backend)) &&
        cJSON_AddNumberToObject(object, "threads", threads->threads(threads)) &&
        cJSON_AddNumberToObject(object, "count", (double)row->count) &&
        cJSON_AddNumberToObject(object, "seconds", row->seconds) &&
        (!row->many || cJSON_AddNumberToObject(object, "per_second", (double)row->count / row->seconds));
    return json_print_line(object, whole, self->out, error);
}

static hl_status print(const uses_bench *self, const used *row, hl_error *error) {
    hl_status status = HL_OK;
    if (self->request->json) {
        status = print_json(self, row, error);
    } else {
        fprintf(self->out, "%-10s %-44s %7zu %10.4f", row->use, row->what, row->count, row->seconds);
        if (row->many) fprintf(self->out, " %10.2f", (double)row->count / row->seconds);
        fputc('\n', self->out);
    }
    if (status == HL_OK && fflush(self->out) != 0) {
        return hl_fail(error, HL_FAILED, "the measurements cannot be written: is the disk full?");
    }
    return status;
}

static void print_heading(const uses_bench *self) {
    const hl_compute *compute = &self->model->compute;
    if (self->request->json) return;
    fprintf(self->out, "%s: %s%s\n", self->model->info->name, self->model->info->summary,
            self->model->random_weights ? ", random weights" : "");
    fprintf(self->out, "%s: %s\n", self->model->compute_plugin->name,
            compute->api->describe(compute->backend));
    fprintf(self->out, "%-10s %-44s %7s %10s %10s\n", "use", "", "count", "seconds", "a second");
}

/* ---- what is needed ---- */

static hl_status write_file(const char *path, const uint8_t *bytes, size_t count, hl_error *error) {
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(bytes, 1, count, file) == count;
    if (file && fclose(file) != 0) written = false;
    return written ? HL_OK : hl_fail(error, HL_FAILED, "%s cannot be written: is the disk full?", path);
}

/* A JPEG file of the size that photographs on the web have. */
static hl_status make_image(const uses_bench *self, size_t number, float *numbers, picture *into,
                            hl_error *error) {
    char path[BENCH_FOLDER + 32];
    uint8_t *bytes = NULL;
    size_t count, pixels = into->height * into->width;
    made_image(number, into->height, into->width, numbers);
    for (size_t i = 0; i < 3 * pixels; ++i) {
        float value = 128 + 50 * numbers[i % 3 * pixels + i / 3];
        into->rgb[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    hl_status status = picture_encode_jpeg(into, &bytes, &count, error);
    snprintf(path, sizeof path, "%s/image-%05zu.jpg", self->folder, number);
    if (status == HL_OK) status = write_file(path, bytes, count, error);
    free(bytes);
    return status;
}

static hl_status make_images(const uses_bench *self, hl_error *error) {
    picture room = {500, 375, malloc((size_t)3 * 500 * 375)};
    float *numbers = malloc((size_t)3 * 500 * 375 * sizeof *numbers);
    hl_status status = room.rgb && numbers ? HL_OK : hl_no_memory(error, "images");
    for (size_t i = 0; i < self->request->made_images && status == HL_OK; ++i) {
        status = make_image(self, i, numbers, &room, error);
    }
    free(room.rgb);
    free(numbers);
    return status;
}

static hl_status open_images(uses_bench *self, hl_error *error) {
    const char *images = self->request->images;
    hl_status status = bench_folder_make(self->folder, error);
    if (status != HL_OK) self->folder[0] = '\0';
    if (status == HL_OK && !images) status = make_images(self, error);
    if (status == HL_OK) status = gallery_open(images ? images : self->folder, &self->files, error);
    if (status == HL_OK && self->files->count == 0) {
        status = hl_fail(error, HL_USAGE, "%s: has no images", images);
    }
    return status;
}

/* Opening and loading, which happen once. */
static hl_status open_model(uses_bench *self, hl_library *library, hl_error *error) {
    const hl_uses_request *request = self->request;
    engine_settings settings = {.source = {.size = sizeof settings.source, .path = request->model, .seed = 1},
                                .or_random = true};
    const engine_choice choice = {.backend = request->backend,
                                  .compute = request->compute,
                                  .compute_count = request->compute_count,
                                  .threads = request->threads};
    double start = peak_clock();
    hl_status status = engine_start(library, &choice, &settings, &self->made, &self->model, error);
    if (status == HL_OK) status = engine_open_backend(self->model, error);
    double opened = peak_clock();
    if (status == HL_OK) status = engine_load(self->model, error);
    double loaded = peak_clock();
    if (status != HL_OK) return status;
    print_heading(self);
    const used rows[] = {{"open", "configuration, tokenizer, backend", 1, opened - start, false},
                         {"load", "weights, until they are ready", 1, loaded - opened, false}};
    status = print(self, &rows[0], error);
    return status == HL_OK ? print(self, &rows[1], error) : status;
}

/* ---- the uses ---- */

static hl_status bench_texts(const uses_bench *self, const use *how, hl_error *error) {
    hl_status status = use_texts(how, self->seconds[0], error);
    const used row = {"texts", "texts of 3 to 9 words to embeddings", how->texts,
                      status == HL_OK ? median(self->seconds[0], how->runs) : 0, true};
    return status == HL_OK ? print(self, &row, error) : status;
}

static hl_status bench_questions(const uses_bench *self, const use *how, hl_error *error) {
    question_seconds all = {0, self->seconds[0], self->seconds[1]};
    hl_status status = use_questions(how, &all, error);
    if (status != HL_OK) return status;
    const used rows[] = {
        {"question", "the first: heat of all heads, image and text", 1, all.first, false},
        {"question", "another image and text", 1, median(all.image, how->runs), false},
        {"question", "another text over the same image", 1, median(all.text, how->runs), false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows && status == HL_OK; ++i) {
        status = print(self, &rows[i], error);
    }
    return status;
}

static hl_status bench_index(const uses_bench *self, const use *how, hl_error *error) {
    hl_status status = use_index(how, self->seconds[0], error);
    const used row = {"index", "image files to an atlas of all heads", self->files->count,
                      status == HL_OK ? median(self->seconds[0], how->runs) : 0, true};
    return status == HL_OK ? print(self, &row, error) : status;
}

static hl_status bench_all(uses_bench *self, hl_library *library, hl_error *error) {
    hl_status status = open_model(self, library, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < 2 && status == HL_OK; ++i) {
        self->seconds[i] = calloc(self->request->runs, sizeof *self->seconds[i]);
        if (!self->seconds[i]) status = hl_no_memory(error, "the measurements");
    }
    if (status == HL_OK) status = open_images(self, error);
    const use how = {self->model,          self->files,          self->folder,
                     self->request->texts, self->request->batch, self->request->runs};
    bool texts = self->model->info->context > 0; /* some models take none */
    if (status == HL_OK && texts) status = bench_questions(self, &how, error);
    if (status == HL_OK && texts) status = bench_texts(self, &how, error);
    return status == HL_OK ? bench_index(self, &how, error) : status;
}

static void close_bench(uses_bench *self) {
    gallery_close(self->files);
    engine_close(self->model);
    host_close(self->made);
    if (self->folder[0]) folder_remove(self->folder);
    for (size_t i = 0; i < 2; ++i) free(self->seconds[i]);
}

static hl_status run_bench(hl_library *library, const hl_uses_request *request, FILE *out, hl_error *error) {
    bool images = request->images || request->made_images > 0;
    if (!request->model || !images || request->texts == 0 || request->runs == 0) {
        return hl_fail(error, HL_USAGE,
                       "a benchmark of uses needs a model, at least one image, one text and one run");
    }
    uses_bench self = {.request = request, .out = out};
    hl_status status = bench_all(&self, library, error);
    close_bench(&self);
    return status;
}

hl_status hl_bench_uses(hl_library *library, const hl_call *call, const hl_uses_request *request, FILE *out,
                        hl_error *error) {
    hl_uses_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_uses_request", error);
    if (status == HL_OK) status = run_bench(library, &own, out, error);
    call_end(&scope);
    return status;
}
