/* The search: which images of an atlas score best in one head or the weighted mean over several. Reads only
 * the heads that it is asked for. Knows codes and queries, not where they come from. */
#ifndef SEARCH_H
#define SEARCH_H

#include "core/atlas/atlas.h"

typedef struct search_part {
    size_t head;        /* of the atlas */
    const float *query; /* q = B t: width + scalar_count numbers; a score is y . q */
    const float *basis; /* (width + scalar_count) x embed_dim; only read for cosine */
} search_part;

typedef struct search_hit {
    size_t image;
    double score;
} search_hit;

typedef struct search_request {
    const search_part *parts; /* an image's score is the mean over the parts, sum(w y . q) / sum(w) */
    size_t part_count;
    const double *weights; /* one for each part, above 0 and no larger than 1e6; NULL: all 1 */
    bool cosine;           /* divide by the length of the image's mean contribution ... */
    double query_length;   /* ... and by this */
    size_t count;          /* best first; equal scores in the order of their paths */
    const bool *leave_out; /* one for each image of the atlas; NULL: none is */
} search_request;

/* hits[0 .. *found). HL_FAILED, with the shard, when a score is no number. */
hl_status atlas_search(const atlas *self, const hl_host *host, const search_request *request,
                       search_hit *hits, size_t *found, hl_error *error);

#endif
