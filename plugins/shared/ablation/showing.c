/* See showing.h. */
#include "showing.h"
#include "property-words/property-words.h"

static const char *const way_words[] = {"replaced by their mean over the gallery", "set to zero"};

static bool is_own(const ablation *self, size_t one) {
    return one > 0 && self->cases->all[one].of == CASE_OWN;
}

/* "main.colors" and "colors". */
static bool same_name(const char *key, const char *property) {
    const char *dot = strrchr(key, '.');
    char *a = property_key(dot ? dot + 1 : key), *b = property_key(property);
    bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

static bool belongs(const ablation *self, size_t one, size_t task) {
    return is_own(self, one) && same_name(self->of->tasks[task].key, self->cases->all[one].name);
}

/* ---- tables ---- */

static hl_item *begin_table(hl_result *to, const char *title) {
    hl_item *item = to->item(to, HL_SCHEMA_TABLE);
    to->text(item, "title", title);
    return to->list(item, "rows", HL_TABLE);
}

static hl_item *begin_row(const ablation *self, hl_result *to, hl_item *rows, size_t one, size_t task) {
    hl_item *row = to->map(rows, NULL);
    to->text(row, "ablated", self->cases->all[one].name);
    to->text(row, "classes", self->of->tasks[task].key);
    to->truth(row, "own", belongs(self, one, task));
    to->whole(row, "heads", (int64_t)self->cases->all[one].heads);
    to->whole(row, "others", (int64_t)(self->cases->all[one].count - self->cases->all[one].heads));
    return row;
}

static void show_spread(const ablation *self, hl_result *to, hl_item *row, const ablation_spread *random) {
    if (self->settings.draws == 0) return;
    to->number(row, "random", random->mean);
    to->number(row, "random low", random->low);
    to->number(row, "random high", random->high);
    to->whole(row, "draws", (int64_t)random->draws);
    to->whole(row, "draws as low", (int64_t)random->as_low);
    to->number(row, "heads shared", random->shared);
}

static void show_worst(const ablation *self, hl_result *to, hl_item *row, size_t task,
                       const classifier_measures *before, const classifier_measures *after,
                       const ablation_spread *random) {
    bool known = after->worst_group != CLASSIFIER_NONE;
    to->number(row, "worst group before", before->worst);
    to->number(row, "worst group", after->worst);
    to->text(row, "which", known ? self->of->tasks[task].groups[after->worst_group] : "none");
    if (self->settings.draws > 0) to->number(row, "random worst group", random->worst);
}

static hl_status show_frozen(const ablation *self, hl_result *to, hl_item *rows, size_t one, size_t task,
                             hl_error *error) {
    classifier_measures before, after;
    ablation_spread random;
    hl_status status = ablation_measure(self, 0, task, ABLATION_GALLERY, &before, error);
    if (status == HL_OK) status = ablation_measure(self, one, task, ABLATION_GALLERY, &after, error);
    if (status == HL_OK) status = ablation_spread_of(self, one, task, ABLATION_GALLERY, &random, error);
    if (status != HL_OK) return status;
    hl_item *row = begin_row(self, to, rows, one, task);
    to->whole(row, "images", (int64_t)after.images);
    to->number(row, "before", before.accuracy);
    to->number(row, "accuracy", after.accuracy);
    to->number(row, "balanced", after.balanced);
    show_spread(self, to, row, &random);
    show_worst(self, to, row, task, &before, &after, &random);
    return HL_OK;
}

static hl_status show_rerun(const ablation *self, hl_result *to, hl_item *rows, size_t one, size_t task,
                            hl_error *error) {
    classifier_measures before, frozen, rerun;
    ablation_spread random;
    hl_status status = ablation_measure(self, 0, task, ABLATION_RERUN, &before, error);
    if (status == HL_OK) status = ablation_measure(self, one, task, ABLATION_SUBSET, &frozen, error);
    if (status == HL_OK) status = ablation_measure(self, one, task, ABLATION_RERUN, &rerun, error);
    if (status == HL_OK) status = ablation_spread_of(self, one, task, ABLATION_RERUN, &random, error);
    if (status != HL_OK) return status;
    hl_item *row = begin_row(self, to, rows, one, task);
    to->whole(row, "images", (int64_t)rerun.images);
    to->number(row, "before", before.accuracy);
    to->number(row, "from codes", frozen.accuracy);
    to->number(row, "accuracy", rerun.accuracy);
    to->number(row, "same answers", ablation_agreement(self, one, task));
    show_spread(self, to, row, &random);
    show_worst(self, to, row, task, &before, &rerun, &random);
    return HL_OK;
}

typedef hl_status show_row(const ablation *self, hl_result *to, hl_item *rows, size_t one, size_t task,
                           hl_error *error);

static hl_status show_rows(const ablation *self, show_row *show, hl_result *to, hl_item *rows,
                           hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->cases->count; ++i) {
        for (size_t t = 0; is_own(self, i) && t < self->of->task_count && status == HL_OK; ++t) {
            status = show(self, to, rows, i, t, error);
        }
    }
    return status;
}

/* Over all cases and keys, draws too: how far what codes say is what reruns say. */
static hl_status show_agreement(const ablation *self, hl_result *to, hl_error *error) {
    double off = 0, most = 0, same = 0;
    size_t compared = 0;
    for (size_t i = 1; i < self->cases->count; ++i) {
        for (size_t t = 0; t < self->of->task_count; ++t) {
            classifier_measures frozen, rerun;
            hl_status status = ablation_measure(self, i, t, ABLATION_SUBSET, &frozen, error);
            if (status == HL_OK) status = ablation_measure(self, i, t, ABLATION_RERUN, &rerun, error);
            if (status != HL_OK) return status;
            double apart = frozen.accuracy - rerun.accuracy;
            off += apart < 0 ? -apart : apart;
            if (apart > most || -apart > most) most = apart < 0 ? -apart : apart;
            same += ablation_agreement(self, i, t);
            ++compared;
        }
    }
    if (compared == 0) return HL_OK;
    hl_item *row =
        to->map(begin_table(to, "How far codes and reruns agree, over all that was ablated"), NULL);
    to->whole(row, "images", (int64_t)self->image_count);
    to->whole(row, "comparisons", (int64_t)compared);
    to->number(row, "accuracies apart, mean", off / (double)compared);
    to->number(row, "accuracies apart, most", most);
    to->number(row, "same answers", same / (double)compared);
    return HL_OK;
}

hl_status showing_tables(const ablation *self, hl_result *to, hl_error *error) {
    char title[300];
    const char *way = way_words[self->settings.way];
    hl_format(title, sizeof title, "Accuracy with components %s, from codes, the normalisation frozen", way);
    hl_status status = show_rows(self, show_frozen, to, begin_table(to, title), error);
    if (status == HL_OK) classifier_show_left_out(self->of, to);
    if (status != HL_OK || !self->rerun) return status;
    hl_format(title, sizeof title, "Accuracy with components %s in %s, by reruns over %zu images", way,
              self->settings.rows == ABLATION_POOLED ? "the pooled row" : "all rows", self->image_count);
    status = show_rows(self, show_rerun, to, begin_table(to, title), error);
    return status == HL_OK ? show_agreement(self, to, error) : status;
}

hl_status showing_losses(const ablation *self, hl_result *to, hl_error *error) {
    if (self->of->task_count < 2) return HL_OK;
    hl_item *rows = begin_table(to, "Accuracy lost, by what is ablated and what is named, from codes");
    for (size_t i = 1; i < self->cases->count; ++i) {
        if (!is_own(self, i)) continue;
        hl_item *row = to->map(rows, NULL);
        to->text(row, "ablated", self->cases->all[i].name);
        for (size_t t = 0; t < self->of->task_count; ++t) {
            classifier_measures before, after;
            hl_status status = ablation_measure(self, 0, t, ABLATION_GALLERY, &before, error);
            if (status == HL_OK) status = ablation_measure(self, i, t, ABLATION_GALLERY, &after, error);
            if (status != HL_OK) return status;
            to->number(row, self->of->tasks[t].key, before.accuracy - after.accuracy);
        }
    }
    return HL_OK;
}

/* ---- maps ---- */

static bool is_single(const ablation *self, size_t one) {
    const ablation_case *of = &self->cases->all[one];
    return is_own(self, one) && of->count == 1 && of->heads == 1;
}

static hl_status show_map(const ablation *self, hl_result *to, size_t task, hl_error *error) {
    char title[300];
    classifier_measures before, after;
    hl_format(title, sizeof title, "%s: accuracy lost without each head, from codes",
              self->of->tasks[task].key);
    hl_item *item = to->item(to, HL_SCHEMA_HEAD_MAP);
    to->text(item, "title", title);
    to->truth(item, "signed", true);
    hl_item *rows = to->list(item, "heads", HL_TABLE);
    hl_status status = ablation_measure(self, 0, task, ABLATION_GALLERY, &before, error);
    for (size_t i = 1; i < self->cases->count && status == HL_OK; ++i) {
        if (!is_single(self, i)) continue;
        status = ablation_measure(self, i, task, ABLATION_GALLERY, &after, error);
        hl_item *row = to->map(rows, NULL);
        uint32_t head = self->cases->all[i].components[0];
        to->text(row, "head", hl_component_at(self->of->ask->model, head)->name);
        to->number(row, "value", before.accuracy - after.accuracy);
    }
    return status;
}

hl_status showing_maps(const ablation *self, hl_result *to, bool *any, hl_error *error) {
    size_t single = 0;
    for (size_t i = 0; i < self->cases->count; ++i) single += is_single(self, i);
    *any = single > 1;
    hl_status status = HL_OK;
    for (size_t t = 0; *any && t < self->of->task_count && status == HL_OK; ++t) {
        status = show_map(self, to, t, error);
    }
    return status;
}

/* ---- charts ---- */

static hl_item *begin_chart(hl_result *to, const char *title, const char *kind, const char *x) {
    hl_item *item = to->item(to, HL_SCHEMA_CHART);
    to->text(item, "title", title);
    to->text(item, "kind", kind);
    to->text(item, "x", x);
    to->text(item, "y", "accuracy");
    return to->list(item, "series", HL_LIST);
}

static hl_item *begin_series(hl_result *to, hl_item *series, const char *name, bool reference) {
    hl_item *one = to->map(series, NULL);
    to->text(one, "name", name);
    if (reference) to->truth(one, "reference", true);
    return to->list(one, "points", HL_TABLE);
}

/* What a series shows of a case. */
typedef enum shown { SHOWN_BEFORE, SHOWN_FROZEN, SHOWN_RERUN, SHOWN_RANDOM, SHOWN_COUNT } shown;
static const char *const shown_names[] = {"nothing ablated", "ablated, from codes", "ablated, by reruns",
                                          "as many random heads, from codes"};

static bool is_there(const ablation *self, shown what) {
    return (what != SHOWN_RERUN || self->rerun) && (what != SHOWN_RANDOM || self->settings.draws > 0);
}

/* The y of a point, with the ends of its interval for draws. */
static hl_status show_y(const ablation *self, hl_result *to, hl_item *point, size_t one, size_t task,
                        shown what, hl_error *error) {
    classifier_measures got = {.images = 0};
    ablation_spread random = {.draws = 0};
    hl_status status = ablation_measure(self, what == SHOWN_BEFORE ? 0 : one, task,
                                        what == SHOWN_RERUN ? ABLATION_RERUN : ABLATION_GALLERY, &got, error);
    if (status == HL_OK && what == SHOWN_RANDOM)
        status = ablation_spread_of(self, one, task, ABLATION_GALLERY, &random, error);
    if (status != HL_OK) return status;
    to->number(point, "y", what == SHOWN_RANDOM ? random.mean : got.accuracy);
    if (what == SHOWN_RANDOM) to->number(point, "low", random.low);
    if (what == SHOWN_RANDOM) to->number(point, "high", random.high);
    return HL_OK;
}

/* The case that is a key's own; 0: none is. */
static size_t own_case(const ablation *self, size_t task) {
    for (size_t i = 1; i < self->cases->count; ++i) {
        if (belongs(self, i, task)) return i;
    }
    return 0;
}

static hl_status show_pairs(const ablation *self, hl_result *to, hl_error *error) {
    hl_item *series =
        begin_chart(to, "Accuracy without the heads of a factor's own property", "bar", "classes");
    hl_status status = HL_OK;
    for (shown what = 0; what < SHOWN_COUNT; ++what) {
        if (!is_there(self, what)) continue;
        hl_item *points =
            begin_series(to, series, shown_names[what], what == SHOWN_BEFORE || what == SHOWN_RANDOM);
        for (size_t t = 0; t < self->of->task_count && status == HL_OK; ++t) {
            if (own_case(self, t) == 0) continue;
            hl_item *point = to->map(points, NULL);
            to->text(point, "x", self->of->tasks[t].key);
            status = show_y(self, to, point, own_case(self, t), t, what, error);
        }
    }
    return status;
}

static hl_status show_cases(const ablation *self, hl_result *to, size_t task, const char *title, bool lines,
                            hl_error *error) {
    hl_item *series =
        begin_chart(to, title, lines ? "line" : "bar", lines ? "steps from the front" : "ablated");
    hl_status status = HL_OK;
    for (shown what = lines ? SHOWN_FROZEN : SHOWN_BEFORE; what < SHOWN_COUNT; ++what) {
        if (!is_there(self, what)) continue;
        hl_item *points =
            begin_series(to, series, shown_names[what], what == SHOWN_BEFORE || what == SHOWN_RANDOM);
        int64_t step = 0;
        for (size_t i = lines ? 0 : 1; i < self->cases->count && status == HL_OK; ++i) {
            if (self->cases->all[i].of != CASE_OWN) continue;
            hl_item *point = to->map(points, NULL);
            if (lines) to->whole(point, "x", step++);
            if (!lines) to->text(point, "x", self->cases->all[i].name);
            status = show_y(self, to, point, i, task, what, error);
        }
    }
    return status;
}

hl_status showing_bars(const ablation *self, hl_result *to, hl_error *error) {
    bool paired = false;
    hl_status status = HL_OK;
    for (size_t t = 0; t < self->of->task_count; ++t) paired = paired || own_case(self, t) > 0;
    if (paired) return show_pairs(self, to, error);
    for (size_t t = 0; t < self->of->task_count && status == HL_OK; ++t) {
        char title[300];
        hl_format(title, sizeof title, "%s: accuracy without some components", self->of->tasks[t].key);
        status = show_cases(self, to, t, title, false, error);
    }
    return status;
}

hl_status showing_curves(const ablation *self, hl_result *to, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t t = 0; t < self->of->task_count && status == HL_OK; ++t) {
        char title[300];
        hl_format(title, sizeof title, "%s: accuracy while the front is ablated", self->of->tasks[t].key);
        status = show_cases(self, to, t, title, true, error);
    }
    return status;
}

/* ---- groups ---- */

/* The share of a group's images, by case. `counts`: room for two numbers of each group. */
static void show_group_cells(const ablation *self, hl_result *to, hl_item *row, size_t task, size_t group,
                             size_t *counts) {
    const classifier_task *of = &self->of->tasks[task];
    size_t *correct = counts, *all = counts + of->group_count;
    for (size_t i = 0; i < self->cases->count; ++i) {
        if (self->cases->all[i].of != CASE_OWN) continue;
        classifier_count_groups(of, ablation_answers(self, i, task), NULL, self->of->images, correct, all);
        if (i == 0) to->whole(row, "images", (int64_t)all[group]);
        double share = all[group] > 0 ? (double)correct[group] / (double)all[group] : 0;
        to->number(row, self->cases->all[i].name, share);
    }
}

hl_status showing_groups(const ablation *self, hl_result *to, hl_error *error) {
    hl_item *rows = begin_table(to, "Accuracy of each group, from codes");
    for (size_t t = 0; t < self->of->task_count; ++t) {
        const classifier_task *of = &self->of->tasks[t];
        size_t *counts = calloc(2 * of->group_count + 1, sizeof *counts);
        if (!counts) return hl_no_memory(error, "counts of groups");
        for (size_t g = 0; g < of->group_count; ++g) {
            hl_item *row = to->map(rows, NULL);
            to->text(row, "classes", of->key);
            to->text(row, "group", of->groups[g]);
            show_group_cells(self, to, row, t, g, counts);
        }
        free(counts);
    }
    return HL_OK;
}

/* What the bars of a key are: by reruns only where there are any. */
typedef struct bar {
    const char *name;
    ablation_where where;
    bool worst, random;
} bar;
static const bar bars[] = {
    {"accuracy, from codes", ABLATION_GALLERY, false, false},
    {"worst group, from codes", ABLATION_GALLERY, true, false},
    {"accuracy, by reruns", ABLATION_RERUN, false, false},
    {"worst group, by reruns", ABLATION_RERUN, true, false},
    {"worst group, as many random heads, from codes", ABLATION_GALLERY, true, true},
};

static hl_status show_bar(const ablation *self, hl_result *to, hl_item *series, size_t task, const bar *what,
                          hl_error *error) {
    if ((what->where == ABLATION_RERUN && !self->rerun) || (what->random && self->settings.draws == 0))
        return HL_OK;
    hl_item *points = begin_series(to, series, what->name, what->random);
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->cases->count && status == HL_OK; ++i) {
        classifier_measures got;
        ablation_spread random;
        if (self->cases->all[i].of != CASE_OWN) continue;
        status = ablation_measure(self, i, task, what->where, &got, error);
        if (status == HL_OK) status = ablation_spread_of(self, i, task, what->where, &random, error);
        if (status != HL_OK) break;
        hl_item *point = to->map(points, NULL);
        to->text(point, "x", self->cases->all[i].name);
        to->number(point, "y", what->random ? random.worst : what->worst ? got.worst : got.accuracy);
    }
    return status;
}

hl_status showing_worst(const ablation *self, hl_result *to, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t t = 0; t < self->of->task_count; ++t) {
        char title[300];
        hl_format(title, sizeof title, "%s: accuracy over all images, and of the worst group",
                  self->of->tasks[t].key);
        hl_item *series = begin_chart(to, title, "bar", "heads");
        for (size_t i = 0; i < sizeof bars / sizeof *bars && status == HL_OK; ++i) {
            status = show_bar(self, to, series, t, &bars[i], error);
        }
    }
    return status;
}
