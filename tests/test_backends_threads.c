/* Backends under several threads: used by two at once, and given more or fewer. */
#include "tests/operation.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct thread_work {
    const hl_compute *compute;
    const test_scene *scene;
    float *expected[OPERANDS];
    bool right;
} thread_work;

enum { ROUNDS = 12 };

static void *play_rounds(void *argument) {
    thread_work *work = argument;
    hl_error error;
    work->right = true;
    for (size_t round = 0; round < ROUNDS; ++round) {
        float *memory[OPERANDS];
        work->right = work->right && attempt(work->compute, work->scene, plain, memory, &error) == HL_OK;
        for (size_t i = 0; i < OPERANDS && work->right; ++i) {
            if (!memory[i]) continue;
            size_t bytes = element_count(&work->scene->operands[i], plain) * sizeof(float);
            work->right = memcmp(memory[i], work->expected[i], bytes) == 0;
        }
        forget_operands(memory);
    }
    return NULL;
}

/* Two threads on one backend, each with its own tensors: the same bits as alone. */
static void test_two_threads(void **state) {
    (void)state;
    static const attention_case attention = {2, 4, 16, 16, 40, 40, HL_MASK_NONE, 0.25f, 1, {0}};
    static const linear_case linear = {120, 64, 256, HL_GELU, true, IN_PLACE};
    float *data = random_numbers(linear.out * linear.in, 3, 0);
    const test_scene scenes[] = {attention_scene(&attention), linear_scene(&linear, data, data)};
    for (size_t b = 0; b < backend_count; ++b) {
        thread_work works[2];
        pthread_t threads[2];
        hl_error error;
        for (size_t i = 0; i < 2; ++i) {
            works[i] = (thread_work){.compute = &backends[b].compute, .scene = &scenes[i]};
            assert_ok(attempt(&backends[b].compute, &scenes[i], plain, works[i].expected, &error), error);
        }
        for (size_t i = 0; i < 2; ++i)
            assert_int_equal(pthread_create(&threads[i], NULL, play_rounds, &works[i]), 0);
        for (size_t i = 0; i < 2; ++i) {
            pthread_join(threads[i], NULL);
            if (!works[i].right)
                fail_msg("compute/%s: scene %zu differs in two threads", backends[b].plugin->name, i);
            forget_operands(works[i].expected);
        }
    }
    free(data);
}

/* The reference gives the same bits whatever the number of threads. */
static void test_reference_ignores_threads(void **state) {
    (void)state;
    static const linear_case linear = {30, 64, 256, HL_GELU, true, IN_PLACE};
    float *data = random_numbers(linear.out * linear.in, 3, 0), *three[OPERANDS], *one[OPERANDS];
    const test_scene scene = linear_scene(&linear, data, data);
    const hl_library_settings settings = {0};
    host *single;
    hl_compute alone;
    hl_error error;
    assert_ok(host_open(&settings, 1, &single, &error), error);
    const hl_plugin *plugin = registry_find(plugins, HL_COMPUTE, "reference");
    assert_ok(compute_open(&single->interface, plugin, NULL, NULL, &alone, &error), error);
    assert_ok(attempt(&reference, &scene, plain, three, &error), error);
    assert_ok(attempt(&alone, &scene, plain, one, &error), error);
    assert_memory_equal(three[2], one[2], linear.rows * linear.out * sizeof(float));
    forget_operands(three);
    forget_operands(one);
    compute_close(&alone);
    host_close(single);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_reference_ignores_threads),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
