/* The atlas's files from inside: what is written comes back, sizes, moments, and everything that damage can
 * do to atlas.json and to a shard. No model takes part. */
#include "core/atlas/opened.h"
#include "core/atlas/writer.h"
#include "core/host/host.h"
#include "core/io/convert.h"
#include "core/io/safetensors_write.h"
#include "core/weights/safetensors.h"
#include "core/weights/weights.h"
#include "tests/support.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a synthetic model ---- */

enum { MOST_HEADS = 48, MOST_WIDTH = 64, SCALARS = 3 };

typedef struct synthetic {
    atlas_layout layout;
    atlas_head heads[MOST_HEADS];
    char names[MOST_HEADS][16];
} synthetic;

static const char *const FINGERPRINT = "00112233445566778899aabbccddeeff";

static void make_layout(synthetic *out, int32_t layers, int32_t heads, uint32_t width, hl_dtype dtype,
                        uint32_t columns) {
    out->layout = (atlas_layout){.model = "synthetic",
                                 .fingerprint = FINGERPRINT,
                                 .embed_dim = 7,
                                 .dtype = dtype,
                                 .columns = columns,
                                 .mlps = columns & ATLAS_MLPS ? 3 : 0,
                                 .heads = out->heads,
                                 .head_count = (size_t)(layers * heads)};
    for (int32_t i = 0; i < layers * heads; ++i) {
        snprintf(out->names[i], sizeof out->names[i], "L%d.H%d", 8 + i / heads, i % heads);
        out->heads[i] = (atlas_head){out->names[i], 8 + i / heads, i % heads, width, SCALARS, HL_PER_IMAGE};
    }
}

/* Numbers between -1 and 1 that follow from image, head and place. */
static float number(size_t image, size_t head, size_t place) {
    uint32_t state = (uint32_t)(image * 7919 + head * 104729 + place * 31 + 1);
    for (int i = 0; i < 3; ++i) state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}

static void make_code(const synthetic *of, size_t image, size_t head, float *code) {
    const atlas_head *shape = &of->heads[head];
    size_t group = shape->scope == HL_PER_LAYER ? (size_t)shape->layer : 1000;
    for (uint32_t i = 0; i < shape->width; ++i) code[i] = number(image, head, i);
    for (uint32_t i = 0; i < shape->scalar_count; ++i) code[shape->width + i] = number(image, group, i);
}

static void add_image(const synthetic *of, const shard_layout *tensors, shard_builder *to, size_t image) {
    float numbers[MOST_WIDTH + SCALARS];
    hl_error error;
    char *path = text("a folder/photographs/img_%06zu.jpg", image);
    assert_ok(shard_builder_add(to, (shard_image){path, (int64_t)image, 1000 + (int64_t)image}, &error),
              error);
    for (size_t i = 0; i < of->layout.head_count; ++i) {
        make_code(of, image, i, numbers);
        assert_ok(shard_builder_code(to, i, numbers, &error), error);
        if (of->layout.columns & ATLAS_FIRST) {
            assert_ok(shard_builder_row(to, tensors->first + i, numbers, &error), error);
        }
    }
    for (size_t i = 0; i < 21; ++i) numbers[i] = number(image, 2000, i);
    if (of->layout.columns & ATLAS_EMBEDDING) {
        assert_ok(shard_builder_row(to, tensors->embedding, numbers, &error), error);
    }
    if (of->layout.columns & ATLAS_MLPS)
        assert_ok(shard_builder_row(to, tensors->mlps, numbers, &error), error);
    free(path);
}

static host *open_host(void) {
    const hl_library_settings settings = {.user = NULL};
    host *made;
    hl_error error;
    assert_ok(host_open(&settings, 2, &made, &error), error);
    return made;
}

static atlas_writer *open_writer(const char *folder, const synthetic *of, size_t shard_size) {
    atlas_writer *writer;
    hl_error error;
    assert_ok(atlas_writer_open(folder, &of->layout, shard_size, &writer, &error), error);
    return writer;
}

/* Appends a shard with images [first, first + count) and as many skipped ones as asked. */
static void append(atlas_writer *writer, const synthetic *of, size_t first, size_t count, size_t skipped) {
    const shard_layout *tensors = atlas_writer_layout(writer);
    host *services = open_host();
    shard_builder *shard;
    hl_error error;
    assert_ok(shard_builder_open(tensors, count + skipped, &shard, &error), error);
    for (size_t i = 0; i < count; ++i) add_image(of, tensors, shard, first + i);
    for (size_t i = 0; i < skipped; ++i) {
        shard_image image = {"broken.jpg", 5, 6};
        assert_ok(shard_builder_skip(shard, image, "it is truncated", &error), error);
    }
    assert_ok(atlas_writer_append(writer, shard, &services->interface, &error), error);
    shard_builder_close(shard);
    host_close(services);
}

/* An atlas of the layout, `count` images in shards of `size`. */
static char *make_atlas(const synthetic *of, size_t count, size_t size) {
    char *folder = make_folder();
    atlas_writer *writer = open_writer(folder, of, size);
    for (size_t i = 0; i < count; i += size) append(writer, of, i, count - i < size ? count - i : size, 0);
    atlas_writer_close(writer);
    return folder;
}

static atlas *open_atlas(const char *folder) {
    atlas *opened;
    hl_error error;
    assert_ok(atlas_open(folder, &opened, &error), error);
    return opened;
}

/* ---- what is written comes back ---- */

static float stored(const void *codes, hl_dtype dtype, size_t index) {
    float value = 0;
    if (dtype == HL_F16) {
        convert_f16((const uint8_t *)codes + 2 * index, 1, &value);
    } else {
        memcpy(&value, (const uint8_t *)codes + 4 * index, sizeof value);
    }
    return value;
}

static void assert_shard(const synthetic *of, const atlas *opened, size_t shard) {
    atlas_shard place = atlas_shard_at(opened, shard);
    double worst = of->layout.dtype == HL_F16 ? 1.0 / 2048 : 0;
    float code[MOST_WIDTH + SCALARS];
    for (size_t head = 0; head < of->layout.head_count; ++head) {
        const atlas_head *shape = &of->heads[head];
        const void *codes = atlas_codes(opened, shard, head);
        const float *scalars = atlas_scalars(opened, shard, head);
        assert_int_equal((uintptr_t)codes % 8, 0);
        for (size_t i = 0; i < place.count; ++i) {
            make_code(of, place.first + i, head, code);
            for (size_t k = 0; k < shape->width; ++k) {
                double got = (double)stored(codes, of->layout.dtype, i * shape->width + k);
                assert_true(fabs(got - (double)code[k]) <= worst * fabs((double)code[k]) + worst * 1e-4);
            }
            if (shape->scalar_count == 0) continue;
            assert_memory_equal(scalars + i * shape->scalar_count, code + shape->width,
                                shape->scalar_count * sizeof *scalars);
        }
    }
}

/* Sums over the codes as they are stored, in the plainest way. */
static void assert_moments(const synthetic *of, const atlas *opened, size_t shard) {
    size_t images = atlas_shard_at(opened, shard).count;
    for (size_t head = 0; head < of->layout.head_count; ++head) {
        size_t width = of->heads[head].width, n = width + of->heads[head].scalar_count;
        const void *codes = atlas_codes(opened, shard, head);
        const float *scalars = atlas_scalars(opened, shard, head);
        const double *moments = atlas_moments(opened, shard, head);
        double *y = calloc(images * n, sizeof *y);
        for (size_t i = 0; i < images; ++i) {
            for (size_t k = 0; k < width; ++k) {
                y[i * n + k] = (double)stored(codes, of->layout.dtype, i * width + k);
            }
            for (size_t k = width; k < n; ++k) y[i * n + k] = (double)scalars[i * (n - width) + k - width];
        }
        for (size_t a = 0; a < n; ++a) {
            double sum = 0;
            for (size_t i = 0; i < images; ++i) sum += y[i * n + a];
            assert_true(fabs(sum - moments[a]) <= 1e-12 * (double)images);
            for (size_t b = 0; b <= a; ++b) {
                double product = 0;
                for (size_t i = 0; i < images; ++i) product += y[i * n + a] * y[i * n + b];
                assert_true(fabs(product - moments[n + a * (a + 1) / 2 + b]) <= 1e-12 * (double)images);
            }
        }
        free(y);
    }
}

static void check_round_trip(synthetic *of, size_t count, size_t size) {
    char *folder = make_atlas(of, count, size);
    atlas *opened = open_atlas(folder);
    host *services = open_host();
    hl_error error;
    assert_ok(atlas_verify(opened, &services->interface, &error), error);
    assert_int_equal(atlas_count(opened), count);
    assert_int_equal(atlas_shard_count(opened), (count + size - 1) / size);
    assert_null(manifest_difference(atlas_layout_of(opened), &of->layout));
    assert_string_equal(atlas_layout_of(opened)->model, "synthetic");
    for (size_t i = 0; i < atlas_shard_count(opened); ++i) {
        assert_shard(of, opened, i);
        assert_moments(of, opened, i);
    }
    for (size_t i = 0; i < count; ++i) {
        char *path = text("a folder/photographs/img_%06zu.jpg", i);
        assert_string_equal(atlas_path(opened, i), path);
        free(path);
    }
    assert_int_equal(atlas_find_head(opened, of->names[1]), 1);
    assert_int_equal(atlas_find_head(opened, "L99.H0"), SIZE_MAX);
    atlas_close(opened);
    host_close(services);
    remove_folder(folder);
}

/* Reading all bytes to verify them gives pages back, and changes nothing of what is known of the images. */
static void test_known_after_verifying(void **state) {
    (void)state;
    enum { IMAGES = 3000 };
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_atlas(&of, IMAGES, IMAGES);
    atlas *opened = open_atlas(folder);
    host *services = open_host();
    hl_error error;
    assert_ok(atlas_verify(opened, &services->interface, &error), error);
    for (size_t i = 0; i < IMAGES; ++i) {
        int64_t bytes, modified;
        atlas_file_of(opened, i, &bytes, &modified);
        assert_int_equal(bytes, (int64_t)i);
        assert_int_equal(modified, 1000 + (int64_t)i);
    }
    atlas_close(opened);
    host_close(services);
    remove_folder(folder);
}

/* Odd widths and counts are where alignment is hardest. */
static void test_round_trip(void **state) {
    (void)state;
    synthetic of;
    const hl_dtype dtypes[] = {HL_F16, HL_F32};
    const uint32_t widths[] = {16, 5, 1, 6};
    for (size_t d = 0; d < 2; ++d) {
        for (size_t w = 0; w < 4; ++w) {
            make_layout(&of, 2, 2, widths[w], dtypes[d], 0);
            check_round_trip(&of, 13, 5);
            make_layout(&of, 1, 3, widths[w], dtypes[d], ATLAS_EMBEDDING | ATLAS_MLPS | ATLAS_FIRST);
            check_round_trip(&of, 7, 7);
        }
    }
}

/* Further numbers by layer, or none at all. */
static void test_scalars(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 2, 2, 4, HL_F16, 0);
    for (size_t i = 0; i < 4; ++i) of.heads[i].scope = HL_PER_LAYER;
    of.heads[2].scalar_count = of.heads[3].scalar_count = 1;
    check_round_trip(&of, 9, 4);
    for (size_t i = 0; i < 4; ++i) of.heads[i].scalar_count = 0;
    check_round_trip(&of, 9, 4);

    of.heads[0].scalar_count = 1;
    of.heads[1].scalar_count = 2; /* of the same layer */
    shard_layout tensors;
    hl_error error;
    assert_int_equal(shard_layout_make(&of.layout, &tensors, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "L8.H1"));
}

static void test_columns(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 2, 5, HL_F32, ATLAS_EMBEDDING | ATLAS_MLPS | ATLAS_FIRST);
    char *folder = make_atlas(&of, 6, 4);
    atlas *opened = open_atlas(folder);
    float code[MOST_WIDTH + SCALARS];
    for (size_t i = 0; i < 6; ++i) {
        const shard_file *shard = &opened->shards[i / 4];
        const float *embedding = shard->data[opened->layout->embedding],
                    *mlps = shard->data[opened->layout->mlps];
        const float *first = shard->data[opened->layout->first + 1];
        make_code(&of, i, 1, code);
        assert_memory_equal(first + i % 4 * 5, code, 5 * sizeof *code);
        for (size_t k = 0; k < 7; ++k) assert_true(embedding[i % 4 * 7 + k] == number(i, 2000, k));
        for (size_t k = 0; k < 21; ++k) assert_true(mlps[i % 4 * 21 + k] == number(i, 2000, k));
    }
    atlas_close(opened);
    remove_folder(folder);
}

/* Other readers see plain safetensors: every tensor of atlas.h, nothing unaligned. */
static void test_is_safetensors(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 2, 5, HL_F16, 0);
    char *folder = make_atlas(&of, 3, 3), *path = text("%s/shard-000000.safetensors", folder);
    hl_weights *stored_tensors;
    hl_error error;
    assert_ok(weights_api.open(path, &stored_tensors, &error), error);
    const char *const names[] = {"codes.L8.H0", "codes.L8.H1", "scalars",  "moments.L8.H0", "moments.L8.H1",
                                 "paths",       "bytes",       "modified", "skipped"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        assert_non_null(weights_api.find(stored_tensors, names[i]));
    }
    const hl_stored_tensor *codes = weights_api.find(stored_tensors, "codes.L8.H1");
    assert_int_equal(codes->dtype, HL_F16);
    assert_int_equal(codes->rank, 2);
    assert_int_equal(codes->shape[0], 3);
    assert_int_equal(codes->shape[1], 5);
    assert_non_null(weights_api.find(stored_tensors, "padding.6")); /* 3 x 5 x 2 bytes are no multiple of 8 */
    weights_api.close(stored_tensors);
    free(path);
    remove_folder(folder);
}

/* What other tools say: codes, scalars and paths of a usual model take at most 6,300 bytes an image. */
static void test_size(void **state) {
    (void)state;
    enum { IMAGES = 10000, SHARD = 1024 };
    synthetic of;
    make_layout(&of, 4, 12, 64, HL_F16, 0);
    char *folder = make_atlas(&of, IMAGES, SHARD);
    atlas *opened = open_atlas(folder);
    size_t bytes = 0, moments = 0;
    for (size_t i = 0; i < atlas_shard_count(opened); ++i) {
        bytes += opened->shards[i].file.count;
        for (size_t head = 0; head < 48; ++head) moments += 8 * shard_moment_count(&of.heads[head]);
    }
    print_message("%.1f bytes an image, and %.1f of moments\n", (double)(bytes - moments) / IMAGES,
                  (double)moments / IMAGES);
    assert_true(bytes - moments <= (size_t)6300 * IMAGES);
    assert_shard(&of, opened, 9);
    assert_moments(&of, opened, 9);
    atlas_close(opened);
    remove_folder(folder);
}

/* ---- numbers that cannot be stored ---- */

static hl_status store_one(hl_dtype dtype, float value, hl_error *error) {
    synthetic of;
    make_layout(&of, 1, 2, 4, dtype, 0);
    shard_layout tensors;
    shard_builder *shard;
    assert_ok(shard_layout_make(&of.layout, &tensors, error), *error);
    assert_ok(shard_builder_open(&tensors, 1, &shard, error), *error);
    assert_ok(shard_builder_add(shard, (shard_image){"x/y.jpg", 1, 1}, error), *error);
    const float code[] = {1, 2, value, 4, 5, 6, 7};
    assert_ok(shard_builder_code(shard, 0, (const float[]){1, 2, 3, 4, 5, 6, 7}, error), *error);
    hl_status status = shard_builder_code(shard, 1, code, error);
    shard_builder_close(shard);
    shard_layout_free(&tensors);
    return status;
}

static void test_range(void **state) {
    (void)state;
    hl_error error;
    assert_int_equal(store_one(HL_F16, 65519.9f, &error), HL_OK);
    assert_int_equal(store_one(HL_F16, 65520, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "x/y.jpg"));
    assert_non_null(strstr(error.message, "L8.H1"));
    assert_non_null(strstr(error.message, "f32"));
    assert_int_equal(store_one(HL_F16, -1e6f, &error), HL_FAILED);
    assert_int_equal(store_one(HL_F16, NAN, &error), HL_FAILED);
    assert_int_equal(store_one(HL_F32, 1e30f, &error), HL_OK);
    assert_int_equal(store_one(HL_F32, INFINITY, &error), HL_FAILED);
    assert_int_equal(store_one(HL_F32, NAN, &error), HL_FAILED);
}

typedef struct rounding {
    float value;
    uint16_t half;
} rounding;

/* Ties to even, subnormals, the ends of the range. */
static const rounding ROUNDINGS[] = {
    {0.0f, 0x0000},
    {-0.0f, 0x8000},
    {1.0f, 0x3c00},
    {-2.0f, 0xc000},
    {1.00048828125f, 0x3c00},
    {1.00146484375f, 0x3c02},
    {1.0005f, 0x3c01},
    {65504.0f, 0x7bff},
    {65519.0f, 0x7bff},
    {6.103515625e-5f, 0x0400},
    {5.9604644775390625e-8f, 0x0001},
    {2.98023223876953125e-8f, 0x0000},
    {2.9802326e-8f, 0x0001},
    {8.940696716308594e-8f, 0x0002},
    {6.0975552e-5f, 0x03ff},
    {1e-30f, 0x0000},
    {1e-40f, 0x0000},
    {6.1006e-5f, 0x0400},
};

static void test_rounding(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ROUNDINGS / sizeof *ROUNDINGS; ++i) {
        uint8_t bytes[2];
        uint16_t half;
        assert_int_equal(convert_to_f16(&ROUNDINGS[i].value, 1, bytes), 1);
        memcpy(&half, bytes, sizeof half);
        if (half != ROUNDINGS[i].half) fail_msg("%g became %04x", (double)ROUNDINGS[i].value, half);
    }
    for (uint32_t half = 0; half < 0x7c00; ++half) { /* every number that f16 has comes back as it is */
        uint16_t bits = (uint16_t)half, again;
        float value;
        uint8_t bytes[2];
        convert_f16((const uint8_t *)&bits, 1, &value);
        assert_int_equal(convert_to_f16(&value, 1, bytes), 1);
        memcpy(&again, bytes, sizeof again);
        assert_int_equal(again, bits);
    }
}

/* Heads that a model declares to share numbers must agree on them. */
static void test_disagreeing_scalars(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 2, 1, HL_F16, 0);
    shard_layout tensors;
    shard_builder *shard;
    hl_error error;
    assert_ok(shard_layout_make(&of.layout, &tensors, &error), error);
    assert_ok(shard_builder_open(&tensors, 1, &shard, &error), error);
    assert_ok(shard_builder_add(shard, (shard_image){"y.jpg", 1, 1}, &error), error);
    assert_ok(shard_builder_code(shard, 0, (const float[]){1, 2, 3, 4}, &error), error);
    assert_int_equal(shard_builder_code(shard, 1, (const float[]){1, 2, 3, 5}, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "L8.H0 and L8.H1"));
    shard_builder_close(shard);
    shard_layout_free(&tensors);
}

/* ---- the folder ---- */

static void test_foreign_folder(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_folder(), *file = text("%s/thesis.txt", folder);
    write_text(file, "years of work");
    atlas_writer *writer;
    hl_error error;
    assert_int_equal(atlas_writer_open(folder, &of.layout, 0, &writer, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "thesis.txt"));
    assert_int_equal(count_files(folder), 1);
    free(file);
    remove_folder(folder);
}

static void test_nothing_left(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_folder(), *inside = text("%s/atlas", folder);
    atlas_writer_close(open_writer(inside, &of, 0));
    assert_int_equal(count_files(folder), 0);
    free(inside);
    remove_folder(folder);
}

static void put(const char *folder, const char *name) {
    char *path = text("%s/%s", folder, name);
    write_text(path, "rest");
    free(path);
}

/* What a killed process was writing goes; what is not this module's stays, whatever its name. */
static void test_leftovers(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_atlas(&of, 4, 2);
    put(folder, "shard-000002.safetensors");
    char *staging = text("%s/.headlight-tmp-abc123", folder);
    assert_int_equal(mkdir(staging, 0700), 0);
    put(staging, "lock");
    put(staging, "new-0");
    put(folder, "notes.txt");
    put(folder, "shard-2.safetensors");
    assert_int_equal(count_files(folder), 8);
    atlas_writer_close(open_writer(folder, &of, 0));
    assert_int_equal(count_files(folder), 7);
    atlas_close(open_atlas(folder));
    free(staging);
    remove_folder(folder);
}

static void test_lock(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_folder();
    atlas_writer *writer = open_writer(folder, &of, 0), *second;
    hl_error error;
    assert_int_equal(atlas_writer_open(folder, &of.layout, 0, &second, &error), HL_UNAVAILABLE);
    assert_non_null(strstr(error.message, folder));
    assert_non_null(strstr(error.message, "another process is indexing into this atlas"));
    append(writer, &of, 0, 2, 0);
    atlas_writer_close(writer);
    atlas_writer_close(open_writer(folder, &of, 0));
    remove_folder(folder);
}

static void test_replace(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 2, 4, HL_F16, 0);
    char *folder = make_atlas(&of, 6, 2), *old = text("%s/shard-000001.safetensors", folder);
    atlas *before = open_atlas(folder);
    atlas_writer *writer = open_writer(folder, &of, 0);
    host *services = open_host();
    shard_builder *shard;
    hl_error error;
    assert_ok(shard_builder_open(atlas_writer_layout(writer), 2, &shard, &error), error);
    assert_ok(shard_builder_copy(shard, &before->shards[1], 1, &error), error);
    assert_ok(atlas_writer_replace(writer, 1, shard, &services->interface, &error), error);
    assert_false(file_exists(old));
    assert_int_equal(atlas_writer_manifest(writer)->shards[1].number, 3);
    shard_builder_close(shard);
    assert_ok(shard_builder_open(atlas_writer_layout(writer), 0, &shard, &error), error);
    assert_ok(atlas_writer_replace(writer, 0, shard, &services->interface, &error), error);
    shard_builder_close(shard);
    atlas_writer_close(writer);
    atlas *after = open_atlas(folder);
    assert_int_equal(atlas_count(after), 3);
    assert_string_equal(atlas_path(after, 0), atlas_path(before, 3));
    assert_memory_equal(atlas_codes(after, 0, 1), (const uint8_t *)atlas_codes(before, 1, 1) + 8, 8);
    assert_moments(&of, after, 0);
    atlas_close(after);
    atlas_close(before);
    host_close(services);
    free(old);
    remove_folder(folder);
}

static void test_skipped(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_folder();
    atlas_writer *writer = open_writer(folder, &of, 0);
    append(writer, &of, 0, 0, 2);
    append(writer, &of, 0, 3, 1);
    atlas_writer_close(writer);
    atlas *opened = open_atlas(folder);
    assert_int_equal(atlas_count(opened), 3);
    assert_int_equal(opened->shards[0].skipped, 2);
    assert_string_equal(opened->shards[1].skips[0].path, "broken.jpg");
    assert_string_equal(opened->shards[1].skips[0].reason, "it is truncated");
    assert_string_equal(atlas_path(opened, 0), "a folder/photographs/img_000000.jpg");
    for (size_t i = 0; i < shard_moment_count(&of.heads[0]); ++i) {
        assert_true(atlas_moments(opened, 0, 0)[i] == 0);
    }
    atlas_close(opened);
    remove_folder(folder);
}

/* ---- damage ---- */

#define HEAD        "{\"name\":\"L0.H0\",\"layer\":0,\"index\":0,\"width\":4,\"scalars\":3,\"scope\":\"image\"}"
#define SUM         "0123456789abcdef0123456789abcdef"
#define SHARD(FILE) "{\"file\":\"" FILE "\",\"images\":1,\"skipped\":0,\"bytes\":9,\"checksum\":\"" SUM "\"}"
#define ATLAS(VERSION, PRINT, DTYPE, COLUMNS, HEADS, SHARDS)                                                 \
    "{\"version\":" VERSION ",\"model\":\"m\",\"fingerprint\":\"" PRINT "\",\"dtype\":\"" DTYPE              \
    "\",\"embed_dim\":8,\"shard_size\":2,\"columns\":" COLUMNS ",\"heads\":" HEADS ",\"shards\":" SHARDS "}"

typedef struct bad_manifest {
    const char *json, *said; /* said: part of the message */
} bad_manifest;

static const bad_manifest BAD_MANIFESTS[] = {
    {"", "byte"},
    {"{", "byte"},
    {"[]", "an object"},
    {"{}", "version"},
    {ATLAS("0", SUM, "f16", "[]", "[" HEAD "]", "[]"), "version"},
    {ATLAS("3", SUM, "f16", "[]", "[" HEAD "]", "[]"), "version 3"},
    {ATLAS("1", "0123", "f16", "[]", "[" HEAD "]", "[]"), "fingerprint"},
    {ATLAS("1", "0123456789ABCDEF0123456789abcdef", "f16", "[]", "[" HEAD "]", "[]"), "fingerprint"},
    {ATLAS("1", SUM, "bf16", "[]", "[" HEAD "]", "[]"), "f16 or f32"},
    {ATLAS("1", SUM, "f16", "[\"text\"]", "[" HEAD "]", "[]"), "columns"},
    {ATLAS("1", SUM, "f16", "[\"mlps\"]", "[" HEAD "]", "[]"), "mlps"},
    {ATLAS("1", SUM, "f16", "3", "[" HEAD "]", "[]"), "columns"},
    {ATLAS("1", SUM, "f16", "[]", "[]", "[]"), "at least one head"},
    {ATLAS("1", SUM, "f16", "[]", "{}", "[]"), "heads"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "," HEAD "]", "[]"), "each name once"},
    {ATLAS("1", SUM, "f16", "[]", "[{\"name\":\"x\"}]", "[]"), "heads[0].layer"},
    {ATLAS("1", SUM, "f16", "[]",
           "[{\"name\":\"x\",\"layer\":0,\"index\":0,\"width\":0,\"scalars\":3,\"scope\":\"image\"}]", "[]"),
     "heads[0].width"},
    {ATLAS("1", SUM, "f16", "[]",
           "[{\"name\":\"x\",\"layer\":0,\"index\":0,\"width\":1e9,\"scalars\":3,\"scope\":\"image\"}]",
           "[]"),
     "heads[0].width"},
    {ATLAS("1", SUM, "f16", "[]",
           "[{\"name\":\"x\",\"layer\":0,\"index\":0,\"width\":4,\"scalars\":1.5,\"scope\":\"image\"}]",
           "[]"),
     "heads[0].scalars"},
    {ATLAS("1", SUM, "f16", "[]",
           "[{\"name\":\"x\",\"layer\":0,\"index\":0,\"width\":4,\"scalars\":3,\"scope\":\"head\"}]", "[]"),
     "image or layer"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]", "{}"), "shards"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]", "[3]"), "shards[0]"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]", "[" SHARD("../other.safetensors") "]"), "shards[0].file"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]", "[" SHARD("shard-0.safetensors") "]"), "shards[0].file"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]", "[" SHARD("shard--00001.safetensors") "]"), "shards[0].file"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]",
           "[" SHARD("shard-000001.safetensors") "," SHARD("shard-000001.safetensors") "]"),
     "each file once"},
    {ATLAS(
         "1", SUM, "f16", "[]", "[" HEAD "]",
         "[{\"file\":\"shard-000000.safetensors\",\"images\":-1,\"skipped\":0,\"bytes\":9,\"checksum\":\"" SUM
         "\"}]"),
     "shards[0].images"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]",
           "[{\"file\":\"shard-000000.safetensors\",\"images\":1e300,\"skipped\":0,\"bytes\":9,\"checksum\":"
           "\"" SUM "\"}]"),
     "shards[0].images"},
    {ATLAS("1", SUM, "f16", "[]", "[" HEAD "]",
           "[{\"file\":\"shard-000000.safetensors\",\"images\":1,\"skipped\":0,\"bytes\":9,\"checksum\":"
           "\"xyz\"}]"),
     "shards[0].checksum"},
};

static void test_bad_manifests(void **state) {
    (void)state;
    manifest *read;
    hl_error error;
    const char *good = ATLAS("1", SUM, "f16", "[]", "[" HEAD "]", "[" SHARD("shard-000007.safetensors") "]");
    assert_ok(manifest_parse("x/atlas.json", (const uint8_t *)good, strlen(good), &read, &error), error);
    assert_int_equal(read->shards[0].number, 7);
    manifest_free(read);
    for (size_t i = 0; i < sizeof BAD_MANIFESTS / sizeof *BAD_MANIFESTS; ++i) {
        const bad_manifest *bad = &BAD_MANIFESTS[i];
        hl_status status =
            manifest_parse("x/atlas.json", (const uint8_t *)bad->json, strlen(bad->json), &read, &error);
        if (status != HL_FAILED) fail_msg("accepted: %s", bad->json);
        assert_null(read);
        assert_non_null(strstr(error.message, "x/atlas.json"));
        if (!strstr(error.message, bad->said)) fail_msg("%s: %s", bad->json, error.message);
    }
}

/* Every single byte of a small shard, changed: opening or verifying must notice, and name the shard. */
static void test_flipped_bits(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 2, HL_F16, 0);
    char *folder = make_folder(), *path = text("%s/shard-000000.safetensors", folder);
    atlas_writer *writer = open_writer(folder, &of, 0);
    append(writer, &of, 0, 2, 1);
    atlas_writer_close(writer);
    host *services = open_host();
    size_t count;
    char *content = read_file(path, &count);
    for (size_t i = 0; i < count; ++i) {
        content[i] = (char)(content[i] ^ (1 << i % 8));
        write_file(path, content, count);
        content[i] = (char)(content[i] ^ (1 << i % 8));
        atlas *opened;
        hl_error error;
        hl_status status = atlas_open(folder, &opened, &error);
        if (status == HL_OK) status = atlas_verify(opened, &services->interface, &error);
        if (status != HL_FAILED) fail_msg("byte %zu of %zu", i, count);
        assert_non_null(strstr(error.message, "shard-000000.safetensors"));
        atlas_close(opened);
    }
    write_file(path, content, count);
    atlas_close(open_atlas(folder));
    free(content);
    host_close(services);
    free(path);
    remove_folder(folder);
}

static void test_truncated(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, 0);
    char *folder = make_atlas(&of, 4, 2), *path = text("%s/shard-000001.safetensors", folder);
    size_t count;
    char *content = read_file(path, &count);
    const size_t lengths[] = {0, 7, 8, 100, count - 1, count + 1};
    content = realloc(content, count + 2);
    assert_non_null(content);
    for (size_t i = 0; i <= sizeof lengths / sizeof *lengths; ++i) {
        unlink(path);
        if (i < sizeof lengths / sizeof *lengths) write_file(path, content, lengths[i]);
        atlas *opened;
        hl_error error;
        assert_int_equal(atlas_open(folder, &opened, &error), HL_FAILED);
        assert_non_null(strstr(error.message, "shard-000001.safetensors"));
    }
    free(content);
    free(path);
    remove_folder(folder);
}

/* A valid safetensors file of the right length that is another shard's. */

static void check_wrong_part(const synthetic *of, const char *folder, const char *replaced, hl_dtype dtype,
                             uint64_t rows) {
    char *inner = text("%s/other", folder), *made = text("%s/shard-000000.safetensors", inner);
    shard_layout tensors;
    hl_error error;
    assert_ok(shard_layout_make(&of->layout, &tensors, &error), error);
    safetensors_part parts[32];
    static const char zeros[4096];
    for (size_t i = 0; i < tensors.count; ++i) {
        const shard_tensor *tensor = &tensors.tensors[i];
        parts[i] = (safetensors_part){tensor->name, tensor->dtype, tensor->rank, {0}, zeros};
        memcpy(parts[i].shape, tensor->shape, sizeof parts[i].shape);
        if (tensor->extent == SHARD_IMAGES || tensor->extent == SHARD_TEXT) parts[i].shape[0] = 2;
        if (tensor->extent == SHARD_LEFT_OUT || i == tensors.skipped) parts[i].shape[0] = 0;
        if (replaced && strcmp(replaced, tensor->name) == 0) {
            parts[i].dtype = dtype;
            parts[i].shape[0] = rows;
            if (rows == 0) parts[i].name = "something else";
        }
    }
    output *out;
    safetensors_receipt receipt;
    assert_ok(output_open(inner, &out, &error), error);
    assert_ok(safetensors_write(out, "shard-000000.safetensors", parts, tensors.count, &receipt, &error),
              error);
    assert_ok(output_commit(out, &error), error);
    manifest_shard shard = {.images = 2, .bytes = receipt.bytes};
    shard_file opened;
    hl_status status = shard_open(inner, &shard, &tensors, &opened, &error);
    assert_int_equal(status, replaced ? HL_FAILED : HL_OK);
    if (replaced) {
        assert_non_null(strstr(error.message, made));
        assert_non_null(strstr(error.message, replaced));
    }
    shard_close(&opened);
    shard_layout_free(&tensors);
    free(made);
    free(inner);
}

static void test_wrong_parts(void **state) {
    (void)state;
    synthetic of;
    make_layout(&of, 1, 1, 4, HL_F16, ATLAS_MLPS);
    char *folder = make_folder();
    check_wrong_part(&of, folder, NULL, HL_U8, 0);
    check_wrong_part(&of, folder, "codes.L8.H0", HL_F32, 2);
    check_wrong_part(&of, folder, "codes.L8.H0", HL_F16, 3);
    check_wrong_part(&of, folder, "codes.L8.H0", HL_F16, 0);
    check_wrong_part(&of, folder, "moments.L8.H0", HL_F64, 5);
    check_wrong_part(&of, folder, "scalars", HL_F32, 1);
    check_wrong_part(&of, folder, "modified", HL_I64, 1);
    check_wrong_part(&of, folder, "mlps", HL_F16, 1);
    check_wrong_part(&of, folder, "paths", HL_U8, 1);
    check_wrong_part(&of, folder, "paths", HL_U8, 3);
    check_wrong_part(&of, folder, "skipped", HL_U8, 1);
    check_wrong_part(&of, folder, "skipped_bytes", HL_I64, 1);
    remove_folder(folder);
}

static void test_no_atlas(void **state) {
    (void)state;
    char *folder = make_folder();
    atlas *opened;
    hl_error error;
    assert_int_equal(atlas_open(folder, &opened, &error), HL_USAGE);
    assert_non_null(strstr(error.message, folder));
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_known_after_verifying),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_is_safetensors),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_disagreeing_scalars),
        cmocka_unit_test(test_foreign_folder),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_bad_manifests),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_wrong_parts),
        cmocka_unit_test(test_no_atlas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
