/* See files.h. */
#include "files.h"

#include <stdlib.h>

/* A whole file; `head` may be empty. */
static hl_status write_file(const hl_report *report, const char *name, const void *head, size_t head_size,
                            const void *body, size_t size, hl_error *error) {
    hl_file *file;
    hl_status status = report->file(report, name, &file, error);
    if (status == HL_OK) status = report->write(report, file, head, head_size, error);
    if (status == HL_OK) status = report->write(report, file, body, size, error);
    return status == HL_OK ? report->finish(report, file, error) : status;
}

hl_status files_png(const hl_report *report, const char *name, const hl_picture *picture, hl_error *error) {
    uint8_t *png = NULL;
    size_t count = 0;
    hl_status status = report->encode(report, picture, HL_PNG, &png, &count, error);
    if (status == HL_OK) status = write_file(report, name, "", 0, png, count, error);
    free(png);
    return status;
}

/* NumPy's format, version 1.0, byte for byte as NumPy writes it: the dictionary is padded so that the
 * outermost length may grow to 21 digits, the whole so that the elements begin at a multiple of 64. Returns
 * its length. */
static size_t make_header(char room[256], const char *descr, size_t rows, size_t cols) {
    enum { PREFIX = 10, GROWTH = 21, ALIGNMENT = 64 };
    char digits[24];
    int outermost = snprintf(digits, sizeof digits, "%zu", rows);
    memcpy(room, "\x93NUMPY\x01\x00", 8);
    int length = PREFIX + snprintf(room + PREFIX, 256 - PREFIX,
                                   "{'descr': '%.8s', 'fortran_order': False, 'shape': (%zu, %zu), }%*s",
                                   descr, rows, cols, GROWTH - outermost, "");
    size_t used = (size_t)length + 1, total = used + ALIGNMENT - used % ALIGNMENT;
    memset(room + length, ' ', total - (size_t)length);
    room[total - 1] = '\n';
    room[8] = (char)((total - PREFIX) & 0xff);
    room[9] = (char)((total - PREFIX) >> 8);
    return total;
}

hl_status files_npy(const hl_report *report, const char *name, const char *descr, size_t size, size_t rows,
                    size_t cols, const void *values, hl_error *error) {
    char header[256];
    size_t length = make_header(header, descr, rows, cols);
    return write_file(report, name, header, length, values, rows * cols * size, error);
}
