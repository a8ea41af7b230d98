/* See input.h. */
#include "core/io/input.h"

#include "core/io/call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PIPE_STEP = 1 << 16 };

static hl_status cannot_read(const char *path, int reason, hl_error *error) {
    if (reason == ENOMEM) return hl_no_memory(error, path);
    return hl_fail(error, HL_FAILED, "%s: cannot be read: %s", path, strerror(reason));
}

hl_status input_changed(const char *path, hl_error *error) {
    return hl_fail(error, HL_FAILED, "%s: was changed while it was read; leave it alone and start again",
                   path);
}

static hl_status cannot_open(const char *path, int reason, hl_error *error) {
    if (reason == ENOMEM) return hl_no_memory(error, path);
    bool exhausted = reason == EMFILE || reason == ENFILE || reason == EIO;
    return hl_fail(error, exhausted ? HL_FAILED : HL_USAGE, "%s: cannot be opened: %s%s", path,
                   reason == ENXIO ? "it is a socket" : strerror(reason),
                   exhausted ? "" : "; check the path");
}

static const char *kind_of(mode_t mode) {
    if (S_ISFIFO(mode)) return "a named pipe";
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

/* A pipe between processes lies in no folder. */
static bool is_nameless_pipe(int descriptor, mode_t mode) {
    struct statfs system;
    return S_ISFIFO(mode) && fstatfs(descriptor, &system) == 0 && system.f_type == PIPEFS_MAGIC;
}

static hl_status check_kind(const char *path, int descriptor, bool *piped, uint64_t *size, hl_error *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return cannot_read(path, errno, error);
    bool regular = S_ISREG(status.st_mode), nameless = is_nameless_pipe(descriptor, status.st_mode);
    *size = regular ? (uint64_t)status.st_size : 0;
    if (regular || (nameless && piped)) {
        if (piped) *piped = nameless;
        return HL_OK;
    }
    return hl_fail(error, HL_USAGE, "%s: not a regular file but %s; name a file", path,
                   nameless ? "a pipe" : kind_of(status.st_mode));
}

/* `piped` NULL: only a regular file. */
static hl_status open_input(const char *path, int *descriptor, bool *piped, uint64_t *size, hl_error *error) {
    /* not to wait for a writer when the path is a pipe */
    *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*descriptor < 0) return cannot_open(path, errno, error);
    hl_status status = check_kind(path, *descriptor, piped, size, error);
    if (status != HL_OK) {
        close(*descriptor);
        *descriptor = -1;
    }
    return status;
}

hl_status input_open(const char *path, int *descriptor, uint64_t *size, hl_error *error) {
    return open_input(path, descriptor, NULL, size, error);
}

/* ---- whole files ---- */

typedef struct content {
    const char *path;
    int descriptor;
    uint8_t *bytes;
    size_t count, room, most;
} content;

/* Room for one byte more than is expected, so that the end is seen without growing, and one for the NUL. */
static hl_status make_room(content *self, size_t room, hl_error *error) {
    if (room > self->most + 2) room = self->most + 2;
    uint8_t *grown = realloc(self->bytes, room);
    if (!grown) return hl_no_memory(error, self->path);
    self->bytes = grown;
    self->room = room;
    return HL_OK;
}

/* Until there is something to read, or the end. Looks up now and then: a signal may come just before the wait
 * that it should end. */
static hl_status wait_for_writer(const content *self, hl_error *error) {
    enum { MILLISECONDS = 200 };
    struct pollfd wanted = {.fd = self->descriptor, .events = POLLIN};
    while (!call_cancelled()) {
        int ready = poll(&wanted, 1, MILLISECONDS);
        if (ready > 0) return HL_OK;
        if (ready < 0 && errno != EINTR) return cannot_read(self->path, errno, error);
    }
    return hl_fail(error, HL_FAILED, "cancelled");
}

/* *ended: at the end, or beyond what is allowed. */
static hl_status read_some(content *self, bool *ended, hl_error *error) {
    if (self->count + 1 == self->room) {
        hl_status status = make_room(self, 2 * self->room + PIPE_STEP, error);
        if (status != HL_OK) return status;
    }
    ssize_t got = read(self->descriptor, self->bytes + self->count, self->room - 1 - self->count);
    if (got < 0 && errno == EAGAIN) return wait_for_writer(self, error);
    if (got < 0 && errno != EINTR) return cannot_read(self->path, errno, error);
    if (got > 0) self->count += (size_t)got;
    *ended = got == 0 || self->count > self->most;
    return HL_OK;
}

static hl_status read_all(content *self, uint64_t size, hl_error *error) {
    hl_status status = HL_OK;
    bool ended = size > self->most;
    if (!ended) status = make_room(self, (size_t)size + 2, error);
    while (status == HL_OK && !ended) status = read_some(self, &ended, error);
    if (status != HL_OK) return status;
    if (size > self->most || self->count > self->most) {
        return hl_fail(error, HL_USAGE, "%s: larger than %zu bytes, the most that is read of such a file",
                       self->path, self->most);
    }
    if (size > 0 && self->count != size) return input_changed(self->path, error);
    self->bytes[self->count] = '\0';
    return HL_OK;
}

static hl_status read_input(const char *path, size_t most, uint8_t **bytes, size_t *count, bool *piped,
                            hl_error *error) {
    *bytes = NULL;
    *count = 0;
    uint64_t size;
    content self = {.path = path, .most = most};
    hl_status status = open_input(path, &self.descriptor, piped, &size, error);
    if (status != HL_OK) return status;
    status = read_all(&self, size, error);
    close(self.descriptor);
    if (status != HL_OK) {
        free(self.bytes);
        return status;
    }
    *bytes = self.bytes;
    *count = self.count;
    return HL_OK;
}

hl_status input_read(const char *path, size_t most, uint8_t **bytes, size_t *count, hl_error *error) {
    return read_input(path, most, bytes, count, NULL, error);
}

hl_status input_read_piped(const char *path, size_t most, uint8_t **bytes, size_t *count, bool *piped,
                           hl_error *error) {
    bool ignored;
    return read_input(path, most, bytes, count, piped ? piped : &ignored, error);
}

/* ---- parts of files ---- */

hl_status input_read_at(const char *path, int descriptor, uint64_t offset, void *bytes, size_t count,
                        hl_error *error) {
    for (char *to = bytes; count > 0;) {
        ssize_t got = pread(descriptor, to, count, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(path, errno, error);
        if (got == 0) return input_changed(path, error);
        to += got;
        offset += (uint64_t)got;
        count -= (size_t)got;
    }
    return HL_OK;
}
