/* Opening an atlas for reading; see atlas.h. */
#include "core/atlas/opened.h"
#include "core/atlas/shard_numbers.h"

#include <stdlib.h>
#include <string.h>

static hl_status open_shards(atlas *self, const char *folder, hl_error *error) {
    size_t count = self->manifest->shard_count;
    self->shards = calloc(count + 1, sizeof *self->shards);
    self->firsts = calloc(count + 1, sizeof *self->firsts);
    if (!self->shards || !self->firsts) return hl_no_memory(error, folder);
    for (; self->opened < count; ++self->opened) {
        size_t i = self->opened;
        hl_status status =
            shard_open(folder, &self->manifest->shards[i], &self->layout, &self->shards[i], error);
        if (status != HL_OK) return status;
        self->firsts[i + 1] = self->firsts[i] + self->shards[i].images;
    }
    return HL_OK;
}

hl_status atlas_open(const char *folder, atlas **out, hl_error *error) {
    *out = NULL;
    atlas *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, folder);
    hl_status status = manifest_read(folder, &made->manifest, error);
    if (status == HL_OK) status = shard_layout_make(&made->manifest->layout, &made->layout, error);
    if (status == HL_OK) status = open_shards(made, folder, error);
    if (status == HL_OK) {
        *out = made;
    } else {
        atlas_close(made);
    }
    return status;
}

void atlas_close(atlas *self) {
    if (!self) return;
    for (size_t i = 0; i < self->opened; ++i) shard_close(&self->shards[i]);
    free(self->shards);
    free(self->firsts);
    shard_layout_free(&self->layout);
    manifest_free(self->manifest);
    free(self);
}

const atlas_layout *atlas_layout_of(const atlas *self) {
    return &self->manifest->layout;
}

size_t atlas_count(const atlas *self) {
    return self->firsts[self->opened];
}

size_t atlas_shard_count(const atlas *self) {
    return self->opened;
}

atlas_shard atlas_shard_at(const atlas *self, size_t shard) {
    return (atlas_shard){self->shards[shard].path, self->firsts[shard], self->shards[shard].images};
}

static size_t shard_of(const atlas *self, size_t image) {
    size_t low = 0, high = self->opened; /* the shard lies in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (self->firsts[middle] <= image) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

const char *atlas_path(const atlas *self, size_t image) {
    size_t shard = shard_of(self, image);
    return self->shards[shard].paths[image - self->firsts[shard]];
}

void atlas_file_of(const atlas *self, size_t image, int64_t *bytes, int64_t *modified) {
    size_t shard = shard_of(self, image), row = image - self->firsts[shard];
    *bytes = ((const int64_t *)self->shards[shard].data[self->layout.bytes])[row];
    *modified = ((const int64_t *)self->shards[shard].data[self->layout.modified])[row];
}

bool atlas_skipped_at(const atlas *self, size_t index, const char **path, const char **reason) {
    size_t shard = 0;
    for (; shard < self->opened && index >= self->shards[shard].skipped; ++shard) {
        index -= self->shards[shard].skipped;
    }
    if (shard == self->opened) return false;
    *path = self->shards[shard].skips[index].path;
    *reason = self->shards[shard].skips[index].reason;
    return true;
}

const void *atlas_codes(const atlas *self, size_t shard, size_t head) {
    return self->shards[shard].data[self->layout.codes + head];
}

const float *atlas_scalars(const atlas *self, size_t shard, size_t head) {
    size_t tensor = self->layout.scalars[head];
    return tensor == SIZE_MAX ? NULL : self->shards[shard].data[tensor];
}

const double *atlas_moments(const atlas *self, size_t shard, size_t head) {
    return self->shards[shard].data[self->layout.moments + head];
}

const void *atlas_embeddings(const atlas *self, size_t shard) {
    size_t tensor = self->layout.embedding;
    return tensor == SIZE_MAX ? NULL : self->shards[shard].data[tensor];
}

const void *atlas_mlps(const atlas *self, size_t shard) {
    size_t tensor = self->layout.mlps;
    return tensor == SIZE_MAX ? NULL : self->shards[shard].data[tensor];
}

size_t atlas_find_head(const atlas *self, const char *name) {
    const atlas_layout *layout = atlas_layout_of(self);
    for (size_t i = 0; i < layout->head_count; ++i) {
        if (strcmp(layout->heads[i].name, name) == 0) return i;
    }
    return SIZE_MAX;
}

/* ---- verifying ---- */

hl_status atlas_check(const atlas *self, bool thoroughly, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->opened && status == HL_OK; ++i) {
        const shard_file *shard = &self->shards[i];
        if (thoroughly || mapping_is_broken(&shard->file)) status = shard_check(shard, error);
    }
    return status;
}

typedef struct verification {
    const atlas *self;
    const hl_host *host;
    hl_status *results; /* by shard */
} verification;

static hl_status verify_one(const atlas *self, size_t shard, hl_error *error) {
    hl_status status = shard_verify(&self->shards[shard], &self->manifest->shards[shard], error);
    return status == HL_OK ? shard_check_numbers(&self->shards[shard], &self->layout, error) : status;
}

static void verify_shard(void *argument, size_t shard) {
    const verification *job = argument;
    if (job->host->cancelled(job->host)) {
        job->results[shard] = HL_FAILED;
        return;
    }
    job->results[shard] = verify_one(job->self, shard, NULL);
}

/* Damage is rare: a shard that failed is read again for its message. */
static hl_status report(const verification *job, hl_error *error) {
    if (job->host->cancelled(job->host)) return hl_fail(error, HL_FAILED, "cancelled");
    for (size_t i = 0; i < job->self->opened; ++i) {
        if (job->results[i] == HL_OK) continue;
        return verify_one(job->self, i, error);
    }
    return HL_OK;
}

hl_status atlas_verify(const atlas *self, const hl_host *host, hl_error *error) {
    verification job = {self, host, calloc(self->opened + 1, sizeof *job.results)};
    if (!job.results) return hl_no_memory(error, "the results of all shards");
    host->parallel(host, self->opened, verify_shard, &job);
    hl_status status = report(&job, error);
    free(job.results);
    return status;
}
