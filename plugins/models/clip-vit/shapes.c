/* See shapes.h. Shapes leave open how wide heads are, which activation the model was trained with, and with
 * which mean and deviation; for the first there are widths of which all published models have heads of one
 * width, for the second OpenAI's own archives, which can be told from all others. */
#include "shapes.h"

#include "checkpoint/try.h"
#include "tensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What every CLIP with a ViT has. */
static const char *const names[] = {"visual.class_embedding",
                                    "visual.positional_embedding",
                                    "visual.conv1.weight",
                                    "visual.ln_pre.weight",
                                    "visual.ln_post.weight",
                                    "visual.proj",
                                    "visual.transformer.resblocks.0.ln_1.weight",
                                    "visual.transformer.resblocks.0.mlp.c_fc.weight"};
enum { NAMES = sizeof names / sizeof *names };

/* Of the image tower: B-32 and B-16, L-14, H-14, g-14, bigG-14. */
static const struct {
    size_t width, head;
} heads[] = {{768, 64}, {1024, 64}, {1280, 80}, {1408, 88}, {1664, 104}};
enum { TEXT_HEAD = 64 }; /* of every text tower */

typedef struct shapes {
    const checkpoint *weights;
    cJSON *model, *vision, *text; /* what open_clip_config.json would say; text NULL: no text tower */
    bool openai;
    hl_error *error;
} shapes;

static size_t side_of(const shapes *s, const char *name, int side) {
    uint64_t sides[4];
    checkpoint_shape(s->weights, name, sides);
    return (size_t)sides[side];
}

static bool has(const shapes *s, const char *name) {
    return checkpoint_find(s->weights, name) != NULL;
}

static hl_status unclear(const shapes *s, const char *what) {
    return hl_fail(s->error, HL_USAGE,
                   "%s: there is no configuration beside it, and its shapes do not say %s: put the model's "
                   "open_clip_config.json there, or transformers' config.json",
                   s->weights->path, what);
}

static hl_status set(const shapes *s, cJSON *section, const char *key, double number) {
    return cJSON_AddNumberToObject(section, key, number) ? HL_OK : hl_no_memory(s->error, "a configuration");
}

static size_t count_layers(const shapes *s, const char *before) {
    char name[96];
    size_t count = 0;
    do snprintf(name, sizeof name, "%s%zu.ln_1.weight", before, count);
    while (has(s, name) && ++count < OPEN_CLIP_LAYERS);
    return count;
}

/* Width, layers and the MLP's width, whose ratio is cut to a whole number where it is read. */
static hl_status read_tower(const shapes *s, cJSON *section, const char *before, size_t width) {
    char name[96];
    snprintf(name, sizeof name, "%s0.mlp.c_fc.weight", before);
    size_t hidden = side_of(s, name, 0);
    if (width < 1 || hidden < 1) return unclear(s, "how wide its layers are");
    TRY(set(s, section, "width", (double)width));
    TRY(set(s, section, "layers", (double)count_layers(s, before)));
    return set(s, section, "mlp_ratio", nextafter((double)hidden / (double)width, INFINITY));
}

static hl_status read_vision(const shapes *s) {
    size_t width = side_of(s, "visual.conv1.weight", 0), patch = side_of(s, "visual.conv1.weight", 2);
    size_t places = side_of(s, "visual.positional_embedding", 0), i = 0;
    size_t grid = places ? (size_t)(sqrt((double)(places - 1)) + 0.5) : 0;
    if (patch < 1 || grid < 1 || grid * grid + 1 != places) return unclear(s, "how large its images are");
    while (i < sizeof heads / sizeof *heads && heads[i].width != width) ++i;
    bool known = i < sizeof heads / sizeof *heads;
    if (!known && !(s->openai && width % 64 == 0)) return unclear(s, "how wide its heads are");
    TRY(read_tower(s, s->vision, "visual.transformer.resblocks.", width));
    TRY(set(s, s->vision, "patch_size", (double)patch));
    TRY(set(s, s->vision, "image_size", (double)(grid * patch)));
    if (has(s, "visual.transformer.resblocks.0.ls_1.gamma")) TRY(set(s, s->vision, "ls_init_value", 1));
    return set(s, s->vision, "head_width", known && !s->openai ? (double)heads[i].head : 64);
}

static hl_status read_text(const shapes *s) {
    size_t width = side_of(s, "ln_final.weight", 0);
    if (!s->text) return HL_OK;
    if (width < TEXT_HEAD || width % TEXT_HEAD != 0) return unclear(s, "how wide the text tower's heads are");
    TRY(read_tower(s, s->text, "transformer.resblocks.", width));
    TRY(set(s, s->text, "heads", (double)(width / TEXT_HEAD)));
    if (has(s, "transformer.resblocks.0.ls_1.gamma")) TRY(set(s, s->text, "ls_init_value", 1));
    TRY(set(s, s->text, "context_length", (double)side_of(s, "positional_embedding", 0)));
    return set(s, s->text, "vocab_size", (double)side_of(s, "token_embedding.weight", 0));
}

static hl_status read_all(shapes *s, cJSON *top, bool activation) {
    for (size_t i = 0; i < NAMES; ++i) {
        if (has(s, names[i])) continue;
        return hl_fail(
            s->error, HL_USAGE,
            "%s: there is no configuration beside it, and it holds no %s, as every CLIP with a ViT "
            "does under %s names: put its open_clip_config.json there",
            s->weights->path, names[i], s->weights->naming->label);
    }
    s->openai = has(s, "input_resolution") && has(s, "context_length") && has(s, "vocab_size");
    if (!s->openai && !activation) {
        return hl_fail(
            s->error, HL_USAGE,
            "%s: there is no configuration beside it, and weights do not say with which activation "
            "they were trained: say `activation: gelu`, as OpenCLIP's own are, or `activation: "
            "quick_gelu`, as OpenAI's and those of DFN and MetaCLIP are, or put the model's "
            "open_clip_config.json there",
            s->weights->path);
    }
    s->model = cJSON_AddObjectToObject(top, "model_cfg");
    s->vision = cJSON_AddObjectToObject(s->model, "vision_cfg");
    bool texts = has(s, "token_embedding.weight");
    if (texts) s->text = cJSON_AddObjectToObject(s->model, "text_cfg");
    const cJSON *said = texts ? s->text : cJSON_AddFalseToObject(s->model, "text_cfg");
    const cJSON *quick = cJSON_AddBoolToObject(s->model, "quick_gelu", s->openai);
    if (!s->vision || !said || !quick) return hl_no_memory(s->error, "a configuration");
    TRY(set(s, s->model, "embed_dim", (double)side_of(s, "visual.proj", 1)));
    TRY(read_vision(s));
    return read_text(s);
}

static void say_assumed(const shapes *s, clip_config *config) {
    snprintf(config->assumed, sizeof config->assumed, "heads of width %zu%s, CLIP's mean and deviation",
             head_width(&config->vit.image.layers), s->openai ? ", OpenAI's quick_gelu" : "");
}

hl_status shapes_read(const hl_host *host, const hl_model_source *source, const char *named, bool activation,
                      clip_config *config, hl_error *error) {
    checkpoint weights;
    tensor_spec specs[NAMES] = {{"", 0, {0}, 0, 0, false}};
    for (size_t i = 0; i < NAMES; ++i) snprintf(specs[i].name, sizeof specs[i].name, "%s", names[i]);
    TRY(tensors_peek(host, source, named, specs, NAMES, &weights, error));
    shapes s = {.weights = &weights, .error = error};
    cJSON *top = cJSON_CreateObject();
    hl_status status = read_all(&s, top, activation);
    if (status == HL_OK) status = config_take(weights.path, top, config, error);
    if (status == HL_OK) say_assumed(&s, config);
    config->file = "what its shapes say";
    cJSON_Delete(top);
    checkpoint_close(&weights);
    return status;
}
