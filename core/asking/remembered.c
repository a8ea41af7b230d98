/* The cache on disk, by what the model is and what is changed in it. */
#include "core/asking/asker_inside.h"

#include "core/io/cache.h"
#include "core/io/checksum.h"
#include "core/registry/guard.h"
#include <stdlib.h>

/* Weights say nothing of the vocabulary: what it makes of a text does. Empty where there is none. */
static bool probe_vocabulary(const engine *model, char out[CHECKSUM_ROOM]) {
    static const char probe[] =
        "a photo of the large striped zebra, seen from behind on a rainy evening in Paris; 17 people's "
        "umbrellas, an old-fashioned bicycle & some unexpectedly colourful geometric patterns";
    size_t bytes = model->info->context * sizeof(int32_t);
    int32_t *ids = calloc(model->info->context + 1u, sizeof *ids);
    hl_error unread;
    out[0] = '\0';
    if (!ids) return false;
    bool known = bytes > 0 && GUARD(model->model_plugin, &unread,
                                    model->api.tokenize(model->model, probe, ids, &unread)) == HL_OK;
    if (known) checksum_of(ids, bytes, out);
    free(ids);
    return true;
}

/* NULL: no memory, or nothing tells this model from others. */
static char *make_key(const asker *self, const char *key) {
    const char *weights;
    char vocabulary[CHECKSUM_ROOM];
    engine *model = self->shared->model;
    if (engine_digest(model, &weights, NULL) != HL_OK || !*weights) return NULL;
    if (!probe_vocabulary(model, vocabulary)) return NULL;
    char *whole;
    int length = asprintf(&whole, "ask\n%s %s %s\nedits %s\n%s", model->model_plugin->name, weights,
                          vocabulary, self->changed ? self->changed->name : "none", key);
    return length < 0 ? NULL : whole;
}

void asker_recall(const asker *self, const char *key, void **bytes, size_t *count) {
    char *whole = make_key(self, key);
    if (whole) cache_recall(whole, bytes, count);
    free(whole);
}

void asker_remember(const asker *self, const char *key, const void *bytes, size_t count) {
    char *whole = make_key(self, key);
    if (whole) cache_remember(whole, bytes, count);
    free(whole);
}
