/* .safetensors: 8 bytes of header length, a JSON header, the tensors' bytes without gaps. The whole layout is
 * checked before anything is handed out. Never knows what a tensor is for. */
#include "core/weights/safetensors.h"

#include "core/io/json.h"
#include "core/weights/table.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 8, HEADER_LIMIT = 100000000 };

/* A file that is being read into a table. */
typedef struct reading {
    hl_weights *table;
    size_t number; /* of the file */
    const weights_file *file;
    uint64_t data_begin, data_count;
    size_t first; /* of its tensors in the table */
    hl_error *error;
} reading;

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

static hl_status bad_tensor(const reading *r, const tensor *bad, const char *why) {
    return hl_fail(r->error, HL_FAILED, "%s: tensor %.200s: %s" DAMAGED, r->file->path, bad->stored.name,
                   why);
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

/* What the header says of one tensor. Places in the data become places in the file. */
static hl_status read_tensor(const reading *r, const cJSON *item, tensor *out) {
    *out = (tensor){.stored.name = item->string, .stored.type = "", .file = r->number};
    if (!cJSON_IsObject(item)) return bad_tensor(r, out, "its entry in the header is no object");
    if (!read_dtype(cJSON_GetObjectItemCaseSensitive(item, "dtype"), out)) {
        return bad_tensor(r, out, "its dtype is missing or no text");
    }
    const char *why = read_shape(cJSON_GetObjectItemCaseSensitive(item, "shape"), out);
    if (!why) {
        const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
        why = read_offsets(offsets, r->data_count, out);
    }
    if (why) return bad_tensor(r, out, why);
    out->begin += r->data_begin;
    out->end += r->data_begin;
    return HL_OK;
}

static hl_status read_tensors(const reading *r, const cJSON *header) {
    hl_status status = HL_OK;
    for (const cJSON *item = header->child; item && status == HL_OK; item = item->next) {
        if (strcmp(item->string, "__metadata__") == 0) continue;
        tensor added;
        status = read_tensor(r, item, &added);
        if (status == HL_OK) status = table_add(r->table, &added, r->error);
    }
    return status;
}

/* JSON, padded with white space at most, as the format's own library reads it. */
static hl_status parse_header(const reading *r, const uint8_t *text, size_t length, cJSON **header) {
    if (text[0] == '{' && text[length - 1] == '\0') {
        return hl_fail(r->error, HL_FAILED,
                       "%s: its header is padded with NUL bytes, where the format allows spaces only: write "
                       "the file again with a current safetensors library",
                       r->file->path);
    }
    char *name; /* of the header, for messages */
    if (asprintf(&name, "%s: header", r->file->path) < 0) return hl_no_memory(r->error, r->file->path);
    hl_status status = json_parse(name, text, length, header, r->error);
    free(name);
    if (status != HL_OK || (cJSON_IsObject(*header) && text[0] == '{')) return status;
    return hl_fail(r->error, HL_FAILED, "%s: header: expected a JSON object" DAMAGED, r->file->path);
}

static hl_status read_header(const reading *r, size_t length, cJSON **header) {
    uint8_t *text = malloc(length);
    if (!text) return hl_no_memory(r->error, r->file->path);
    hl_status status = weights_file_read(r->file, PREFIX, text, length, r->error);
    if (status == HL_OK) status = parse_header(r, text, length, header);
    free(text);
    return status;
}

/* ---- the layout ---- */

static int compare_places(const void *left, const void *right) {
    const tensor *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* The tensors fill the data without gap or overlap. */
static hl_status check_layout(const reading *r) {
    size_t count = r->table->count - r->first;
    tensor *tensors = count ? r->table->tensors + r->first : NULL;
    if (count) qsort(tensors, count, sizeof *tensors, compare_places);
    uint64_t end = r->data_begin;
    for (size_t i = 0; i < count; ++i) {
        if (tensors[i].begin < end) return bad_tensor(r, &tensors[i], "it overlaps another tensor");
        if (tensors[i].begin > end) return bad_tensor(r, &tensors[i], "unused bytes lie before it");
        end = tensors[i].end;
    }
    if (end == r->file->size) return HL_OK;
    return hl_fail(r->error, HL_FAILED, "%s: %" PRIu64 " bytes of data, the tensors end at %" PRIu64 DAMAGED,
                   r->file->path, r->data_count, end - r->data_begin);
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

hl_status safetensors_read(hl_weights *table, hl_error *error) {
    size_t number = table->file_count - 1;
    reading r = {table, number, &table->files[number], .first = table->count, .error = error};
    uint8_t prefix[PREFIX] = {0};
    uint64_t count = r.file->size;
    if (count >= PREFIX) {
        hl_status status = weights_file_read(r.file, 0, prefix, PREFIX, error);
        if (status != HL_OK) return status;
    }
    uint64_t length = header_length(prefix);
    if (!is_header_length(length, count)) {
        return hl_fail(error, HL_FAILED,
                       "%s: a header of %" PRIu64 " bytes in a file of %" PRIu64
                       "; at most %d and the file's rest" DAMAGED,
                       r.file->path, length, count, HEADER_LIMIT);
    }
    r.data_begin = PREFIX + length;
    r.data_count = count - PREFIX - length;
    cJSON *header = NULL;
    hl_status status = read_header(&r, (size_t)length, &header);
    if (status == HL_OK) status = read_tensors(&r, header);
    cJSON_Delete(header);
    return status != HL_OK ? status : check_layout(&r);
}

hl_status safetensors_parse(const char *name, const uint8_t *bytes, size_t count, hl_weights **weights,
                            hl_error *error) {
    const weights_file file = {(char *)(uintptr_t)name, -1, bytes, count};
    *weights = NULL;
    hl_weights *table = table_new();
    if (!table) return hl_no_memory(error, name);
    hl_status status = table_add_file(table, &file, error);
    if (status == HL_OK) status = safetensors_read(table, error);
    if (status == HL_OK) status = table_finish(table, error);
    if (status == HL_OK)
        *weights = table;
    else
        table_close(table);
    return status;
}

const void *safetensors_data(const hl_weights *weights, const hl_stored_tensor *stored) {
    return weights->files->bytes + ((const tensor *)stored)->begin;
}
