/* See kernels.h. */
#include "kernels.h"

#include <string.h>

const char *const kernel_words[] = {"auto",     "amx",  "avx512_bf16", "avx512_vnni", "avx512",
                                    "avx_vnni", "avx2", "plain",       NULL};
const char *const precision_words[] = {"auto", "f32", "bf16x6", "bf16x3", "bf16", "int8", NULL};

/* Each list from the fastest to the slowest; `auto` takes the first that runs and whose results count as
 * f32. */
static const product_kernel *const products[] = {
#if defined __x86_64__
    &amx_product_bf16x3,  &amx_product_bf16x6,   &amx_product_bf16,     &amx_product_int8,
    &avx512_bf16_product, &avx512_vnni_product,  &avx512_product_f32,   &avx512_product_bf16,
    &avx512_product_int8, &avx_vnni_product,     &avx2_product_f32,     &avx2_product_bf16,
    &avx2_product_int8,
#endif
    &plain_product_f32,   &plain_product_bf16x6, &plain_product_bf16x3, &plain_product_bf16,
    &plain_product_int8,
};
static const row_kernel *const rows[] = {
#if defined __x86_64__
    &avx512_rows, &avx2_rows,
#endif
    &plain_rows};
static const attention_kernel *const attentions[] = {
#if defined __x86_64__
    &amx_attention_bf16,   &amx_attention_bf16x3, &amx_attention_bf16x6,
    &avx512_attention_f32, &avx2_attention_f32,
#endif
    &plain_attention_f32};

static const double_kernel *const doubles[] = {
#if defined __x86_64__
    &avx512_double, &avx2_double,
#endif
    &plain_double};

enum {
    PRODUCTS = sizeof products / sizeof *products,
    ROWS = sizeof rows / sizeof *rows,
    ATTENTIONS = sizeof attentions / sizeof *attentions
};

static bool is_auto(const char *word) {
    return strcmp(word, "auto") == 0;
}

/* The place of a kernel's name among the words: kernels after it run wherever it does. */
static size_t level_of(const char *name) {
    size_t level = 0;
    while (kernel_words[level] && strcmp(kernel_words[level], name) != 0) ++level;
    return level;
}

static bool suits(const product_kernel *kernel, const char *name, precision wanted) {
    bool named = is_auto(name) || strcmp(kernel->name, name) == 0;
    bool precise = wanted ? kernel->precision == wanted : kernel->tolerance <= F32_TOLERANCE;
    return named && precise;
}

static bool is_best(const product_kernel *kernel, const processor *machine) {
    return !kernel->outdone_on || !kernel->outdone_on(machine);
}

static const product_kernel *find_product(const processor *machine, const char *name, precision wanted) {
    for (size_t i = 0; i < PRODUCTS; ++i) {
        const product_kernel *have = products[i];
        if (!suits(have, name, wanted) || !have->runs_on(machine)) continue;
        if (!is_auto(name) || is_best(have, machine)) return have;
    }
    return NULL;
}

/* What there is instead: "amx (bf16x3, bf16), plain (f32)". */
static void list_products(const processor *machine, char *out, size_t room) {
    const char *last = "";
    out[0] = '\0';
    for (size_t i = 0; i < PRODUCTS; ++i) {
        if (!products[i]->runs_on(machine)) continue;
        size_t used = strlen(out);
        bool again = strcmp(products[i]->name, last) == 0;
        snprintf(out + used, room - used, "%s%s%s%s",
                 again  ? ", "
                 : used ? "), "
                        : "",
                 again ? "" : products[i]->name, again ? "" : " (", precision_words[products[i]->precision]);
        last = products[i]->name;
    }
    size_t used = strlen(out);
    snprintf(out + used, room - used, ")");
}

static hl_status refuse(const processor *machine, const char *name, precision wanted, hl_error *error) {
    char there[512];
    list_products(machine, there, sizeof there);
    return hl_fail(error, HL_USAGE,
                   "no kernel for `kernel: %s` and `precision: %s` runs on this machine; there are %s", name,
                   precision_words[wanted], there);
}

/* The fastest of at least this precision that `machine` runs, and that is no better code than `level` is for.
 */
static const product_kernel *product_of(const processor *machine, size_t level, precision least) {
    for (size_t i = 0; i < PRODUCTS; ++i) {
        const product_kernel *have = products[i];
        if (level_of(have->name) >= level && have->precision <= least && have->runs_on(machine)) return have;
    }
    return NULL;
}

/* The same, of that precision where there is one. */
static const attention_kernel *attention_of(const processor *machine, size_t level, precision least) {
    const attention_kernel *out = NULL;
    for (size_t i = 0; i < ATTENTIONS; ++i) {
        const attention_kernel *have = attentions[i];
        if (level_of(have->name) < level || have->precision > least || !have->runs_on(machine)) continue;
        if (!out || have->precision > out->precision) out = have;
    }
    return out;
}

static const row_kernel *rows_of(const processor *machine, size_t level) {
    size_t i = 0;
    while (level_of(rows[i]->name) < level || !rows[i]->runs_on(machine)) ++i; /* the last runs anywhere */
    return rows[i];
}

static const double_kernel *doubles_of(const processor *machine, size_t level) {
    size_t i = 0;
    while (level_of(doubles[i]->name) < level || !doubles[i]->runs_on(machine)) ++i;
    return doubles[i];
}

hl_status choose_kernels(const processor *machine, const char *kernel, precision wanted, kernel_set *out,
                         hl_error *error) {
    const product_kernel *product = find_product(machine, kernel, wanted);
    if (!product) return refuse(machine, kernel, wanted, error);
    size_t level = level_of(product->name);
    precision fine = product->precision < PRECISION_BF16X6 ? product->precision : PRECISION_BF16X6;
    *out = (kernel_set){.product = product,
                        .fine_product = product_of(machine, level, fine),
                        .rows = rows_of(machine, level),
                        .attention = attention_of(machine, level, product->precision),
                        .fine_attention = attention_of(machine, level, PRECISION_F32),
                        .doubles = doubles_of(machine, level)};
    return HL_OK;
}

const product_kernel *better_than(const processor *machine, const product_kernel *chosen) {
    const product_kernel *best = find_product(machine, "auto", 0);
    return strcmp(chosen->name, "plain") == 0 && strcmp(best->name, "plain") != 0 ? best : NULL;
}
