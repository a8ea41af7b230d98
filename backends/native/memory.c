/* Memory on loan: see native.h. */
#include "native.h"

#include <pthread.h>
#include <stdint.h>

/* Stands before what is lent, in a cache line of its own. */
struct lent {
    lent *next;
    size_t bytes;
};

enum { HEADER = 64 };

bool lender_open(lender *self, const hl_host *host) {
    pthread_mutex_t *lock = host->allocate(host, 1, sizeof *lock);
    *self = (lender){host, lock, NULL};
    return lock && pthread_mutex_init(lock, NULL) == 0;
}

void lender_close(lender *self) {
    if (!self->host) return;
    while (self->free) {
        lent *next = self->free->next;
        self->host->release(self->host, self->free);
        self->free = next;
    }
    if (self->lock) pthread_mutex_destroy(self->lock);
    self->host->release(self->host, self->lock);
    *self = (lender){0};
}

/* The first that is large enough, else any, else NULL. */
static lent *take(lender *self, size_t bytes) {
    pthread_mutex_lock(self->lock);
    lent **at = &self->free;
    while (*at && (*at)->bytes < bytes) at = &(*at)->next;
    if (!*at) at = &self->free;
    lent *found = *at;
    if (found) *at = found->next;
    pthread_mutex_unlock(self->lock);
    return found;
}

void *lend(lender *self, size_t bytes) {
    lent *found = take(self, bytes);
    if (found && found->bytes < bytes) {
        self->host->release(self->host, found);
        found = NULL;
    }
    if (!found && bytes <= SIZE_MAX - HEADER) {
        found = self->host->allocate(self->host, 1, HEADER + bytes);
        if (found) found->bytes = bytes;
    }
    return found ? (unsigned char *)found + HEADER : NULL;
}

void give_back(lender *self, void *memory) {
    if (!memory) return;
    lent *back = (lent *)(void *)((unsigned char *)memory - HEADER);
    pthread_mutex_lock(self->lock);
    back->next = self->free;
    self->free = back;
    pthread_mutex_unlock(self->lock);
}
