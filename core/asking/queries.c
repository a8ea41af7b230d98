/* See queries.h. Kept by where a direction lies, and compared with what it was: an address comes again. */
#include "core/asking/queries.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NUMBERS = 1 << 25 }; /* 128 MiB; beyond them all are made anew */

typedef struct kept {
    const hl_direction *direction; /* the key */
    float *vector;                 /* as it was; with what follows one block of memory */
    float *queries;                /* of all bases, see engine_queries */
    bool *made;                    /* by basis: whether it is there */
} kept;

struct queries {
    engine *model;
    pthread_mutex_t mutex; /* guards what follows */
    void *tree;            /* of kept */
    size_t numbers;
};

static int compare(const void *a, const void *b) {
    const kept *first = a, *second = b;
    uintptr_t x = (uintptr_t)first->direction, y = (uintptr_t)second->direction;
    return (x > y) - (x < y);
}

hl_status queries_open(engine *model, queries **out, hl_error *error) {
    queries *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "queries");
    self->model = model;
    pthread_mutex_init(&self->mutex, NULL);
    return HL_OK;
}

static size_t numbers_of_one(const queries *self) {
    const hl_model_info *info = self->model->info;
    return info->embed_dim + engine_query_start(self->model, info->basis_count);
}

/* Already out of the tree. */
static void free_kept(queries *self, kept *one) {
    if (one->vector) self->numbers -= numbers_of_one(self);
    free(one->vector);
    free(one);
}

static void drop(queries *self, const hl_direction *direction) {
    kept **found = tfind(&(kept){.direction = direction}, &self->tree, compare);
    if (!found) return;
    kept *one = *found;
    tdelete(one, &self->tree, compare);
    free_kept(self, one);
}

static void drop_all(queries *self) {
    while (self->tree) drop(self, (*(kept **)self->tree)->direction);
}

void queries_close(queries *self) {
    if (!self) return;
    drop_all(self);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void queries_forget(queries *self, const hl_direction *direction) {
    pthread_mutex_lock(&self->mutex);
    drop(self, direction);
    pthread_mutex_unlock(&self->mutex);
}

/* NULL: no memory. */
static kept *find_or_make(queries *self, const hl_direction *direction) {
    const hl_model_info *info = self->model->info;
    size_t bytes = info->embed_dim * sizeof(float), numbers = numbers_of_one(self);
    kept **found = tfind(&(kept){.direction = direction}, &self->tree, compare);
    if (found && memcmp((*found)->vector, direction->vector, bytes) == 0) return *found;
    if (found) drop(self, direction);
    kept *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->direction = direction;
    made->vector = calloc(numbers * sizeof(float) + info->basis_count, 1);
    if (made->vector) self->numbers += numbers;
    if (!made->vector || !tsearch(made, &self->tree, compare)) {
        free_kept(self, made);
        return NULL;
    }
    memcpy(made->vector, direction->vector, bytes);
    made->queries = made->vector + info->embed_dim;
    made->made = (bool *)(made->vector + numbers);
    return made;
}

static hl_status get(queries *self, const hl_direction *direction, uint32_t component, float *out,
                     hl_error *error) {
    const hl_component *row = engine_component(self->model, component);
    if (self->numbers > MOST_NUMBERS) drop_all(self);
    kept *known = find_or_make(self, direction);
    if (!known) return hl_no_memory(error, "a query");
    if (!known->made[row->basis]) {
        hl_status status =
            engine_queries(self->model, row->basis, known->vector, known->queries, known->made, error);
        if (status != HL_OK) return status;
    }
    memcpy(out, known->queries + engine_query_start(self->model, row->basis),
           engine_code_width(row) * sizeof *out);
    return HL_OK;
}

hl_status queries_get(queries *self, const hl_direction *direction, uint32_t component, float *out,
                      hl_error *error) {
    pthread_mutex_lock(&self->mutex);
    hl_status status = get(self, direction, component, out, error);
    pthread_mutex_unlock(&self->mutex);
    return status;
}
