/* See search.h. Codes are multiplied by their queries where they lie in the mapped files; only for lengths
 * are an image's codes in all parts laid side by side, and multiplied by a matrix. The best scores are then
 * picked in one go. */
#include "core/atlas/search.h"

#include "core/atlas/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A block of images is one thread's work; for lengths so many of them at a time lie in its cache. */
enum { BLOCK = 1024, ROWS = 32 };

typedef struct search {
    const atlas *atlas;
    const hl_host *host;
    const search_request *request;
    const kernels *kernels;
    size_t width;   /* of a row of codes of all parts, zero padded */
    double divisor; /* of the weighted sum over the parts: their total weight, or 1 */
    /* For cosine: |weighted sum of contributions| is |y bases|, width x embed_dim, or from y gram y,
     * whichever has fewer columns; gram = bases bases^T, and each part's basis is times its weight. */
    double *matrix;
    size_t columns;
    bool is_gram, by_length;
    double query_length; /* that scores are divided by besides */
    double *scores;      /* of all images */
} search;

/* NULL: the part is no head. */
static const atlas_head *head_of(const search *self, size_t part) {
    const search_part *asked = &self->request->parts[part];
    return asked->column == SEARCH_HEAD ? &atlas_layout_of(self->atlas)->heads[asked->index] : NULL;
}

/* Numbers of an image in a part. */
static size_t code_width(const search *self, size_t part) {
    const atlas_head *head = head_of(self, part);
    return head ? (size_t)head->width + head->scalar_count : atlas_layout_of(self->atlas)->embed_dim;
}

static double weight_of(const search *self, size_t part) {
    return self->request->weights ? self->request->weights[part] : 1;
}

static size_t padded(size_t width) {
    return (width + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

/* rows x columns zeros; NULL when there is no memory. */
static double *new_matrix(const hl_host *host, size_t rows, size_t columns) {
    size_t count;
    if (__builtin_mul_overflow(rows, columns, &count)) return NULL;
    return host->allocate(host, count, sizeof(double));
}

/* ---- what is asked ---- */

/* The parts' bases, each times its weight, below each other. */
static double *stack_bases(const search *self, size_t columns) {
    double *bases = new_matrix(self->host, self->width, columns), *out = bases;
    for (size_t part = 0; bases && part < self->request->part_count; ++part) {
        const float *basis = self->request->parts[part].basis;
        double weight = weight_of(self, part);
        size_t rows = code_width(self, part), embed_dim = atlas_layout_of(self->atlas)->embed_dim;
        bool is_head = head_of(self, part);
        for (size_t row = 0; row < rows; ++row, out += columns) {
            if (!is_head) out[row] = weight; /* a contribution is its own code */
            for (size_t j = 0; is_head && j < embed_dim; ++j) {
                out[j] = weight * (double)basis[row * embed_dim + j];
            }
        }
    }
    return bases;
}

/* Row i of the Gram matrix is all bases' rows times its own. */
static double *gram_of(const search *self, const double *bases, size_t columns) {
    double *gram = new_matrix(self->host, self->width, self->width);
    for (size_t i = 0; gram && i < self->width; ++i) {
        self->kernels->dots(bases, self->width, columns, bases + i * columns, gram + i * self->width);
    }
    return gram;
}

/* Whether the one part's codes are contributions, whose lengths are their own. */
static bool is_plain(const search *self) {
    return self->request->part_count == 1 && !head_of(self, 0);
}

static bool prepare_lengths(search *self) {
    if (is_plain(self)) return true;
    size_t columns = padded(atlas_layout_of(self->atlas)->embed_dim);
    double *bases = stack_bases(self, columns);
    self->is_gram = self->width <= columns;
    self->columns = self->is_gram ? self->width : columns;
    self->matrix = bases && self->is_gram ? gram_of(self, bases, columns) : bases;
    if (self->is_gram) self->host->release(self->host, bases);
    return self->matrix != NULL;
}

static bool prepare(search *self) {
    for (size_t part = 0; part < self->request->part_count; ++part) {
        self->width += code_width(self, part);
        self->divisor += weight_of(self, part);
    }
    if (self->request->is_sum) self->divisor = 1;
    self->width = padded(self->width);
    self->scores = new_matrix(self->host, 1, atlas_count(self->atlas));
    if (!self->scores) return false;
    /* An embedding is normalised before it is compared, whatever the metric. */
    bool whole = self->request->parts[0].column == SEARCH_EMBEDDING;
    self->query_length = self->request->cosine ? self->request->query_length : 1;
    self->by_length = self->request->cosine || whole;
    return !self->by_length || prepare_lengths(self);
}

/* ---- scores ---- */

/* Some images of one shard. */
typedef struct span {
    size_t shard, first, rows;
} span;

static size_t blocks_of(const atlas *images, size_t shard) {
    return (atlas_shard_at(images, shard).count + BLOCK - 1) / BLOCK;
}

static size_t count_blocks(const atlas *images) {
    size_t count = 0;
    for (size_t shard = 0; shard < atlas_shard_count(images); ++shard) count += blocks_of(images, shard);
    return count;
}

static span find_block(const atlas *images, size_t index) {
    size_t shard = 0;
    for (; index >= blocks_of(images, shard); ++shard) index -= blocks_of(images, shard);
    size_t first = index * BLOCK, count = atlas_shard_at(images, shard).count;
    return (span){shard, first, count - first < BLOCK ? count - first : BLOCK};
}

/* A part's numbers for some images: `width` of each, `stride` apart, and the further numbers of a head. */
typedef struct stored {
    const char *codes;
    size_t width, stride;
    const float *scalars;
    size_t scalar_count;
    size_t item; /* bytes of a number among the codes: 2 or 4 */
} stored;

static stored find_codes(const search *self, span images, size_t part, size_t item) {
    const atlas_head *head = head_of(self, part);
    size_t index = self->request->parts[part].index;
    const char *codes = atlas_codes(self->atlas, images.shard, index);
    stored found = {.codes = codes + images.first * head->width * item,
                    .width = head->width,
                    .stride = head->width,
                    .scalar_count = head->scalar_count,
                    .item = item};
    if (head->scalar_count > 0) {
        found.scalars = atlas_scalars(self->atlas, images.shard, index) + images.first * head->scalar_count;
    }
    return found;
}

static stored find_stored(const search *self, span images, size_t part) {
    const atlas_layout *layout = atlas_layout_of(self->atlas);
    const search_part *asked = &self->request->parts[part];
    size_t item = layout->dtype == HL_F16 ? 2 : 4, width = layout->embed_dim;
    if (asked->column == SEARCH_HEAD) return find_codes(self, images, part, item);
    bool whole = asked->column == SEARCH_EMBEDDING;
    size_t stride = whole ? width : layout->mlps * width, skipped = whole ? 0 : asked->index * width;
    const char *numbers =
        whole ? atlas_embeddings(self->atlas, images.shard) : atlas_mlps(self->atlas, images.shard);
    return (stored){.codes = numbers + (images.first * stride + skipped) * item,
                    .width = width,
                    .stride = stride,
                    .item = item};
}

/* Adds y . q of one part. */
static void add_part(const search *self, span images, size_t part, double *scores) {
    const kernels *kernel = self->kernels;
    stored from = find_stored(self, images, part);
    const float *query = self->request->parts[part].query;
    void (*add)(const void *, size_t, size_t, const float *, double *) =
        from.item == 2 ? kernel->add_dots_f16 : kernel->add_dots_f32;
    if (from.stride == from.width) {
        add(from.codes, images.rows, from.width, query, scores);
    } else {
        for (size_t r = 0; r < images.rows; ++r) {
            add(from.codes + r * from.stride * from.item, 1, from.width, query, &scores[r]);
        }
    }
    if (from.scalar_count == 0) return;
    kernel->add_dots_f32(from.scalars, images.rows, from.scalar_count, query + from.width, scores);
}

/* The same times the part's weight. */
static void add_weighted_part(const search *self, span images, size_t part, double *scores) {
    double own[BLOCK] = {0}, weight = weight_of(self, part);
    add_part(self, images, part, own);
    for (size_t r = 0; r < images.rows; ++r) scores[r] += weight * own[r];
}

/* The weighted mean or sum over the parts of y . q */
static void score_span(const search *self, span images, double *scores) {
    for (size_t part = 0; part < self->request->part_count; ++part) {
        (self->request->weights ? add_weighted_part : add_part)(self, images, part, scores);
    }
    for (size_t r = 0; r < images.rows; ++r) scores[r] /= self->divisor;
}

/* Widens a part's codes into rows of doubles. */
static void widen(const search *self, stored from, size_t rows, double *out) {
    void (*to_double)(const void *, size_t, size_t, double *, size_t) =
        from.item == 2 ? self->kernels->widen_f16 : self->kernels->widen_f32;
    if (from.stride == from.width) {
        to_double(from.codes, rows, from.width, out, self->width);
        return;
    }
    for (size_t r = 0; r < rows; ++r, out += self->width) {
        to_double(from.codes + r * from.stride * from.item, 1, from.width, out, self->width);
    }
}

/* The images' codes in all parts, a row each. */
static void gather(const search *self, span images, double *out) {
    for (size_t part = 0; part < self->request->part_count; ++part) {
        stored from = find_stored(self, images, part);
        widen(self, from, images.rows, out);
        out += from.width;
        if (from.scalar_count == 0) continue;
        self->kernels->widen_f32(from.scalars, images.rows, from.scalar_count, out, self->width);
        out += from.scalar_count;
    }
}

/* Products become cosines; an image whose contribution is zero has no direction and scores 0. `rows` and
 * `products` are scratch. */
static void divide_by_lengths(const search *self, span images, double *rows, double *products,
                              double *scores) {
    gather(self, images, rows);
    bool plain = is_plain(self);
    if (!plain) {
        self->kernels->product(rows, images.rows, self->width, self->matrix, self->columns, products);
    }
    for (size_t r = 0; r < images.rows; ++r) {
        const double *own = rows + r * self->width, *row = plain ? own : products + r * self->columns;
        double square;
        self->kernels->dots(row, 1, plain ? self->width : self->columns, self->is_gram ? own : row, &square);
        if (plain) square *= weight_of(self, 0) * weight_of(self, 0);
        double lengths = sqrt(fmax(square, 0)) / self->divisor * self->query_length;
        if (isfinite(scores[r])) scores[r] = lengths > 0 ? scores[r] / lengths : 0;
    }
}

static bool divide_block(const search *self, span images, double *scores) {
    double *rows = new_matrix(self->host, ROWS, self->width);
    double *products = new_matrix(self->host, ROWS, self->columns + 1); /* none is needed for plain ones */
    for (size_t end = images.first + images.rows; rows && products && images.first < end;) {
        images.rows = end - images.first < ROWS ? end - images.first : ROWS;
        divide_by_lengths(self, images, rows, products, scores);
        images.first += images.rows;
        scores += images.rows;
    }
    bool complete = rows && products;
    self->host->release(self->host, rows);
    self->host->release(self->host, products);
    return complete;
}

static hl_status score_block(void *argument, size_t index, hl_error *error) {
    const search *self = argument;
    hl_status status = hl_check_cancelled(self->host, error);
    if (status != HL_OK) return status;
    span images = find_block(self->atlas, index);
    double *scores = self->scores + atlas_shard_at(self->atlas, images.shard).first + images.first;
    score_span(self, images, scores);
    return !self->by_length || divide_block(self, images, scores) ? HL_OK : hl_no_memory(error, "a search");
}

static atlas_part part_of(const search_part *asked) {
    static const atlas_what COLUMNS[] = {
        [SEARCH_HEAD] = ATLAS_CODES, [SEARCH_OTHER] = ATLAS_OTHERS, [SEARCH_EMBEDDING] = ATLAS_EMBEDDINGS};
    return (atlas_part){COLUMNS[asked->column], asked->column == SEARCH_HEAD ? asked->index : 0};
}

/* Only what the parts read is verified. */
static hl_status touch(const search *self, hl_error *error) {
    size_t count = self->request->part_count;
    atlas_part *parts = calloc(count + 1, sizeof *parts);
    if (!parts) return hl_no_memory(error, "a search");
    for (size_t i = 0; i < count; ++i) parts[i] = part_of(&self->request->parts[i]);
    hl_status status = atlas_touch(self->atlas, self->host, parts, count, error);
    free(parts);
    return status;
}

static hl_status score_all(search *self, hl_error *error) {
    hl_status status = touch(self, error);
    if (status != HL_OK) return status;
    if (!prepare(self)) return hl_no_memory(error, "a search");
    status = hl_parallel(self->host, count_blocks(self->atlas), score_block, self, error);
    return status == HL_OK ? atlas_check(self->atlas, false, error) : status;
}

/* ---- the best ---- */

/* A heap of the best hits so far, the worst of them first. */
typedef struct heap {
    const atlas *atlas;
    search_hit *hits;
    size_t count, room;
} heap;

static bool is_worse(const heap *best, search_hit a, search_hit b) {
    if (a.score < b.score || a.score > b.score) return a.score < b.score;
    return strcmp(atlas_path(best->atlas, a.image), atlas_path(best->atlas, b.image)) > 0;
}

/* Puts `hit` where the place at `index` is free, or below. */
static void sift_down(heap *best, size_t index, search_hit hit) {
    for (size_t child; (child = 2 * index + 1) < best->count; index = child) {
        bool has_sibling = child + 1 < best->count;
        if (has_sibling && is_worse(best, best->hits[child + 1], best->hits[child])) ++child;
        if (!is_worse(best, best->hits[child], hit)) break;
        best->hits[index] = best->hits[child];
    }
    best->hits[index] = hit;
}

static void sift_up(heap *best, size_t index, search_hit hit) {
    for (; index > 0 && is_worse(best, hit, best->hits[(index - 1) / 2]); index = (index - 1) / 2) {
        best->hits[index] = best->hits[(index - 1) / 2];
    }
    best->hits[index] = hit;
}

static void offer(heap *best, search_hit hit) {
    if (best->count < best->room) {
        sift_up(best, best->count++, hit);
    } else if (best->room > 0 && is_worse(best, best->hits[0], hit)) {
        sift_down(best, 0, hit);
    }
}

/* Takes the worst out again and again and puts it behind what is left. */
static void sort_best_first(heap *best) {
    while (best->count > 1) {
        search_hit worst = best->hits[0], last = best->hits[--best->count];
        sift_down(best, 0, last);
        best->hits[best->count] = worst;
    }
}

static hl_status no_score(const search *self, size_t image, hl_error *error) {
    size_t shard = 0;
    while (atlas_shard_at(self->atlas, shard).first + atlas_shard_at(self->atlas, shard).count <= image)
        ++shard;
    return hl_fail(
        error, HL_FAILED,
        "%s: the score of %s is no number: its codes are damaged, or the query's; `headlight verify` "
        "tells which",
        atlas_shard_at(self->atlas, shard).file, atlas_path(self->atlas, image));
}

static hl_status pick_best(const search *self, search_hit *hits, size_t *found, hl_error *error) {
    heap best = {.atlas = self->atlas, .hits = hits, .room = self->request->count};
    const bool *leave_out = self->request->leave_out;
    for (size_t image = 0; image < atlas_count(self->atlas); ++image) {
        if (leave_out && leave_out[image]) continue;
        if (!isfinite(self->scores[image])) return no_score(self, image, error);
        offer(&best, (search_hit){image, self->scores[image]});
    }
    *found = best.count;
    sort_best_first(&best);
    return HL_OK;
}

hl_status atlas_search(const atlas *self, const hl_host *host, const search_request *request,
                       search_hit *hits, size_t *found, hl_error *error) {
    *found = 0;
    search state = {.atlas = self, .host = host, .request = request, .kernels = kernels_best()};
    hl_status status = score_all(&state, error);
    if (status == HL_OK) status = pick_best(&state, hits, found, error);
    host->release(host, state.matrix);
    host->release(host, state.scores);
    return status;
}
