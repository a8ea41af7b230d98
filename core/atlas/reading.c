/* See reading.h. */
#include "core/atlas/reading.h"

#include "core/io/convert.h"
#include <stdlib.h>
#include <string.h>

static int compare_paths(const void *left, const void *right, void *of) {
    return strcmp(atlas_path(of, *(const size_t *)left), atlas_path(of, *(const size_t *)right));
}

void atlas_order(const atlas *self, size_t *out) {
    size_t count = atlas_count(self);
    for (size_t i = 0; i < count; ++i) out[i] = i;
    if (count > 0) qsort_r(out, count, sizeof *out, compare_paths, (void *)(uintptr_t)self);
}

static size_t number_at(atlas_images images, size_t index) {
    return images.numbers ? images.numbers[index] : index;
}

/* Numbers [first, first + count) of a tensor, as f32. */
static void widen(const atlas *self, const void *numbers, size_t first, size_t count, float *out) {
    if (atlas_layout_of(self)->dtype == HL_F16) {
        convert_f16((const uint8_t *)numbers + first * sizeof(uint16_t), count, out);
    } else {
        memcpy(out, (const float *)numbers + first, count * sizeof *out);
    }
}

static void read_code(const atlas *self, size_t shard, size_t row, size_t head, float *out) {
    const atlas_head *shape = &atlas_layout_of(self)->heads[head];
    size_t further = shape->scalar_count;
    widen(self, atlas_codes(self, shard, head), row * shape->width, shape->width, out);
    if (further == 0) return;
    memcpy(out + shape->width, atlas_scalars(self, shard, head) + row * further, further * sizeof *out);
}

/* ---- rows ---- */

hl_status atlas_read_codes(const atlas *self, const hl_host *host, size_t head, atlas_images images,
                           float *out, hl_error *error) {
    const atlas_head *shape = &atlas_layout_of(self)->heads[head];
    hl_status status = atlas_touch(self, host, &(atlas_part){ATLAS_CODES, head}, 1, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < images.count; ++i) {
        size_t image = number_at(images, i), shard = atlas_shard_of(self, image);
        size_t row = image - atlas_shard_at(self, shard).first;
        read_code(self, shard, row, head, out + i * ((size_t)shape->width + shape->scalar_count));
    }
    return atlas_check(self, true, error);
}

/* Row `inner` of the `rows` that a column has for each image. */
static hl_status read_column(const atlas *self, const hl_host *host, atlas_what what, size_t rows,
                             size_t inner, atlas_images images, float *out, hl_error *error) {
    size_t width = atlas_layout_of(self)->embed_dim;
    hl_status status = atlas_touch(self, host, &(atlas_part){.what = what}, 1, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < images.count; ++i) {
        size_t image = number_at(images, i), shard = atlas_shard_of(self, image);
        size_t row = image - atlas_shard_at(self, shard).first;
        const void *column =
            what == ATLAS_EMBEDDINGS ? atlas_embeddings(self, shard) : atlas_mlps(self, shard);
        widen(self, column, (row * rows + inner) * width, width, out + i * width);
    }
    return atlas_check(self, true, error);
}

hl_status atlas_read_embeddings(const atlas *self, const hl_host *host, atlas_images images, float *out,
                                hl_error *error) {
    return read_column(self, host, ATLAS_EMBEDDINGS, 1, 0, images, out, error);
}

hl_status atlas_read_others(const atlas *self, const hl_host *host, size_t row, atlas_images images,
                            float *out, hl_error *error) {
    size_t rows = atlas_layout_of(self)->mlps;
    return read_column(self, host, ATLAS_OTHERS, rows, row, images, out, error);
}

/* ---- moments ---- */

/* Shards are summed in so many parts, whatever the threads: a part for each shard of a large atlas would be
 * large. */
enum { MOMENTS_PARTS = 16 };

/* The sums of one part, packed as in the atlas. */
typedef struct moments_job {
    const atlas *atlas;
    size_t head, width, size; /* numbers of y, and of a shard's moments */
    bool **meant;             /* by shard and row */
    size_t *counts;           /* by shard: how many are meant */
    double *sums;             /* by part */
    float *codes;             /* by part: room for one y */
} moments_job;

static void add_code(const float *y, size_t width, double *sums) {
    double *triangle = sums + width;
    for (size_t i = 0; i < width; ++i) {
        sums[i] += (double)y[i];
        for (size_t j = 0; j <= i; ++j) triangle[j] += (double)y[i] * (double)y[j];
        triangle += i + 1;
    }
}

static void add_shard(const moments_job *job, size_t shard, float *y, double *sums) {
    size_t rows = atlas_shard_at(job->atlas, shard).count;
    if (job->counts[shard] == 0) return;
    if (job->counts[shard] == rows) {
        const double *moments = atlas_moments(job->atlas, shard, job->head);
        for (size_t k = 0; k < job->size; ++k) sums[k] += moments[k];
        return;
    }
    for (size_t row = 0; row < rows; ++row) {
        if (!job->meant[shard][row]) continue;
        read_code(job->atlas, shard, row, job->head, y);
        add_code(y, job->width, sums);
    }
}

static void sum_part(void *argument, size_t part) {
    const moments_job *job = argument;
    for (size_t i = part; i < atlas_shard_count(job->atlas); i += MOMENTS_PARTS) {
        add_shard(job, i, job->codes + part * job->width, job->sums + part * job->size);
    }
}

/* A full matrix from the packed lower triangle. */
static void unpack(const double *triangle, size_t width, double *out) {
    for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j <= i; ++j) out[i * width + j] = out[j * width + i] = *triangle++;
    }
}

static bool open_job(moments_job *self) {
    size_t shards = atlas_shard_count(self->atlas);
    self->meant = calloc(shards + 1, sizeof *self->meant);
    self->counts = calloc(shards + 1, sizeof *self->counts);
    self->sums = calloc(MOMENTS_PARTS * self->size, sizeof *self->sums);
    self->codes = calloc(MOMENTS_PARTS * self->width, sizeof *self->codes);
    bool complete = self->meant && self->counts && self->sums && self->codes;
    for (size_t i = 0; i < shards && complete; ++i) {
        self->meant[i] = calloc(atlas_shard_at(self->atlas, i).count + 1, sizeof **self->meant);
        complete = self->meant[i] != NULL;
    }
    return complete;
}

static void close_job(moments_job *self) {
    for (size_t i = 0; self->meant && i < atlas_shard_count(self->atlas); ++i) free(self->meant[i]);
    free(self->meant);
    free(self->counts);
    free(self->sums);
    free(self->codes);
}

/* Neighbours in the order of paths mostly lie in one shard. */
static size_t mark(moments_job *self, atlas_images images, size_t fold, size_t folds) {
    size_t count = 0, shard = 0;
    atlas_shard within = {.count = 0};
    for (size_t i = fold; i < images.count; i += folds, ++count) {
        size_t image = number_at(images, i);
        if (image < within.first || image - within.first >= within.count) {
            shard = atlas_shard_of(self->atlas, image);
            within = atlas_shard_at(self->atlas, shard);
        }
        bool *meant = &self->meant[shard][image - within.first];
        self->counts[shard] += !*meant;
        *meant = true;
    }
    return count;
}

/* Moments of shards that are meant as a whole, codes of the others. */
static hl_status touch(const moments_job *self, const hl_host *host, hl_error *error) {
    bool whole = false, part = false;
    for (size_t i = 0; i < atlas_shard_count(self->atlas); ++i) {
        size_t rows = atlas_shard_at(self->atlas, i).count;
        whole = whole || (self->counts[i] > 0 && self->counts[i] == rows);
        part = part || (self->counts[i] > 0 && self->counts[i] < rows);
    }
    atlas_part parts[2];
    size_t count = 0;
    if (whole) parts[count++] = (atlas_part){ATLAS_HEAD_MOMENTS, self->head};
    if (part) parts[count++] = (atlas_part){ATLAS_CODES, self->head};
    return atlas_touch(self->atlas, host, parts, count, error);
}

hl_status atlas_sum_moments(const atlas *self, const hl_host *host, size_t head, atlas_images images,
                            size_t fold, size_t folds, size_t *count, double *sum, double *products,
                            hl_error *error) {
    const atlas_head *shape = &atlas_layout_of(self)->heads[head];
    size_t width = (size_t)shape->width + shape->scalar_count;
    moments_job job = {.atlas = self, .head = head, .width = width, .size = width + width * (width + 1) / 2};
    hl_status status = open_job(&job) ? HL_OK : hl_no_memory(error, "moments");
    if (status == HL_OK) *count = mark(&job, images, folds > 1 ? fold : 0, folds > 1 ? folds : 1);
    if (status == HL_OK) status = touch(&job, host, error);
    if (status == HL_OK) host->parallel(host, MOMENTS_PARTS, sum_part, &job);
    if (status == HL_OK) status = atlas_check(self, true, error);
    for (size_t i = 1; i < MOMENTS_PARTS && status == HL_OK; ++i) {
        for (size_t k = 0; k < job.size; ++k) job.sums[k] += job.sums[i * job.size + k];
    }
    if (status == HL_OK) {
        memcpy(sum, job.sums, width * sizeof *sum);
        unpack(job.sums + width, width, products);
    }
    close_job(&job);
    return status;
}
