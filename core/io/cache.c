/* See cache.h. A file is one line, the key, and the bytes; its name is the key's checksum. */
#include "core/io/cache.h"

#include "core/io/checksum.h"
#include "core/io/input.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNFINISHED "unfinished-" /* and six letters: a file that is being written */

enum { HEAD_ROOM = 96, NAME_LENGTH = CHECKSUM_ROOM - 1, ABANDONED_SECONDS = 3600 };

/* ---- the folder ---- */

/* NULL: there is none, or no memory. */
static char *folder_path(void) {
    const char *caches = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
    char *out = NULL;
    int length = -1;
    if (caches && caches[0] == '/') {
        length = asprintf(&out, "%s/headlight", caches);
    } else if (home && home[0] == '/') {
        length = asprintf(&out, "%s/.cache/headlight", home);
    }
    return length < 0 ? NULL : out;
}

/* What another user can write is not believed. */
static bool is_private(const char *folder) {
    struct stat about;
    return stat(folder, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
           !(about.st_mode & (S_IWGRP | S_IWOTH));
}

static void make_folder(char *folder) {
    for (char *slash = folder; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        (void)mkdir(folder, 0700);
        *slash = '/';
    }
    (void)mkdir(folder, 0700);
}

/* Of what is written on one line, over key and bytes. False: no memory. */
static bool sum_of(const char *key, const void *bytes, size_t count, char out[CHECKSUM_ROOM]) {
    checksum *sum = checksum_begin();
    if (!sum) return false;
    checksum_add(sum, key, strlen(key) + 1);
    checksum_add(sum, bytes, count);
    checksum_end(sum, out);
    return true;
}

/* The file of a key; NULL: none is possible. */
static char *find_file(const char *key, bool make) {
    char name[CHECKSUM_ROOM], *folder = folder_path(), *path = NULL;
    if (folder && make) make_folder(folder);
    bool possible = folder && is_private(folder) && sum_of(key, NULL, 0, name);
    if (possible && asprintf(&path, "%s/%s", folder, name) < 0) path = NULL;
    free(folder);
    return path;
}

/* "headlight cache 1 CHECKSUM KEY-BYTES BYTES" and the end of the line; 0: no memory. */
static size_t make_head(const char *key, const void *bytes, size_t count, char out[HEAD_ROOM]) {
    char sum[CHECKSUM_ROOM];
    if (!sum_of(key, bytes, count, sum)) return 0;
    int length = snprintf(out, HEAD_ROOM, "headlight cache 1 %s %zu %zu\n", sum, strlen(key), count);
    return (size_t)length;
}

/* ---- recalling ---- */

/* Where the bytes begin in a file's content; 0: it is damaged, or another key's. */
static size_t check_content(const char *key, const uint8_t *content, size_t count) {
    size_t length = strlen(key);
    const uint8_t *end = memchr(content, '\n', count < HEAD_ROOM ? count : HEAD_ROOM);
    size_t head = end ? (size_t)(end - content) + 1 : 0;
    if (!head || count - head < length || memcmp(content + head, key, length) != 0) return 0;
    char expected[HEAD_ROOM];
    size_t first = head + length, held = make_head(key, content + first, count - first, expected);
    return held == head && memcmp(expected, content, head) == 0 ? first : 0;
}

void cache_recall(const char *key, void **bytes, size_t *count) {
    *bytes = NULL;
    *count = 0;
    uint8_t *content = NULL;
    size_t all = 0;
    char *path = find_file(key, false);
    if (!path || access(path, F_OK) != 0 || input_read(path, CACHE_MOST, &content, &all, NULL) != HL_OK) {
        free(path);
        return;
    }
    size_t first = check_content(key, content, all);
    if (first > 0) {
        (void)utimensat(AT_FDCWD, path, NULL, 0); /* asked for just now */
        *count = all - first;
        memmove(content, content + first, *count + 1);
        *bytes = content;
    } else {
        free(content);
    }
    free(path);
}

/* ---- remembering ---- */

static bool write_all(int descriptor, const void *data, size_t count) {
    for (const char *from = data; count > 0;) {
        ssize_t written = write(descriptor, from, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        from += written;
        count -= (size_t)written;
    }
    return true;
}

static void write_file(const char *path, const char *head, size_t head_length, const char *key,
                       const void *bytes, size_t count) {
    char *beside;
    int folder = (int)(strrchr(path, '/') - path);
    if (asprintf(&beside, "%.*s/" UNFINISHED "XXXXXX", folder, path) < 0) return;
    int descriptor = mkostemp(beside, O_CLOEXEC);
    if (descriptor >= 0) {
        bool whole = write_all(descriptor, head, head_length) && write_all(descriptor, key, strlen(key)) &&
                     write_all(descriptor, bytes, count);
        whole = close(descriptor) == 0 && whole;
        if (!whole || rename(beside, path) != 0) unlink(beside);
    }
    free(beside);
}

/* ---- making room ---- */

typedef struct kept_file {
    char name[CHECKSUM_ROOM];
    struct timespec used;
    uint64_t bytes;
} kept_file;

static int compare_use(const void *left, const void *right) {
    const kept_file *a = left, *b = right;
    if (a->used.tv_sec != b->used.tv_sec) return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    return (a->used.tv_nsec > b->used.tv_nsec) - (a->used.tv_nsec < b->used.tv_nsec);
}

static bool is_ours(const char *name) {
    return strlen(name) == NAME_LENGTH && strspn(name, "0123456789abcdef") == NAME_LENGTH;
}

/* Files of ours in the folder; what a process that ended left unfinished is removed on the way. */
static size_t list_files(DIR *open, kept_file **files) {
    size_t count = 0, room = 0;
    struct stat about;
    *files = NULL;
    for (struct dirent *entry; (entry = readdir(open));) {
        bool unfinished = strncmp(entry->d_name, UNFINISHED, strlen(UNFINISHED)) == 0;
        if (!unfinished && !is_ours(entry->d_name)) continue;
        if (fstatat(dirfd(open), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (unfinished) {
            if (time(NULL) - about.st_mtim.tv_sec > ABANDONED_SECONDS)
                unlinkat(dirfd(open), entry->d_name, 0);
            continue;
        }
        if (count == room) {
            room = room ? 2 * room : 64;
            kept_file *grown = reallocarray(*files, room, sizeof *grown);
            if (!grown) break;
            *files = grown;
        }
        kept_file *file = &(*files)[count++];
        memcpy(file->name, entry->d_name, sizeof file->name);
        file->used = about.st_mtim;
        file->bytes = (uint64_t)about.st_size;
    }
    return count;
}

static void make_room(const char *path) {
    char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    DIR *open = folder ? opendir(folder) : NULL;
    free(folder);
    if (!open) return;
    kept_file *files;
    size_t count = list_files(open, &files);
    uint64_t all = 0;
    for (size_t i = 0; i < count; ++i) all += files[i].bytes;
    if (all > CACHE_MOST) qsort(files, count, sizeof *files, compare_use);
    for (size_t i = 0; i < count && all > CACHE_MOST; ++i) {
        unlinkat(dirfd(open), files[i].name, 0);
        all -= files[i].bytes;
    }
    free(files);
    closedir(open);
}

void cache_remember(const char *key, const void *bytes, size_t count) {
    char head[HEAD_ROOM];
    size_t head_length = make_head(key, bytes, count, head);
    if (head_length == 0 || count > CACHE_MOST / 2) return;
    char *path = find_file(key, true);
    if (!path) return;
    write_file(path, head, head_length, key, bytes, count);
    make_room(path);
    free(path);
}
