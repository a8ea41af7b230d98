/* Preloaded into a program to make one of its allocations fail, whoever asks: the program, its plugins, a
 * library or the C library.
 *
 *   FAIL_ALLOCATION=N        allocation number N (from 1) fails; "N+": and every one after it
 *   FAIL_ALLOCATION_COUNT=F  at the end the number of allocations is written to file F
 *
 * Memory that is taken from the system without the C library (mmap) is for fail_call. */
#include "turn.h"

#include <errno.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
#pragma GCC visibility push(default)
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *memory, size_t bytes);
void *aligned_alloc(size_t alignment, size_t bytes);
void *memalign(size_t alignment, size_t bytes);
int posix_memalign(void **memory, size_t alignment, size_t bytes);
#pragma GCC visibility pop

static turn allocations;

__attribute__((constructor)) static void read_environment(void) {
    turn_read(&allocations, "FAIL_ALLOCATION", "FAIL_ALLOCATION_COUNT");
}

__attribute__((destructor)) static void write_count(void) {
    allocations.failing = 0;
    turn_write(&allocations);
}

static bool fails(void) {
    if (!turn_fails(&allocations)) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    return fails() ? NULL : __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *got = fails() ? NULL : __libc_memalign(alignment, bytes);
    if (got) *memory = got;
    return got ? 0 : ENOMEM;
}
