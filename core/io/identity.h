/* A file or folder as the system knows it, by whatever name it was reached. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <sys/stat.h>

typedef struct identity {
    dev_t device;
    ino_t number;
} identity;

static inline identity identity_of(const struct stat *status) {
    return (identity){status->st_dev, status->st_ino};
}

/* For trees of identities, or of structs that begin with one. */
static inline int compare_identities(const void *left, const void *right) {
    const identity *a = left, *b = right;
    if (a->device != b->device) return a->device < b->device ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

#endif
