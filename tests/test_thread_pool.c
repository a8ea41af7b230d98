/* The pool: every index exactly once, from several threads, from inside a loop; and of what fails there, what
 * is told. */
#include "core/host/host.h"
#include "core/host/thread_pool.h"
#include "tests/support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { COUNT = 1000 };

typedef struct job {
    thread_pool *pool;
    atomic_int hits[COUNT];
} job;

static void hit(void *argument, size_t index) {
    job *self = argument;
    atomic_fetch_add(&self->hits[index], 1);
}

static void hit_all_of_ten(void *argument, size_t index) {
    job *self = argument;
    (void)index;
    assert_int_equal(thread_pool_count(self->pool), 1);
    thread_pool_run(self->pool, COUNT, hit, self);
}

static void assert_hits(job *self, int expected) {
    for (size_t i = 0; i < COUNT; ++i) assert_int_equal(atomic_load(&self->hits[i]), expected);
}

static thread_pool *open_pool(unsigned count) {
    thread_pool *pool;
    hl_error error;
    assert_ok(thread_pool_open(count, &pool, &error), error);
    return pool;
}

static void runs_every_index_once(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= 5; ++threads) {
        job self = {.pool = open_pool(threads)};
        assert_int_equal(thread_pool_count(self.pool), threads);
        for (int round = 1; round <= 50; ++round) {
            thread_pool_run(self.pool, COUNT, hit, &self);
            assert_hits(&self, round);
        }
        thread_pool_run(self.pool, 0, hit, &self);
        assert_hits(&self, 50);
        thread_pool_close(self.pool);
    }
}

static void loop_inside_loop_runs_alone(void **state) {
    (void)state;
    job self = {.pool = open_pool(3)};
    thread_pool_run(self.pool, 10, hit_all_of_ten, &self);
    assert_hits(&self, 10);
    thread_pool_close(self.pool);
}

static void *run_loops(void *argument) {
    job *self = argument;
    for (int i = 0; i < 100; ++i) thread_pool_run(self->pool, COUNT, hit, self);
    return NULL;
}

static void several_callers_share_it(void **state) {
    (void)state;
    job self = {.pool = open_pool(2)};
    pthread_t callers[4];
    for (size_t i = 0; i < 4; ++i) assert_int_equal(pthread_create(&callers[i], NULL, run_loops, &self), 0);
    for (size_t i = 0; i < 4; ++i) pthread_join(callers[i], NULL);
    assert_hits(&self, 400);
    thread_pool_close(self.pool);
}

typedef struct failing {
    const bool *fails; /* by index */
    atomic_int *runs;
} failing;

static hl_status may_fail(void *argument, size_t index, hl_error *error) {
    const failing *self = argument;
    atomic_fetch_add(&self->runs[index], 1);
    if (!self->fails[index]) return HL_OK;
    return hl_fail(error, index % 2 ? HL_USAGE : HL_FAILED, "index %zu failed", index);
}

/* Whichever thread comes first: the failure of the lowest index, and all before it have run. */
static void failure_of_lowest_index_is_told(void **state) {
    (void)state;
    const hl_library_settings settings = {.size = sizeof settings};
    const size_t lowest[] = {0, 1, 2, 77, COUNT - 1};
    for (unsigned threads = 1; threads <= 4; ++threads) {
        host *made;
        hl_error error = {""};
        assert_ok(host_open(&settings, threads, &made, &error), error);
        for (size_t i = 0; i < 5 * sizeof lowest / sizeof *lowest; ++i) {
            size_t first = lowest[i % 5];
            bool fails[COUNT] = {false};
            atomic_int runs[COUNT] = {0};
            char expected[64];
            for (size_t index = first; index < COUNT; index += 1 + index % 3) fails[index] = true;
            failing argument = {fails, runs};
            hl_status status = hl_parallel(&made->interface, COUNT, may_fail, &argument, &error);
            assert_int_equal(status, first % 2 ? HL_USAGE : HL_FAILED);
            snprintf(expected, sizeof expected, "index %zu failed", first);
            assert_string_equal(error.message, expected);
            for (size_t index = 0; index <= first; ++index) assert_int_equal(atomic_load(&runs[index]), 1);
            for (size_t index = first; index < COUNT; ++index) assert_true(atomic_load(&runs[index]) <= 1);
            assert_int_equal(hl_parallel(&made->interface, COUNT, may_fail, &argument, NULL), status);
        }
        host_close(made);
    }
}

static void tasks_that_do_not_fail_all_run(void **state) {
    (void)state;
    const hl_library_settings settings = {.size = sizeof settings};
    bool fails[COUNT] = {false};
    atomic_int runs[COUNT] = {0};
    failing argument = {fails, runs};
    host *made;
    hl_error error = {"untouched"};
    assert_ok(host_open(&settings, 3, &made, &error), error);
    assert_int_equal(hl_parallel(&made->interface, COUNT, may_fail, &argument, &error), HL_OK);
    assert_string_equal(error.message, "untouched");
    for (size_t index = 0; index < COUNT; ++index) assert_int_equal(atomic_load(&runs[index]), 1);
    assert_int_equal(hl_parallel(&made->interface, 0, may_fail, &argument, &error), HL_OK);
    host_close(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_of_lowest_index_is_told), cmocka_unit_test(tasks_that_do_not_fail_all_run),
        cmocka_unit_test(runs_every_index_once),           cmocka_unit_test(loop_inside_loop_runs_alone),
        cmocka_unit_test(several_callers_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
