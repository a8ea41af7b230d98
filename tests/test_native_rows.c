/* The native backend's functions on rows, kernel by kernel, against the formulas in double precision. */
#include "backends/native/kernels.h"
#include "core/conformance/scene.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const row_kernel *const all_kernels[] = {
#if defined __x86_64__
    &avx512_rows, &avx2_rows,
#endif
    &plain_rows};

static const row_kernel *kernels[COUNT(all_kernels)]; /* that run here */
static size_t kernel_count;

static int find_kernels(void **state) {
    (void)state;
    processor machine = processor_of_this_machine();
    for (size_t i = 0; i < COUNT(all_kernels); ++i) {
        if (all_kernels[i]->runs_on(&machine))
            kernels[kernel_count++] = all_kernels[i];
        else
            print_message("%s does not run here\n", all_kernels[i]->name);
    }
    return 0;
}

static const struct {
    hl_activation activation;
    const char *name;
} activations[] = {{HL_IDENTITY, "identity"},   {HL_GELU, "gelu"}, {HL_QUICK_GELU, "quick gelu"},
                   {HL_GELU_TANH, "tanh gelu"}, {HL_SILU, "silu"}, {HL_RELU, "relu"}};

static double formula(hl_activation activation, double x) {
    switch (activation) {
    case HL_GELU:
        return 0.5 * x * erfc(-x / sqrt(2));
    case HL_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case HL_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case HL_SILU:
        return x / (1 + exp(-x));
    case HL_RELU:
        return x > 0 ? x : 0;
    default:
        return x;
    }
}

/* Everywhere from 1e-28 to 1e28, closely where functions bend. */
static size_t some_places(float *out) {
    size_t count = 0;
    for (int i = -40000; i <= 40000; ++i) out[count++] = (float)i * 5e-4f;
    for (int power = -28; power <= 28; ++power) {
        for (int digit = 1; digit < 10; ++digit) {
            float x = (float)(digit * pow(10, power));
            out[count++] = x;
            out[count++] = -x;
        }
    }
    return count;
}

static void activations_are_their_formulas(void **state) {
    (void)state;
    float *places = malloc(100000 * sizeof *places), *x = malloc(100000 * sizeof *x);
    size_t count = some_places(places);
    for (size_t k = 0; k < kernel_count; ++k) {
        for (size_t a = 0; a < COUNT(activations); ++a) {
            memcpy(x, places, count * sizeof *x);
            kernels[k]->activate(activations[a].activation, x, count);
            for (size_t i = 0; i < count; ++i) {
                double expected = formula(activations[a].activation, (double)places[i]);
                double error = fabs((double)x[i] - expected);
                if (error <= 3e-7 * fabs(expected) + 4e-8) continue;
                fail_msg("%s, %s of %.9g: %.9g, expected %.9g", kernels[k]->name, activations[a].name,
                         (double)places[i], (double)x[i], expected);
            }
        }
    }
    free(places);
    free(x);
}

static void nothing_is_made_of_what_is_no_number(void **state) {
    (void)state;
    for (size_t k = 0; k < kernel_count; ++k) {
        for (size_t a = 0; a < COUNT(activations); ++a) {
            float x[] = {NAN, 1, -NAN, 0, -0.0f};
            kernels[k]->activate(activations[a].activation, x, COUNT(x));
            assert_true(isnan(x[0]) && isnan(x[2]));
            assert_true(!isnan(x[1]) && x[3] == 0 && x[4] == 0);
        }
    }
}

/* Rows of every length end where their memory ends, as the address sanitizer knows, and what is behind them
 * in other memory stays. */
static void places_and_lengths_do_not_matter(void **state) {
    (void)state;
    enum { MOST = 70, BEHIND = 20 };
    float *numbers = random_numbers(MOST, 5, 0);
    for (size_t k = 0; k < kernel_count; ++k) {
        for (size_t a = 0; a < COUNT(activations); ++a) {
            float alone[MOST];
            for (size_t i = 0; i < MOST; ++i) {
                alone[i] = 4 * numbers[i];
                kernels[k]->activate(activations[a].activation, &alone[i], 1);
            }
            for (size_t first = 0; first < 3; ++first) {
                for (size_t count = 0; first + count <= MOST; ++count) {
                    float *exact = malloc(count * sizeof *exact + 1), around[MOST + BEHIND];
                    for (size_t i = 0; i < MOST + BEHIND; ++i) around[i] = 4 * numbers[i % MOST];
                    memcpy(exact, around + first, count * sizeof *exact);
                    kernels[k]->activate(activations[a].activation, exact, count);
                    kernels[k]->activate(activations[a].activation, around + first, count);
                    assert_memory_equal(exact, alone + first, count * sizeof *exact);
                    assert_memory_equal(around + first, alone + first, count * sizeof *exact);
                    for (size_t i = first + count; i < MOST + BEHIND; ++i)
                        assert_true(around[i] == 4 * numbers[i % MOST]);
                    free(exact);
                }
            }
        }
    }
    free(numbers);
}

/* ---- layer norm ---- */

static void check_norm(const row_kernel *kernel, const float *x, size_t count, float epsilon) {
    float *gain = random_numbers(count, 7, 0), *shift = random_numbers(count, 9, 0), statistics[2];
    float *out = malloc(count * sizeof *out), *same = malloc(count * sizeof *same);
    kernel->layer_norm(x, gain, shift, epsilon, count, out, statistics);
    double mean = 0, variance = 0;
    for (size_t i = 0; i < count; ++i) mean += (double)x[i] / (double)count;
    for (size_t i = 0; i < count; ++i) variance += pow((double)x[i] - mean, 2) / (double)count;
    double deviation = sqrt(variance + (double)epsilon), scale = fabs(mean) + deviation;
    for (size_t i = 0; i < count; ++i) {
        double normal = ((double)x[i] - mean) / deviation,
               expected = normal * (double)gain[i] + (double)shift[i];
        double allowed = 1e-6 * (fabs(normal) + 1 + 0.1 * fabs(mean) / deviation);
        if (fabs((double)out[i] - expected) > allowed)
            fail_msg("%s, %zu numbers around %g: %.9g, expected %.9g", kernel->name, count, mean,
                     (double)out[i], expected);
    }
    assert_true(fabs((double)statistics[0] - mean) <= 1e-6 * scale);
    assert_true(fabs((double)statistics[1] - deviation) <= 1e-6 * scale);
    memcpy(same, x, count * sizeof *same);
    kernel->layer_norm(same, gain, shift, epsilon, count, same, statistics);
    assert_memory_equal(same, out, count * sizeof *same);
    free(gain), free(shift), free(out), free(same);
}

static void layer_norms_are_their_formula(void **state) {
    (void)state;
    static const size_t widths[] = {1,  2,  3,  7,   8,   9,   15,  16,  17,  31,   32,   33,  47,
                                    63, 64, 65, 100, 127, 128, 200, 512, 768, 1000, 1024, 1281};
    static const float means[] = {0, 1, -30, 1000};
    for (size_t k = 0; k < kernel_count; ++k) {
        for (size_t w = 0; w < COUNT(widths); ++w) {
            for (size_t m = 0; m < COUNT(means); ++m) {
                float *x = random_numbers(widths[w], 3, 0);
                for (size_t i = 0; i < widths[w]; ++i) x[i] += means[m];
                check_norm(kernels[k], x, widths[w], 1e-5f);
                for (size_t i = 0; i < widths[w]; ++i) x[i] = means[m];
                check_norm(kernels[k], x, widths[w], 1e-5f);
                free(x);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_are_their_formulas),
        cmocka_unit_test(nothing_is_made_of_what_is_no_number),
        cmocka_unit_test(places_and_lengths_do_not_matter),
        cmocka_unit_test(layer_norms_are_their_formula),
    };
    return cmocka_run_group_tests(tests, find_kernels, NULL);
}
