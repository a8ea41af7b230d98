/* Products in double precision, in panels like those of product.c, made on the way from operands of any
 * layout. A sum runs along the depth in blocks of fixed length, so it is the same however the work is cut. */
#include "native.h"

#include <string.h>

/* Blocks: the depth of panels, of which one stays in the first cache; rows and outputs that are packed at
 * once, which stay in the second. */
enum { DEPTH = 256, BLOCK_ROWS = 168, BLOCK_COLUMNS = 512 };

/* A factor: number i of line l is at[l * line + i * step], i going along the depth. */
typedef struct factor {
    const double *at;
    size_t line, step;
} factor;

typedef struct double_job {
    hl_backend *backend;
    factor a, b; /* lines of a are rows of c, those of b its columns */
    size_t rows, columns, depth, stride;
    double *c;
    size_t pieces;
} double_job;

/* Part of a factor, `width` lines at a time: packed, or where it lies. */
typedef struct panels {
    const factor *of;
    size_t first, count; /* lines */
    size_t start, depth; /* numbers of each */
    size_t width;
    bool in_place; /* all but the last panel, if that is narrower */
    double *packed;
} panels;

/* Lines that lie side by side can be multiplied as they are. That pays where few other panels read them, or
 * where they are in the first cache anyway. */
static bool best_in_place(const panels *p, size_t readers) {
    enum { FEW = 2, IN_CACHE = 4096 };
    return p->of->line == 1 && (readers <= FEW || p->of->step * p->depth <= IN_CACHE);
}

static const double *lines_at(const panels *p, size_t line) {
    return p->of->at + (p->first + line) * p->of->line + p->start * p->of->step;
}

static bool is_in_place(const panels *p, size_t line) {
    return p->in_place && p->count - line >= p->width;
}

/* The panel that begins with a line, a multiple of the width. */
static const double *panel_at(const panels *p, size_t line, size_t *step) {
    bool in_place = is_in_place(p, line);
    *step = in_place ? p->of->step : p->width;
    return in_place ? lines_at(p, line) : p->packed + line * p->depth;
}

static void pack(const double_kernel *kernel, const panels *p) {
    size_t first = p->in_place ? p->count / p->width * p->width : 0;
    if (first == p->count) return;
    kernel->pack(lines_at(p, first), p->of->line, p->of->step, p->count - first, p->depth, p->width,
                 p->packed + first * p->depth);
}

/* A part of c, and the memory of who makes it. */
typedef struct double_piece {
    const double_job *job;
    size_t first_row, rows, first_column, columns;
    double *row_panels, *column_panels, *edge;
} double_piece;

/* One micro tile of c, from row and column of the panels on; one that is narrower than the kernel's goes by
 * way of `edge`. */
static void multiply_tile(const double_piece *p, const panels *a, size_t row, const panels *b,
                          size_t column) {
    const double_kernel *kernel = p->job->backend->kernels.doubles;
    size_t stride = p->job->stride, width = kernel->columns, x_step, w_step;
    double *c = p->job->c + (a->first + row) * stride + b->first + column;
    size_t rows = smaller(kernel->rows, a->count - row), columns = smaller(width, b->count - column);
    const double *x = panel_at(a, row, &x_step), *w = panel_at(b, column, &w_step);
    bool add = a->start > 0;
    if (rows == kernel->rows && columns == width) {
        kernel->multiply(x, x_step, w, w_step, a->depth, rows, add, c, stride);
        return;
    }
    for (size_t r = 0; r < rows && add; ++r) memcpy(p->edge + r * width, c + r * stride, columns * sizeof *c);
    kernel->multiply(x, x_step, w, w_step, a->depth, rows, add, p->edge, width);
    for (size_t r = 0; r < rows; ++r) memcpy(c + r * stride, p->edge + r * width, columns * sizeof *c);
}

/* Columns [column, column + columns) of the piece. */
static void multiply_columns(const double_piece *p, size_t column, size_t columns) {
    const double_job *job = p->job;
    const double_kernel *kernel = job->backend->kernels.doubles;
    for (size_t start = 0; start < job->depth; start += DEPTH) {
        panels b = {&job->b,
                    p->first_column + column,
                    columns,
                    start,
                    smaller(DEPTH, job->depth - start),
                    kernel->columns,
                    false,
                    p->column_panels};
        b.in_place = best_in_place(&b, groups_of(p->rows, kernel->rows));
        pack(kernel, &b);
        for (size_t row = 0; row < p->rows; row += BLOCK_ROWS) {
            panels a = {
                &job->a, p->first_row + row, smaller(BLOCK_ROWS, p->rows - row), start, b.depth, kernel->rows,
                false,   p->row_panels};
            a.in_place = best_in_place(&a, groups_of(columns, kernel->columns));
            pack(kernel, &a);
            for (size_t j = 0; j < b.count; j += b.width)
                for (size_t i = 0; i < a.count; i += a.width) multiply_tile(p, &a, i, &b, j);
        }
    }
}

static size_t padded(size_t count, size_t unit) {
    return groups_of(count, unit) * unit;
}

static hl_status multiply_piece(void *argument, size_t index, hl_error *error) {
    const double_job *job = argument;
    const double_kernel *kernel = job->backend->kernels.doubles;
    double_piece p = {.job = job, .rows = job->rows, .columns = job->columns};
    size_t *first = job->rows < job->columns ? &p.first_column : &p.first_row;
    size_t *count = job->rows < job->columns ? &p.columns : &p.rows, all = *count;
    *first = piece_edge(all, job->pieces, index);
    *count = piece_edge(all, job->pieces, index + 1) - *first;
    size_t depth = smaller(DEPTH, job->depth);
    size_t row_numbers = padded(padded(smaller(BLOCK_ROWS, p.rows), kernel->rows) * depth, 8);
    size_t column_numbers = padded(smaller(BLOCK_COLUMNS, p.columns), kernel->columns) * depth;
    size_t numbers = row_numbers + column_numbers + kernel->rows * kernel->columns;
    p.row_panels = lend(&job->backend->memory, numbers * sizeof(double));
    if (!p.row_panels) return hl_no_memory(error, "a product in double precision");
    p.column_panels = p.row_panels + row_numbers;
    p.edge = p.column_panels + column_numbers;
    for (size_t column = 0; column < p.columns; column += BLOCK_COLUMNS) {
        multiply_columns(&p, column, smaller(BLOCK_COLUMNS, p.columns - column));
    }
    give_back(&job->backend->memory, p.row_panels);
    return HL_OK;
}

static factor factor_of(const double *at, size_t stride, bool lines_are_rows) {
    return lines_are_rows ? (factor){at, stride, 1} : (factor){at, 1, stride};
}

/* c (m, n) = op(a) (m, k) op(b) (k, n) */
hl_status run_product_f64(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                          size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                          size_t ldc, hl_error *error) {
    double_job job = {.backend = backend,
                      .a = factor_of(a, lda, !transpose_a),
                      .b = factor_of(b, ldb, transpose_b),
                      .rows = m,
                      .columns = n,
                      .depth = k,
                      .stride = ldc,
                      .c = c};
    for (size_t r = 0; r < m && k == 0; ++r) memset(c + r * ldc, 0, n * sizeof *c);
    size_t longer = m < n ? n : m, other = m < n ? m : n;
    job.pieces = pieces_of(backend, longer, other * k);
    return k > 0 ? hl_parallel(backend->host, job.pieces, multiply_piece, &job, error) : HL_OK;
}
