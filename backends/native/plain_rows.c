/* Functions on rows in plain C, with the C library's own. */
#include "kernels.h"

#include <math.h>

static bool runs_anywhere(const processor *machine) {
    (void)machine;
    return true;
}

static float activated(hl_activation activation, float x) {
    switch (activation) {
    case HL_GELU:
        return 0.5f * x * erfcf(-0.707106781f * x);
    case HL_QUICK_GELU:
        return x / (1.0f + expf(-1.702f * x));
    case HL_GELU_TANH:
        return x / (1.0f + expf(-2.0f * 0.797884561f * (x + 0.044715f * x * x * x)));
    case HL_SILU:
        return x / (1.0f + expf(-x));
    case HL_RELU:
        return x < 0.0f ? 0.0f : x;
    default:
        return x;
    }
}

static void activate(hl_activation activation, float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] = activated(activation, x[i]);
}

static void layer_norm(const float *x, const float *gain, const float *shift, float epsilon, size_t count,
                       float *out, float statistics[2]) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < count; ++i) mean += (double)x[i];
    mean /= (double)count;
    for (size_t i = 0; i < count; ++i) variance += ((double)x[i] - mean) * ((double)x[i] - mean);
    double deviation = sqrt(variance / (double)count + (double)epsilon);
    for (size_t i = 0; i < count; ++i) {
        out[i] = (float)(((double)x[i] - mean) / deviation) * gain[i] + shift[i];
    }
    statistics[0] = (float)mean;
    statistics[1] = (float)deviation;
}

const row_kernel plain_rows = {
    .name = "plain",
    .runs_on = runs_anywhere,
    .activate = activate,
    .layer_norm = layer_norm,
};
