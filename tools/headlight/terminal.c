/* A progress line with rate and time left, rewritten in place, and the lines of the log around it. */
#include "tools/headlight/terminal.h"

#include "core/io/utf8.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_LINE = 5000 /* bytes: the longest path there can be, and words around it */ };

static struct {
    pthread_mutex_t lock;
    bool lively; /* there is somebody to look */
    bool shown;  /* a progress line stands on the terminal */
    char what[64];
    double start, last; /* of the work, and when the line was last written; seconds */
} screen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *visible(uint32_t character) {
    return utf8_is_control(character) ? UTF8_REPLACEMENT : NULL;
}

/* Without memory for a clean copy: nothing but what every terminal shows as it is. */
static char *keep_ascii(char *line) {
    for (char *at = line; *at; ++at) {
        if (*at < ' ' || *at > '~') *at = '?';
    }
    return line;
}

void terminal_line(FILE *to, const char *format, ...) {
    char line[LONGEST_LINE + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    char *clean = length >= 0 ? utf8_rewrite(line, UTF8_BYTE, visible) : NULL;
    if (length < 0) *line = '\0';
    fprintf(to, "%s%s\n", clean ? clean : keep_ascii(line), length > LONGEST_LINE ? "..." : "");
    free(clean);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void terminal_open(bool quiet) {
    screen.lively = !quiet && isatty(STDERR_FILENO);
}

static void clear(void) {
    if (screen.shown) fputs("\r\033[K", stderr);
    screen.shown = false;
}

void terminal_clear(void) {
    pthread_mutex_lock(&screen.lock);
    clear();
    pthread_mutex_unlock(&screen.lock);
}

void terminal_log(void *user, hl_log_level level, const char *line) {
    (void)user;
    if (level != HL_LOG_WARNING && !screen.lively) return;
    pthread_mutex_lock(&screen.lock);
    clear();
    terminal_line(stderr, "%s%s", level == HL_LOG_WARNING ? "warning: " : "", line);
    pthread_mutex_unlock(&screen.lock);
}

static void write_line(const char *what, const char *unit, size_t done, size_t total, double passed) {
    fprintf(stderr, "\r\033[K%s: %zu", what, done);
    if (total > 0) fprintf(stderr, " of %zu", total);
    fprintf(stderr, " %ss", unit);
    if (done > 0 && passed > 0.5) {
        double rate = (double)done / passed;
        fprintf(stderr, ", %.1f %ss/s", rate, unit);
        if (total > done) fprintf(stderr, ", %.0f s left", (double)(total - done) / rate);
    }
    fflush(stderr);
}

void terminal_progress(void *user, const char *what, const char *unit, size_t done, size_t total) {
    (void)user;
    if (!screen.lively) return;
    pthread_mutex_lock(&screen.lock);
    double now = seconds();
    if (strncmp(what, screen.what, sizeof screen.what - 1) != 0) {
        snprintf(screen.what, sizeof screen.what, "%s", what);
        screen.start = now;
        screen.last = 0;
    }
    /* Ten lines a second are enough for anybody. */
    if (now - screen.last >= 0.1 || done == total) {
        write_line(what, unit, done, total, now - screen.start);
        screen.last = now;
        screen.shown = true;
    }
    pthread_mutex_unlock(&screen.lock);
}
