/* Which classes a task has, and which image is of which. */
#include "classes.h"

/* Names in one line, the first of many. */
typedef struct name_list {
    char text[400];
    size_t count;
} name_list;

static void add_name(name_list *to, const char *name) {
    enum { SHOWN = 8 };
    size_t used = strlen(to->text);
    if (++to->count <= SHOWN && used + strlen(name) + 8 < sizeof to->text) {
        snprintf(to->text + used, sizeof to->text - used, "%s%s", used ? ", " : "", name);
    } else if (used + 8 < sizeof to->text && (used < 3 || strcmp(to->text + used - 3, "...") != 0)) {
        snprintf(to->text + used, sizeof to->text - used, ", ...");
    }
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The values of one key, each once, sorted; `release` it. */
static hl_status find_values(const facts *from, size_t key, const char ***out, size_t *count,
                             hl_error *error) {
    const char **all = *out = from->host->allocate(from->host, from->images + 1, sizeof *all);
    if (!all) return hl_no_memory(error, "the gallery's values");
    size_t found = 0, kept = 0;
    for (size_t i = 0; i < from->images; ++i) {
        if (facts_at(from, i, key)) all[found++] = facts_at(from, i, key);
    }
    if (found > 0) qsort(all, found, sizeof *all, compare_texts);
    for (size_t i = 0; i < found; ++i) {
        if (i == 0 || strcmp(all[i], all[kept - 1]) != 0) all[kept++] = all[i];
    }
    *count = kept;
    return HL_OK;
}

/* ---- which classes ---- */

static hl_status take_rows(own_task *task, const class_row *rows, size_t count, hl_error *error) {
    task->rows = malloc((count + 1) * sizeof *task->rows);
    task->classes = malloc((count + 1) * sizeof *task->classes);
    if (!task->rows || !task->classes) return hl_no_memory(error, "classes");
    memcpy(task->rows, rows, count * sizeof *rows);
    task->row_count = count;
    for (size_t i = 0; i < count; ++i) {
        bool again = i > 0 && rows[i].value == rows[i - 1].value;
        if (!again) task->classes[task->shown.class_count++] = rows[i].value;
    }
    task->shown.classes = task->classes;
    if (task->shown.class_count <= CLASSIFIER_MOST) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s has %zu classes, more than %d: name those to tell apart in `classes`",
                   task->shown.key, task->shown.class_count, CLASSIFIER_MOST);
}

static hl_status take_values(own_task *task, const facts *from, size_t key, hl_error *error) {
    const char **values;
    size_t count;
    hl_status status = find_values(from, key, &values, &count, error);
    class_row *rows = status == HL_OK ? calloc(count + 1, sizeof *rows) : NULL;
    if (status == HL_OK && !rows) status = hl_no_memory(error, "classes");
    for (size_t i = 0; status == HL_OK && i < count; ++i) {
        rows[i] = (class_row){.value = values[i], .text = values[i]};
    }
    if (status == HL_OK) status = take_rows(task, rows, count, error);
    free(rows);
    from->host->release(from->host, values);
    return status;
}

hl_status classes_choose(own_task *task, const class_list *list, const facts *from, size_t key,
                         hl_error *error) {
    task->shown.key = from->keys[key];
    if (!list) return take_values(task, from, key, error);
    const class_row *rows;
    size_t count = class_list_find(list, task->shown.key, &rows);
    if (count > 0) return take_rows(task, rows, count, error);
    name_list known = {.count = 0};
    for (size_t i = 0; i < list->key_count; ++i) add_name(&known, list->keys[i]);
    return hl_fail(error, HL_USAGE, "%s: has no classes for %s; its headings are %s", list->path,
                   task->shown.key, known.text);
}

/* ---- which image is of which ---- */

typedef struct sorted_class {
    const char *value;
    uint16_t number;
} sorted_class;

static int compare_classes(const void *a, const void *b) {
    return strcmp(((const sorted_class *)a)->value, ((const sorted_class *)b)->value);
}

/* Said once for each key: the images that do not count, and the classes that only distract. */
static hl_status tell(const own_task *task, const facts *from, size_t key, const size_t *of_class,
                      const sorted_class *sorted, hl_error *error) {
    const classifier_task *shown = &task->shown;
    name_list unknown = {.count = 0}, idle = {.count = 0};
    const char **values;
    size_t count;
    hl_status status = find_values(from, key, &values, &count, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < count; ++i) {
        const sorted_class wanted = {.value = values[i]};
        if (!bsearch(&wanted, sorted, shown->class_count, sizeof wanted, compare_classes))
            add_name(&unknown, values[i]);
    }
    from->host->release(from->host, values);
    for (size_t i = 0; i < shown->class_count; ++i) {
        if (of_class[i] == 0) add_name(&idle, shown->classes[i]);
    }
    if (unknown.count > 0)
        from->host->log(from->host, HL_LOG_WARNING,
                        "%s: %zu images have a value that is no class and are left out: %s", shown->key,
                        shown->unknown, unknown.text);
    if (idle.count > 0)
        from->host->log(from->host, HL_LOG_WARNING, "%s: no image of the gallery is of the class %s",
                        shown->key, idle.text);
    if (shown->labelled > 0) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: no image of the gallery is of any class; its values are %s",
                   shown->key, unknown.text);
}

static void label_images(own_task *task, const facts *from, size_t key, const sorted_class *sorted,
                         size_t *of_class) {
    classifier_task *shown = &task->shown;
    for (size_t i = 0; i < from->images; ++i) {
        const sorted_class wanted = {.value = facts_at(from, i, key)}, *found = NULL;
        if (wanted.value)
            found = bsearch(&wanted, sorted, shown->class_count, sizeof wanted, compare_classes);
        task->truth[i] = found ? found->number : (uint16_t)CLASSIFIER_NONE;
        shown->without_value += !wanted.value;
        shown->unknown += wanted.value && !found;
        shown->labelled += found != NULL;
        if (found) ++of_class[found->number];
    }
}

hl_status classes_label(own_task *task, const facts *from, size_t key, hl_error *error) {
    size_t count = task->shown.class_count;
    sorted_class *sorted = calloc(count, sizeof *sorted);
    size_t *of_class = calloc(count, sizeof *of_class);
    task->truth = calloc(from->images + 1, sizeof *task->truth);
    hl_status status = sorted && of_class && task->truth ? HL_OK : hl_no_memory(error, "classes of images");
    task->shown.truth = task->truth;
    for (size_t i = 0; status == HL_OK && i < count; ++i) {
        sorted[i] = (sorted_class){task->classes[i], (uint16_t)i};
    }
    if (status == HL_OK) {
        qsort(sorted, count, sizeof *sorted, compare_classes);
        label_images(task, from, key, sorted, of_class);
        status = tell(task, from, key, of_class, sorted, error);
    }
    free(sorted);
    free(of_class);
    return status;
}

/* ---- groups ---- */

/* "circle, sand"; NULL where a value is missing, or, with *lost, for want of memory. */
static char *name_group(const facts *from, size_t image, const size_t *keys, size_t count, bool *lost) {
    size_t length = 0;
    for (size_t k = 0; k < count; ++k) {
        const char *value = facts_at(from, image, keys[k]);
        if (!value) return NULL;
        length += strlen(value) + 2;
    }
    char *name = malloc(length + 1);
    *lost = *lost || !name;
    size_t used = 0;
    for (size_t k = 0; name && k < count; ++k) {
        used += (size_t)snprintf(name + used, length + 1 - used, "%s%s", k > 0 ? ", " : "",
                                 facts_at(from, image, keys[k]));
    }
    return name;
}

/* The names sorted, each once; those that are there again are freed. */
static size_t keep_one_each(char **names, size_t count) {
    size_t kept = 0;
    if (count > 0) qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 0; i < count; ++i) {
        if (kept > 0 && strcmp(names[i], names[kept - 1]) == 0) {
            free(names[i]);
        } else {
            names[kept++] = names[i];
        }
    }
    return kept;
}

static hl_status collect_groups(own_task *task, const facts *from, const size_t *keys, size_t count,
                                hl_error *error) {
    bool lost = false;
    size_t found = 0;
    for (size_t i = 0; i < from->images && !lost; ++i) {
        char *name = task->truth[i] == CLASSIFIER_NONE ? NULL : name_group(from, i, keys, count, &lost);
        if (name) task->groups[found++] = name;
    }
    task->shown.group_count = keep_one_each(task->groups, found);
    if (lost) return hl_no_memory(error, "groups of images");
    if (task->shown.group_count > CLASSIFIER_MOST)
        return hl_fail(error, HL_USAGE, "there are %zu groups, more than %d: name keys with fewer values",
                       task->shown.group_count, CLASSIFIER_MOST);
    return HL_OK;
}

static hl_status find_groups(own_task *task, const facts *from, const size_t *keys, size_t count,
                             hl_error *error) {
    bool lost = false;
    for (size_t i = 0; i < from->images && !lost; ++i) {
        char *name = task->truth[i] == CLASSIFIER_NONE ? NULL : name_group(from, i, keys, count, &lost);
        char **at =
            name ? bsearch(&name, task->groups, task->shown.group_count, sizeof name, compare_texts) : NULL;
        task->group[i] = at ? (uint16_t)(at - task->groups) : (uint16_t)CLASSIFIER_NONE;
        free(name);
    }
    return lost ? hl_no_memory(error, "groups of images") : HL_OK;
}

hl_status classes_group(own_task *task, const facts *from, const size_t *keys, size_t count,
                        hl_error *error) {
    if (count == 0) {
        task->shown.groups = task->shown.classes;
        task->shown.group_count = task->shown.class_count;
        task->shown.group = task->shown.truth;
        return HL_OK;
    }
    task->groups = calloc(from->images + 1, sizeof *task->groups);
    task->group = calloc(from->images + 1, sizeof *task->group);
    if (!task->groups || !task->group) return hl_no_memory(error, "groups of images");
    hl_status status = collect_groups(task, from, keys, count, error);
    if (status == HL_OK) status = find_groups(task, from, keys, count, error);
    task->shown.groups = (const char *const *)task->groups;
    task->shown.group = task->group;
    return status;
}
