/* Which files each item of the results gets, how they are called, and what results.json says of them. */
#ifndef ITEMS_H
#define ITEMS_H

#include "drawing/canvas.h"
#include "nodes.h"

typedef struct items {
    const hl_report *report;
    canvas pictures;
    nodes changed;
    hl_error *error;
    char name[512];  /* of the present item's files, without what follows for each kind */
    size_t numbered; /* pictures of it that a plugin made */
} items;

/* Writes all files; *root: the results with their names. It lives as long as `self`. */
hl_status items_write(items *self, const hl_node **root);

#endif
