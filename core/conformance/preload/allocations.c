/* Preloaded into `headlight check-plugin`: counts the blocks of memory that are in use, and makes one
 * allocation of the thread that asks for it fail. Does nothing by itself. Reached by dlsym. */
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
/* In use. */
long headlight_blocks(void);
/* Code from `start` to `end` is the plugin's: what it allocates is its own. */
void headlight_plugin_code(const char *start, const char *end);
/* Of this thread, from now on, allocation `number` (from 1; 0: none) fails: of the plugin's own or of all
 * others. */
void headlight_fail(bool own, long number);
/* How many there were of that sort since the last number above 0. */
long headlight_allocations(void);
/* Whether this thread's allocations count, and whether all of them are the plugin's own. */
void headlight_count(bool counts, bool all_own);
#pragma GCC visibility pop

#define OWN static _Thread_local __attribute__((tls_model("initial-exec")))

static atomic_long blocks;
OWN long seen, failing;
OWN bool failing_own, counting, counting_own;
static const char *code_start, *code_end;

long headlight_blocks(void) {
    return atomic_load(&blocks);
}

void headlight_plugin_code(const char *start, const char *end) {
    code_start = start;
    code_end = end;
}

void headlight_fail(bool own, long number) {
    if (number) seen = 0;
    if (number) failing_own = own;
    failing = number;
}

long headlight_allocations(void) {
    return seen;
}

void headlight_count(bool counts, bool all_own) {
    counting = counts;
    counting_own = all_own;
}

static bool fails(const char *caller) {
    bool own = counting_own || (caller >= code_start && caller < code_end);
    if (!counting || own != failing_own || ++seen != failing) return false;
    errno = ENOMEM;
    return true;
}

#define CALLER ((const char *)__builtin_return_address(0))

static void *counted(void *memory) {
    if (memory) atomic_fetch_add(&blocks, 1);
    return memory;
}

void *malloc(size_t bytes) {
    return fails(CALLER) ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes) {
    return fails(CALLER) ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *memory, size_t bytes) {
    if (fails(CALLER)) return NULL;
    void *got = __libc_realloc(memory, bytes);
    if (!memory) counted(got);
    if (memory && !bytes && !got) atomic_fetch_sub(&blocks, 1);
    return got;
}

void *memalign(size_t alignment, size_t bytes) {
    return fails(CALLER) ? NULL : counted(__libc_memalign(alignment, bytes));
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return fails(CALLER) ? NULL : counted(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *got = fails(CALLER) ? NULL : counted(__libc_memalign(alignment, bytes));
    if (got) *memory = got;
    return got ? 0 : ENOMEM;
}

void free(void *memory) {
    if (memory) atomic_fetch_sub(&blocks, 1);
    __libc_free(memory);
}
