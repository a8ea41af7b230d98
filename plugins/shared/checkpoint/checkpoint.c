/* See checkpoint.h. */
#include "checkpoint.h"

#include "try.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

size_t tensor_elements(const tensor_spec *spec) {
    size_t out = 1;
    for (uint32_t i = 0; i < spec->rank; ++i) out *= spec->shape[i];
    return out;
}

tensor_spec tensor_named(tensor_spec spec, const char *name) {
    if (!name) return (tensor_spec){.rank = 0};
    snprintf(spec.name, sizeof spec.name, "%s", name);
    return spec;
}

/* ---- tensors that are asked for ---- */

/* A file that is held against the rules. */
typedef struct examination {
    const checkpoint *weights;
    const checkpoint_rules *rules;
    hl_error *error;
} examination;

/* "[3, 4]" for messages. */
typedef struct shape_text {
    char text[128];
} shape_text;

static void append_side(shape_text *to, uint32_t index, uint64_t side) {
    size_t used = strlen(to->text);
    snprintf(to->text + used, sizeof to->text - used, "%s%llu", index ? ", " : "", (unsigned long long)side);
}

static hl_status disagree(const examination *of, const tensor_spec *spec, const hl_stored_tensor *found) {
    shape_text expected = {""}, got = {""};
    for (uint32_t i = 0; i < spec->rank; ++i) append_side(&expected, i, spec->shape[i]);
    for (uint32_t i = 0; i < found->rank; ++i) append_side(&got, i, found->shape[i]);
    return hl_fail(
        of->error, HL_FAILED,
        "%s: config disagrees with weights: %s has shape [%s], %s makes it [%s]: use the two files of "
        "one model",
        of->weights->path, spec->name, got.text, of->rules->configuration, expected.text);
}

static bool is_number(hl_dtype dtype) {
    return dtype == HL_F32 || dtype == HL_F16 || dtype == HL_BF16;
}

static hl_status check(const examination *of, const tensor_spec *spec) {
    const checkpoint *weights = of->weights;
    const hl_stored_tensor *found = weights->api->find(weights->file, spec->name);
    if (!found) {
        return hl_fail(of->error, HL_FAILED,
                       "%s: config disagrees with weights: there is no tensor %s; expected %s names",
                       weights->path, spec->name, of->rules->naming);
    }
    bool same = found->rank == spec->rank;
    for (uint32_t i = 0; same && i < spec->rank; ++i) same = found->shape[i] == spec->shape[i];
    if (!same) return disagree(of, spec, found);
    if (is_number(found->dtype)) return HL_OK;
    return hl_fail(
        of->error, HL_FAILED,
        "%s: %s holds numbers of type %.32s, expected F32, F16 or BF16: write the file again in one of "
        "these",
        weights->path, spec->name, found->type);
}

static hl_status check_beyond(const examination *of) {
    const checkpoint *weights = of->weights;
    for (size_t i = 0; i < of->rules->beyond_count; ++i) {
        const tensor_beyond *beyond = &of->rules->beyond[i];
        if (!weights->api->find(weights->file, beyond->tensor.name)) continue;
        return hl_fail(of->error, HL_FAILED,
                       "%s: config disagrees with weights: holds %s, but %s says %zu layers", weights->path,
                       beyond->tensor.name, of->rules->configuration, beyond->layers);
    }
    return HL_OK;
}

/* ---- tensors that nobody asked for ---- */

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_harmless(const checkpoint_rules *rules, const char *name) {
    for (const char *const *harmless = rules->harmless; harmless && *harmless; ++harmless) {
        if (**harmless == '.' ? ends_with(name, *harmless) : strcmp(name, *harmless) == 0) return true;
    }
    return false;
}

static int compare_names(const void *a, const void *b) {
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
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

/* `asked`: the names of all specs, sorted. */
static void list_unknown(const examination *of, const char *const *asked, name_list *out) {
    const checkpoint *weights = of->weights;
    const hl_stored_tensor *tensor;
    for (size_t i = 0; (tensor = weights->api->at(weights->file, i)); ++i) {
        const char *name = tensor->name;
        bool known = bsearch(&name, asked, of->rules->tensor_count, sizeof *asked, compare_names) ||
                     is_harmless(of->rules, name);
        if (!known) add_name(out, name);
    }
}

/* Strictly, as PyTorch loads: without a layer scale, a bias or a further table that the file holds, every
 * embedding would be wrong without a word. */
static hl_status refuse_unknown(const examination *of) {
    size_t count = of->rules->tensor_count;
    const char **asked = calloc(count + 1, sizeof *asked);
    if (!asked) return hl_no_memory(of->error, "the names of tensors");
    for (size_t i = 0; i < count; ++i) asked[i] = of->rules->tensors[i].name;
    qsort(asked, count, sizeof *asked, compare_names);
    name_list unknown = {0, ""};
    list_unknown(of, asked, &unknown);
    free(asked);
    if (unknown.count == 0) return HL_OK;
    end_names(&unknown);
    return hl_fail(of->error, HL_FAILED,
                   "%s: holds %zu tensor%s that %s does not know and without which it would compute "
                   "something else: %s; use a plugin that knows them, or write the file without them: merged "
                   "into the others, as LoRA can be, or left out where the model does not use them",
                   of->weights->path, unknown.count, unknown.count == 1 ? "" : "s", of->rules->plugin,
                   unknown.text);
}

static hl_status examine(const examination *of) {
    for (size_t i = 0; i < of->rules->tensor_count; ++i) TRY(check(of, &of->rules->tensors[i]));
    TRY(check_beyond(of));
    return refuse_unknown(of);
}

/* ---- opening ---- */

hl_status checkpoint_open(const hl_host *host, const hl_model_source *source, const checkpoint_rules *rules,
                          checkpoint *out, hl_error *error) {
    *out = (checkpoint){.seed = source->seed};
    if (source->random_weights) return HL_OK;
    out->api = rules->reader ? rules->reader : host->extension(host, HL_WEIGHTS_EXTENSION);
    if (!out->api) {
        return hl_fail(error, HL_FAILED, "%s: this host lacks the extension " HL_WEIGHTS_EXTENSION,
                       rules->plugin);
    }
    if (asprintf(&out->path, "%s/%s", source->path, rules->file) < 0) {
        out->path = NULL;
        return hl_no_memory(error, "a path");
    }
    hl_status status = out->api->open(out->path, &out->file, error);
    if (status == HL_OK) status = examine(&(examination){out, rules, error});
    if (status) checkpoint_close(out);
    return status;
}

void checkpoint_close(checkpoint *weights) {
    if (weights->file) weights->api->close(weights->file);
    free(weights->path);
    *weights = (checkpoint){0};
}

hl_status checkpoint_digest(const checkpoint *weights, char out[33], hl_error *error) {
    if (weights->file) return weights->api->digest(weights->file, out, error);
    snprintf(out, 33, "random %" PRIu64, weights->seed);
    return HL_OK;
}

/* ---- numbers ---- */

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

hl_status checkpoint_scalar(const checkpoint *weights, const char *name, bool *there, float *out,
                            hl_error *error) {
    *there = false;
    const hl_stored_tensor *found = weights->file ? weights->api->find(weights->file, name) : NULL;
    if (!found || found->elements != 1 || !is_number(found->dtype)) return HL_OK;
    TRY(weights->api->read(weights->file, found, 0, 1, out, error));
    weights->api->done(weights->file, found);
    *there = true;
    return HL_OK;
}
