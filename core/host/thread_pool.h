/* The threads that the host owns: a fixed pool that runs one loop at a time. */
#ifndef THREAD_POOL_H
#define THREAD_POOL_H

#include "headlight/error.h"
#include <stddef.h>

typedef struct thread_pool thread_pool;

/* `count` threads, the caller's included; 0: as many as cores.h says. */
hl_status thread_pool_open(unsigned count, thread_pool **out, hl_error *error);
void thread_pool_close(thread_pool *pool); /* accepts NULL */
/* The threads that a loop started here and now would run on: inside a loop, 1. */
unsigned thread_pool_count(const thread_pool *pool);

/* See hl_host.parallel. */
void thread_pool_run(thread_pool *pool, size_t count, void (*work)(void *argument, size_t index),
                     void *argument);

#endif
