/* Preloaded into a program to make one of its system calls fail, whoever makes it: the program, its plugins,
 * a library, or the C library in the middle of fread. The kernel hands the calls to a handler here (seccomp
 * with SIGSYS), which makes them itself.
 *
 *   FAIL_CALL=NAME:N:HOW  call number N (from 1) of NAME fails; "N+": and every one after it
 *   FAIL_CALL_FILE=TEXT   only calls on files whose path ends in TEXT are counted
 *   FAIL_CALL_COUNT=F     at the end a line "NAME CALLS" for each name that was called is written to file F
 *
 * NAME is one of open read pread write sync rename link unlink mkdir stat map list lock truncate close, or
 * any. HOW is the name of an errno (EIO, ENOSPC, EMFILE, EINTR ...) or SHORT   it reads or writes half of
 * what it was asked for SHRINK  it succeeds, and then its file is cut to half of its size EMPTY   it
 * succeeds, and then its file is cut to nothing KILL INT TERM HUP  the process gets this signal instead of
 * the call, or (all but KILL) before it
 *
 * Calls on stderr are not counted: the message about them would be lost. Nor are those before main (the
 * program loader's). The program must not be started through another one that inherits the variables. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- what differs between processors ---- */

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
static const int ARGUMENTS[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
static long argument_of(const ucontext_t *at, int index) {
    return (long)at->uc_mcontext.gregs[ARGUMENTS[index]];
}
static void return_to(ucontext_t *at, long value) {
    at->uc_mcontext.gregs[REG_RAX] = value;
}
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
static long argument_of(const ucontext_t *at, int index) {
    return (long)at->uc_mcontext.regs[index];
}
static void return_to(ucontext_t *at, long value) {
    at->uc_mcontext.regs[0] = (unsigned long long)value;
}
#else
#error "this processor's registers are not known here"
#endif

/* ---- the calls ---- */

enum { NO_FILE = -1 };

typedef struct call {
    long number;
    const char *name;
    int descriptor, path; /* which argument is the file's descriptor or path; NO_FILE: none */
} call;

static const call CALLS[] = {
    {SYS_openat, "open", NO_FILE, 1},
    {SYS_read, "read", 0, NO_FILE},
    {SYS_readv, "read", 0, NO_FILE},
    {SYS_pread64, "pread", 0, NO_FILE},
    {SYS_write, "write", 0, NO_FILE},
    {SYS_writev, "write", 0, NO_FILE},
    {SYS_pwrite64, "write", 0, NO_FILE},
    {SYS_fsync, "sync", 0, NO_FILE},
    {SYS_fdatasync, "sync", 0, NO_FILE},
    {SYS_renameat2, "rename", NO_FILE, 3},
    {SYS_renameat, "rename", NO_FILE, 3},
    {SYS_linkat, "link", NO_FILE, 3},
    {SYS_unlinkat, "unlink", NO_FILE, 1},
    {SYS_mkdirat, "mkdir", NO_FILE, 1},
    {SYS_fstat, "stat", 0, NO_FILE},
    {SYS_newfstatat, "stat", 0, 1},
    {SYS_statx, "stat", 0, 1},
    {SYS_mmap, "map", 4, NO_FILE},
    {SYS_getdents64, "list", 0, NO_FILE},
    {SYS_flock, "lock", 0, NO_FILE},
    {SYS_ftruncate, "truncate", 0, NO_FILE},
    {SYS_close, "close", 0, NO_FILE},
#ifdef SYS_open /* older processors have these besides */
    {SYS_open, "open", NO_FILE, 0},
    {SYS_rename, "rename", NO_FILE, 1},
    {SYS_link, "link", NO_FILE, 1},
    {SYS_unlink, "unlink", NO_FILE, 0},
    {SYS_rmdir, "unlink", NO_FILE, 0},
    {SYS_mkdir, "mkdir", NO_FILE, 0},
    {SYS_stat, "stat", NO_FILE, 0},
    {SYS_lstat, "stat", NO_FILE, 0},
#endif
};
enum { CALL_COUNT = sizeof CALLS / sizeof *CALLS };

typedef enum action { ERRNO, SHORT, SHRINK, EMPTY, SIGNAL } action;

static const struct {
    const char *name;
    action action;
    int number; /* errno or signal */
} HOW[] = {
    {"EIO", ERRNO, EIO},       {"ENOSPC", ERRNO, ENOSPC}, {"EMFILE", ERRNO, EMFILE},
    {"ENFILE", ERRNO, ENFILE}, {"EINTR", ERRNO, EINTR},   {"ENOMEM", ERRNO, ENOMEM},
    {"EACCES", ERRNO, EACCES}, {"EPERM", ERRNO, EPERM},   {"EDQUOT", ERRNO, EDQUOT},
    {"EROFS", ERRNO, EROFS},   {"EFBIG", ERRNO, EFBIG},   {"EAGAIN", ERRNO, EAGAIN},
    {"ENOENT", ERRNO, ENOENT}, {"ESTALE", ERRNO, ESTALE}, {"ENOLCK", ERRNO, ENOLCK},
    {"EBUSY", ERRNO, EBUSY},   {"SHORT", SHORT, 0},       {"SHRINK", SHRINK, 0},
    {"EMPTY", EMPTY, 0},       {"KILL", SIGNAL, SIGKILL}, {"INT", SIGNAL, SIGINT},
    {"TERM", SIGNAL, SIGTERM}, {"HUP", SIGNAL, SIGHUP},
};

static struct {
    char name[16]; /* "": none fails */
    long failing;
    bool onwards;
    size_t how;
    const char *file, *count_file;
    atomic_long counts[CALL_COUNT], turn;
    atomic_bool over;
} plan;

/* ---- the handler: nothing but `syscall`, which the kernel lets through ---- */

static long make(long number, const long *a) {
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
}

/* NULL: no file, or one whose name is not to be found. */
static const char *path_of(const call *which, const long *arguments, char room[PATH_MAX]) {
    const char *path = which->path == NO_FILE ? NULL : (const char *)arguments[which->path];
    if (path && *path) return path;
    if (which->descriptor == NO_FILE || (int)arguments[which->descriptor] < 0) return NULL;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", (int)arguments[which->descriptor]);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, room, PATH_MAX - 1);
    if (length < 0) return NULL;
    room[length] = '\0';
    return room;
}

static bool is_counted(const call *which, const long *arguments) {
    if (atomic_load(&plan.over)) return false;
    if (which->descriptor == 0 && which->path == NO_FILE && (int)arguments[0] == STDERR_FILENO) return false;
    if (!plan.file) return true;
    char room[PATH_MAX];
    const char *path = path_of(which, arguments, room);
    size_t length = path ? strlen(path) : 0, ending = strlen(plan.file);
    return length >= ending && strcmp(path + length - ending, plan.file) == 0;
}

static bool is_its_turn(const call *which) {
    if (strcmp(plan.name, "any") != 0 && strcmp(plan.name, which->name) != 0) return false;
    long number = atomic_fetch_add(&plan.turn, 1) + 1;
    return number == plan.failing || (plan.onwards && number > plan.failing);
}

static void cut(const call *which, const long *arguments, long result, bool empty) {
    char room[PATH_MAX];
    const char *path = path_of(which, arguments, room);
    long descriptor = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0) : -1;
    struct stat status;
    if (result < 0 || descriptor < 0) return;
    if (syscall(SYS_fstat, descriptor, &status) == 0) {
        syscall(SYS_ftruncate, descriptor, empty ? 0L : (long)status.st_size / 2);
    }
    syscall(SYS_close, descriptor);
}

static long fail(const call *which, long number, long *arguments) {
    long result;
    switch (HOW[plan.how].action) {
    case ERRNO:
        if (number == SYS_close) make(number, arguments); /* as Linux does it: closed, whatever it says */
        return -HOW[plan.how].number;
    case SHORT:
        if (number == SYS_read || number == SYS_pread64 || number == SYS_write || number == SYS_pwrite64) {
            arguments[2] = (arguments[2] + 1) / 2;
        }
        return make(number, arguments);
    case SIGNAL:
        syscall(SYS_kill, getpid(), HOW[plan.how].number);
        return make(number, arguments);
    default:
        result = make(number, arguments);
        cut(which, arguments, result, HOW[plan.how].action == EMPTY);
        return result;
    }
}

static void handle(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number;
    int saved = errno;
    ucontext_t *at = context;
    long number = info->si_syscall, arguments[6];
    for (int i = 0; i < 6; ++i) arguments[i] = argument_of(at, i);
    size_t index = 0;
    while (CALLS[index].number != number) ++index; /* only these come here */
    const call *which = &CALLS[index];
    bool fails = false;
    if (is_counted(which, arguments)) {
        atomic_fetch_add(&plan.counts[index], 1);
        fails = plan.failing > 0 && is_its_turn(which);
    }
    return_to(at, fails ? fail(which, number, arguments) : make(number, arguments));
    errno = saved;
}

/* ---- at the start and at the end ---- */

static bool read_plan(void) {
    plan.file = getenv("FAIL_CALL_FILE");
    plan.count_file = getenv("FAIL_CALL_COUNT");
    const char *text = getenv("FAIL_CALL");
    if (!text) return plan.count_file != NULL;
    char number[24], how[16];
    if (sscanf(text, "%15[a-z]:%23[0-9+]:%15[A-Z]", plan.name, number, how) == 3) {
        char *end;
        plan.failing = strtol(number, &end, 10);
        plan.onwards = *end == '+';
        for (size_t i = 0; i < sizeof HOW / sizeof *HOW; ++i) {
            plan.how = i;
            if (strcmp(HOW[i].name, how) == 0) return true;
        }
    }
    fprintf(stderr, "FAIL_CALL=%s: expected NAME:N:HOW\n", text);
    _exit(99); /* a test must not take this for a success */
}

/* To the kernel: hand me these calls unless `syscall` makes them. */
static bool install_filter(void) {
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    if (!dladdr1((void *)(uintptr_t)syscall, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
        return false;
    uintptr_t first = (uintptr_t)syscall, last = first + symbol->st_size;
    if (first >> 32 != last >> 32) return false;
    struct sock_filter code[8 + CALL_COUNT + 2];
    unsigned short used = 0;
    enum {
        LOAD = BPF_LD | BPF_W | BPF_ABS,
        EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
        REACHED = BPF_JMP | BPF_JGE | BPF_K
    };
    const unsigned place = offsetof(struct seccomp_data, instruction_pointer);
    code[used++] = (struct sock_filter)BPF_STMT(LOAD, offsetof(struct seccomp_data, arch));
    code[used++] = (struct sock_filter)BPF_JUMP(EQUAL, ARCHITECTURE, 0, 6 + CALL_COUNT);
    code[used++] = (struct sock_filter)BPF_STMT(LOAD, place + 4);
    code[used++] = (struct sock_filter)BPF_JUMP(EQUAL, (unsigned)(first >> 32), 0, 3);
    code[used++] = (struct sock_filter)BPF_STMT(LOAD, place);
    code[used++] = (struct sock_filter)BPF_JUMP(REACHED, (unsigned)first, 0, 1);
    code[used++] = (struct sock_filter)BPF_JUMP(REACHED, (unsigned)last + 1, 0, 1 + CALL_COUNT);
    code[used++] = (struct sock_filter)BPF_STMT(LOAD, offsetof(struct seccomp_data, nr));
    for (unsigned char i = 0; i < CALL_COUNT; ++i) {
        code[used++] = (struct sock_filter)BPF_JUMP(EQUAL, (unsigned)CALLS[i].number,
                                                    (unsigned char)(CALL_COUNT - i), 0);
    }
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {used, code};
    struct sigaction trap = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    return sigaction(SIGSYS, &trap, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

__attribute__((constructor)) static void start(void) {
    if (!read_plan() || install_filter()) return;
    fputs("FAIL_CALL: the kernel does not allow it here\n", stderr);
    _exit(99);
}

__attribute__((destructor)) static void write_counts(void) {
    atomic_store(&plan.over, true);
    FILE *file = plan.count_file ? fopen(plan.count_file, "w") : NULL;
    if (!file) return;
    for (size_t i = 0; i < CALL_COUNT; ++i) {
        long calls = 0;
        bool first = true; /* several calls share a name */
        for (size_t j = 0; j < CALL_COUNT; ++j) {
            if (strcmp(CALLS[i].name, CALLS[j].name) != 0) continue;
            first &= j >= i;
            calls += atomic_load(&plan.counts[j]);
        }
        if (first && calls > 0) fprintf(file, "%s %ld\n", CALLS[i].name, calls);
    }
    fclose(file);
}
