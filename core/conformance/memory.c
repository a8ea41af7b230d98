/* See memory.h. */
#include "core/conformance/memory.h"

#include "core/registry/guard.h"
#include <dlfcn.h>
#include <link.h>
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

static void count(guard_event event) {
    void (*counted)(bool, bool);
    *(void **)&counted = find("headlight_count");
    bool mine = event == GUARD_ALLOCATES;
    if (counted) counted(event != GUARD_OUTSIDE, mine);
}

typedef struct code_range {
    const char *inside, *start, *end;
} code_range;

static int look(struct dl_phdr_info *object, size_t size, void *user) {
    code_range *range = user;
    (void)size;
    const char *base = (const char *)object->dlpi_addr;
    for (size_t i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        const char *start = base + segment->p_vaddr, *end = start + segment->p_memsz;
        if (segment->p_type != PT_LOAD) continue;
        if (!range->start || start < range->start) range->start = start;
        if (end > range->end) range->end = end;
    }
    if (range->inside >= range->start && range->inside < range->end) return 1;
    *range = (code_range){.inside = range->inside};
    return 0;
}

void memory_fail(const hl_plugin *plugin, memory_owner owner, long number) {
    void (*set_code)(const char *, const char *);
    void (*fail)(bool, long);
    code_range range = {.inside = plugin->api}; /* its table lies in the same file as its code */
    *(void **)&set_code = find("headlight_plugin_code");
    *(void **)&fail = find("headlight_fail");
    if (!fail || !set_code) return;
    dl_iterate_phdr(look, &range);
    set_code(range.start, range.end);
    guard_watch(plugin, count);
    fail(owner == MEMORY_OWN, number);
}

void memory_fail_none(void) {
    void (*fail)(bool, long);
    *(void **)&fail = find("headlight_fail");
    guard_watch(NULL, NULL);
    if (fail) fail(false, 0);
}

long memory_allocations(void) {
    long (*seen)(void);
    *(void **)&seen = find("headlight_allocations");
    return seen ? seen() : 0;
}

long memory_next(memory_owner owner, long number) {
    enum { OWN_ONE_BY_ONE = 300, OTHERS_ONE_BY_ONE = 12, SHARE = 4 };
    long all = owner == MEMORY_OWN ? OWN_ONE_BY_ONE : OTHERS_ONE_BY_ONE;
    return number + (number < all ? 1 : number / SHARE);
}
