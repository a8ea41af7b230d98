/* use-heads: classification without the heads that carry a spurious cue, or with some heads only: accuracy of
 * the worst group before and after (Gandelsman, Efros and Steinhardt 2024, section 4.3, on Waterbirds). */
#include "ablation/ablation.h"
#include "ablation/showing.h"
#include "headlight/analysis.h"
#include "headlight/plugin.h"

/* Rows of the table; those of the classifier and of ablations come first. */
enum {
    SETTINGS = CLASSIFIER_OPTION_COUNT,
    WITHOUT = SETTINGS + ABLATION_OPTION_COUNT,
    WITHOUT_HEADS,
    ONLY,
    DROP_MLPS
};

#define OF_HEADS                                                                                             \
    .type = HL_HEADS, .fallback = "[]",                                                                      \
    .flags = HL_OPTION_ALL_COMPONENTS | HL_OPTION_AGGREGATE | HL_OPTION_SETS | HL_OPTION_MAY_BE_EMPTY

static const hl_option options[] = {
    CLASSIFIER_OPTIONS,
    ABLATION_OPTIONS,
    {.name = "without",
     .type = HL_PROPERTIES,
     .fallback = "[]",
     .flags = HL_OPTION_MAY_BE_EMPTY,
     .help = "Properties that should not count, such as places: their heads are taken away."},
    {.name = "without-heads", OF_HEADS, .help = "Heads that are taken away; sets are taken away together."},
    {.name = "only",
     OF_HEADS,
     .help = "Heads that are kept, all others being taken away; sets are kept together."},
    {.name = "drop-mlps",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether what MLPs and the input wrote is taken away too."},
};

/* ---- what is taken away ---- */

typedef struct choice {
    case_list *cases;
    const hl_value *const *values;
    ablation_settings settings;
} choice;

static hl_status add(const choice *of, const char *before, const char *name, hl_error *error) {
    char said[300];
    hl_format(said, sizeof said, "%s%s%s", before, name,
              of->values[DROP_MLPS]->boolean ? ", without MLPs and input" : "");
    if (of->values[DROP_MLPS]->boolean) {
        cases_mark_kind(of->cases, HL_MLP, -1);
        cases_mark_kind(of->cases, HL_INPUT, -1);
    }
    return ablation_add(of->cases, said, of->settings, NULL, error);
}

static hl_status check(const hl_value *heads, hl_error *error) {
    for (size_t i = 0; i < heads->count; ++i) {
        if (heads->selections[i]->kind == HL_EMBEDDING)
            return hl_fail(error, HL_USAGE, "embedding is all there is; name heads, layers or MLPs");
    }
    return HL_OK;
}

static hl_status add_without(const choice *of, const hl_value *from, hl_error *error) {
    hl_status status = check(from, error);
    for (size_t i = 0; i < from->count && status == HL_OK; ++i) {
        cases_clear(of->cases);
        cases_mark_all(of->cases, from->selections[i]);
        status = add(of, "without ", from->selections[i]->name, error);
    }
    return status;
}

static hl_status add_without_all(const choice *of, hl_error *error) {
    const hl_value *both[] = {of->values[WITHOUT], of->values[WITHOUT_HEADS]};
    if (both[0]->count + both[1]->count < 2) return HL_OK;
    cases_clear(of->cases);
    for (size_t k = 0; k < 2; ++k) {
        for (size_t i = 0; i < both[k]->count; ++i) cases_mark_all(of->cases, both[k]->selections[i]);
    }
    return add(of, "without ", "all of these", error);
}

static hl_status add_only(const choice *of, hl_error *error) {
    const hl_value *from = of->values[ONLY];
    hl_status status = check(from, error);
    for (size_t i = 0; i < from->count && status == HL_OK; ++i) {
        cases_clear(of->cases);
        cases_mark_all(of->cases, from->selections[i]);
        cases_turn(of->cases);
        status = add(of, "only ", from->selections[i]->name, error);
    }
    return status;
}

static hl_status choose_cases(const choice *of, hl_error *error) {
    hl_status status = add_without(of, of->values[WITHOUT], error);
    if (status == HL_OK) status = add_without(of, of->values[WITHOUT_HEADS], error);
    if (status == HL_OK) status = add_without_all(of, error);
    if (status == HL_OK) status = add_only(of, error);
    if (status != HL_OK || of->cases->count > 1) return status;
    return hl_fail(error, HL_USAGE,
                   "names no heads: give properties that should not count in `without`, or heads in "
                   "`without-heads` or `only`");
}

/* ---- all together ---- */

static hl_status show(const ablation *done, hl_result *result, hl_error *error) {
    hl_status status = showing_tables(done, result, error);
    if (status == HL_OK) status = showing_groups(done, result, error);
    return status == HL_OK ? showing_worst(done, result, error) : status;
}

static hl_status classify_with_heads(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                     hl_error *error) {
    classifier *of = NULL;
    case_list cases;
    ablation done = {.of = NULL};
    const choice what = {.cases = &cases, .values = values, .settings = ablation_read(values + SETTINGS)};
    hl_status status = cases_begin(ask, &cases, error);
    if (status == HL_OK) status = choose_cases(&what, error);
    if (status == HL_OK) status = classifier_open(ask, values, &of, error);
    if (status == HL_OK) status = ablation_run(of, &cases, what.settings, &done, error);
    if (status == HL_OK) status = show(&done, result, error);
    ablation_free(&done);
    classifier_close(of);
    cases_free(&cases);
    return status;
}

static const hl_analysis_api api = {.size = sizeof api,
                                    .run = classify_with_heads,
                                    .needs = HL_NEEDS_GALLERY | HL_NEEDS_EMBEDDINGS | HL_NEEDS_MLPS |
                                             HL_KEEPS_RESULTS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "use-heads", "1.0.0",
              "classification without the heads of a spurious cue, or with some heads only"),
    HL_OPTIONS(options),
    .api = &api,
};
