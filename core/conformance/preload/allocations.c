/* Preloaded into `headlight check-plugin`: counts the blocks of memory that are in use, and makes one
 * allocation of the thread that asks for it fail. Does nothing by itself.
 *
 * Reached by dlsym: long headlight_blocks(void); void headlight_fail(long number): of this thread, from now
 * on, allocation `number` (from 1; 0: none) fails; long headlight_allocations(void): how many there were
 * since the last number above 0. void headlight_count(bool): whether this thread's allocations count at all
 * for the last two. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

#pragma GCC visibility push(default)
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *memory, size_t bytes);
void *aligned_alloc(size_t alignment, size_t bytes);
void *memalign(size_t alignment, size_t bytes);
int posix_memalign(void **memory, size_t alignment, size_t bytes);
void free(void *memory);
long headlight_blocks(void);
void headlight_fail(long number);
long headlight_allocations(void);
void headlight_count(bool on);
#pragma GCC visibility pop

#define OWN static _Thread_local __attribute__((tls_model("initial-exec")))

static atomic_long blocks;
OWN long seen, failing;
OWN bool counting;

long headlight_blocks(void) {
    return atomic_load(&blocks);
}

void headlight_fail(long number) {
    if (number) seen = 0;
    failing = number;
}

long headlight_allocations(void) {
    return seen;
}

void headlight_count(bool on) {
    counting = on;
}

static bool fails(void) {
    if (!counting || ++seen != failing) return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory) {
    if (memory) atomic_fetch_add(&blocks, 1);
    return memory;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *memory, size_t bytes) {
    if (fails()) return NULL;
    void *got = __libc_realloc(memory, bytes);
    if (!memory) counted(got);
    if (memory && !bytes && !got) atomic_fetch_sub(&blocks, 1);
    return got;
}

void *memalign(size_t alignment, size_t bytes) {
    return fails() ? NULL : counted(__libc_memalign(alignment, bytes));
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *got = memalign(alignment, bytes);
    if (got) *memory = got;
    return got ? 0 : ENOMEM;
}

void free(void *memory) {
    if (memory) atomic_fetch_sub(&blocks, 1);
    __libc_free(memory);
}
