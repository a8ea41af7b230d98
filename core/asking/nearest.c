/* See nearest.h. With a direction t a head's query is q = B t, with an image it is q = B c, c being the
 * weighted mean contribution of the image's heads; the rest is the search's business. */
#include "core/asking/nearest.h"

#include "core/atlas/search.h"
#include "core/indexing/index.h"
#include "core/io/identity.h"
#include "core/io/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Which file an image is, however its path is written. */
typedef struct image_file {
    identity file;
    bool known;
} image_file;

struct hl_gallery {
    engine *model;
    nearest_settings settings; /* the strings are its own */
    pthread_mutex_t mutex;     /* held while the gallery is opened */
    gallery *gallery;          /* NULL before the first query */
    atlas *atlas;              /* the same */
    image_file *identities;    /* of the atlas's image_store */
    bool *absent;              /* by image of the atlas: the gallery lacks it, or has it otherwise */
    size_t *order;             /* the others, in the order of their paths */
    size_t count;              /* of these */
};

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

/* ---- the gallery and its atlas ---- */

static image_file identify(const char *file) {
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
static hl_status open_atlas(nearest *self, hl_error *error) {
    const edit_list *changed = self->settings.changed;
    index_settings settings = {.atlas = self->settings.atlas,
                               .dtype = self->settings.dtype,
                               .keep_others = true,
                               .edits = changed ? &changed->list : NULL};
    hl_status status = gallery_open(self->settings.gallery, &self->gallery, error);
    if (status == HL_OK) status = index_gallery(self->model, self->gallery, &settings, error);
    if (status == HL_OK) status = atlas_open(settings.atlas, &self->atlas, error);
    if (status == HL_OK) status = atlas_verify(self->atlas, self->model->interface, error);
    if (status == HL_OK) status = identify_images(self, error);
    if (status != HL_OK) close_gallery(self);
    return status;
}

hl_status nearest_prepare(nearest *self, hl_error *error) {
    pthread_mutex_lock(&self->mutex);
    hl_status status = self->atlas ? HL_OK : open_atlas(self, error);
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

/* ---- from a query to a search ---- */

/* One query's memory. */
typedef struct question {
    nearest *searched;
    const hl_query *query;
    float *direction;   /* t, or the query image's mean contribution: embed_dim numbers */
    float *queries;     /* of all parts, one after the other */
    search_part *parts; /* one for each head of the selection */
    double *weights;    /* of these, as shares of the largest; NULL: all 1 */
    bool *leave_out;    /* by image of the atlas */
    search_hit *hits;
    size_t room; /* hits */
} question;

static bool allocate(question *self) {
    const nearest *searched = self->searched;
    const hl_selection *selection = self->query->selection;
    size_t numbers = 0, images = atlas_count(searched->atlas);
    for (size_t i = 0; i < selection->count; ++i) {
        numbers += engine_code_width(engine_component(searched->model, selection->components[i]));
    }
    self->room = self->query->count < images ? self->query->count : images;
    self->direction = calloc(searched->model->info->embed_dim, sizeof *self->direction);
    self->queries = calloc(numbers + 1, sizeof *self->queries);
    self->parts = calloc(selection->count, sizeof *self->parts);
    self->weights = selection->weights ? calloc(selection->count, sizeof *self->weights) : NULL;
    self->leave_out = calloc(images + 1, sizeof *self->leave_out);
    self->hits = calloc(self->room + 1, sizeof *self->hits);
    return self->direction && self->queries && self->parts && (self->weights || !selection->weights) &&
           self->leave_out && self->hits;
}

static void release(question *self) {
    free(self->direction);
    free(self->queries);
    free(self->parts);
    free(self->weights);
    free(self->leave_out);
    free(self->hits);
}

/* A mean is the same for all multiples of its weights; these are none whose squares vanish. */
static void share_weights(question *self) {
    const hl_selection *selection = self->query->selection;
    double largest = 0;
    if (!self->weights) return;
    for (size_t i = 0; i < selection->count; ++i) largest = fmax(largest, selection->weights[i]);
    for (size_t i = 0; i < selection->count; ++i) self->weights[i] = selection->weights[i] / largest;
}

/* mean(c_query) over the selection's heads */
static hl_status mean_contribution(question *self, const hl_ask *ask, hl_error *error) {
    const hl_selection *selection = self->query->selection;
    size_t width = ask->model->embed_dim;
    float *one = calloc(width, sizeof *one);
    double *sums = calloc(width, sizeof *sums), total = 0;
    hl_status status = one && sums ? HL_OK : hl_no_memory(error, "a query");
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        status = ask->contribution(ask, self->query->image, selection->components[i], one, error);
        double weight = self->weights ? self->weights[i] : 1;
        for (size_t j = 0; j < width && status == HL_OK; ++j) sums[j] += weight * (double)one[j];
        total += weight;
    }
    for (size_t j = 0; j < width && status == HL_OK; ++j) {
        self->direction[j] = (float)(sums[j] / total);
    }
    free(one);
    free(sums);
    return status;
}

static hl_status find_direction(question *self, const hl_ask *ask, hl_error *error) {
    if (self->query->image) return mean_contribution(self, ask, error);
    size_t width = ask->model->embed_dim;
    memcpy(self->direction, self->query->direction->vector, width * sizeof *self->direction);
    return HL_OK;
}

static double length_of(const float *vector, size_t width) {
    double sum = 0;
    for (size_t j = 0; j < width; ++j) sum += (double)vector[j] * (double)vector[j];
    return sqrt(sum);
}

hl_status nearest_head(const nearest *self, const hl_component *component, size_t *out, hl_error *error) {
    const atlas_layout *layout = atlas_layout_of(self->atlas);
    *out = atlas_find_head(self->atlas, component->name);
    if (*out == SIZE_MAX) {
        return hl_fail(error, HL_USAGE,
                       "%s: holds no codes of head %s, which an analysis asks for; make it anew with all "
                       "layers or name another `atlas`",
                       self->settings.atlas, component->name);
    }
    const atlas_head *head = &layout->heads[*out];
    bool same = head->width == component->width && head->scalar_count == component->scalar_count &&
                layout->embed_dim == self->model->info->embed_dim;
    if (same) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: head %s has other shapes than the model's; name another `atlas`",
                   self->settings.atlas, component->name);
}

static hl_status make_parts(question *self, hl_error *error) {
    engine *model = self->searched->model;
    const hl_selection *selection = self->query->selection;
    float *query = self->queries;
    hl_status status = HL_OK;
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        uint32_t index = selection->components[i];
        const hl_component *component = engine_component(model, index);
        search_part *part = &self->parts[i];
        part->query = query;
        status = nearest_head(self->searched, component, &part->head, error);
        if (status == HL_OK) status = engine_query(model, index, self->direction, query, error);
        if (status == HL_OK) status = engine_basis(model, component->basis, &part->basis, error);
        query += engine_code_width(component);
    }
    return status;
}

/* What the gallery lacks, and the query image itself. */
static void find_left_out(question *self) {
    const nearest *searched = self->searched;
    size_t count = atlas_count(searched->atlas);
    const hl_query *query = self->query;
    memcpy(self->leave_out, searched->absent, count * sizeof *self->leave_out);
    image_file asked = {.known = false};
    if (query->image && !query->include_query) asked = identify(query->image->path);
    for (size_t i = 0; i < count && asked.known; ++i) {
        const image_file *image = &searched->identities[i];
        if (image->known && compare_identities(&image->file, &asked.file) == 0) self->leave_out[i] = true;
    }
}

static hl_status search(question *self, hl_neighbor *neighbors, size_t *found, hl_error *error) {
    const nearest *searched = self->searched;
    const hl_query *query = self->query;
    find_left_out(self);
    search_request request = {
        .parts = self->parts,
        .part_count = query->selection->count,
        .weights = self->weights,
        .cosine = query->metric == HL_COSINE,
        .query_length = length_of(self->direction, searched->model->info->embed_dim),
        .count = self->room,
        .leave_out = self->leave_out,
    };
    hl_status status =
        atlas_search(searched->atlas, searched->model->interface, &request, self->hits, found, error);
    for (size_t i = 0; i < *found && status == HL_OK; ++i) {
        neighbors[i] = (hl_neighbor){atlas_path(searched->atlas, self->hits[i].image), self->hits[i].score};
    }
    return status;
}

static hl_status check_query(const nearest *self, const hl_query *query, hl_error *error) {
    if (!query->image == !query->direction || query->selection->count == 0) {
        return hl_fail(error, HL_FAILED, "the analysis asks for neighbours without one query and some heads");
    }
    for (size_t i = 0; i < query->selection->count; ++i) {
        uint32_t index = query->selection->components[i];
        bool is_head = index < self->model->info->component_count &&
                       engine_component(self->model, index)->kind == HL_HEAD;
        if (!is_head) return hl_fail(error, HL_FAILED, "the analysis asks for neighbours in what is no head");
        double weight = query->selection->weights ? query->selection->weights[i] : 1;
        if (!(weight > 0 && isfinite(weight))) {
            return hl_fail(error, HL_FAILED,
                           "the analysis asks for neighbours with a weight of %g; expected "
                           "more than 0",
                           weight);
        }
    }
    return HL_OK;
}

hl_status nearest_find(nearest *self, const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors,
                       size_t *found, hl_error *error) {
    *found = 0;
    hl_status status = check_query(self, query, error);
    if (status == HL_OK) status = nearest_prepare(self, error);
    if (status != HL_OK) return status;
    question asked = {.searched = self, .query = query};
    status = allocate(&asked) ? HL_OK : hl_no_memory(error, "a query");
    if (status == HL_OK) share_weights(&asked);
    if (status == HL_OK) status = find_direction(&asked, ask, error);
    if (status == HL_OK) status = make_parts(&asked, error);
    if (status == HL_OK) status = search(&asked, neighbors, found, error);
    release(&asked);
    return status;
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
