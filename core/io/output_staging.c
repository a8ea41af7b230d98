/* The staging folder of an output; see output_staging.h. A staging folder is made in three steps (folder,
 * lock file, lock), so that another process may meet it half-made and take it for abandoned: who makes one
 * looks afterwards whether it is still there, and makes another if not. Never knows what is in the files. */
#include "core/io/output_staging.h"
#include "core/io/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX    ".headlight-tmp-"
#define LOCK_FILE "lock"
#define DIGITS    "0123456789"
#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { RANDOM_LETTERS = 6, NAME_ROOM = 32, TRIES = 100, OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

/* ---- names ---- */

bool output_is_staging(const char *name) {
    size_t prefix = strlen(PREFIX), length = strlen(name);
    return strncmp(name, PREFIX, prefix) == 0 && length == prefix + RANDOM_LETTERS &&
           strspn(name + prefix, LETTERS DIGITS) == RANDOM_LETTERS;
}

static bool is_staged_file(const char *name) {
    if (strncmp(name, "new-", 4) != 0 && strncmp(name, "old-", 4) != 0) return false;
    size_t digits = strspn(name + 4, DIGITS);
    return digits > 0 && name[4 + digits] == '\0';
}

typedef struct staged_name {
    char text[NAME_ROOM];
} staged_name;

static staged_name name_of(const char *kind, size_t index) {
    staged_name name;
    snprintf(name.text, sizeof name.text, "%s-%zu", kind, index);
    return name;
}

/* ---- making and removing one's own ---- */

/* Whether the lock is still the one that others will find. */
static bool is_current(int folder, int lock) {
    struct stat held, named;
    return fstat(lock, &held) == 0 && fstatat(folder, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* EAGAIN: another process took it for abandoned while it was made. */
static int try_to_make(staging *self) {
    if (!mkdtemp(self->path)) return errno;
    self->folder = open(self->path, OPEN_FOLDER | O_NOFOLLOW);
    if (self->folder >= 0) {
        self->lock = openat(self->folder, LOCK_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (self->lock < 0) return errno == ENOENT ? EAGAIN : errno;
    if (flock(self->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return EAGAIN;
    return is_current(self->folder, self->lock) ? 0 : EAGAIN;
}

int staging_make(const char *folder, staging *out) {
    int reason = EAGAIN;
    for (int tries = 0; reason == EAGAIN && tries < TRIES; ++tries) {
        *out = (staging){NULL, -1, -1};
        if (asprintf(&out->path, "%s/" PREFIX "XXXXXX", folder) < 0) {
            out->path = NULL;
            return ENOMEM;
        }
        reason = try_to_make(out);
        if (reason) staging_remove(out, 0);
    }
    return reason;
}

void staging_remove(staging *self, size_t count) {
    if (!self->path) return;
    for (size_t i = 0; i < count; ++i) {
        unlinkat(self->folder, name_of("new", i).text, 0);
        unlinkat(self->folder, name_of("old", i).text, 0);
    }
    if (self->lock >= 0) {
        unlinkat(self->folder, LOCK_FILE, 0);
        close(self->lock); /* first: on a network file system an open file keeps its folder from going */
    }
    if (self->folder >= 0) close(self->folder);
    rmdir(self->path);
    free(self->path);
    self->path = NULL;
}

/* ---- files ---- */

FILE *staging_create(const staging *self, size_t index) {
    staged_name name = name_of("new", index);
    int descriptor = openat(self->folder, name.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
    if (descriptor >= 0 && !file) {
        int reason = errno;
        close(descriptor);
        unlinkat(self->folder, name.text, 0);
        errno = reason;
    }
    return file;
}

bool staging_publish(const staging *self, size_t index, const char *place) {
    return renameat(self->folder, name_of("new", index).text, AT_FDCWD, place) == 0;
}

bool staging_keep(const staging *self, size_t index, const char *place) {
    return linkat(AT_FDCWD, place, self->folder, name_of("old", index).text, 0) == 0;
}

bool staging_set_aside(const staging *self, size_t index, const char *place) {
    return renameat(AT_FDCWD, place, self->folder, name_of("old", index).text) == 0;
}

bool staging_restore(const staging *self, size_t index, const char *place) {
    return renameat(self->folder, name_of("old", index).text, AT_FDCWD, place) == 0;
}

/* ---- removing what killed processes left ---- */

static size_t remove_staged_files(int folder, DIR *open) {
    size_t removed = 0;
    rewinddir(open);
    for (struct dirent *entry; (entry = readdir(open));) {
        removed += is_staged_file(entry->d_name) && unlinkat(folder, entry->d_name, 0) == 0;
    }
    return removed;
}

/* The lock goes last, so that an interrupted removal is taken up again. */
static void empty(int folder) {
    int listed = openat(folder, ".", OPEN_FOLDER);
    DIR *open = listed >= 0 ? fdopendir(listed) : NULL;
    if (open) {
        while (remove_staged_files(folder, open)) { /* names may be skipped while others go */
        }
        closedir(open);
        unlinkat(folder, LOCK_FILE, 0);
    } else if (listed >= 0) {
        close(listed);
    }
}

static void sweep_one(int parent, const char *name) {
    int folder = openat(parent, name, OPEN_FOLDER | O_NOFOLLOW);
    if (folder < 0) return;
    int lock = openat(folder, LOCK_FILE, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock >= 0) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0 && is_current(folder, lock)) empty(folder);
        close(lock);
    }
    unlinkat(parent, name, AT_REMOVEDIR); /* only if it is empty: without so much as a lock */
    close(folder);
}

void output_sweep(const char *folder) {
    DIR *open = opendir(folder);
    if (!open) return;
    for (struct dirent *entry; (entry = readdir(open));) {
        if (output_is_staging(entry->d_name)) sweep_one(dirfd(open), entry->d_name);
    }
    closedir(open);
}
