/* All kernels there are, and the choice among them. A new kernel is a file that defines its table, and its
 * lines here and in kernels.c. */
#ifndef KERNELS_H
#define KERNELS_H

#include "double.h"
#include "kernel.h"

extern const product_kernel plain_product_f32, plain_product_bf16x6, plain_product_bf16x3, plain_product_bf16,
    plain_product_int8;
extern const product_kernel avx512_product_f32, avx512_product_bf16, avx512_product_int8;
extern const product_kernel avx512_bf16_product, avx512_vnni_product, avx_vnni_product;
extern const product_kernel avx2_product_f32, avx2_product_bf16, avx2_product_int8;

#if defined __x86_64__
extern const product_kernel amx_product_bf16x6, amx_product_bf16x3, amx_product_bf16, amx_product_int8;
#endif

extern const row_kernel plain_rows;
extern const row_kernel avx2_rows, avx512_rows;

extern const attention_kernel plain_attention_f32;
extern const attention_kernel avx2_attention_f32, avx512_attention_f32;
extern const attention_kernel amx_attention_bf16, amx_attention_bf16x3, amx_attention_bf16x6;

extern const double_kernel plain_double, avx2_double, avx512_double;

/* What a backend computes with. The fine ones are as exact as f32, and for what is so small that the errors
 * of single numbers do not cancel in its sums. */
typedef struct kernel_set {
    const product_kernel *product, *fine_product;
    const row_kernel *rows;
    const attention_kernel *attention, *fine_attention;
    const double_kernel *doubles;
} kernel_set;

/* Words of the options `kernel` and `precision`, "auto" first; end with NULL. Those of `precision_words`
 * stand at the place of their number in `precision`. */
extern const char *const kernel_words[], *const precision_words[];

/* `kernel` is one of the words, `wanted` an entry of `precision` or 0 for auto. HL_USAGE where this processor
 * or that kernel cannot do it, naming what can be had. */
hl_status choose_kernels(const processor *machine, const char *kernel, precision wanted, kernel_set *out,
                         hl_error *error);

/* Where only plain C makes `chosen` products: what this processor has instructions for, and is as exact as
 * f32. NULL: nothing, or `chosen` is not plain. */
const product_kernel *better_than(const processor *machine, const product_kernel *chosen);

#endif
