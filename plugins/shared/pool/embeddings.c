/* The embeddings of a pool's texts, piece by piece from the disk or the model. */
#include "pool.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

/* A piece is what an interruption loses at most. */
enum { PIECE = 1024, KEY_ROOM = 160 };

typedef struct embedding_job {
    const hl_ask *ask;
    const pool *from;
    size_t dim;
    float *vectors;
    char probe[33]; /* of what this backend makes of the first text */
    bool told;
} embedding_job;

static void write_digest(XXH128_hash_t hash, char out[33]) {
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);
    for (size_t i = 0; i < 16; ++i) snprintf(out + 2 * i, 3, "%02x", bytes.digest[i]);
}

/* What is kept belongs to a model; which backend, and in what precision, shows in what it makes of a text. */
static hl_status probe(embedding_job *job, hl_error *error) {
    hl_status status = job->ask->encode_texts(job->ask, job->from->texts, 1, job->vectors, error);
    if (status == HL_OK)
        write_digest(XXH3_128bits(job->vectors, job->dim * sizeof *job->vectors), job->probe);
    return status;
}

/* By the texts themselves, each with its NUL. False: no memory. */
static bool make_key(const embedding_job *job, size_t first, size_t count, char out[KEY_ROOM]) {
    char digest[33];
    XXH3_state_t *state = XXH3_createState();
    if (!state) return false;
    XXH3_128bits_reset(state);
    for (size_t i = first; i < first + count; ++i) {
        XXH3_128bits_update(state, job->from->texts[i], strlen(job->from->texts[i]) + 1);
    }
    write_digest(XXH3_128bits_digest(state), digest);
    XXH3_freeState(state);
    snprintf(out, KEY_ROOM, "embeddings 1 of %zu texts x %zu: %s by %s", count, job->dim, digest, job->probe);
    return true;
}

static bool is_unit(const float *vector, size_t dim) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += (double)vector[i] * (double)vector[i];
    return fabs(square - 1) < 1e-3; /* false for what is no number */
}

/* False: not there, or not what was remembered. */
static bool recall(const embedding_job *job, const char *key, size_t first, size_t count) {
    void *bytes;
    size_t size, expected = count * job->dim * sizeof(float);
    job->ask->recall(job->ask, key, &bytes, &size);
    bool sound = bytes && size == expected;
    float *into = job->vectors + first * job->dim;
    if (sound) memcpy(into, bytes, size);
    free(bytes);
    for (size_t i = 0; i < count && sound; ++i) sound = is_unit(into + i * job->dim, job->dim);
    return sound;
}

static hl_status encode(embedding_job *job, const char *key, size_t first, size_t count, hl_error *error) {
    const hl_ask *ask = job->ask;
    const hl_host *host = ask->host;
    float *into = job->vectors + first * job->dim;
    if (!job->told && job->from->count > PIECE) {
        host->log(host, HL_LOG_INFO, "%s: encoding %zu texts, %d at a time, which are kept from then on",
                  job->from->path, job->from->count - first, PIECE);
        job->told = true;
    }
    hl_status status = ask->encode_texts(ask, job->from->texts + first, count, into, error);
    if (status == HL_OK) ask->remember(ask, key, into, count * job->dim * sizeof *into);
    return status;
}

static hl_status fill(embedding_job *job, hl_error *error) {
    size_t count;
    hl_status status = probe(job, error);
    for (size_t first = 0; first < job->from->count && status == HL_OK; first += count) {
        char key[KEY_ROOM];
        count = job->from->count - first < PIECE ? job->from->count - first : PIECE;
        status = hl_check_cancelled(job->ask->host, error);
        if (status != HL_OK) return status;
        if (!make_key(job, first, count, key)) return hl_no_memory(error, "embeddings of a pool");
        bool kept = recall(job, key, first, count);
        /* The host notes which texts are cut: it must see those too that were kept. */
        status = kept ? job->ask->encode_texts(job->ask, job->from->texts + first, count, NULL, error)
                      : encode(job, key, first, count, error);
    }
    return status;
}

hl_status pool_embeddings(const hl_ask *ask, const pool *self, float **out, hl_error *error) {
    const hl_host *host = ask->host;
    size_t dim = ask->model->embed_dim;
    embedding_job job = {.ask = ask,
                         .from = self,
                         .dim = dim,
                         .vectors = host->allocate(host, self->count * dim, sizeof(float))};
    hl_status status = job.vectors ? fill(&job, error) : hl_no_memory(error, "embeddings of a pool");
    *out = status == HL_OK ? job.vectors : NULL;
    if (status != HL_OK) host->release(host, job.vectors);
    return status;
}
