/* Preloaded into a program to have the system refuse one of its threads.
 *
 *   FAIL_THREAD=N        thread number N (from 1) is refused; "N+": and every one after it
 *   FAIL_THREAD_COUNT=F  at the end the number of threads asked for is written to file F
 */
#include "turn.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#pragma GCC visibility push(default)
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                   void *argument);
#pragma GCC visibility pop

static turn threads;

__attribute__((constructor)) static void read_environment(void) {
    turn_read(&threads, "FAIL_THREAD", "FAIL_THREAD_COUNT");
}

__attribute__((destructor)) static void write_count(void) {
    turn_write(&threads);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                   void *argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    return turn_fails(&threads) ? EAGAIN : create(thread, attributes, work, argument);
}
