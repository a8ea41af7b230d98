/* Preloaded into a program to count how much it reads of the files that it maps: every page of them is closed
 * until it is touched, whatever the system has in its memory or reads ahead.
 *
 *   COUNT_PAGES_FILE=TEXT  only files whose path ends in TEXT, mapped for reading alone, are counted
 *   COUNT_PAGES=F          at the end the number of bytes of the pages that were touched is written to file F
 */
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { MOST = 1024, PAGE = 4096 };

static struct { atomic_uintptr_t begin, end; } ranges[MOST];
static atomic_size_t range_count, touched;

/* A page may be opened by two threads at once: it is counted by who finds it closed, which mprotect does not
 * say, so pages have a mark each. */
static _Atomic(unsigned char) *marks[MOST];

static struct sigaction before;

static void open_page(int number, siginfo_t *info, void *context) {
    uintptr_t at = (uintptr_t)info->si_addr;
    for (size_t i = 0; i < atomic_load(&range_count); ++i) {
        uintptr_t begin = atomic_load(&ranges[i].begin);
        if (at < begin || at >= atomic_load(&ranges[i].end)) continue;
        uintptr_t page = at / PAGE * PAGE;
        mprotect((void *)page, PAGE, PROT_READ);
        if (atomic_exchange(&marks[i][(page - begin) / PAGE], 1) == 0) atomic_fetch_add(&touched, 1);
        return;
    }
    sigaction(SIGSEGV, &before, NULL);
    (void)number;
    (void)context;
}

static bool is_counted(int descriptor) {
    char link[64], path[PATH_MAX];
    const char *ending = getenv("COUNT_PAGES_FILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = ending ? readlink(link, path, sizeof path) : -1;
    size_t wanted = ending ? strlen(ending) : 0;
    return length >= (ssize_t)wanted && memcmp(path + length - wanted, ending, wanted) == 0;
}

static void *map(const char *name, void *address, size_t count, int protection, int flags, int descriptor,
                 off_t offset) {
    void *(*real)(void *, size_t, int, int, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, name);
    void *bytes = real(address, count, protection, flags, descriptor, offset);
    if (bytes == MAP_FAILED || protection != PROT_READ || descriptor < 0 || !is_counted(descriptor))
        return bytes;
    size_t index = atomic_load(&range_count);
    if (index == MOST) abort();
    if (index == 0) {
        struct sigaction action = {.sa_sigaction = open_page, .sa_flags = SA_SIGINFO};
        sigaction(SIGSEGV, &action, &before);
    }
    marks[index] = calloc(count / PAGE + 1, 1);
    atomic_store(&ranges[index].begin, (uintptr_t)bytes);
    atomic_store(&ranges[index].end, (uintptr_t)bytes + count);
    atomic_store(&range_count, index + 1);
    mprotect(bytes, count, PROT_NONE);
    return bytes;
}

EXPORT void *mmap(void *address, size_t count, int protection, int flags, int descriptor, off_t offset);
void *mmap(void *address, size_t count, int protection, int flags, int descriptor, off_t offset) {
    return map("mmap", address, count, protection, flags, descriptor, offset);
}

EXPORT void *mmap64(void *address, size_t count, int protection, int flags, int descriptor, off_t offset);
void *mmap64(void *address, size_t count, int protection, int flags, int descriptor, off_t offset) {
    return map("mmap64", address, count, protection, flags, descriptor, offset);
}

EXPORT int munmap(void *address, size_t count);
int munmap(void *address, size_t count) {
    int (*real)(void *, size_t);
    *(void **)&real = dlsym(RTLD_NEXT, "munmap");
    for (size_t i = 0; i < atomic_load(&range_count); ++i) {
        if (atomic_load(&ranges[i].begin) != (uintptr_t)address) continue;
        atomic_store(&ranges[i].end, 0);
        atomic_store(&ranges[i].begin, UINTPTR_MAX);
    }
    return real(address, count);
}

__attribute__((destructor)) static void write_count(void) {
    const char *path = getenv("COUNT_PAGES");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%zu\n", atomic_load(&touched) * PAGE);
    fclose(file);
}
