/* The search: which images of an atlas score best in one head, in the weighted mean or sum over several
 * components, or in their whole embeddings. Reads only what it is asked for. Knows codes and queries, not
 * where they come from. */
#ifndef SEARCH_H
#define SEARCH_H

#include "core/atlas/atlas.h"

/* Where an image's numbers for a part lie. */
typedef enum search_column {
    SEARCH_HEAD = 0, /* the codes of head `index` */
    SEARCH_OTHER,    /* row `index` of the column ATLAS_MLPS: contributions, which are their own codes */
    SEARCH_EMBEDDING /* the column ATLAS_EMBEDDING, each image's divided by its length; the only part then */
} search_column;

typedef struct search_part {
    search_column column;
    size_t index;
    const float *query; /* q = B t: as many numbers as the code has; a score is y . q */
    const float *basis; /* B, codes x embed_dim; only read for cosine, and only of heads */
} search_part;

typedef struct search_hit {
    size_t image;
    double score;
} search_hit;

typedef struct search_request {
    const search_part *parts; /* an image's score is the mean over the parts, sum(w y . q) / sum(w) ... */
    size_t part_count;
    const double *weights; /* one for each part, not 0 and no larger than 1e6; NULL: all 1 */
    bool is_sum;           /* ... or sum(w y . q), undivided */
    bool cosine;           /* divide by the length of the image's mean or summed contribution ... */
    double query_length;   /* ... and by this */
    size_t count;          /* best first; equal scores in the order of their paths */
    const bool *leave_out; /* one for each image of the atlas; NULL: none is */
} search_request;

/* hits[0 .. *found). HL_FAILED, with the shard, when a score is no number. */
hl_status atlas_search(const atlas *self, const hl_host *host, const search_request *request,
                       search_hit *hits, size_t *found, hl_error *error);

#endif
