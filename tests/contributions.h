/* What heads wrote into the embeddings of images, and what texts make of it, by the arrays of `headlight
 * decompose`: for tests of what is found from moments and bases instead. */
#ifndef TESTS_CONTRIBUTIONS_H
#define TESTS_CONTRIBUTIONS_H

#include "tests/support.h"

typedef struct contributions {
    npy_array heads; /* images, layers, heads, embed_dim */
    npy_array texts; /* texts, embed_dim; unit norm */
} contributions;

/* Of the embedded model, on `reference`; the arrays stay in `folder`. `texts` are words for the command,
 * "--text", "snow" or "--texts", FILE, and end with NULL. */
contributions contributions_read(const char *folder, const char *const *images, size_t image_count,
                                 const char *const *texts);
void contributions_free(contributions *self);

/* embed_dim numbers */
const float *contribution_of(const contributions *self, size_t image, size_t layer, size_t head);

/* Over all images, of c . t. */
double contributions_variance(const contributions *self, size_t layer, size_t head, size_t text_number);

/* The text with the largest one. */
size_t contributions_widest(const contributions *self, size_t layer, size_t head);

#endif
