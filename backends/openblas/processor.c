/* See processor.h. */
#include "processor.h"

#include <stdbool.h>
#include <strings.h>

#if defined __x86_64__

/* The compiler's own check asks the system's side (XCR0) too. */
static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

vector_level processor_level(void) {
    __builtin_cpu_init();
    if (has_avx512()) return LEVEL_AVX512;
    if (has_avx2()) return LEVEL_AVX2;
    return __builtin_cpu_supports("avx") ? LEVEL_AVX : LEVEL_SSE;
}

const char *processor_kernel(size_t index) {
    const char *kernels[4];
    size_t count = 0;
    vector_level level = processor_level();
    if (level == LEVEL_AVX512 && __builtin_cpu_supports("avx512bf16")) kernels[count++] = "Cooperlake";
    if (level == LEVEL_AVX512) kernels[count++] = "SkylakeX";
    if (level >= LEVEL_AVX2) kernels[count++] = __builtin_cpu_is("amd") ? "Zen" : "Haswell";
    if (level >= LEVEL_AVX) kernels[count++] = "Sandybridge";
    return index < count ? kernels[index] : NULL;
}

#else

vector_level processor_level(void) {
    return LEVEL_SSE;
}

const char *processor_kernel(size_t index) {
    (void)index;
    return NULL;
}

#endif

vector_level kernel_level(const char *kernel) {
    static const struct {
        const char *kernel;
        vector_level level;
    } known[] = {
        {"Generic", LEVEL_SSE},     {"Katmai", LEVEL_SSE},        {"Coppermine", LEVEL_SSE},
        {"Northwood", LEVEL_SSE},   {"Prescott", LEVEL_SSE},      {"Banias", LEVEL_SSE},
        {"Atom", LEVEL_SSE},        {"Core2", LEVEL_SSE},         {"Penryn", LEVEL_SSE},
        {"Dunnington", LEVEL_SSE},  {"Nehalem", LEVEL_SSE},       {"Athlon", LEVEL_SSE},
        {"Opteron", LEVEL_SSE},     {"Opteron_SSE3", LEVEL_SSE},  {"Barcelona", LEVEL_SSE},
        {"Nano", LEVEL_SSE},        {"Bobcat", LEVEL_SSE},        {"Sandybridge", LEVEL_AVX},
        {"Bulldozer", LEVEL_AVX},   {"Piledriver", LEVEL_AVX},    {"Steamroller", LEVEL_AVX},
        {"Haswell", LEVEL_AVX2},    {"Excavator", LEVEL_AVX2},    {"Zen", LEVEL_AVX2},
        {"SkylakeX", LEVEL_AVX512}, {"Cooperlake", LEVEL_AVX512},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
        if (strcasecmp(kernel, known[i].kernel) == 0) return known[i].level;
    }
    return LEVEL_NEWEST;
}

const char *level_name(vector_level level) {
    static const char *const names[] = {"", "SSE", "AVX", "AVX2", "AVX-512", "newer units"};
    return names[level];
}
