/* See checkpoint.h. */
#include "checkpoint.h"

#include "model_folder.h"
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

/* ---- where the file keeps them ---- */

const hl_stored_tensor *checkpoint_find(const checkpoint *weights, const char *name) {
    tensor_place place;
    naming_find(weights->naming, weights->before, name, &place);
    return place.count == 1 ? weights->api->find(weights->file, place.parts[0]) : NULL;
}

tensor_spec checkpoint_spec(const checkpoint *weights, tensor_spec spec) {
    if (!spec.any_rows || !weights->file) return spec;
    const hl_stored_tensor *found = checkpoint_find(weights, spec.name);
    bool whole = found && found->elements > 0 && found->elements % spec.shape[1] == 0;
    if (whole) spec.shape[0] = (size_t)found->elements / spec.shape[1];
    return spec;
}

void checkpoint_shape(const checkpoint *weights, const char *name, uint64_t sides[4]) {
    tensor_place place;
    naming_find(weights->naming, weights->before, name, &place);
    const hl_stored_tensor *found =
        place.count == 1 ? weights->api->find(weights->file, place.parts[0]) : NULL;
    for (uint32_t i = 0; i < 4; ++i) sides[i] = found && i < found->rank ? found->shape[i] : 0;
    if (!found || found->rank != 2 || place.form != TENSOR_TRANSPOSED) return;
    sides[0] = found->shape[1];
    sides[1] = found->shape[0];
}

/* A tensor's parts as they are stored. */
typedef struct located {
    size_t count;
    tensor_form form;
    const hl_stored_tensor *parts[TENSOR_PARTS]; /* NULL: made up, or, where `missing` names it, not there */
    size_t elements[TENSOR_PARTS];
    size_t diagonal;                /* of an identity: its columns; 0: what is made up is zeros */
    char missing[TENSOR_NAME_ROOM]; /* the first part that is not there; empty: all are */
} located;

static void locate(const checkpoint *weights, const tensor_spec *spec, located *out) {
    tensor_place place;
    naming_find(weights->naming, weights->before, spec->name, &place);
    *out = (located){.count = place.count, .form = place.form};
    size_t left = tensor_elements(spec);
    if (place.count == 0) snprintf(out->missing, sizeof out->missing, "%s", spec->name);
    for (size_t i = 0; i < place.count; ++i) {
        if (part_is_made(place.parts[i])) continue;
        out->parts[i] = weights->api->find(weights->file, place.parts[i]);
        if (out->parts[i]) {
            out->elements[i] = (size_t)out->parts[i]->elements;
            left -= out->elements[i] < left ? out->elements[i] : left;
        } else if (!out->missing[0]) {
            memcpy(out->missing, place.parts[i], sizeof out->missing);
        }
    }
    for (size_t i = 0; i < place.count; ++i) {
        if (!part_is_made(place.parts[i])) continue;
        out->elements[i] = left;
        if (strcmp(place.parts[i], TENSOR_IDENTITY) == 0) out->diagonal = spec->shape[1];
    }
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

static hl_status disagree(const examination *of, const tensor_spec *spec, const located *place,
                          const hl_stored_tensor *found) {
    shape_text expected = {""}, got = {""};
    for (uint32_t i = 0; i < spec->rank; ++i) {
        append_side(&expected, i, spec->shape[place->form == TENSOR_TRANSPOSED ? spec->rank - 1 - i : i]);
    }
    for (uint32_t i = 0; i < found->rank; ++i) append_side(&got, i, found->shape[i]);
    return hl_fail(
        of->error, HL_FAILED,
        "%s: config disagrees with weights: %s has shape [%s], %s makes it [%s]%s: use the two files of "
        "one model",
        of->weights->path, found->name, got.text, of->rules->configuration, expected.text,
        place->count > 1 ? " together with its neighbours" : "");
}

/* The sides of a shape that are not 1; returns how many. */
static uint32_t real_sides(const uint64_t *shape, uint32_t rank, uint64_t out[8]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < rank; ++i) {
        if (shape[i] != 1) out[count++] = shape[i];
    }
    return count;
}

static bool same_but_for_ones(const tensor_spec *spec, const hl_stored_tensor *found) {
    uint64_t wide[4], expected[8], got[8];
    for (uint32_t i = 0; i < spec->rank; ++i) wide[i] = spec->shape[i];
    uint32_t count = real_sides(wide, spec->rank, expected);
    return count == real_sides(found->shape, found->rank, got) &&
           memcmp(expected, got, count * sizeof *got) == 0;
}

/* All sides, or all but the first. */
static bool same_sides(const tensor_spec *spec, const hl_stored_tensor *found, uint32_t from) {
    bool same = found->rank == spec->rank;
    for (uint32_t i = from; same && i < spec->rank; ++i) same = found->shape[i] == spec->shape[i];
    return same;
}

static bool fits(const tensor_spec *spec, const located *place, const hl_stored_tensor *found) {
    if (place->count > 1) return same_sides(spec, found, 1);
    if (place->form == TENSOR_RESHAPED) return same_but_for_ones(spec, found);
    if (place->form == TENSOR_AS_STORED) return same_sides(spec, found, 0);
    return spec->rank == 2 && found->rank == 2 && found->shape[0] == spec->shape[1] &&
           found->shape[1] == spec->shape[0];
}

static bool is_number(hl_dtype dtype) {
    return dtype == HL_F32 || dtype == HL_F16 || dtype == HL_BF16;
}

static hl_status check_part(const examination *of, const tensor_spec *spec, const located *place,
                            const hl_stored_tensor *found) {
    if (!fits(spec, place, found)) return disagree(of, spec, place, found);
    if (is_number(found->dtype)) return HL_OK;
    return hl_fail(
        of->error, HL_FAILED,
        "%s: %s holds numbers of type %.32s, expected F32, F16 or BF16: write the file again in one of "
        "these",
        of->weights->path, found->name, found->type);
}

static hl_status check(const examination *of, const tensor_spec *asked) {
    located place;
    const tensor_spec stored = checkpoint_spec(of->weights, *asked), *spec = &stored;
    locate(of->weights, spec, &place);
    if (place.missing[0]) {
        return hl_fail(of->error, HL_FAILED,
                       "%s: config disagrees with weights: there is no tensor %s; expected %s names",
                       of->weights->path, place.missing, of->weights->naming->label);
    }
    size_t elements = 0;
    const hl_stored_tensor *first = NULL;
    for (size_t i = 0; i < place.count; ++i) {
        elements += place.elements[i];
        if (!place.parts[i]) continue;
        if (!first) first = place.parts[i];
        TRY(check_part(of, spec, &place, place.parts[i]));
    }
    return elements == tensor_elements(spec) ? HL_OK : disagree(of, spec, &place, first);
}

static hl_status check_beyond(const examination *of) {
    const checkpoint *weights = of->weights;
    for (size_t i = 0; i < of->rules->beyond_count; ++i) {
        const tensor_beyond *beyond = &of->rules->beyond[i];
        const hl_stored_tensor *found = checkpoint_find(weights, beyond->tensor.name);
        if (!found) continue;
        return hl_fail(of->error, HL_FAILED,
                       "%s: config disagrees with weights: holds %s, but %s says %zu layers", weights->path,
                       found->name, of->rules->configuration, beyond->layers);
    }
    return HL_OK;
}

/* ---- tensors that nobody asked for ---- */

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_listed(const char *const *harmless, const char *name) {
    for (; harmless && *harmless; ++harmless) {
        if (**harmless == '.' ? ends_with(name, *harmless) : strcmp(name, *harmless) == 0) return true;
    }
    return false;
}

static bool is_harmless(const examination *of, const char *name) {
    const char *end = name + strlen(of->weights->before);
    return is_listed(of->rules->harmless, end) || is_listed(of->weights->naming->harmless, end);
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

/* `asked`: the file's names of all parts of all specs, sorted. */
static void list_unknown(const examination *of, const char *const *asked, size_t count, name_list *out) {
    const checkpoint *weights = of->weights;
    const hl_stored_tensor *tensor;
    for (size_t i = 0; (tensor = weights->api->at(weights->file, i)); ++i) {
        const char *name = tensor->name;
        bool known = bsearch(&name, asked, count, sizeof *asked, compare_names) || is_harmless(of, name);
        if (!known) add_name(out, name);
    }
}

/* Strictly, as PyTorch loads: without a layer scale, a bias or a further table that the file holds, every
 * embedding would be wrong without a word. */
static hl_status refuse_unknown(const examination *of) {
    size_t count = 0;
    const char **asked = calloc(of->rules->tensor_count * TENSOR_PARTS + 1, sizeof *asked);
    if (!asked) return hl_no_memory(of->error, "the names of tensors");
    for (size_t i = 0; i < of->rules->tensor_count; ++i) {
        located place;
        locate(of->weights, &of->rules->tensors[i], &place);
        for (size_t k = 0; k < place.count; ++k) {
            if (place.parts[k]) asked[count++] = place.parts[k]->name;
        }
    }
    qsort(asked, count, sizeof *asked, compare_names);
    name_list unknown = {0, ""};
    list_unknown(of, asked, count, &unknown);
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

/* ---- in which layout ---- */

static size_t count_found(const checkpoint *weights, const checkpoint_rules *rules) {
    size_t found = 0;
    for (size_t i = 0; i < rules->tensor_count; ++i) {
        located place;
        locate(weights, &rules->tensors[i], &place);
        found += !place.missing[0];
    }
    return found;
}

/* What all names of the file begin with: training wraps a model into others, each of which puts a name and a
 * dot before all. */
static void find_beginning(const checkpoint *weights, char out[TENSOR_NAME_ROOM]) {
    const hl_stored_tensor *first = weights->api->at(weights->file, 0), *last = first, *next;
    for (size_t i = 1; (next = weights->api->at(weights->file, i)); ++i) last = next;
    size_t same = 0, end = 0; /* names are sorted: what the first and the last share, all share */
    for (; first && same + 1 < TENSOR_NAME_ROOM && first->name[same] && first->name[same] == last->name[same];
         ++same) {
        if (first->name[same] == '.') end = same + 1;
    }
    snprintf(out, TENSOR_NAME_ROOM, "%.*s", (int)end, end ? first->name : "");
}

static void choose_naming(checkpoint *weights, const checkpoint_rules *rules) {
    char beginning[TENSOR_NAME_ROOM];
    const tensor_naming *best = rules->namings;
    size_t most = 0, best_end = 0;
    find_beginning(weights, beginning);
    for (size_t end = 0; end == 0 || beginning[end - 1]; ++end) {
        if (end && beginning[end - 1] != '.') continue;
        snprintf(weights->before, sizeof weights->before, "%.*s", (int)end, beginning);
        for (size_t i = 0; i < rules->naming_count; ++i) {
            weights->naming = &rules->namings[i];
            size_t found = count_found(weights, rules);
            if (found <= most) continue;
            most = found, best_end = end, best = weights->naming;
        }
    }
    snprintf(weights->before, sizeof weights->before, "%.*s", (int)best_end, beginning);
    weights->naming = best;
}

/* ---- opening ---- */

/* What is not there is reported by whoever opens it. */
static hl_status find_file(const hl_host *host, const char *folder, const checkpoint_rules *rules, char **out,
                           hl_error *error) {
    char *name;
    bool others;
    TRY(model_folder_weights(folder, rules->file, rules->named, &name, &others, error));
    if (others && host->log)
        host->log(host, HL_LOG_INFO, "%s: of several files of weights, %s", folder, name);
    int length = asprintf(out, "%s/%s", folder, name ? name : rules->file);
    free(name);
    if (length >= 0) return HL_OK;
    *out = NULL;
    return hl_no_memory(error, "a path");
}

hl_status checkpoint_peek(const hl_host *host, const hl_model_source *source, const checkpoint_rules *rules,
                          checkpoint *out, hl_error *error) {
    *out = (checkpoint){.seed = source->seed};
    if (source->random_weights) return HL_OK;
    out->api = rules->reader ? rules->reader : host->extension(host, HL_WEIGHTS_EXTENSION);
    if (!out->api) {
        return hl_fail(error, HL_FAILED, "%s: this host lacks the extension " HL_WEIGHTS_EXTENSION,
                       rules->plugin);
    }
    TRY(find_file(host, source->path, rules, &out->path, error));
    hl_status status = out->api->open(out->path, &out->file, error);
    if (status)
        checkpoint_close(out);
    else
        choose_naming(out, rules);
    return status;
}

hl_status checkpoint_open(const hl_host *host, const hl_model_source *source, const checkpoint_rules *rules,
                          checkpoint *out, hl_error *error) {
    TRY(checkpoint_peek(host, source, rules, out, error));
    if (!out->file) return HL_OK;
    hl_status status = examine(&(examination){out, rules, error});
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

/* Elements [first, first + count) of a part that the file has not. */
static void make_up(const located *place, size_t first, size_t count, float *out) {
    memset(out, 0, count * sizeof *out);
    size_t step = place->diagonal + 1, next = (first + step - 1) / step * step;
    for (; place->diagonal && next < first + count; next += step) out[next - first] = 1;
}

/* Of parts that lie one below the other. */
static hl_status read_parts(const checkpoint *weights, const located *place, size_t first, size_t count,
                            float *out, hl_error *error) {
    size_t begin = 0, end = first + count;
    for (size_t i = 0; i < place->count; begin += place->elements[i++]) {
        size_t from = first > begin ? first : begin;
        size_t to = begin + place->elements[i] < end ? begin + place->elements[i] : end;
        if (from >= to) continue;
        float *here = out + (from - first);
        const hl_stored_tensor *part = place->parts[i];
        if (part)
            TRY(weights->api->read(weights->file, part, from - begin, to - from, here, error));
        else
            make_up(place, from - begin, to - from, here);
    }
    return HL_OK;
}

/* Of a matrix whose columns are stored as rows. */
static hl_status read_turned(const checkpoint *weights, const hl_stored_tensor *stored, size_t first,
                             size_t count, float *out, hl_error *error) {
    size_t columns = (size_t)stored->shape[0], rows = (size_t)stored->shape[1];
    float *whole = malloc(rows * columns * sizeof *whole);
    if (!whole) return hl_no_memory(error, stored->name);
    hl_status status = weights->api->read(weights->file, stored, 0, stored->elements, whole, error);
    for (size_t i = first; status == HL_OK && i < first + count; ++i) {
        *out++ = whole[i % columns * rows + i / columns];
    }
    free(whole);
    return status;
}

hl_status checkpoint_read(const checkpoint *weights, const tensor_spec *spec, size_t first, size_t count,
                          float *out, hl_error *error) {
    if (!weights->file) {
        randomise(weights, spec, first, count, out);
        return HL_OK;
    }
    located place;
    locate(weights, spec, &place);
    if (place.form == TENSOR_TRANSPOSED)
        return read_turned(weights, place.parts[0], first, count, out, error);
    return read_parts(weights, &place, first, count, out, error);
}

bool checkpoint_in_order(const checkpoint *weights, const tensor_spec *spec) {
    if (!weights->file) return true;
    located place;
    locate(weights, spec, &place);
    bool scattered = place.form == TENSOR_TRANSPOSED;
    for (size_t i = 0; i < place.count; ++i) scattered |= place.parts[i] && place.parts[i]->scattered;
    return !scattered;
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
    if (!weights->file) return;
    located place;
    locate(weights, spec, &place);
    for (size_t i = 0; i < place.count; ++i) {
        if (place.parts[i]) weights->api->done(weights->file, place.parts[i]);
    }
}

hl_status checkpoint_scalar(const checkpoint *weights, const char *name, bool *there, float *out,
                            hl_error *error) {
    *there = false;
    const hl_stored_tensor *found = weights->file ? checkpoint_find(weights, name) : NULL;
    if (!found || found->elements != 1 || !is_number(found->dtype)) return HL_OK;
    TRY(weights->api->read(weights->file, found, 0, 1, out, error));
    weights->api->done(weights->file, found);
    *there = true;
    return HL_OK;
}
