/* Any bytes as atlas.json, and as a shard of a small atlas: refused, or everything that it names is there. */
#include "core/atlas/shard_file.h"

#include "core/io/safetensors_write.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* A shard has the atlas's columns at least, and a checksum for each tensor or for none; a copy says the same.
 */
static void check_shards(manifest *of) {
    manifest *copy;
    hl_error error;
    for (size_t i = 0; i < of->shard_count; ++i) {
        const manifest_shard *shard = &of->shards[i];
        const shard_layout *layout;
        if (manifest_layout(of, shard->columns, &layout, &error) != HL_OK) abort();
        if ((shard->columns & of->layout.columns) != of->layout.columns) abort();
        if (shard->sums && shard->sums->count != layout->count) abort();
        for (size_t k = 0; shard->sums && k < layout->count; ++k) {
            if (strlen(shard->sums->tensors[k]) != CHECKSUM_ROOM - 1) abort();
        }
    }
    if (manifest_copy(of, &copy, &error) != HL_OK || manifest_difference(&copy->layout, &of->layout)) abort();
    manifest_free(copy);
}

static void read_manifest(const uint8_t *bytes, size_t count) {
    manifest *read;
    shard_layout layout;
    hl_error error;
    if (manifest_parse("fuzz", bytes, count, &read, &error) != HL_OK) return;
    if (strlen(read->layout.fingerprint) != 32 || read->layout.head_count == 0) abort();
    for (size_t i = 0; i < read->layout.head_count; ++i) {
        if (!*read->layout.heads[i].name || read->layout.heads[i].width == 0) abort();
    }
    if (shard_layout_make(&read->layout, &layout, &error) == HL_OK) shard_layout_free(&layout);
    check_shards(read);
    manifest_free(read);
}

/* Touches every byte that a reader may touch. */
static unsigned sum_shard(const shard_file *shard, const shard_layout *layout) {
    unsigned sum = 0;
    for (size_t i = 0; i < layout->count; ++i) {
        const shard_tensor *tensor = &layout->tensors[i];
        const uint8_t *data = shard->data[i];
        size_t rows = tensor->extent == SHARD_FIXED      ? 1
                      : tensor->extent == SHARD_IMAGES   ? shard->images
                      : tensor->extent == SHARD_LEFT_OUT ? shard->skipped
                                                         : 0;
        for (size_t k = 0; k < rows * tensor->row * safetensors_item(tensor->dtype); ++k) sum += data[k];
    }
    for (size_t i = 0; i < shard->images; ++i) sum += (unsigned)strlen(shard->paths[i]);
    for (size_t i = 0; i < shard->skipped; ++i) {
        sum += (unsigned)(strlen(shard->skips[i].path) + strlen(shard->skips[i].reason));
    }
    return sum;
}

/* With its own checksums it is right again, whatever its numbers are. */
static void check_sums(mapping file, manifest_shard expected, const shard_layout *layout,
                       const shard_file *read) {
    shard_file again;
    hl_error error;
    expected.sums = shard_sum(read);
    if (!expected.sums || shard_parse("fuzz", file, &expected, layout, &again, &error) != HL_OK) abort();
    for (size_t i = 0; i < layout->count; ++i) {
        hl_status status = shard_verify_tensor(&again, i, &error);
        if (status != HL_OK && status != HL_FAILED) abort();
    }
    again.file = (mapping){0};
    shard_close(&again);
    shard_sums_drop(expected.sums);
}

static void read_shard(const uint8_t *bytes, size_t count, uint64_t images, uint64_t skipped) {
    static atlas_head head = {"L0.H0", 0, 0, 2, 1, HL_PER_IMAGE};
    const atlas_layout atlas_of = {
        .model = "m", .fingerprint = "f", .embed_dim = 2, .dtype = HL_F16, .heads = &head, .head_count = 1};
    const manifest_shard expected = {.images = images, .skipped = skipped, .bytes = count};
    shard_layout layout;
    shard_file shard;
    hl_error error;
    if (shard_layout_make(&atlas_of, &layout, &error) != HL_OK) return;
    uint64_t *copy = malloc(count + 8); /* as aligned as a mapped file */
    if (copy) {
        memcpy(copy, bytes, count);
        const mapping file = {.bytes = (const uint8_t *)copy, .count = count};
        if (shard_parse("fuzz", file, &expected, &layout, &shard, &error) == HL_OK) {
            if (sum_shard(&shard, &layout) == UINT_MAX) abort(); /* so that the sum is needed */
            check_sums(file, expected, &layout, &shard);
            shard.file = (mapping){0}; /* no mapped file */
            shard_close(&shard);
        }
    }
    free(copy);
    shard_layout_free(&layout);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    read_manifest(bytes, count);
    read_shard(bytes, count, 2, 1);
    read_shard(bytes, count, 0, 0);
    return 0;
}
