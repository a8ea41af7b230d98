/* Preloaded into the command by test_memory: allocation number FAIL_ALLOCATION of the process fails; with
 * FAIL_ALLOCATION_COUNT set, the number of allocations is written to that file at the end instead. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
#pragma GCC visibility push(default)
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *memory, size_t bytes);
void *aligned_alloc(size_t alignment, size_t bytes);
#pragma GCC visibility pop

static atomic_long allocations;
static long failing;
static const char *count_file;

__attribute__((constructor)) static void read_environment(void) {
    const char *number = getenv("FAIL_ALLOCATION");
    failing = number ? strtol(number, NULL, 10) : 0;
    count_file = getenv("FAIL_ALLOCATION_COUNT");
    atomic_store(&allocations, 0);
}

__attribute__((destructor)) static void write_count(void) {
    FILE *file = count_file ? fopen(count_file, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", atomic_load(&allocations));
    fclose(file);
}

static int fails(void) {
    if (atomic_fetch_add(&allocations, 1) + 1 != failing) return 0;
    errno = ENOMEM;
    return 1;
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
