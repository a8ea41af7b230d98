/* See shard_builder.h. Knows rows of numbers, not the model that they come from. */
#include "core/atlas/shard_builder.h"

#include "core/io/convert.h"
#include "core/io/safetensors_write.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A text that grows. */
typedef struct long_text {
    char *bytes;
    size_t count, room;
} long_text;

struct shard_builder {
    const shard_layout *layout;
    size_t capacity, images, skipped;
    uint8_t **columns; /* by tensor: its numbers; NULL for texts */
    long_text paths, reasons;
    size_t last_path;           /* where the newest image's path starts, for messages */
    const shard_layout *copied; /* of the shard that rows were copied from last */
    size_t *origin;             /* by tensor: which of that one's tensors it is; SIZE_MAX: it has none */
};

static size_t rows_of(const shard_builder *self, const shard_tensor *tensor) {
    return tensor->extent == SHARD_FIXED ? 1 : self->capacity;
}

hl_status shard_builder_open(const shard_layout *layout, size_t capacity, shard_builder **out,
                             hl_error *error) {
    *out = NULL;
    shard_builder *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, "a shard");
    *made = (shard_builder){.layout = layout, .capacity = capacity};
    made->columns = calloc(layout->count, sizeof *made->columns);
    bool complete = made->columns != NULL;
    for (size_t i = 0; i < layout->count && complete; ++i) {
        const shard_tensor *tensor = &layout->tensors[i];
        if (tensor->extent == SHARD_TEXT) continue;
        made->columns[i] = calloc(rows_of(made, tensor) + 1, tensor->row * safetensors_item(tensor->dtype));
        complete = made->columns[i] != NULL;
    }
    if (!complete) {
        shard_builder_close(made);
        return hl_no_memory(error, "a shard (or use a smaller --shard-size)");
    }
    *out = made;
    return HL_OK;
}

void shard_builder_close(shard_builder *self) {
    if (!self) return;
    for (size_t i = 0; self->columns && i < self->layout->count; ++i) free(self->columns[i]);
    free(self->columns);
    free(self->origin);
    free(self->paths.bytes);
    free(self->reasons.bytes);
    free(self);
}

size_t shard_builder_count(const shard_builder *self) {
    return self->images + self->skipped;
}

/* ---- filling ---- */

static hl_status append(long_text *to, const char *piece, hl_error *error) {
    size_t length = strlen(piece) + 1;
    if (length > to->room - to->count) {
        size_t room = 2 * to->room + length;
        char *grown = realloc(to->bytes, room);
        if (!grown) return hl_no_memory(error, "the paths of a shard");
        to->bytes = grown;
        to->room = room;
    }
    memcpy(to->bytes + to->count, piece, length);
    to->count += length;
    return HL_OK;
}

static hl_status check_room(const shard_builder *self, hl_error *error) {
    return shard_builder_count(self) < self->capacity
               ? HL_OK
               : hl_fail(error, HL_FAILED, "a shard for %zu images got more", self->capacity);
}

static int64_t *whole_numbers(const shard_builder *self, size_t tensor) {
    return (int64_t *)(void *)self->columns[tensor];
}

hl_status shard_builder_add(shard_builder *self, shard_image image, hl_error *error) {
    hl_status status = check_room(self, error);
    self->last_path = self->paths.count;
    if (status == HL_OK) status = append(&self->paths, image.path, error);
    if (status != HL_OK) return status;
    whole_numbers(self, self->layout->bytes)[self->images] = image.bytes;
    whole_numbers(self, self->layout->modified)[self->images] = image.modified;
    ++self->images;
    return HL_OK;
}

hl_status shard_builder_skip(shard_builder *self, shard_image image, const char *reason, hl_error *error) {
    hl_status status = check_room(self, error);
    if (status == HL_OK) status = append(&self->reasons, image.path, error);
    if (status == HL_OK) status = append(&self->reasons, reason, error);
    if (status != HL_OK) return status;
    whole_numbers(self, self->layout->skipped_bytes)[self->skipped] = image.bytes;
    whole_numbers(self, self->layout->skipped_modified)[self->skipped] = image.modified;
    ++self->skipped;
    return HL_OK;
}

/* Where the newest image's row of a tensor lies. */
static uint8_t *newest(const shard_builder *self, size_t index) {
    const shard_tensor *tensor = &self->layout->tensors[index];
    return self->columns[index] + (self->images - 1) * tensor->row * safetensors_item(tensor->dtype);
}

static size_t store_f32(const float *numbers, size_t count, uint8_t *to) {
    size_t finite = 0;
    while (finite < count && isfinite(numbers[finite])) ++finite;
    memcpy(to, numbers, finite * sizeof *numbers);
    return finite;
}

#define USE_F32 "make the atlas anew with --dtype f32 (in an experiment, `gallery: {dtype: f32}`)"

/* Numbers below f16's normal range lose digits, and small ones become 0. That is harmless beside larger ones
 * of the same row, whose own rounding weighs more; where the row as a whole loses more than some roundings
 * could take (2^-11 each), f16 does not hold it. */
static bool f16_keeps(const float *numbers, size_t count, const uint8_t *stored) {
    static const double MOST = 1.0 / 512;
    enum { SOME = 64 };
    float again[SOME];
    double lost = 0, all = 0;
    for (size_t i = 0; i < count; ++i) {
        if (i % SOME == 0) convert_f16(stored + 2 * i, count - i < SOME ? count - i : SOME, again);
        double whole = (double)numbers[i], part = whole - (double)again[i % SOME];
        lost += part * part;
        all += whole * whole;
    }
    return lost <= MOST * MOST * all;
}

/* The codes of first tokens may be as small as they like: they are shares of codes that are checked. */
static bool is_checked(const shard_builder *self, size_t index) {
    const shard_layout *layout = self->layout;
    return layout->first == SIZE_MAX || index < layout->first ||
           index >= layout->first + layout->atlas->head_count;
}

static hl_status store_f16(const shard_builder *self, size_t index, const float *numbers, size_t *stored,
                           hl_error *error) {
    const shard_tensor *tensor = &self->layout->tensors[index];
    *stored = convert_to_f16(numbers, tensor->row, newest(self, index));
    if (*stored < tensor->row || !is_checked(self, index)) return HL_OK;
    if (f16_keeps(numbers, tensor->row, newest(self, index))) return HL_OK;
    double largest = 0;
    for (size_t i = 0; i < tensor->row; ++i) largest = fmax(largest, fabs((double)numbers[i]));
    return hl_fail(error, HL_FAILED,
                   "%s: %s holds numbers of at most %g, of which f16 keeps too little: " USE_F32,
                   self->paths.bytes + self->last_path, tensor->name, largest);
}

hl_status shard_builder_row(shard_builder *self, size_t index, const float *numbers, hl_error *error) {
    const shard_tensor *tensor = &self->layout->tensors[index];
    bool half = tensor->dtype == HL_F16;
    size_t stored;
    hl_status status = HL_OK;
    if (half) {
        status = store_f16(self, index, numbers, &stored, error);
    } else {
        stored = store_f32(numbers, tensor->row, newest(self, index));
    }
    if (status != HL_OK || stored == tensor->row) return status;
    return hl_fail(error, HL_FAILED, "%s: %s holds the number %g, which %s",
                   self->paths.bytes + self->last_path, tensor->name, (double)numbers[stored],
                   half && isfinite(numbers[stored])
                       ? "f16 cannot hold: " USE_F32
                       : "is none: the model's weights are damaged, or do not suit this backend");
}

/* Heads that share further numbers keep them once. */
static hl_status keep_scalars(shard_builder *self, size_t head, const float *scalars, hl_error *error) {
    size_t index = self->layout->scalars[head];
    if (index == SIZE_MAX) return HL_OK;
    const shard_tensor *tensor = &self->layout->tensors[index];
    if (tensor->head == head) return shard_builder_row(self, index, scalars, error);
    if (memcmp(newest(self, index), scalars, tensor->row * sizeof *scalars) == 0) return HL_OK;
    const atlas_head *heads = self->layout->atlas->heads;
    return hl_fail(error, HL_FAILED,
                   "%s: heads %s and %s should share their further numbers and do not: the model plugin "
                   "declares them wrongly",
                   self->paths.bytes + self->last_path, heads[tensor->head].name, heads[head].name);
}

hl_status shard_builder_code(shard_builder *self, size_t head, const float *code, hl_error *error) {
    hl_status status = shard_builder_row(self, self->layout->codes + head, code, error);
    if (status != HL_OK) return status;
    return keep_scalars(self, head, code + self->layout->atlas->heads[head].width, error);
}

static int64_t number_in(const shard_file *from, size_t tensor, size_t row) {
    return ((const int64_t *)from->data[tensor])[row];
}

/* Shards of one atlas differ in optional columns at most, so names tell which tensor is which. */
static hl_status find_origins(shard_builder *self, const shard_layout *from, hl_error *error) {
    if (self->copied == from) return HL_OK;
    if (!self->origin) self->origin = calloc(self->layout->count, sizeof *self->origin);
    if (!self->origin) return hl_no_memory(error, "a shard");
    for (size_t i = 0; i < self->layout->count; ++i) {
        self->origin[i] = shard_layout_find(from, self->layout->tensors[i].name);
    }
    self->copied = from;
    return HL_OK;
}

hl_status shard_builder_copy(shard_builder *self, const shard_file *from, size_t row, hl_error *error) {
    const shard_layout *layout = self->layout;
    shard_image image = {from->paths[row], number_in(from, from->layout->bytes, row),
                         number_in(from, from->layout->modified, row)};
    hl_status status = find_origins(self, from->layout, error);
    if (status == HL_OK) status = shard_builder_add(self, image, error);
    for (size_t i = 0; i < layout->count && status == HL_OK; ++i) {
        const shard_tensor *tensor = &layout->tensors[i];
        size_t bytes = tensor->row * safetensors_item(tensor->dtype);
        if (tensor->extent != SHARD_IMAGES || self->origin[i] == SIZE_MAX) continue;
        memcpy(newest(self, i), (const uint8_t *)from->data[self->origin[i]] + row * bytes, bytes);
    }
    return status == HL_OK ? shard_check(from, error) : status;
}

hl_status shard_builder_copy_skip(shard_builder *self, const shard_file *from, size_t row, hl_error *error) {
    const shard_layout *layout = from->layout;
    shard_image image = {from->skips[row].path, number_in(from, layout->skipped_bytes, row),
                         number_in(from, layout->skipped_modified, row)};
    return shard_builder_skip(self, image, from->skips[row].reason, error);
}

/* ---- moments ---- */

typedef struct moments_job {
    const shard_builder *shard;
    double *scratch; /* `stride` for each head: one y */
    float *rounded;  /* the same, as stored */
    size_t stride;
} moments_job;

/* The code y of an image as it is stored. */
static void read_code(const shard_builder *self, size_t head, size_t row, float *rounded, double *y) {
    const shard_layout *layout = self->layout;
    const atlas_head *shape = &layout->atlas->heads[head];
    const uint8_t *codes = self->columns[layout->codes + head];
    if (layout->atlas->dtype == HL_F16) {
        convert_f16(codes + row * shape->width * sizeof(uint16_t), shape->width, rounded);
    } else {
        memcpy(rounded, codes + row * shape->width * sizeof(float), shape->width * sizeof(float));
    }
    if (shape->scalar_count > 0) {
        const uint8_t *scalars = self->columns[layout->scalars[head]];
        size_t bytes = shape->scalar_count * sizeof(float);
        memcpy(rounded + shape->width, scalars + row * bytes, bytes);
    }
    for (size_t i = 0; i < shard_code_width(shape); ++i) y[i] = (double)rounded[i];
}

static void add_moments(void *argument, size_t head) {
    const moments_job *job = argument;
    const shard_builder *self = job->shard;
    size_t width = shard_code_width(&self->layout->atlas->heads[head]);
    double *y = job->scratch + head * job->stride;
    double *sums = (double *)(void *)self->columns[self->layout->moments + head];
    memset(sums, 0, shard_moment_count(&self->layout->atlas->heads[head]) * sizeof *sums);
    for (size_t row = 0; row < self->images; ++row) {
        read_code(self, head, row, job->rounded + head * job->stride, y);
        double *triangle = sums + width;
        for (size_t i = 0; i < width; ++i) {
            sums[i] += y[i];
            for (size_t j = 0; j <= i; ++j) triangle[j] += y[i] * y[j];
            triangle += i + 1;
        }
    }
}

static hl_status make_moments(const shard_builder *self, const hl_host *host, hl_error *error) {
    const atlas_layout *layout = self->layout->atlas;
    moments_job job = {.shard = self};
    for (size_t i = 0; i < layout->head_count; ++i) {
        size_t width = shard_code_width(&layout->heads[i]);
        if (width > job.stride) job.stride = width;
    }
    job.scratch = calloc(layout->head_count * job.stride, sizeof *job.scratch);
    job.rounded = calloc(layout->head_count * job.stride, sizeof *job.rounded);
    hl_status status = job.scratch && job.rounded ? HL_OK : hl_no_memory(error, "the moments of a shard");
    if (status == HL_OK) host->parallel(host, layout->head_count, add_moments, &job);
    free(job.scratch);
    free(job.rounded);
    return status;
}

/* ---- writing ---- */

static safetensors_part part_of(const shard_builder *self, size_t index) {
    const shard_tensor *tensor = &self->layout->tensors[index];
    safetensors_part part = {tensor->name, tensor->dtype, tensor->rank, {0}, self->columns[index]};
    memcpy(part.shape, tensor->shape, sizeof part.shape);
    const long_text *text = index == self->layout->paths ? &self->paths : &self->reasons;
    if (tensor->extent == SHARD_IMAGES) part.shape[0] = self->images;
    if (tensor->extent == SHARD_LEFT_OUT) part.shape[0] = self->skipped;
    if (tensor->extent == SHARD_TEXT) {
        part.shape[0] = text->count;
        part.data = text->bytes;
    }
    return part;
}

static size_t bytes_of(const safetensors_part *part) {
    size_t bytes = safetensors_item(part->dtype);
    for (uint32_t i = 0; i < part->rank; ++i) bytes *= (size_t)part->shape[i];
    return bytes;
}

static hl_status write_parts(const shard_builder *self, const safetensors_part *parts, output *out,
                             manifest_shard *shard, hl_error *error) {
    char name[MANIFEST_NAME_ROOM];
    manifest_shard_name(shard->number, name);
    safetensors_receipt receipt;
    shard_sums *sums = shard_sums_new(self->layout->count);
    hl_status status = sums ? HL_OK : hl_no_memory(error, "a shard");
    if (status == HL_OK) status = safetensors_write(out, name, parts, self->layout->count, &receipt, error);
    if (status != HL_OK) {
        shard_sums_drop(sums);
        return status;
    }
    memcpy(sums->header, receipt.header, sizeof sums->header);
    for (size_t i = 0; i < sums->count; ++i)
        checksum_of(parts[i].data, bytes_of(&parts[i]), sums->tensors[i]);
    shard->images = self->images;
    shard->skipped = self->skipped;
    shard->columns = self->layout->atlas->columns;
    shard->bytes = receipt.bytes;
    memcpy(shard->checksum, receipt.checksum, sizeof shard->checksum);
    shard->sums = sums;
    return HL_OK;
}

hl_status shard_builder_write(shard_builder *self, const hl_host *host, output *out, manifest_shard *shard,
                              hl_error *error) {
    safetensors_part *parts = calloc(self->layout->count, sizeof *parts);
    if (!parts) return hl_no_memory(error, "a shard");
    for (size_t i = 0; i < self->layout->count; ++i) parts[i] = part_of(self, i);
    hl_status status = make_moments(self, host, error);
    if (status == HL_OK) status = write_parts(self, parts, out, shard, error);
    free(parts);
    return status;
}
