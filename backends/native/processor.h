/* What this processor and its operating system allow. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct processor {
    bool avx2;     /* AVX2, FMA, F16C, and an operating system that keeps the registers */
    bool avx_vnni; /* besides */
    bool avx512;   /* F, BW, DQ, VL besides AVX2 */
    bool avx512_vnni, avx512_bf16;
    bool slow_bf16; /* AVX512_BF16 takes as long as twice as many multiply-adds in f32 */
    bool amx_bf16;  /* tiles, their permission from the operating system included, and AVX512_BF16 */
    bool amx_int8;
    size_t first_cache, second_cache; /* bytes of data a core has to itself; usual ones where unknown */
} processor;

/* Asks for the permission to use tiles where that is needed. [any thread] */
processor processor_of_this_machine(void);

#endif
