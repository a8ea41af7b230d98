/* All that results say of single heads, head by head, whoever said it. Draws nothing, and knows no plugin: an
 * item, or a row of a map's or a table's, that names a head in `head` is about that head. */
#ifndef GATHER_H
#define GATHER_H

#include <headlight/report.h>

typedef struct said {
    const char *head;
    unsigned layer, index;
    bool has_place;       /* the head's name says its layer and its number in it */
    const hl_node *whose; /* the step, or the analysis */
    bool by_step;
    size_t number;       /* of the step or the analysis, from 1 */
    const hl_node *item; /* of its results */
    const hl_node *row;  /* the row of the item; NULL: the item itself */
    size_t order;        /* among all that is said */
} said;

typedef struct gathered {
    said *all; /* head by head, in the order of layers; of a head in the order in which it is said */
    size_t count;
    bool is_worth; /* a page of its own for each head: more is said than maps and pictures show */
} gathered;

hl_status gather(const hl_report *report, gathered *out, hl_error *error);
void gathered_free(gathered *self); /* accepts a zeroed one */

#endif
