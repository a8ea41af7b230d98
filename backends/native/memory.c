/* Memory on loan, and that of weights: see native.h. */
#include "native.h"

#include <pthread.h>
#include <stdint.h>

/* Stands before what is lent, in a cache line of its own. */
struct lent {
    lent *next;
    size_t bytes;
};

enum { HEADER = 64 };

static bool open_lock(const hl_host *host, void **out) {
    pthread_mutex_t *lock = *out = host->allocate(host, 1, sizeof *lock);
    return lock && pthread_mutex_init(lock, NULL) == 0;
}

static void close_lock(const hl_host *host, pthread_mutex_t *lock) {
    if (lock) pthread_mutex_destroy(lock);
    host->release(host, lock);
}

bool lender_open(lender *self, const hl_host *host) {
    *self = (lender){.host = host};
    return open_lock(host, &self->lock);
}

void lender_close(lender *self) {
    if (!self->host) return;
    while (self->free) {
        lent *next = self->free->next;
        self->host->release(self->host, self->free);
        self->free = next;
    }
    close_lock(self->host, self->lock);
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

/* ---- weights ---- */

struct slab {
    slab *next;
    size_t used, weights; /* bytes; weights that lie here */
    unsigned char *memory;
};

enum {
    LARGE = 1 << 20, /* what is smaller makes no large page */
    SLAB = 64 << 20, /* of address space: what is not used is no memory */
};

bool shelf_open(shelf *self, const hl_host *host) {
    *self = (shelf){.host = host};
    return open_lock(host, &self->lock);
}

void shelf_close(shelf *self) {
    if (!self->host) return;
    close_lock(self->host, self->lock);
    *self = (shelf){0};
}

static slab *add_slab(shelf *self) {
    slab *made = self->host->allocate(self->host, 1, sizeof *made);
    if (made) made->memory = self->host->allocate(self->host, 1, SLAB);
    if (!made || !made->memory) {
        self->host->release(self->host, made);
        return NULL;
    }
    made->next = self->slabs;
    return self->slabs = made;
}

void *shelf_take(shelf *self, size_t count, size_t element, slab **from) {
    size_t bytes;
    bool known = !__builtin_mul_overflow(count, element, &bytes);
    *from = NULL;
    if (!known || bytes < LARGE || bytes > SLAB) return self->host->allocate(self->host, count, element);
    size_t rounded = groups_of(bytes, HEADER) * HEADER;
    pthread_mutex_lock(self->lock);
    slab *found = self->slabs;
    while (found && SLAB - found->used < rounded) found = found->next;
    if (!found) found = add_slab(self);
    unsigned char *memory = found ? found->memory + found->used : NULL;
    if (found) {
        found->used += rounded;
        ++found->weights;
    }
    pthread_mutex_unlock(self->lock);
    *from = found;
    return memory;
}

void shelf_give_back(shelf *self, void *memory, slab *from) {
    const hl_host *host = self->host;
    if (!from) {
        host->release(host, memory);
        return;
    }
    pthread_mutex_lock(self->lock);
    bool last = --from->weights == 0;
    slab **at = &self->slabs;
    while (*at != from) at = &(*at)->next;
    if (last) *at = from->next;
    pthread_mutex_unlock(self->lock);
    if (!last) return;
    host->release(host, from->memory);
    host->release(host, from);
}
