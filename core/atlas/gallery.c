/* Galleries; see gallery.h. Looks at names, sizes and times of images, never into them. */
#include "core/atlas/gallery.h"

#include "core/atlas/gallery_builder.h"
#include "core/io/input.h"
#include "core/io/lines.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const size_t LARGEST_FILE = (size_t)1 << 30; /* of a list or gallery.json: millions of images */

/* ---- the list ---- */

char *gallery_join(const char *folder, const char *path) {
    char *out;
    if (path[0] == '/') return strdup(path);
    return asprintf(&out, "%s/%s", folder, path) < 0 ? NULL : out;
}

hl_status gallery_add(gallery_builder *to, const char *path, size_t length, const hl_node *facts,
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
    char *copy = strndup(path, length), *file = copy ? gallery_join(list->folder, copy) : NULL;
    free(copy);
    if (!file) return hl_no_memory(error, "the list of images");
    const char *shown = path[0] == '/' ? file : file + strlen(list->folder) + 1;
    list->images[list->count++] =
        (gallery_image){.path = shown, .file = file, .bytes = -1, .modified = -1, .facts = facts};
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

static void look_at(gallery_image *image, const struct stat *about) {
    image->looked_at = true;
    if (!about || !S_ISREG(about->st_mode)) return;
    image->bytes = about->st_size;
    image->modified = nanoseconds(about->st_mtim);
    image->which = identity_of(about);
}

void gallery_add_file(gallery_builder *to, const struct stat *about) {
    look_at(&to->list->images[to->list->count - 1], about);
}

/* Looks at the files, once each, and drops those that are no images of the gallery. */
static void measure_images(gallery *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; ++i) {
        struct stat about;
        gallery_image *image = &list->images[i];
        if (!image->looked_at) look_at(image, stat(image->file, &about) == 0 ? &about : NULL);
        if (image->bytes >= 0 && left_out_file(&list->left_out, &image->which, image->facts)) {
            free_image(image);
        } else {
            list->images[kept++] = *image;
        }
    }
    list->count = kept;
}

/* ---- files ---- */

/* One path a line. */
static hl_status parse_list(const char *name, const uint8_t *bytes, size_t count, gallery *list,
                            hl_error *error) {
    gallery_builder images = {.list = list};
    if (memchr(bytes, '\0', count)) {
        return hl_fail(error, HL_USAGE,
                       "%s: neither a folder of images nor a gallery.json nor a list (UTF-8 text, one path a "
                       "line)",
                       name);
    }
    lines all = lines_of(name, bytes, count);
    line one;
    hl_status status = lines_next(&all, &one, error);
    for (; status == HL_OK && one.text; status = lines_next(&all, &one, error)) {
        if (one.length == 0) continue;
        status = gallery_add(&images, one.text, one.length, NULL, error);
        if (status != HL_OK) break;
    }
    return status;
}

static hl_status parse_document(const char *name, const uint8_t *bytes, size_t count, gallery *list,
                                hl_error *error) {
    hl_status status = tree_read_json(name, bytes, count, "path", &list->document, error);
    if (status != HL_OK || tree_node(list->document)->type == HL_LIST) return status;
    return hl_fail(error, HL_FAILED, "%s: expected a list of objects with `path`", name);
}

/* Each object of the document is an image of `list`. */
static hl_status add_described(const char *name, const tree *document, gallery *list, hl_error *error) {
    gallery_builder images = {.list = list};
    hl_status status = HL_OK;
    size_t number = 0;
    for (const hl_node *item = tree_node(document)->first; item && status == HL_OK; item = item->next) {
        const char *path = hl_get_text(item, "path");
        if (!*path) {
            return hl_fail(error, HL_FAILED,
                           "%s: item %zu (from 0): expected an object with `path`, an image file relative to "
                           "this one",
                           name, number);
        }
        status = gallery_add(&images, path, strlen(path), item, error);
        ++number;
    }
    return status;
}

static bool is_json(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".json") == 0;
}

typedef hl_status parser(const char *name, const uint8_t *bytes, size_t count, gallery *list,
                         hl_error *error);

static hl_status read_file(const char *path, parser *parse, gallery *list, hl_error *error) {
    uint8_t *bytes;
    size_t count;
    hl_status status = input_read(path, LARGEST_FILE, &bytes, &count, error);
    if (status != HL_OK) return status == HL_USAGE ? HL_FAILED : status;
    status = parse(path, bytes, count, list, error);
    free(bytes);
    return status;
}

hl_status gallery_read_document(gallery *list, const char *path, hl_error *error) {
    return read_file(path, parse_document, list, error);
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

/* The images that a document names, sorted, into `list`. */
static hl_status list_described(const char *name, const tree *document, gallery *list, hl_error *error) {
    hl_status status = add_described(name, document, list, error);
    sort(list);
    return status == HL_OK ? check_repeated(name, list, error) : status;
}

/* What its gallery.json says of the images of a folder. The folder says which there are. */
static hl_status take_facts(gallery *list, hl_error *error) {
    char *name = gallery_join(list->folder, GALLERY_FILE);
    gallery *described = calloc(1, sizeof *described);
    if (described) described->folder = strdup(list->folder);
    hl_status status = name && described && described->folder
                           ? list_described(name, list->document, described, error)
                           : hl_no_memory(error, GALLERY_FILE);
    for (size_t i = 0; i < list->count && status == HL_OK; ++i) {
        const gallery_image *same = gallery_find(described, list->images[i].path);
        if (same) list->images[i].facts = same->facts;
    }
    gallery_close(described);
    free(name);
    return status;
}

static hl_status fill_from_folder(gallery *list, const struct stat *root, hl_error *error) {
    hl_status status = gallery_walk(list, root, error);
    sort(list);
    return status == HL_OK && list->document ? take_facts(list, error) : status;
}

static hl_status fill_from_file(gallery *list, const char *source, hl_error *error) {
    if (is_json(source)) {
        hl_status status = gallery_read_document(list, source, error);
        return status == HL_OK ? list_described(source, list->document, list, error) : status;
    }
    hl_status status = read_file(source, parse_list, list, error);
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
