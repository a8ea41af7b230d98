/* The cache on disk, by what the model is and what is changed in it. */
#include "core/asking/asker_inside.h"

#include "core/io/cache.h"
#include <stdlib.h>

/* NULL: no memory, or nothing tells this model from others. */
static char *make_key(const asker *self, const char *key) {
    const char *weights;
    engine *model = self->shared->model;
    if (engine_digest(model, &weights, NULL) != HL_OK || !*weights) return NULL;
    char *whole;
    int length = asprintf(&whole, "ask\n%s %s\nedits %s\n%s", model->model_plugin->name, weights,
                          self->changed ? self->changed->name : "none", key);
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
