/* headlight index: an atlas of a gallery. */
#include "tools/headlight/commands.h"
#include "tools/headlight/summary.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *model, *images, *out, *layers, *dtype, *columns, *share, *backend;
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
     .help = "only share I of N (from 0) of the gallery; auto: as MPI or Slurm say"},
    {"--batch", "N", ARGUMENT_NUMBER, .min = 1, .max = 4096, .target = &wish.batch,
     .help = "images in one pass of one thread; default 8"},
    {"--backend", "NAME", ARGUMENT_TEXT, .target = &wish.backend, .help = "the compute plugin; default auto"},
    {"--threads", "N", ARGUMENT_NUMBER, .max = 1024, .target = &wish.threads, .help = "default 0: all cores"},
    {"--prune", NULL, ARGUMENT_FLAG, .target = &wish.prune,
     .help = "drop vanished images even if they are more than half of the atlas"},
    {.name = NULL},
};

/* ---- the share of this process ---- */

/* Where launchers tell a process its number and how many there are. */
static const char *const LAUNCHERS[][2] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, /* Open MPI */
    {"PMI_RANK", "PMI_SIZE"},                         /* MPICH, Intel MPI */
    {"MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"},   /* MVAPICH2 */
    {"SLURM_PROCID", "SLURM_NTASKS"},                 /* srun */
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

static hl_status ask_launcher(hl_index_request *request, hl_error *error) {
    for (size_t i = 0; i < sizeof LAUNCHERS / sizeof *LAUNCHERS; ++i) {
        const char *rank = getenv(LAUNCHERS[i][0]), *size = getenv(LAUNCHERS[i][1]);
        if (!rank || !size) continue;
        hl_status status = take_share(LAUNCHERS[i][0], rank, rank + strlen(rank), size, request, error);
        if (status == HL_OK) {
            printf("share %zu of %zu (%s, %s)\n", request->part, request->parts, LAUNCHERS[i][0],
                   LAUNCHERS[i][1]);
        }
        return status;
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

static hl_status run(hl_library *library, hl_error *error) {
    hl_index_request request = {
        .model = wish.model,
        .images = wish.images,
        .atlas = wish.out,
        .layers = wish.layers,
        .dtype = wish.dtype,
        .columns = wish.columns,
        .shard_size = wish.shard_size,
        .batch = wish.batch,
        .backend = wish.backend,
        .threads = wish.threads,
        .prune = wish.prune,
    };
    hl_status status = read_share(&request, error);
    if (status == HL_OK) status = hl_index(library, &request, error);
    if (status == HL_OK) print_summary_of_made(wish.out);
    return status;
}

const subcommand index_command = {
    "index",
    "make an atlas of a gallery, or bring one up to date",
    "Encodes the images of a gallery and keeps the codes of every head in an atlas. Run again, it takes up "
    "what "
    "was\ninterrupted, adds new images and drops vanished ones. Processes that share a gallery (--shard) "
    "each "
    "write an\natlas of their own; `headlight merge` puts them together. A share is a contiguous part of the "
    "sorted gallery.",
    table,
    run,
    true};
