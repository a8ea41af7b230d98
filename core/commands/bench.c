/* `headlight bench`: how fast the image tower with codes is, on random weights and random pixels, and how
 * near that comes to what the cores could do. */
#include "core/commands/median.h"
#include "core/commands/peak.h"
#include "core/engine/engine.h"
#include "core/host/compute.h"
#include "core/host/library.h"
#include "core/io/call.h"
#include "core/io/json.h"
#include "core/registry/guard.h"

#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    const hl_bench_request *request;
    FILE *out;
    host *host;
    engine *model;
    double peak; /* operations a second, the best seen so far; 0: not known */
    size_t largest_batch;
    float *pixels, *code;
    hl_trace **traces;
    double *seconds; /* of each run */
} bench;

/* One row of the table. */
typedef struct measurement {
    size_t batch;
    unsigned threads;
    double seconds, images, flops; /* seconds: the median pass; the others a second */
} measurement;

/* ---- one pass ---- */

static size_t largest_code(const engine *model) {
    size_t most = 1;
    for (uint32_t i = 0; i < model->head_count; ++i) {
        size_t width = engine_code_width(engine_component(model, model->heads[i]));
        if (width > most) most = width;
    }
    return most;
}

/* The tower, and the codes of all heads. */
static hl_status run_pass(bench *self, size_t batch, hl_error *error) {
    engine *model = self->model;
    const hl_capture heads = {.size = sizeof heads, .site = HL_SITE_HEAD, .detail = HL_DETAIL_CODES};
    const hl_capture *const captures[] = {&heads};
    const hl_request request = {.size = sizeof request, .captures = captures, .capture_count = 1};
    if (self->host->interface.cancelled(&self->host->interface))
        return hl_fail(error, HL_FAILED, "cancelled");
    hl_session *session;
    hl_status status = engine_session(model, &session, error);
    if (status == HL_OK) {
        status = GUARD(model->model_plugin, error,
                       model->api.encode_images(session, self->pixels, batch, &request, self->traces, error));
    }
    if (status != HL_OK) return status;
    for (size_t i = 0; i < batch; ++i) {
        for (uint32_t h = 0; h < model->head_count && status == HL_OK; ++h) {
            status = GUARD(model->model_plugin, error,
                           model->api.code(self->traces[i], model->heads[h], self->code, error));
        }
        model->api.release(self->traces[i]);
    }
    return status;
}

static hl_status measure(bench *self, measurement *row, hl_error *error) {
    unsigned runs = self->request->runs;
    hl_status status = run_pass(self, row->batch, error); /* to warm up */
    double before = compute_flops(&self->model->compute);
    for (unsigned i = 0; i < runs && status == HL_OK; ++i) {
        self->peak = fmax(self->peak, peak_flops(&self->host->interface));
        double start = peak_clock();
        status = run_pass(self, row->batch, error);
        self->seconds[i] = peak_clock() - start;
        call_progress("timing", "pass", i + 1, runs);
    }
    if (status != HL_OK) return status;
    double flops = (compute_flops(&self->model->compute) - before) / runs;
    row->seconds = median(self->seconds, runs);
    row->images = (double)row->batch / row->seconds;
    row->flops = flops / row->seconds;
    return HL_OK;
}

/* ---- what is printed ---- */

static const char *backend_line(const bench *self) {
    const hl_compute *compute = &self->model->compute;
    return compute->api->describe(compute->backend);
}

static hl_status print_json(const bench *self, const measurement *row, hl_error *error) {
    const hl_compute *compute = &self->model->compute;
    cJSON *object = cJSON_CreateObject();
    bool complete = cJSON_AddStringToObject(object, "model", self->model->info->name) &&
                    cJSON_AddStringToObject(object, "plugin", self->model->compute_plugin->name) &&
                    cJSON_AddStringToObject(object, "backend", backend_line(self)) &&
                    cJSON_AddStringToObject(object, "kernel", compute->api->kernel(compute->backend)) &&
                    cJSON_AddNumberToObject(object, "batch", (double)row->batch) &&
                    cJSON_AddNumberToObject(object, "threads", row->threads) &&
                    cJSON_AddNumberToObject(object, "runs", self->request->runs) &&
                    cJSON_AddNumberToObject(object, "seconds", row->seconds) &&
                    cJSON_AddNumberToObject(object, "images_per_second", row->images) &&
                    cJSON_AddNumberToObject(object, "gflops", row->flops * 1e-9) &&
                    cJSON_AddNumberToObject(object, "peak_gflops", self->peak * 1e-9);
    char *line = complete ? json_print(object, false) : NULL;
    cJSON_Delete(object);
    if (!line) return hl_no_memory(error, "a line of JSON");
    fprintf(self->out, "%s\n", line);
    free(line);
    return HL_OK;
}

static void print_heading(const bench *self) {
    fprintf(self->out, "%s: %s\n%s: %s\n", self->model->info->name, self->model->info->summary,
            self->model->compute_plugin->name, backend_line(self));
    fprintf(self->out, "%6s %8s %10s %10s %10s %6s\n", "batch", "threads", "images/s", "GFLOP/s", "FMA peak",
            "share");
}

static void print_row(const bench *self, const measurement *row) {
    fprintf(self->out, "%6zu %8u %10.2f %10.1f ", row->batch, row->threads, row->images, row->flops * 1e-9);
    if (self->peak > 0) {
        fprintf(self->out, "%10.1f %5.0f%%\n", self->peak * 1e-9, 100 * row->flops / self->peak);
    } else {
        fprintf(self->out, "%10s %6s\n", "-", "-");
    }
}

static hl_status print(const bench *self, const measurement *row, hl_error *error) {
    hl_status status = HL_OK;
    if (self->request->json) {
        status = print_json(self, row, error);
    } else {
        print_row(self, row);
    }
    if (status == HL_OK && fflush(self->out) != 0) {
        return hl_fail(error, HL_FAILED, "the measurements cannot be written: is the disk full?");
    }
    return status;
}

/* ---- all passes ---- */

static hl_status open_engine(bench *self, hl_library *library, unsigned threads, hl_error *error) {
    const hl_bench_request *request = self->request;
    engine_settings settings = {.source = {.size = sizeof(hl_model_source),
                                           .path = request->model,
                                           .random_weights = true,
                                           .seed = 1},
                                .batch = self->largest_batch};
    const engine_choice choice = {.backend = request->backend,
                                  .compute = request->compute,
                                  .compute_count = request->compute_count,
                                  .threads = threads};
    hl_status status = engine_start(library, &choice, &settings, &self->host, &self->model, error);
    return status == HL_OK ? engine_load(self->model, error) : status;
}

static hl_status make_buffers(bench *self, hl_error *error) {
    const hl_host *memory = &self->host->interface;
    size_t count = engine_pixels(self->model);
    self->pixels = memory->allocate(memory, self->largest_batch, count * sizeof *self->pixels);
    self->code = memory->allocate(memory, largest_code(self->model), sizeof *self->code);
    self->traces = memory->allocate(memory, self->largest_batch, sizeof *self->traces);
    self->seconds = memory->allocate(memory, self->request->runs, sizeof *self->seconds);
    if (!self->pixels || !self->code || !self->traces || !self->seconds) {
        return hl_no_memory(error, "the images of a batch");
    }
    uint32_t state = 1; /* pixels between -2 and 2, as normalised images have them */
    for (size_t i = 0; i < self->largest_batch * count; ++i) {
        state = state * 1664525u + 1013904223u;
        self->pixels[i] = (float)(state >> 8) / 4194304.0f - 2.0f;
    }
    return HL_OK;
}

static void close_engine(bench *self) {
    engine_close(self->model);
    if (self->host) {
        const hl_host *memory = &self->host->interface;
        memory->release(memory, self->pixels);
        memory->release(memory, self->code);
        memory->release(memory, self->traces);
        memory->release(memory, self->seconds);
    }
    host_close(self->host);
}

/* All batches with one number of threads. */
static hl_status bench_threads(bench *self, hl_library *library, unsigned threads, hl_error *error) {
    hl_status status = open_engine(self, library, threads, error);
    if (status == HL_OK) status = make_buffers(self, error);
    if (status == HL_OK && !self->request->json) print_heading(self);
    for (size_t i = 0; i < self->request->batch_count && status == HL_OK; ++i) {
        measurement row = {.batch = self->request->batches[i],
                           .threads = self->host->interface.threads(&self->host->interface)};
        status = measure(self, &row, error);
        if (status == HL_OK) status = print(self, &row, error);
    }
    close_engine(self);
    return status;
}

static hl_status check_request(const hl_bench_request *request, hl_error *error) {
    bool sizes = request->batch_count > 0;
    for (size_t i = 0; i < request->batch_count; ++i) sizes = sizes && request->batches[i] > 0;
    if (sizes && request->thread_count > 0 && request->runs > 0) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "a benchmark needs at least one batch of at least one image, one number of threads and one "
        "run");
}

static hl_status run_bench(hl_library *library, const hl_bench_request *request, FILE *out, hl_error *error) {
    hl_status status = check_request(request, error);
    size_t largest = 0;
    for (size_t i = 0; i < request->batch_count; ++i) {
        if (request->batches[i] > largest) largest = request->batches[i];
    }
    for (size_t i = 0; i < request->thread_count && status == HL_OK; ++i) {
        bench self = {.request = request, .out = out, .largest_batch = largest};
        status = bench_threads(&self, library, request->threads[i], error);
    }
    return status;
}

hl_status hl_bench(hl_library *library, const hl_call *call, const hl_bench_request *request, FILE *out,
                   hl_error *error) {
    hl_bench_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_bench_request", error);
    if (status == HL_OK) status = run_bench(library, &own, out, error);
    call_end(&scope);
    return status;
}
