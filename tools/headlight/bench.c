/* headlight bench: how fast the image tower is on this machine. */
#include "tools/headlight/commands.h"

#include <stdlib.h>

static struct {
    const char *model, *backend;
    number_list batches, threads;
    unsigned runs;
    bool json;
} wish = {.runs = 5};

static const argument table[] = {
    {"--model", "DIR", ARGUMENT_TEXT, .required = true, .target = &wish.model,
     .help = "a model's folder; only its configuration is read"},
    {"--backend", "NAME", ARGUMENT_TEXT, .target = &wish.backend, .help = "the compute plugin; default auto"},
    {"--batch", "N", ARGUMENT_NUMBERS, .min = 1, .max = 4096, .target = &wish.batches,
     .help = "images in a pass; default 1 and 32"},
    {"--threads", "N", ARGUMENT_NUMBERS, .max = 1024, .target = &wish.threads,
     .help = "default 0: all cores"},
    {"--runs", "N", ARGUMENT_NUMBER, .min = 1, .max = 1000, .target = &wish.runs,
     .help = "timed passes of each case, after one to warm up; default 5"},
    {"--json", NULL, ARGUMENT_FLAG, .target = &wish.json,
     .help = "one JSON object a case instead of a table"},
    {.name = NULL},
};

static hl_status run(hl_library *library, hl_error *error) {
    static const unsigned all_cores = 0;
    static const size_t usual_batches[] = {1, 32};
    size_t count = wish.batches.count, *batches = calloc(count + 1, sizeof *batches);
    if (!batches) return hl_no_memory(error, "the cases");
    for (size_t i = 0; i < count; ++i) batches[i] = wish.batches.items[i];
    hl_bench_request request = {
        .model = wish.model,
        .backend = wish.backend,
        .batches = count > 0 ? batches : usual_batches,
        .batch_count = count > 0 ? count : 2,
        .threads = wish.threads.count > 0 ? wish.threads.items : &all_cores,
        .thread_count = wish.threads.count > 0 ? wish.threads.count : 1,
        .runs = wish.runs,
        .json = wish.json,
    };
    hl_status status = hl_bench(library, &request, stdout, error);
    free(batches);
    return status;
}

const subcommand bench_command = {
    "bench", "measure the image tower with codes, on random weights",
    "Measures how many images a second the image tower with codes makes of random "
    "input, on random weights, for\n"
    "every batch size and number of threads.",
    table, run};
