/* What is ablated: sets of components, and for each as many random heads. */
#ifndef CASES_H
#define CASES_H

#include "headlight/ask.h"

/* `of` of a case that is no draw. */
#define CASE_OWN SIZE_MAX

typedef struct ablation_case {
    char *name;
    uint32_t *components; /* each once, in the model's order */
    size_t count;
    size_t heads; /* of them */
    size_t of;    /* the case whose random counterpart this is; CASE_OWN: none */
} ablation_case;

/* The first case of a list is nothing: what the others are compared with. */
typedef struct case_list {
    const hl_ask *ask;
    ablation_case *all;
    size_t count, room;
    bool *marks; /* by component: the set in hand */
} case_list;

/* To be freed also after a failure. */
hl_status cases_begin(const hl_ask *ask, case_list *out, hl_error *error);
void cases_free(case_list *self);

/* ---- the set in hand ---- */
void cases_clear(case_list *self);
void cases_mark(case_list *self, uint32_t component);
void cases_mark_all(case_list *self, const hl_selection *selection);
/* All components of a kind (hl_component_kind), of one layer or, with -1, of all. */
void cases_mark_kind(case_list *self, uint32_t kind, int32_t layer);
/* Every head that is not marked, and nothing else. */
void cases_turn(case_list *self);

/* Adds the set in hand. */
hl_status cases_add(case_list *self, const char *name, size_t of, hl_error *error);

/* ---- random counterparts ---- */
typedef enum draw_from {
    DRAW_SAME_LAYER = 0, /* as many heads of each layer */
    DRAW_ANY             /* as many heads */
} draw_from;

/* Marks random heads in place of those of a case: others where there are enough, and then some of its own;
 * what is no head stays. `allowed` by component, NULL: every head. The same seed, the same heads. */
hl_status cases_mark_random(case_list *self, size_t of, draw_from from, const bool *allowed, uint64_t seed,
                            hl_error *error);

/* How many heads two cases share. */
size_t cases_shared(const case_list *self, size_t one, size_t other);

#endif
