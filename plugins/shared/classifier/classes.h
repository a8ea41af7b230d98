/* Inside the classifier: from options to tasks, and from tasks to directions. */
#ifndef CLASSES_H
#define CLASSES_H

#include "classifier/class_list.h"
#include "classifier/classifier.h"

/* A task while it is made. */
typedef struct own_task {
    classifier_task shown; /* what is handed out; its arrays are these: */
    const char **classes;
    char **groups;
    uint16_t *truth, *group;
    class_row *rows; /* of its classes in their order; each value's texts stand together */
    size_t row_count;
} own_task;

/* The classes of a task: from the list, or, where there is none, the values that the gallery has. */
hl_status classes_choose(own_task *task, const class_list *list, const facts *from, size_t key,
                         hl_error *error);

/* Which image is of which class; what is left over is said in the log. */
hl_status classes_label(own_task *task, const facts *from, size_t key, hl_error *error);

/* Which image is in which group. `keys` count: none: the class is the group. */
hl_status classes_group(own_task *task, const facts *from, const size_t *keys, size_t count, hl_error *error);

/* direction_count x embed_dim, for all tasks; `templates` NULL: the texts alone. */
hl_status classes_encode(const hl_ask *ask, const own_task *tasks, size_t count, const char *templates,
                         double *directions, hl_error *error);

#endif
