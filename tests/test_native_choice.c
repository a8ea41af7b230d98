/* Which of the native backend's kernels are chosen, for processors of which only some are at hand. */
#include "backends/native/kernels.h"
#include "tests/support.h"

#include <string.h>

static const processor plain = {0}, haswell = {.avx2 = true}, alder_lake = {.avx2 = true, .avx_vnni = true},
                       skylake = {.avx2 = true, .avx512 = true},
                       ice_lake = {.avx2 = true, .avx512 = true, .avx512_vnni = true},
                       zen4 = {.avx2 = true, .avx512 = true, .avx512_vnni = true, .avx512_bf16 = true},
                       /* one whose tiles a virtual machine hides, and one that shows them */
    hidden_tiles = {.avx2 = true,
                    .avx_vnni = true,
                    .avx512 = true,
                    .avx512_vnni = true,
                    .avx512_bf16 = true,
                    .slow_bf16 = true},
                       tiles = {.avx2 = true,
                                .avx_vnni = true,
                                .avx512 = true,
                                .avx512_vnni = true,
                                .avx512_bf16 = true,
                                .slow_bf16 = true,
                                .amx_bf16 = true,
                                .amx_int8 = true};

#if defined __x86_64__
/* No precision that a processor has instructions for is left to plain C. */
static void test_fastest(void **state) {
    (void)state;
    static const struct {
        const processor *machine;
        precision wanted;
        const char *product, *fine, *rows, *attention;
    } cases[] = {
        {&plain, 0, "plain", "plain", "plain", "plain"},
        {&plain, PRECISION_BF16, "plain", "plain", "plain", "plain"},
        {&plain, PRECISION_INT8, "plain", "plain", "plain", "plain"},
        {&haswell, 0, "avx2", "avx2", "avx2", "avx2"},
        {&haswell, PRECISION_BF16, "avx2", "avx2", "avx2", "avx2"},
        {&haswell, PRECISION_INT8, "avx2", "avx2", "avx2", "avx2"},
        {&alder_lake, PRECISION_BF16, "avx2", "avx2", "avx2", "avx2"},
        {&alder_lake, PRECISION_INT8, "avx_vnni", "avx2", "avx2", "avx2"},
        {&skylake, 0, "avx512", "avx512", "avx512", "avx512"},
        {&skylake, PRECISION_BF16, "avx512", "avx512", "avx512", "avx512"},
        {&skylake, PRECISION_INT8, "avx512", "avx512", "avx512", "avx512"},
        {&ice_lake, PRECISION_BF16, "avx512", "avx512", "avx512", "avx512"},
        {&ice_lake, PRECISION_INT8, "avx512_vnni", "avx512", "avx512", "avx512"},
        {&zen4, 0, "avx512", "avx512", "avx512", "avx512"},
        {&zen4, PRECISION_BF16, "avx512_bf16", "avx512", "avx512", "avx512"},
        {&zen4, PRECISION_INT8, "avx512_vnni", "avx512", "avx512", "avx512"},
        {&hidden_tiles, PRECISION_BF16, "avx512", "avx512", "avx512", "avx512"},
        {&hidden_tiles, PRECISION_INT8, "avx512_vnni", "avx512", "avx512", "avx512"},
        {&tiles, 0, "amx", "amx", "avx512", "amx"},
        {&tiles, PRECISION_BF16, "amx", "amx", "avx512", "amx"},
        {&tiles, PRECISION_INT8, "amx", "amx", "avx512", "amx"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        kernel_set chosen;
        hl_error error;
        assert_int_equal(choose_kernels(cases[i].machine, "auto", cases[i].wanted, &chosen, &error), HL_OK);
        assert_string_equal(chosen.product->name, cases[i].product);
        if (cases[i].wanted) assert_int_equal(chosen.product->precision, cases[i].wanted);
        assert_true(chosen.fine_product->tolerance <= F32_TOLERANCE);
        assert_string_equal(chosen.fine_product->name, cases[i].fine);
        assert_string_equal(chosen.rows->name, cases[i].rows);
        assert_string_equal(chosen.attention->name, cases[i].attention);
    }
}

/* A word takes that kernel and no other, though a better one would run. */
static void test_forced(void **state) {
    (void)state;
    static const struct {
        const char *word;
        precision wanted;
    } cases[] = {
        {"amx", PRECISION_BF16},     {"amx", PRECISION_INT8},         {"avx512_bf16", PRECISION_BF16},
        {"avx512", PRECISION_BF16},  {"avx512_vnni", PRECISION_INT8}, {"avx512", PRECISION_INT8},
        {"avx2", PRECISION_BF16},    {"avx_vnni", PRECISION_INT8},    {"avx2", PRECISION_INT8},
        {"plain", PRECISION_BF16X3}, {"plain", PRECISION_BF16},       {"plain", PRECISION_INT8},
        {"avx2", PRECISION_F32},     {"avx512", PRECISION_F32},       {"plain", PRECISION_F32},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        kernel_set chosen;
        hl_error error;
        assert_int_equal(choose_kernels(&tiles, cases[i].word, cases[i].wanted, &chosen, &error), HL_OK);
        assert_string_equal(chosen.product->name, cases[i].word);
        assert_int_equal(chosen.product->precision, cases[i].wanted);
    }
}

/* What only plain C does is told to whoever has a processor that can do better at another precision. */
static void test_better(void **state) {
    (void)state;
    static const struct {
        const processor *machine;
        precision wanted;
        const char *better; /* NULL: nothing is told */
    } cases[] = {
        {&plain, PRECISION_BF16X3, NULL},
        {&haswell, 0, NULL},
        {&haswell, PRECISION_BF16X3, "avx2"},
        {&haswell, PRECISION_INT8, NULL},
        {&ice_lake, PRECISION_BF16X6, "avx512"},
        {&zen4, PRECISION_BF16X3, "avx512"},
        {&hidden_tiles, PRECISION_BF16X3, "avx512"},
        {&tiles, PRECISION_BF16X6, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        kernel_set chosen;
        hl_error error;
        assert_int_equal(choose_kernels(cases[i].machine, "auto", cases[i].wanted, &chosen, &error), HL_OK);
        const product_kernel *better = better_than(cases[i].machine, chosen.product);
        assert_int_equal(better != NULL, cases[i].better != NULL);
        if (better) assert_string_equal(better->name, cases[i].better);
        if (better) assert_true(better->tolerance <= F32_TOLERANCE);
    }
}
#endif

/* What a processor lacks is refused, with what it has. */
static void test_refused(void **state) {
    (void)state;
    static const struct {
        const processor *machine;
        const char *word;
        precision wanted;
    } cases[] = {
        {&plain, "avx2", 0},
        {&haswell, "avx_vnni", PRECISION_INT8},
        {&skylake, "avx512_vnni", PRECISION_INT8},
        {&ice_lake, "avx512_bf16", PRECISION_BF16},
        {&zen4, "amx", 0},
        {&tiles, "avx_vnni", PRECISION_F32},
        {&tiles, "avx512_bf16", 0},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        kernel_set chosen;
        hl_error error;
        assert_int_equal(choose_kernels(cases[i].machine, cases[i].word, cases[i].wanted, &chosen, &error),
                         HL_USAGE);
        assert_non_null(strstr(error.message, cases[i].word));
        assert_non_null(strstr(error.message, "plain (f32, bf16x6, bf16x3, bf16, int8)"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if defined __x86_64__
        cmocka_unit_test(test_fastest),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_better),
#endif
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
