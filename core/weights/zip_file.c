/* See zip_file.h. minizip reads through functions of ours, which go by way of weights_file_read and so know
 * no path and never wait. */
#include "core/weights/zip_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unzip.h>

enum {
    MOST_ENTRIES = 1 << 16,
    NAME_ROOM = 512,
    LOCAL_HEADER = 30,   /* bytes, without the name */
    DIRECTORY_END = 22,  /* bytes */
    KEPT = 1 << 16,      /* bytes of the file that are kept: minizip asks for single ones */
    LARGEST_RATIO = 200, /* of what is unpacked to what is packed, beyond which it is a bomb, */
    HARMLESS = 1 << 22   /* unless it is no more than this */
};

/* ---- the file as minizip wants it ---- */

typedef struct stream {
    const weights_file *file;
    uint64_t at;
    uint64_t kept_from;
    size_t kept_count;
    hl_error *error; /* of a read that failed */
    bool failed;
    uint8_t kept[KEPT];
} stream;

static voidpf ZCALLBACK open_stream(voidpf self, const void *path, int mode) {
    (void)path, (void)mode;
    return self;
}

static bool refill(stream *s) {
    uint64_t left = s->file->size - s->at;
    s->kept_from = s->at;
    s->kept_count = left < KEPT ? (size_t)left : KEPT;
    s->failed = weights_file_read(s->file, s->at, s->kept, s->kept_count, s->error) != HL_OK;
    if (s->failed) s->kept_count = 0;
    return !s->failed;
}

static uLong ZCALLBACK read_stream(voidpf self, voidpf handle, void *out, uLong wanted) {
    stream *s = self;
    uLong done = 0;
    (void)handle;
    while (done < wanted && s->at < s->file->size) {
        bool kept = s->at >= s->kept_from && s->at < s->kept_from + s->kept_count;
        if (!kept && !refill(s)) break;
        size_t from = (size_t)(s->at - s->kept_from), count = s->kept_count - from;
        if (count > wanted - done) count = wanted - done;
        memcpy((uint8_t *)out + done, s->kept + from, count);
        done += count;
        s->at += count;
    }
    return done;
}

static uLong ZCALLBACK write_stream(voidpf self, voidpf handle, const void *bytes, uLong count) {
    (void)self, (void)handle, (void)bytes, (void)count;
    return 0;
}

static ZPOS64_T ZCALLBACK tell_stream(voidpf self, voidpf handle) {
    (void)handle;
    return ((stream *)self)->at;
}

static long ZCALLBACK seek_stream(voidpf self, voidpf handle, ZPOS64_T offset, int origin) {
    stream *s = self;
    (void)handle;
    uint64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR   ? s->at
                    : origin == ZLIB_FILEFUNC_SEEK_END ? s->file->size
                                                       : 0;
    if (__builtin_add_overflow(from, offset, &from) || from > s->file->size) return -1;
    s->at = from;
    return 0;
}

static int ZCALLBACK close_stream(voidpf self, voidpf handle) {
    (void)self, (void)handle;
    return 0;
}

static int ZCALLBACK error_of_stream(voidpf self, voidpf handle) {
    (void)handle;
    return ((stream *)self)->failed;
}

/* An opened archive; `from` outlives it. */
static unzFile open_archive(stream *from) {
    zlib_filefunc64_def functions = {.zopen64_file = open_stream,
                                     .zread_file = read_stream,
                                     .zwrite_file = write_stream,
                                     .ztell64_file = tell_stream,
                                     .zseek64_file = seek_stream,
                                     .zclose_file = close_stream,
                                     .zerror_file = error_of_stream,
                                     .opaque = from};
    return unzOpen2_64("", &functions);
}

/* ---- entries ---- */

typedef struct listing {
    unzFile archive;
    stream *from;
    zip_file *out;
    hl_error *error;
} listing;

static hl_status damaged(const listing *l, const char *why) {
    if (l->from->failed) return HL_FAILED; /* and the error says why */
    return hl_fail(l->error, HL_FAILED, "%s: %s; the zip archive is damaged: copy or download it again",
                   l->out->file->path, why);
}

static hl_status refuse(const listing *l, const char *name, const char *why) {
    return hl_fail(l->error, HL_FAILED, "%s: its entry %.200s %s; no archive of PyTorch's has such a one",
                   l->out->file->path, name, why);
}

/* Where a name would lead outside a folder; PyTorch's never do. */
static bool leads_outside(const char *name) {
    if (*name == '/' || strchr(name, '\\') || strchr(name, ':')) return true;
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        if (strncmp(part, "..", 2) == 0 && (!part[2] || part[2] == '/')) return true;
    }
    return false;
}

static hl_status check_entry(const listing *l, const char *name, const unz_file_info64 *about) {
    if (strlen(name) != about->size_filename) return refuse(l, name, "has a name with a NUL in it");
    if (leads_outside(name)) return refuse(l, name, "has a name that leads outside the archive");
    if (about->flag & 1) return refuse(l, name, "is encrypted");
    bool stored = about->compression_method == 0;
    if (stored && about->compressed_size != about->uncompressed_size) {
        return refuse(l, name, "is not compressed and yet has two sizes");
    }
    if (!stored && about->uncompressed_size > HARMLESS &&
        about->uncompressed_size / LARGEST_RATIO > about->compressed_size) {
        return refuse(l, name, "would unpack to more than 200 times its size (a zip bomb)");
    }
    return HL_OK;
}

static hl_status add_entry(const listing *l, const char *name, const unz_file_info64 *about) {
    int method, level;
    zip_entry *to = &l->out->entries[l->out->count];
    if (unzOpenCurrentFile2(l->archive, &method, &level, 1) != UNZ_OK) {
        return damaged(l, "the directory and the header of an entry disagree");
    }
    uint64_t end;
    *to = (zip_entry){.begin = unzGetCurrentFileZStreamPos64(l->archive),
                      .packed = about->compressed_size,
                      .size = about->uncompressed_size,
                      .stored = about->compression_method == 0};
    unzCloseCurrentFile(l->archive);
    if (__builtin_add_overflow(to->begin, to->packed, &end) || end > l->out->file->size) {
        return damaged(l, "an entry lies beyond the end of the file");
    }
    to->name = arena_copy_text(&l->out->names, name, strlen(name));
    if (!to->name) return hl_no_memory(l->error, l->out->file->path);
    ++l->out->count;
    return HL_OK;
}

static hl_status list_entries(const listing *l, uint64_t count) {
    hl_status status = HL_OK;
    int found = unzGoToFirstFile(l->archive);
    for (uint64_t i = 0; i < count && status == HL_OK; ++i) {
        char name[NAME_ROOM] = "";
        unz_file_info64 about;
        if (found != UNZ_OK ||
            unzGetCurrentFileInfo64(l->archive, &about, name, sizeof name - 1, NULL, 0, NULL, 0) != UNZ_OK) {
            return damaged(l, "its directory cannot be read");
        }
        if (about.size_filename >= sizeof name) return refuse(l, name, "has too long a name");
        status = check_entry(l, name, &about);
        if (status == HL_OK) status = add_entry(l, name, &about);
        if (i + 1 < count) found = unzGoToNextFile(l->archive);
    }
    return status;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const zip_entry *)left)->name, ((const zip_entry *)right)->name);
}

static int compare_places(const void *left, const void *right) {
    const zip_entry *a = left, *b = right;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* No two share bytes, nor a name. Leaves them sorted by name. */
static hl_status check_layout(const listing *l) {
    zip_entry *entries = l->out->entries;
    size_t count = l->out->count;
    qsort(entries, count, sizeof *entries, compare_places);
    for (size_t i = 1; i < count; ++i) {
        uint64_t end = entries[i - 1].begin + entries[i - 1].packed;
        if (entries[i].begin < end + LOCAL_HEADER + strlen(entries[i].name)) {
            return refuse(l, entries[i].name, "overlaps another one");
        }
    }
    qsort(entries, count, sizeof *entries, compare_names);
    for (size_t i = 1; i < count; ++i) {
        if (strcmp(entries[i - 1].name, entries[i].name) == 0)
            return refuse(l, entries[i].name, "is there twice");
    }
    return HL_OK;
}

/* A directory ends the file, with no remark behind it, so that there is one only. */
static bool ends_with_directory(const listing *l) {
    static const uint8_t mark[] = {'P', 'K', 5, 6};
    uint8_t end[DIRECTORY_END];
    const weights_file *file = l->out->file;
    if (file->size < sizeof end) return false;
    l->from->failed = weights_file_read(file, file->size - sizeof end, end, sizeof end, l->error) != HL_OK;
    return !l->from->failed && memcmp(end, mark, sizeof mark) == 0;
}

static hl_status list_archive(const listing *l) {
    unz_global_info64 about;
    if (!ends_with_directory(l) || !l->archive || unzGetGlobalInfo64(l->archive, &about) != UNZ_OK) {
        return damaged(l, "its directory is not at its end (a download that was cut off?)");
    }
    if (about.number_entry == 0 || about.number_entry > MOST_ENTRIES) {
        return hl_fail(l->error, HL_FAILED, "%s: a zip archive of %" PRIu64 " entries, expected 1 to %d",
                       l->out->file->path, (uint64_t)about.number_entry, MOST_ENTRIES);
    }
    l->out->entries = calloc((size_t)about.number_entry, sizeof *l->out->entries);
    if (!l->out->entries) return hl_no_memory(l->error, l->out->file->path);
    hl_status status = list_entries(l, about.number_entry);
    return status == HL_OK ? check_layout(l) : status;
}

hl_status zip_open(const weights_file *file, zip_file *out, hl_error *error) {
    *out = (zip_file){.file = file};
    stream *from = calloc(1, sizeof *from);
    if (!from) return hl_no_memory(error, file->path);
    from->file = file;
    from->error = error;
    const listing l = {open_archive(from), from, out, error};
    hl_status status = list_archive(&l);
    if (l.archive) unzClose(l.archive);
    free(from);
    return status;
}

void zip_close(zip_file *self) {
    arena_free(&self->names);
    free(self->entries);
    *self = (zip_file){0};
}

const zip_entry *zip_find(const zip_file *self, const char *name) {
    const zip_entry key = {.name = name};
    if (self->count == 0) return NULL;
    return bsearch(&key, self->entries, self->count, sizeof key, compare_names);
}

/* ---- bytes ---- */

/* One byte more is asked for, so that what unpacks to more than it says is seen; at its end minizip checks
 * the checksum. */
static bool unpack(unzFile archive, const zip_entry *entry, uint8_t *bytes) {
    if (unzLocateFile(archive, entry->name, 1) != UNZ_OK || unzOpenCurrentFile(archive) != UNZ_OK)
        return false;
    int got = 1;
    size_t done = 0, room = (size_t)entry->size + 1;
    while (got > 0 && done < room) {
        got = unzReadCurrentFile(archive, bytes + done, (unsigned)(room - done));
        if (got > 0) done += (size_t)got;
    }
    return unzCloseCurrentFile(archive) == UNZ_OK && got == 0 && done == entry->size;
}

hl_status zip_read(const zip_file *self, const zip_entry *entry, size_t most, uint8_t **bytes, size_t *count,
                   hl_error *error) {
    if (entry->size > most) {
        return hl_fail(error, HL_FAILED,
                       "%s: its entry %.200s has %" PRIu64 " bytes, at most %zu are read of such a one",
                       self->file->path, entry->name, entry->size, most);
    }
    stream *from = calloc(1, sizeof *from);
    uint8_t *room = malloc((size_t)entry->size + 1);
    if (!from || !room) {
        free(from);
        free(room);
        return hl_no_memory(error, self->file->path);
    }
    from->file = self->file;
    from->error = error;
    unzFile archive = open_archive(from);
    bool whole = archive && unpack(archive, entry, room);
    if (archive) unzClose(archive);
    bool said = from->failed; /* what went wrong */
    free(from);
    if (whole) {
        *bytes = room;
        *count = (size_t)entry->size;
        return HL_OK;
    }
    free(room);
    if (said) return HL_FAILED;
    return hl_fail(error, HL_FAILED, "%s: its entry %.200s is damaged: copy or download the file again",
                   self->file->path, entry->name);
}
