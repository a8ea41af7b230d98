/* What the host offers to every plugin. A plugin links against nothing of the core: it is handed this struct.
 *
 * `size` is the size of the struct that the host was built with. A plugin of an older minor ABI sees a longer
 * struct than it knows, which is harmless; the host refuses a plugin of a newer minor, so no field is
 * missing. */
#ifndef HEADLIGHT_HOST_H
#define HEADLIGHT_HOST_H

#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a line of the log is shown is up to the program. The command shows warnings always, on stderr, and
 * information where somebody looks on: on a terminal, without --quiet. */
typedef enum hl_log_level { HL_LOG_INFO = 1, HL_LOG_WARNING = 2 } hl_log_level;

typedef struct hl_host hl_host;
struct hl_host {
    uint32_t size;

    /* `count` zeroed elements of `element` bytes, aligned to 64 bytes; NULL when there is no memory or the
     * product overflows. Free with `release` (which accepts NULL). [any thread] */
    void *(*allocate)(const hl_host *host, size_t count, size_t element);
    void (*release)(const hl_host *host, void *memory);

    /* One line for the user, no newline at its end; the host puts the plugin's name before it. printf's
     * format, at most about a thousand bytes. [any thread] */
    void (*log)(const hl_host *host, hl_log_level level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

    /* True once the user has asked to stop: return HL_FAILED soon, with "cancelled" as the message. [any
     * thread] */
    bool (*cancelled)(const hl_host *host);

    /* The threads that `parallel` would use if called here and now, the caller's included: at least 1, and 1
     * inside `work`, so that a session that has one thread to itself divides nothing. The host owns them; a
     * plugin starts none of its own. [any thread] */
    unsigned (*threads)(const hl_host *host);

    /* Calls work(argument, index) for every index in [0, count), spread over the host's threads, and returns
     * when all are done. Which thread runs which index is not fixed: for results that are the same every
     * time, let each index write its own part. From inside `work` it runs the loop in the calling thread.
     * [any thread] */
    void (*parallel)(const hl_host *host, size_t count, void (*work)(void *argument, size_t index),
                     void *argument);

    /* A further table of functions by name ("headlight.weights/1", see weights.h), or NULL when this host
     * lacks it. [any thread] */
    const void *(*extension)(const hl_host *host, const char *name);

    /* Reads a whole file of at most `most` bytes. *bytes, which the caller frees with `free`, has a NUL
     * behind the last of its *count bytes. A plugin opens no file in another way: this is an error, and not a
     * wait without end, where a named pipe or a device lies. HL_USAGE when the path leads to no regular file
     * that may be read or to a larger one; HL_FAILED when the system fails or the file changes meanwhile.
     * [any thread] */
    hl_status (*read_file)(const hl_host *host, const char *path, size_t most, char **bytes, size_t *count,
                           hl_error *error);
};

/* Whether to go on: HL_OK, or "cancelled" once the user has asked to stop. [any thread] */
static inline hl_status hl_check_cancelled(const hl_host *host, hl_error *error) {
    return host->cancelled(host) ? hl_fail(error, HL_FAILED, "cancelled") : HL_OK;
}

#ifdef __cplusplus
}
#endif

#endif
