/* See safetensors_write.h. Never knows what a tensor is for. */
#include "core/io/safetensors_write.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <string.h>

typedef struct dtype {
    hl_dtype code;
    const char *name;
    size_t item;
} dtype;

static const dtype DTYPES[] = {
    {HL_F64, "F64", 8}, {HL_I64, "I64", 8}, {HL_F32, "F32", 4}, {HL_F16, "F16", 2}, {HL_U8, "U8", 1}};

static const dtype *find_dtype(hl_dtype code) {
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; ++i) {
        if (DTYPES[i].code == code) return &DTYPES[i];
    }
    return NULL;
}

size_t safetensors_item(hl_dtype code) {
    const dtype *found = find_dtype(code);
    return found ? found->item : 0;
}

static uint64_t bytes_of(const safetensors_part *part) {
    uint64_t bytes = safetensors_item(part->dtype);
    for (uint32_t i = 0; i < part->rank; ++i) bytes *= part->shape[i];
    return bytes;
}

static size_t padding_after(uint64_t bytes) {
    return (size_t)(-bytes % SAFETENSORS_WRITE_ALIGNMENT);
}

/* ---- the header ---- */

static bool add_numbers(cJSON *entry, const char *key, const uint64_t *numbers, size_t count) {
    cJSON *list = cJSON_AddArrayToObject(entry, key);
    bool complete = list != NULL;
    for (size_t i = 0; i < count && complete; ++i) {
        complete = cJSON_AddItemToArray(list, cJSON_CreateNumber((double)numbers[i]));
    }
    return complete;
}

static bool describe(cJSON *header, const safetensors_part *part, uint64_t begin) {
    const uint64_t offsets[2] = {begin, begin + bytes_of(part)};
    cJSON *entry = cJSON_AddObjectToObject(header, part->name);
    return entry && cJSON_AddStringToObject(entry, "dtype", find_dtype(part->dtype)->name) &&
           add_numbers(entry, "shape", part->shape, part->rank) &&
           add_numbers(entry, "data_offsets", offsets, 2);
}

static bool describe_padding(cJSON *header, size_t number, uint64_t begin, size_t bytes) {
    char name[32];
    snprintf(name, sizeof name, "padding.%zu", number);
    const safetensors_part part = {name, HL_U8, 1, {bytes}, NULL};
    return describe(header, &part, begin);
}

/* Text that the caller frees with cJSON_free; NULL: no memory. */
static char *make_header(const safetensors_part *parts, size_t count) {
    cJSON *header = cJSON_CreateObject();
    bool complete = header != NULL;
    uint64_t end = 0;
    for (size_t i = 0; i < count && complete; ++i) {
        complete = describe(header, &parts[i], end);
        end += bytes_of(&parts[i]);
        size_t padding = padding_after(end);
        if (padding > 0 && i + 1 < count) {
            complete = complete && describe_padding(header, i, end, padding);
            end += padding;
        }
    }
    char *text = complete ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

/* ---- the file ---- */

typedef struct writer {
    output *out;
    FILE *file;
    checksum *sum;
    uint64_t bytes;
} writer;

static hl_status write(writer *self, const void *data, uint64_t bytes, hl_error *error) {
    hl_status status = output_write(self->out, self->file, data, (size_t)bytes, error);
    checksum_add(self->sum, data, (size_t)bytes);
    self->bytes += bytes;
    return status;
}

static hl_status write_header(writer *self, const char *text, char sum_of[CHECKSUM_ROOM], hl_error *error) {
    static const char spaces[] = "       ";
    size_t length = strlen(text), padding = padding_after(length);
    uint8_t prefix[8];
    for (size_t i = 0; i < sizeof prefix; ++i) prefix[i] = (uint8_t)((uint64_t)(length + padding) >> 8 * i);
    checksum *sum = checksum_begin();
    hl_status status = sum ? write(self, prefix, sizeof prefix, error) : hl_no_memory(error, "a checksum");
    if (status == HL_OK) status = write(self, text, length, error);
    if (status == HL_OK) status = write(self, spaces, padding, error);
    if (status == HL_OK) {
        checksum_add(sum, prefix, sizeof prefix);
        checksum_add(sum, text, length);
        checksum_add(sum, spaces, padding);
    }
    checksum_end(sum, sum_of);
    return status;
}

static hl_status write_parts(writer *self, const safetensors_part *parts, size_t count, hl_error *error) {
    static const uint8_t zeros[SAFETENSORS_WRITE_ALIGNMENT];
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = write(self, parts[i].data, bytes_of(&parts[i]), error);
        if (status == HL_OK && i + 1 < count) status = write(self, zeros, padding_after(self->bytes), error);
    }
    return status;
}

hl_status safetensors_write(output *out, const char *name, const safetensors_part *parts, size_t count,
                            safetensors_receipt *receipt, hl_error *error) {
    writer self = {.out = out, .sum = checksum_begin()};
    char *header = make_header(parts, count);
    hl_status status = self.sum && header ? HL_OK : hl_no_memory(error, name);
    if (status == HL_OK) status = output_file(out, name, &self.file, error);
    if (status == HL_OK) status = write_header(&self, header, receipt->header, error);
    if (status == HL_OK) status = write_parts(&self, parts, count, error);
    cJSON_free(header);
    checksum_end(self.sum, receipt->checksum);
    receipt->bytes = self.bytes;
    return status;
}
