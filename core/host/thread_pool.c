/* A pool that runs one loop at a time; the caller works too. A loop that is started from inside another, or
 * while another thread's loop has the pool, runs in the calling thread: always correct, never a deadlock. */
#include "core/host/thread_pool.h"

#include "core/host/cores.h"
#include "core/io/call.h"
#include "core/io/locale.h"
#include "core/registry/guard.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct loop {
    const hl_call *call; /* that it is part of */
    guard_place place;   /* whose it is */
    void (*work)(void *argument, size_t index);
    void *argument;
    size_t count;
} loop;

/* A thread that sleeps is woken some ten microseconds later, a hundred in a virtual machine, and a model's
 * loops follow each other within less: so whoever waits looks again for a while first (measured: one image
 * takes 10 to 15 % less time). Where others want the cores that is in vain, and is left out the next times.
 */
enum { LOOKS = 2000, LEFT_OUT = 16 };

typedef struct patience {
    unsigned left_out; /* times to come */
} patience;

struct thread_pool {
    unsigned workers; /* besides the caller */
    pthread_t *handles;
    pthread_mutex_t owner; /* held by the thread whose loop is running */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t start, finish;
    loop current;
    atomic_uint round, busy; /* written under the mutex; whoever waits looks at them without, for a while */
    atomic_bool stop;
    atomic_size_t next;
    patience patience; /* of the caller */
};

static void pause_a_little(void) {
#ifdef __x86_64__
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static bool has_loop(const thread_pool *pool, unsigned seen) {
    return atomic_load(&pool->round) != seen || atomic_load(&pool->stop);
}

static bool is_done(const thread_pool *pool, unsigned seen) {
    (void)seen;
    return atomic_load(&pool->busy) == 0;
}

static void look(const thread_pool *pool, bool (*came)(const thread_pool *pool, unsigned seen), unsigned seen,
                 patience *own) {
    if (own->left_out > 0) {
        own->left_out--;
        return;
    }
    for (int i = 0; i < LOOKS; ++i) {
        if (came(pool, seen)) return;
        pause_a_little();
    }
    own->left_out = LEFT_OUT;
}

/* Set while a thread runs a loop's work. */
static _Thread_local bool inside_loop;

static void take_turns(thread_pool *pool, const loop *todo) {
    const hl_call *before = call_enter(todo->call);
    guard_place place = guard_current();
    bool works_for_another = place.plugin != todo->place.plugin;
    if (works_for_another) guard_set(todo->place);
    inside_loop = true;
    for (size_t index; (index = atomic_fetch_add(&pool->next, 1)) < todo->count;) {
        todo->work(todo->argument, index);
    }
    inside_loop = false;
    if (works_for_another) guard_set(place);
    call_enter(before);
}

static void *worker_main(void *argument) {
    thread_pool *pool = argument;
    unsigned seen = 0;
    patience own = {0};
    locale_enter(); /* for all its life */
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        pthread_mutex_unlock(&pool->mutex);
        look(pool, has_loop, seen, &own);
        pthread_mutex_lock(&pool->mutex);
        while (pool->round == seen && !pool->stop) pthread_cond_wait(&pool->start, &pool->mutex);
        if (pool->stop) break;
        seen = pool->round;
        loop todo = pool->current;
        pthread_mutex_unlock(&pool->mutex);
        take_turns(pool, &todo);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0) pthread_cond_signal(&pool->finish);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

hl_status thread_pool_open(unsigned count, thread_pool **out, hl_error *error) {
    *out = NULL;
    if (count == 0) count = cores_usable();
    thread_pool *pool = calloc(1, sizeof *pool);
    pthread_t *handles = calloc(count, sizeof *handles);
    if (!pool || !handles) {
        free(pool);
        free(handles);
        return hl_no_memory(error, "the thread pool");
    }
    pool->handles = handles;
    pthread_mutex_init(&pool->owner, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    while (pool->workers + 1 < count) {
        if (pthread_create(&handles[pool->workers], NULL, worker_main, pool) != 0) {
            hl_fail(error, HL_FAILED, "the system refused thread number %u; ask for fewer threads",
                    pool->workers + 2);
            thread_pool_close(pool);
            return HL_FAILED;
        }
        pool->workers++;
    }
    *out = pool;
    return HL_OK;
}

void thread_pool_close(thread_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->workers; ++i) pthread_join(pool->handles[i], NULL);
    pthread_cond_destroy(&pool->finish);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->mutex);
    pthread_mutex_destroy(&pool->owner);
    free(pool->handles);
    free(pool);
}

unsigned thread_pool_count(const thread_pool *pool) {
    return inside_loop ? 1 : pool->workers + 1;
}

static void run_alone(size_t count, void (*work)(void *argument, size_t index), void *argument) {
    for (size_t i = 0; i < count; ++i) work(argument, i);
}

void thread_pool_run(thread_pool *pool, size_t count, void (*work)(void *argument, size_t index),
                     void *argument) {
    if (pool->workers == 0 || count < 2 || inside_loop || pthread_mutex_trylock(&pool->owner) != 0) {
        run_alone(count, work, argument);
        return;
    }
    loop todo = {call_current(), guard_current(), work, argument, count};
    pthread_mutex_lock(&pool->mutex);
    pool->current = todo;
    atomic_store(&pool->next, 0);
    pool->busy = pool->workers;
    pool->round++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    take_turns(pool, &todo);
    look(pool, is_done, 0, &pool->patience);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0) pthread_cond_wait(&pool->finish, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    pthread_mutex_unlock(&pool->owner);
}
