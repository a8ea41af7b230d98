/* NumPy's .npy files. The header is a Python dictionary literal; only the one shape of it that NumPy writes
 * is read, so there is no Python parser here. Never knows what an array means. */
#include "core/io/npy.h"

#include "core/io/input.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[6] = "\x93NUMPY";
static const size_t LARGEST_FILE = (size_t)1 << 40;
enum {
    HEADER_ROOM = 512,
    ALIGNMENT = 64,
    PREFIX_V1 = 10,    /* magic, version, 16 bits of header length */
    PREFIX_V2 = 12,    /* the same with 32 bits */
    GROWTH_DIGITS = 21 /* NumPy leaves room for an outermost dimension of so many digits */
};

/* ---- writing ---- */

/* The dictionary as NumPy prints it; returns its length. */
static size_t print_dictionary(char *text, const char *descr, size_t rank, const size_t *shape) {
    int length = sprintf(text, "{'descr': '%.8s', 'fortran_order': False, 'shape': (", descr);
    int outermost = 0;
    for (size_t i = 0; i < rank; ++i) {
        int digits = sprintf(text + length, "%zu", shape[i]);
        if (i == 0) outermost = digits;
        length += digits;
        if (i + 1 < rank) length += sprintf(text + length, ", ");
    }
    length += sprintf(text + length, rank == 1 ? ",), }" : "), }");
    if (rank > 0) length += sprintf(text + length, "%*s", GROWTH_DIGITS - outermost, "");
    return (size_t)length;
}

hl_status npy_begin(output *out, const char *name, const char *descr, size_t rank, const size_t *shape,
                    FILE **file, hl_error *error) {
    if (rank > NPY_MAX_RANK) {
        return hl_fail(error, HL_FAILED, "%s: an array of %zu dimensions; at most %d can be written", name,
                       rank, NPY_MAX_RANK);
    }
    char header[HEADER_ROOM];
    memcpy(header, MAGIC, sizeof MAGIC);
    size_t used = PREFIX_V1 + print_dictionary(header + PREFIX_V1, descr, rank, shape) + 1;
    size_t padding = ALIGNMENT - used % ALIGNMENT; /* never 0: NumPy's way */
    size_t total = used + padding, length = total - PREFIX_V1;
    memset(header + used - 1, ' ', padding);
    header[total - 1] = '\n';
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)(length & 0xff);
    header[9] = (char)(length >> 8);
    hl_status status = output_file(out, name, file, error);
    return status != HL_OK ? status : output_write(out, *file, header, total, error);
}

/* ---- reading ---- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_spaces(cursor *text) {
    while (text->at < text->end && *text->at == ' ') ++text->at;
}

/* Steps over `token` and the spaces before it, if it comes next. */
static bool take(cursor *text, const char *token) {
    skip_spaces(text);
    size_t length = strlen(token);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, token, length) != 0) return false;
    text->at += length;
    return true;
}

/* A non-negative decimal number that fits. */
static bool take_number(cursor *text, size_t *number) {
    skip_spaces(text);
    const char *start = text->at;
    for (*number = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9'; ++text->at) {
        if (__builtin_mul_overflow(*number, (size_t)10, number) ||
            __builtin_add_overflow(*number, (size_t)(*text->at - '0'), number)) {
            return false;
        }
    }
    return text->at > start;
}

/* "()", "(3,)", "(3, 4)"; a comma may follow the last number. */
static bool take_shape(cursor *text, npy_array *array) {
    if (!take(text, "(")) return false;
    for (array->rank = 0; !take(text, ")"); ++array->rank) {
        if (array->rank == NPY_MAX_RANK || !take_number(text, &array->shape[array->rank])) return false;
        if (!take(text, ",")) {
            ++array->rank;
            return array->rank > 1 && take(text, ")");
        }
    }
    return true;
}

static bool take_header(cursor *text, npy_array *array, size_t *item) {
    if (!take(text, "{") || !take(text, "'descr'") || !take(text, ":")) return false;
    if (take(text, "'<f4'")) {
        *item = sizeof(float);
    } else if (take(text, "'<f8'")) {
        *item = sizeof(double);
    } else {
        return false;
    }
    if (!take(text, ",") || !take(text, "'fortran_order'") || !take(text, ":") || !take(text, "False") ||
        !take(text, ",") || !take(text, "'shape'") || !take(text, ":") || !take_shape(text, array)) {
        return false;
    }
    (void)take(text, ",");
    return take(text, "}") && take(text, "\n") && text->at == text->end;
}

/* Where the dictionary starts and ends; false when the file is no .npy or ends within it. */
static bool find_header(const uint8_t *bytes, size_t count, cursor *header) {
    if (count < PREFIX_V2 || memcmp(bytes, MAGIC, sizeof MAGIC) != 0) return false;
    size_t version = bytes[6], prefix = version == 1 ? PREFIX_V1 : PREFIX_V2;
    if ((version != 1 && version != 2) || bytes[7] != 0) return false;
    size_t length = 0;
    for (size_t i = prefix; i-- > 8;) length = length << 8 | bytes[i];
    if (length > count - prefix) return false;
    header->at = (const char *)bytes + prefix;
    header->end = header->at + length;
    return true;
}

/* Moves the elements to the front of their own memory, as f32. */
static void settle_elements(uint8_t *bytes, const uint8_t *from, size_t item, size_t elements) {
    if (item == sizeof(float)) {
        memmove(bytes, from, elements * item);
        return;
    }
    for (size_t i = 0; i < elements; ++i) {
        double value;
        memcpy(&value, from + i * item, item);
        float rounded = (float)value;
        memcpy(bytes + i * sizeof rounded, &rounded, sizeof rounded);
    }
}

/* What is in the file: where the elements begin, and how large each is. */
static hl_status check_file(const char *name, const uint8_t *bytes, size_t count, npy_array *found,
                            const uint8_t **data, size_t *item, hl_error *error) {
    cursor header;
    if (!find_header(bytes, count, &header)) {
        return hl_fail(error, HL_FAILED,
                       "%s: not a .npy file of version 1.0 or 2.0, or cut in its header; save it again with "
                       "numpy.save",
                       name);
    }
    *data = (const uint8_t *)header.end;
    size_t expected, held = count - (size_t)(*data - bytes);
    if (!take_header(&header, found, item)) {
        return hl_fail(error, HL_FAILED,
                       "%s: unexpected text at byte %zu of the header; expected a C-order array of '<f4' or "
                       "'<f8' with at most %d dimensions: save numpy.ascontiguousarray(array, numpy.float32)",
                       name, (size_t)(header.at - (const char *)bytes), NPY_MAX_RANK);
    }
    found->elements = 1;
    bool overflow = false;
    for (size_t i = 0; i < found->rank; ++i) {
        overflow |= __builtin_mul_overflow(found->elements, found->shape[i], &found->elements);
    }
    if (overflow || __builtin_mul_overflow(found->elements, *item, &expected)) {
        return hl_fail(error, HL_FAILED, "%s: the shape in the header is too large for any memory", name);
    }
    if (held == expected) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: holds %zu bytes of elements, its header says %zu; the file is damaged: save it again",
                   name, held, expected);
}

/* The array takes over `bytes`, which are freed after a failure. */
static hl_status adopt(const char *name, uint8_t *bytes, size_t count, npy_array *array, hl_error *error) {
    npy_array found = {0};
    const uint8_t *data = NULL;
    size_t item = 0;
    hl_status status = check_file(name, bytes, count, &found, &data, &item, error);
    if (status != HL_OK) {
        free(bytes);
        return status;
    }
    settle_elements(bytes, data, item, found.elements);
    found.data = (float *)(void *)bytes;
    *array = found;
    return HL_OK;
}

hl_status npy_parse(const char *name, const uint8_t *bytes, size_t count, npy_array *array, hl_error *error) {
    *array = (npy_array){0};
    uint8_t *copy = malloc(count + 1);
    if (!copy) return hl_no_memory(error, name);
    memcpy(copy, bytes, count);
    return adopt(name, copy, count, array, error);
}

hl_status npy_read(const char *path, npy_array *array, hl_error *error) {
    *array = (npy_array){0};
    uint8_t *bytes;
    size_t count;
    hl_status status = input_read(path, LARGEST_FILE, &bytes, &count, error);
    if (status != HL_OK) return status == HL_USAGE ? HL_FAILED : status;
    return adopt(path, bytes, count, array, error);
}
