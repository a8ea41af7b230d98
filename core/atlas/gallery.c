/* Galleries; see gallery.h. Looks at names, sizes and times of images, never into them. */
#include "core/atlas/gallery.h"

#include "core/io/identity.h"
#include "core/io/input.h"
#include "core/io/utf8.h"
#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* What is read, and after .tiff what people have that is not: better reported as skipped than passed over in
 * silence. */
static const char *const ENDINGS[] = {
    ".jpg",  ".jpeg", ".jpe",  ".jfif", ".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".heic",
    ".heif", ".hif",  ".avif", ".jp2",  ".j2k", ".jpf", ".jpx", ".jpm", ".jxl",  ".jxr", ".psd",  ".tga",
    ".ppm",  ".pgm",  ".pnm",  ".dng",  ".cr2", ".cr3", ".nef", ".arw", ".orf",  ".rw2", ".raf"};

static const size_t LARGEST_FILE = (size_t)1 << 30; /* of a list or gallery.json: millions of images */

/* ---- the list ---- */

/* A gallery that is growing. */
typedef struct builder {
    gallery *list;
    size_t room;
} builder;

/* "FOLDER/PATH"; an absolute path stands for itself. */
static char *join(const char *folder, const char *path) {
    char *out;
    if (path[0] == '/') return strdup(path);
    return asprintf(&out, "%s/%s", folder, path) < 0 ? NULL : out;
}

/* `path` need not end with NUL. "./" before it, as `find .` writes it, is left out. */
static hl_status add_image(builder *to, const char *path, size_t length, const hl_node *facts,
                           hl_error *error) {
    gallery *list = to->list;
    while (length > 2 && path[0] == '.' && path[1] == '/' && path[2] != '/') {
        path += 2;
        length -= 2;
    }
    if (list->count == to->room) {
        size_t room = to->room ? 2 * to->room : 64;
        gallery_image *grown = reallocarray(list->images, room, sizeof *grown);
        if (!grown) return hl_no_memory(error, "the list of images");
        list->images = grown;
        to->room = room;
    }
    char *copy = strndup(path, length), *file = copy ? join(list->folder, copy) : NULL;
    free(copy);
    if (!file) return hl_no_memory(error, "the list of images");
    const char *shown = path[0] == '/' ? file : file + strlen(list->folder) + 1;
    list->images[list->count++] = (gallery_image){shown, file, -1, -1, facts};
    return HL_OK;
}

static int compare_paths(const void *left, const void *right) {
    return strcmp(((const gallery_image *)left)->path, ((const gallery_image *)right)->path);
}

static void free_image(const gallery_image *image) {
    free((void *)(uintptr_t)image->file);
}

/* Of a sorted list: of a path that comes twice one remains. */
static void drop_repeated(gallery *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; ++i) {
        if (kept > 0 && compare_paths(&list->images[kept - 1], &list->images[i]) == 0) {
            free_image(&list->images[i]);
        } else {
            list->images[kept++] = list->images[i];
        }
    }
    list->count = kept;
}

static int64_t nanoseconds(struct timespec time) {
    int64_t out;
    bool overflow = __builtin_mul_overflow((int64_t)time.tv_sec, INT64_C(1000000000), &out) ||
                    __builtin_add_overflow(out, (int64_t)time.tv_nsec, &out);
    return overflow ? INT64_MAX : out;
}

/* Looks at the files, and drops those that are no images of the gallery. */
static void measure_images(gallery *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; ++i) {
        struct stat status;
        gallery_image *image = &list->images[i];
        if (stat(image->file, &status) == 0 && S_ISREG(status.st_mode)) {
            image->bytes = status.st_size;
            image->modified = nanoseconds(status.st_mtim);
            if (left_out_file(&list->left_out, &status, image->facts)) {
                free_image(image);
                continue;
            }
        }
        list->images[kept++] = *image;
    }
    list->count = kept;
}

/* ---- folders ---- */

/* Folders are read in the order in which they were found, so the shortest way to a folder gives its name. */
typedef struct walk {
    builder images;
    char **folders; /* relative to the gallery's; "" is the gallery's own */
    size_t folder_count, room;
    void *seen; /* a tree of identities */
} walk;

/* Sets *added to whether the folder was not seen before. */
static hl_status see(walk *self, const struct stat *status, bool *added, hl_error *error) {
    identity *key = malloc(sizeof *key);
    if (!key) return hl_no_memory(error, "the folders of the gallery");
    *key = identity_of(status);
    identity **found = tsearch(key, &self->seen, compare_identities);
    *added = found && *found == key;
    if (!*added) free(key);
    return found ? HL_OK : hl_no_memory(error, "the folders of the gallery");
}

static hl_status add_folder(walk *self, const char *path, const struct stat *status, hl_error *error) {
    bool added;
    hl_status result = see(self, status, &added, error);
    if (result != HL_OK || !added) return result;
    if (self->folder_count == self->room) {
        size_t room = self->room ? 2 * self->room : 16;
        char **grown = reallocarray(self->folders, room, sizeof *grown);
        if (!grown) return hl_no_memory(error, "the folders of the gallery");
        self->folders = grown;
        self->room = room;
    }
    char *copy = strdup(path);
    if (!copy) return hl_no_memory(error, "the folders of the gallery");
    self->folders[self->folder_count++] = copy;
    return HL_OK;
}

bool gallery_is_image_name(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ENDINGS / sizeof *ENDINGS; ++i) {
        if (strcasecmp(dot, ENDINGS[i]) == 0) return true;
    }
    return false;
}

/* A link that leads nowhere is an image that cannot be read. */
static hl_status take_entry(walk *self, const char *path, hl_error *error) {
    struct stat status;
    char *full = join(self->images.list->folder, path);
    if (!full) return hl_no_memory(error, "a path");
    bool found = stat(full, &status) == 0;
    free(full);
    if (found && S_ISDIR(status.st_mode)) return add_folder(self, path, &status, error);
    if ((found && !S_ISREG(status.st_mode)) || !gallery_is_image_name(path)) return HL_OK;
    return add_image(&self->images, path, strlen(path), NULL, error);
}

static int is_no_dot(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int compare_entries(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

static hl_status take_name(walk *self, const char *folder, const struct dirent *entry, hl_error *error) {
    const char *name = entry->d_name;
    bool may_matter = entry->d_type == DT_DIR || gallery_is_image_name(name);
    if (left_out_name(&self->images.list->left_out, name, may_matter)) return HL_OK;
    char *path = *folder ? join(folder, name) : strdup(name);
    hl_status status = path ? take_entry(self, path, error) : hl_no_memory(error, "a path");
    free(path);
    return status;
}

static hl_status read_folder(walk *self, const char *folder, hl_error *error) {
    char *full = *folder ? join(self->images.list->folder, folder) : strdup(self->images.list->folder);
    if (!full) return hl_no_memory(error, "a path");
    struct dirent **entries = NULL;
    int count = scandir(full, &entries, is_no_dot, compare_entries);
    hl_status status = left_out_learn(&self->images.list->left_out, full, error);
    if (count < 0 && errno == ENOMEM) {
        status = hl_no_memory(error, full);
    } else if (count < 0 && errno != ENOENT) {
        status = hl_fail(error, HL_FAILED, "%s: cannot be listed: %s; allow reading it or move it away", full,
                         strerror(errno));
    }
    for (int i = 0; i < count; ++i) {
        if (status == HL_OK) status = take_name(self, folder, entries[i], error);
        free(entries[i]);
    }
    free(entries);
    free(full);
    return status;
}

static hl_status walk_folder(gallery *list, const struct stat *root, hl_error *error) {
    walk self = {.images = {.list = list}};
    hl_status status = add_folder(&self, "", root, error);
    for (size_t i = 0; i < self.folder_count && status == HL_OK; ++i) {
        status = read_folder(&self, self.folders[i], error);
    }
    for (size_t i = 0; i < self.folder_count; ++i) free(self.folders[i]);
    free(self.folders);
    tdestroy(self.seen, free);
    return status;
}

/* ---- files ---- */

/* One path a line. */
static hl_status parse_list(const char *name, const uint8_t *bytes, size_t count, gallery *list,
                            hl_error *error) {
    builder images = {.list = list};
    const char *text = (const char *)bytes, *end = text + count;
    if (memchr(text, '\0', count)) {
        return hl_fail(error, HL_USAGE,
                       "%s: neither a folder of images nor a gallery.json nor a list (UTF-8 text, one path a "
                       "line)",
                       name);
    }
    hl_status status = utf8_check(name, 1, bytes, count, error);
    text += utf8_mark(bytes, count);
    while (text < end && status == HL_OK) {
        const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;
        size_t length = (size_t)(stop - text);
        if (length > 0 && text[length - 1] == '\r') --length;
        if (length > 0) status = add_image(&images, text, length, NULL, error);
        text = newline ? newline + 1 : end;
    }
    return status;
}

/* A list of objects with `path`. */
static hl_status parse_document(const char *name, const uint8_t *bytes, size_t count, gallery *list,
                                hl_error *error) {
    builder images = {.list = list};
    hl_status status = tree_read_json(name, bytes, count, "path", &list->document, error);
    if (status != HL_OK) return status;
    const hl_node *root = tree_node(list->document);
    if (root->type != HL_LIST) {
        return hl_fail(error, HL_FAILED, "%s: expected a list of objects with `path`", name);
    }
    size_t number = 0;
    for (const hl_node *item = root->first; item && status == HL_OK; item = item->next, ++number) {
        const char *path = hl_get_text(item, "path");
        if (!*path) {
            return hl_fail(error, HL_FAILED,
                           "%s: item %zu (from 0): expected an object with `path`, an image file relative to "
                           "this one",
                           name, number);
        }
        status = add_image(&images, path, strlen(path), item, error);
    }
    return status;
}

static bool is_json(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".json") == 0;
}

static hl_status read_file(const char *path, gallery *list, hl_error *error) {
    uint8_t *bytes;
    size_t count;
    hl_status status = input_read(path, LARGEST_FILE, &bytes, &count, error);
    if (status != HL_OK) return status == HL_USAGE ? HL_FAILED : status;
    status = is_json(path) ? parse_document(path, bytes, count, list, error)
                           : parse_list(path, bytes, count, list, error);
    free(bytes);
    return status;
}

/* ---- the interface ---- */

/* The folder itself without '/' at its end, or the folder of the file. */
static char *folder_of(const char *source, bool is_folder) {
    size_t length = strlen(source);
    if (!is_folder) {
        const char *slash = strrchr(source, '/');
        if (!slash) return strdup(".");
        length = (size_t)(slash - source) + 1;
    }
    while (length > 1 && source[length - 1] == '/') --length;
    return strndup(source, length);
}

/* Of a sorted list: two objects of one path might say different things of it. */
static hl_status check_repeated(const char *name, const gallery *list, hl_error *error) {
    for (size_t i = 1; i < list->count; ++i) {
        if (compare_paths(&list->images[i - 1], &list->images[i]) != 0) continue;
        return hl_fail(error, HL_FAILED, "%s: two objects have the path \"%s\"; keep one of them", name,
                       list->images[i].path);
    }
    return HL_OK;
}

static void sort(gallery *list) {
    if (list->count > 0) qsort(list->images, list->count, sizeof *list->images, compare_paths);
}

static hl_status read_described(const char *name, gallery *list, hl_error *error) {
    hl_status status = read_file(name, list, error);
    sort(list);
    return status == HL_OK ? check_repeated(name, list, error) : status;
}

/* What a gallery.json says of the images of a folder. The folder says which there are. */
static hl_status take_facts(gallery *list, const char *name, hl_error *error) {
    gallery *described = calloc(1, sizeof *described);
    if (!described) return hl_no_memory(error, name);
    described->folder = strdup(list->folder);
    hl_status status = described->folder ? read_described(name, described, error) : hl_no_memory(error, name);
    for (size_t i = 0; i < list->count && status == HL_OK; ++i) {
        const gallery_image *same = gallery_find(described, list->images[i].path);
        if (same) list->images[i].facts = same->facts;
    }
    list->document = described->document;
    described->document = NULL;
    gallery_close(described);
    return status;
}

static hl_status fill_from_folder(gallery *list, const struct stat *root, hl_error *error) {
    char *name = join(list->folder, "gallery.json");
    if (!name) return hl_no_memory(error, "a path");
    struct stat about;
    hl_status status = walk_folder(list, root, error);
    sort(list);
    if (status == HL_OK && stat(name, &about) == 0 && S_ISREG(about.st_mode)) {
        status = take_facts(list, name, error);
    }
    free(name);
    return status;
}

static hl_status fill_from_file(gallery *list, const char *source, hl_error *error) {
    if (is_json(source)) return read_described(source, list, error);
    hl_status status = read_file(source, list, error);
    sort(list);
    drop_repeated(list);
    return status;
}

static hl_status fill(gallery *list, const char *source, const struct stat *status, hl_error *error) {
    bool is_folder = S_ISDIR(status->st_mode);
    list->folder = folder_of(source, is_folder);
    if (!list->folder) return hl_no_memory(error, source);
    hl_status result =
        is_folder ? fill_from_folder(list, status, error) : fill_from_file(list, source, error);
    if (result == HL_OK) measure_images(list);
    if (result == HL_OK && list->count == 0) {
        char what[256];
        bool some = left_out_describe(&list->left_out, what, sizeof what);
        result = hl_fail(error, HL_USAGE,
                         "%s: names no image; expected files such as .jpg, .png, .webp or .tif%s%s", source,
                         some ? "; left out: " : "", some ? what : "");
    }
    return result;
}

hl_status gallery_open(const char *source, gallery **out, hl_error *error) {
    *out = NULL;
    struct stat status;
    if (stat(source, &status) != 0 || (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))) {
        return hl_fail(error, HL_USAGE,
                       "%s: cannot be found; expected a folder of images, a list (one path a line) or a "
                       "gallery.json",
                       source);
    }
    gallery *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, source);
    hl_status result = fill(made, source, &status, error);
    if (result == HL_OK) {
        *out = made;
    } else {
        gallery_close(made);
    }
    return result;
}

void gallery_close(gallery *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; ++i) free_image(&self->images[i]);
    free(self->images);
    free(self->folder);
    left_out_free(&self->left_out);
    tree_close(self->document);
    free(self);
}

const gallery_image *gallery_find(const gallery *self, const char *path) {
    const gallery_image key = {.path = path};
    if (self->count == 0) return NULL;
    return bsearch(&key, self->images, self->count, sizeof key, compare_paths);
}
