/* See asker.h: conversations, from opening to closing, and the table of what can be asked. */
#include "core/asking/asker_inside.h"

#include "core/io/call.h"
#include "core/io/locale.h"
#include <stdlib.h>
#include <string.h>

/* ---- the model that conversations share ---- */

hl_status asked_model_open(engine *model, size_t picture_side, asked_model **out, hl_error *error) {
    *out = NULL;
    asked_model *self = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a conversation with the model");
    self->model = model;
    hl_status status = images_open(model, picture_side, &self->images, error);
    if (status == HL_OK) status = queries_open(model, &self->queries, error);
    if (status != HL_OK) {
        asked_model_close(self);
        return status;
    }
    *out = self;
    return HL_OK;
}

void asked_model_own(asked_model *self, host *made) {
    self->made = made;
}

void asked_model_close(asked_model *self) {
    if (!self) return;
    images_close(self->images);
    queries_close(self->queries);
    nearest_close(self->gallery);
    if (self->made) {
        engine_close(self->model);
        host_close(self->made);
    }
    free(self);
}

image_store *asked_model_images(asked_model *self) {
    return self->images;
}

/* ---- under whose call ---- */

static const hl_call *enter(const asker *self) {
    return self->has_call ? call_enter(&self->call) : call_current();
}

/* A question, unless the caller wants none answered any more. */
#define ANSWER(ASK, QUESTION)                                                                                \
    do {                                                                                                     \
        asker *self = asker_behind(ASK);                                                                     \
        locale_t spoken = locale_enter(); /* by the program */                                               \
        const hl_call *before = enter(self);                                                                 \
        hl_status status = call_check(error);                                                                \
        if (status == HL_OK) status = (QUESTION);                                                            \
        call_enter(before);                                                                                  \
        locale_leave(spoken);                                                                                \
        return status;                                                                                       \
    } while (0)

/* ---- what can be asked ---- */

static hl_status open_taken_image(asker *self, const hl_image_source *given, const hl_image **image,
                                  hl_error *error) {
    hl_image_source source;
    hl_status status = call_take(&source, sizeof source, given, "hl_image_source", error);
    return status == HL_OK ? images_add(self->shared->images, &source, image, error) : status;
}

static hl_status open_image(const hl_ask *ask, const hl_image_source *source, const hl_image **image,
                            hl_error *error) {
    *image = NULL;
    ANSWER(ask, open_taken_image(self, source, image, error));
}

static void release_image(const hl_ask *ask, const hl_image *image) {
    if (image) images_release(asker_behind(ask)->shared->images, image);
}

static hl_status open_direction(const hl_ask *ask, const hl_direction_source *source,
                                const hl_direction **direction, hl_error *error) {
    *direction = NULL;
    ANSWER(ask, asker_open_direction(self, source, direction, error));
}

static void release_direction(const hl_ask *ask, const hl_direction *direction) {
    asker_release_direction(asker_behind(ask), direction);
}

static hl_status open_selection(const hl_ask *ask, const char *heads, const hl_selection **selection,
                                hl_error *error) {
    *selection = NULL;
    ANSWER(ask, asker_open_selection(self, heads, selection, error));
}

static void release_selection(const hl_ask *ask, const hl_selection *selection) {
    (void)ask;
    asker_release_selection(selection);
}

static hl_status open_gallery(const hl_ask *ask, const hl_gallery_source *source, const hl_gallery **opened,
                              hl_error *error) {
    *opened = NULL;
    ANSWER(ask, asker_open_gallery(self, source, opened, error));
}

static void release_gallery(const hl_ask *ask, const hl_gallery *given) {
    (void)ask;
    nearest_close((nearest *)(uintptr_t)given);
}

static hl_status embedding(const hl_ask *ask, const hl_image *image, float *out, hl_error *error) {
    ANSWER(ask, asker_embedding(self, image, out, error));
}

static hl_status code(const hl_ask *ask, const hl_image *image, uint32_t component, float *out,
                      hl_error *error) {
    ANSWER(ask, asker_code(self, image, component, out, error));
}

static hl_status contribution(const hl_ask *ask, const hl_image *image, uint32_t component, float *out,
                              hl_error *error) {
    ANSWER(ask, asker_contribution(self, image, component, out, error));
}

static hl_status token_codes(const hl_ask *ask, const hl_image *image, uint32_t component, float *out,
                             hl_error *error) {
    ANSWER(ask, asker_token_codes(self, image, component, out, error));
}

static hl_status heat(const hl_ask *ask, const hl_image *image, const hl_selection *selection,
                      const hl_direction *direction, float *grid, hl_error *error) {
    ANSWER(ask, asker_heat(self, image, selection, direction, grid, error));
}

static hl_status find_nearest(const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors, size_t *found,
                              hl_error *error) {
    *found = 0;
    ANSWER(ask, asker_nearest(self, query, neighbors, found, error));
}

static hl_status encode_texts(const hl_ask *ask, const char *const *texts, size_t count, float *out,
                              hl_error *error) {
    ANSWER(ask, asker_encode_texts(self, texts, count, out, error));
}

static hl_status basis(const hl_ask *ask, uint32_t component, float *out, hl_error *error) {
    ANSWER(ask, asker_basis(self, component, out, error));
}

static hl_status product_f64(const hl_ask *ask, bool transpose_a, bool transpose_b, size_t m, size_t n,
                             size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                             size_t ldc, hl_error *error) {
    ANSWER(ask, asker_product(self, transpose_a, transpose_b, (const size_t[]){m, n, k}, a, lda, b, ldb, c,
                              ldc, error));
}

static hl_status symmetric_eigen_f64(const hl_ask *ask, size_t n, double *a, double *eigenvalues,
                                     hl_error *error) {
    ANSWER(ask, asker_eigen(self, n, a, eigenvalues, error));
}

static hl_status gallery_count(const hl_ask *ask, const hl_gallery *given, size_t *count, hl_error *error) {
    ANSWER(ask, asker_gallery_count(self, given, count, error));
}

static hl_status find_gallery_image(const hl_ask *ask, const hl_gallery *given, size_t index,
                                    hl_gallery_image *out, hl_error *error) {
    ANSWER(ask, asker_gallery_image(self, given, index, out, error));
}

static hl_status gallery_codes(const hl_ask *ask, const hl_gallery *given, uint32_t component, size_t first,
                               size_t count, float *out, hl_error *error) {
    ANSWER(ask, asker_gallery_codes(self, given, component, first, count, out, error));
}

static hl_status gallery_embeddings(const hl_ask *ask, const hl_gallery *given, size_t first, size_t count,
                                    float *out, hl_error *error) {
    ANSWER(ask, asker_gallery_embeddings(self, given, first, count, out, error));
}

static hl_status moments(const hl_ask *ask, const hl_gallery *given, uint32_t component, size_t fold,
                         size_t folds, size_t *count, double *sum, double *products, hl_error *error) {
    ANSWER(ask, asker_moments(self, given, component, fold, folds, count, sum, products, error));
}

static const hl_description *description(const hl_ask *ask, const char *step, size_t index) {
    const asker_findings *found = &asker_behind(ask)->findings;
    return found->description ? found->description(found->user, step, index) : NULL;
}

static const hl_label *label(const hl_ask *ask, const char *step, size_t index) {
    const asker_findings *found = &asker_behind(ask)->findings;
    return found->label ? found->label(found->user, step, index) : NULL;
}

static const hl_verdict *verdict(const hl_ask *ask, const char *step, size_t index) {
    const asker_findings *found = &asker_behind(ask)->findings;
    return found->verdict ? found->verdict(found->user, step, index) : NULL;
}

static const char *source(const hl_ask *ask, size_t index) {
    const asker_findings *found = &asker_behind(ask)->findings;
    return found->source ? found->source(found->user, index) : NULL;
}

static hl_status property(const hl_ask *ask, const char *name, const hl_selection **selection,
                          hl_error *error) {
    *selection = NULL;
    ANSWER(ask, asker_property(self, name, selection, error));
}

static hl_status value_gram(const hl_ask *ask, uint32_t component, double *out, hl_error *error) {
    ANSWER(ask, asker_value_gram(self, component, out, error));
}

static hl_status edited(const hl_ask *ask, const hl_edit *const *edits, size_t count, const hl_ask **out,
                        hl_error *error) {
    *out = NULL;
    ANSWER(ask, asker_edit(self, edits, count, out, error));
}

static void release(const hl_ask *ask) {
    if (ask) asker_close(asker_behind(ask));
}

static hl_status run(const hl_ask *ask, const char *plugin, const char *options, const hl_node **results,
                     hl_error *error) {
    *results = NULL;
    ANSWER(ask, asker_run(self, plugin, options, results, error));
}

static void release_results(const hl_ask *ask, const hl_node *results) {
    (void)ask;
    asker_release_results(results);
}

static void recall(const hl_ask *ask, const char *key, void **bytes, size_t *count) {
    *bytes = NULL;
    *count = 0;
    asker_recall(asker_behind(ask), key, bytes, count);
}

static void remember(const hl_ask *ask, const char *key, const void *bytes, size_t count) {
    asker_remember(asker_behind(ask), key, bytes, count);
}

/* ---- opening and closing ---- */

static const hl_ask functions = {
    .size = sizeof(hl_ask),
    .open_image = open_image,
    .release_image = release_image,
    .open_direction = open_direction,
    .release_direction = release_direction,
    .open_selection = open_selection,
    .release_selection = release_selection,
    .open_gallery = open_gallery,
    .release_gallery = release_gallery,
    .embedding = embedding,
    .code = code,
    .contribution = contribution,
    .token_codes = token_codes,
    .heat = heat,
    .encode_texts = encode_texts,
    .basis = basis,
    .product_f64 = product_f64,
    .symmetric_eigen_f64 = symmetric_eigen_f64,
    .nearest = find_nearest,
    .gallery_count = gallery_count,
    .gallery_image = find_gallery_image,
    .gallery_codes = gallery_codes,
    .gallery_embeddings = gallery_embeddings,
    .moments = moments,
    .description = description,
    .label = label,
    .property = property,
    .edited = edited,
    .release = release,
    .run = run,
    .release_results = release_results,
    .recall = recall,
    .remember = remember,
    .verdict = verdict,
    .source = source,
    .value_gram = value_gram,
};

hl_status asker_open(asked_model *model, nearest *own, const asker_findings *findings, asker **out,
                     hl_error *error) {
    asker *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a conversation with the model");
    self->interface = functions;
    self->interface.host = model->model->interface;
    self->interface.model = model->model->info;
    self->interface.gallery = own;
    self->shared = model;
    if (findings) self->findings = *findings;
    atomic_fetch_add(&model->users, 1);
    return HL_OK;
}

void asker_close(asker *self) {
    if (!self) return;
    asked_model *shared = self->shared;
    if (self->changed) images_forget(shared->images, self->changed);
    nearest_close(self->made);
    edits_free(self->changed);
    free(self);
    bool last = atomic_fetch_sub(&shared->users, 1) == 1;
    if (last && shared->made) asked_model_close(shared);
}

const hl_ask *asker_interface(const asker *self) {
    return &self->interface;
}

void asker_note_cut(const hl_ask *ask, cut_texts *cut) {
    asker_behind(ask)->cut = cut;
}

void asker_warn_cut(const hl_ask *ask, const cut_texts *cut) {
    cut_texts_warn(cut, asker_behind(ask)->shared->model);
}

void asker_withhold(const hl_ask *ask, uint32_t needs) {
    asker_behind(ask)->withheld = needs;
}

/* The images of an edited conversation's gallery are those of the one that it comes from; their codes are
 * not, and so lie in an atlas beside the other. */
static hl_status open_edited_gallery(asker *self, const hl_gallery *plain, hl_error *error) {
    nearest_settings settings = *nearest_settings_of(plain);
    char *beside;
    if (asprintf(&beside, "%s-edited-%.16s", settings.atlas, self->changed->name) < 0)
        return hl_no_memory(error, "the atlas's path");
    settings.atlas = beside;
    settings.changed = self->changed;
    hl_status status = nearest_open(self->shared->model, &settings, &self->made, error);
    free(beside);
    self->interface.gallery = self->made;
    return status;
}

hl_status asker_edit(asker *self, const hl_edit *const *edits, size_t count, const hl_ask **out,
                     hl_error *error) {
    asker *made;
    hl_status status = asker_open(self->shared, NULL, &self->findings, &made, error);
    if (status != HL_OK) return status;
    made->call = self->call;
    made->has_call = self->has_call;
    made->withheld = self->withheld;
    made->cut = self->cut;
    status = edits_make(self->shared->model, self->changed, edits, count, &made->changed, error);
    if (status == HL_OK && self->interface.gallery) {
        status = open_edited_gallery(made, self->interface.gallery, error);
    }
    if (status == HL_OK) {
        *out = &made->interface;
    } else {
        asker_close(made);
    }
    return status;
}
