/* A map of heads (HL_SCHEMA_HEAD_MAP) as SVG: a row for each layer, a column for each head, and what is no
 * head beside and below them. */
#ifndef HEAD_MAP_H
#define HEAD_MAP_H

#include "drawing/palette.h"
#include "html.h"

/* A head, or what is no head, and where it is drawn. */
typedef struct head_cell {
    const hl_node *row;
    const char *name;
    unsigned layer, column;
    bool placed; /* in its layer's row; else in a line below */
    double x, y, width;
} head_cell;

typedef struct head_map {
    const hl_node *item;
    const palette *labels;
    head_cell *cells;
    size_t count, heads; /* those that are heads come first */
    bool has_values, has_labels, is_signed, is_clipped, are_whole;
    double low, high; /* ends of the scale */
    unsigned first_layer, end_layer, columns;
    const char *beside;                         /* "MLP", the column that is no head's; "": there is none */
    double left, top, cell, row, below, legend; /* places */
    double width, height;
    bool links; /* a label's cell leads to the head's card */
} head_map;

/* Room for one picture. `item` and `labels` outlive it. */
hl_status head_map_open(head_map *self, const hl_node *item, const palette *labels, hl_error *error);
void head_map_close(head_map *self); /* accepts a zeroed one */

void head_map_draw(const head_map *self, html *out);

/* "L3.H5" -> 3, 5; false: no such name. */
bool head_map_place(const char *name, unsigned *layer, unsigned *head);

#endif
