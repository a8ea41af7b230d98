/* Inside asking: a conversation's parts, for the files of this folder. */
#ifndef ASKER_INSIDE_H
#define ASKER_INSIDE_H

#include "core/asking/asker.h"
#include "core/io/call.h"
#include "core/registry/direction.h"

struct asked_model {
    engine *model;
    host *made; /* closed with it, as is the engine; NULL: both are somebody else's */
    image_store *images;
    queries *queries;
    nearest *gallery;    /* of all conversations with a program's model; NULL: they have none */
    atomic_size_t users; /* of a model that goes with its last conversation */
};

struct asker {
    hl_ask interface; /* first: the one is cast to the other */
    asked_model *shared;
    hl_call call;       /* that it asks under ... */
    bool has_call;      /* ... or that of the thread which asks */
    edit_list *changed; /* NULL: no edit_list */
    nearest *made;      /* the gallery of a conversation with edits, closed with it */
    asker_findings findings;
    uint32_t withheld; /* see asker_withhold */
    cut_texts *cut;    /* see asker_note_cut */
};

static inline asker *asker_behind(const hl_ask *ask) {
    return (asker *)(uintptr_t)ask;
}

/* ---- about images: questions.c ---- */

hl_status asker_embedding(asker *self, const hl_image *image, float *out, hl_error *error);
hl_status asker_code(asker *self, const hl_image *image, uint32_t component, float *out, hl_error *error);
hl_status asker_contribution(asker *self, const hl_image *image, uint32_t component, float *out,
                             hl_error *error);
hl_status asker_token_codes(asker *self, const hl_image *image, uint32_t component, float *out,
                            hl_error *error);
hl_status asker_heat(asker *self, const hl_image *image, const hl_selection *selection,
                     const hl_direction *direction, float *grid, hl_error *error);

/* ---- about texts and the model: model_questions.c ---- */

hl_status asker_load(const asker *self, hl_error *error);
hl_status asker_encode_texts(asker *self, const char *const *texts, size_t count, float *out,
                             hl_error *error);
hl_status asker_basis(asker *self, uint32_t component, float *out, hl_error *error);
hl_status asker_value_gram(asker *self, uint32_t component, double *out, hl_error *error);
/* sizes: m, n, k */
hl_status asker_product(asker *self, bool transpose_a, bool transpose_b, const size_t sizes[3],
                        const double *a, size_t lda, const double *b, size_t ldb, double *c, size_t ldc,
                        hl_error *error);
hl_status asker_eigen(asker *self, size_t n, double *a, double *eigenvalues, hl_error *error);

/* ---- about a gallery: gallery_questions.c ---- */

hl_status asker_open_gallery(asker *self, const hl_gallery_source *source, const hl_gallery **out,
                             hl_error *error);
hl_status asker_nearest(asker *self, const hl_query *query, hl_neighbor *neighbors, size_t *found,
                        hl_error *error);
hl_status asker_gallery_count(asker *self, const hl_gallery *gallery, size_t *count, hl_error *error);
hl_status asker_gallery_image(asker *self, const hl_gallery *gallery, size_t index, hl_gallery_image *out,
                              hl_error *error);
hl_status asker_gallery_codes(asker *self, const hl_gallery *gallery, uint32_t component, size_t first,
                              size_t count, float *out, hl_error *error);
hl_status asker_gallery_embeddings(asker *self, const hl_gallery *gallery, size_t first, size_t count,
                                   float *out, hl_error *error);
hl_status asker_moments(asker *self, const hl_gallery *gallery, uint32_t component, size_t fold, size_t folds,
                        size_t *count, double *sum, double *products, hl_error *error);

/* ---- conversations: asker.c ---- */

hl_status asker_edit(asker *self, const hl_edit *const *edits, size_t count, const hl_ask **out,
                     hl_error *error);

/* ---- plugins that are run: run_plugin.c ---- */

hl_status asker_run(asker *self, const char *plugin, const char *options, const hl_node **out,
                    hl_error *error);
void asker_release_results(const hl_node *results); /* accepts NULL */

/* ---- the cache on disk: remembered.c ---- */

void asker_recall(const asker *self, const char *key, void **bytes, size_t *count);
void asker_remember(const asker *self, const char *key, const void *bytes, size_t count);

/* ---- selections: selections.c ---- */

hl_status asker_open_selection(const asker *self, const char *heads, const hl_selection **out,
                               hl_error *error);
void asker_release_selection(const hl_selection *selection); /* accepts NULL */
hl_status asker_property(const asker *self, const char *name, const hl_selection **out, hl_error *error);

/* ---- directions: directions.c ---- */

hl_status asker_open_direction(asker *self, const hl_direction_source *source, const hl_direction **out,
                               hl_error *error);
direction_encoder asker_encoder(asker *self); /* texts and images by this conversation */
void asker_release_direction(asker *self, const hl_direction *direction);

#endif
