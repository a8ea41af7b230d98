/* .safetensors: 8 bytes of header length, a JSON header, the tensors' bytes without gaps. The whole layout is
 * checked before anything is handed out. Never knows what a tensor is for. */
#include "core/io/safetensors.h"

#include "core/io/convert.h"
#include "core/io/file_digest.h"
#include "core/io/input.h"
#include "core/io/json.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PREFIX = 8,
    HEADER_LIMIT = 100000000,
    MAX_RANK = 8,
    CONVERTED_AT_ONCE = 1 << 15 /* bytes */
};

/* The public part comes first, so that a pointer to it is a pointer to the tensor. */
typedef struct tensor {
    hl_stored_tensor stored;
    uint64_t begin, end; /* within the data */
    size_t item;         /* bytes of an element; 0: this program does not know its dtype */
} tensor;

struct hl_weights {
    char *name;           /* of the file, for messages */
    int descriptor;       /* of the file; -1: its bytes lie in memory */
    const uint8_t *bytes; /* in memory, somebody else's; NULL: in a file */
    uint64_t size;        /* of the file */
    cJSON *header;        /* owns the tensors' names */
    uint64_t data_begin, data_count;
    tensor *tensors; /* by name */
    size_t count;
};

typedef struct dtype {
    const char *name;
    hl_dtype code;
    size_t item;
} dtype;

static const dtype DTYPES[] = {
    {"F32", HL_F32, 4},   {"F16", HL_F16, 2},       {"BF16", HL_BF16, 2},     {"F64", HL_F64, 8},
    {"I64", HL_I64, 8},   {"I32", HL_I32, 4},       {"U8", HL_U8, 1},         {"I16", HL_OTHER, 2},
    {"I8", HL_OTHER, 1},  {"BOOL", HL_OTHER, 1},    {"U64", HL_OTHER, 8},     {"U32", HL_OTHER, 4},
    {"U16", HL_OTHER, 2}, {"F8_E4M3", HL_OTHER, 1}, {"F8_E5M2", HL_OTHER, 1},
};

#define DAMAGED "; the file is damaged or no .safetensors file: copy or download it again"

static hl_status bad_tensor(const hl_weights *weights, const tensor *bad, const char *why, hl_error *error) {
    return hl_fail(error, HL_FAILED, "%s: tensor %.200s: %s" DAMAGED, weights->name, bad->stored.name, why);
}

/* ---- the header ---- */

/* An exact non-negative integer; JSON's numbers are doubles, exact below 2^53. */
static bool whole_number(const cJSON *item, uint64_t *number) {
    if (!cJSON_IsNumber(item)) return false;
    double value = item->valuedouble;
    if (!(value >= 0 && value < 9007199254740992.0) || value != (double)(uint64_t)value) return false;
    *number = (uint64_t)value;
    return true;
}

/* A dtype that this program does not know is nobody's fault: only who needs the tensor may refuse it. */
static bool read_dtype(const cJSON *item, tensor *out) {
    if (!cJSON_IsString(item)) return false;
    out->stored.dtype = HL_OTHER;
    out->stored.type = item->valuestring;
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; ++i) {
        if (strcmp(item->valuestring, DTYPES[i].name) != 0) continue;
        out->stored.dtype = DTYPES[i].code;
        out->item = DTYPES[i].item;
    }
    return true;
}

static const char *read_shape(const cJSON *list, tensor *out) {
    if (!cJSON_IsArray(list)) return "its shape is missing or no list";
    hl_stored_tensor *stored = &out->stored;
    stored->elements = 1;
    for (const cJSON *item = list->child; item; item = item->next) {
        uint64_t size;
        if (!whole_number(item, &size)) return "its shape holds something else than non-negative integers";
        if (stored->rank < MAX_RANK) stored->shape[stored->rank++] = 1;
        uint64_t *last = &stored->shape[stored->rank - 1];
        if (__builtin_mul_overflow(*last, size, last) ||
            __builtin_mul_overflow(stored->elements, size, &stored->elements))
            return "its shape is too large";
    }
    return NULL;
}

static const char *read_offsets(const cJSON *list, uint64_t data_count, tensor *out) {
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != 2 || !whole_number(list->child, &out->begin) ||
        !whole_number(list->child->next, &out->end)) {
        return "its data_offsets are not two non-negative integers";
    }
    if (out->begin > out->end) return "its data_offsets end before they begin";
    if (out->end > data_count) return "its data_offsets lie beyond the end of the file; it is truncated";
    uint64_t bytes;
    if (__builtin_mul_overflow(out->stored.elements, (uint64_t)out->item, &bytes))
        return "its shape is too large";
    uint64_t held = out->end - out->begin;
    bool agree =
        out->item ? bytes == held : out->stored.elements / 8 <= held; /* a bit each, whatever it is */
    return agree ? NULL : "its shape and dtype disagree with its data_offsets";
}

static hl_status read_tensor(const hl_weights *weights, const cJSON *item, tensor *out, hl_error *error) {
    *out = (tensor){.stored.name = item->string};
    if (!cJSON_IsObject(item)) return bad_tensor(weights, out, "its entry in the header is no object", error);
    if (!read_dtype(cJSON_GetObjectItemCaseSensitive(item, "dtype"), out)) {
        return bad_tensor(weights, out, "its dtype is missing or no text", error);
    }
    const char *why = read_shape(cJSON_GetObjectItemCaseSensitive(item, "shape"), out);
    if (!why) {
        const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
        why = read_offsets(offsets, weights->data_count, out);
    }
    return why ? bad_tensor(weights, out, why, error) : HL_OK;
}

static hl_status read_tensors(hl_weights *weights, hl_error *error) {
    size_t entries = (size_t)cJSON_GetArraySize(weights->header);
    weights->tensors = malloc((entries + 1) * sizeof *weights->tensors);
    if (!weights->tensors) return hl_no_memory(error, weights->name);
    for (const cJSON *item = weights->header->child; item; item = item->next) {
        if (strcmp(item->string, "__metadata__") == 0) continue;
        hl_status status = read_tensor(weights, item, &weights->tensors[weights->count], error);
        if (status != HL_OK) return status;
        ++weights->count;
    }
    return HL_OK;
}

/* JSON, padded with white space at most, as the format's own library reads it. */
static hl_status parse_header(hl_weights *weights, const uint8_t *text, size_t length, hl_error *error) {
    if (text[0] == '{' && text[length - 1] == '\0') {
        return hl_fail(error, HL_FAILED,
                       "%s: its header is padded with NUL bytes, where the format allows spaces only: write "
                       "the file again with a current safetensors library",
                       weights->name);
    }
    char *name; /* of the header, for messages */
    if (asprintf(&name, "%s: header", weights->name) < 0) return hl_no_memory(error, weights->name);
    hl_status status = json_parse(name, text, length, &weights->header, error);
    free(name);
    if (status != HL_OK || (cJSON_IsObject(weights->header) && text[0] == '{')) return status;
    return hl_fail(error, HL_FAILED, "%s: header: expected a JSON object" DAMAGED, weights->name);
}

/* ---- the layout ---- */

static int compare_places(const void *left, const void *right) {
    const tensor *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const tensor *)left)->stored.name, ((const tensor *)right)->stored.name);
}

/* The tensors fill the data without gap or overlap, and no name comes twice; leaves them sorted by name. */
static hl_status check_layout(hl_weights *weights, hl_error *error) {
    tensor *tensors = weights->tensors;
    qsort(tensors, weights->count, sizeof *tensors, compare_places);
    uint64_t end = 0;
    for (size_t i = 0; i < weights->count; ++i) {
        if (tensors[i].begin < end)
            return bad_tensor(weights, &tensors[i], "it overlaps another tensor", error);
        if (tensors[i].begin > end)
            return bad_tensor(weights, &tensors[i], "unused bytes lie before it", error);
        end = tensors[i].end;
    }
    if (end != weights->data_count) {
        return hl_fail(error, HL_FAILED, "%s: %" PRIu64 " bytes of data, the tensors end at %" PRIu64 DAMAGED,
                       weights->name, weights->data_count, end);
    }
    qsort(tensors, weights->count, sizeof *tensors, compare_names);
    for (size_t i = 1; i < weights->count; ++i) {
        if (compare_names(&tensors[i - 1], &tensors[i]) == 0) {
            return bad_tensor(weights, &tensors[i], "its name comes twice", error);
        }
    }
    return HL_OK;
}

/* Reads from wherever the bytes are. */
static hl_status read_bytes(const hl_weights *weights, uint64_t offset, void *out, size_t count,
                            hl_error *error) {
    if (!weights->bytes) return input_read_at(weights->name, weights->descriptor, offset, out, count, error);
    memcpy(out, weights->bytes + offset, count);
    return HL_OK;
}

static hl_status read_header(hl_weights *weights, size_t length, hl_error *error) {
    uint8_t *text = malloc(length);
    if (!text) return hl_no_memory(error, weights->name);
    hl_status status = read_bytes(weights, PREFIX, text, length, error);
    if (status == HL_OK) status = parse_header(weights, text, length, error);
    free(text);
    return status;
}

/* What the first bytes say of the header's length. */
static uint64_t header_length(const uint8_t prefix[PREFIX]) {
    uint64_t length = 0;
    for (size_t i = PREFIX; i-- > 0;) length = length << 8 | prefix[i];
    return length;
}

static bool is_header_length(uint64_t length, uint64_t file) {
    return file >= PREFIX && length >= 2 && length <= HEADER_LIMIT && length <= file - PREFIX;
}

uint64_t safetensors_header_of(const uint8_t *bytes, size_t count) {
    uint64_t length = count >= PREFIX ? header_length(bytes) : 0;
    return is_header_length(length, count) ? PREFIX + length : 0;
}

static hl_status parse_file(hl_weights *weights, hl_error *error) {
    uint8_t prefix[PREFIX] = {0};
    uint64_t count = weights->size;
    if (count >= PREFIX) {
        hl_status status = read_bytes(weights, 0, prefix, PREFIX, error);
        if (status != HL_OK) return status;
    }
    uint64_t length = header_length(prefix);
    if (!is_header_length(length, count)) {
        return hl_fail(error, HL_FAILED,
                       "%s: a header of %" PRIu64 " bytes in a file of %" PRIu64
                       "; at most %d and the file's rest" DAMAGED,
                       weights->name, length, count, HEADER_LIMIT);
    }
    weights->data_begin = PREFIX + length;
    weights->data_count = count - PREFIX - length;
    hl_status status = read_header(weights, (size_t)length, error);
    if (status == HL_OK) status = read_tensors(weights, error);
    return status != HL_OK ? status : check_layout(weights, error);
}

/* ---- the interface ---- */

static void close_weights(hl_weights *weights) {
    if (!weights) return;
    if (weights->descriptor >= 0) close(weights->descriptor);
    cJSON_Delete(weights->header);
    free(weights->tensors);
    free(weights->name);
    free(weights);
}

/* `source`: where the bytes are. Takes over its descriptor. */
static hl_status open_source(const char *name, hl_weights source, hl_weights **out, hl_error *error) {
    hl_weights *weights = malloc(sizeof *weights);
    if (!weights) {
        if (source.descriptor >= 0) close(source.descriptor);
        return hl_no_memory(error, name);
    }
    *weights = source;
    weights->name = strdup(name);
    hl_status status = weights->name ? parse_file(weights, error) : hl_no_memory(error, name);
    if (status == HL_OK) {
        *out = weights;
    } else {
        close_weights(weights);
    }
    return status;
}

hl_status safetensors_parse(const char *name, const uint8_t *bytes, size_t count, hl_weights **weights,
                            hl_error *error) {
    *weights = NULL;
    hl_weights source = {.descriptor = -1, .bytes = bytes, .size = count};
    return open_source(name, source, weights, error);
}

static hl_status open_weights(const char *path, hl_weights **weights, hl_error *error) {
    *weights = NULL;
    hl_weights source = {0};
    hl_status status = input_open(path, &source.descriptor, &source.size, error);
    if (status != HL_OK) return status == HL_USAGE ? HL_FAILED : status;
    return open_source(path, source, weights, error);
}

static const hl_stored_tensor *at(const hl_weights *weights, size_t index) {
    return index < weights->count ? &weights->tensors[index].stored : NULL;
}

static const hl_stored_tensor *find(const hl_weights *weights, const char *name) {
    const tensor key = {.stored.name = name};
    if (weights->count == 0) return NULL;
    const tensor *found = bsearch(&key, weights->tensors, weights->count, sizeof key, compare_names);
    return found ? &found->stored : NULL;
}

typedef void conversion(const uint8_t *from, size_t count, float *out);

static conversion *conversion_of(hl_dtype type) {
    if (type == HL_F16) return convert_f16;
    if (type == HL_BF16) return convert_bf16;
    return type == HL_F64 ? convert_f64 : NULL;
}

/* From a file in parts, so that no more of it is in memory than is being converted. */
static hl_status convert_elements(const hl_weights *weights, conversion *convert, uint64_t offset,
                                  size_t item, size_t count, float *out, hl_error *error) {
    uint8_t part[CONVERTED_AT_ONCE];
    hl_status status = HL_OK;
    for (size_t done = 0; done < count && status == HL_OK;) {
        size_t left = count - done, elements = left < sizeof part / item ? left : sizeof part / item;
        status = read_bytes(weights, offset + done * item, part, elements * item, error);
        if (status == HL_OK) convert(part, elements, out + done);
        done += elements;
    }
    return status;
}

static hl_status read_elements(const hl_weights *weights, const hl_stored_tensor *stored, uint64_t first,
                               uint64_t count, float *out, hl_error *error) {
    const tensor *source = (const tensor *)stored;
    if (first > stored->elements || count > stored->elements - first) {
        return hl_fail(error, HL_FAILED,
                       "%s: tensor %.200s: elements %" PRIu64 " to %" PRIu64 " asked of %" PRIu64,
                       weights->name, stored->name, first, first + count, stored->elements);
    }
    uint64_t offset = weights->data_begin + source->begin + first * source->item;
    conversion *convert = conversion_of(stored->dtype);
    if (stored->dtype == HL_F32) return read_bytes(weights, offset, out, (size_t)count * sizeof *out, error);
    if (convert) return convert_elements(weights, convert, offset, source->item, (size_t)count, out, error);
    return hl_fail(
        error, HL_FAILED,
        "%s: tensor %.200s: holds no floating-point numbers that can be read; expected F32, F16, BF16 or F64",
        weights->name, stored->name);
}

/* Nothing of the file stays in this process; what the system keeps of it is its own affair. */
static void done(const hl_weights *weights, const hl_stored_tensor *stored) {
    (void)weights;
    (void)stored;
}

static hl_status digest(const hl_weights *weights, char out[CHECKSUM_ROOM], hl_error *error) {
    if (!weights->bytes) return file_digest(weights->name, weights->descriptor, out, error);
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "a checksum");
    checksum_add(sum, weights->bytes, (size_t)weights->size);
    checksum_end(sum, out);
    return HL_OK;
}

const void *safetensors_data(const hl_weights *weights, const hl_stored_tensor *stored) {
    return weights->bytes + weights->data_begin + ((const tensor *)stored)->begin;
}

const hl_weights_api safetensors_api = {
    .size = sizeof safetensors_api,
    .open = open_weights,
    .close = close_weights,
    .at = at,
    .find = find,
    .read = read_elements,
    .done = done,
    .digest = digest,
};
