/* See nearest.h. */
#include "core/asking/nearest_inside.h"

#include "core/indexing/index_layout.h"
#include "core/io/utf8.h"
#include "core/io/watch.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

hl_status nearest_open(engine *model, const nearest_settings *settings, nearest **out, hl_error *error) {
    nearest *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a gallery");
    self->model = model;
    self->settings = *settings;
    self->settings.gallery = strdup(settings->gallery);
    self->settings.atlas = strdup(settings->atlas);
    pthread_mutex_init(&self->mutex, NULL);
    if (self->settings.gallery && self->settings.atlas) return HL_OK;
    nearest_close(self);
    *out = NULL;
    return hl_no_memory(error, "a gallery");
}

static void close_gallery(nearest *self) {
    gallery_close(self->gallery);
    atlas_close(self->atlas);
    free(self->identities);
    free(self->absent);
    free(self->order);
    self->gallery = NULL;
    self->atlas = NULL;
    self->identities = NULL;
    self->absent = NULL;
    self->order = NULL;
    self->count = 0;
}

void nearest_close(nearest *self) {
    if (!self) return;
    close_gallery(self);
    pthread_mutex_destroy(&self->mutex);
    free((char *)(uintptr_t)self->settings.gallery);
    free((char *)(uintptr_t)self->settings.atlas);
    free(self);
}

const nearest_settings *nearest_settings_of(const nearest *self) {
    return &self->settings;
}

const gallery_image *nearest_image(const nearest *self, const char *path) {
    if (!self->gallery) return NULL;
    const gallery_image *image = gallery_find(self->gallery, path);
    for (size_t i = 0; !image && i < self->gallery->count; ++i) {
        if (utf8_is_shown_as(self->gallery->images[i].path, path)) image = &self->gallery->images[i];
    }
    return image;
}

const hl_node *nearest_facts(void *user, const char *path) {
    const nearest *self = user;
    const gallery_image *image = self ? nearest_image(self, path) : NULL;
    return image ? image->facts : NULL;
}

/* ---- the gallery and its atlas ---- */

image_file nearest_identify(const char *file) {
    struct stat about;
    if (stat(file, &about) != 0) return (image_file){.known = false};
    return (image_file){identity_of(&about), true};
}

/* Codes stand for a file that is as it was when they were made, or cannot be looked at. */
static bool stands_for(const atlas *self, size_t index, const gallery_image *image) {
    int64_t bytes, modified;
    atlas_file_of(self, index, &bytes, &modified);
    return image && (image->bytes < 0 || (image->bytes == bytes && image->modified == modified));
}

static int compare_paths(const void *a, const void *b, void *images) {
    return strcmp(atlas_path(images, *(const size_t *)a), atlas_path(images, *(const size_t *)b));
}

static hl_status identify_images(nearest *self, hl_error *error) {
    size_t count = atlas_count(self->atlas);
    self->identities = calloc(count + 1, sizeof *self->identities);
    self->absent = calloc(count + 1, sizeof *self->absent);
    self->order = calloc(count + 1, sizeof *self->order);
    if (!self->identities || !self->absent || !self->order) return hl_no_memory(error, "a gallery");
    for (size_t i = 0; i < count; ++i) {
        const gallery_image *image = gallery_find(self->gallery, atlas_path(self->atlas, i));
        self->absent[i] = !stands_for(self->atlas, i, image);
        if (self->absent[i]) continue;
        self->identities[i] = (image_file){image->which, image->bytes >= 0};
        self->order[self->count++] = i;
    }
    qsort_r(self->order, self->count, sizeof *self->order, compare_paths, self->atlas);
    if (self->count > 0) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: none of the images that %s names can be read, and the atlas has none of them",
                   self->settings.atlas, self->settings.gallery);
}

/* An atlas may hold more than this gallery; what took days to make is not dropped for a question. */
static index_settings settings_of(const nearest *self, uint32_t columns) {
    const edit_list *changed = self->settings.changed;
    return (index_settings){.atlas = self->settings.atlas,
                            .dtype = self->settings.dtype,
                            .columns = self->settings.columns | columns,
                            .keep_others = true,
                            .edits = changed ? &changed->list : NULL};
}

static hl_status open_atlas(nearest *self, uint32_t columns, hl_error *error) {
    index_settings settings = settings_of(self, columns);
    hl_status status = gallery_open(self->settings.gallery, &self->gallery, error);
    if (status == HL_OK) status = index_gallery(self->model, self->gallery, &settings, &self->atlas, error);
    if (status == HL_OK) status = identify_images(self, error);
    if (status != HL_OK) close_gallery(self);
    return status;
}

hl_status nearest_look(nearest *self, const hl_selection *const *selections, size_t count, hl_error *error) {
    gallery *images = NULL;
    manifest *found = NULL;
    index_settings settings = settings_of(self, 0);
    hl_status status = gallery_open(self->settings.gallery, &images, error);
    gallery_close(images);
    if (status == HL_OK) status = index_layout_check(self->model, &settings, &found, error);
    for (size_t i = 0; i < count && found && status == HL_OK; ++i) {
        status = nearest_check_heads(self, &found->layout, selections[i], error);
    }
    manifest_free(found);
    return status;
}

hl_status nearest_prepare(nearest *self, uint32_t columns, hl_error *error) {
    pthread_mutex_lock(&self->mutex);
    size_t before = watch_enter("gallery");
    hl_status status = self->atlas ? HL_OK : open_atlas(self, columns, error);
    watch_leave(before);
    pthread_mutex_unlock(&self->mutex);
    return status;
}

const atlas *nearest_atlas(const nearest *self) {
    return self->atlas;
}

size_t nearest_count(const nearest *self) {
    return self->count;
}

size_t nearest_at(const nearest *self, size_t index) {
    return self->order[index];
}

atlas_images nearest_images(const nearest *self, size_t first, size_t count) {
    return (atlas_images){self->order + first, count};
}

hl_status nearest_check(const nearest *self, hl_error *error) {
    return self->atlas ? atlas_check(self->atlas, true, error) : HL_OK;
}

/* ---- what was searched ---- */

static void add_skip(hl_item *list, const char *path, const char *reason) {
    hl_item *entry = item_map(list, NULL);
    item_text(entry, "path", path);
    item_text(entry, "reason", reason);
}

/* Marks the gallery's images that the atlas answers for; returns how many. */
static size_t mark_searched(const nearest *self, bool *known) {
    size_t searched = 0;
    for (size_t i = 0; i < atlas_count(self->atlas); ++i) {
        if (self->absent[i]) continue;
        known[gallery_find(self->gallery, atlas_path(self->atlas, i)) - self->gallery->images] = true;
        ++searched;
    }
    return searched;
}

/* First those that the atlas remembers, with their reason, then those that may be read another time. */
static void list_skipped(const nearest *self, bool *known, hl_item *list) {
    const char *path, *reason;
    for (size_t i = 0; atlas_skipped_at(self->atlas, i, &path, &reason); ++i) {
        const gallery_image *image = gallery_find(self->gallery, path);
        if (!image || image->bytes < 0 || known[image - self->gallery->images]) continue;
        known[image - self->gallery->images] = true;
        add_skip(list, path, reason);
    }
    for (size_t i = 0; i < self->gallery->count; ++i) {
        const gallery_image *image = &self->gallery->images[i];
        if (!known[i] && image->bytes >= 0) add_skip(list, image->path, "could not be read at the moment");
    }
}

static size_t count_missing(const gallery *images) {
    size_t missing = 0;
    for (size_t i = 0; i < images->count; ++i) missing += images->images[i].bytes < 0;
    return missing;
}

hl_status nearest_describe(const nearest *self, hl_item *root, hl_error *error) {
    if (!self->atlas) return HL_OK;
    bool *known = calloc(self->gallery->count + 1, sizeof *known);
    if (!known) return hl_no_memory(error, "the results");
    hl_item *section = item_map(root, "gallery");
    item_whole(section, "images", (int64_t)self->gallery->count);
    item_whole(section, "searched", (int64_t)mark_searched(self, known));
    item_whole(section, "missing", (int64_t)count_missing(self->gallery));
    list_skipped(self, known, item_list(section, "skipped", HL_LIST));
    free(known);
    return HL_OK;
}
