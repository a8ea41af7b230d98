/* See memory.h. */
#include "core/conformance/memory.h"

#include "core/registry/guard.h"
#include <dlfcn.h>
#include <malloc.h>

/* Of the sanitizers' runtime, where it is there. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* Of preload/allocations.c. */
static void *find(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

long memory_in_use(void) {
    long (*blocks)(void);
    *(void **)&blocks = find("headlight_blocks");
    if (blocks) return blocks();
    if (__sanitizer_get_current_allocated_bytes) return (long)__sanitizer_get_current_allocated_bytes();
    struct mallinfo2 all = mallinfo2();
    return (long)(all.uordblks + all.hblkhd);
}

bool memory_can_fail(void) {
    return find("headlight_fail") != NULL;
}

static void count(bool inside) {
    void (*counted)(bool);
    *(void **)&counted = find("headlight_count");
    if (counted) counted(inside);
}

void memory_fail(const hl_plugin *plugin, long number) {
    void (*fail)(long);
    *(void **)&fail = find("headlight_fail");
    guard_watch(plugin, plugin ? count : NULL);
    if (fail) fail(number);
}

long memory_allocations(void) {
    long (*seen)(void);
    *(void **)&seen = find("headlight_allocations");
    return seen ? seen() : 0;
}

long memory_next(long number) {
    enum { ONE_BY_ONE = 24, SHARE = 6 };
    return number + (number < ONE_BY_ONE ? 1 : number / SHARE);
}
