/* headlight decompose: raw arrays of one model. */
#include "tools/headlight/commands.h"

static struct {
    const char *model, *pixels, *text_file, *backend, *out;
    text_list images, texts, compute;
    unsigned threads;
    bool tokens;
} wish;

static const argument table[] = {
    {"--model", "DIR", ARGUMENT_TEXT, .required = true, .target = &wish.model, .help = "the model's folder"},
    {"--image", "FILE", ARGUMENT_TEXTS, .target = &wish.images, .help = "an image; this or --pixels"},
    {"--pixels", "FILE.npy", ARGUMENT_TEXT, .target = &wish.pixels,
     .help = "preprocessed input, B x 3 x S x S"},
    {"--text", "TEXT", ARGUMENT_TEXTS, .target = &wish.texts, .help = "a text"},
    {"--texts", "FILE", ARGUMENT_TEXT, .target = &wish.text_file, .help = "more texts, one a line"},
    {"--backend", "NAME", ARGUMENT_TEXT, .target = &wish.backend, .help = "the compute plugin; default auto"},
    {"--compute", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.compute,
     .help = "an option of the compute plugin, see `headlight plugins compute/NAME`"},
    {"--threads", "N", ARGUMENT_NUMBER, .max = 1024, .target = &wish.threads, .help = "default 0: all cores"},
    {"--tokens", NULL, ARGUMENT_FLAG, .target = &wish.tokens, .help = "write tokens.npy too"},
    {"--out", "DIR", ARGUMENT_TEXT, .required = true, .target = &wish.out, .help = "where the arrays go"},
    {.name = NULL},
};

static hl_status write_arrays(hl_library *library, const hl_call *call, hl_error *error) {
    if ((wish.images.count > 0) == (wish.pixels != NULL)) {
        return hl_fail(error, HL_USAGE, "expected either --image or --pixels");
    }
    hl_decompose_request request = {
        .size = sizeof request,
        .model = wish.model,
        .images = wish.images.items,
        .image_count = wish.images.count,
        .pixels = wish.pixels,
        .texts = wish.texts.items,
        .text_count = wish.texts.count,
        .text_file = wish.text_file,
        .backend = wish.backend,
        .compute = wish.compute.items,
        .compute_count = wish.compute.count,
        .threads = wish.threads,
        .tokens = wish.tokens,
        .output = wish.out,
    };
    return hl_decompose(library, call, &request, error);
}

const subcommand decompose_command = {
    "decompose",
    "write codes, bases, contributions and heat of images as .npy files",
    "Writes what the image tower of a model makes of images, and the texts' "
    "embeddings, as .npy files in f32:\n"
    "pixels, embedding, codes, bases, heads, mlps; with texts text_ids, "
    "text_embedding, heat; with --tokens tokens.",
    table,
    write_arrays,
    .makes_files = true};
