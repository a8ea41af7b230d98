/* What the processor can do, and what OpenBLAS's kernels make of it. OpenBLAS knows processors by their model
 * numbers, and on one that is newer than itself it takes the oldest kernel that it has. */
#ifndef OPENBLAS_PROCESSOR_H
#define OPENBLAS_PROCESSOR_H

#include <stddef.h>

/* Vector units, from the least to the most; NEWEST: a kernel that is not known here, or a processor of
 * another architecture, where OpenBLAS is left to its own judgement. */
typedef enum vector_level { LEVEL_SSE = 1, LEVEL_AVX, LEVEL_AVX2, LEVEL_AVX512, LEVEL_NEWEST } vector_level;

/* The processor's, with what the system saves of it when threads change. LEVEL_SSE: nothing is expected. */
vector_level processor_level(void);

/* What a kernel makes use of, by its OpenBLAS name. */
vector_level kernel_level(const char *kernel);

const char *level_name(vector_level level);

/* Kernels that this processor can run, the best first, as OPENBLAS_CORETYPE takes them; NULL past the end. */
const char *processor_kernel(size_t index);

#endif
