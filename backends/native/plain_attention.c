/* Attention in plain C: one query row after the other, each with all its scores at once. */
#include "kernels.h"

#include <math.h>

static bool runs_anywhere(const processor *machine) {
    (void)machine;
    return true;
}

static size_t scratch_bytes(size_t keys, size_t key_width, size_t value_width) {
    (void)key_width, (void)value_width;
    return keys * sizeof(float);
}

static void pack(const attention_task *task, void *scratch) {
    (void)task, (void)scratch;
}

/* p = exp(scale q k^T - largest); returns their sum. */
static float weigh(const attention_task *task, const float *q, size_t seen, float *p) {
    float largest = -INFINITY, sum = 0;
    for (size_t j = 0; j < seen; ++j) {
        const float *k = task->k + j * task->k_stride;
        float score = 0;
        for (size_t i = 0; i < task->key_width; ++i) score += q[i] * k[i];
        p[j] = score * task->scale;
        largest = p[j] > largest ? p[j] : largest;
    }
    for (size_t j = 0; j < seen; ++j) sum += p[j] = expf(p[j] - largest);
    return sum;
}

static size_t keys_seen(const attention_task *task, size_t row) {
    return task->mask == HL_MASK_CAUSAL && row < task->keys ? row + 1 : task->keys;
}

static void attend(const attention_task *task, void *scratch) {
    float *p = scratch;
    for (size_t r = 0; r < task->count; ++r) {
        size_t row = task->first + r, seen = keys_seen(task, row);
        float sum = weigh(task, task->q + row * task->q_stride, seen, p);
        float *out = task->out + row * task->out_stride;
        for (size_t i = 0; i < task->value_width; ++i) out[i] = 0;
        for (size_t j = 0; j < seen; ++j) {
            const float *v = task->v + j * task->v_stride;
            for (size_t i = 0; i < task->value_width; ++i) out[i] += p[j] * v[i];
        }
        for (size_t i = 0; i < task->value_width; ++i) out[i] /= sum;
    }
}

static void probe(const attention_task *task, size_t row, void *scratch, float *out) {
    (void)scratch;
    size_t seen = keys_seen(task, row);
    float sum = weigh(task, task->q + row * task->q_stride, seen, out);
    for (size_t j = 0; j < task->keys; ++j) out[j] = j < seen ? out[j] / sum : 0;
}

const attention_kernel plain_attention_f32 = {
    .name = "plain",
    .precision = PRECISION_F32,
    .runs_on = runs_anywhere,
    .query_rows = 16,
    .scratch_bytes = scratch_bytes,
    .pack = pack,
    .attend = attend,
    .probe = probe,
};
