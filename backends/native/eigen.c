/* Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections make it tridiagonal (Golub and
 * Van Loan, Matrix Computations, 4th edition, section 8.3.1), implicit QR steps with Wilkinson's shift make
 * that diagonal (same, section 8.3.5).
 *
 * What the reflections and rotations do to vectors is done to rows, which are cut into pieces that nothing of
 * the others enters: the same bytes with any number of threads. No sum is reordered by the compiler, so every
 * vector width makes the same bytes too. */
#include "native.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define INLINED __attribute__((always_inline)) static inline

enum { LANES = 8 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), may_alias));

/* Two rows: (x, y) becomes (c x + s y, c y - s x). */
typedef struct rotation {
    double c, s;
} rotation;

/* A step of the iteration: rotations of rows first and first + 1, then of first + 1 and first + 2, and so on.
 */
typedef struct sweep {
    size_t first, count;
} sweep;

/* Rows are `stride` numbers apart, of which those from n on are zero. */
typedef struct eigen {
    hl_backend *backend;
    size_t n, stride;
    double *matrix;  /* its rows become the reflections' vectors */
    double *vectors; /* the eigenvectors, in rows */
    double *diagonal, *beside;
    double *factors, *image, *update; /* f, A v and w, see tridiagonalise */
    rotation *rotations;              /* that the vectors have not seen yet */
    sweep *sweeps;                    /* these rotations' steps */
    size_t rotation_count, most_rotations, sweep_count;
    size_t step;   /* of tridiagonalise */
    size_t pieces; /* for threads */
} eigen;

/* Eight numbers of a row, from a multiple of eight on. */
#define AT(ROW) (*(lanes *)(void *)(ROW))

INLINED double sum_of(const lanes *all) {
    const lanes x = *all;
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

static double *row_at(const eigen *self, double *of, size_t row) {
    return of + row * self->stride;
}

/* The first number of a row that code for whole vectors has to begin with, to see all from `index` on. */
static size_t aligned(size_t index) {
    return index / LANES * LANES;
}

/* ---- to tridiagonal form ---- */

VECTORISED static double multiply_rows(double *a, double *b, size_t from, size_t end) {
    lanes sum = {0};
    for (size_t j = from; j < end; j += LANES) sum += AT(a + j) * AT(b + j);
    return sum_of(&sum);
}

/* Rows [first, last) lose v w' + w v'; image gets their products with `next`. */
VECTORISED static void update_rows(double *rows, size_t stride, size_t first, size_t last, size_t from,
                                   double *v, double *w, double *next, double *image) {
    for (size_t i = first; i < last; ++i) {
        double *row = rows + i * stride, of_w = v[i], of_v = w[i];
        lanes sum = {0};
        for (size_t j = from; j < stride; j += LANES) {
            lanes x = AT(row + j) - (of_w * AT(w + j) + of_v * AT(v + j));
            AT(row + j) = x;
            sum += x * AT(next + j);
        }
        image[i] = sum_of(&sum);
    }
}

/* What the reflection before step k still has to take off; zeros before the first. */
static double *reflector_before(const eigen *self, size_t k) {
    return k > 0 ? row_at(self, self->matrix, k - 1) : self->update;
}

static void update_piece(void *argument, size_t index) {
    const eigen *self = argument;
    size_t k = self->step, rows = self->n - k - 1;
    update_rows(self->matrix, self->stride, k + 1 + piece_edge(rows, self->pieces, index),
                k + 1 + piece_edge(rows, self->pieces, index + 1), aligned(k), reflector_before(self, k),
                self->update, row_at(self, self->matrix, k), self->image);
}

/* Row k, right of the diagonal, becomes the vector v of a reflection 1 - f v v' that leaves one number of it.
 */
static void make_reflector(eigen *self, size_t k) {
    double *row = row_at(self, self->matrix, k), *next = row + k + 1, first = *next;
    memset(row, 0, (k + 2) * sizeof *row);
    double rest = multiply_rows(row, row, aligned(k + 1), self->stride);
    self->beside[k] = first;
    self->factors[k] = 0;
    if (rest < DBL_MIN / DBL_EPSILON) { /* nothing, beside a largest number of about 1 */
        memset(row, 0, self->stride * sizeof *row);
        return;
    }
    double length = copysign(sqrt(first * first + rest), first);
    *next = first + length;
    self->beside[k] = -length;
    self->factors[k] = 1 / (length * (first + length));
}

/* w = f A v - f^2 / 2 (v' A v) v, zero up to row k */
static void make_update(eigen *self, size_t k) {
    double *v = row_at(self, self->matrix, k);
    double factor = self->factors[k], *image = self->image;
    memset(image, 0, (k + 1) * sizeof *image);
    double share = factor * factor / 2 * multiply_rows(image, v, aligned(k + 1), self->stride);
    for (size_t i = 0; i < self->n; ++i) self->update[i] = factor * image[i] - share * v[i];
}

/* A reflection makes A - v w' - w v' of the matrix A. That is taken off in the next step, in which each row
 * is read anyway for its product with the next v. */
static void tridiagonalise(eigen *self) {
    const hl_host *host = self->backend->host;
    for (size_t k = 0; k < self->n; ++k) {
        double *row = row_at(self, self->matrix, k);
        update_rows(self->matrix, self->stride, k, k + 1, aligned(k), reflector_before(self, k), self->update,
                    row, self->image);
        self->diagonal[k] = row[k];
        if (k + 1 == self->n) break;
        make_reflector(self, k);
        self->step = k;
        self->pieces = pieces_of(self->backend, self->n - k - 1, self->n - k);
        host->parallel(host, self->pieces, update_piece, self);
        make_update(self, k);
    }
}

/* ---- the vectors of the tridiagonal form ---- */

enum { TOGETHER = 4 }; /* rows that read a reflection's vector once */

/* Each of four rows x becomes x - f (x v) v. */
VECTORISED static void reflect_rows(double *rows, size_t stride, size_t from, double factor,
                                    const double *v) {
    lanes sums[TOGETHER] = {{0}};
    for (size_t j = from; j < stride; j += LANES) {
        lanes x = AT(v + j);
        for (size_t r = 0; r < TOGETHER; ++r) sums[r] += AT(rows + r * stride + j) * x;
    }
    double shares[TOGETHER];
    for (size_t r = 0; r < TOGETHER; ++r) shares[r] = factor * sum_of(&sums[r]);
    for (size_t j = from; j < stride; j += LANES) {
        lanes x = AT(v + j);
        for (size_t r = 0; r < TOGETHER; ++r) {
            double *row = rows + r * stride + j;
            AT(row) = AT(row) - shares[r] * x;
        }
    }
}

/* Row i of the product of all reflections, the last on the left, is row i of 1 times the last, times the one
 * before it, and so on: those that begin below it leave it as it is. */
static void reflect_block(const eigen *self, size_t first) {
    size_t last = smaller(first + TOGETHER, self->n);
    double *rows = row_at(self, self->vectors, first);
    memset(rows, 0, TOGETHER * self->stride * sizeof *rows);
    for (size_t i = first; i < last; ++i) row_at(self, self->vectors, i)[i] = 1;
    for (size_t k = last - 1; k-- > 0;) {
        if (self->factors[k] == 0) continue;
        reflect_rows(rows, self->stride, aligned(k + 1), self->factors[k], row_at(self, self->matrix, k));
    }
}

static void reflect_piece(void *argument, size_t index) {
    const eigen *self = argument;
    size_t blocks = groups_of(self->n, TOGETHER), end = piece_edge(blocks, self->pieces, index + 1);
    for (size_t i = piece_edge(blocks, self->pieces, index); i < end; ++i) reflect_block(self, i * TOGETHER);
}

static void make_vectors(eigen *self) {
    const hl_host *host = self->backend->host;
    self->pieces = pieces_of(self->backend, groups_of(self->n, TOGETHER), TOGETHER * self->n * self->n);
    host->parallel(host, self->pieces, reflect_piece, self);
}

/* ---- to diagonal form ---- */

enum { WIDE = 4 }; /* vectors of columns that stay in a cache through all sweeps */

INLINED void rotate_columns(double *rows, size_t stride, size_t vectors, const rotation *rotations,
                            size_t count) {
    lanes x[WIDE];
    for (size_t v = 0; v < vectors; ++v) x[v] = AT(rows + v * LANES);
    for (size_t i = 0; i < count; ++i, rows += stride) {
        double c = rotations[i].c, s = rotations[i].s;
        for (size_t v = 0; v < vectors; ++v) {
            lanes y = AT(rows + stride + v * LANES);
            AT(rows + v * LANES) = c * x[v] + s * y;
            x[v] = c * y - s * x[v];
        }
    }
    for (size_t v = 0; v < vectors; ++v) AT(rows + v * LANES) = x[v];
}

VECTORISED static void rotate_four(double *rows, size_t stride, const rotation *rotations, size_t count) {
    rotate_columns(rows, stride, WIDE, rotations, count);
}

VECTORISED static void rotate_one(double *rows, size_t stride, const rotation *rotations, size_t count) {
    rotate_columns(rows, stride, 1, rotations, count);
}

static void rotate_block(const eigen *self, size_t column) {
    size_t vectors = smaller(WIDE, (self->stride - column) / LANES);
    const rotation *rotations = self->rotations;
    for (size_t i = 0; i < self->sweep_count; ++i) {
        const sweep *one = &self->sweeps[i];
        double *rows = row_at(self, self->vectors, one->first) + column;
        if (vectors == WIDE) rotate_four(rows, self->stride, rotations, one->count);
        for (size_t v = 0; vectors < WIDE && v < vectors; ++v) {
            rotate_one(rows + v * LANES, self->stride, rotations, one->count);
        }
        rotations += one->count;
    }
}

static void rotate_piece(void *argument, size_t index) {
    const eigen *self = argument;
    size_t blocks = groups_of(self->stride, WIDE * LANES), end = piece_edge(blocks, self->pieces, index + 1);
    for (size_t i = piece_edge(blocks, self->pieces, index); i < end; ++i)
        rotate_block(self, i * WIDE * LANES);
}

/* Has the vectors see the rotations that are waiting. */
static void rotate_vectors(eigen *self) {
    const hl_host *host = self->backend->host;
    self->pieces =
        pieces_of(self->backend, groups_of(self->stride, WIDE * LANES), WIDE * LANES * self->rotation_count);
    host->parallel(host, self->pieces, rotate_piece, self);
    self->sweep_count = self->rotation_count = 0;
}

static bool is_apart(const eigen *self, size_t i) {
    double size = fabs(self->diagonal[i]) + fabs(self->diagonal[i + 1]);
    return fabs(self->beside[i]) <= DBL_EPSILON / 2 * size + DBL_MIN / DBL_EPSILON;
}

/* The eigenvalue of the last two rows that is nearer to the last number. */
static double shift_of(const eigen *self, size_t last) {
    double below = self->diagonal[last], half = (self->diagonal[last - 1] - below) / 2,
           b = self->beside[last - 1];
    return below - b * b / (half + copysign(sqrt(half * half + b * b), half));
}

/* One step on rows [first, last]. */
static void step(eigen *self, size_t first, size_t last) {
    double *d = self->diagonal, *e = self->beside;
    double x = d[first] - shift_of(self, last), beyond = e[first];
    rotation *out = self->rotations + self->rotation_count;
    self->sweeps[self->sweep_count++] = (sweep){first, last - first};
    self->rotation_count += last - first;
    for (size_t k = first; k < last; ++k, ++out) {
        double length = sqrt(x * x + beyond * beyond), c = 1, s = 0;
        if (length > 0) {
            c = x / length;
            s = beyond / length;
        }
        if (k > first) e[k - 1] = length;
        double change = s * (s * (d[k + 1] - d[k]) + 2 * c * e[k]);
        x = (c - s) * (c + s) * e[k] + c * s * (d[k + 1] - d[k]);
        d[k] += change;
        d[k + 1] -= change;
        e[k] = x;
        if (k + 1 < last) {
            beyond = s * e[k + 1];
            e[k + 1] *= c;
        }
        *out = (rotation){c, s};
    }
}

/* False: no convergence. */
static bool diagonalise(eigen *self) {
    size_t steps = 0, most = 60 * self->n;
    for (size_t last = self->n - 1; last > 0;) {
        size_t first = last;
        while (first > 0 && !is_apart(self, first - 1)) --first;
        if (first == last) {
            --last;
            continue;
        }
        if (++steps > most) return false;
        if (self->rotation_count + (last - first) > self->most_rotations) rotate_vectors(self);
        step(self, first, last);
    }
    rotate_vectors(self);
    return true;
}

/* ---- all of it ---- */

/* Makes the first of the largest components positive. Those that differ by rounding alone count as equal. */
static void orient(double *vector, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; ++i) largest = fmax(largest, fabs(vector[i]));
    size_t first = 0;
    while (first + 1 < n && fabs(vector[first]) < largest * (1 - 1e-10)) ++first;
    if (vector[first] >= 0) return;
    for (size_t i = 0; i < n; ++i) vector[i] = -vector[i];
}

static void sort(eigen *self, double scale, double *a, double *eigenvalues) {
    double *values = self->diagonal;
    for (size_t i = 0; i < self->n; ++i) {
        size_t least = 0; /* of those that are left */
        for (size_t j = 1; j < self->n; ++j) {
            if (values[j] < values[least]) least = j;
        }
        eigenvalues[i] = values[least] * scale;
        values[least] = INFINITY;
        memcpy(a + i * self->n, row_at(self, self->vectors, least), self->n * sizeof *a);
        orient(a + i * self->n, self->n);
    }
}

/* The power of two that brings the largest number to about 1; 0 where one of them is infinite or none. */
static double scale_of(const double *a, size_t count) {
    double largest = 0, sum = 0;
    for (size_t i = 0; i < count; ++i) {
        largest = fmax(largest, fabs(a[i]));
        sum += a[i] * 0;
    }
    if (sum != 0) return 0;
    if (largest == 0) return 1;
    int power;
    frexp(largest, &power);
    return ldexp(1, power < -1000 ? 1000 : -power);
}

/* As LAPACK would, from one half. */
static void copy_in(eigen *self, double scale, const double *a) {
    for (size_t i = 0; i < self->n; ++i) {
        for (size_t j = i; j < self->n; ++j) {
            double number = a[i * self->n + j] * scale;
            row_at(self, self->matrix, i)[j] = row_at(self, self->matrix, j)[i] = number;
        }
        memset(row_at(self, self->matrix, i) + self->n, 0, (self->stride - self->n) * sizeof *a);
    }
}

static bool open_room(eigen *self) {
    enum { WAITING = 1 << 14 }; /* rotations, at least; as many as stay in a cache */
    size_t n = self->n, stride = self->stride, rows = groups_of(n, TOGETHER) * TOGETHER;
    self->most_rotations = n < WAITING ? WAITING : n;
    size_t numbers = (n + rows + 5) * stride + 2 * self->most_rotations;
    double *at =
        lend(&self->backend->memory, numbers * sizeof *at + self->most_rotations * sizeof *self->sweeps);
    if (!at) return false;
    self->matrix = at, at += n * stride;
    self->vectors = at, at += rows * stride;
    self->diagonal = at, at += stride;
    self->beside = at, at += stride;
    self->factors = at, at += stride;
    self->image = at, at += stride;
    self->update = at, at += stride;
    memset(self->image, 0, 2 * stride * sizeof *at);
    self->rotations = (rotation *)(void *)at, at += 2 * self->most_rotations;
    self->sweeps = (sweep *)(void *)at;
    return true;
}

/* Rows of whole vectors, and no power of two from row to row: those would share a few places in the caches.
 */
static size_t stride_for(size_t n) {
    size_t stride = groups_of(n, LANES) * LANES;
    return stride % (8 * LANES) == 0 ? stride + LANES : stride;
}

/* a (n, n) -> eigenvectors in rows, eigenvalues (n) */
hl_status run_symmetric_eigen_f64(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                  hl_error *error) {
    if (n == 0) return HL_OK;
    eigen self = {.backend = backend, .n = n, .stride = stride_for(n)};
    double scale = scale_of(a, n * n);
    if (!open_room(&self)) return hl_no_memory(error, "eigenvectors");
    bool done = scale > 0;
    if (done) {
        copy_in(&self, scale, a);
        tridiagonalise(&self);
        make_vectors(&self);
        done = diagonalise(&self);
    }
    if (done) sort(&self, 1 / scale, a, eigenvalues);
    give_back(&backend->memory, self.matrix);
    return done ? HL_OK
                : hl_fail(error, HL_FAILED,
                          "eigenvalues of a %zu x %zu matrix: the iteration does not converge; does the "
                          "matrix hold "
                          "infinite or undefined numbers?",
                          n, n);
}
