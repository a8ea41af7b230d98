/* Which heads carry which property, and a colour for each property. */
#ifndef PALETTE_H
#define PALETTE_H

#include <headlight/result.h>

enum { PALETTE_COLORS = 12 }; /* more cannot be told apart */

/* Properties that the results as a whole name come first, then labels that only maps of heads have. */
typedef struct palette {
    const hl_node *heads; /* {"L0.H0": "weather", ...}; NULL: nothing is known */
    const char **names;   /* the properties, those of most heads first; equally many in the order of names */
    size_t *shares;       /* how many heads have each: as the results say, 0 for labels of maps */
    size_t *uses;         /* how often maps of heads label with each */
    size_t count, room;
} palette;

/* `root` of the results. */
hl_status palette_open(palette *self, const hl_node *root, hl_error *error);
void palette_close(palette *self);

/* The head's property, or NULL. */
const char *palette_property(const palette *self, const char *head);

/* The property's number; SIZE_MAX when it is none. */
size_t palette_index(const palette *self, const char *property);

/* How many of the properties, from the first on, have a colour of their own: all of few; of many those that
 * several heads share. */
size_t palette_colored(const palette *self);

#endif
