/* See ending.h. */
#include "tools/headlight/ending.h"

#include "headlight/library.h"
#include "tools/headlight/terminal.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *command_name;
static atomic_bool returned; /* main has, so that the end is nobody's doing */

/* ---- signals that ask to stop ---- */

static const int asking[] = {SIGINT, SIGTERM, SIGHUP};
enum { ASKING = sizeof asking / sizeof *asking };

static atomic_bool stopped; /* the user has asked for it */
static bool heeded[ASKING]; /* what is ignored from the start (nohup, a shell's background) stays ignored */

/* The first signal asks whatever runs to stop. The second ends the program, whatever it does: its temporary
 * folders are left to the next command. */
static void stop(int number) {
    static atomic_flag asked = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&asked)) {
        atomic_store(&stopped, true);
        return;
    }
    sigset_t these;
    sigemptyset(&these);
    sigaddset(&these, number);
    signal(number, SIG_DFL);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &these, NULL); /* now */
}

bool ending_is_asked(void *user) {
    (void)user;
    return atomic_load(&stopped);
}

static void take_signals(void) {
    const struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < ASKING; ++i) {
        if (heeded[i]) sigaction(asking[i], &action, NULL);
    }
}

static bool is_taken_away(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler != stop;
}

/* A plugin may block signals in its threads, or put handlers of its own in place of ours. This thread blocks
 * none, and puts ours back. */
static void *watch(void *unused) {
    static const struct timespec a_moment = {0, 100 * 1000 * 1000};
    (void)unused;
    for (;;) {
        nanosleep(&a_moment, NULL);
        bool taken_away = false;
        for (size_t i = 0; i < ASKING; ++i) taken_away |= heeded[i] && is_taken_away(asking[i]);
        if (taken_away) take_signals();
    }
    return NULL;
}

void ending_heed_signals(void) {
    struct sigaction before;
    for (size_t i = 0; i < ASKING; ++i) {
        heeded[i] = sigaction(asking[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN;
    }
    take_signals();
}

/* Without the thread signals are heeded where plugins let them be. */
void ending_guard_signals(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) == 0) pthread_detach(thread);
}

/* ---- sudden ends ---- */

/* Only functions that a signal handler may call. */
static void say(const char *who, const char *what) {
    const char *const parts[] = {"headlight ", command_name, ": ", who, ": ", what, "\n"};
    char line[1024];
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        for (const char *at = parts[i]; *at && used < sizeof line; ++at) line[used++] = *at;
    }
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}

/* Takes the default way: what happened happens again, and the program ends by it. */
static void end_by(int number) {
    signal(number, SIG_DFL);
    raise(number);
}

static void crash(int number, siginfo_t *info, void *context) {
    (void)context;
    int reason = errno;
    char who[256];
    if (number == SIGBUS && info->si_code > 0 && hl_library_absorb_fault(info->si_addr)) {
        errno = reason;
        return;
    }
    hl_library_running(who, sizeof who);
    if (*who)
        say(who, number == SIGABRT ? "called abort, which no plugin may" : "crashed: a fault of the plugin");
    end_by(number);
}

/* Where somebody else, such as a sanitizer, explains crashes already, it stays so. A stack of its own, for
 * what has none left. */
static void handle_crashes(void) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static char stack[64 * 1024];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_sigaction = crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction before;
    stack_t there;
    if (sigaltstack(NULL, &there) == 0 && there.ss_flags & SS_DISABLE) sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; ++i) {
        bool ours = crashes[i] == SIGBUS || (sigaction(crashes[i], NULL, &before) == 0 &&
                                             !(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_DFL);
        if (ours) sigaction(crashes[i], &action, NULL);
    }
}

/* A plugin ends the program: an error like any other, which leaves nothing behind. */
static _Noreturn void end_for_plugin(const char *call) {
    char who[256], what[128];
    static atomic_flag ending = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&ending)) {
        hl_library_running(who, sizeof who);
        hl_library_clean_up();
        terminal_clear();
        snprintf(what, sizeof what, "called %s, which no plugin may: the command is not finished", call);
        say(*who ? who : "a plugin", what);
    }
    for (;;) syscall(SYS_exit_group, HL_FAILED);
}

static void explain_exit(void) {
    if (!atomic_load(&returned)) end_for_plugin("exit");
}

#ifdef HEADLIGHT_TAKES_EXIT
/* Plugins find these before the C library's. */
#pragma GCC visibility push(default)
void _exit(int status) {
    char who[256];
    hl_library_running(who, sizeof who);
    if (*who) end_for_plugin("_exit");
    for (;;) syscall(SYS_exit_group, status);
}

void _Exit(int status) {
    _exit(status);
}
#pragma GCC visibility pop
#endif

int ending_return(int status) {
    atomic_store(&returned, true);
    return status;
}

void ending_prepare(const char *command) {
    command_name = command;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    handle_crashes();
    atexit(explain_exit);
    at_quick_exit(explain_exit);
}
