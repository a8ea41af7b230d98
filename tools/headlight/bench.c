/* headlight bench: how fast the image tower, and the search of an atlas, are on this machine. */
#include "tools/headlight/commands.h"

#include <stdlib.h>

static struct {
    const char *model, *backend, *images;
    text_list compute;
    number_list batches, threads;
    unsigned runs, texts;
    bool json, search, fidelity, uses, every, operations, decomposition, weights;
} wish = {.runs = 5, .texts = 256};

static const argument table[] = {
    {"--model", "DIR", ARGUMENT_TEXT, .target = &wish.model,
     .help = "a model's folder; only its configuration is read, but for --weights and --fidelity"},
    {"--search", NULL, ARGUMENT_FLAG, .target = &wish.search, .help = "measure the search instead"},
    {"--fidelity", NULL, ARGUMENT_FLAG, .target = &wish.fidelity,
     .help = "measure instead how near embeddings, codes and neighbours come to the most exact backend, in "
             "every precision or the one of --compute; without --model: of the embedded model"},
    {"--uses", NULL, ARGUMENT_FLAG, .target = &wish.uses,
     .help = "measure instead what people do with a model: open it, load its weights, ask it, encode texts, "
             "index images"},
    {"--images", "N|FOLDER", ARGUMENT_TEXT, .target = &wish.images,
     .help = "with --search: images to search; default 50000. With --fidelity and --uses: a gallery, or so "
             "many made images; default 64, of the embedded model its gallery; with --uses 16"},
    {"--texts", "N", ARGUMENT_NUMBER, .min = 1, .max = 1000000, .target = &wish.texts,
     .help = "with --uses: texts of 3 to 9 words; default 256"},
    {"--backend", "NAME", ARGUMENT_TEXT, .target = &wish.backend, .help = "the compute plugin; default auto"},
    {"--compute", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.compute,
     .help = "an option of the compute plugin, see `headlight plugins compute/NAME`"},
    {"--batch", "N", ARGUMENT_NUMBERS, .min = 1, .max = 4096, .target = &wish.batches,
     .help = "images in a pass; default 1 and 32"},
    {"--threads", "N", ARGUMENT_NUMBERS, .max = 1024, .target = &wish.threads,
     .help = "default 0: all cores"},
    {"--runs", "N", ARGUMENT_NUMBER, .min = 1, .max = 1000, .target = &wish.runs,
     .help = "timed passes of each case, after one to warm up; default 5"},
    {"--every", NULL, ARGUMENT_FLAG, .target = &wish.every,
     .help = "every compute plugin with every choice of its options, as far as they run here"},
    {"--operations", NULL, ARGUMENT_FLAG, .target = &wish.operations,
     .help = "where time goes, by operation of the backend"},
    {"--decomposition", NULL, ARGUMENT_FLAG, .target = &wish.decomposition,
     .help = "what codes, and heat of all heads for four texts besides, take beyond the tower alone"},
    {"--weights", NULL, ARGUMENT_FLAG, .target = &wish.weights,
     .help = "the folder's own weights, and how long they take to be ready"},
    {"--json", NULL, ARGUMENT_FLAG, .target = &wish.json,
     .help = "one JSON object a case instead of a table"},
    {.name = NULL},
};

static const unsigned all_cores = 0;

/* --images where it is a number; *count is 0 where it is none. */
static void count_images(size_t *count) {
    char *end = NULL;
    unsigned long long number = wish.images ? strtoull(wish.images, &end, 10) : 0;
    bool whole = end && end != wish.images && *end == '\0' && wish.images[0] != '-';
    *count = whole && number <= 100000000 ? (size_t)number : 0;
}

static hl_status bench_search(hl_library *library, const hl_call *call, hl_error *error) {
    size_t images = 50000;
    if (wish.images) count_images(&images);
    if (images == 0) return hl_fail(error, HL_USAGE, "--images takes a number from 1 to 100000000 here");
    if (wish.model || wish.backend || wish.compute.count > 0 || wish.batches.count > 0) {
        return hl_fail(error, HL_USAGE, "--search goes without --model, --backend, --compute and --batch");
    }
    const unsigned *threads = wish.threads.count > 0 ? wish.threads.items : &all_cores;
    size_t count = wish.threads.count > 0 ? wish.threads.count : 1;
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        hl_search_bench_request request = {.size = sizeof request,
                                           .images = images,
                                           .threads = threads[i],
                                           .runs = wish.runs,
                                           .json = wish.json};
        status = hl_bench_search(library, call, &request, stdout, error);
    }
    return status;
}

static hl_status bench_tower(hl_library *library, const hl_call *call, hl_error *error) {
    static const size_t usual_batches[] = {1, 32};
    size_t count = wish.batches.count, *batches = calloc(count + 1, sizeof *batches);
    if (!batches) return hl_no_memory(error, "the cases");
    for (size_t i = 0; i < count; ++i) batches[i] = wish.batches.items[i];
    hl_bench_request request = {
        .size = sizeof request,
        .model = wish.model,
        .backend = wish.backend,
        .compute = wish.compute.items,
        .compute_count = wish.compute.count,
        .batches = count > 0 ? batches : usual_batches,
        .batch_count = count > 0 ? count : 2,
        .threads = wish.threads.count > 0 ? wish.threads.items : &all_cores,
        .thread_count = wish.threads.count > 0 ? wish.threads.count : 1,
        .runs = wish.runs,
        .json = wish.json,
        .every = wish.every,
        .operations = wish.operations,
        .decomposition = wish.decomposition,
        .weights = wish.weights,
    };
    hl_status status = hl_bench(library, call, &request, stdout, error);
    free(batches);
    return status;
}

static hl_status bench_fidelity(hl_library *library, const hl_call *call, hl_error *error) {
    size_t made;
    count_images(&made);
    if (wish.threads.count > 1 || wish.batches.count > 1) {
        return hl_fail(error, HL_USAGE, "--fidelity takes one --batch and one --threads: results are alike");
    }
    if (wish.operations || wish.decomposition || wish.weights) {
        return hl_fail(error, HL_USAGE,
                       "--fidelity goes without --operations, --decomposition and --weights: it takes no "
                       "time, and the folder's own weights where there are any");
    }
    hl_fidelity_request request = {.size = sizeof request,
                                   .model = wish.model,
                                   .images = made > 0 ? NULL : wish.images,
                                   .made_images = made,
                                   .backend = wish.backend,
                                   .compute = wish.compute.items,
                                   .compute_count = wish.compute.count,
                                   .every = wish.every,
                                   .threads = wish.threads.count > 0 ? wish.threads.items[0] : 0,
                                   .batch = wish.batches.count > 0 ? wish.batches.items[0] : 0,
                                   .json = wish.json};
    return hl_bench_fidelity(library, call, &request, stdout, error);
}

static hl_status bench_uses(hl_library *library, const hl_call *call, hl_error *error) {
    enum { USUAL_IMAGES = 16 };
    size_t made;
    count_images(&made);
    if (!wish.model) return hl_fail(error, HL_USAGE, "--uses needs --model DIR");
    if (wish.threads.count > 1 || wish.batches.count > 1 || wish.every) {
        return hl_fail(error, HL_USAGE, "--uses takes one --batch, one --threads and one backend");
    }
    if (wish.operations || wish.decomposition || wish.weights) {
        return hl_fail(error, HL_USAGE, "--uses goes without --operations, --decomposition and --weights");
    }
    hl_uses_request request = {.size = sizeof request,
                               .model = wish.model,
                               .images = made > 0 ? NULL : wish.images,
                               .made_images = wish.images ? made : USUAL_IMAGES,
                               .texts = wish.texts,
                               .backend = wish.backend,
                               .compute = wish.compute.items,
                               .compute_count = wish.compute.count,
                               .threads = wish.threads.count > 0 ? wish.threads.items[0] : 0,
                               .runs = wish.runs,
                               .batch = wish.batches.count > 0 ? wish.batches.items[0] : 0,
                               .json = wish.json};
    return hl_bench_uses(library, call, &request, stdout, error);
}

static hl_status measure(hl_library *library, const hl_call *call, hl_error *error) {
    if (wish.search + wish.fidelity + wish.uses > 1) {
        return hl_fail(error, HL_USAGE, "--search, --fidelity or --uses, not several");
    }
    if (wish.uses) return bench_uses(library, call, error);
    if (wish.search) return bench_search(library, call, error);
    if (wish.fidelity) return bench_fidelity(library, call, error);
    if (!wish.model) return hl_fail(error, HL_USAGE, "--model DIR is missing (or --search, or --fidelity)");
    if (wish.images) return hl_fail(error, HL_USAGE, "--images goes with --search, --fidelity or --uses");
    return bench_tower(library, call, error);
}

const subcommand bench_command = {
    "bench",
    "measure the image tower with codes, the search, all uses, or how exact results are",
    "Measures how many images a second the image tower with codes makes of random input, on random weights,\n"
    "for every batch size and number of threads. With --search: how long one head of an atlas of random\n"
    "codes takes to answer, beside reading its bytes once; the atlas (6 KB an image) is made where TMPDIR\n"
    "says. With --uses: how long it takes to open and load a model, to ask it for heat, to encode texts and\n"
    "to index image files, with --fidelity: what precisions cost in exactness; both on the folder's own\n"
    "weights or, where it has none, on random ones.",
    table,
    measure,
    .makes_files = false};
