/* Heads, layer by layer, and the property that steps of labels give each of them: what scores are made from.
 */
#ifndef HEAD_PROPERTIES_H
#define HEAD_PROPERTIES_H

#include "headlight/extractor.h"

/* Where an option says nothing else, the last four layers (Madasu et al. 2024). */
#define HEADS_OPTIONS                                                                                        \
    {.name = "heads",                                                                                        \
     .type = HL_HEADS,                                                                                       \
     .fallback = "~",                                                                                        \
     .help = "The heads to look at; where it is left out, those of the last layers."},                       \
    {                                                                                                        \
        .name = "layers", .type = HL_INT, .fallback = "4", .min = 1, .max = 1000,                            \
        .help = "How many layers to look at, from the last on, where `heads` is left out."                   \
    }

/* Heads in the order of their layers. */
typedef struct head_list {
    const hl_host *host;
    const char **names;
    size_t *layer; /* of each head: which of the layers it is in */
    size_t count;
    int32_t *layers; /* as the model counts them, ascending */
    size_t *first;   /* of each layer its first head; one more at the end */
    size_t layer_count;
} head_list;

/* `heads`, `layers`: the values of HEADS_OPTIONS. Of a head that is named twice one counts. */
hl_status head_list_open(const hl_ask *ask, const hl_value *heads, const hl_value *layers, head_list *out,
                         hl_error *error);
void head_list_close(head_list *self); /* accepts a zeroed one */
/* Leaves out layers: those for which `keep` is false. */
void head_list_keep(head_list *self, const bool *keep);
size_t head_list_find(const head_list *self, const char *name); /* SIZE_MAX: it is not among them */

/* Properties by number: names that are one (property-words.h) have one number. */
typedef struct property_table {
    char **names; /* as first handed over; never a key */
    char **keys;
    size_t count;
} property_table;

void property_table_close(property_table *self); /* accepts a zeroed one */

#define NO_PROPERTY SIZE_MAX

/* The property of each head by a step of labels (NULL: the nearest one): the label of the greatest weight, of
 * equal ones the first that was handed over; NO_PROPERTY where there is none, or none but "mixed". `of_head`
 * has room for all heads. */
hl_status properties_read(const hl_ask *ask, const char *step, const head_list *heads, property_table *table,
                          size_t *of_head, hl_error *error);

#endif
