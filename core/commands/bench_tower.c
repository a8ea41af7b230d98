/* See bench_tower.h. */
#include "core/commands/bench_tower.h"

#include "core/commands/median.h"
#include "core/host/compute.h"
#include "core/io/call.h"
#include "core/registry/guard.h"

#include <math.h>
#include <string.h>

typedef enum pass_kind { PASS_CODES, PASS_PLAIN, PASS_HEAT, PASS_KINDS } pass_kind;

static size_t largest_code(const engine *model) {
    size_t most = 1;
    for (uint32_t i = 0; i < model->head_count; ++i) {
        size_t width = engine_code_width(engine_component(model, model->heads[i]));
        if (width > most) most = width;
    }
    return most;
}

/* ---- passes ---- */

/* What is asked of the images of a batch, by all threads. */
typedef struct asking {
    bench_tower *tower;
    pass_kind kind;
    size_t cells, tokens; /* of an image */
} asking;

static hl_status take_codes(const bench_tower *self, const hl_trace *trace, float *code, hl_error *error) {
    const engine *model = self->model;
    hl_status status = HL_OK;
    for (uint32_t h = 0; h < model->head_count && status == HL_OK; ++h) {
        status = GUARD(model->model_plugin, error, model->api.code(trace, model->heads[h], code, error));
    }
    return status;
}

static hl_status take_heat(const asking *job, size_t image, hl_error *error) {
    const bench_tower *self = job->tower;
    const engine *model = self->model;
    size_t of_head = BENCH_TEXTS * job->cells, numbers = of_head * model->head_count;
    float *tokens = self->tokens + image * job->tokens * self->widest;
    double *grids = self->grids + image * numbers;
    engine_heat *heats = self->heats + image * model->head_count;
    memset(grids, 0, numbers * sizeof *grids);
    for (uint32_t h = 0; h < model->head_count; ++h) {
        heats[h] = (engine_heat){model->heads[h], self->queries, grids + h * of_head};
    }
    return engine_add_heats(model, self->traces[image], heats, model->head_count, self->widest, BENCH_TEXTS,
                            tokens, error);
}

static hl_status ask_image(void *argument, size_t image, hl_error *error) {
    const asking *job = argument;
    const bench_tower *self = job->tower;
    hl_status status = take_codes(self, self->traces[image], self->codes + image * self->widest, error);
    return job->kind == PASS_HEAT && status == HL_OK ? take_heat(job, image, error) : status;
}

static hl_status ask_all(bench_tower *self, size_t batch, pass_kind kind, hl_error *error) {
    const engine *model = self->model;
    asking job = {.tower = self,
                  .kind = kind,
                  .cells = (size_t)model->info->grid_rows * model->info->grid_cols,
                  .tokens = engine_tokens(model)};
    return hl_parallel(&self->host->interface, batch, ask_image, &job, error);
}

static hl_status run_pass(bench_tower *self, size_t batch, pass_kind kind, hl_error *error) {
    engine *model = self->model;
    const hl_capture heads = {.size = sizeof heads,
                              .site = HL_SITE_HEAD,
                              .detail = kind == PASS_HEAT ? HL_DETAIL_TOKENS : HL_DETAIL_CODES};
    const hl_capture *const captures[] = {&heads};
    const hl_request request = {
        .size = sizeof request, .captures = captures, .capture_count = kind == PASS_PLAIN ? 0 : 1};
    hl_session *session;
    hl_status status = hl_check_cancelled(&self->host->interface, error);
    if (status == HL_OK) status = engine_session(model, &session, error);
    if (status == HL_OK) {
        status = GUARD(model->model_plugin, error,
                       model->api.encode_images(session, self->pixels, batch, &request, self->traces, error));
    }
    if (status != HL_OK) return status;
    if (kind != PASS_PLAIN) status = ask_all(self, batch, kind, error);
    for (size_t i = 0; i < batch; ++i) model->api.release(self->traces[i]);
    return status;
}

/* ---- time ---- */

/* What operations have taken so far; flops besides. */
typedef struct account {
    double flops, seconds[BENCH_OPERATIONS];
} account;

static account account_now(const bench_tower *self) {
    account now = {.flops = compute_flops(&self->model->compute)};
    const char *name = "";
    for (size_t i = 0; i < BENCH_OPERATIONS && name; ++i) {
        now.seconds[i] = compute_seconds(&self->model->compute, i, &name);
    }
    return now;
}

static void look_at_peaks(bench_tower *self) {
    for (peak_kind kind = 0; kind < PEAK_KINDS; ++kind) {
        self->peaks[kind] = fmax(self->peaks[kind], peak_flops(&self->host->interface, kind));
    }
}

static hl_status time_pass(bench_tower *self, size_t batch, pass_kind kind, unsigned run, hl_error *error) {
    double start = peak_clock();
    hl_status status = run_pass(self, batch, kind, error);
    self->seconds[kind][run] = peak_clock() - start;
    return status;
}

/* Before `median`, which changes the order. */
static void compare_kinds(bench_tower *self, measurement *row) {
    double *const *seconds = self->seconds;
    for (unsigned run = 0; run < self->runs; ++run) seconds[PASS_HEAT][run] /= seconds[PASS_PLAIN][run];
    row->heat = median(seconds[PASS_HEAT], self->runs);
    for (unsigned run = 0; run < self->runs; ++run) {
        seconds[PASS_HEAT][run] = seconds[PASS_CODES][run] / seconds[PASS_PLAIN][run];
    }
    row->codes = median(seconds[PASS_HEAT], self->runs);
    row->plain = median(seconds[PASS_PLAIN], self->runs);
    row->decomposed = true;
}

static hl_status count_pass(bench_tower *self, size_t batch, unsigned run, account *sum, hl_error *error) {
    account before = account_now(self);
    hl_status status = time_pass(self, batch, PASS_CODES, run, error);
    account after = account_now(self);
    sum->flops += after.flops - before.flops;
    for (size_t i = 0; i < BENCH_OPERATIONS; ++i) sum->seconds[i] += after.seconds[i] - before.seconds[i];
    return status;
}

/* Kinds of passes come in turn, each as often first as last, so that a machine that is slower for a while, or
 * after some work of one kind, is so for all of them. */
static hl_status time_round(bench_tower *self, size_t kinds, size_t batch, unsigned run, account *sum,
                            hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < kinds && status == HL_OK; ++i) {
        pass_kind kind = (pass_kind)((i + run) % kinds);
        status = kind == PASS_CODES ? count_pass(self, batch, run, sum, error)
                                    : time_pass(self, batch, kind, run, error);
    }
    return status;
}

hl_status bench_tower_measure(bench_tower *self, bool decomposition, measurement *row, hl_error *error) {
    size_t kinds = decomposition ? PASS_KINDS : 1;
    account sum = {0};
    hl_status status = HL_OK;
    for (size_t kind = kinds; kind-- > 0 && status == HL_OK;) { /* to warm up */
        status = run_pass(self, row->batch, (pass_kind)kind, error);
    }
    for (unsigned run = 0; run < self->runs && status == HL_OK; ++run) {
        look_at_peaks(self);
        status = time_round(self, kinds, row->batch, run, &sum, error);
        call_progress("timing", "pass", run + 1, self->runs);
    }
    if (status != HL_OK) return status;
    double total = 0;
    for (unsigned run = 0; run < self->runs; ++run) total += self->seconds[PASS_CODES][run];
    for (size_t i = 0; i < BENCH_OPERATIONS; ++i) row->shares[i] = sum.seconds[i] / total;
    row->threads = self->host->interface.threads(&self->host->interface);
    if (decomposition) compare_kinds(self, row);
    row->seconds = median(self->seconds[PASS_CODES], self->runs);
    row->flops = sum.flops / self->runs / row->seconds;
    return HL_OK;
}

/* ---- the model ---- */

static void fill(float *numbers, size_t count) {
    uint32_t state = 1; /* between -2 and 2, as normalised pixels are */
    for (size_t i = 0; i < count; ++i) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = (float)(state >> 8) / 4194304.0f - 2.0f;
    }
}

static hl_status make_buffers(bench_tower *self, hl_error *error) {
    const hl_host *memory = &self->host->interface;
    const engine *model = self->model;
    size_t pixels = engine_pixels(model), batch = self->largest_batch, tokens = engine_tokens(model);
    size_t cells = (size_t)model->info->grid_rows * model->info->grid_cols;
    self->widest = largest_code(model);
    self->pixels = memory->allocate(memory, batch, pixels * sizeof *self->pixels);
    self->queries = memory->allocate(memory, BENCH_TEXTS * self->widest, sizeof *self->queries);
    self->traces = memory->allocate(memory, batch, sizeof *self->traces);
    self->codes = memory->allocate(memory, batch, self->widest * sizeof *self->codes);
    self->tokens = memory->allocate(memory, batch * tokens, self->widest * sizeof *self->tokens);
    self->heats = memory->allocate(memory, batch * model->head_count, sizeof *self->heats);
    self->grids = memory->allocate(memory, batch * model->head_count, BENCH_TEXTS * cells * sizeof(double));
    bool whole = self->pixels && self->queries && self->traces && self->codes && self->tokens &&
                 self->heats && self->grids;
    for (size_t kind = 0; kind < PASS_KINDS; ++kind) {
        self->seconds[kind] = memory->allocate(memory, self->runs, sizeof *self->seconds[kind]);
        whole = whole && self->seconds[kind];
    }
    if (!whole) return hl_no_memory(error, "the images of a batch");
    fill(self->pixels, batch * pixels);
    fill(self->queries, BENCH_TEXTS * self->widest);
    return HL_OK;
}

hl_status bench_tower_open(bench_tower *self, hl_library *library, const char *model, const bench_case *which,
                           unsigned threads, bool weights, hl_error *error) {
    engine_settings settings = {
        .source = {.size = sizeof(hl_model_source), .path = model, .random_weights = !weights, .seed = 1},
        .batch = self->largest_batch};
    const engine_choice choice = {.backend = which->backend,
                                  .compute = which->compute,
                                  .compute_count = which->compute_count,
                                  .threads = threads};
    hl_status status = engine_start(library, &choice, &settings, &self->host, &self->model, error);
    if (status == HL_OK) status = engine_open_backend(self->model, error);
    double start = peak_clock();
    if (status == HL_OK) status = engine_load(self->model, error);
    self->load_seconds = peak_clock() - start;
    if (status == HL_OK) look_at_peaks(self);
    return status == HL_OK ? make_buffers(self, error) : status;
}

void bench_tower_close(bench_tower *self) {
    engine_close(self->model);
    if (self->host) {
        const hl_host *memory = &self->host->interface;
        void *const buffers[] = {self->pixels,     self->queries,   self->traces, self->codes,
                                 self->tokens,     self->heats,     self->grids,  self->seconds[0],
                                 self->seconds[1], self->seconds[2]};
        for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i) memory->release(memory, buffers[i]);
    }
    host_close(self->host);
}
