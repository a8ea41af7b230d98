/* Errors are values.
 *
 * Every function that can fail returns an hl_status and takes an hl_error last. On failure the message is one
 * readable sentence that names the file, the place in it, what was expected and what to do. Nothing in the
 * core or in a plugin calls exit or abort. */
#ifndef HEADLIGHT_ERROR_H
#define HEADLIGHT_ERROR_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first three are exit statuses of the command, which ends with 1 for all others. */
typedef enum hl_status {
    HL_OK = 0,
    HL_FAILED = 1,    /* the run failed: a damaged file, a full disk, cancelled */
    HL_USAGE = 2,     /* the user asked for something that cannot be: a typo, a wrong type, an unknown name */
    HL_NO_MEMORY = 3, /* as HL_FAILED, for want of memory. */
    HL_UNAVAILABLE = 4 /* as HL_FAILED, for a reason that may be gone at the next try, such as a file that may
                        * not be read, or is not there. */
} hl_status;

typedef struct hl_error {
    char message[1024]; /* ends with NUL; one line; cut in its middle, never overrun, when longer */
} hl_error;

/* Whether a text may be cut before this byte: it is not in the midst of a character of UTF-8. */
static inline int hl_may_cut(char next) {
    return ((unsigned char)next & 0xC0) != 0x80;
}

/* Copies `length` bytes of `whole` into `room` of `size` bytes, at least 16. What does not fit is left out of
 * the middle, where a path or a name is long: place and reason stand at the ends. */
static inline void hl_fit(char *room, size_t size, const char *whole, size_t length) {
    static const char gap[] = "...";
    if (length < size) {
        memcpy(room, whole, length + 1);
        return;
    }
    size_t head = size / 3, tail = length - (size - 1 - head - (sizeof gap - 1));
    while (head > 0 && !hl_may_cut(whole[head])) --head;
    while (tail < length && !hl_may_cut(whole[tail])) ++tail;
    memcpy(room, whole, head);
    memcpy(room + head, gap, sizeof gap - 1);
    memcpy(room + head + sizeof gap - 1, whole + tail, length - tail + 1);
}

/* vsnprintf, but what does not fit is left out of the middle. Without memory for that, of the end. */
__attribute__((format(printf, 3, 0))) static inline void hl_format_list(char *room, size_t size,
                                                                        const char *format,
                                                                        va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(room, size, format, arguments);
    char *whole = length >= 0 && (size_t)length >= size ? (char *)malloc((size_t)length + 1) : NULL;
    if (whole) {
        vsnprintf(whole, (size_t)length + 1, format, again);
        hl_fit(room, size, whole, (size_t)length);
        free(whole);
    }
    va_end(again);
}

/* The same as snprintf. [any thread] */
__attribute__((format(printf, 3, 4))) static inline void hl_format(char *room, size_t size,
                                                                   const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(room, size, format, arguments);
    va_end(arguments);
}

/* Blanks for the line breaks of a text: what a message quotes comes from anybody's file. */
static inline void hl_make_one_line(char *text) {
    for (char *at = text; *(at += strcspn(at, "\r\n"));) *at = ' ';
}

/* Writes the message (printf's format) and returns `status`, so that a failing step is one line:
 *     return hl_fail(error, HL_FAILED, "%s: holds %zu bytes, expected %zu", path, got, expected);
 * `error` may be NULL. [any thread; an hl_error belongs to one thread at a time] */
__attribute__((format(printf, 3, 4))) static inline hl_status hl_fail(hl_error *error, hl_status status,
                                                                      const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        hl_format_list(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        hl_make_one_line(error->message);
    }
    return status;
}

/* The one sentence for an allocation that failed. `what` says what the memory was for. */
static inline hl_status hl_no_memory(hl_error *error, const char *what) {
    return hl_fail(error, HL_NO_MEMORY,
                   "out of memory while allocating %s: use a smaller batch or free memory", what);
}

#ifdef __cplusplus
}
#endif

#endif
