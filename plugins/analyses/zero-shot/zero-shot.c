/* zero-shot: which class do the embedding, or single heads, choose for every image of the gallery, and how
 * often is that right? */
#include "classifier/scoring.h"
#include "headlight/analysis.h"
#include "headlight/plugin.h"

/* Rows of the table; those of the classifier come first. */
enum { HEADS = CLASSIFIER_OPTION_COUNT, CENTRE, CONFUSION };

static const hl_option options[] = {
    CLASSIFIER_OPTIONS,
    {.name = "heads",
     .type = HL_HEADS,
     .fallback = "[embedding]",
     .flags = HL_OPTION_ALL_COMPONENTS | HL_OPTION_AGGREGATE | HL_OPTION_SETS,
     .help = "What is asked: the whole embedding, heads or MLPs alone, or sums of these."},
    {.name = "centre",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether the mean over the gallery is taken off before the classes are compared; for heads "
             "alone, whose means are no zero."},
    {.name = "confusion",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether to show which classes are taken for which."},
};

typedef struct zero_shot {
    const classifier *of;
    const hl_value *heads;
    const uint16_t *answers; /* heads x tasks x images */
    hl_result *result;
} zero_shot;

static const uint16_t *answers_of(const zero_shot *self, size_t head, size_t task) {
    return self->answers + (head * self->of->task_count + task) * self->of->images;
}

/* ---- what is shown ---- */

static void show_row(const zero_shot *self, hl_item *rows, size_t head, const classifier_task *task,
                     const classifier_measures *got) {
    hl_result *to = self->result;
    hl_item *row = to->map(rows, NULL);
    to->text(row, "classes", task->key);
    to->text(row, "head", self->heads->selections[head]->name);
    to->whole(row, "images", (int64_t)got->images);
    to->number(row, "accuracy", got->accuracy);
    to->number(row, "balanced", got->balanced);
    to->number(row, "chance", 1 / (double)task->class_count);
    if (got->worst_group == CLASSIFIER_NONE) return;
    to->text(row, "worst group", task->groups[got->worst_group]);
    to->number(row, "its accuracy", got->worst);
    to->whole(row, "its images", (int64_t)got->worst_images);
}

static hl_status show_table(const zero_shot *self, hl_error *error) {
    hl_result *to = self->result;
    hl_item *item = to->item(to, HL_SCHEMA_TABLE);
    to->text(item, "title", "Zero-shot accuracy");
    hl_item *rows = to->list(item, "rows", HL_TABLE);
    hl_status status = HL_OK;
    for (size_t t = 0; t < self->of->task_count; ++t) {
        for (size_t h = 0; h < self->heads->count && status == HL_OK; ++h) {
            classifier_measures got;
            const classifier_task *task = &self->of->tasks[t];
            status = classifier_measure(self->of, task, answers_of(self, h, t), NULL, self->of->images, &got,
                                        error);
            if (status == HL_OK) show_row(self, rows, h, task, &got);
        }
    }
    return status;
}

static hl_status show_point(const zero_shot *self, hl_item *points, size_t head, size_t task,
                            hl_error *error) {
    classifier_measures got;
    hl_status status = classifier_measure(self->of, &self->of->tasks[task], answers_of(self, head, task),
                                          NULL, self->of->images, &got, error);
    if (status != HL_OK) return status;
    hl_item *point = self->result->map(points, NULL);
    self->result->text(point, "x", self->of->tasks[task].key);
    self->result->number(point, "y", got.balanced);
    return HL_OK;
}

static void show_chance(const zero_shot *self, hl_item *series) {
    hl_result *to = self->result;
    hl_item *chance = to->map(series, NULL);
    to->text(chance, "name", "chance");
    to->truth(chance, "reference", true);
    hl_item *points = to->list(chance, "points", HL_TABLE);
    for (size_t t = 0; t < self->of->task_count; ++t) {
        hl_item *point = to->map(points, NULL);
        to->text(point, "x", self->of->tasks[t].key);
        to->number(point, "y", 1 / (double)self->of->tasks[t].class_count);
    }
}

/* More series than these are no picture: the table has them. */
static hl_status show_chart(const zero_shot *self, hl_error *error) {
    enum { SERIES_MOST = 8 };
    if (self->heads->count > SERIES_MOST) return HL_OK;
    hl_result *to = self->result;
    hl_item *item = to->item(to, HL_SCHEMA_CHART);
    to->text(item, "title", "Balanced zero-shot accuracy");
    to->text(item, "kind", "bar");
    to->text(item, "x", "classes");
    to->text(item, "y", "balanced accuracy");
    hl_item *series = to->list(item, "series", HL_LIST);
    hl_status status = HL_OK;
    for (size_t h = 0; h < self->heads->count; ++h) {
        hl_item *one = to->map(series, NULL);
        to->text(one, "name", self->heads->selections[h]->name);
        hl_item *points = to->list(one, "points", HL_TABLE);
        for (size_t t = 0; t < self->of->task_count && status == HL_OK; ++t) {
            status = show_point(self, points, h, t, error);
        }
    }
    show_chance(self, series);
    return status;
}

static bool is_head(const zero_shot *self, const hl_selection *selection) {
    return selection->kind == HL_COMPONENTS && selection->count == 1 &&
           hl_component_at(self->of->ask->model, selection->components[0])->kind == HL_HEAD;
}

/* How far from chance to 1 each head comes alone: what a head carries. */
static hl_status show_map(const zero_shot *self, size_t task, hl_error *error) {
    hl_result *to = self->result;
    const classifier_task *of = &self->of->tasks[task];
    double chance = 1 / (double)of->class_count;
    char title[300];
    hl_format(title, sizeof title, "%s in single heads, from chance (0) to always right (1)", of->key);
    hl_item *item = to->item(to, HL_SCHEMA_HEAD_MAP), *rows = to->list(item, "heads", HL_TABLE);
    to->text(item, "title", title);
    to->number(item, "low", 0);
    to->number(item, "high", 1);
    hl_status status = HL_OK;
    for (size_t h = 0; h < self->heads->count && status == HL_OK; ++h) {
        classifier_measures got;
        if (!is_head(self, self->heads->selections[h])) continue;
        status =
            classifier_measure(self->of, of, answers_of(self, h, task), NULL, self->of->images, &got, error);
        if (status != HL_OK) break;
        hl_item *row = to->map(rows, NULL);
        to->text(row, "head", self->heads->selections[h]->name);
        to->number(row, "value", chance < 1 ? (got.balanced - chance) / (1 - chance) : 0);
    }
    return status;
}

static hl_status show_maps(const zero_shot *self, hl_error *error) {
    size_t heads = 0;
    for (size_t h = 0; h < self->heads->count; ++h) heads += is_head(self, self->heads->selections[h]);
    hl_status status = HL_OK;
    for (size_t t = 0; heads > 1 && t < self->of->task_count && status == HL_OK; ++t) {
        status = show_map(self, t, error);
    }
    return status;
}

/* ---- confusion ---- */

static void count_confusion(const classifier_task *task, const uint16_t *answers, size_t images,
                            size_t *counts) {
    for (size_t i = 0; i < images; ++i) {
        if (task->truth[i] != CLASSIFIER_NONE) ++counts[task->truth[i] * task->class_count + answers[i]];
    }
}

/* A row for each class, and in it how many of its images are taken for each. */
static hl_status show_confusion(const zero_shot *self, size_t head, size_t task, hl_error *error) {
    enum { CLASSES_MOST = 100 };
    hl_result *to = self->result;
    const classifier_task *of = &self->of->tasks[task];
    if (of->class_count > CLASSES_MOST)
        return hl_fail(error, HL_USAGE, "confusion: %s has %zu classes, more than the %d that fit a table",
                       of->key, of->class_count, CLASSES_MOST);
    size_t *counts = calloc(of->class_count * of->class_count, sizeof *counts);
    if (!counts) return hl_no_memory(error, "a table of confusions");
    count_confusion(of, answers_of(self, head, task), self->of->images, counts);
    hl_item *item = to->item(to, HL_SCHEMA_TABLE), *rows = to->list(item, "rows", HL_TABLE);
    char name[300];
    hl_format(name, sizeof name, "What %s takes %s for", self->heads->selections[head]->name, of->key);
    to->text(item, "title", name);
    for (size_t i = 0; i < of->class_count; ++i) {
        hl_item *row = to->map(rows, NULL);
        to->text(row, "class", of->classes[i]);
        for (size_t k = 0; k < of->class_count; ++k) {
            hl_format(name, sizeof name, "as %s", of->classes[k]);
            to->whole(row, name, (int64_t)counts[i * of->class_count + k]);
        }
    }
    free(counts);
    return HL_OK;
}

static hl_status show_confusions(const zero_shot *self, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t t = 0; t < self->of->task_count; ++t) {
        for (size_t h = 0; h < self->heads->count && status == HL_OK; ++h) {
            status = show_confusion(self, h, t, error);
        }
    }
    return status;
}

/* ---- all together ---- */

static hl_status classify(const classifier *of, const hl_value *heads, bool centre, uint16_t *answers,
                          hl_error *error) {
    scoring_mix *mixes = calloc(heads->count, sizeof *mixes);
    if (!mixes) return hl_no_memory(error, "heads");
    for (size_t i = 0; i < heads->count; ++i) {
        const hl_selection *one = heads->selections[i];
        mixes[i] = (scoring_mix){.components = one->components,
                                 .weights = one->weights,
                                 .weight = 1,
                                 .count = one->count,
                                 .embedding = one->kind == HL_EMBEDDING};
    }
    hl_status status = scoring_answer(of, mixes, heads->count, centre ? SCORING_VARYING : SCORING_WHOLE,
                                      centre, answers, error);
    free(mixes);
    return status;
}

static hl_status show(const zero_shot *self, bool confusion, hl_error *error) {
    hl_status status = show_table(self, error);
    if (status == HL_OK) classifier_show_left_out(self->of, self->result);
    if (status == HL_OK) status = show_chart(self, error);
    if (status == HL_OK) status = show_maps(self, error);
    return status == HL_OK && confusion ? show_confusions(self, error) : status;
}

static hl_status classify_zero_shot(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                    hl_error *error) {
    classifier *of;
    const hl_value *heads = values[HEADS];
    hl_status status = classifier_open(ask, values, &of, error);
    if (status != HL_OK) return status;
    size_t numbers = heads->count * of->task_count * of->images;
    uint16_t *answers = ask->host->allocate(ask->host, numbers + 1, sizeof *answers);
    zero_shot self = {.of = of, .heads = heads, .answers = answers, .result = result};
    status = answers ? HL_OK : hl_no_memory(error, "answers for a gallery");
    if (status == HL_OK) status = classify(of, heads, values[CENTRE]->boolean, answers, error);
    if (status == HL_OK) status = show(&self, values[CONFUSION]->boolean, error);
    ask->host->release(ask->host, answers);
    classifier_close(of);
    return status;
}

static const hl_analysis_api api = {
    .size = sizeof api, .run = classify_zero_shot, .needs = HL_NEEDS_GALLERY | HL_NEEDS_EMBEDDINGS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "zero-shot", "1.0.0", "which classes the model, or single heads, tell apart"),
    HL_OPTIONS(options),
    .api = &api,
};
