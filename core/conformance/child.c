/* See child.h. */
#include "core/conformance/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOTE_ROOM = 256, WORDS_ROOM = 512, LOOK_EVERY = 100 /* milliseconds */ };

/* What parent and child both see. */
typedef struct verdict {
    hl_status status;
    hl_error error;
    bool finished;
    char note[NOTE_ROOM];
} verdict;

static verdict *shared;

void child_note(const char *format, ...) {
    va_list arguments;
    if (!shared) return;
    va_start(arguments, format);
    vsnprintf(shared->note, sizeof shared->note, format, arguments);
    va_end(arguments);
}

/* ---- the child ---- */

static void restore_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) signal(numbers[i], SIG_DFL);
}

static _Noreturn void be_child(child_check *check, const void *subject, int words) {
    const struct rlimit no_core = {0, 0};
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    restore_signals();
    dup2(words, STDOUT_FILENO);
    dup2(words, STDERR_FILENO);
    hl_error error = {""};
    hl_status status = check(subject, &error);
    fflush(NULL);
    shared->status = status;
    shared->error = error;
    shared->finished = true;
    _exit(0);
}

/* ---- the parent ---- */

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

typedef enum ending { ENDED, HUNG, CANCELLED } ending;

/* Ends it if need be. `done` hangs up when the child is gone. */
static ending wait_for(pid_t child, int done, const child_limits *limits, int *status) {
    long long last = now() + (long long)limits->seconds * 1000;
    ending how = ENDED;
    for (;;) {
        struct pollfd wait = {.fd = done, .events = POLLIN};
        if (poll(&wait, 1, LOOK_EVERY) > 0) break;
        if (waitpid(child, status, WNOHANG) == child) return how; /* what it started still holds the pipe */
        if (limits->cancelled && limits->cancelled(limits->user)) how = CANCELLED;
        if (now() > last) how = HUNG;
        if (how != ENDED) break;
    }
    if (how != ENDED) kill(-child, SIGKILL);
    while (waitpid(child, status, 0) < 0 && errno == EINTR) {
    }
    return how;
}

/* The first line of what the child wrote. */
static void read_words(int words, char out[WORDS_ROOM]) {
    ssize_t length = pread(words, out, WORDS_ROOM - 1, 0);
    out[length > 0 ? length : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static hl_status judge(ending how, int status, const child_limits *limits, int words, hl_error *error) {
    char said[WORDS_ROOM], note[NOTE_ROOM + 2];
    read_words(words, said);
    snprintf(note, sizeof note, "%s%s", shared->note[0] ? " " : "", shared->note);
    if (how == CANCELLED) return hl_fail(error, HL_FAILED, "cancelled");
    if (how == HUNG) {
        return hl_fail(error, HL_FAILED, "does not end within %u seconds%s", limits->seconds, note);
    }
    if (WIFSIGNALED(status)) {
        return hl_fail(error, HL_FAILED, "crashes%s: signal %d, %s%s%s", note, WTERMSIG(status),
                       strsignal(WTERMSIG(status)), said[0] ? "; " : "", said);
    }
    if (!shared->finished) {
        return hl_fail(error, HL_FAILED, "ends the process%s: status %d%s%s", note, WEXITSTATUS(status),
                       said[0] ? "; " : "", said);
    }
    if (shared->status != HL_OK) return hl_fail(error, shared->status, "%s", shared->error.message);
    if (!said[0]) return HL_OK;
    return hl_fail(error, HL_FAILED, "writes to stdout or stderr, which plugins leave alone: %s", said);
}

static hl_status run_with(child_check *check, const void *subject, const child_limits *limits, int words,
                          hl_error *error) {
    int done[2], status = 0;
    if (pipe2(done, O_CLOEXEC) != 0) return hl_fail(error, HL_UNAVAILABLE, "no pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(done[0]);
        be_child(check, subject, words);
    }
    close(done[1]);
    if (child < 0) {
        close(done[0]);
        return hl_fail(error, HL_UNAVAILABLE, "no process for it: %s", strerror(errno));
    }
    setpgid(child, child); /* whoever is first */
    ending how = wait_for(child, done[0], limits, &status);
    close(done[0]);
    return judge(how, status, limits, words, error);
}

hl_status child_run(child_check *check, const void *subject, const child_limits *limits, hl_error *error) {
    int words = memfd_create("headlight-check", MFD_CLOEXEC);
    void *room = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hl_status status = HL_OK;
    if (words < 0 || room == MAP_FAILED) {
        status = hl_fail(error, HL_UNAVAILABLE, "no memory for it: %s", strerror(errno));
    } else {
        shared = room;
        status = run_with(check, subject, limits, words, error);
        shared = NULL;
    }
    if (room != MAP_FAILED) munmap(room, sizeof *shared);
    if (words >= 0) close(words);
    return status;
}
