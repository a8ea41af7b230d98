/* See classifier.h. */
#include "classes.h"

typedef struct own_classifier {
    classifier shown; /* first: what is handed out */
    classifier_task *tasks;
    own_task *made;
    double *directions;
    const char **keys; /* of the tasks, then of the groups */
    class_list *list;  /* NULL: none was named */
    facts facts;
} own_classifier;

/* ---- keys ---- */

static hl_status find_keys(own_classifier *self, const hl_value *keys, const hl_value *groups,
                           hl_error *error) {
    const class_list *list = self->list;
    size_t headings = list && keys->count == 0 ? list->key_count : 0;
    size_t count = self->shown.task_count = keys->count + headings;
    if (count == 0)
        return hl_fail(error, HL_USAGE,
                       "keys: expected what the classes are values of, such as [places]: a key of "
                       "gallery.json%s",
                       list ? ", or headings such as [places] in the file of classes" : "");
    self->keys = malloc((count + groups->count) * sizeof *self->keys);
    if (!self->keys) return hl_no_memory(error, "keys");
    for (size_t i = 0; i < count; ++i) self->keys[i] = keys->count ? keys->strings[i] : list->keys[i];
    for (size_t i = 0; i < groups->count; ++i) self->keys[count + i] = groups->strings[i];
    return HL_OK;
}

static hl_status read_keys(own_classifier *self, const hl_value *const *values, hl_error *error) {
    const hl_value *groups = values[CLASSIFIER_GROUPS], *classes = values[CLASSIFIER_CLASSES];
    const hl_ask *ask = self->shown.ask;
    hl_status status = HL_OK;
    if (classes->given) status = class_list_open(ask->host, classes->string, &self->list, error);
    if (status == HL_OK) status = find_keys(self, values[CLASSIFIER_KEYS], groups, error);
    size_t count = self->shown.task_count + groups->count;
    return status == HL_OK ? facts_read(ask, self->keys, count, &self->facts, error) : status;
}

/* ---- tasks ---- */

static hl_status make_task(own_classifier *self, size_t index, const size_t *groups, size_t group_count,
                           hl_error *error) {
    own_task *task = &self->made[index];
    hl_status status = classes_choose(task, self->list, &self->facts, index, error);
    if (status == HL_OK) status = classes_label(task, &self->facts, index, error);
    if (status == HL_OK) status = classes_group(task, &self->facts, groups, group_count, error);
    task->shown.first = self->shown.direction_count;
    self->shown.direction_count += task->shown.class_count;
    return status;
}

static hl_status make_tasks(own_classifier *self, size_t group_count, hl_error *error) {
    size_t count = self->shown.task_count, *groups = calloc(group_count + 1, sizeof *groups);
    self->made = calloc(count, sizeof *self->made);
    self->tasks = calloc(count, sizeof *self->tasks);
    bool complete = groups && self->made && self->tasks;
    hl_status status = complete ? HL_OK : hl_no_memory(error, "classes");
    for (size_t i = 0; complete && i < group_count; ++i) groups[i] = count + i;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = make_task(self, i, groups, group_count, error);
        self->tasks[i] = self->made[i].shown;
    }
    free(groups);
    return status;
}

static hl_status encode(own_classifier *self, const hl_value *templates, hl_error *error) {
    classifier *shown = &self->shown;
    self->directions = calloc(shown->direction_count * shown->ask->model->embed_dim + 1, sizeof(double));
    if (!self->directions) return hl_no_memory(error, "directions of classes");
    shown->directions = self->directions;
    return classes_encode(shown->ask, self->made, shown->task_count,
                          templates->given ? templates->string : NULL, self->directions, error);
}

/* ---- all together ---- */

hl_status classifier_open(const hl_ask *ask, const hl_value *const *values, classifier **out,
                          hl_error *error) {
    *out = NULL;
    own_classifier *self = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a classifier");
    self->shown.ask = ask;
    hl_status status = read_keys(self, values, error);
    self->shown.images = self->facts.images;
    if (status == HL_OK) status = make_tasks(self, values[CLASSIFIER_GROUPS]->count, error);
    if (status == HL_OK) status = encode(self, values[CLASSIFIER_TEMPLATES], error);
    self->shown.tasks = self->tasks;
    if (status == HL_OK) {
        *out = &self->shown;
    } else {
        classifier_close(&self->shown);
    }
    return status;
}

static void free_task(own_task *task) {
    for (size_t i = 0; task->groups && i < task->shown.group_count; ++i) free(task->groups[i]);
    free(task->groups);
    free(task->classes);
    free(task->truth);
    free(task->group);
    free(task->rows);
}

void classifier_close(classifier *shown) {
    own_classifier *self = (own_classifier *)(void *)shown;
    if (!self) return;
    for (size_t i = 0; self->made && i < shown->task_count; ++i) free_task(&self->made[i]);
    free(self->made);
    free(self->tasks);
    free(self->directions);
    free(self->keys);
    facts_free(&self->facts);
    class_list_close(self->list);
    free(self);
}
