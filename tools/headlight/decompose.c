/* headlight decompose: raw arrays of one model. */
#include "tools/headlight/commands.h"

#include <string.h>

static struct {
    const char *model, *pixels, *text_file, *backend, *out;
    const char *layout, *gallery, *dataset, *model_name, *classes, *templates;
    text_list images, texts, compute, labels, options;
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
    {"--option", "KEY=VALUE", ARGUMENT_TEXTS, .target = &wish.options,
     .help = "an option of the model's plugin, see `headlight plugins model/NAME`"},
    {"--threads", "N", ARGUMENT_NUMBER, .max = 1024, .target = &wish.threads, .help = "default 0: all cores"},
    {"--tokens", NULL, ARGUMENT_FLAG, .target = &wish.tokens,
     .help = "write tokens.npy too, or component_tokens-NAME.npy"},
    {"--layout", "clip_text_span", ARGUMENT_TEXT, .target = &wish.layout,
     .help = "the arrays that clip_text_span's scripts read, of --gallery, --texts (the pool) and --classes"},
    {"--gallery", "PATH", ARGUMENT_TEXT, .target = &wish.gallery,
     .help = "with --layout: a folder, a list or a gallery.json"},
    {"--dataset", "NAME", ARGUMENT_TEXT, .target = &wish.dataset,
     .help = "with --layout: what files begin with"},
    {"--model-name", "NAME", ARGUMENT_TEXT, .target = &wish.model_name,
     .help = "with --layout: what files end with; default the model's own name"},
    {"--classes", "FILE", ARGUMENT_TEXT, .target = &wish.classes,
     .help = "with --layout: classes, one a line, for the classifier"},
    {"--templates", "FILE", ARGUMENT_TEXT, .target = &wish.templates,
     .help = "with --layout: templates, one a line, {} standing for the class"},
    {"--label", "KEY", ARGUMENT_TEXTS, .target = &wish.labels,
     .help = "with --layout: a key of gallery.json, for NAME_labels.npy"},
    {"--out", "DIR", ARGUMENT_TEXT, .required = true, .target = &wish.out, .help = "where the arrays go"},
    {.name = NULL},
};

static hl_status write_peer_arrays(hl_library *library, const hl_call *call, hl_error *error) {
    if (strcmp(wish.layout, "clip_text_span") != 0) {
        return hl_fail(error, HL_USAGE, "--layout %s: expected clip_text_span", wish.layout);
    }
    if (wish.images.count || wish.pixels || wish.texts.count || wish.tokens) {
        return hl_fail(
            error, HL_USAGE,
            "with --layout clip_text_span images come by --gallery and texts by --texts and --classes; "
            "--image, --pixels, --text and --tokens are not for it");
    }
    hl_peer_arrays_request request = {
        .size = sizeof request,
        .model = wish.model,
        .output = wish.out,
        .dataset = wish.dataset,
        .model_name = wish.model_name,
        .gallery = wish.gallery,
        .pool = wish.text_file,
        .classes = wish.classes,
        .templates = wish.templates,
        .labels = wish.labels.items,
        .label_count = wish.labels.count,
        .backend = wish.backend,
        .compute = wish.compute.items,
        .compute_count = wish.compute.count,
        .threads = wish.threads,
    };
    return hl_peer_arrays(library, call, &request, error);
}

static hl_status write_arrays(hl_library *library, const hl_call *call, hl_error *error) {
    if (wish.layout) return write_peer_arrays(library, call, error);
    if (wish.gallery || wish.dataset || wish.model_name || wish.classes || wish.templates ||
        wish.labels.count) {
        return hl_fail(error, HL_USAGE,
                       "--gallery, --dataset, --model-name, --classes, --templates and --label are for "
                       "--layout clip_text_span, which is missing");
    }
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
        .options = wish.options.items,
        .option_count = wish.options.count,
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
    "text_embedding, heat; with --tokens tokens.\n"
    "With --layout clip_text_span what compute_prs.py, compute_text_projection.py and\n"
    "compute_text_set_projection.py write: NAME_attn_MODEL, NAME_mlp_MODEL, NAME_cls_attn_MODEL,\n"
    "NAME_classifier_MODEL, POOL_MODEL, NAME_labels; NAME_images.txt says which image each row is of.",
    table,
    write_arrays,
    .makes_files = true};
