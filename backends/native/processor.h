/* What this processor and its operating system allow. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct processor {
    bool avx2;     /* AVX2, FMA, F16C, and an operating system that keeps the registers */
    bool avx512;   /* F, BW, DQ, VL besides */
    bool vnni;     /* AVX512_VNNI besides */
    bool amx_bf16; /* tiles, their permission from the operating system included, and AVX512_BF16 */
    bool amx_int8;
    size_t first_cache, second_cache; /* bytes of data a core has to itself; usual ones where unknown */
} processor;

/* Asks for the permission to use tiles where that is needed. [any thread] */
processor processor_of_this_machine(void);

#endif
