/* Images: pixels against those of PyTorch's world, JPEG and sizes against Pillow, truncated and damaged
 * files. The other formats are in test_decoder. */
#include "tests/support.h"

#include "core/io/output.h"
#include "core/io/picture.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static const hl_preprocess CLIP = {.resize = HL_RESIZE_COVER,
                                   .interpolation = HL_BICUBIC,
                                   .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                                   .deviation = {0.26862954f, 0.26130258f, 0.27577711f}};

static picture load(const char *path) {
    picture image;
    hl_error error;
    assert_ok(picture_load(path, &image, &error), error);
    return image;
}

static picture load_golden(const char *name) {
    char *path = text("%s/%s", TEST_GOLDEN, name);
    picture image = load(path);
    free(path);
    return image;
}

/* ---- pixels ---- */

/* Bytes are the same after decoding and resizing; only the normalisation may round differently. */
static void assert_pixels(const char *name, const float *got, const float *expected, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)got[i] - (double)expected[i]));
    if (largest > 1e-5) fail_msg("%s: largest difference %g", name, largest);
}

static void assert_golden_pixels(const char *model) {
    npy_array expected = golden(model, "pixels");
    hl_preprocess preprocess = CLIP;
    preprocess.height = preprocess.width = (uint32_t)expected.shape[3];
    size_t each = 3 * expected.shape[2] * expected.shape[3], images = 0;
    float *pixels = malloc(each * sizeof *pixels);
    assert_non_null(pixels);
    char *order = read_file(TEST_GOLDEN "/order.txt", NULL), *rest;
    for (char *name = strtok_r(order, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
        char *path = text("%s/images/%s", TEST_GOLDEN, name);
        picture image = load(path);
        hl_error error;
        assert_ok(picture_preprocess(&image, &preprocess, pixels, &error), error);
        assert_pixels(name, pixels, expected.data + images++ * each, each);
        picture_free(&image);
        free(path);
    }
    assert_int_equal(images, expected.shape[0]);
    free(order);
    free(pixels);
    free(expected.data);
}

static void pixels_match_the_reference(void **state) {
    (void)state;
    assert_golden_pixels("tiny-a");
    assert_golden_pixels("tiny-b");
    assert_golden_pixels("mini");
}

/* A strip that would be 2^24 x 64 pixels once resized: only the middle is ever computed. */
static void long_strips_cost_little(void **state) {
    (void)state;
    picture strip = {.width = 1 << 18, .height = 1, .rgb = malloc(3 << 18)};
    assert_non_null(strip.rgb);
    memset(strip.rgb, 51, 3 << 18);
    hl_preprocess preprocess = CLIP;
    preprocess.height = preprocess.width = 64;
    float *pixels = malloc(3 * 64 * 64 * sizeof *pixels);
    assert_non_null(pixels);
    hl_error error;
    clock_t start = clock();
    assert_ok(picture_preprocess(&strip, &preprocess, pixels, &error), error);
    assert_true(clock() - start < CLOCKS_PER_SEC);
    for (size_t i = 0; i < 64 * 64; ++i) assert_true(pixels[i] == (0.2f - CLIP.mean[0]) / CLIP.deviation[0]);
    free(pixels);
    picture_free(&strip);
}

static void refuses_unknown_preprocessing(void **state) {
    (void)state;
    picture image = load_golden("images/rgb_tiny.png");
    hl_preprocess preprocess = CLIP;
    float pixels[3];
    hl_error error;
    assert_int_equal(picture_preprocess(&image, &preprocess, pixels, &error), HL_FAILED); /* size 0 */
    preprocess.height = preprocess.width = 1;
    assert_ok(picture_preprocess(&image, &preprocess, pixels, &error), error);
    preprocess.resize = 3;
    assert_int_equal(picture_preprocess(&image, &preprocess, pixels, &error), HL_FAILED);
    picture_free(&image);
}

static void assert_frame(size_t width, size_t height, double left, double top, double wide, double high) {
    hl_preprocess preprocess = CLIP;
    preprocess.height = preprocess.width = 100;
    picture_frame frame = picture_crop_frame(width, height, &preprocess);
    assert_true(fabs(frame.left - left) < 1e-9 && fabs(frame.top - top) < 1e-9);
    assert_true(fabs(frame.width - wide) < 1e-9 && fabs(frame.height - high) < 1e-9);
}

static void frames_lie_where_the_crop_is(void **state) {
    (void)state;
    assert_frame(200, 200, 0, 0, 200, 200);
    assert_frame(400, 200, 100, 0, 200, 200);
    assert_frame(50, 100, 0, 25, 50, 50);
    /* 100 x 1.5 = 150.5 cut to 150; surplus 50 */
    assert_frame(200, 301, 0, 25 * 301 / 150., 200, 100 * 301 / 150.);
    /* surplus of 3: an offset of 1.5 becomes 2, of 5: 2.5 becomes 2 */
    assert_frame(103, 100, 2, 0, 100, 100);
    assert_frame(105, 100, 2, 0, 100, 100);
}

/* ---- formats ---- */

static bool is_rgb(const picture *got, const npy_array *expected) {
    const size_t *shape = expected->shape;
    bool same = expected->rank == 3 && got->height == shape[0] && got->width == shape[1] && shape[2] == 3;
    for (size_t i = 0; same && i < expected->elements; ++i) same = got->rgb[i] == expected->data[i];
    return same;
}

static const char *const FORMATS[] = {
    "alpha.png",        "gray_alpha.png",        "gray_1bit.png",   "palette_transparent.png",
    "gray_16bit.png",   "rgb_16bit.png",         "bitmap.bmp",      "moving.gif",
    "transparent.gif",  "transparent_local.gif", "gray.jpg",        "progressive.jpg",
    "sampled_444.jpg",  "sampled_422.jpg",       "sampled_420.jpg", "sampled_440.jpg",
    "sampled_411.jpg",  "sampled_441.jpg",       "rotated.jpg",     "cmyk.jpg",
    "ycck.jpg",         "cmyk_progressive.jpg",  "rgb_coded.jpg",   "restarts.jpg",
    "lost_restart.jpg", "stray_bytes.jpg",       "short_scan.jpg"};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };

static npy_array expected_format(size_t i) {
    char *stem = text("%.*s", (int)strcspn(FORMATS[i], "."), FORMATS[i]);
    npy_array expected = golden("io", stem);
    free(stem);
    return expected;
}

static void formats_match_pillow(void **state) {
    (void)state;
    for (size_t i = 0; i < FORMAT_COUNT; ++i) {
        char *path = text("%s/io/%s", TEST_GOLDEN, FORMATS[i]);
        picture image = load(path);
        npy_array expected = expected_format(i);
        if (!is_rgb(&image, &expected)) fail_msg("%s: not the pixels that Pillow shows", FORMATS[i]);
        size_t width, height;
        hl_error error;
        assert_ok(picture_size(path, &width, &height, &error), error);
        assert_int_equal(width, image.width);
        assert_int_equal(height, image.height);
        free(expected.data);
        picture_free(&image);
        free(path);
    }
}

typedef struct decoding {
    npy_array expected[FORMAT_COUNT];
    pthread_barrier_t *start;
    size_t first, wrong;
} decoding;

static void *decode_all(void *argument) {
    decoding *job = argument;
    pthread_barrier_wait(job->start);
    for (size_t k = 0; k < 10 * FORMAT_COUNT; ++k) {
        size_t i = (job->first + k) % FORMAT_COUNT;
        char *path = text("%s/io/%s", TEST_GOLDEN, FORMATS[i]);
        picture image;
        hl_error error;
        job->wrong += picture_load(path, &image, &error) != HL_OK || !is_rgb(&image, &job->expected[i]);
        picture_free(&image);
        free(path);
    }
    return NULL;
}

/* Damaged files among them: what one thread is warned of is no other thread's affair. */
static void threads_do_not_mix(void **state) {
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    decoding common = {.start = &start}, jobs[THREADS];
    for (size_t i = 0; i < FORMAT_COUNT; ++i) common.expected[i] = expected_format(i);
    for (size_t t = 0; t < THREADS; ++t) {
        jobs[t] = common;
        jobs[t].first = t * FORMAT_COUNT / THREADS;
        assert_int_equal(pthread_create(&threads[t], NULL, decode_all, &jobs[t]), 0);
    }
    for (size_t t = 0; t < THREADS; ++t) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(jobs[t].wrong, 0);
    }
    for (size_t i = 0; i < FORMAT_COUNT; ++i) free(common.expected[i].data);
    pthread_barrier_destroy(&start);
}

static void sizes_match_pillow(void **state) {
    (void)state;
    picture wide = load_golden("images/rgb_wide.png");
    const size_t sizes[][2] = {{37, 19}, {wide.width, 11}, {9, wide.height}, {1, 1}, {101, 3}, {60, 90}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        char *name = text("%zux%zu", sizes[i][0], sizes[i][1]);
        npy_array expected = golden("io", name);
        picture got;
        hl_error error;
        assert_ok(picture_resize(&wide, sizes[i][0], sizes[i][1], &got, &error), error);
        if (!is_rgb(&got, &expected)) fail_msg("%s: not what Pillow resizes to", name);
        picture_free(&got);
        free(expected.data);
        free(name);
    }
    picture same;
    hl_error error;
    assert_ok(picture_resize(&wide, wide.width, wide.height, &same, &error), error);
    assert_memory_equal(same.rgb, wide.rgb, wide.width * wide.height * 3);
    picture_free(&same);
    assert_int_equal(picture_resize(&wide, 0, 5, &same, &error), HL_FAILED);
    assert_int_equal(picture_resize(&wide, SIZE_MAX / 2, SIZE_MAX / 2, &same, &error), HL_FAILED);
    picture_free(&wide);
}

/* Squashed and covered, with each interpolation. The bytes come back exactly from pixels that are level /
 * 255. */
static void preprocessing_matches_pillow(void **state) {
    (void)state;
    static const char *const words[] = {"bicubic", "bilinear", "nearest"};
    static const uint32_t squashed[][2] = {{32, 20}, {7, 90}}, covered[][2] = {{24, 40}, {40, 24}, {20, 20}};
    picture wide = load_golden("images/rgb_wide.png");
    for (size_t i = 0; i < 3 * 5; ++i) {
        bool squash = i % 5 < 2;
        const uint32_t *size = squash ? squashed[i % 5] : covered[i % 5 - 2];
        char *name = text("%s%s_%ux%u", words[i / 5], squash ? "" : "_cover", size[0], size[1]);
        const hl_preprocess preprocess = {.size = sizeof preprocess,
                                          .resize = squash ? HL_RESIZE_SQUASH : HL_RESIZE_COVER,
                                          .interpolation = HL_BICUBIC + (uint32_t)(i / 5),
                                          .height = size[1],
                                          .width = size[0],
                                          .deviation = {1, 1, 1}};
        npy_array expected = golden("io", name);
        size_t count = (size_t)size[0] * size[1];
        float *pixels = malloc(3 * count * sizeof *pixels);
        hl_error error;
        assert_non_null(pixels);
        assert_ok(picture_preprocess(&wide, &preprocess, pixels, &error), error);
        for (size_t k = 0; k < 3 * count; ++k) {
            float wanted = expected.data[k % count * 3 + k / count];
            if (lroundf(pixels[k] * 255) != lroundf(wanted)) fail_msg("%s: not what Pillow makes", name);
        }
        picture_frame frame = picture_crop_frame(wide.width, wide.height, &preprocess);
        double ratio = frame.width / frame.height, full = (double)wide.width / (double)wide.height;
        double wanted = squash ? full : (double)size[0] / size[1];
        assert_true(fabs(ratio - wanted) < 0.05 * wanted);
        assert_true(frame.left >= 0 && frame.left + frame.width <= (double)wide.width + 1e-9);
        free(pixels);
        free(expected.data);
        free(name);
    }
    picture_free(&wide);
}

/* ---- truncated and damaged files ---- */

/* From an exact copy: a sanitizer sees what is read beyond it. */
static hl_status decode(const char *bytes, size_t count, picture *image, hl_error *error) {
    uint8_t *copy = malloc(count + !count);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    hl_status status = picture_decode("some image", copy, count, image, error);
    free(copy);
    return status;
}

/* Every cut loses at least one byte that the image needs. */
static void assert_truncations_refused(const char *name, size_t needed, size_t step) {
    char *path = text("%s/%s", TEST_GOLDEN, name);
    size_t count;
    char *bytes = read_file(path, &count);
    for (size_t cut = 0; cut < needed; cut += cut + 400 < needed && cut > 700 ? step : 1) {
        picture image;
        hl_error error = {""};
        if (decode(bytes, cut, &image, &error) != HL_FAILED)
            fail_msg("%s: accepted %zu of %zu bytes", name, cut, count);
        assert_null(image.rgb);
        assert_ptr_equal(strstr(error.message, "some image: "), error.message);
    }
    picture image;
    hl_error error;
    assert_ok(decode(bytes, count, &image, &error), error);
    picture_free(&image);
    free(bytes);
    free(path);
}

enum { PNG_END_BYTES = 12 }; /* a chunk without which nothing is lost */

static size_t file_bytes(const char *name) {
    char *path = text("%s/%s", TEST_GOLDEN, name);
    size_t count;
    free(read_file(path, &count));
    free(path);
    return count;
}

static void truncations_are_refused(void **state) {
    (void)state;
    const char *images[] = {"n01910747_jellyfish.jpg",
                            "n02132136_brown_bear.jpg",
                            "n03998194_prayer_rug.jpg",
                            "gray.png",
                            "palette.png",
                            "rgb_tiny.png"};
    for (size_t i = 0; i < sizeof images / sizeof *images; ++i) {
        char *name = text("images/%s", images[i]);
        assert_truncations_refused(name, file_bytes(name) - (strstr(name, ".png") ? PNG_END_BYTES : 0), 97);
        free(name);
    }
    for (size_t i = 0; i < FORMAT_COUNT; ++i) {
        char *name = text("io/%s", FORMATS[i]);
        /* of a moving picture only the first frame is read; it ends well before the middle of the file */
        size_t count = file_bytes(name), needed = strstr(name, ".gif") ? count / 3 : count;
        if (strstr(name, ".png")) needed -= PNG_END_BYTES;
        assert_truncations_refused(name, needed, 7);
        free(name);
    }
}

static void truncation_is_what_the_message_says(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_file(TEST_GOLDEN "/images/n01910747_jellyfish.jpg", &count);
    picture image;
    hl_error error;
    assert_int_equal(decode(bytes, count / 2, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "truncated"));
    assert_int_equal(decode(bytes, count - 1, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "truncated"));
    assert_int_equal(decode("no image at all", 15, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "no image that can be read; expected JPEG, PNG"));
    assert_int_equal(decode("x", 1, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "no image that can be read"));
    assert_int_equal(decode("", 0, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "empty"));
    free(bytes);
}

static void embedded_gallery_is_whole(void **state) {
    (void)state;
    for (int i = 0; i < 400; ++i) {
        char *path = text("%s/configs/mini/gallery/scene-%03d.jpg", TEST_SOURCE, i);
        picture image = load(path);
        assert_true(image.width >= 64 && image.height >= 64);
        picture_free(&image);
        free(path);
    }
}

/* A PNG that says it is width x height and has no pixels. */
static hl_status decode_header(uint32_t width, uint32_t height, hl_error *error) {
    uint8_t png[45] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for (int i = 0; i < 4; ++i) {
        png[16 + i] = (uint8_t)(width >> (24 - 8 * i));
        png[20 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    png[24] = 8;
    png[25] = 2;
    uint32_t sum = (uint32_t)crc32(0, png + 12, 17);
    for (int i = 0; i < 4; ++i) png[29 + i] = (uint8_t)(sum >> (24 - 8 * i));
    memcpy(png + 33, "\0\0\0\0IDAT\x35\xaf\x06\x1e", 12);
    picture image;
    return decode((const char *)png, sizeof png, &image, error);
}

static void refuses_impossible_sizes(void **state) {
    (void)state;
    hl_error error;
    assert_int_equal(decode_header(1 << 15, (1 << 13) + 1, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "32768 x 8193 pixels; at most 268435456 pixels"));
    assert_int_equal(decode_header(1 << 24, 1 << 24, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "at most 268435456"));
    assert_int_equal(decode_header(0, 5, &error), HL_FAILED);
    assert_int_equal(decode_header(5, 0, &error), HL_FAILED);
    assert_int_equal(decode_header(UINT32_MAX, UINT32_MAX, &error), HL_FAILED);
    assert_int_equal(decode_header(4, 4, &error), HL_FAILED); /* no pixels follow */
    assert_non_null(strstr(error.message, "truncated"));
}

/* The first scan of a progressive JPEG again and again: a few bytes each, and all pixels. */
static void refuses_endless_scans(void **state) {
    (void)state;
    size_t count, room = 1 << 16;
    char *bytes = read_file(TEST_GOLDEN "/io/progressive.jpg", &count), *many = malloc(room);
    assert_non_null(many);
    const char *scan = memmem(bytes, count, "\xff\xda", 2), *rest = scan + 2;
    const char *next = memmem(rest, count - (size_t)(rest - bytes), "\xff\xc4", 2);
    size_t before = (size_t)(scan - bytes), length = (size_t)(next - scan);
    for (size_t scans = 90; scans <= 110; scans += 20) {
        memcpy(many, bytes, before);
        assert_true(before + scans * length + 2 <= room);
        for (size_t i = 0; i < scans; ++i) memcpy(many + before + i * length, scan, length);
        memcpy(many + before + scans * length, "\xff\xd9", 2);
        picture image;
        hl_error error = {""};
        hl_status status = decode(many, before + scans * length + 2, &image, &error);
        assert_int_equal(status, scans > 100 ? HL_FAILED : HL_OK);
        if (status != HL_OK) assert_non_null(strstr(error.message, "more than 100 scans"));
        picture_free(&image);
    }
    free(many);
    free(bytes);
}

/* What looks like markers in a segment of an application, such as a preview, is none. */
static void markers_in_segments_do_not_count(void **state) {
    (void)state;
    enum { MARKERS = 150, BYTES = 2 + 2 + 4 * MARKERS };
    size_t count;
    char *bytes = read_file(TEST_GOLDEN "/io/progressive.jpg", &count), *longer = malloc(count + BYTES);
    assert_non_null(longer);
    memcpy(longer, bytes, 2);
    memcpy(longer + 2, "\xff\xe1", 2);
    longer[4] = (char)((BYTES - 2) >> 8);
    longer[5] = (char)((BYTES - 2) & 0xff);
    for (size_t i = 0; i < MARKERS; ++i) memcpy(longer + 6 + 4 * i, "\xff\xda\xff\xd9", 4);
    memcpy(longer + 2 + BYTES, bytes + 2, count - 2);
    picture plain, image;
    hl_error error;
    assert_ok(decode(bytes, count, &plain, &error), error);
    assert_ok(decode(longer, count + BYTES, &image, &error), error);
    assert_int_equal(image.width, plain.width);
    assert_memory_equal(image.rgb, plain.rgb, plain.width * plain.height * 3);
    picture_free(&plain);
    picture_free(&image);
    assert_int_equal(decode(longer, count + BYTES - 2, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "truncated"));
    free(longer);
    free(bytes);
}

static void refuses_oversized_huffman_tables(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_file(TEST_GOLDEN "/io/gray.jpg", &count);
    char *table = memmem(bytes, count, "\xff\xc4", 2);
    memset(table + 5 + 8, 100, 8); /* 800 codes of 9 to 16 bits */
    picture image;
    hl_error error = {""};
    assert_int_equal(decode(bytes, count, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "damaged or of a rare kind (Bogus Huffman table definition)"));
    assert_non_null(strstr(error.message, "save it again as JPEG, PNG, GIF, BMP, WebP or TIFF"));
    free(bytes);
}

static void refuses_jpegs_without_a_picture(void **state) {
    (void)state;
    picture image;
    hl_error error = {""};
    assert_int_equal(decode("\xff\xd8\xff\xd9", 4, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "damaged or of a rare kind"));
    assert_int_equal(decode("\xff\xd8\xff", 3, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "truncated"));
    size_t count;
    char *bytes = read_file(TEST_GOLDEN "/io/gray.jpg", &count);
    char *frame = memmem(bytes, count, "\xff\xc0", 2);
    memcpy(frame + 5, "\xf0\0\xf0\0", 4);
    assert_int_equal(decode(bytes, count, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "61440 x 61440 pixels; at most 268435456 pixels"));
    memcpy(frame + 5, "\0\0\0\5", 4);
    assert_int_equal(decode(bytes, count, &image, &error), HL_FAILED);
    assert_null(image.rgb);
    free(bytes);
}

/* A chunk that claims 1 GiB: the memory is not even asked for. */
static void refuses_more_data_than_pixels(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_file(TEST_GOLDEN "/io/alpha.png", &count);
    char *chunk = memmem(bytes, count, "IDAT", 4);
    chunk[-4] = 0x3f;
    picture image;
    hl_error error = {""};
    assert_int_equal(decode(bytes, count, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "chunk data is too large"));
    free(bytes);
}

static void missing_files_are_named(void **state) {
    (void)state;
    const char *paths[] = {TEST_GOLDEN "/no-such.png", TEST_GOLDEN, "/dev/zero"};
    for (size_t i = 0; i < 3; ++i) {
        picture image;
        size_t width, height;
        hl_error error;
        assert_int_equal(picture_load(paths[i], &image, &error), HL_UNAVAILABLE);
        assert_null(image.rgb);
        assert_ptr_equal(strstr(error.message, paths[i]), error.message);
        assert_int_equal(picture_size(paths[i], &width, &height, &error), HL_UNAVAILABLE);
    }
}

/* Of a file that is larger than any image not a byte is read. */
static void refuses_huge_files(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/huge.jpg", folder);
    write_text(path, "\xff\xd8\xff");
    assert_int_equal(truncate(path, ((off_t)1 << 31) + 1), 0);
    picture image;
    hl_error error;
    assert_int_equal(picture_load(path, &image, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "huge.jpg: larger than 2147483648 bytes"));
    free(path);
    remove_folder(folder);
}

/* ---- PNG ---- */

static void png_round_trips(void **state) {
    (void)state;
    const char *names[] = {"images/rgb_tiny.png", "images/rgb_wide.png", "images/n01910747_jellyfish.jpg"};
    for (size_t i = 0; i < 3; ++i) {
        picture image = load_golden(names[i]), again;
        uint8_t *png[2];
        size_t count[2];
        hl_error error;
        for (int k = 0; k < 2; ++k) assert_ok(picture_encode_png(&image, &png[k], &count[k], &error), error);
        assert_int_equal(count[0], count[1]);
        assert_memory_equal(png[0], png[1], count[0]);
        assert_ok(picture_decode("png", png[0], count[0], &again, &error), error);
        assert_int_equal(again.width, image.width);
        assert_int_equal(again.height, image.height);
        assert_memory_equal(again.rgb, image.rgb, image.width * image.height * 3);
        picture_free(&again);
        picture_free(&image);
        free(png[0]);
        free(png[1]);
    }
}

/* What cannot be compressed needs the most memory. */
static void noise_round_trips(void **state) {
    (void)state;
    uint32_t random = 1;
    for (size_t width = 1; width < 700; width += 1 + width / 2) {
        picture image = {.width = width, .height = 700 / width + 1}, again;
        size_t bytes = image.width * image.height * 3, count;
        assert_non_null(image.rgb = malloc(bytes));
        for (size_t i = 0; i < bytes; ++i)
            image.rgb[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
        uint8_t *png;
        hl_error error;
        assert_ok(picture_encode_png(&image, &png, &count, &error), error);
        assert_ok(picture_decode("png", png, count, &again, &error), error);
        assert_memory_equal(again.rgb, image.rgb, bytes);
        picture_free(&again);
        picture_free(&image);
        free(png);
    }
    picture huge = {.width = 1 << 20, .height = 1 << 20};
    uint8_t *png;
    size_t count;
    hl_error error;
    assert_int_equal(picture_encode_png(&huge, &png, &count, &error), HL_FAILED);
    assert_null(png);
}

/* 48 megapixels, as telephones make them. */
static void large_photos_are_written(void **state) {
    (void)state;
    picture photo = {.width = 8000, .height = 6000, .rgb = calloc(8000 * 6000, 3)};
    assert_non_null(photo.rgb);
    uint8_t *png;
    size_t count;
    hl_error error;
    assert_ok(picture_encode_png(&photo, &png, &count, &error), error);
    assert_memory_equal(png + 16, "\0\0\x1f\x40\0\0\x17\x70", 8);
    assert_memory_equal(png + count - 8, "IEND", 4);
    free(png);
    picture_free(&photo);
}

static void png_is_written_whole(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/pictures/a.png", folder);
    picture image = load_golden("images/rgb_tiny.png");
    output *out;
    hl_error error;
    assert_ok(output_open(folder, &out, &error), error);
    assert_ok(picture_write_png(&image, out, "pictures/a.png", &error), error);
    assert_false(file_exists(path));
    assert_ok(output_commit(out, &error), error);
    picture again = load(path);
    assert_int_equal(again.width, image.width);
    assert_memory_equal(again.rgb, image.rgb, image.width * image.height * 3);
    picture_free(&again);
    picture_free(&image);
    free(path);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_match_the_reference),
        cmocka_unit_test(long_strips_cost_little),
        cmocka_unit_test(refuses_unknown_preprocessing),
        cmocka_unit_test(frames_lie_where_the_crop_is),
        cmocka_unit_test(formats_match_pillow),
        cmocka_unit_test(threads_do_not_mix),
        cmocka_unit_test(sizes_match_pillow),
        cmocka_unit_test(preprocessing_matches_pillow),
        cmocka_unit_test(truncations_are_refused),
        cmocka_unit_test(truncation_is_what_the_message_says),
        cmocka_unit_test(embedded_gallery_is_whole),
        cmocka_unit_test(refuses_impossible_sizes),
        cmocka_unit_test(refuses_endless_scans),
        cmocka_unit_test(markers_in_segments_do_not_count),
        cmocka_unit_test(refuses_oversized_huffman_tables),
        cmocka_unit_test(refuses_jpegs_without_a_picture),
        cmocka_unit_test(refuses_more_data_than_pixels),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(refuses_huge_files),
        cmocka_unit_test(png_round_trips),
        cmocka_unit_test(noise_round_trips),
        cmocka_unit_test(large_photos_are_written),
        cmocka_unit_test(png_is_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
