/* The pool: every index exactly once, from several threads, from inside a loop. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_every_index_once),
        cmocka_unit_test(loop_inside_loop_runs_alone),
        cmocka_unit_test(several_callers_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
