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

/* What failed among indices that several threads work at: of all failures that of the lowest index, so that
 * which thread came first does not show. Begins as HL_NO_FAILURE. */
typedef struct hl_failure {
    size_t index; /* SIZE_MAX: nothing failed */
    hl_status status;
    hl_error error;
    bool held; /* by the thread that writes */
} hl_failure;

#define HL_NO_FAILURE                                                                                        \
    { SIZE_MAX, HL_OK, {""}, false }

/* [any thread] */
static inline void hl_keep_failure(hl_failure *self, size_t index, hl_status status, const hl_error *error) {
    while (__atomic_test_and_set(&self->held, __ATOMIC_ACQUIRE)) continue;
    if (index < self->index) {
        self->status = status;
        self->error = *error;
        __atomic_store_n(&self->index, index, __ATOMIC_RELAXED);
    }
    __atomic_clear(&self->held, __ATOMIC_RELEASE);
}

/* Once all threads are done: the failure's status, and its message to `error`, which may be NULL. */
static inline hl_status hl_tell_failure(const hl_failure *self, hl_error *error) {
    if (self->status != HL_OK && error) *error = self->error;
    return self->status;
}

/* hl_host.parallel for tasks that may fail. After a failure those behind it are left out and those before it
 * still run, so that the failure told is always the same. [any thread] */
typedef hl_status hl_task(void *argument, size_t index, hl_error *error);

typedef struct hl_tasks {
    hl_task *task;
    void *argument;
    hl_failure failure;
} hl_tasks;

static inline void hl_run_task(void *tasks, size_t index) {
    hl_tasks *self = (hl_tasks *)tasks;
    hl_error error;
    if (index > __atomic_load_n(&self->failure.index, __ATOMIC_RELAXED)) return;
    error.message[0] = '\0';
    hl_status status = self->task(self->argument, index, &error);
    if (status != HL_OK) hl_keep_failure(&self->failure, index, status, &error);
}

static inline hl_status hl_parallel(const hl_host *host, size_t count, hl_task *task, void *argument,
                                    hl_error *error) {
    hl_tasks tasks = {task, argument, HL_NO_FAILURE};
    host->parallel(host, count, hl_run_task, &tasks);
    return hl_tell_failure(&tasks.failure, error);
}

#ifdef __cplusplus
}
#endif

#endif
