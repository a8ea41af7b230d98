/* PNG by libpng. Every checksum is verified; whatever says how to show the
 * pixels (gamma, profiles, transparency) is passed over, as Pillow does. Never knows what the pixels are for.
 *
 * libpng reports errors by longjmp: only try() is ever returned to, and no variable of it or of what it calls
 * is looked at after a jump; all that outlives one is in the reader. */
#include "core/io/decoder_library.h"

#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RGB = 3, COLOURS = 256, REASON_BYTES = 96 };
enum { MOST_BYTES_OF_ONE = 1032 /* that deflate can pack into it */ };

typedef struct reader {
    const encoded_image *image;
    size_t next;        /* byte of the file */
    size_t next_of_end; /* of the end chunk, after those */
    png_structp png;
    png_infop info;
    uint8_t *rgb;
    bool truncated, refused /* memory, by the system */;
    char reason[REASON_BYTES];
} reader;

/* ---- what libpng calls ---- */

/* A file that ends within its end chunk, or before it, has lost none of the image: what is missing is made
 * up. Where it has lost more, a checksum does not fit. */
static const uint8_t END[] = "\0\0\0\0IEND\xae\x42\x60\x82";
enum { END_BYTES = sizeof END - 1 };

/* How many bytes of it the file has. */
static size_t count_end_bytes(const encoded_image *image) {
    size_t count = image->count < END_BYTES ? image->count : END_BYTES;
    while (memcmp(image->bytes + image->count - count, END, count) != 0) --count;
    return count;
}

static void read_bytes(png_structp png, png_bytep data, size_t count) {
    reader *in = png_get_io_ptr(png);
    size_t left = in->image->count - in->next, got = count < left ? count : left, missing = count - got;
    memcpy(data, in->image->bytes + in->next, got);
    in->next += got;
    in->truncated |= missing > 0;
    if (missing > END_BYTES - in->next_of_end) png_error(png, "truncated");
    memcpy(data + got, END + in->next_of_end, missing);
    in->next_of_end += missing;
}

static void *take(png_structp png, size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) ((reader *)png_get_mem_ptr(png))->refused = true;
    return memory;
}

static void give_back(png_structp png, void *memory) {
    (void)png;
    free(memory);
}

static void fail(png_structp png, const char *reason) {
    reader *in = png_get_error_ptr(png);
    strncpy(in->reason, reason, REASON_BYTES - 1);
    png_longjmp(png, 1);
}

static void pass_over_warning(png_structp png, const char *warning) {
    (void)png;
    (void)warning;
}

/* Chunks that libpng is not to look into. Pillow draws the image where the control of a first frame puts it,
 * and takes the data of a later frame for it; both are against the specification, as are unknown critical
 * chunks. */
static int pass_over_chunk(png_structp png, png_unknown_chunkp chunk) {
    static const uint8_t AT_ORIGIN[8] = {0};
    enum { SIZE_AT = 4, SIZE_BYTES = 8, IHDR_SIZE_AT = 16, ANCILLARY = 0x20 };
    reader *in = png_get_user_chunk_ptr(png);
    if (!(chunk->name[0] & ANCILLARY)) png_error(png, "it has a critical chunk of an unknown kind");
    if (chunk->location & PNG_AFTER_IDAT) return 1;
    if (memcmp(chunk->name, "fdAT", 4) == 0) png_error(png, "a later frame comes before the image");
    if (memcmp(chunk->name, "fcTL", 4) != 0) return 1;
    const uint8_t *size = chunk->data + SIZE_AT;
    if (chunk->size < SIZE_AT + 2 * SIZE_BYTES ||
        memcmp(size, in->image->bytes + IHDR_SIZE_AT, SIZE_BYTES) != 0 ||
        memcmp(size + SIZE_BYTES, AT_ORIGIN, SIZE_BYTES) != 0)
        png_error(png, "its first frame does not fill it");
    return 1;
}

/* ---- steps ---- */

static void read_header(reader *in) {
    png_structp png = in->png;
    png_set_read_fn(png, in, read_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, in->image->count);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(png, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "tRNS", 1);
    png_set_read_user_chunk_fn(png, in, pass_over_chunk);
    png_read_info(png, in->info);
}

/* Indices become colours from the last to the first: both are in the same row. Of indices beyond the palette
 * Pillow makes grays. */
static void look_up(uint8_t *row, size_t width, const uint8_t (*palette)[RGB]) {
    for (size_t x = width; x-- > 0;) memcpy(row + RGB * x, palette[row[x]], RGB);
}

static void apply_palette(reader *in) {
    uint8_t palette[COLOURS][RGB];
    for (int i = 0; i < COLOURS; ++i) memset(palette[i], i, RGB);
    png_colorp colours;
    int count = 0;
    png_get_PLTE(in->png, in->info, &colours, &count);
    for (int i = 0; i < count; ++i)
        memcpy(palette[i], (uint8_t[]){colours[i].red, colours[i].green, colours[i].blue}, RGB);
    size_t width = png_get_image_width(in->png, in->info), height = png_get_image_height(in->png, in->info);
    for (size_t y = 0; y < height; ++y)
        look_up(in->rgb + RGB * width * y, width, (const uint8_t(*)[RGB])palette);
}

static void read_pixels(reader *in) {
    png_structp png = in->png;
    bool indexed = png_get_color_type(png, in->info) == PNG_COLOR_TYPE_PALETTE;
    png_set_check_for_invalid_index(png, 0);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_packing(png);
    if (!indexed) {
        png_set_expand_gray_1_2_4_to_8(png);
        png_set_gray_to_rgb(png);
    }
    int passes = png_set_interlace_handling(png);
    size_t row = RGB * (size_t)png_get_image_width(png, in->info);
    for (; passes > 0; --passes)
        for (size_t y = 0; y < png_get_image_height(png, in->info); ++y)
            png_read_row(png, in->rgb + row * y, NULL);
    png_read_end(png, NULL);
    if (indexed) apply_palette(in);
}

static bool try(reader *in, void (*step)(reader *)) {
    if (setjmp(png_jmpbuf(in->png))) return false;
    step(in);
    return true;
}

/* ---- a file ---- */

/* To be closed, also after a failure. */
static hl_status explain(const reader *in, hl_error *error) {
    if (in->refused) return hl_no_memory(error, in->image->name);
    if (in->truncated) return decoder_truncated(in->image->name, error);
    return decoder_damaged(in->image->name, in->reason, error);
}

static hl_status open_reader(const encoded_image *image, reader *in, hl_error *error) {
    *in = (reader){.image = image, .next_of_end = count_end_bytes(image)};
    in->png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, in, fail, pass_over_warning, in, take, give_back);
    in->info = in->png ? png_create_info_struct(in->png) : NULL;
    if (!in->info) return hl_no_memory(error, image->name);
    return try(in, read_header) ? HL_OK : explain(in, error);
}

static void close_reader(reader *in) {
    png_destroy_read_struct(&in->png, &in->info, NULL);
}

static hl_status png_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    reader in;
    hl_status status = open_reader(image, &in, error);
    if (status == HL_OK) {
        *width = png_get_image_width(in.png, in.info);
        *height = png_get_image_height(in.png, in.info);
    }
    close_reader(&in);
    return status;
}

static hl_status png_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                            hl_error *error) {
    reader in;
    hl_status status = open_reader(image, &in, error);
    if (status == HL_OK && height * png_get_rowbytes(in.png, in.info) / MOST_BYTES_OF_ONE > image->count)
        status = decoder_truncated(image->name, error);
    if (status == HL_OK && !(in.rgb = malloc(RGB * width * height)))
        status = hl_no_memory(error, image->name);
    if (status == HL_OK && !try(&in, read_pixels)) status = explain(&in, error);
    if (status == HL_OK) {
        *out = (picture){.width = width, .height = height, .rgb = in.rgb};
    } else {
        free(in.rgb);
    }
    close_reader(&in);
    return status;
}

const decoder_library DECODER_PNG = {png_size, png_pixels};
