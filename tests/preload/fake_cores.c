/* Preloaded into a program to show it another machine.
 *
 *   FAKE_CORES=N       the kernel's sets have room for N processors ...
 *   FAKE_ALLOWED=K     ... of which the process may run on the last K
 *   FAKE_CGROUP=DIR    /proc/self/cgroup and what is below /sys/fs/cgroup are looked for in DIR */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)
int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set);
FILE *fopen(const char *path, const char *mode);
#pragma GCC visibility pop

int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set) {
    (void)process;
    const char *cores = getenv("FAKE_CORES"), *allowed = getenv("FAKE_ALLOWED");
    size_t count = cores ? strtoul(cores, NULL, 10) : 8,
           usable = allowed ? strtoul(allowed, NULL, 10) : count;
    if (bytes * 8 < count) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(bytes, set);
    for (size_t i = count - usable; i < count; ++i) CPU_SET_S(i, bytes, set);
    return 0;
}

FILE *fopen(const char *path, const char *mode) {
    FILE *(*next)(const char *, const char *);
    void *symbol = dlsym(RTLD_NEXT, "fopen");
    memcpy(&next, &symbol, sizeof next);
    const char *folder = getenv("FAKE_CGROUP");
    char moved[PATH_MAX];
    if (!folder || (strcmp(path, "/proc/self/cgroup") != 0 && strncmp(path, "/sys/fs/cgroup", 14) != 0)) {
        return next(path, mode);
    }
    snprintf(moved, sizeof moved, "%s%s", folder, path);
    return next(moved, mode);
}
