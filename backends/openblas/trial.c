/* See trial.h. */
#include "trial.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* So large that even the fewest rows are none of OpenBLAS's small matrices, for which it has other code, and
 * that a sum is formed in several parts. The columns are tiles of every width. */
enum { COLUMNS = 63, INNER = 641, FEWEST = BLAS_SMALL / (COLUMNS * INNER) + 1, LARGEST_UNIT = 48 };
enum { ROWS = FEWEST + LARGEST_UNIT };

typedef struct operands {
    float x[ROWS * INNER], w[INNER * COLUMNS], out[ROWS * COLUMNS];
} operands;

/* Between -1 and 1, without a pattern. */
static float number(size_t i) {
    return (float)((uint32_t)i * 2654435761u >> 16) / 32768.0f - 1.0f;
}

static void multiply(const blas_functions *blas, operands *o, size_t rows) {
    memset(o->out, 0, sizeof o->out);
    int before = blas_begin(blas);
    blas->sgemm(BLAS_ROW_MAJOR, BLAS_AS_IS, BLAS_AS_IS, (int)rows, COLUMNS, INNER, 1.0f, o->x, INNER, o->w,
                COLUMNS, 1.0f, o->out, COLUMNS);
    blas_end(blas, before);
}

static bool row_is_right(const operands *o, size_t row) {
    for (size_t c = 0; c < COLUMNS; ++c) {
        double sum = 0;
        for (size_t i = 0; i < INNER; ++i) {
            sum += (double)o->x[row * INNER + i] * (double)o->w[i * COLUMNS + c];
        }
        if (!(fabs(sum - (double)o->out[row * COLUMNS + c]) < 1e-3)) return false;
    }
    return true;
}

/* Some rows of each tile that there may be, and the last. */
static bool is_right(const blas_functions *blas, operands *o) {
    for (size_t i = 0; i < ROWS * INNER; ++i) o->x[i] = number(i);
    for (size_t i = 0; i < INNER * COLUMNS; ++i) o->w[i] = number(i + 77);
    multiply(blas, o, ROWS);
    for (size_t row = 0; row < ROWS; row += 5) {
        if (!row_is_right(o, row)) return false;
    }
    return row_is_right(o, ROWS - 1);
}

/* All rows of x are equal, so those of the result should be. */
static bool is_uniform(const blas_functions *blas, operands *o, size_t rows, const float *expected) {
    multiply(blas, o, rows);
    for (size_t row = 0; row < rows; ++row) {
        if (memcmp(o->out + row * COLUMNS, expected, COLUMNS * sizeof *expected) != 0) return false;
    }
    return true;
}

static size_t find_unit(const blas_functions *blas, operands *o) {
    static const size_t units[] = {1, 2, 4, 6, 8, 12, 16, 24, LARGEST_UNIT};
    bool uniform[ROWS];
    float expected[COLUMNS];
    for (size_t row = 1; row < ROWS; ++row) memcpy(o->x + row * INNER, o->x, INNER * sizeof *o->x);
    multiply(blas, o, LARGEST_UNIT); /* a multiple of them all */
    memcpy(expected, o->out, sizeof expected);
    for (size_t rows = FEWEST; rows < ROWS; ++rows) uniform[rows] = is_uniform(blas, o, rows, expected);
    for (size_t i = 0; i < sizeof units / sizeof *units; ++i) {
        bool does = true;
        for (size_t rows = FEWEST; rows < ROWS; ++rows)
            does = does && (uniform[rows] || rows % units[i] != 0);
        if (does) return units[i];
    }
    return 0;
}

hl_status trial_run(const blas_functions *blas, size_t *row_unit, hl_error *error) {
    operands *o = malloc(sizeof *o);
    if (!o) return hl_no_memory(error, "the trial of OpenBLAS's kernel");
    bool right = is_right(blas, o);
    if (right) *row_unit = find_unit(blas, o);
    free(o);
    if (right) return HL_OK;
    return hl_fail(
        error, HL_FAILED,
        "OpenBLAS's kernel %s computes wrong numbers on this machine; install another version, name "
        "its file in HEADLIGHT_OPENBLAS, or choose the backend reference",
        blas->core_name());
}
