/* Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, Matrix
 * Computations, 4th edition, section 8.5): rotate each pair of rows and columns so that their common element
 * becomes zero, until all are. */
#include "operations.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Convergence is quadratic: matrices of any size in practice need about ten. */
enum { SWEEPS = 60 };

/* (x, y) (count) = (c x - s y, s x + c y) */
static void rotate(double *restrict x, double *restrict y, size_t count, double c, double s) {
    for (size_t i = 0; i < count; ++i) {
        double left = x[i], right = y[i];
        x[i] = c * left - s * right;
        y[i] = s * left + c * right;
    }
}

/* Zeroes a[p][q] of a (n, n); the rows of v (n, n) follow. */
static void annihilate(size_t n, double *a, double *v, size_t p, size_t q) {
    double app = a[p * n + p], aqq = a[q * n + q], apq = a[p * n + q];
    double theta = (aqq - app) / (2 * apq);
    double t = copysign(1.0, theta) / (fabs(theta) + hypot(theta, 1.0));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    rotate(a + p * n, a + q * n, n, c, s);
    for (size_t i = 0; i < n; ++i) {
        a[i * n + p] = a[p * n + i];
        a[i * n + q] = a[q * n + i];
    }
    a[p * n + p] = app - t * apq;
    a[q * n + q] = aqq + t * apq;
    a[p * n + q] = a[q * n + p] = 0;
    rotate(v + p * n, v + q * n, n, c, s);
}

/* Rotates every pair once; false when nothing was left to do. */
static bool sweep(size_t n, double *a, double *v, double negligible) {
    bool rotated = false;
    for (size_t p = 0; p < n; ++p)
        for (size_t q = p + 1; q < n; ++q) {
            if (fabs(a[p * n + q]) <= negligible) continue;
            annihilate(n, a, v, p, q);
            rotated = true;
        }
    return rotated;
}

/* Makes the first of the largest components positive. Those that differ by rounding alone count as equal. */
static void orient(double *vector, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; ++i) largest = fmax(largest, fabs(vector[i]));
    size_t first = 0;
    while (first + 1 < n && fabs(vector[first]) < largest * (1 - 1e-10)) ++first;
    if (vector[first] >= 0) return;
    for (size_t i = 0; i < n; ++i) vector[i] = -vector[i];
}

/* Moves the rows of v to a, smallest eigenvalue first; a's diagonal holds the eigenvalues before. */
static void sort(size_t n, double *a, double *v, double *eigenvalues) {
    for (size_t i = 0; i < n; ++i) eigenvalues[i] = a[i * n + i];
    for (size_t i = 0; i < n; ++i) {
        size_t least = i;
        for (size_t j = i + 1; j < n; ++j) {
            if (eigenvalues[j] < eigenvalues[least]) least = j;
        }
        double value = eigenvalues[least];
        eigenvalues[least] = eigenvalues[i];
        eigenvalues[i] = value;
        memcpy(a + i * n, v + least * n, n * sizeof *v);
        memcpy(v + least * n, v + i * n, n * sizeof *v);
        orient(a + i * n, n);
    }
}

/* a (n, n) -> eigenvectors in rows, eigenvalues (n) */
hl_status symmetric_eigen_f64(const hl_host *host, size_t n, double *a, double *eigenvalues,
                              hl_error *error) {
    double *v = host->allocate(host, n * n, sizeof *v), norm = 0;
    if (!v) return hl_no_memory(error, "eigenvectors");
    for (size_t i = 0; i < n; ++i) v[i * n + i] = 1;
    for (size_t i = 0; i < n * n; ++i) norm = hypot(norm, a[i]);
    bool done = false;
    for (size_t i = 0; isfinite(norm) && !done && i < SWEEPS; ++i) {
        done = !sweep(n, a, v, norm * DBL_EPSILON / (double)n);
    }
    if (done) sort(n, a, v, eigenvalues);
    host->release(host, v);
    return done ? HL_OK
                : hl_fail(error, HL_FAILED,
                          "eigenvalues of a %zu x %zu matrix: no convergence in %d sweeps; does the matrix "
                          "hold infinite or undefined numbers?",
                          n, n, SWEEPS);
}
