/* Which heads carry which property, and a colour for each property. */
#ifndef PALETTE_H
#define PALETTE_H

#include <headlight/result.h>

enum { PALETTE_COLORS = 12 }; /* more cannot be told apart */

typedef struct palette {
    const hl_node *heads; /* {"L0.H0": "weather", ...}; NULL: nothing is known */
    const char **names;   /* the properties, those of most heads first; equally many in the order of names */
    size_t *shares;       /* how many heads have each */
    size_t count;
} palette;

/* `properties`: the results' map, or NULL. */
hl_status palette_open(palette *self, const hl_node *properties, hl_error *error);
void palette_close(palette *self);

/* The head's property, or NULL. */
const char *palette_property(const palette *self, const char *head);

/* The property's number; SIZE_MAX when it is none. */
size_t palette_index(const palette *self, const char *property);

/* How many of the properties, from the first on, have a colour of their own: all of few; of many those that
 * several heads share. */
size_t palette_colored(const palette *self);

#endif
