/* `headlight bench`: how fast the image tower with codes is, on random pixels, how near that comes to what
 * the cores could do, and what codes and heat cost on top. */
#include "core/commands/bench_cases.h"
#include "core/commands/bench_tower.h"
#include "core/host/compute.h"
#include "core/host/library.h"
#include "core/io/call.h"
#include "core/io/json.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    const hl_bench_request *request;
    hl_library *library;
    FILE *out;
    size_t largest_batch;
    bool headed; /* the table has its heading */
} bench;

static double images_of(const measurement *row) {
    return (double)row->batch / row->seconds;
}

/* Of f32 in vectors, as wide as this machine has them. */
static double widest_peak(const bench_tower *tower) {
    return tower->peaks[PEAK_FMA_512] > 0 ? tower->peaks[PEAK_FMA_512] : tower->peaks[PEAK_FMA_256];
}

/* ---- JSON ---- */

static bool add_texts(const bench_tower *tower, cJSON *object) {
    const hl_compute *compute = &tower->model->compute;
    return cJSON_AddStringToObject(object, "model", tower->model->info->name) &&
           cJSON_AddStringToObject(object, "plugin", tower->model->compute_plugin->name) &&
           cJSON_AddStringToObject(object, "backend", compute->api->describe(compute->backend)) &&
           cJSON_AddStringToObject(object, "kernel", compute->api->kernel(compute->backend)) &&
           cJSON_AddStringToObject(object, "precision", compute->api->precision(compute->backend));
}

static bool add_numbers(const bench *self, const bench_tower *tower, const measurement *row, cJSON *object) {
    const struct {
        const char *name;
        double value;
        bool missing;
    } numbers[] = {
        {"batch", (double)row->batch, false},
        {"threads", row->threads, false},
        {"runs", self->request->runs, false},
        {"seconds", row->seconds, false},
        {"images_per_second", images_of(row), false},
        {"gflops", row->flops * 1e-9, false},
        {"peak_gflops", widest_peak(tower) * 1e-9, false},
        {"peak_256_gflops", tower->peaks[PEAK_FMA_256] * 1e-9, false},
        {"peak_tile_gflops", tower->peaks[PEAK_TILES] * 1e-9, false},
        {"load_seconds", tower->load_seconds, false},
        {"plain_seconds", row->plain, !row->decomposed},
        {"times_plain", row->codes, !row->decomposed},
        {"heat_times_plain", row->heat, !row->decomposed},
    };
    bool whole = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && whole; ++i) {
        whole = numbers[i].missing || cJSON_AddNumberToObject(object, numbers[i].name, numbers[i].value);
    }
    return whole;
}

static bool add_operations(const bench_tower *tower, const measurement *row, cJSON *object) {
    cJSON *shares = cJSON_AddObjectToObject(object, "operations");
    const char *name = "";
    for (size_t i = 0; i < BENCH_OPERATIONS && shares; ++i) {
        compute_seconds(&tower->model->compute, i, &name);
        if (!name) break;
        if (row->shares[i] > 0 && !cJSON_AddNumberToObject(shares, name, row->shares[i])) return false;
    }
    return shares != NULL;
}

static hl_status print_json(const bench *self, const bench_tower *tower, const measurement *row,
                            hl_error *error) {
    cJSON *object = cJSON_CreateObject();
    bool whole = object && add_texts(tower, object) && add_numbers(self, tower, row, object) &&
                 (!self->request->operations || add_operations(tower, row, object));
    return json_print_line(object, whole, self->out, error);
}

/* ---- the table ---- */

static const char *const peak_names[] = {
    [PEAK_FMA_512] = "512-bit FMA", [PEAK_FMA_256] = "256-bit FMA", [PEAK_TILES] = "bf16 tiles"};

static void print_heading(bench *self, const bench_tower *tower) {
    const hl_compute *compute = &tower->model->compute;
    if (!self->headed) fprintf(self->out, "%s: %s\n", tower->model->info->name, tower->model->info->summary);
    fprintf(self->out, "%s: %s\n", tower->model->compute_plugin->name,
            compute->api->describe(compute->backend));
    if (self->request->weights) fprintf(self->out, "weights ready after %.3f s\n", tower->load_seconds);
    fprintf(self->out, "%6s %8s %10s %10s", "batch", "threads", "images/s", "GFLOP/s");
    for (size_t i = 0; i < PEAK_KINDS; ++i) {
        if (tower->peaks[i] > 0) fprintf(self->out, " %10s %6s", peak_names[i], "share");
    }
    if (self->request->decomposition) fprintf(self->out, " %8s %8s", "codes", "and heat");
    fputc('\n', self->out);
    self->headed = true;
}

static void print_shares(const bench *self, const bench_tower *tower, double flops) {
    for (size_t i = 0; i < PEAK_KINDS; ++i) {
        double peak = tower->peaks[i];
        if (peak > 0) fprintf(self->out, " %10.1f %5.0f%%", peak * 1e-9, 100 * flops / peak);
    }
}

static void print_operations(const bench *self, const bench_tower *tower, const measurement *row) {
    double rest = 1;
    const char *name = "";
    fputs("       ", self->out);
    for (size_t i = 0; i < BENCH_OPERATIONS; ++i) {
        compute_seconds(&tower->model->compute, i, &name);
        if (!name) break;
        if (row->shares[i] > 0) fprintf(self->out, "%s %.1f %%, ", name, 100 * row->shares[i]);
        rest -= row->shares[i];
    }
    fprintf(self->out, "all else %.1f %%\n", 100 * rest);
}

static void print_row(const bench *self, const bench_tower *tower, const measurement *row) {
    fprintf(self->out, "%6zu %8u %10.2f %10.1f", row->batch, row->threads, images_of(row), row->flops * 1e-9);
    print_shares(self, tower, row->flops);
    if (self->request->decomposition) {
        fprintf(self->out, " %+7.1f%% %+7.1f%%", 100 * (row->codes - 1), 100 * (row->heat - 1));
    }
    fputc('\n', self->out);
    if (self->request->operations) print_operations(self, tower, row);
}

static hl_status print(const bench *self, const bench_tower *tower, const measurement *row, hl_error *error) {
    hl_status status = HL_OK;
    if (self->request->json) {
        status = print_json(self, tower, row, error);
    } else {
        print_row(self, tower, row);
    }
    if (status == HL_OK && fflush(self->out) != 0) {
        return hl_fail(error, HL_FAILED, "the measurements cannot be written: is the disk full?");
    }
    return status;
}

/* ---- all passes ---- */

/* All batches with one backend and one number of threads. */
static hl_status bench_threads(bench *self, const bench_case *which, unsigned threads, hl_error *error) {
    const hl_bench_request *request = self->request;
    bench_tower tower = {.largest_batch = self->largest_batch, .runs = request->runs};
    hl_status status =
        bench_tower_open(&tower, self->library, request->model, which, threads, request->weights, error);
    if (status == HL_OK && !request->json) print_heading(self, &tower);
    for (size_t i = 0; i < request->batch_count && status == HL_OK; ++i) {
        measurement row = {.batch = request->batches[i]};
        status = bench_tower_measure(&tower, request->decomposition, &row, error);
        if (status == HL_OK) status = print(self, &tower, &row, error);
    }
    bench_tower_close(&tower);
    return status;
}

static hl_status bench_one(void *user, const bench_case *which, hl_error *error) {
    bench *self = user;
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->request->thread_count && status == HL_OK; ++i) {
        status = bench_threads(self, which, self->request->threads[i], error);
    }
    return status;
}

/* What a machine cannot run is named and passed over. */
static hl_status bench_if_possible(void *user, const bench_case *which, hl_error *error) {
    bench *self = user;
    hl_error why;
    hl_status status = bench_one(user, which, &why);
    if (status == HL_OK) return HL_OK;
    if (status == HL_NO_MEMORY || call_cancelled()) return hl_fail(error, status, "%s", why.message);
    if (!self->request->json) fprintf(self->out, "skipped: %s\n", why.message);
    return HL_OK;
}

static hl_status check_request(const hl_bench_request *request, hl_error *error) {
    bool sizes = request->batch_count > 0;
    for (size_t i = 0; i < request->batch_count; ++i) sizes = sizes && request->batches[i] > 0;
    if (!sizes || request->thread_count == 0 || request->runs == 0) {
        return hl_fail(
            error, HL_USAGE,
            "a benchmark needs at least one batch of at least one image, one number of threads and "
            "one run");
    }
    if (request->every && (request->backend || request->compute_count > 0)) {
        return hl_fail(error, HL_USAGE, "every backend with all its options: name none");
    }
    return HL_OK;
}

static hl_status run_bench(hl_library *library, const hl_bench_request *request, FILE *out, hl_error *error) {
    hl_status status = check_request(request, error);
    bench self = {.request = request, .library = library, .out = out};
    for (size_t i = 0; i < request->batch_count; ++i) {
        if (request->batches[i] > self.largest_batch) self.largest_batch = request->batches[i];
    }
    if (status != HL_OK) return status;
    if (request->every) return bench_cases_each(library, bench_if_possible, &self, error);
    const bench_case named = {request->backend, request->compute, request->compute_count};
    return bench_one(&self, &named, error);
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
