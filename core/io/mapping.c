/* Maps files. Never knows what is in them. */
#include "core/io/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static hl_status map_descriptor(int descriptor, const char *path, mapping *out, hl_error *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        return hl_fail(error, HL_FAILED, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return hl_fail(error, HL_FAILED, "%s: not a regular file; name a file", path);
    }
    if (status.st_size == 0) {
        return hl_fail(error, HL_FAILED, "%s: the file is empty; copy or download it again", path);
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) {
        return hl_fail(error, HL_FAILED, "%s: cannot be mapped into memory: %s", path, strerror(errno));
    }
    *out = (mapping){.bytes = bytes, .count = (size_t)status.st_size};
    return HL_OK;
}

hl_status mapping_open(const char *path, mapping *out, hl_error *error) {
    *out = (mapping){0};
    /* not to wait for a writer when the path is a pipe */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return hl_fail(error, HL_FAILED, "%s: cannot be opened: %s; check the path", path, strerror(errno));
    }
    hl_status status = map_descriptor(descriptor, path, out, error);
    close(descriptor);
    return status;
}

void mapping_release(const uint8_t *from, size_t count) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
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
    if (map->bytes) munmap((void *)(uintptr_t)map->bytes, map->count);
    *map = (mapping){0};
}
