/* pruning: the heads whose descriptions fit their labels best, those that fit worst, and random ones are
 * silenced, group by group: which does the model miss? (Soft pruning: Madasu et al. 2025, section 5.) */
#include "ablation/ablation.h"
#include "ablation/showing.h"
#include "headlight/analysis.h"
#include "headlight/extractor.h"
#include "headlight/plugin.h"

/* Rows of the table; those of the classifier and of ablations come first. */
enum { SETTINGS = CLASSIFIER_OPTION_COUNT, SCORES = SETTINGS + ABLATION_OPTION_COUNT, SCORE };

static const hl_option options[] = {
    CLASSIFIER_OPTIONS,
    ABLATION_OPTIONS,
    {.name = "scores",
     .type = HL_STRING,
     .fallback = "~",
     .help =
         "The step of the experiment that scores heads, such as one of consistency-scores; without it the "
         "nearest that does."},
    {.name = "score",
     .type = HL_STRING,
     .fallback = "ccs",
     .help = "Which of its scores: of a head, from 0 to 5 consistent descriptions."},
};

/* How consistent: high 5, moderate 3, low at most 1 (Madasu et al. 2025, section 3). */
typedef struct group {
    const char *name;
    double least, most;
} group;
static const group groups[] = {
    {"high consistency", 5, 5}, {"moderate consistency", 3, 3}, {"low consistency", 0, 1}};
enum { GROUPS = sizeof groups / sizeof *groups };

typedef struct pruning {
    const hl_ask *ask;
    const char *step, *score;
    double *values; /* by component */
    bool *scored;
    size_t count;
} pruning;

/* ---- scores ---- */

/* SIZE_MAX: the model has no such head. */
static size_t find_head(const hl_model_info *model, const char *name) {
    for (uint32_t c = 0; c < model->component_count; ++c) {
        const hl_component *row = hl_component_at(model, c);
        if (row->kind == HL_HEAD && strcmp(row->name, name) == 0) return c;
    }
    return SIZE_MAX;
}

static const hl_verdict *verdict_at(const pruning *self, const char *step, size_t index) {
    return self->ask->verdict ? self->ask->verdict(self->ask, step, index) : NULL;
}

static size_t read_step(pruning *self, const char *step) {
    const hl_verdict *one;
    size_t found = 0;
    for (size_t i = 0; (one = verdict_at(self, step, i)); ++i) {
        if (!one->head || one->rank != 0 || strcmp(one->score, self->score) != 0) continue;
        size_t head = find_head(self->ask->model, one->head);
        if (head == SIZE_MAX) continue;
        found += !self->scored[head];
        self->scored[head] = true;
        self->values[head] = one->value;
    }
    return found;
}

/* The last step that has them, unless one is named. */
static hl_status read_scores(pruning *self, hl_error *error) {
    const char *name;
    if (self->step) {
        self->count = read_step(self, self->step);
    } else {
        for (size_t i = 0; self->ask->source && (name = self->ask->source(self->ask, i)); ++i) {
            const hl_verdict *one;
            for (size_t k = 0; (one = verdict_at(self, name, k)); ++k) {
                if (one->head && one->rank == 0 && strcmp(one->score, self->score) == 0) self->step = name;
            }
        }
        if (self->step) self->count = read_step(self, self->step);
    }
    if (self->count > 0) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "%s%s gives %s score \"%s\" of single heads: name in `scores` a step of the experiment that "
        "does, such as {name: consistency, plugin: consistency-scores, from: ...}",
        self->step ? "the step " : "no step of the experiment", self->step ? self->step : "",
        self->step ? "no" : "a", self->score);
}

/* ---- what is silenced ---- */

static bool is_in(const pruning *self, uint32_t head, const group *of) {
    return self->scored[head] && self->values[head] >= of->least && self->values[head] <= of->most;
}

/* Random heads come from those that have a score. */
static hl_status add_group(const pruning *self, case_list *cases, const group *of, ablation_settings settings,
                           hl_error *error) {
    size_t marked = 0;
    cases_clear(cases);
    for (uint32_t c = 0; c < self->ask->model->component_count; ++c) {
        if (!is_in(self, c, of)) continue;
        cases_mark(cases, c);
        ++marked;
    }
    if (marked == 0)
        self->ask->host->log(self->ask->host, HL_LOG_WARNING, "no head is of %s: nothing to silence there",
                             of->name);
    return marked > 0 ? ablation_add(cases, of->name, settings, self->scored, error) : HL_OK;
}

static hl_status choose_cases(const pruning *self, case_list *cases, ablation_settings settings,
                              hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < GROUPS && status == HL_OK; ++i) {
        status = add_group(self, cases, &groups[i], settings, error);
    }
    return status;
}

/* ---- all together ---- */

static void show_heads(const pruning *self, hl_result *to) {
    hl_item *item = to->item(to, HL_SCHEMA_HEAD_MAP);
    to->text(item, "title", "The score by which heads are silenced");
    to->number(item, "low", 0);
    to->number(item, "high", 5);
    hl_item *rows = to->list(item, "heads", HL_TABLE);
    for (uint32_t c = 0; c < self->ask->model->component_count; ++c) {
        if (!self->scored[c]) continue;
        hl_item *row = to->map(rows, NULL);
        to->text(row, "head", hl_component_at(self->ask->model, c)->name);
        to->number(row, "value", self->values[c]);
    }
}

/* How many heads each group has: none, too. */
static void show_groups(const pruning *self, hl_result *to) {
    hl_item *item = to->item(to, HL_SCHEMA_TABLE);
    to->text(item, "title", "Heads by their score");
    hl_item *rows = to->list(item, "rows", HL_TABLE);
    for (size_t i = 0; i < GROUPS; ++i) {
        int64_t heads = 0;
        for (uint32_t c = 0; c < self->ask->model->component_count; ++c) heads += is_in(self, c, &groups[i]);
        hl_item *row = to->map(rows, NULL);
        to->text(row, "group", groups[i].name);
        to->whole(row, "heads", heads);
    }
}

static hl_status prune(pruning *self, const hl_value *const *values, hl_result *result, hl_error *error) {
    classifier *of = NULL;
    case_list cases;
    ablation done = {.of = NULL};
    ablation_settings settings = ablation_read(values + SETTINGS);
    hl_status status = cases_begin(self->ask, &cases, error);
    if (status == HL_OK) status = choose_cases(self, &cases, settings, error);
    if (status == HL_OK) status = classifier_open(self->ask, values, &of, error);
    if (status == HL_OK) status = ablation_run(of, &cases, settings, &done, error);
    bool any = cases.count > 1;
    if (status == HL_OK && any) status = showing_tables(&done, result, error);
    if (status == HL_OK && any) status = showing_bars(&done, result, error);
    if (status == HL_OK) show_groups(self, result);
    if (status == HL_OK) show_heads(self, result);
    ablation_free(&done);
    classifier_close(of);
    cases_free(&cases);
    return status;
}

static hl_status prune_heads(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                             hl_error *error) {
    size_t all = ask->model->component_count + 1u;
    pruning self = {.ask = ask,
                    .step = values[SCORES]->given ? values[SCORES]->string : NULL,
                    .score = values[SCORE]->string,
                    .values = calloc(all, sizeof *self.values),
                    .scored = calloc(all, sizeof *self.scored)};
    hl_status status = self.values && self.scored ? HL_OK : hl_no_memory(error, "scores of heads");
    if (status == HL_OK) status = read_scores(&self, error);
    if (status == HL_OK) status = prune(&self, values, result, error);
    free(self.values);
    free(self.scored);
    return status;
}

static const hl_analysis_api api = {.size = sizeof api,
                                    .run = prune_heads,
                                    .needs = HL_NEEDS_GALLERY | HL_NEEDS_EMBEDDINGS | HL_KEEPS_RESULTS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "pruning", "1.0.0",
              "what the model misses without its heads of high, moderate and low consistency"),
    HL_OPTIONS(options),
    .api = &api,
};
