/* Errors are values.
 *
 * Every function that can fail returns an hl_status and takes an hl_error last. On failure the message is one
 * readable sentence that names the file, the place in it, what was expected and what to do. Nothing in the
 * core or in a plugin calls exit or abort. */
#ifndef HEADLIGHT_ERROR_H
#define HEADLIGHT_ERROR_H

#include <stdarg.h>
#include <stdio.h>

/* The first three are exit statuses of the command, which ends with 1 for all others. */
typedef enum hl_status {
    HL_OK = 0,
    HL_FAILED = 1,    /* the run failed: a damaged file, a full disk, cancelled */
    HL_USAGE = 2,     /* the user asked for something that cannot be: a typo, a wrong type, an unknown name */
    HL_NO_MEMORY = 3, /* as HL_FAILED, for want of memory. Since 1.2 */
    HL_UNAVAILABLE = 4 /* as HL_FAILED, for a reason that may be gone at the next try, such as a file that may
                        * not be read, or is not there. Since 1.2 */
} hl_status;

typedef struct hl_error {
    char message[1024]; /* ends with NUL; cut, never overrun, when longer; no newline at the end */
} hl_error;

/* Writes the message (printf's format) and returns `status`, so that a failing step is one line:
 *     return hl_fail(error, HL_FAILED, "%s: holds %zu bytes, expected %zu", path, got, expected);
 * `error` may be NULL. [any thread; an hl_error belongs to one thread at a time] */
__attribute__((format(printf, 3, 4))) static inline hl_status hl_fail(hl_error *error, hl_status status,
                                                                      const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

/* The one sentence for an allocation that failed. `what` says what the memory was for. */
static inline hl_status hl_no_memory(hl_error *error, const char *what) {
    return hl_fail(error, HL_NO_MEMORY,
                   "out of memory while allocating %s: use a smaller batch or free memory", what);
}

#endif
