/* Verifying what is read of an atlas, once; see atlas_touch and atlas_verify in atlas.h. */
#include "core/atlas/opened.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What has been verified. One question verifies at a time; others that need the same wait for it. */
struct touched {
    pthread_mutex_t lock;
    bool **tensors; /* by shard and tensor of its layout */
};

hl_status touched_open(const atlas *self, struct touched **out, hl_error *error) {
    struct touched *made = *out = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, "an atlas");
    pthread_mutex_init(&made->lock, NULL);
    made->tensors = calloc(self->opened + 1, sizeof *made->tensors);
    bool complete = made->tensors != NULL;
    for (size_t i = 0; i < self->opened && complete; ++i) {
        made->tensors[i] = calloc(self->shards[i].layout->count, sizeof **made->tensors);
        complete = made->tensors[i] != NULL;
    }
    return complete ? HL_OK : hl_no_memory(error, "an atlas");
}

void touched_close(struct touched *self, size_t shards) {
    if (!self) return;
    for (size_t i = 0; self->tensors && i < shards; ++i) free(self->tensors[i]);
    free(self->tensors);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* ---- the work ---- */

enum { WHOLE = -1 };

/* A tensor of a shard, or the whole of it. */
typedef struct piece {
    size_t shard;
    ptrdiff_t tensor;
    hl_status result;
} piece;

typedef struct verification {
    const atlas *self;
    const hl_host *host;
    piece *pieces;
    size_t count;
} verification;

static hl_status verify_piece(const atlas *self, const piece *one, hl_error *error) {
    const shard_file *shard = &self->shards[one->shard];
    if (one->tensor == WHOLE) return shard_verify(shard, &self->manifest->shards[one->shard], error);
    return shard_verify_tensor(shard, (size_t)one->tensor, error);
}

static void verify_one(void *argument, size_t index) {
    const verification *job = argument;
    piece *one = &job->pieces[index];
    one->result = job->host->cancelled(job->host) ? HL_FAILED : verify_piece(job->self, one, NULL);
}

/* Damage is rare: what failed is read again for its message. */
static hl_status report(const verification *job, hl_error *error) {
    hl_status status = hl_check_cancelled(job->host, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < job->count; ++i) {
        if (job->pieces[i].result != HL_OK) return verify_piece(job->self, &job->pieces[i], error);
    }
    return HL_OK;
}

static hl_status verify(verification *job, hl_error *error) {
    job->host->parallel(job->host, job->count, verify_one, job);
    return report(job, error);
}

hl_status atlas_verify(const atlas *self, const hl_host *host, hl_error *error) {
    verification job = {self, host, calloc(self->opened + 1, sizeof *job.pieces), self->opened};
    if (!job.pieces) return hl_no_memory(error, "the results of all shards");
    for (size_t i = 0; i < self->opened; ++i) job.pieces[i] = (piece){.shard = i, .tensor = WHOLE};
    hl_status status = verify(&job, error);
    free(job.pieces);
    return status;
}

/* ---- what is to be done ---- */

enum { MOST_TENSORS = 2 }; /* of one part */

/* The tensors of a part that a shard has. */
static size_t tensors_of(const shard_layout *layout, atlas_part part, size_t out[MOST_TENSORS]) {
    size_t count = 0;
    switch (part.what) {
    case ATLAS_CODES:
        out[count++] = layout->codes + part.head;
        if (layout->scalars[part.head] != SIZE_MAX) out[count++] = layout->scalars[part.head];
        break;
    case ATLAS_HEAD_MOMENTS:
        out[count++] = layout->moments + part.head;
        break;
    case ATLAS_FIRST_CODES:
        out[count++] = layout->first + part.head;
        break;
    case ATLAS_EMBEDDINGS:
        out[count++] = layout->embedding;
        break;
    case ATLAS_OTHERS:
        out[count++] = layout->mlps;
        break;
    }
    return count;
}

static uint32_t column_of(atlas_what what) {
    static const uint32_t COLUMNS[] = {
        [ATLAS_FIRST_CODES] = ATLAS_FIRST, [ATLAS_EMBEDDINGS] = ATLAS_EMBEDDING, [ATLAS_OTHERS] = ATLAS_MLPS};
    return COLUMNS[what];
}

static hl_status check_columns(const atlas *self, const atlas_part *parts, size_t count, hl_error *error) {
    for (size_t i = 0; i < count; ++i) {
        uint32_t column = column_of(parts[i].what);
        if ((column & self->manifest->layout.columns) == column) continue;
        return hl_fail(error, HL_USAGE,
                       "the atlas has no column \"%s\"; `headlight index --columns %s` adds it",
                       atlas_column_name(column), atlas_column_name(column));
    }
    return HL_OK;
}

/* Marks a piece as being in the list; what fails is unmarked afterwards. */
static void add_piece(verification *job, size_t shard, size_t tensor) {
    bool *done = &job->self->touched->tensors[shard][tensor];
    if (*done) return;
    *done = true;
    job->pieces[job->count++] = (piece){.shard = shard, .tensor = (ptrdiff_t)tensor};
}

/* Without checksums of its own a tensor is right where the whole file is. */
static void add_whole(verification *job, size_t shard) {
    bool *tensors = job->self->touched->tensors[shard];
    if (tensors[0]) return;
    memset(tensors, true, job->self->shards[shard].layout->count * sizeof *tensors);
    job->pieces[job->count++] = (piece){.shard = shard, .tensor = WHOLE};
}

static void list_pieces(verification *job, const atlas_part *parts, size_t count) {
    for (size_t shard = 0; shard < job->self->opened; ++shard) {
        const shard_file *file = &job->self->shards[shard];
        for (size_t i = 0; i < count; ++i) {
            size_t tensors[MOST_TENSORS], found = tensors_of(file->layout, parts[i], tensors);
            for (size_t k = 0; k < found; ++k) {
                if (file->sums) {
                    add_piece(job, shard, tensors[k]);
                } else {
                    add_whole(job, shard);
                }
            }
        }
    }
}

/* What did not come out right is looked at again when it is next asked for. */
static void forget(const verification *job) {
    for (size_t i = 0; i < job->count; ++i) {
        const piece *one = &job->pieces[i];
        bool *tensors = job->self->touched->tensors[one->shard];
        size_t count = one->tensor == WHOLE ? job->self->shards[one->shard].layout->count : 1;
        if (one->result != HL_OK) {
            memset(tensors + (one->tensor == WHOLE ? 0 : one->tensor), false, count * sizeof *tensors);
        }
    }
}

hl_status atlas_touch(const atlas *self, const hl_host *host, const atlas_part *parts, size_t count,
                      hl_error *error) {
    hl_status status = check_columns(self, parts, count, error);
    if (status != HL_OK) return status;
    verification job = {self, host, calloc(self->opened * count * MOST_TENSORS + 1, sizeof *job.pieces), 0};
    if (!job.pieces) return hl_no_memory(error, "what is to be verified");
    pthread_mutex_lock(&self->touched->lock);
    list_pieces(&job, parts, count);
    if (job.count > 0) status = verify(&job, error);
    if (status != HL_OK) forget(&job);
    pthread_mutex_unlock(&self->touched->lock);
    free(job.pieces);
    return status;
}
