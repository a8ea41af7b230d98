/* The images in a folder and those below it; see gallery_builder.h. */
#include "core/atlas/gallery_builder.h"

#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is read, and after .tiff what people have that is not: better reported as skipped than passed over in
 * silence. */
static const char *const ENDINGS[] = {
    ".jpg",  ".jpeg", ".jpe",  ".jfif", ".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".heic",
    ".heif", ".hif",  ".avif", ".jp2",  ".j2k", ".jpf", ".jpx", ".jpm", ".jxl",  ".jxr", ".psd",  ".tga",
    ".ppm",  ".pgm",  ".pnm",  ".dng",  ".cr2", ".cr3", ".nef", ".arw", ".orf",  ".rw2", ".raf"};

/* Folders are read in the order in which they were found, so the shortest way to a folder gives its name. */
typedef struct walk {
    gallery_builder images;
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
static hl_status take_unknown(walk *self, const char *path, hl_error *error) {
    struct stat about;
    char *full = gallery_join(self->images.list->folder, path);
    if (!full) return hl_no_memory(error, "a path");
    bool found = stat(full, &about) == 0;
    free(full);
    if (found && S_ISDIR(about.st_mode)) return add_folder(self, path, &about, error);
    if ((found && !S_ISREG(about.st_mode)) || !gallery_is_image_name(path)) return HL_OK;
    hl_status status = gallery_add(&self->images, path, strlen(path), NULL, error);
    if (status == HL_OK) gallery_add_file(&self->images, found ? &about : NULL);
    return status;
}

/* The system tells what most names are, so that files which are no images need not be looked at, and those
 * which are only once, later. */
static hl_status take_entry(walk *self, const char *path, unsigned char type, hl_error *error) {
    if (type != DT_REG) return take_unknown(self, path, error);
    return gallery_is_image_name(path) ? gallery_add(&self->images, path, strlen(path), NULL, error) : HL_OK;
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
    char *path = *folder ? gallery_join(folder, name) : strdup(name);
    hl_status status = path ? take_entry(self, path, entry->d_type, error) : hl_no_memory(error, "a path");
    free(path);
    return status;
}

/* The gallery's own is kept, and must be right; of those in the folders below only the masks matter. */
static hl_status read_facts(walk *self, const char *folder, const char *full, hl_error *error) {
    gallery *list = self->images.list, other = {0}, *into = *folder ? &other : list;
    struct stat about;
    char *path = gallery_join(full, GALLERY_FILE);
    if (!path) return hl_no_memory(error, "a path");
    bool is_file = stat(path, &about) == 0 && S_ISREG(about.st_mode);
    hl_status status = is_file ? gallery_read_document(into, path, error) : HL_OK;
    if (status == HL_OK && into->document) {
        status = left_out_learn_masks(&list->left_out, full, tree_node(into->document), error);
    }
    if (*folder && status == HL_FAILED) status = HL_OK;
    tree_close(other.document);
    free(path);
    return status;
}

/* Which files in a folder are no images. */
static hl_status learn(walk *self, const char *folder, const char *full, bool has_facts, hl_error *error) {
    hl_status status = left_out_learn_pictures(&self->images.list->left_out, full, error);
    return status == HL_OK && has_facts ? read_facts(self, folder, full, error) : status;
}

static hl_status list_folder(const char *full, struct dirent ***entries, int *count, hl_error *error) {
    *entries = NULL;
    *count = scandir(full, entries, is_no_dot, compare_entries);
    if (*count >= 0 || errno == ENOENT) return HL_OK;
    if (errno == ENOMEM) return hl_no_memory(error, full);
    return hl_fail(error, HL_FAILED, "%s: cannot be listed: %s; allow reading it or move it away", full,
                   strerror(errno));
}

static hl_status read_folder(walk *self, const char *folder, hl_error *error) {
    const char *root = self->images.list->folder;
    char *full = *folder ? gallery_join(root, folder) : strdup(root);
    if (!full) return hl_no_memory(error, "a path");
    struct dirent **entries;
    int count;
    bool has_facts = false;
    hl_status status = list_folder(full, &entries, &count, error);
    for (int i = 0; i < count; ++i) has_facts = has_facts || strcmp(entries[i]->d_name, GALLERY_FILE) == 0;
    if (status == HL_OK) status = learn(self, folder, full, has_facts, error);
    for (int i = 0; i < count; ++i) {
        if (status == HL_OK) status = take_name(self, folder, entries[i], error);
        free(entries[i]);
    }
    free(entries);
    free(full);
    return status;
}

hl_status gallery_walk(gallery *list, const struct stat *root, hl_error *error) {
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
