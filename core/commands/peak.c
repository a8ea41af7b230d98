/* See peak.h. Chains of multiply-adds that do not wait for each other, in registers: no memory, no cache. */
#include "core/commands/peak.h"

#include <stdatomic.h>
#include <time.h>

double peak_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* CHAINS covers latency times throughput of any x86 so far, and fits the registers of AVX2. */
enum { CHAINS = 12, STEPS = 1000000 };

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One function for a width: runs all chains STEPS times and returns something that depends on every result,
 * so that the compiler must compute them. */
#define DEFINE_CHAINS(NAME, TARGET, VECTOR, SET, FMA, FIRST)                                                 \
    __attribute__((target(TARGET))) static float NAME(void) {                                                \
        VECTOR factor = SET(0.5f), term = SET(1.0f), sums[CHAINS];                                           \
        for (int i = 0; i < CHAINS; ++i) sums[i] = SET((float)i);                                            \
        for (int step = 0; step < STEPS; ++step) {                                                           \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; ++i) sums[i] = FMA(sums[i], factor, term);  \
        }                                                                                                    \
        for (int i = 1; i < CHAINS; ++i) sums[0] = FMA(sums[i], factor, sums[0]);                            \
        return FIRST(sums[0]);                                                                               \
    }

DEFINE_CHAINS(chains_256, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_cvtss_f32)
DEFINE_CHAINS(chains_512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_cvtss_f32)

typedef struct peak_job {
    float (*chains)(void);
    atomic_uint
        finite; /* threads that came to a sensible result: all of them, which the compiler cannot know */
} peak_job;

static void run_chains(void *argument, size_t index) {
    (void)index;
    peak_job *job = argument;
    if (job->chains() < 1e30f) atomic_fetch_add(&job->finite, 1);
}

static double vector_flops(const hl_host *host, size_t lanes, float (*chains)(void)) {
    peak_job job = {.chains = chains};
    unsigned threads = host->threads(host);
    double start = peak_clock();
    host->parallel(host, threads, run_chains, &job);
    double operations = 2.0 * (double)lanes * CHAINS * (double)STEPS * atomic_load(&job.finite);
    return operations / (peak_clock() - start);
}

/* ---- tiles ---- */

enum { ARCH_REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, TILE_STEPS = 500000, TILES_AT_ONCE = 4 };

static bool has_tiles(void) {
    unsigned a, b, c, d;
    if (__get_cpuid_max(0, NULL) < 7) return false;
    __cpuid_count(7, 0, a, b, c, d);
    bool there = (d >> 22 & 1) && (d >> 24 & 1); /* AMX_BF16, AMX_TILE */
    return there && syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* With tiles that were loaded: such as are zero since they were configured cost half as much. Four sums, so
 * that none waits for the one before. For some tens of milliseconds: after that processors have been seen to
 * let tiles through at half the rate or less, which is what a model's pass gets. */
__attribute__((target("amx-tile,amx-bf16"))) static void run_tiles(void *argument, size_t index) {
    (void)argument, (void)index;
    /* Palette 1; from byte 16 on the bytes of each tile's rows, from 48 on how many rows. */
    static const struct {
        unsigned char palette, start, unused[14];
        unsigned short bytes[16];
        unsigned char rows[16];
    } shape = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _Alignas(64) unsigned short numbers[16][32];
    for (int i = 0; i < 16 * 32; ++i)
        numbers[i / 32][i % 32] = (unsigned short)(0x3f80 + i % 128); /* 1 to 2 */
    __asm__ volatile("" ::: "memory"); /* some compilers do not know what loading a tile reads */
    _tile_loadconfig(&shape);
    _tile_loadd(0, numbers, 64);
    _tile_loadd(1, numbers, 64);
    _tile_loadd(2, numbers, 64);
    _tile_loadd(3, numbers, 64);
    _tile_loadd(4, numbers, 64);
    _tile_loadd(5, numbers, 64);
    _tile_loadd(6, numbers, 64);
    _tile_loadd(7, numbers, 64);
    for (int step = 0; step < TILE_STEPS; ++step) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
}

static double tile_flops(const hl_host *host) {
    unsigned threads = host->threads(host);
    double start = peak_clock();
    host->parallel(host, threads, run_tiles, NULL);
    return 2.0 * 16 * 16 * 32 * TILES_AT_ONCE * (double)TILE_STEPS * threads / (peak_clock() - start);
}

double peak_flops(const hl_host *host, peak_kind kind) {
    bool wide = __builtin_cpu_supports("avx512f");
    bool narrow = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (kind == PEAK_FMA_512) return wide ? vector_flops(host, 16, chains_512) : 0;
    if (kind == PEAK_FMA_256) return narrow ? vector_flops(host, 8, chains_256) : 0;
    return has_tiles() ? tile_flops(host) : 0;
}

#else

double peak_flops(const hl_host *host, peak_kind kind) {
    (void)host, (void)kind;
    return 0;
}

#endif
