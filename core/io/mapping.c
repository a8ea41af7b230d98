/* Maps files. Never knows what is in them. */
#include "core/io/mapping.h"

#include "core/io/input.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is mapped ---- */

/* A signal handler looks through these while other threads map and unmap, so they are never freed: one whose
 * mapping was closed is used again. */
struct mapped_range {
    atomic_uintptr_t begin, end; /* 0, 0: free */
    atomic_bool broken;
    mapped_range *next;
};

static _Atomic(mapped_range *) ranges;
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER; /* of who changes them */

static mapped_range *find_free(void) {
    mapped_range *range = atomic_load(&ranges);
    while (range && atomic_load(&range->end) != 0) range = range->next;
    if (range) return range;
    range = calloc(1, sizeof *range);
    if (!range) return NULL;
    range->next = atomic_load(&ranges);
    atomic_store(&ranges, range);
    return range;
}

/* NULL: no memory. */
static mapped_range *add_range(const void *bytes, size_t count) {
    pthread_mutex_lock(&ranges_lock);
    mapped_range *range = find_free();
    if (range) {
        atomic_store(&range->broken, false);
        atomic_store(&range->begin, (uintptr_t)bytes);
        atomic_store(&range->end, (uintptr_t)bytes + count);
    }
    pthread_mutex_unlock(&ranges_lock);
    return range;
}

static void drop_range(mapped_range *range) {
    pthread_mutex_lock(&ranges_lock);
    atomic_store(&range->end, 0);
    atomic_store(&range->begin, 0);
    pthread_mutex_unlock(&ranges_lock);
}

static uintptr_t page_size(void) {
    return (uintptr_t)sysconf(_SC_PAGESIZE);
}

/* From here to its end the range becomes zeros: one call, however much of the file is gone. */
bool mapping_absorb(const void *address) {
    uintptr_t at = (uintptr_t)address, page = page_size();
    for (mapped_range *range = atomic_load(&ranges); range; range = range->next) {
        uintptr_t end = (atomic_load(&range->end) + page - 1) / page * page, begin = at / page * page;
        if (at < atomic_load(&range->begin) || at >= end) continue;
        atomic_store(&range->broken, true);
        return mmap((void *)begin, end - begin, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
               MAP_FAILED;
    }
    return false;
}

bool mapping_is_broken(const mapping *map) {
    return map->range && atomic_load(&map->range->broken);
}

hl_status mapping_check(const mapping *map, const char *path, hl_error *error) {
    if (!map->range) return HL_OK;
    struct stat now;
    bool same = stat(path, &now) == 0 && now.st_dev == map->device && now.st_ino == map->number;
    if (same && (uint64_t)now.st_size != map->count) return input_changed(path, error);
    if (!mapping_is_broken(map)) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: cannot be read: the disk failed, or the file was cut; check the disk", path);
}

/* ---- opening and closing ---- */

static hl_status map_descriptor(int descriptor, const char *path, mapping *out, hl_error *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        return hl_fail(error, HL_FAILED, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (status.st_size == 0) {
        return hl_fail(error, HL_FAILED, "%s: the file is empty; copy or download it again", path);
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED && errno == ENOMEM) return hl_no_memory(error, path);
    if (bytes == MAP_FAILED) {
        return hl_fail(error, HL_FAILED, "%s: cannot be mapped into memory: %s", path, strerror(errno));
    }
    *out = (mapping){bytes, (size_t)status.st_size, add_range(bytes, (size_t)status.st_size), status.st_dev,
                     status.st_ino};
    if (out->range) return HL_OK;
    munmap(bytes, out->count);
    *out = (mapping){0};
    return hl_no_memory(error, path);
}

hl_status mapping_open(const char *path, mapping *out, hl_error *error) {
    *out = (mapping){0};
    int descriptor;
    uint64_t size;
    hl_status status = input_open(path, &descriptor, &size, error);
    if (status != HL_OK) return status == HL_USAGE ? HL_FAILED : status;
    status = map_descriptor(descriptor, path, out, error);
    close(descriptor);
    return status;
}

void mapping_release(const uint8_t *from, size_t count) {
    uintptr_t page = page_size();
    uintptr_t begin = ((uintptr_t)from + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)from + count) / page * page;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

hl_status mapping_checksum(const mapping *map, char out[CHECKSUM_ROOM], hl_error *error) {
    enum { CHUNK = 1 << 24 };
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "a checksum");
    for (size_t first = 0; first < map->count; first += CHUNK) {
        size_t count = map->count - first < CHUNK ? map->count - first : CHUNK;
        checksum_add(sum, map->bytes + first, count);
        mapping_release(map->bytes + first, count);
    }
    checksum_end(sum, out);
    return HL_OK;
}

void mapping_close(mapping *map) {
    if (map->range) {
        drop_range(map->range);
        munmap((void *)(uintptr_t)map->bytes, map->count);
    }
    *map = (mapping){0};
}
