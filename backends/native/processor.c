/* See processor.h. */
#include "processor.h"

#include <unistd.h>

#if defined __x86_64__
#include <cpuid.h>
#include <stdint.h>
#include <sys/syscall.h>

/* Which registers the operating system keeps for each thread: bits of XCR0 (Intel SDM, volume 1,
 * section 13.1). */
enum { VECTORS_256 = 0x6, VECTORS_512 = 0xe6, TILES = 0x60000 };

static uint64_t kept_registers(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Linux lets a process use tiles only once it has asked (Documentation/arch/x86/xstate.rst). */
static bool may_use_tiles(void) {
    enum { GET_PERMISSION = 0x1022, ASK_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned long granted = 0;
    if (syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) != 0) return false;
    return syscall(SYS_arch_prctl, GET_PERMISSION, &granted) == 0 && granted >> TILE_DATA & 1;
}

/* The one kind of tiles that there is: eight of 16 rows of 64 bytes (CPUID leaf 1DH, palette 1). */
static bool has_usual_tiles(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(0x1d, 1, &a, &b, &c, &d) && b >> 16 >= 8 && (b & 0xffff) >= 64 &&
           (c & 0xffff) >= 16;
}

static void find_units(processor *out) {
    unsigned a, b = 0, c = 0, d = 0, first_c = 0, newer = 0, unused;
    uint64_t kept = kept_registers();
    if ((kept & VECTORS_256) != VECTORS_256) return;
    if (!__get_cpuid(1, &a, &unused, &first_c, &unused)) return;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    if (a >= 1 && !__get_cpuid_count(7, 1, &newer, &unused, &unused, &unused)) newer = 0;
    out->avx2 = first_c & bit_FMA && first_c & bit_F16C && b & bit_AVX2;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    out->avx512 = out->avx2 && (b & wide) == wide && (kept & VECTORS_512) == VECTORS_512;
    const unsigned vnni = 1u << 4, bf16 = 1u << 5; /* bits of `newer` */
    out->avx_vnni = out->avx2 && newer & vnni;
    out->avx512_vnni = out->avx512 && c & bit_AVX512VNNI;
    out->avx512_bf16 = out->avx512 && newer & bf16;
    /* Intel's cores that have tiles, which a virtual machine may hide. */
    const unsigned fp16 = 1u << 23;
    out->slow_bf16 = d & fp16 && __builtin_cpu_is("intel");
    const unsigned tiles = 1u << 24, tiles_bf16 = 1u << 22, tiles_int8 = 1u << 25;
    if (!out->avx512_bf16 || !(d & tiles) || (kept & TILES) != TILES) return;
    if (!has_usual_tiles() || !may_use_tiles()) return;
    out->amx_bf16 = d & tiles_bf16;
    out->amx_int8 = d & tiles_int8;
}
#else
static void find_units(processor *out) {
    (void)out;
}
#endif

static size_t cache(int name, size_t usual) {
    long bytes = sysconf(name);
    return bytes > 0 ? (size_t)bytes : usual;
}

processor processor_of_this_machine(void) {
    processor out = {.first_cache = cache(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
                     .second_cache = cache(_SC_LEVEL2_CACHE_SIZE, 1 << 20)};
    find_units(&out);
    return out;
}
