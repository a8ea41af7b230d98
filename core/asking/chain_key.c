/* See chain_key.h. Every piece is added with its length, so that no two lists of pieces read alike. */
#include "core/asking/chain_key.h"

#include "core/asking/asker_inside.h"
#include "core/io/checksum.h"
#include "core/io/input.h"
#include "core/tree/tree.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct key_maker {
    checksum *sum;
    const hl_ask *ask;
    bool none; /* there is no key: a path leads to no file */
} key_maker;

static void add(const key_maker *self, const void *bytes, size_t count) {
    uint64_t length = count;
    checksum_add(self->sum, &length, sizeof length);
    checksum_add(self->sum, bytes, count);
}

static void add_text(const key_maker *self, const char *text) {
    add(self, text, strlen(text));
}

/* A file that cannot be read is for the extractor to complain of. */
static hl_status add_file(key_maker *self, const char *path, hl_error *error) {
    enum { PIECE = 1 << 16 };
    struct stat about;
    int file;
    uint64_t size;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode) || input_open(path, &file, &size, NULL) != HL_OK) {
        self->none = true;
        return HL_OK;
    }
    char *piece = malloc(PIECE);
    hl_status status = piece ? HL_OK : hl_no_memory(error, path);
    for (uint64_t at = 0; at < size && status == HL_OK; at += PIECE) {
        size_t count = size - at < PIECE ? (size_t)(size - at) : PIECE;
        status = input_read_at(path, file, at, piece, count, error);
        if (status == HL_OK) add(self, piece, count);
    }
    free(piece);
    close(file);
    return status;
}

/* Its file too: whoever writes a plugin tries it many times under one version. */
static hl_status add_plugin(key_maker *self, const hl_plugin *plugin, hl_error *error) {
    Dl_info from;
    add_text(self, plugin->name);
    add_text(self, plugin->version);
    return dladdr(plugin->api, &from) != 0 ? add_file(self, from.dli_fname, error) : HL_OK;
}

static hl_status add_option(void *user, const hl_option *option, const hl_value *value,
                            const char *const *written, size_t written_count, hl_error *error) {
    key_maker *self = user;
    hl_status status = HL_OK;
    if (option->flags & HL_OPTION_SECRET) return HL_OK; /* who asks changes no answer */
    add_text(self, option->name);
    for (size_t i = 0; i < written_count; ++i) add_text(self, written[i]);
    if (option->type == HL_PATH) status = add_file(self, value->string, error);
    for (size_t i = 0; value->images && i < value->count && status == HL_OK; ++i) {
        status = add_file(self, value->images[i]->path, error);
    }
    size_t bytes = self->ask->model->embed_dim * sizeof(float);
    for (size_t i = 0; value->directions && i < value->count; ++i) {
        add(self, value->directions[i]->vector, bytes);
    }
    return status;
}

static hl_status add_facts(const key_maker *self, size_t index, hl_error *error) {
    hl_gallery_image image = {.size = sizeof image};
    char *facts = NULL;
    hl_status status = self->ask->gallery_image(self->ask, NULL, index, &image, error);
    if (status == HL_OK && image.facts) status = tree_print_json(image.facts, false, &facts, error);
    if (status == HL_OK) add_text(self, facts ? facts : "");
    free(facts);
    return status;
}

/* Which images there are, each as its file was when its codes were made, and what the gallery says of them.
 */
static hl_status add_gallery(const key_maker *self, hl_error *error) {
    nearest *searched = (nearest *)(uintptr_t)self->ask->gallery;
    hl_status status = searched ? nearest_prepare(searched, 0, error) : HL_OK;
    if (!searched || status != HL_OK) return status;
    const atlas *codes = nearest_atlas(searched);
    add_text(self, atlas_layout_of(codes)->fingerprint);
    for (size_t i = 0; i < nearest_count(searched) && status == HL_OK; ++i) {
        int64_t file[2];
        size_t image = nearest_at(searched, i);
        atlas_file_of(codes, image, &file[0], &file[1]);
        add_text(self, atlas_path(codes, image));
        add(self, file, sizeof file);
        status = add_facts(self, i, error);
    }
    return status;
}

/* Its numbers differ in their last digits from another's. */
static void add_backend(const key_maker *self) {
    const engine *model = asker_behind(self->ask)->shared->model;
    add_text(self, model->compute_plugin->name);
    add_text(self, model->compute_plugin->version);
    if (!model->loaded) return;
    add_text(self, model->compute.api->kernel(model->compute.backend));
    add_text(self, model->compute.api->precision(model->compute.backend));
}

hl_status chain_key_make(const chain_key_subject *of, const hl_ask *ask, char out[CHAIN_KEY_ROOM],
                         hl_error *error) {
    char sum[CHECKSUM_ROOM];
    out[0] = '\0';
    key_maker self = {.sum = checksum_begin(), .ask = ask};
    if (!self.sum) return hl_no_memory(error, "the key of a step");
    add_text(&self, of->before);
    hl_status status = add_plugin(&self, of->plugin, error);
    if (status == HL_OK) status = options_visit(of->values, add_option, &self, error);
    if (status == HL_OK && (of->needs & HL_NEEDS_GALLERY)) status = add_gallery(&self, error);
    add_backend(&self);
    checksum_end(self.sum, sum);
    if (status == HL_OK && !self.none) snprintf(out, CHAIN_KEY_ROOM, "%s %s", of->kind, sum);
    return status;
}
