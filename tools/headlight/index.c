/* headlight index: an atlas of a gallery. */
#include "tools/headlight/commands.h"
#include "tools/headlight/summary.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *model, *images, *out, *layers, *dtype, *columns, *share, *backend;
    text_list compute, options;
    unsigned shard_size, batch, threads;
    bool prune;
} wish;

static const argument table[] = {
    {"--model", "DIR", ARGUMENT_TEXT, .required = true, .target = &wish.model, .help = "the model's folder"},
    {"--images", "GALLERY", ARGUMENT_TEXT, .required = true, .target = &wish.images,
     .help = "a folder, a list (one path a line) or a gallery.json"},
    {"--out", "ATLAS", ARGUMENT_TEXT, .required = true, .target = &wish.out,
     .help = "the folder to make or to bring up to date"},
    {"--layers", "LAYERS", ARGUMENT_TEXT, .target = &wish.layers,
     .help = "all, L3 or L8-L11; default: those that the atlas has, or all"},
    {"--dtype", "TYPE", ARGUMENT_TEXT, .target = &wish.dtype,
     .help = "f16 or f32; default: as the atlas there, else f16"},
    {"--columns", "LIST", ARGUMENT_TEXT, .target = &wish.columns,
     .help = "also keep some of embedding,mlps,first"},
    {"--shard-size", "N", ARGUMENT_NUMBER, .min = 1, .max = 1 << 20, .target = &wish.shard_size,
     .help = "images in a shard; default 1024"},
    {"--shard", "I/N", ARGUMENT_TEXT, .target = &wish.share,
     .help = "only share I of N (from 0) of the gallery; auto: as MPI or Slurm say, all into one atlas"},
    {"--batch", "N", ARGUMENT_NUMBER, .min = 1, .max = 4096, .target = &wish.batch,
     .help = "images in one pass of one thread; default 8"},
    {"--backend", "NAME", ARGUMENT_TEXT, .target = &wish.backend, .help = "the compute plugin; default auto"},
    {"--compute", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.compute,
     .help = "an option of the compute plugin, see `headlight plugins compute/NAME`"},
    {"--option", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.options,
     .help = "an option of the model's plugin, see `headlight plugins model/NAME`"},
    {"--threads", "N", ARGUMENT_NUMBER, .max = 1024, .target = &wish.threads, .help = "default 0: all cores"},
    {"--prune", NULL, ARGUMENT_FLAG, .target = &wish.prune,
     .help = "drop vanished images even if they are more than half of the atlas"},
    {.name = NULL},
};

/* ---- the share of this process ---- */

/* Where launchers tell a process its number, how many there are, and how many of them are on its machine. */
typedef struct launcher {
    const char *rank, *size, *local_size;
} launcher;

static const launcher LAUNCHERS[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"}, /* Open MPI */
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"},                                    /* MPICH, Intel MPI */
    {"MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE"},    /* MVAPICH2 */
    {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_TASKS_PER_NODE"},                  /* srun */
};

/* Digits and nothing else. */
static bool parse_count(const char *text, const char *end, size_t *out) {
    char *stop;
    errno = 0;
    *out = strtoul(text, &stop, 10);
    return isdigit((unsigned char)*text) && stop == end && errno == 0;
}

static hl_status take_share(const char *place, const char *part, const char *part_end, const char *parts,
                            hl_index_request *request, hl_error *error) {
    bool right = parse_count(part, part_end, &request->part) &&
                 parse_count(parts, parts + strlen(parts), &request->parts) && request->part < request->parts;
    if (right) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: expected a share I of N with I from 0 to N - 1, got %.*s of %s",
                   place, (int)(part_end - part), part, parts);
}

/* "4", or as Slurm says it of all machines, "2(x3),1"; 0: neither. */
static size_t count_local(const char *text) {
    const char *number = getenv("SLURM_NODEID");
    unsigned long machine = number ? strtoul(number, NULL, 10) : 0;
    while (text && isdigit((unsigned char)*text)) {
        char *at;
        size_t count = strtoul(text, &at, 10), times = 1;
        if (strncmp(at, "(x", 2) == 0) {
            times = strtoul(at + 2, &at, 10);
            if (*at == ')') ++at;
        }
        if (machine < times) return count;
        machine -= times;
        if (*at != ',') return 0;
        text = at + 1;
    }
    return 0;
}

/* Processes on one machine share its cores; 0: nothing is known of others. */
static unsigned share_cores(const char *local_size) {
    size_t local = count_local(local_size);
    long all = sysconf(_SC_NPROCESSORS_ONLN);
    if (local == 0 || all < 1) return 0;
    size_t own = (size_t)all / local,
           usable = hl_usable_cores(); /* fewer where the launcher binds it to some */
    if (usable < own) own = usable;
    return own > 0 ? (unsigned)own : 1;
}

static hl_status ask_launcher(hl_index_request *request, hl_error *error) {
    for (size_t i = 0; i < sizeof LAUNCHERS / sizeof *LAUNCHERS; ++i) {
        const launcher *asked = &LAUNCHERS[i];
        const char *rank = getenv(asked->rank), *size = getenv(asked->size);
        if (!rank || !size) continue;
        hl_status status = take_share(asked->rank, rank, rank + strlen(rank), size, request, error);
        if (status != HL_OK) return status;
        if (request->threads == 0) request->threads = share_cores(getenv(asked->local_size));
        printf("share %zu of %zu (%s, %s)", request->part, request->parts, asked->rank, asked->size);
        if (request->threads > 0) printf(", threads: %u", request->threads);
        putchar('\n');
        request->shared = request->parts > 1;
        if (request->parts == 1) request->parts = 0; /* all of the gallery */
        return HL_OK;
    }
    return hl_fail(
        error, HL_USAGE,
        "--shard auto: none of OMPI_COMM_WORLD_RANK, PMI_RANK, MV2_COMM_WORLD_RANK and SLURM_PROCID "
        "is set with its size; start this from mpirun or srun, or write --shard I/N");
}

static hl_status read_share(hl_index_request *request, hl_error *error) {
    if (!wish.share) return HL_OK;
    if (strcmp(wish.share, "auto") == 0) return ask_launcher(request, error);
    const char *slash = strchr(wish.share, '/');
    if (slash) return take_share("--shard", wish.share, slash, slash + 1, request, error);
    return hl_fail(error, HL_USAGE, "--shard: expected I/N, such as 0/4, or auto, got \"%s\"", wish.share);
}

static hl_status make_index(hl_library *library, const hl_call *call, hl_error *error) {
    hl_index_request request = {
        .size = sizeof request,
        .model = wish.model,
        .images = wish.images,
        .atlas = wish.out,
        .layers = wish.layers,
        .dtype = wish.dtype,
        .columns = wish.columns,
        .shard_size = wish.shard_size,
        .batch = wish.batch,
        .backend = wish.backend,
        .compute = wish.compute.items,
        .compute_count = wish.compute.count,
        .options = wish.options.items,
        .option_count = wish.options.count,
        .threads = wish.threads,
        .prune = wish.prune,
    };
    hl_status status = read_share(&request, error);
    if (status == HL_OK) status = hl_index(library, call, &request, error);
    if (status == HL_OK) print_summary_of_made(wish.out);
    return status;
}

const subcommand index_command = {
    "index",
    "make an atlas of a gallery, or bring one up to date",
    "Encodes the images of a gallery and keeps the codes of every head in an atlas. Run again, it takes up "
    "what "
    "was\ninterrupted, adds new images and drops vanished ones. Processes that share a gallery "
    "(--shard I/N)\neach write an atlas of their own; `headlight merge` puts them together. With --shard "
    "auto, "
    "under mpirun or srun,\nall name the same one. A share is a contiguous part of the sorted gallery.",
    table,
    make_index,
    .makes_files = true};
