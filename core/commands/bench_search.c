/* `headlight bench --search`: how long the search takes for one head of a large atlas, beside the time that
 * reading the same bytes once takes.
 *
 * The atlas is made of random codes in a temporary folder. Head after head is asked and read, so that neither
 * finds its bytes in the processor's caches; a first round brings the file into memory. Knows no model. */
#include "core/atlas/search.h"
#include "core/atlas/writer.h"
#include "core/commands/bench_folder.h"
#include "core/commands/median.h"
#include "core/commands/peak.h"
#include "core/host/library.h"
#include "core/io/call.h"
#include "core/io/folder.h"

#include <cJSON.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last four layers of ViT-B-16; eight neighbours. */
enum { LAYERS = 4, HEADS = 12, ALL_HEADS = LAYERS * HEADS, WIDTH = 64, SCALARS = 3, EMBED_DIM = 512 };
enum { NEIGHBORS = 8, IMAGES_BETWEEN_REPORTS = 1000 };

typedef struct search_bench {
    const hl_search_bench_request *request;
    host *host;
    char folder[BENCH_FOLDER];
    bool made; /* the folder */
    atlas *images;
    uint32_t random;
    double *query_seconds, *read_seconds; /* of each run and head */
} search_bench;

static float random_number(search_bench *self) {
    self->random = self->random * 1664525u + 1013904223u;
    return (float)(self->random >> 8) / 8388608.0f - 1.0f;
}

/* ---- the atlas ---- */

static hl_status fill_shard(search_bench *self, shard_builder *shard, size_t first, size_t count,
                            hl_error *error) {
    const hl_host *interface = &self->host->interface;
    float code[WIDTH + SCALARS];
    hl_status status = HL_OK;
    for (size_t image = first; image < first + count && status == HL_OK; ++image) {
        char path[32];
        snprintf(path, sizeof path, "%08zu.jpg", image);
        status = shard_builder_add(shard, (shard_image){path, 0, 0}, error);
        for (size_t k = 0; k < SCALARS; ++k) code[WIDTH + k] = random_number(self);
        for (size_t head = 0; head < ALL_HEADS && status == HL_OK; ++head) {
            for (size_t k = 0; k < WIDTH; ++k) code[k] = random_number(self);
            status = shard_builder_code(shard, head, code, error);
        }
        if (image % IMAGES_BETWEEN_REPORTS != 0) continue;
        if (status == HL_OK) status = hl_check_cancelled(interface, error);
        call_progress("making an atlas", "image", image, self->request->images);
    }
    return status;
}

static hl_status write_shards(search_bench *self, atlas_writer *writer, hl_error *error) {
    size_t size = (size_t)atlas_writer_manifest(writer)->shard_size, images = self->request->images;
    hl_status status = HL_OK;
    for (size_t first = 0; first < images && status == HL_OK; first += size) {
        size_t count = images - first < size ? images - first : size;
        shard_builder *shard;
        status = shard_builder_open(atlas_writer_layout(writer), count, &shard, error);
        if (status == HL_OK) status = fill_shard(self, shard, first, count, error);
        if (status == HL_OK) status = atlas_writer_append(writer, shard, &self->host->interface, error);
        shard_builder_close(shard);
    }
    return status;
}

static hl_status make_atlas(search_bench *self, hl_error *error) {
    char names[ALL_HEADS][32];
    atlas_head heads[ALL_HEADS];
    for (int i = 0; i < ALL_HEADS; ++i) {
        snprintf(names[i], sizeof names[i], "L%d.H%d", i / HEADS, i % HEADS);
        heads[i] = (atlas_head){names[i], i / HEADS, i % HEADS, WIDTH, SCALARS, HL_PER_IMAGE};
    }
    atlas_layout layout = {.model = "random",
                           .fingerprint = "00000000000000000000000000000000",
                           .embed_dim = EMBED_DIM,
                           .dtype = HL_F16,
                           .heads = heads,
                           .head_count = ALL_HEADS};
    atlas_writer *writer = NULL;
    hl_status status = bench_folder_make(self->folder, error);
    self->made = status == HL_OK;
    if (status == HL_OK) status = atlas_writer_open(self->folder, &layout, 0, &writer, error);
    if (status == HL_OK) status = write_shards(self, writer, error);
    atlas_writer_close(writer);
    return status == HL_OK ? atlas_open(self->folder, &self->images, error) : status;
}

/* ---- reading ---- */

typedef struct reading {
    const atlas *images;
    size_t head;
    atomic_uint sum; /* so that no byte can be left out */
} reading;

static unsigned add_words(const void *bytes, size_t count) {
    const char *from = bytes;
    unsigned sum = 0;
    for (size_t i = 0; i < count; i += sizeof sum) {
        unsigned word;
        memcpy(&word, from + i, sizeof word);
        sum += word;
    }
    return sum;
}

static void read_shard(void *argument, size_t shard) {
    reading *self = argument;
    size_t count = atlas_shard_at(self->images, shard).count;
    unsigned sum = add_words(atlas_codes(self->images, shard, self->head), count * WIDTH * 2);
    sum += add_words(atlas_scalars(self->images, shard, self->head), count * SCALARS * sizeof(float));
    atomic_fetch_add(&self->sum, sum);
}

static double time_reading(const search_bench *self, size_t head) {
    const hl_host *interface = &self->host->interface;
    reading bytes = {.images = self->images, .head = head};
    double start = peak_clock();
    interface->parallel(interface, atlas_shard_count(self->images), read_shard, &bytes);
    return peak_clock() - start;
}

/* ---- asking ---- */

static hl_status time_query(search_bench *self, size_t head, double *seconds, hl_error *error) {
    float query[WIDTH + SCALARS];
    for (size_t i = 0; i < WIDTH + SCALARS; ++i) query[i] = random_number(self);
    search_part part = {.index = head, .query = query};
    search_request request = {.parts = &part, .part_count = 1, .count = NEIGHBORS};
    search_hit hits[NEIGHBORS];
    size_t found;
    double start = peak_clock();
    hl_status status = atlas_search(self->images, &self->host->interface, &request, hits, &found, error);
    *seconds = peak_clock() - start;
    return status;
}

/* Reading follows half of the heads behind asking. */
static hl_status measure(search_bench *self, hl_error *error) {
    for (size_t head = 0; head < ALL_HEADS; ++head) time_reading(self, head);
    hl_status status = HL_OK;
    for (size_t i = 0; i < (size_t)self->request->runs * ALL_HEADS && status == HL_OK; ++i) {
        status = time_query(self, i % ALL_HEADS, &self->query_seconds[i], error);
        self->read_seconds[i] = time_reading(self, (i + ALL_HEADS / 2) % ALL_HEADS);
    }
    return status;
}

/* ---- what is printed ---- */

static hl_status print_json(const search_bench *self, double query, double read, FILE *out, hl_error *error) {
    const hl_host *interface = &self->host->interface;
    cJSON *object = cJSON_CreateObject();
    bool complete = cJSON_AddNumberToObject(object, "images", (double)self->request->images) &&
                    cJSON_AddNumberToObject(object, "threads", interface->threads(interface)) &&
                    cJSON_AddNumberToObject(object, "runs", self->request->runs) &&
                    cJSON_AddNumberToObject(object, "query_seconds", query) &&
                    cJSON_AddNumberToObject(object, "read_seconds", read) &&
                    cJSON_AddNumberToObject(object, "ratio", query / read);
    char *line = complete ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (!line) return hl_no_memory(error, "a line of JSON");
    fprintf(out, "%s\n", line);
    cJSON_free(line);
    return HL_OK;
}

static void print_table(const search_bench *self, double query, double read, FILE *out) {
    const hl_host *interface = &self->host->interface;
    fprintf(out, "one head of width %d over %zu images, f16, the best %d by dot product\n", WIDTH,
            self->request->images, NEIGHBORS);
    fprintf(out, "%8s %15s %17s %6s\n", "threads", "milliseconds", "reading its bytes", "ratio");
    fprintf(out, "%8u %15.3f %17.3f %6.2f\n", interface->threads(interface), query * 1e3, read * 1e3,
            query / read);
}

static hl_status print(const search_bench *self, FILE *out, hl_error *error) {
    size_t count = (size_t)self->request->runs * ALL_HEADS;
    double query = median(self->query_seconds, count), read = median(self->read_seconds, count);
    hl_status status = HL_OK;
    if (self->request->json) {
        status = print_json(self, query, read, out, error);
    } else {
        print_table(self, query, read, out);
    }
    if (status == HL_OK && fflush(out) != 0) {
        return hl_fail(error, HL_FAILED, "the measurements cannot be written: is the disk full?");
    }
    return status;
}

/* ---- all together ---- */

static void close_bench(search_bench *self) {
    atlas_close(self->images);
    if (self->made) folder_remove(self->folder);
    free(self->query_seconds);
    free(self->read_seconds);
    host_close(self->host);
}

static hl_status allocate(search_bench *self, hl_error *error) {
    size_t count = (size_t)self->request->runs * ALL_HEADS;
    self->query_seconds = calloc(count, sizeof(double));
    self->read_seconds = calloc(count, sizeof(double));
    if (self->query_seconds && self->read_seconds) return HL_OK;
    return hl_no_memory(error, "the measurements");
}

static hl_status bench_search(hl_library *library, const hl_search_bench_request *request, FILE *out,
                              hl_error *error) {
    if (request->images == 0 || request->runs == 0) {
        return hl_fail(error, HL_USAGE, "a benchmark needs at least one image and one run");
    }
    search_bench self = {.request = request, .random = 1};
    hl_status status = host_open(&library->settings, request->threads, &self.host, error);
    if (status == HL_OK) status = allocate(&self, error);
    if (status == HL_OK) status = make_atlas(&self, error);
    if (status == HL_OK) status = measure(&self, error);
    if (status == HL_OK) status = print(&self, out, error);
    close_bench(&self);
    return status;
}

hl_status hl_bench_search(hl_library *library, const hl_call *call, const hl_search_bench_request *request,
                          FILE *out, hl_error *error) {
    hl_search_bench_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_search_bench_request", error);
    if (status == HL_OK) status = bench_search(library, &own, out, error);
    call_end(&scope);
    return status;
}
