/* See kernels.h. The loops are written once, without instructions of any processor, and compiled for several;
 * only those over f16 have an instruction of their own. */
#include "core/atlas/kernels.h"

#include "core/io/convert.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float quad_f32 __attribute__((vector_size(4 * sizeof(float))));
typedef float octet_f32 __attribute__((vector_size(8 * sizeof(float))));
typedef double quad __attribute__((vector_size(4 * sizeof(double))));

/* Eight partial sums, in two so that neither waits for the other. */
typedef struct sums {
    quad low, high;
} sums;

INLINE double total(const sums *of) {
    quad both = of->low + of->high;
    return (both[0] + both[1]) + (both[2] + both[3]);
}

INLINE void load_f32(const float *from, sums *out) {
    quad_f32 low, high;
    memcpy(&low, from, sizeof low);
    memcpy(&high, from + 4, sizeof high);
    out->low = __builtin_convertvector(low, quad);
    out->high = __builtin_convertvector(high, quad);
}

INLINE void add_dots_of_f32(const void *codes, size_t rows, size_t width, const float *q, double *out) {
    const float *y = codes;
    size_t whole = width - width % KERNEL_LANES;
    for (size_t r = 0; r < rows; ++r, y += width) {
        sums row = {{0}, {0}}, a, b;
        for (size_t k = 0; k < whole; k += KERNEL_LANES) {
            load_f32(y + k, &a);
            load_f32(q + k, &b);
            row.low += a.low * b.low;
            row.high += a.high * b.high;
        }
        out[r] += total(&row);
        for (size_t k = whole; k < width; ++k) out[r] += (double)y[k] * (double)q[k];
    }
}

/* The dots of one row with up to so many queries, which use what is loaded of the row. */
enum { QUERIES_AT_ONCE = 4 };

/* In halves: what a processor can do with a vector, and C says of no more than its elements. */
INLINE float sum_of(const octet_f32 *lanes) {
    const octet_f32 of = *lanes;
    quad_f32 low = {of[0], of[1], of[2], of[3]}, high = {of[4], of[5], of[6], of[7]}, four = low + high;
    quad_f32 swapped = {four[2], four[3], four[0], four[1]}, two = four + swapped;
    return two[0] + two[1];
}

INLINE void dots_of_row(const float *row, size_t width, const float *queries, size_t between, size_t number,
                        double *out) {
    octet_f32 lanes[QUERIES_AT_ONCE] = {{0}};
    size_t whole = width - width % KERNEL_LANES;
    for (size_t k = 0; k < whole; k += KERNEL_LANES) {
        octet_f32 y, q;
        memcpy(&y, row + k, sizeof y);
        for (size_t i = 0; i < number; ++i) {
            memcpy(&q, queries + i * between + k, sizeof q);
            lanes[i] += y * q;
        }
    }
    for (size_t i = 0; i < number; ++i) {
        out[i] = (double)sum_of(&lanes[i]);
        for (size_t k = whole; k < width; ++k) out[i] += (double)row[k] * (double)queries[i * between + k];
    }
}

INLINE void add_row_of(const asked_rows *of, size_t r, size_t first, size_t now) {
    const float *row = of->rows + r * of->stride;
    for (size_t c = 0; c < of->asked_count; ++c, row += of->width) {
        const asked_columns *asked = &of->asked[c];
        double factor = (double)asked->factors[r] * asked->scale, dots[QUERIES_AT_ONCE];
        dots_of_row(row, of->width, asked->queries + first * of->between, of->between, now, dots);
        for (size_t i = 0; i < now; ++i) {
            asked->out[(first + i) * of->count + r] += factor * dots[i] + asked->each[first + i];
        }
    }
}

INLINE void add_asked_of(const asked_rows *of) {
    for (size_t first = 0; first < of->number; first += QUERIES_AT_ONCE) {
        size_t now = of->number - first;
        for (size_t r = 0; r < of->count; ++r) {
            if (now < QUERIES_AT_ONCE) {
                add_row_of(of, r, first, now);
            } else {
                add_row_of(of, r, first, QUERIES_AT_ONCE); /* known beforehand: all sums in registers */
            }
        }
    }
}

INLINE void dots_of(const double *y, size_t rows, size_t width, const double *q, double *out) {
    for (size_t r = 0; r < rows; ++r, y += width) {
        sums row = {{0}, {0}}, a, b;
        for (size_t k = 0; k < width; k += KERNEL_LANES) {
            memcpy(&a, y + k, sizeof a);
            memcpy(&b, q + k, sizeof b);
            row.low += a.low * b.low;
            row.high += a.high * b.high;
        }
        out[r] = total(&row);
    }
}

INLINE void widen_row(const float *from, size_t count, double *out) {
    for (size_t k = 0; k < count; ++k) out[k] = (double)from[k];
}

INLINE void widen_of_f32(const void *codes, size_t rows, size_t width, double *out, size_t stride) {
    const float *from = codes;
    for (size_t r = 0; r < rows; ++r) widen_row(from + r * width, width, out + r * stride);
}

/* Four rows of the matrix at a time, used for all rows of y while they are near. */
INLINE void product_of(const double *y, size_t rows, size_t width, const double *matrix, size_t columns,
                       double *out) {
    memset(out, 0, rows * columns * sizeof *out);
    for (size_t k = 0; k < width; k += 4) {
        const double *a = matrix + k * columns, *b = a + columns, *c = b + columns, *d = c + columns;
        for (size_t r = 0; r < rows; ++r) {
            const double *factors = y + r * width + k;
            double *restrict to = out + r * columns;
            for (size_t j = 0; j < columns; ++j) {
                to[j] = (((to[j] + factors[0] * a[j]) + factors[1] * b[j]) + factors[2] * c[j]) +
                        factors[3] * d[j];
            }
        }
    }
}

#define COMPILE_FOR(NAME, TARGET)                                                                            \
    TARGET static void add_dots_f32_##NAME(const void *codes, size_t rows, size_t width, const float *q,     \
                                           double *out) {                                                    \
        add_dots_of_f32(codes, rows, width, q, out);                                                         \
    }                                                                                                        \
    TARGET static void add_asked_##NAME(const asked_rows *of) {                                              \
        add_asked_of(of);                                                                                    \
    }                                                                                                        \
    TARGET static void widen_f32_##NAME(const void *codes, size_t rows, size_t width, double *out,           \
                                        size_t stride) {                                                     \
        widen_of_f32(codes, rows, width, out, stride);                                                       \
    }                                                                                                        \
    TARGET static void dots_##NAME(const double *y, size_t rows, size_t width, const double *q,              \
                                   double *out) {                                                            \
        dots_of(y, rows, width, q, out);                                                                     \
    }                                                                                                        \
    TARGET static void product_##NAME(const double *y, size_t rows, size_t width, const double *matrix,      \
                                      size_t columns, double *out) {                                         \
        product_of(y, rows, width, matrix, columns, out);                                                    \
    }

#define TABLE_OF(NAME)                                                                                       \
    {                                                                                                        \
        add_dots_f16_##NAME, add_dots_f32_##NAME, add_asked_##NAME, widen_f16_##NAME, widen_f32_##NAME,      \
            dots_##NAME, product_##NAME                                                                      \
    }

/* ---- for any processor ---- */

static void add_dots_f16_portable(const void *codes, size_t rows, size_t width, const float *q, double *out) {
    const uint8_t *from = codes;
    for (size_t r = 0; r < rows; ++r) {
        float row[KERNEL_LANES] = {0}, eight[KERNEL_LANES];
        for (size_t k = 0, count; k < width; k += count, from += count * 2) {
            count = width - k < KERNEL_LANES ? width - k : KERNEL_LANES;
            convert_f16(from, count, eight);
            for (size_t lane = 0; lane < count; ++lane) row[lane] += eight[lane] * q[k + lane];
        }
        sums lanes;
        load_f32(row, &lanes);
        out[r] += total(&lanes);
    }
}

static void widen_f16_portable(const void *codes, size_t rows, size_t width, double *out, size_t stride) {
    const uint8_t *from = codes;
    float some[64];
    for (size_t r = 0; r < rows; ++r) {
        for (size_t k = 0, count; k < width; k += count, from += count * 2) {
            count = width - k < 64 ? width - k : 64;
            convert_f16(from, count, some);
            widen_row(some, count, out + r * stride + k);
        }
    }
}

COMPILE_FOR(portable, )

const kernels kernels_portable = TABLE_OF(portable);

/* ---- for x86 with AVX2 ---- */

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <stdbool.h>

#define AVX2 __attribute__((target("avx2,f16c")))

/* Eight numbers, or the first `count` of them and zeros. */
AVX2 INLINE __m256 load_f16(const uint16_t *from, size_t count) {
    uint16_t some[KERNEL_LANES] = {0};
    if (count < KERNEL_LANES) from = memcpy(some, from, count * sizeof *some);
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)from));
}

AVX2 INLINE __m256 load_some_f32(const float *from, size_t count) {
    float some[KERNEL_LANES] = {0};
    if (count < KERNEL_LANES) from = memcpy(some, from, count * sizeof *some);
    return _mm256_loadu_ps(from);
}

AVX2 static void add_dots_f16_avx2(const void *codes, size_t rows, size_t width, const float *q,
                                   double *out) {
    const uint16_t *y = codes;
    size_t whole = width - width % KERNEL_LANES, rest = width - whole;
    __m256 last = load_some_f32(q + whole, rest);
    for (size_t r = 0; r < rows; ++r, y += width) {
        __m256 row = _mm256_setzero_ps();
        for (size_t k = 0; k < whole; k += KERNEL_LANES) {
            __m256 product = _mm256_mul_ps(load_f16(y + k, KERNEL_LANES), _mm256_loadu_ps(q + k));
            row = _mm256_add_ps(row, product);
        }
        if (rest > 0) row = _mm256_add_ps(row, _mm256_mul_ps(load_f16(y + whole, rest), last));
        float lanes[KERNEL_LANES];
        sums eight;
        _mm256_storeu_ps(lanes, row);
        load_f32(lanes, &eight);
        out[r] += total(&eight);
    }
}

AVX2 static void widen_f16_avx2(const void *codes, size_t rows, size_t width, double *out, size_t stride) {
    const uint16_t *from = codes;
    for (size_t r = 0; r < rows; ++r, from += width) {
        for (size_t k = 0, count; k < width; k += count) {
            float some[KERNEL_LANES];
            count = width - k < KERNEL_LANES ? width - k : KERNEL_LANES;
            _mm256_storeu_ps(some, load_f16(from + k, count));
            widen_row(some, count, out + r * stride + k);
        }
    }
}

COMPILE_FOR(avx2, AVX2)

static bool has_avx2_and_f16c(void) {
    unsigned a, b, c = 0, d;
    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* Asked once: in a virtual machine the question takes as long as some thousands of products. */
const kernels *kernels_best(void) {
    static const kernels avx2 = TABLE_OF(avx2);
    static const kernels *_Atomic chosen;
    const kernels *best = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (best) return best;
    best = has_avx2_and_f16c() ? &avx2 : &kernels_portable;
    atomic_store_explicit(&chosen, best, memory_order_relaxed);
    return best;
}
#else
const kernels *kernels_best(void) {
    return &kernels_portable;
}
#endif
