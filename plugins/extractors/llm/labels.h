/* The heads that are asked about, and what was answered: {"labels": [{"head", "label", "reason"}]}. */
#ifndef LABELS_H
#define LABELS_H

#include "chat/chat.h"

typedef struct labelled_head {
    char *head;
    char *said;   /* the label, as the model wrote it; NULL: not answered yet */
    char *reason; /* NULL: it gave none */
} labelled_head;

typedef struct labels {
    labelled_head *all;
    size_t count;
} labels;

/* A head that is there already is not added again. */
hl_status labels_add(labels *self, const char *head, hl_error *error);
void labels_free(labels *self);

/* The heads of one question. */
typedef struct labels_asked {
    labels *of;
    size_t first, count;
} labels_asked;

/* A chat_take; `user` is a labels_asked. Strict: one label for each head asked, and no other. */
hl_status labels_take(void *user, const cJSON *answer, hl_error *error);

/* Labels that differ in case, number or a period are one property, which goes by the first of them; a head
 * for which the model has no label abstains. */
hl_status labels_hand_over(const labels *self, hl_finding *finding, hl_error *error);

#endif
