/* Names and shapes of a CLIP model's tensors, and where their numbers come from. The only place that knows
 * open_clip's names; knows no backend. */
#include "checkpoint.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A layer's tensors. Sizes are multiples of the tower's width and of its hidden width; no columns: a vector.
 */
typedef struct layer_row {
    const char *name;
    uint8_t row_widths, row_hiddens, column_widths, column_hiddens;
    float mean, deviation; /* of a matrix: for inputs of deviation 1; of a branch's end: for one layer */
    bool ends_branch;      /* writes into the residual stream, to which 2 * layers branches add */
} layer_row;

static const layer_row layer_rows[LAYER_SLOTS] = {
    [LN_1_GAIN] = {"ln_1.weight", 1, 0, 0, 0, 1, 0.25F, false},
    [LN_1_SHIFT] = {"ln_1.bias", 1, 0, 0, 0, 0, 0.1F, false},
    [QKV_WEIGHT] = {"attn.in_proj_weight", 3, 0, 1, 0, 0, 1.2F, false},
    [QKV_BIAS] = {"attn.in_proj_bias", 3, 0, 0, 0, 0, 0.1F, false},
    [OUT_WEIGHT] = {"attn.out_proj.weight", 1, 0, 1, 0, 0, 2, true},
    [OUT_BIAS] = {"attn.out_proj.bias", 1, 0, 0, 0, 0, 0.05F, false},
    [LN_2_GAIN] = {"ln_2.weight", 1, 0, 0, 0, 1, 0.25F, false},
    [LN_2_SHIFT] = {"ln_2.bias", 1, 0, 0, 0, 0, 0.1F, false},
    [MLP_IN_WEIGHT] = {"mlp.c_fc.weight", 0, 1, 1, 0, 0, 1, false},
    [MLP_IN_BIAS] = {"mlp.c_fc.bias", 0, 1, 0, 0, 0, 0.1F, false},
    [MLP_OUT_WEIGHT] = {"mlp.c_proj.weight", 1, 0, 0, 1, 0, 2, true},
    [MLP_OUT_BIAS] = {"mlp.c_proj.bias", 1, 0, 0, 0, 0, 0.05F, false},
};

tensor_spec layer_tensor(const tower_shape *tower, size_t layer, layer_slot slot) {
    const layer_row *row = &layer_rows[slot];
    size_t rows = row->row_widths * tower->width + row->row_hiddens * tower->hidden;
    size_t columns = row->column_widths * tower->width + row->column_hiddens * tower->hidden;
    tensor_spec out = {.rank = columns ? 2 : 1, .shape = {rows, columns}, .mean = row->mean};
    double deviation = row->deviation;
    if (columns) deviation /= sqrt((double)columns);
    if (row->ends_branch) deviation /= sqrt(2.0 * (double)tower->layers);
    out.deviation = (float)deviation;
    snprintf(out.name, sizeof out.name, "%sresblocks.%zu.%s", tower->prefix, layer, row->name);
    return out;
}

tensor_spec outer_tensor(const clip_config *config, outer_slot slot) {
    size_t width = config->image.width, text_width = config->text.width, embed = config->embed_dim;
    size_t patch = config->patch, inputs = 3 * patch * patch;
    const tensor_spec specs[OUTER_SLOTS] = {
        [CLASS_EMBEDDING] = {"visual.class_embedding", 1, {width}, 0, 0.5F},
        [IMAGE_POSITION] = {"visual.positional_embedding", 2, {config_tokens(config), width}, 0, 0.3F},
        [PATCH_WEIGHT] = {"visual.conv1.weight", 4, {width, 3, patch, patch}, 0, 1 / sqrtf((float)inputs)},
        [LN_PRE_GAIN] = {"visual.ln_pre.weight", 1, {width}, 1, 0.25F},
        [LN_PRE_SHIFT] = {"visual.ln_pre.bias", 1, {width}, 0, 0.1F},
        [LN_POST_GAIN] = {"visual.ln_post.weight", 1, {width}, 1, 0.25F},
        [LN_POST_SHIFT] = {"visual.ln_post.bias", 1, {width}, 0, 0.1F},
        [IMAGE_PROJECTION] = {"visual.proj", 2, {width, embed}, 0, 1 / sqrtf((float)width)},
        [TOKEN_EMBEDDING] = {"token_embedding.weight", 2, {config->vocab_size, text_width}, 0, 0.5F},
        [TEXT_POSITION] = {"positional_embedding", 2, {config->context, text_width}, 0, 0.3F},
        [LN_FINAL_GAIN] = {"ln_final.weight", 1, {text_width}, 1, 0.25F},
        [LN_FINAL_SHIFT] = {"ln_final.bias", 1, {text_width}, 0, 0.1F},
        [TEXT_PROJECTION] = {"text_projection", 2, {text_width, embed}, 0, 1 / sqrtf((float)text_width)},
    };
    return specs[slot];
}

size_t tensor_elements(const tensor_spec *spec) {
    size_t out = 1;
    for (uint32_t i = 0; i < spec->rank; ++i) out *= spec->shape[i];
    return out;
}

/* "[3, 4]" for messages. */
typedef struct shape_text {
    char text[128];
} shape_text;

static void append_side(shape_text *to, uint32_t index, uint64_t side) {
    size_t used = strlen(to->text);
    snprintf(to->text + used, sizeof to->text - used, "%s%llu", index ? ", " : "", (unsigned long long)side);
}

static hl_status disagree(const checkpoint *weights, const tensor_spec *spec, const hl_stored_tensor *found,
                          hl_error *error) {
    shape_text expected = {""}, got = {""};
    for (uint32_t i = 0; i < spec->rank; ++i) append_side(&expected, i, spec->shape[i]);
    for (uint32_t i = 0; i < found->rank; ++i) append_side(&got, i, found->shape[i]);
    return hl_fail(error, HL_FAILED,
                   "%s: config disagrees with weights: %s has shape [%s], " CONFIG_FILE
                   " makes it [%s]: use the two files of one model",
                   weights->path, spec->name, got.text, expected.text);
}

static hl_status check(const checkpoint *weights, const tensor_spec *spec, hl_error *error) {
    const hl_stored_tensor *found = weights->api->find(weights->file, spec->name);
    if (!found) {
        return hl_fail(error, HL_FAILED,
                       "%s: config disagrees with weights: there is no tensor %s; expected open_clip's names",
                       weights->path, spec->name);
    }
    bool same = found->rank == spec->rank;
    for (uint32_t i = 0; same && i < spec->rank; ++i) same = found->shape[i] == spec->shape[i];
    if (!same) return disagree(weights, spec, found, error);
    bool numbers = found->dtype == HL_F32 || found->dtype == HL_F16 || found->dtype == HL_BF16;
    if (!numbers) {
        return hl_fail(
            error, HL_FAILED,
            "%s: %s holds numbers of type %.32s, expected F32, F16 or BF16: write the file again in "
            "one of these",
            weights->path, spec->name, found->type);
    }
    return HL_OK;
}

static hl_status check_tower(const checkpoint *weights, const tower_shape *tower, hl_error *error) {
    for (size_t layer = 0; layer < tower->layers; ++layer) {
        for (int slot = 0; slot < LAYER_SLOTS; ++slot) {
            tensor_spec spec = layer_tensor(tower, layer, (layer_slot)slot);
            hl_status status = check(weights, &spec, error);
            if (status) return status;
        }
    }
    tensor_spec beyond = layer_tensor(tower, tower->layers, LN_1_GAIN);
    if (!weights->api->find(weights->file, beyond.name)) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: config disagrees with weights: holds %s, but " CONFIG_FILE " says %zu layers",
                   weights->path, beyond.name, tower->layers);
}

/* ---- tensors that nobody asked for ---- */

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* What open_clip's and OpenAI's files hold and no embedding depends on: how logits are scaled and shifted,
 * the causal mask and numbers of positions, which follow from the context, and sizes that the configuration
 * has.
 */
static bool is_harmless(const char *name) {
    static const char *const names[] = {"logit_scale",      "logit_bias",     "attn_mask", "position_ids",
                                        "input_resolution", "context_length", "vocab_size"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return ends_with(name, ".position_ids"); /* of a tower that transformers made */
}

static bool is_layer_tensor(const tower_shape *tower, const char *name) {
    size_t prefix = strlen(tower->prefix);
    size_t layer;
    if (strncmp(name, tower->prefix, prefix) != 0 || sscanf(name + prefix, "resblocks.%zu.", &layer) != 1 ||
        layer >= tower->layers)
        return false;
    for (int slot = 0; slot < LAYER_SLOTS; ++slot) {
        if (strcmp(layer_tensor(tower, layer, (layer_slot)slot).name, name) == 0) return true;
    }
    return false;
}

/* The names that a configuration implies; those of layers follow from their numbers. */
typedef struct asked_names {
    const clip_config *config;
    tensor_spec outer[OUTER_SLOTS];
} asked_names;

static bool is_asked_for(const asked_names *asked, const char *name) {
    for (int slot = 0; slot < OUTER_SLOTS; ++slot) {
        if (strcmp(asked->outer[slot].name, name) == 0) return true;
    }
    return is_layer_tensor(&asked->config->image, name) || is_layer_tensor(&asked->config->text, name);
}

enum { NAMED = 3, LONGEST = 96 }; /* tensors in a message, and bytes of each */

/* "a, b, c and 4 more" */
typedef struct name_list {
    size_t count;
    char text[400];
} name_list;

static void add_name(name_list *to, const char *name) {
    size_t used = strlen(to->text);
    if (to->count++ >= NAMED) return;
    snprintf(to->text + used, sizeof to->text - used, "%s%.*s%s", used ? ", " : "", LONGEST, name,
             strlen(name) > LONGEST ? "..." : "");
}

static void end_names(name_list *names) {
    size_t used = strlen(names->text), more = names->count > NAMED ? names->count - NAMED : 0;
    if (more) snprintf(names->text + used, sizeof names->text - used, " and %zu more", more);
}

/* Strictly, as open_clip loads: without a layer scale, a bias or a further table that the file holds, every
 * embedding would be wrong without a word. */
static hl_status refuse_unknown(const checkpoint *weights, const clip_config *config, hl_error *error) {
    name_list unknown = {0, ""};
    asked_names asked = {.config = config};
    for (int slot = 0; slot < OUTER_SLOTS; ++slot) asked.outer[slot] = outer_tensor(config, (outer_slot)slot);
    const hl_stored_tensor *tensor;
    for (size_t i = 0; (tensor = weights->api->at(weights->file, i)); ++i) {
        if (!is_asked_for(&asked, tensor->name) && !is_harmless(tensor->name))
            add_name(&unknown, tensor->name);
    }
    if (unknown.count == 0) return HL_OK;
    end_names(&unknown);
    return hl_fail(error, HL_FAILED,
                   "%s: holds %zu tensor%s that clip-vit does not know and without which it would compute "
                   "something else: %s; use a plugin that knows them, or write the file without them: merged "
                   "into the others, as LoRA can be, or left out where the model does not use them",
                   weights->path, unknown.count, unknown.count == 1 ? "" : "s", unknown.text);
}

static hl_status check_all(const checkpoint *weights, const clip_config *config, hl_error *error) {
    for (int slot = 0; slot < OUTER_SLOTS; ++slot) {
        tensor_spec spec = outer_tensor(config, (outer_slot)slot);
        hl_status status = check(weights, &spec, error);
        if (status) return status;
    }
    hl_status status = check_tower(weights, &config->image, error);
    if (status == HL_OK) status = check_tower(weights, &config->text, error);
    return status ? status : refuse_unknown(weights, config, error);
}

hl_status checkpoint_open(const hl_host *host, const hl_model_source *source, const clip_config *config,
                          checkpoint *out, hl_error *error) {
    *out = (checkpoint){.seed = source->seed};
    if (source->random_weights) return HL_OK;
    out->api = host->extension(host, HL_WEIGHTS_EXTENSION);
    if (!out->api) {
        return hl_fail(error, HL_FAILED, "clip-vit: this host lacks the extension " HL_WEIGHTS_EXTENSION);
    }
    if (asprintf(&out->path, "%s/%s", source->path, WEIGHTS_FILE) < 0) {
        out->path = NULL;
        return hl_no_memory(error, "a path");
    }
    hl_status status = out->api->open(out->path, &out->file, error);
    if (status == HL_OK) status = check_all(out, config, error);
    if (status) checkpoint_close(out);
    return status;
}

void checkpoint_close(checkpoint *weights) {
    if (weights->file) weights->api->close(weights->file);
    free(weights->path);
    *weights = (checkpoint){0};
}

/* Steele, Lea and Flood 2014, figure 17: number `index` of the sequence that starts at `seed`. */
static uint64_t split_mix(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* The sum of four uniform numbers is close enough to a normal one. Each number follows from its index alone,
 * so any part of a tensor can be made by itself. */
static void randomise(const checkpoint *weights, const tensor_spec *spec, size_t first, size_t count,
                      float *out) {
    static const float mean_of_sum = 4 * 32767.5F,
                       deviation_of_sum = 37837.227F; /* root of 4 (65536^2 - 1) / 12 */
    uint64_t stream = weights->seed;
    for (const char *c = spec->name; *c; ++c) stream = split_mix(stream, (uint8_t)*c);
    float scale = spec->deviation / deviation_of_sum;
    for (size_t i = 0; i < count; ++i) {
        uint64_t bits = split_mix(stream, first + i);
        uint32_t sum =
            (uint32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
        out[i] = spec->mean + scale * ((float)sum - mean_of_sum);
    }
}

hl_status checkpoint_read(const checkpoint *weights, const tensor_spec *spec, size_t first, size_t count,
                          float *out, hl_error *error) {
    if (!weights->file) {
        randomise(weights, spec, first, count, out);
        return HL_OK;
    }
    const hl_stored_tensor *found = weights->api->find(weights->file, spec->name);
    return weights->api->read(weights->file, found, first, count, out, error);
}

hl_status checkpoint_take(const checkpoint *weights, const tensor_spec *spec, float **out, hl_error *error) {
    size_t count = tensor_elements(spec);
    float *numbers = malloc(count * sizeof *numbers);
    if (!numbers) return hl_no_memory(error, spec->name);
    hl_status status = checkpoint_read(weights, spec, 0, count, numbers, error);
    checkpoint_done(weights, spec);
    if (status == HL_OK) {
        *out = numbers;
    } else {
        free(numbers);
    }
    return status;
}

void checkpoint_done(const checkpoint *weights, const tensor_spec *spec) {
    if (weights->file) weights->api->done(weights->file, weights->api->find(weights->file, spec->name));
}
