/* Products with a weight: linear, patch embedding and convolution.
 *
 * Rows are packed in blocks that stay in the second cache, and all panels of a block are multiplied with one
 * panel of the weight after the other. A micro tile of the output gets its bias, activation
 * and residual while it is in the first cache. Threads take blocks of rows; where there are too few of them,
 * the rows are packed once for all threads, which then take columns. */
#include "product.h"

#include <string.h>

/* How the work is cut. */
typedef struct cut {
    size_t row_panels, column_panels;
    size_t blocks, parts; /* pieces of the rows, and of the columns */
    size_t chunks, span;  /* of the depth: all, and those that are packed at once */
    bool shared;          /* rows are packed before, for all threads */
} cut;

typedef struct product product;
struct product {
    hl_backend *backend;
    const product_kernel *kernel;
    const hl_weight *weight;
    size_t rows;
    /* Numbers [first, first + depth) of rows [row, row + count): where they lie, or copied to `room`. */
    const float *(*fetch)(const product *job, size_t row, size_t count, size_t first, size_t depth,
                          float *room, size_t *stride);
    matrix x;
    const void *shape; /* the operation, for `fetch` */
    place out, residual;
    hl_activation activation;
    bool activation_last;
    cut cut;
    unsigned char *packed; /* rows for all threads: chunk after chunk, in each all panels */
};

/* ---- weights ---- */

/* The depth of a weight in chunks that a kernel takes at once, as even as multiples of 64 can be. */
static void cut_depth(const product_kernel *kernel, size_t in, hl_weight *out) {
    enum { GRAIN = 64 };
    size_t least = groups_of(in, kernel->depth);
    out->depth = groups_of(groups_of(in, least), GRAIN) * GRAIN;
    out->chunks = groups_of(in, out->depth);
    out->chunk_bytes = kernel->weight_panel_bytes(out->depth);
    out->panel_bytes = (out->chunks - 1) * out->chunk_bytes +
                       kernel->weight_panel_bytes(in - (out->chunks - 1) * out->depth);
}

static size_t chunk_depth(const hl_weight *weight, size_t chunk) {
    return smaller(weight->depth, weight->in - chunk * weight->depth);
}

static unsigned char *weight_chunk(const hl_weight *weight, size_t panel, size_t chunk) {
    return weight->panels + panel * weight->panel_bytes + chunk * weight->chunk_bytes;
}

/* Sums of fewer products are made by the fine kernel. */
enum { FEW = 48 };

typedef struct pack_job {
    hl_backend *backend;
    const hl_weight_source *from;
    const hl_rows *rows; /* NULL: from->data has them */
    hl_weight *to;
} pack_job;

static void pack_weight_rows(const pack_job *job, const float *rows, size_t count, size_t panel) {
    for (size_t chunk = 0; chunk < job->to->chunks; ++chunk) {
        job->to->kernel->pack_weight(rows + chunk * job->to->depth, job->from->in, count,
                                     chunk_depth(job->to, chunk), weight_chunk(job->to, panel, chunk));
    }
}

/* The rows of a panel are read by the thread that packs them, so that they come from its cache. */
static hl_status read_weight_panel(const pack_job *job, size_t first, size_t count, size_t panel,
                                   hl_error *error) {
    lender *memory = &job->backend->memory;
    float *room = lend(memory, count * job->from->in * sizeof *room);
    hl_status status = room ? HL_OK : hl_no_memory(error, "a weight");
    if (status == HL_OK) status = job->rows->read(job->rows, first, count, room, error);
    if (status == HL_OK) pack_weight_rows(job, room, count, panel);
    give_back(memory, room);
    return status;
}

static hl_status pack_weight_panel(void *argument, size_t panel, hl_error *error) {
    const pack_job *job = argument;
    size_t columns = job->to->kernel->columns, first = panel * columns;
    size_t count = smaller(columns, job->from->out - first);
    if (job->rows) return read_weight_panel(job, first, count, panel, error);
    pack_weight_rows(job, job->from->data + first * job->from->in, count, panel);
    return HL_OK;
}

void free_weight(hl_backend *backend, hl_weight *weight) {
    if (!weight) return;
    shelf_give_back(&backend->shelf, weight->panels, weight->slab);
    backend->host->release(backend->host, weight->bias);
    backend->host->release(backend->host, weight);
}

hl_status prepare_weight_rows(hl_backend *backend, const hl_weight_source *source, const hl_rows *rows,
                              hl_weight **out, hl_error *error) {
    const hl_host *host = backend->host;
    const product_kernel *kernel =
        source->in < FEW ? backend->kernels.fine_product : backend->kernels.product;
    size_t panels = groups_of(source->out, kernel->columns);
    hl_weight *weight = *out = host->allocate(host, 1, sizeof *weight);
    if (!weight) return hl_no_memory(error, "a weight");
    *weight = (hl_weight){.kernel = kernel, .out = source->out, .in = source->in};
    cut_depth(kernel, source->in, weight);
    weight->panels = shelf_take(&backend->shelf, panels, weight->panel_bytes, &weight->slab);
    weight->bias = host->allocate(host, panels, kernel->columns * sizeof *weight->bias);
    if (!weight->panels || !weight->bias) {
        free_weight(backend, weight);
        *out = NULL;
        return hl_no_memory(error, "a weight");
    }
    pack_job job = {backend, source, rows, weight};
    hl_status status = hl_parallel(host, panels, pack_weight_panel, &job, error);
    if (source->bias) memcpy(weight->bias, source->bias, source->out * sizeof *source->bias);
    if (status == HL_OK) return HL_OK;
    free_weight(backend, weight);
    *out = NULL;
    return status;
}

hl_status prepare_weight(hl_backend *backend, const hl_weight_source *source, hl_weight **out,
                         hl_error *error) {
    return prepare_weight_rows(backend, source, NULL, out, error);
}

/* ---- how the work is cut ---- */

static size_t row_chunk_bytes(const product *job) {
    return job->kernel->row_panel_bytes(job->weight->depth);
}

/* Panels of a block, and chunks that are packed at once. Rows are so few that what is written for the next
 * panel of the weight can be fetched before and is still in the first cache then; so many that reading the
 * weights for each block does not matter. Packed they take at most two fifths of the second cache, the rest
 * being for weights and sums; where they are too long for that, not all chunks come at once. */
static void cut_block(const product *job, size_t *block, size_t *span) {
    enum { BLOCK_ROWS = 128 };
    size_t room = job->backend->processor.second_cache / 5 * 2, bytes = row_chunk_bytes(job);
    *block = larger(smaller(BLOCK_ROWS / job->kernel->rows, room / bytes), 1);
    *span = larger(smaller(room / (*block * bytes), job->weight->chunks), 1);
}

static cut cut_work(const product *job) {
    const product_kernel *kernel = job->kernel;
    size_t in = job->weight->in, block;
    cut out = {.row_panels = groups_of(job->rows, kernel->rows),
               .column_panels = groups_of(job->weight->out, kernel->columns),
               .chunks = job->weight->chunks};
    size_t threads = pieces_of(job->backend, job->rows * out.column_panels, in * kernel->columns);
    cut_block(job, &block, &out.span);
    out.blocks = groups_of(out.row_panels, block);
    if (out.blocks >= threads) {
        out.blocks = smaller(groups_of(out.blocks, threads) * threads, out.row_panels);
        out.parts = 1;
    } else {
        out.parts = smaller(groups_of(2 * threads, out.blocks), out.column_panels);
        out.shared = true;
    }
    return out;
}

/* ---- packing rows ---- */

/* Chunks [first, first + count) of row panel `panel` to to + i * step. `room`: rows x depth numbers. */
static void pack_panel(const product *job, size_t panel, size_t first, size_t count, unsigned char *to,
                       size_t step, float *room) {
    const product_kernel *kernel = job->kernel;
    size_t row = panel * kernel->rows, rows = smaller(kernel->rows, job->rows - row);
    for (size_t i = 0; i < count; ++i) {
        size_t depth = chunk_depth(job->weight, first + i), stride;
        const float *x = job->fetch(job, row, rows, (first + i) * job->weight->depth, depth, room, &stride);
        kernel->pack_rows(x, stride, rows, depth, to + i * step);
    }
}

static size_t room_bytes(const product *job) {
    return groups_of(job->kernel->rows * job->weight->depth * sizeof(float), 64) * 64;
}

static hl_status pack_shared(void *argument, size_t panel, hl_error *error) {
    const product *job = argument;
    float *room = lend(&job->backend->memory, room_bytes(job));
    if (!room) return hl_no_memory(error, "packed rows");
    size_t bytes = row_chunk_bytes(job);
    pack_panel(job, panel, 0, job->cut.chunks, job->packed + panel * bytes, job->cut.row_panels * bytes,
               room);
    give_back(&job->backend->memory, room);
    return HL_OK;
}

/* ---- multiplying ---- */

/* A thread's piece of the output, and its memory. */
typedef struct piece {
    const product *job;
    size_t first_panel, panels, first_column, columns; /* in panels */
    const unsigned char *rows;                         /* packed: chunk after chunk, `step` bytes apart */
    size_t step;
    float **residuals, **outs; /* where its rows lie; residuals == NULL: there are none */
    float *sums;               /* micro tiles that are not complete yet */
} piece;

static size_t rows_of_panel(const piece *p, size_t panel) {
    return smaller(p->job->kernel->rows, p->job->rows - (p->first_panel + panel) * p->job->kernel->rows);
}

static float *sums_of(const piece *p, size_t panel, size_t column) {
    const cut *c = &p->job->cut;
    size_t tile = c->span < c->chunks ? column * p->panels + panel : panel;
    return p->sums + tile * p->job->kernel->rows * p->job->kernel->columns;
}

static void find_rows(const piece *p, const place *at, float **rows) {
    size_t first = p->first_panel * p->job->kernel->rows;
    size_t count = smaller(p->panels * p->job->kernel->rows, p->job->rows - first);
    for (size_t r = 0; r < count; ++r) rows[r] = place_row(at, first + r);
}

/* What becomes of the micro tiles of a column. */
static tile_end end_of(const piece *p, size_t column) {
    const product *job = p->job;
    size_t width = job->kernel->columns, first = (p->first_column + column) * width;
    return (tile_end){.activate = job->backend->kernels.rows->activate,
                      .activation = job->activation,
                      .activation_last = job->activation_last,
                      .width = width,
                      .columns = smaller(width, job->weight->out - first),
                      .first = first,
                      .bias = job->weight->bias + first};
}

static void finish_panel(const piece *p, size_t panel, tile_end *end, float *sums) {
    size_t row = panel * p->job->kernel->rows;
    end->rows = rows_of_panel(p, panel);
    end->residuals = p->residuals ? p->residuals + row : NULL;
    end->outs = p->outs + row;
    finish_tile(end, sums);
}

/* All panels of the block against chunks [first, first + count) of one panel of the weight. */
static void multiply_column(const piece *p, size_t column, size_t first, size_t count) {
    const product_kernel *kernel = p->job->kernel;
    const hl_weight *weight = p->job->weight;
    size_t bytes = row_chunk_bytes(p->job);
    tile_end end = end_of(p, column);
    for (size_t chunk = first; chunk < first + count; ++chunk) {
        size_t depth = chunk_depth(weight, chunk);
        const unsigned char *panel = weight_chunk(weight, p->first_column + column, chunk);
        for (size_t i = 0; i < p->panels; ++i) {
            float *sums = sums_of(p, i, column);
            kernel->multiply(p->rows + (chunk - first) * p->step + i * bytes, panel, depth,
                             rows_of_panel(p, i), chunk > 0, sums);
            if (chunk + 1 == p->job->cut.chunks) finish_panel(p, i, &end, sums);
        }
    }
}

static void multiply_span(piece *p, size_t first, unsigned char *own, float *room) {
    const product *job = p->job;
    size_t bytes = row_chunk_bytes(job), count = smaller(job->cut.span, job->cut.chunks - first);
    if (own) {
        p->rows = own;
        p->step = p->panels * bytes;
        for (size_t i = 0; i < p->panels; ++i) {
            pack_panel(job, p->first_panel + i, first, count, own + i * bytes, p->step, room);
        }
    } else {
        p->step = job->cut.row_panels * bytes;
        p->rows = job->packed + first * p->step + p->first_panel * bytes;
    }
    for (size_t column = 0; column < p->columns; ++column) multiply_column(p, column, first, count);
}

/* Memory of a piece: packed rows, unless they are shared; numbers that are gathered for a panel; sums; where
 * its rows lie. */
typedef struct piece_bytes {
    size_t packed, gathered, sums, places;
} piece_bytes;

static piece_bytes bytes_of_piece(const piece *p) {
    const product_kernel *kernel = p->job->kernel;
    const cut *c = &p->job->cut;
    size_t tiles = p->panels * (c->span < c->chunks ? p->columns : 1);
    return (piece_bytes){.packed = c->shared ? 0 : c->span * p->panels * row_chunk_bytes(p->job),
                         .gathered = room_bytes(p->job),
                         .sums = tiles * kernel->rows * kernel->columns * sizeof(float),
                         .places = p->panels * kernel->rows * sizeof(float *)};
}

static piece piece_of(const product *job, size_t index) {
    const cut *c = &job->cut;
    size_t block = index / c->parts, part = index % c->parts;
    piece p = {.job = job,
               .first_panel = piece_edge(c->row_panels, c->blocks, block),
               .first_column = piece_edge(c->column_panels, c->parts, part)};
    p.panels = piece_edge(c->row_panels, c->blocks, block + 1) - p.first_panel;
    p.columns = piece_edge(c->column_panels, c->parts, part + 1) - p.first_column;
    return p;
}

static hl_status multiply_piece(void *argument, size_t index, hl_error *error) {
    const product *job = argument;
    const product_kernel *kernel = job->kernel;
    piece p = piece_of(job, index);
    piece_bytes bytes = bytes_of_piece(&p);
    unsigned char *memory =
        lend(&job->backend->memory, bytes.packed + bytes.gathered + bytes.sums + 2 * bytes.places);
    if (!memory) return hl_no_memory(error, "packed rows");
    unsigned char *gathered = memory + bytes.packed, *places = gathered + bytes.gathered + bytes.sums;
    p.sums = (float *)(void *)(gathered + bytes.gathered);
    p.outs = (float **)(void *)places;
    find_rows(&p, &job->out, p.outs);
    if (job->residual.at.data) {
        p.residuals = (float **)(void *)(places + bytes.places);
        find_rows(&p, &job->residual, p.residuals);
    }
    if (kernel->begin) kernel->begin();
    for (size_t first = 0; first < job->cut.chunks; first += job->cut.span) {
        multiply_span(&p, first, bytes.packed ? memory : NULL, (float *)(void *)gathered);
    }
    if (kernel->end) kernel->end();
    give_back(&job->backend->memory, memory);
    return HL_OK;
}

static hl_status multiply(product *job, hl_error *error) {
    hl_backend *backend = job->backend;
    hl_status status = HL_OK;
    if (job->rows == 0) return HL_OK;
    job->cut = cut_work(job);
    if (job->cut.shared) {
        size_t bytes = job->cut.row_panels * job->cut.chunks * row_chunk_bytes(job);
        job->packed = lend(&backend->memory, bytes);
        if (!job->packed) return hl_no_memory(error, "packed rows");
        status = hl_parallel(backend->host, job->cut.row_panels, pack_shared, job, error);
    }
    if (status == HL_OK) {
        status = hl_parallel(backend->host, job->cut.blocks * job->cut.parts, multiply_piece, job, error);
    }
    give_back(&backend->memory, job->packed);
    return status;
}

/* ---- linear ---- */

static const float *fetch_rows(const product *job, size_t row, size_t count, size_t first, size_t depth,
                               float *room, size_t *stride) {
    (void)count, (void)depth, (void)room;
    *stride = job->x.stride;
    return row_of(job->x, row) + first;
}

static place in_order(matrix at) {
    return (place){at, SIZE_MAX, 0, 0};
}

/* out (rows, out) = act(x (rows, in) W^T + bias) + residual (rows, out) */
hl_status run_linear(hl_backend *backend, const hl_linear *operation, hl_error *error) {
    product job = {.backend = backend,
                   .kernel = operation->weight->kernel,
                   .weight = operation->weight,
                   .x = view(operation->x),
                   .rows = operation->x.rows,
                   .fetch = fetch_rows,
                   .out = in_order(view(operation->out)),
                   .residual = in_order(view(operation->residual)),
                   .activation = operation->activation};
    return multiply(&job, error);
}

/* ---- patch embedding ---- */

/* Numbers [first, first + depth) of one patch (channels, patch, patch) out of an image (channels, height,
 * width) whose top left corner it has at `image`. */
static void gather_patch(const hl_patch_embedding *shape, const float *image, size_t first, size_t depth,
                         float *to) {
    size_t patch = shape->patch;
    for (size_t i = first, run; i < first + depth; i += run, to += run) {
        size_t line = i / patch, from = i % patch;
        run = smaller(patch - from, first + depth - i);
        const float *at = image + (line / patch * shape->height + line % patch) * shape->width + from;
        memcpy(to, at, run * sizeof *to);
    }
}

static const float *fetch_patches(const product *job, size_t row, size_t count, size_t first, size_t depth,
                                  float *room, size_t *stride) {
    const hl_patch_embedding *shape = job->shape;
    size_t across = shape->width / shape->patch, patches = shape->height / shape->patch * across;
    *stride = depth;
    for (size_t r = 0; r < count; ++r) {
        size_t patch = (row + r) % patches;
        const float *image = row_of(job->x, (row + r) / patches);
        gather_patch(shape, image + (patch / across * shape->width + patch % across) * shape->patch, first,
                     depth, room + r * depth);
    }
    return room;
}

/* Row i of the prefix, for every image: prefix[i] + position[i]. */
static void place_prefix(const hl_patch_embedding *operation, size_t tokens) {
    matrix prefix = view(operation->prefix), position = view(operation->position), out = view(operation->out);
    for (size_t b = 0; b < operation->batch && prefix.data; ++b) {
        for (size_t i = 0; i < prefix.rows; ++i) {
            const float *from = row_of(prefix, i), *at = row_of(position, i);
            float *to = row_of(out, b * tokens + i);
            for (size_t c = 0; c < prefix.cols; ++c) to[c] = from[c] + (at ? at[c] : 0.0f);
        }
    }
}

/* out (batch * tokens, width) */
hl_status run_patch_embedding(hl_backend *backend, const hl_patch_embedding *operation, hl_error *error) {
    size_t before = operation->prefix.tensor ? operation->prefix.rows : 0;
    size_t patches = operation->height / operation->patch * (operation->width / operation->patch);
    product job = {.backend = backend,
                   .kernel = operation->weight->kernel,
                   .weight = operation->weight,
                   .shape = operation,
                   .x = view(operation->pixels),
                   .rows = operation->batch * patches,
                   .fetch = fetch_patches,
                   .out = {view(operation->out), patches, before + patches, before},
                   .residual = {view(operation->position), patches, 0, before}};
    hl_status status = multiply(&job, error);
    if (status == HL_OK) place_prefix(operation, before + patches);
    return status;
}

/* ---- convolution ---- */

/* Numbers [first, first + depth) of what the kernel sees at one place: whole cells, some of them beyond the
 * map. `top` and `left` are where it begins, padding included. */
static void gather_cells(const hl_convolution *shape, matrix map, size_t top, size_t left, size_t first,
                         size_t depth, float *to) {
    size_t channels = shape->channels, padding = shape->padding;
    for (size_t i = first, run; i < first + depth; i += run, to += run) {
        size_t cell = i / channels, from = i % channels;
        size_t y = top + cell / shape->kernel, x = left + cell % shape->kernel;
        run = smaller(channels - from, first + depth - i);
        if (y < padding || y - padding >= shape->height || x < padding || x - padding >= shape->width) {
            memset(to, 0, run * sizeof *to);
        } else {
            memcpy(to, row_of(map, (y - padding) * shape->width + x - padding) + from, run * sizeof *to);
        }
    }
}

static size_t places_along(size_t side, const hl_convolution *shape) {
    return (side + 2 * shape->padding - shape->kernel) / shape->stride + 1;
}

static const float *fetch_cells(const product *job, size_t row, size_t count, size_t first, size_t depth,
                                float *room, size_t *stride) {
    const hl_convolution *shape = job->shape;
    size_t across = places_along(shape->width, shape), places = places_along(shape->height, shape) * across;
    *stride = depth;
    for (size_t r = 0; r < count; ++r) {
        size_t at = (row + r) % places;
        matrix map = job->x;
        map.data = row_of(job->x, (row + r) / places * shape->height * shape->width);
        gather_cells(shape, map, at / across * shape->stride, at % across * shape->stride, first, depth,
                     room + r * depth);
    }
    return room;
}

/* out (batch * out_height * out_width, out) = act(conv(x) + bias + residual) */
hl_status run_convolution(hl_backend *backend, const hl_convolution *operation, hl_error *error) {
    product job = {.backend = backend,
                   .kernel = operation->weight->kernel,
                   .weight = operation->weight,
                   .shape = operation,
                   .x = view(operation->x),
                   .rows = operation->batch * places_along(operation->height, operation) *
                           places_along(operation->width, operation),
                   .fetch = fetch_cells,
                   .out = in_order(view(operation->out)),
                   .residual = in_order(view(operation->residual)),
                   .activation = operation->activation,
                   .activation_last = true};
    if (operation->kernel == 1 && operation->stride == 1 && operation->padding == 0) job.fetch = fetch_rows;
    return multiply(&job, error);
}
