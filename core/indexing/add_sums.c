/* From an atlas.json of version 1 to one of version 2: a checksum for each tensor; see indexing.h. */
#include "core/indexing/indexing.h"

#include "core/atlas/opened.h"
#include <stdlib.h>

typedef struct summing {
    const indexing *indexing;
    const manifest *now;
    shard_sums **sums; /* by shard; NULL: it has them, or is damaged */
} summing;

/* Read once to see that the file is right, and once more, from the system's memory, for each tensor. */
static void sum_shard(void *argument, size_t index) {
    const summing *job = argument;
    const hl_host *interface = job->indexing->model->interface;
    const shard_file *shard = &job->indexing->old->shards[index];
    if (job->now->shards[index].sums || interface->cancelled(interface)) return;
    if (shard_verify(shard, &job->now->shards[index], NULL) != HL_OK) return;
    shard_sums *sums = shard_sum(shard);
    if (sums && shard_check(shard, NULL) == HL_OK) {
        job->sums[index] = sums;
    } else {
        shard_sums_drop(sums);
    }
}

static hl_status sum_all(const indexing *self, summing *job, hl_error *error) {
    const hl_host *interface = self->model->interface;
    size_t count = job->now->shard_count, made = 0;
    interface->parallel(interface, count, sum_shard, job);
    hl_status status = hl_check_cancelled(interface, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < count; ++i) made += job->sums[i] != NULL;
    return made > 0 ? atlas_writer_complete(self->writer, job->sums, error) : HL_OK;
}

static bool lacks_sums(const manifest *now) {
    for (size_t i = 0; i < now->shard_count; ++i) {
        if (!now->shards[i].sums) return true;
    }
    return false;
}

/* An atlas that cannot be written is answered from as it is; so is a damaged shard, which says so when it is
 * asked. */
hl_status indexing_add_sums(indexing *self, hl_error *error) {
    const manifest *now = atlas_writer_manifest(self->writer);
    if (!lacks_sums(now) || atlas_writer_check(self->writer, NULL) != HL_OK) return HL_OK;
    hl_status status = indexing_is_surveyed(self) ? HL_OK : indexing_survey(self, error);
    if (status != HL_OK) return status;
    summing job = {self, now, calloc(now->shard_count + 1, sizeof *job.sums)};
    if (!job.sums) return hl_no_memory(error, "checksums");
    status = sum_all(self, &job, error);
    for (size_t i = 0; i < now->shard_count; ++i) shard_sums_drop(job.sums[i]);
    free(job.sums);
    return status;
}
