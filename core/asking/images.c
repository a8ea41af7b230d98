/* See images.h. An hl_image, wherever it comes from, leads to a record; several may lead to one. */
#include "core/asking/images.h"

#include "core/io/call.h"
#include "core/io/watch.h"
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_IMAGE "asked about an image that was neither opened nor is in an option"

enum { TRACE_BUDGET = 1 << 30, PICTURE_BUDGET = 1 << 28 }; /* bytes */

typedef struct kept_trace {
    struct kept_trace *next;
    const edit_list *changed; /* NULL: no edit_list */
    hl_trace *trace;
    size_t last_use;
} kept_trace;

/* What an image is made of, and what was computed for it. */
typedef struct record {
    struct record *next, **link; /* among all */
    size_t users;                /* keys that lead here, and threads that encode it */
    hl_image shown;              /* of an image that was opened; its strings belong to the record */
    const char *path;            /* NULL: none; of a joined image the caller's */
    uint8_t *bytes;              /* of a file in memory; NULL: none */
    size_t byte_count;
    picture given;  /* decoded; rgb NULL: none */
    float *pixels;  /* preprocessed; NULL: none */
    picture shrunk; /* kept of what was decoded; rgb NULL: none */
    size_t original[2];
    kept_trace *traces;
    bool was_encoded;
} record;

/* From an hl_image to its record. */
typedef struct key {
    const hl_image *image;
    record *of;
    struct key *after; /* the next of those that joined together */
} key;

struct image_store {
    engine *model;
    size_t picture_side;
    pthread_mutex_t turn;  /* held by the one thread that encodes, so that no pass is run twice */
    pthread_mutex_t table; /* guards what follows and what records keep */
    void *keys, *paths;    /* trees: of key by image, of record by path for those that joined */
    record *all;
    size_t count, encoded, uses, trace_bytes, picture_bytes;
};

/* ---- records and keys; call these with the table locked ---- */

static int compare_keys(const void *a, const void *b) {
    uintptr_t x = (uintptr_t)((const key *)a)->image, y = (uintptr_t)((const key *)b)->image;
    return (x > y) - (x < y);
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(((const record *)a)->path, ((const record *)b)->path);
}

static key *find_key(const image_store *self, const hl_image *image) {
    key **found = tfind(&(key){.image = image}, &self->keys, compare_keys);
    return found ? *found : NULL;
}

static void link_record(image_store *self, record *made) {
    made->next = self->all;
    made->link = &self->all;
    if (self->all) self->all->link = &made->next;
    self->all = made;
    ++self->count;
}

static void drop_trace(image_store *self, kept_trace **link) {
    kept_trace *one = *link;
    *link = one->next;
    self->trace_bytes -= self->model->api.bytes(one->trace);
    self->model->api.release(one->trace);
    free(one);
}

static void drop_shrunk(image_store *self, record *of) {
    self->picture_bytes -= of->shrunk.width * of->shrunk.height * 3;
    picture_free(&of->shrunk);
}

static void free_record(record *of) {
    free((char *)(uintptr_t)of->shown.name);
    free((char *)(uintptr_t)of->shown.path);
    free(of->bytes);
    picture_free(&of->given);
    picture_free(&of->shrunk);
    free(of->pixels);
    free(of);
}

static void leave_record(image_store *self, record *of) {
    if (--of->users > 0) return;
    while (of->traces) drop_trace(self, &of->traces);
    if (of->shrunk.rgb) drop_shrunk(self, of);
    record **joined = of->path ? tfind(of, &self->paths, compare_paths) : NULL;
    if (joined && *joined == of) tdelete(of, &self->paths, compare_paths);
    *of->link = of->next;
    if (of->next) of->next->link = of->link;
    --self->count;
    self->encoded -= of->was_encoded;
    free_record(of);
}

/* Takes over a use of the record; false: no memory. */
static bool add_key(image_store *self, const hl_image *image, record *of, key **out) {
    key *made = calloc(1, sizeof *made);
    if (made) *made = (key){.image = image, .of = of};
    if (!made || !tsearch(made, &self->keys, compare_keys)) {
        free(made);
        leave_record(self, of);
        return false;
    }
    if (out) *out = made;
    return true;
}

static void drop_key(image_store *self, const hl_image *image) {
    key *found = find_key(self, image);
    if (!found) return;
    tdelete(found, &self->keys, compare_keys);
    leave_record(self, found->of);
    free(found);
}

/* ---- opening and closing ---- */

hl_status images_open(engine *model, size_t picture_side, image_store **out, hl_error *error) {
    image_store *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "the images");
    self->model = model;
    self->picture_side = picture_side;
    pthread_mutex_init(&self->turn, NULL);
    pthread_mutex_init(&self->table, NULL);
    return HL_OK;
}

void images_close(image_store *self) {
    if (!self) return;
    while (self->keys) drop_key(self, (*(key **)self->keys)->image);
    pthread_mutex_destroy(&self->turn);
    pthread_mutex_destroy(&self->table);
    free(self);
}

static bool copy_text(const char *text, const char **out) {
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

static bool copy_bytes(const void *bytes, size_t count, void *out) {
    void *copy = bytes ? malloc(count + 1) : NULL;
    if (copy && count > 0) memcpy(copy, bytes, count);
    memcpy(out, &copy, sizeof copy);
    return copy || !bytes;
}

static hl_status check_source(const hl_image_source *source, hl_error *error) {
    int ways = !!source->path + !!source->bytes + !!source->rgb + !!source->pixels;
    if (ways != 1) {
        return hl_fail(error, HL_USAGE,
                       "an image is made from exactly one of path, bytes, rgb and pixels; got %d of them",
                       ways);
    }
    enum { MOST_PIXELS = 1 << 28 };
    bool sound =
        source->width > 0 && source->height > 0 && source->width <= (size_t)MOST_PIXELS / source->height;
    if (!source->rgb || sound) return HL_OK;
    return hl_fail(error, HL_USAGE, "an image of %u x %u pixels cannot be", source->width, source->height);
}

static bool fill_record(const image_store *self, const hl_image_source *source, record *out) {
    const char *name = source->name ? source->name : source->path ? source->path : "image";
    bool complete =
        copy_text(name, &out->shown.name) && copy_text(source->path, &out->shown.path) &&
        copy_bytes(source->bytes, source->byte_count, &out->bytes) &&
        copy_bytes(source->rgb, (size_t)source->width * source->height * 3, &out->given.rgb) &&
        copy_bytes(source->pixels, engine_pixels(self->model) * sizeof *out->pixels, &out->pixels);
    out->path = out->shown.path;
    out->byte_count = source->byte_count;
    out->given.width = source->width;
    out->given.height = source->height;
    return complete;
}

hl_status images_add(image_store *self, const hl_image_source *source, const hl_image **out,
                     hl_error *error) {
    *out = NULL;
    hl_status status = check_source(source, error);
    if (status != HL_OK) return status;
    record *made = calloc(1, sizeof *made);
    if (!made || !fill_record(self, source, made)) {
        if (made) free_record(made);
        return hl_no_memory(error, "an image");
    }
    made->users = 1;
    pthread_mutex_lock(&self->table);
    link_record(self, made);
    const hl_image *shown = &made->shown;
    bool added = add_key(self, shown, made, NULL);
    pthread_mutex_unlock(&self->table);
    if (!added) return hl_no_memory(error, "an image");
    *out = shown;
    return HL_OK;
}

void images_release(image_store *self, const hl_image *image) {
    pthread_mutex_lock(&self->table);
    drop_key(self, image);
    pthread_mutex_unlock(&self->table);
}

/* The record of the path, with one more user; NULL: no memory. */
static record *use_path(image_store *self, const char *path) {
    record **found = tfind(&(record){.path = path}, &self->paths, compare_paths);
    if (found) {
        ++(*found)->users;
        return *found;
    }
    record *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->shown.path = strdup(path);
    made->path = made->shown.path;
    if (!made->path || !tsearch(made, &self->paths, compare_paths)) {
        free_record(made);
        return NULL;
    }
    made->users = 1;
    link_record(self, made);
    return made;
}

hl_status images_join(image_store *self, const hl_image *const *list, size_t count, hl_error *error) {
    key *before = NULL;
    bool complete = true;
    pthread_mutex_lock(&self->table);
    for (size_t i = 0; i < count && complete; ++i) {
        key *made = NULL;
        if (!list[i]->path || find_key(self, list[i])) continue;
        record *of = use_path(self, list[i]->path);
        complete = of && add_key(self, list[i], of, &made);
        if (complete && before) before->after = made;
        if (complete) before = made;
    }
    pthread_mutex_unlock(&self->table);
    if (complete) return HL_OK;
    images_leave(self, list, count);
    return hl_no_memory(error, "the list of images");
}

void images_leave(image_store *self, const hl_image *const *list, size_t count) {
    pthread_mutex_lock(&self->table);
    for (size_t i = 0; i < count; ++i) drop_key(self, list[i]);
    pthread_mutex_unlock(&self->table);
}

/* ---- traces ---- */

static kept_trace *find_trace(const record *of, const edit_list *changed) {
    kept_trace *one = of->traces;
    while (one && one->changed != changed) one = one->next;
    return one;
}

/* For the caller, if it is there. */
static hl_trace *use_trace(image_store *self, const record *of, const edit_list *changed) {
    kept_trace *found = find_trace(of, changed);
    if (!found) return NULL;
    found->last_use = ++self->uses;
    self->model->api.retain(found->trace);
    return found->trace;
}

/* Takes over the trace, which is not kept where there is no memory for the note of it. */
static void keep_trace(image_store *self, record *of, const edit_list *changed, hl_trace *trace) {
    kept_trace *made = malloc(sizeof *made);
    if (!made) {
        self->model->api.release(trace);
        return;
    }
    *made = (kept_trace){of->traces, changed, trace, self->uses};
    of->traces = made;
    self->trace_bytes += self->model->api.bytes(trace);
    self->encoded += !of->was_encoded;
    of->was_encoded = true;
}

static void keep_within_budget(image_store *self) {
    while (self->trace_bytes > TRACE_BUDGET) {
        kept_trace **oldest = NULL;
        for (record *of = self->all; of; of = of->next) {
            for (kept_trace **at = &of->traces; *at; at = &(*at)->next) {
                if (!oldest || (*at)->last_use < (*oldest)->last_use) oldest = at;
            }
        }
        if (!oldest) return;
        drop_trace(self, oldest);
    }
}

void images_forget(image_store *self, const edit_list *changed) {
    pthread_mutex_lock(&self->table);
    for (record *of = self->all; of; of = of->next) {
        for (kept_trace **at = &of->traces; *at;) {
            if ((*at)->changed == changed) {
                drop_trace(self, at);
            } else {
                at = &(*at)->next;
            }
        }
    }
    pthread_mutex_unlock(&self->table);
}

/* ---- decoding ---- */

static hl_status load(const record *of, picture *out, hl_error *error) {
    if (of->bytes) return picture_decode(of->shown.name, of->bytes, of->byte_count, out, error);
    return picture_load(of->path, out, error);
}

/* While a file is decoded anyway; what cannot be kept is decoded again. */
static void keep_shrunk(image_store *self, record *of, const picture *decoded) {
    picture small = {0};
    if (picture_within(decoded, self->picture_side, &small, NULL) != HL_OK) return;
    size_t bytes = small.width * small.height * 3;
    pthread_mutex_lock(&self->table);
    bool kept = !of->shrunk.rgb && self->picture_bytes + bytes <= PICTURE_BUDGET;
    if (kept) {
        self->picture_bytes += bytes;
        of->shrunk = small;
        of->original[0] = decoded->width;
        of->original[1] = decoded->height;
    }
    pthread_mutex_unlock(&self->table);
    if (!kept) picture_free(&small);
}

static hl_status make_pixels(image_store *self, record *of, float *pixels, hl_error *error) {
    const hl_preprocess *preprocess = self->model->info->preprocess;
    if (of->pixels) {
        memcpy(pixels, of->pixels, engine_pixels(self->model) * sizeof *pixels);
        return HL_OK;
    }
    if (of->given.rgb) return picture_preprocess(&of->given, preprocess, pixels, error);
    picture decoded = {0};
    hl_status status = load(of, &decoded, error);
    if (status == HL_OK) status = picture_preprocess(&decoded, preprocess, pixels, error);
    if (status == HL_OK && self->picture_side > 0) keep_shrunk(self, of, &decoded);
    picture_free(&decoded);
    return status;
}

/* ---- encoding ---- */

typedef struct batch {
    image_store *self;
    const edit_list *changed;
    record **records;
    size_t count;
    float *pixels;
    hl_status *statuses;
    hl_error *errors;
    hl_trace **traces;
} batch;

static void decode_one(void *argument, size_t index) {
    batch *of = argument;
    float *pixels = of->pixels + index * engine_pixels(of->self->model);
    of->statuses[index] = make_pixels(of->self, of->records[index], pixels, &of->errors[index]);
}

/* Those that cannot be read leave the batch, unless it is the one that was asked about: whoever asks about
 * them will hear. */
static hl_status decode_all(batch *of, hl_error *error) {
    const hl_host *interface = of->self->model->interface;
    interface->parallel(interface, of->count, decode_one, of);
    if (of->statuses[0] != HL_OK && error) *error = of->errors[0];
    if (of->statuses[0] != HL_OK) return of->statuses[0];
    size_t numbers = engine_pixels(of->self->model);
    for (size_t i = of->count - 1; i > 0; --i) {
        if (of->statuses[i] == HL_OK) continue;
        record *failed = of->records[i];
        for (size_t k = i; k + 1 < of->count; ++k) of->records[k] = of->records[k + 1];
        memmove(of->pixels + i * numbers, of->pixels + (i + 1) * numbers,
                (of->count - i - 1) * numbers * sizeof *of->pixels);
        of->records[--of->count] = failed; /* behind the rest: still to be left */
    }
    return HL_OK;
}

static hl_status allocate_batch(batch *of, size_t most, hl_error *error) {
    of->records = calloc(most, sizeof(record *));
    of->pixels = calloc(most * engine_pixels(of->self->model), sizeof *of->pixels);
    of->statuses = calloc(most, sizeof *of->statuses);
    of->errors = calloc(most, sizeof *of->errors);
    of->traces = calloc(most, sizeof *of->traces);
    bool complete = of->records && of->pixels && of->statuses && of->errors && of->traces;
    return complete ? HL_OK : hl_no_memory(error, "a batch of images");
}

static void free_batch(batch *of) {
    free(of->records);
    free(of->pixels);
    free(of->statuses);
    free(of->errors);
    free(of->traces);
}

/* The image and those that come after it and have no trace yet, as many as fit one pass. */
static size_t choose_records(batch *of, const key *first, size_t most) {
    for (const key *at = first; at && of->count < most; at = at->after) {
        bool chosen = find_trace(at->of, of->changed) != NULL;
        for (size_t i = 0; i < of->count && !chosen; ++i) chosen = of->records[i] == at->of;
        if (chosen) continue;
        ++at->of->users;
        of->records[of->count++] = at->of;
    }
    return of->count;
}

static void keep_traces(batch *of, hl_trace **out) {
    image_store *self = of->self;
    ++self->uses;
    *out = of->traces[0];
    self->model->api.retain(*out);
    for (size_t i = 0; i < of->count; ++i) keep_trace(self, of->records[i], of->changed, of->traces[i]);
    keep_within_budget(self);
}

static hl_status encode_batch(batch *of, hl_trace **out, hl_error *error) {
    image_store *self = of->self;
    const engine_edits *edits = of->changed ? &of->changed->list : NULL;
    hl_status status = decode_all(of, error);
    if (status == HL_OK) {
        status = engine_encode_images(self->model, of->pixels, of->count, HL_DETAIL_TOKENS, edits, of->traces,
                                      error);
    }
    if (status != HL_OK) return status;
    pthread_mutex_lock(&self->table);
    keep_traces(of, out);
    size_t encoded = self->encoded, count = self->count;
    pthread_mutex_unlock(&self->table);
    call_progress("encoding images", "image", encoded, count);
    return HL_OK;
}

/* While it is this thread's turn. */
static hl_status encode_from(image_store *self, const key *first, const edit_list *changed, hl_trace **out,
                             hl_error *error) {
    batch of = {.self = self, .changed = changed};
    size_t before = watch_enter("images");
    hl_status status = allocate_batch(&of, self->model->batch, error);
    size_t chosen = 0;
    pthread_mutex_lock(&self->table);
    if (status == HL_OK) chosen = choose_records(&of, first, self->model->batch);
    pthread_mutex_unlock(&self->table);
    if (status == HL_OK) status = encode_batch(&of, out, error);
    pthread_mutex_lock(&self->table);
    for (size_t i = 0; i < chosen; ++i) leave_record(self, of.records[i]);
    pthread_mutex_unlock(&self->table);
    free_batch(&of);
    watch_leave(before);
    return status;
}

static hl_trace *look_up(image_store *self, const hl_image *image, const edit_list *changed,
                         const key **found) {
    pthread_mutex_lock(&self->table);
    *found = find_key(self, image);
    hl_trace *trace = *found ? use_trace(self, (*found)->of, changed) : NULL;
    pthread_mutex_unlock(&self->table);
    return trace;
}

hl_status images_trace(image_store *self, const hl_image *image, const edit_list *changed, hl_trace **out,
                       hl_error *error) {
    const key *found;
    *out = look_up(self, image, changed, &found);
    if (!found) {
        return hl_fail(error, HL_USAGE, UNKNOWN_IMAGE);
    }
    if (*out) return HL_OK;
    hl_status status = HL_OK;
    pthread_mutex_lock(&self->turn);
    *out = look_up(self, image, changed, &found);
    if (!*out) status = encode_from(self, found, changed, out, error);
    pthread_mutex_unlock(&self->turn);
    return status;
}

/* ---- pictures ---- */

/* What was kept when it was decoded, where that is what decoding it again would give. */
static hl_status find_shrunk(const image_store *self, const record *of, size_t side, picture *out,
                             size_t original[2], hl_error *error) {
    if (!of->shrunk.rgb || side != self->picture_side) return HL_OK;
    original[0] = of->original[0];
    original[1] = of->original[1];
    return picture_within(&of->shrunk, 0, out, error);
}

static hl_status decode_picture(const record *of, size_t side, picture *out, size_t original[2],
                                hl_error *error) {
    picture decoded = {0};
    if (of->pixels) return hl_fail(error, HL_USAGE, "%s: given as pixels, has no picture", of->shown.name);
    hl_status status = of->given.rgb ? HL_OK : load(of, &decoded, error);
    const picture *whole = of->given.rgb ? &of->given : &decoded;
    original[0] = whole->width;
    original[1] = whole->height;
    if (status == HL_OK) status = picture_within(whole, side, out, error);
    picture_free(&decoded);
    return status;
}

hl_status images_picture(image_store *self, const hl_image *image, size_t side, picture *out,
                         size_t original[2], hl_error *error) {
    *out = (picture){0};
    pthread_mutex_lock(&self->table);
    const key *found = find_key(self, image);
    hl_status status = found ? find_shrunk(self, found->of, side, out, original, error)
                             : hl_fail(error, HL_USAGE, UNKNOWN_IMAGE);
    pthread_mutex_unlock(&self->table);
    if (status != HL_OK || out->rgb) return status;
    return decode_picture(found->of, side, out, original, error);
}
