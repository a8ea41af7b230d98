/* What a gallery.json says of each image under some keys, as texts. */
#ifndef FACTS_H
#define FACTS_H

#include "headlight/ask.h"

typedef struct facts {
    const hl_host *host;
    const char *const *keys; /* the caller's */
    size_t key_count, images;
    const char **values; /* key_count for each image; NULL: it says nothing */
} facts;

/* A key is one of gallery.json's, or several joined by dots that lead into mappings ("main.colors"). A
 * number is what was written there; null is nothing. HL_USAGE where no image has a value of a key, naming
 * those there are. To be freed also after a failure. */
hl_status facts_read(const hl_ask *ask, const char *const *keys, size_t key_count, facts *out,
                     hl_error *error);
void facts_free(facts *self);

static inline const char *facts_at(const facts *self, size_t image, size_t key) {
    return self->values[image * self->key_count + key];
}

#endif
