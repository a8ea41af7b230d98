/* The functions that every plugin is handed. */
#include "core/host/host.h"

#include "core/io/call.h"
#include "core/io/input.h"
#include "core/registry/guard.h"
#include "core/weights/weights.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const host *behind(const hl_host *interface) {
    return (const host *)interface;
}

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

/* Large blocks in large pages, where the system leaves that to programs: a walk through weights is then no
 * walk through tables of pages. A wish; what cannot be is not. */
static void ask_for_huge_pages(char *memory, size_t bytes) {
    (void)madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
}

/* calloc's block, with its address kept just before the aligned part: large blocks come zeroed from the
 * system, page by page as they are used, so a weight is not written twice. What is skipped of such a block to
 * begin with a large page is address space, and no memory. */
static void *allocate(const hl_host *interface, size_t count, size_t element) {
    (void)interface;
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > SIZE_MAX - 2 * HUGE_PAGE) return NULL;
    size_t aligned = bytes < HUGE_PAGE ? ALIGNMENT : HUGE_PAGE;
    guard_allocation(true);
    char *block = calloc(1, bytes + ALIGNMENT + aligned);
    guard_allocation(false);
    if (!block) return NULL;
    char *first = block + sizeof block, *memory = first + (aligned - (uintptr_t)first % aligned) % aligned;
    if (aligned == HUGE_PAGE) ask_for_huge_pages(memory, bytes);
    memcpy(memory - sizeof block, &block, sizeof block);
    return memory;
}

static void release(const hl_host *interface, void *memory) {
    (void)interface;
    if (!memory) return;
    char *block;
    memcpy(&block, (char *)memory - sizeof block, sizeof block);
    free(block);
}

static void say(const hl_host *interface, hl_log_level level, const char *line) {
    const hl_library_settings *settings = &behind(interface)->settings;
    if (!call_log(level, line) && settings->log) settings->log(settings->user, level, line);
}

void host_log(const hl_host *interface, hl_log_level level, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(line, sizeof line, format, arguments);
    va_end(arguments);
    say(interface, level, line);
}

/* What plugins call: the line names the plugin. */
static void log_line(const hl_host *interface, hl_log_level level, const char *format, ...) {
    char line[1024], who[256], named[sizeof line + sizeof who + 2];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(line, sizeof line, guard_text(format), arguments);
    va_end(arguments);
    guard_name(guard_current(), who, sizeof who);
    bool names = !*who || strncmp(line, who, strlen(who)) == 0;
    snprintf(named, sizeof named, "%s%s%s", names ? "" : who, names ? "" : ": ", line);
    say(interface, level, named);
}

static bool cancelled(const hl_host *interface) {
    (void)interface;
    return call_cancelled();
}

static unsigned count_threads(const hl_host *interface) {
    return thread_pool_count(behind(interface)->pool);
}

static void parallel(const hl_host *interface, size_t count, void (*work)(void *argument, size_t index),
                     void *argument) {
    thread_pool_run(behind(interface)->pool, count, work, argument);
}

static const void *extension(const hl_host *interface, const char *name) {
    (void)interface;
    return strcmp(guard_text(name), HL_WEIGHTS_EXTENSION) == 0 ? &weights_api : NULL;
}

static hl_status read_file(const hl_host *interface, const char *path, size_t most, char **bytes,
                           size_t *count, hl_error *error) {
    (void)interface;
    uint8_t *read;
    hl_status status = input_read(path, most, &read, count, error);
    *bytes = (char *)read;
    return status;
}

static const hl_host functions = {
    .size = sizeof(hl_host),
    .allocate = allocate,
    .release = release,
    .log = log_line,
    .cancelled = cancelled,
    .threads = count_threads,
    .parallel = parallel,
    .extension = extension,
    .read_file = read_file,
};

hl_status host_open(const hl_library_settings *settings, unsigned threads, host **out, hl_error *error) {
    *out = NULL;
    host *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, "the host");
    made->interface = functions;
    made->settings = *settings;
    hl_status status = thread_pool_open(threads, &made->pool, error);
    if (status != HL_OK) {
        free(made);
        return status;
    }
    *out = made;
    return HL_OK;
}

void host_close(host *made) {
    if (!made) return;
    thread_pool_close(made->pool);
    free(made);
}
