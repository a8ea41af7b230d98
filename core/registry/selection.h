/* What an entry of an HL_HEADS option says: L3.H5, L3, L8-L11, all, aggregate, L3.MLP, input, embedding, and
 * sums of these with weights. First the writing, which needs no model, then the selections of a model's
 * components that it stands for. */
#ifndef SELECTION_H
#define SELECTION_H

#include "core/io/arena.h"
#include "headlight/model.h"
#include "headlight/option.h"

#define SELECTION_LARGEST_WEIGHT 1e6

/* "heads (L3.H5, L3, ... or all)": what an option with these flags takes. */
void selection_words(uint32_t flags, char *out, size_t size);

/* Whether the writing is right where an option has these flags. The error is the end of a sentence; empty
 * where there is no more to say than what is expected. */
hl_status selection_check(const char *entry, uint32_t flags, hl_error *error);

/* A list of selections that grows; what it names twice counts once, by the name that came first. */
typedef struct selection_list {
    arena *memory;
    const hl_model_info *model; /* outlives the list */
    hl_selection **all;
    size_t count, room;
} selection_list;

/* Adds what an entry stands for, whose writing is right. HL_USAGE for what the model lacks, and for a
 * component that is twice in a sum. */
hl_status selection_add(selection_list *list, const char *entry, hl_error *error);

#endif
