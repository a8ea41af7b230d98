/* Image files of every format that is read, held against Pillow byte by byte; whole, cut and damaged ones:
 * what is not refused shows what Pillow shows. */
#include "tests/support.h"

#include "core/io/picture.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FORMATS TEST_GOLDEN "/formats"

/* From an exact copy: a sanitizer sees what is read beyond it. */
static hl_status decode(const char *bytes, size_t count, picture *image, hl_error *error) {
    uint8_t *copy = malloc(count + !count);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    error->message[0] = 0;
    hl_status status = picture_decode("some image", copy, count, image, error);
    free(copy);
    return status;
}

static char *read_format(const char *name, size_t *count) {
    char *path = text(FORMATS "/%s", name), *bytes = read_file(path, count);
    free(path);
    return bytes;
}

static bool shows(const picture *got, const npy_array *expected) {
    const size_t *shape = expected->shape;
    bool same = expected->rank == 3 && got->height == shape[0] && got->width == shape[1] && shape[2] == 3;
    for (size_t i = 0; same && i < expected->elements; ++i) same = got->rgb[i] == expected->data[i];
    return same;
}

/* ---- every file ---- */

static bool has_ending(const char *name, const char *ending) {
    size_t length = strlen(name), of_ending = strlen(ending);
    return length > of_ending && strcmp(name + length - of_ending, ending) == 0;
}

static bool is_image(const char *name) {
    return name[0] != '.' && !has_ending(name, ".npy") && !has_ending(name, ".py");
}

typedef void check_image(const char *name, const char *bytes, size_t count, const npy_array *expected);

/* Of those whose name ends so; returns how many there are. */
static int for_each_image(const char *ending, check_image *check) {
    DIR *folder = opendir(FORMATS);
    assert_non_null(folder);
    int found = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!is_image(entry->d_name) || !has_ending(entry->d_name, ending)) continue;
        char *stem = text("%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
        npy_array expected = golden("formats", stem);
        size_t count;
        char *bytes = read_format(entry->d_name, &count);
        check(entry->d_name, bytes, count, &expected);
        ++found;
        free(bytes);
        free(expected.data);
        free(stem);
    }
    closedir(folder);
    return found;
}

static void check_whole(const char *name, const char *bytes, size_t count, const npy_array *expected) {
    picture image;
    hl_error error;
    if (decode(bytes, count, &image, &error) != HL_OK) fail_msg("%s: %s", name, error.message);
    if (!shows(&image, expected)) fail_msg("%s: not the pixels that Pillow shows", name);
    picture_free(&image);
    char *path = text(FORMATS "/%s", name);
    size_t width, height;
    assert_ok(picture_size(path, &width, &height, &error), error);
    assert_int_equal(width, expected->shape[1]);
    assert_int_equal(height, expected->shape[0]);
    free(path);
}

static void every_format_matches_pillow(void **state) {
    (void)state;
    assert_true(for_each_image(".png", check_whole) >= 36);
    assert_true(for_each_image(".gif", check_whole) >= 12);
    assert_true(for_each_image(".bmp", check_whole) >= 39);
    assert_true(for_each_image(".webp", check_whole) >= 5);
    assert_true(for_each_image(".tif", check_whole) >= 39);
}

/* Refused, or nothing that is shown was lost. */
static void assert_harmless(const char *name, const char *what, size_t at, const char *bytes, size_t count,
                            const npy_array *expected) {
    picture image;
    hl_error error;
    if (decode(bytes, count, &image, &error) == HL_OK) {
        if (!shows(&image, expected)) fail_msg("%s %s %zu: taken with other pixels", name, what, at);
    } else {
        assert_null(image.rgb);
        assert_ptr_equal(strstr(error.message, "some image: "), error.message);
    }
    picture_free(&image);
}

static void check_cut(const char *name, const char *bytes, size_t count, const npy_array *expected) {
    for (size_t cut = 0; cut<count; cut += cut> 600 && cut + 300 < count ? 17 : 1)
        assert_harmless(name, "cut to", cut, bytes, cut, expected);
    picture image;
    hl_error error;
    if (decode(bytes, count / 4, &image, &error) != HL_FAILED)
        fail_msg("%s: a quarter of it was taken", name);
}

static void cut_files_are_refused_or_whole(void **state) {
    (void)state;
    assert_true(for_each_image("", check_cut) >= 131);
}

static void check_flipped(const char *name, const char *bytes, size_t count, const npy_array *expected) {
    enum { SIGNATURE = 8 };
    char *damaged = malloc(count);
    assert_non_null(damaged);
    for (size_t at = SIGNATURE; at < count; ++at) {
        memcpy(damaged, bytes, count);
        damaged[at] ^= (char)(1 << at % 8);
        assert_harmless(name, "damaged at", at, damaged, count, expected);
    }
    free(damaged);
}

static void checksums_of_png_count(void **state) {
    (void)state;
    assert_true(for_each_image(".png", check_flipped) >= 36);
}

/* ---- what is refused, and how ---- */

static void assert_refused(const char *bytes, size_t count, const char *reason) {
    picture image;
    hl_error error;
    if (decode(bytes, count, &image, &error) != HL_FAILED)
        fail_msg("taken, but should be refused: %s", reason);
    assert_null(image.rgb);
    assert_ptr_equal(strstr(error.message, "some image: "), error.message);
    if (!strstr(error.message, reason)) fail_msg("\"%s\" does not say \"%s\"", error.message, reason);
}

static void formats_that_are_not_read_are_named(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *name;
    } FILES[] = {{"\0\0\0\x18"
                  "ftypheic\0\0\0\0",
                  16, "HEIC is not read; convert it to JPEG or PNG"},
                 {"\0\0\0\x18"
                  "ftypheix\0\0\0\0",
                  16, "HEIC"},
                 {"\0\0\0\x18"
                  "ftyphevc\0\0\0\0",
                  16, "HEIC"},
                 {"\0\0\0\x18"
                  "ftypmif1\0\0\0\0",
                  16, "HEIF"},
                 {"\0\0\0\x1c"
                  "ftypavif\0\0\0\0",
                  16, "AVIF"},
                 {"\0\0\0\x1c"
                  "ftypavis\0\0\0\0",
                  16, "AVIF"},
                 {"\0\0\0\x18"
                  "ftypcrx \0\0\0\0",
                  16, "raw format (CR3)"},
                 {"\0\0\0\x0cjP  \r\n\x87\n\0\0", 14, "JPEG 2000"},
                 {"\xff\x4f\xff\x51\0\x2f", 6, "JPEG 2000"},
                 {"\0\0\0\x0cJXL \r\n\x87\n\0\0", 14, "JPEG XL"},
                 {"\xff\x0a\xfa\x3f", 4, "JPEG XL"},
                 {"II\xbc\x01", 4, "JPEG XR"},
                 {"8BPS\0\1", 6, "Photoshop's PSD"},
                 {"II*\0\x10\0\0\0CR\x02\0", 12, "raw format (CR2)"},
                 {"MM\0+\0\x08\0\0", 8, "BigTIFF"}};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; ++i)
        assert_refused(FILES[i].bytes, FILES[i].count, FILES[i].name);
    assert_refused("GIF88a", 6, "expected JPEG, PNG, GIF, BMP, WebP or TIFF");
}

/* The chunk that begins with this name gets the checksum of what it holds now. */
static void mend_checksum(char *chunk) {
    const uint8_t *size = (uint8_t *)chunk - 4;
    uint32_t count = (uint32_t)size[0] << 24 | (uint32_t)size[1] << 16 | (uint32_t)size[2] << 8 | size[3];
    uint32_t sum = (uint32_t)crc32(0, (uint8_t *)chunk, count + 4);
    for (int i = 0; i < 4; ++i) chunk[4 + count + (uint32_t)i] = (char)(sum >> (24 - 8 * i));
}

static void damaged_png_is_refused(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_format("png_kind2_8bit.png", &count), *data = memmem(bytes, count, "IDAT", 4);
    char *later = memmem(data + 4, count - (size_t)(data + 4 - bytes), "IDAT", 4);
    assert_non_null(later);
    char *sum = memmem(later, count - (size_t)(later - bytes), "IEND", 4) - 8 - 4; /* of what is unpacked */
    sum[4] ^= 1;                                                                   /* the chunk's */
    assert_refused(bytes, count, "IDAT: CRC error");
    sum[0] ^= 1;
    mend_checksum(later);
    assert_refused(bytes, count, "incorrect data check");
    sum[0] ^= 1;
    mend_checksum(later);
    char *header = memmem(bytes, count, "IHDR", 4);
    header[4 + 7] += 1; /* another row, which has no data */
    mend_checksum(header);
    assert_refused(bytes, count, "Not enough image data");
    header[4 + 7] -= 2;
    mend_checksum(header);
    assert_refused(bytes, count, "Too much image data");
    free(bytes);

    bytes = read_format("png_colour_key.png", &count);
    char *gamma = memmem(bytes, count, "gAMA", 4);
    gamma[5] ^= 1;
    assert_refused(bytes, count, "gAMA: CRC error");
    memcpy(gamma, "GAMA", 4);
    mend_checksum(gamma);
    assert_refused(bytes, count, "critical chunk of an unknown kind");
    free(bytes);
}

static void moving_png_shows_what_fills_it(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_format("png_moving.png", &count), *control = memmem(bytes, count, "fcTL", 4);
    control[4 + 7] -= 1;
    mend_checksum(control);
    assert_refused(bytes, count, "its first frame does not fill it");
    memcpy(control, "fdAT", 4);
    mend_checksum(control);
    assert_refused(bytes, count, "a later frame comes before the image");
    free(bytes);
}

static void damaged_gif_is_refused(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_format("gif_full.gif", &count);
    const size_t frame = 13 + 3 * 32, bits = frame + 10;
    assert_int_equal(bytes[frame], ',');
    assert_int_equal(bytes[bits], 5);
    bytes[bits + 2] |= 0x3f; /* the first code: not yet defined */
    assert_refused(bytes, count, "its data is wrong");
    const char wrong[] = {0, 1, 9, 12};
    for (size_t i = 0; i < sizeof wrong; ++i) {
        bytes[bits] = wrong[i];
        assert_refused(bytes, count, "damaged or of a rare kind");
    }
    bytes[bits] = 5;
    bytes[frame + 5] = 0;
    assert_refused(bytes, count, "its picture is empty");
    free(bytes);
    assert_refused("GIF89a\0\x40\0\x40\0\0\0,\0\0\0\0\0\x40\0\x40\0\2\2\x4c\1\0;", 29,
                   "too little data for its size");
    assert_refused("GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x4c\1\0;", 29,
                   "too little data for its size");
    assert_refused("GIF89a\1\0\1\0\0\0\0;", 14, "it has no picture");
}

static void rare_bmp_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *file;
        size_t at;
        char value;
        const char *reason;
    } CHANGES[] = {{"bmp_8bit_header40.bmp", 30, 1, "run-length coding is not read"},
                   {"bmp_4bit_header40.bmp", 30, 2, "run-length coding is not read"},
                   {"bmp_24bit_header40.bmp", 30, 4, "its compression is not read"},
                   {"bmp_24bit_header40.bmp", 14, 56, "its header has an unknown length"},
                   {"bmp_24bit_header40.bmp", 28, 48, "its pixels have an unknown number of bits"},
                   {"bmp_565.bmp", 55, 0, "its colours are masked in an unknown way"},
                   {"bmp_8bit_header40.bmp", 47, 2, "its palette has more than 256 colours"},
                   {"bmp_8bit_header40.bmp", 21, 0x7f, "make it smaller"},
                   {"bmp_8bit_header40.bmp", 18, 0, "shows nothing"},
                   {"bmp_8bit_header40.bmp", 13, 1, "truncated"}};
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; ++i) {
        size_t count;
        char *bytes = read_format(CHANGES[i].file, &count);
        bytes[CHANGES[i].at] = CHANGES[i].value;
        assert_refused(bytes, count, CHANGES[i].reason);
        free(bytes);
    }
}

/* Lowest byte first; where the directory has the number of a tag that it has. */
static char *tag_value(char *bytes, size_t count, int tag) {
    uint32_t at;
    memcpy(&at, bytes + 4, sizeof at);
    for (char *entry = bytes + at + 2; entry + 12 < bytes + count; entry += 12)
        if ((uint8_t)entry[0] == (tag & 0xff) && entry[1] == tag >> 8) return entry + 8;
    fail_msg("no tag %d", tag);
    return NULL;
}

static void rare_tiff_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *file;
        int tag;
        char value;
        const char *reason;
    } CHANGES[] = {{"tiff_tiles.tif", 259, 6, "its compression is not read"},
                   {"tiff_tiles.tif", 262, 8, "its colours are stored in a way that is not read"},
                   {"tiff_tiles.tif", 262, 6, "its compression is not read"},
                   {"tiff_turned1.tif", 277, 4, "damaged or of a rare kind"},
                   {"tiff_turned1.tif", 256, 0, "damaged or of a rare kind"},
                   {"tiff_turned1.tif", 278, 0, "damaged or of a rare kind"},
                   {"tiff_planes.tif", 258, 1, "damaged or of a rare kind"}};
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; ++i) {
        size_t count;
        char *bytes = read_format(CHANGES[i].file, &count);
        memcpy(tag_value(bytes, count, CHANGES[i].tag), (char[]){CHANGES[i].value, 0}, 2);
        assert_refused(bytes, count, CHANGES[i].reason);
        free(bytes);
    }
}

/* A few bytes that say they are 2^28 pixels: refused as cut files, before the memory is asked for. */
static void small_files_do_not_ask_for_much(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_format("png_kind2_8bit.png", &count), *header = memmem(bytes, count, "IHDR", 4);
    memcpy(header + 4, "\0\0\x40\0\0\0\x40\0", 8);
    mend_checksum(header);
    assert_refused(bytes, count, "truncated");
    free(bytes);
    bytes = read_format("tiff_lzw.tif", &count);
    memcpy(tag_value(bytes, count, 256), "\0\x40", 2);
    memcpy(tag_value(bytes, count, 257), "\0\x40", 2);
    memcpy(tag_value(bytes, count, 278), "\0\x40", 2);
    assert_refused(bytes, count, "truncated");
    tag_value(bytes, count, 259)[0] = 1; /* not packed at all */
    assert_refused(bytes, count, "\"StripByteCounts\"");
    free(bytes);
}

/* More strips than there are rows for, tags out of order, text for numbers: libtiff reads on, Pillow
 * otherwise. */
static void contradictory_tiff_is_refused(void **state) {
    (void)state;
    size_t count;
    char *bytes = read_format("tiff_pages.tif", &count);
    tag_value(bytes, count, 273)[-4] += 1;
    assert_refused(bytes, count, "damaged or of a rare kind");
    free(bytes);
    bytes = read_format("tiff_turned1.tif", &count);
    char *turn = tag_value(bytes, count, 274);
    turn[-6] = 1; /* a byte; Pillow takes it for text */
    assert_refused(bytes, count, "damaged or of a rare kind");
    turn[-6] = 3;
    turn[-4] = 2;
    assert_refused(bytes, count, "Orientation");
    turn[-4] = 1;
    turn[-7] = 0x10;
    assert_refused(bytes, count, "not sorted");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_matches_pillow),
        cmocka_unit_test(cut_files_are_refused_or_whole),
        cmocka_unit_test(checksums_of_png_count),
        cmocka_unit_test(formats_that_are_not_read_are_named),
        cmocka_unit_test(damaged_png_is_refused),
        cmocka_unit_test(moving_png_shows_what_fills_it),
        cmocka_unit_test(damaged_gif_is_refused),
        cmocka_unit_test(rare_bmp_is_refused),
        cmocka_unit_test(rare_tiff_is_refused),
        cmocka_unit_test(contradictory_tiff_is_refused),
        cmocka_unit_test(small_files_do_not_ask_for_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
