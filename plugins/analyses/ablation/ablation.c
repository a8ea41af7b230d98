/* ablation: what the model can still tell apart without some of its heads, layers or MLPs, beside as many
 * random heads. */
#include "ablation/ablation.h"
#include "ablation/showing.h"
#include "headlight/analysis.h"
#include "headlight/plugin.h"

/* Rows of the table; those of the classifier and of ablations come first. */
enum {
    SETTINGS = CLASSIFIER_OPTION_COUNT,
    HEADS = SETTINGS + ABLATION_OPTION_COUNT,
    PROPERTIES,
    CUMULATIVE,
    ALL_BUT
};

typedef enum cumulative { ONE_BY_ONE, ATTENTION, ATTENTION_AFTER_MLPS, MLPS, LAYERS } cumulative;
static const char *const cumulative_words[] = {"none", "attention", "attention-after-mlps",
                                               "mlps", "layers",    NULL};

static const hl_option options[] = {
    CLASSIFIER_OPTIONS,
    ABLATION_OPTIONS,
    {.name = "heads",
     .type = HL_HEADS,
     .fallback = "[]",
     .flags = HL_OPTION_ALL_COMPONENTS | HL_OPTION_AGGREGATE | HL_OPTION_SETS | HL_OPTION_MAY_BE_EMPTY,
     .help = "What is ablated, each entry by itself: heads, MLPs, the input; sets such as 1*L3 or L3.H1 + "
             "L3.H5 are ablated together."},
    {.name = "properties",
     .type = HL_PROPERTIES,
     .fallback = "[]",
     .flags = HL_OPTION_MAY_BE_EMPTY,
     .help = "Properties whose heads are ablated together, one property after the other."},
    {.name = "cumulative",
     .type = HL_CHOICE,
     .fallback = "none",
     .choices = cumulative_words,
     .help = "Ablates from the front up to each layer: the heads, the heads with all MLPs and the input gone "
             "from the start, the MLPs, or both."},
    {.name = "all-but",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether all heads but those of `heads` or `properties` are ablated."},
};

/* ---- what is ablated ---- */

/* Draws are made in place of the heads that are kept, then turned: so that as many are kept of each layer. */
static hl_status add_selection(case_list *cases, const hl_selection *one, bool turned,
                               ablation_settings settings, hl_error *error) {
    if (one->kind == HL_EMBEDDING)
        return hl_fail(error, HL_USAGE, "heads: embedding is all there is; name heads, layers or MLPs");
    cases_clear(cases);
    cases_mark_all(cases, one);
    if (turned) cases_turn(cases);
    char name[300];
    hl_format(name, sizeof name, "%s%s", turned ? "all but " : "", one->name);
    return ablation_add(cases, name, settings, NULL, error);
}

static hl_status add_selections(case_list *cases, const hl_value *from, bool turned,
                                ablation_settings settings, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < from->count && status == HL_OK; ++i) {
        status = add_selection(cases, from->selections[i], turned, settings, error);
    }
    return status;
}

static int32_t count_layers(const hl_model_info *model) {
    int32_t layers = 0;
    for (uint32_t c = 0; c < model->component_count; ++c) {
        int32_t layer = hl_component_at(model, c)->layer;
        if (layer >= layers) layers = layer + 1;
    }
    return layers;
}

static void mark_up_to(case_list *cases, cumulative how, int32_t last) {
    cases_clear(cases);
    if (how == ATTENTION_AFTER_MLPS) {
        cases_mark_kind(cases, HL_MLP, -1);
        cases_mark_kind(cases, HL_INPUT, -1);
    }
    for (int32_t layer = 0; layer <= last; ++layer) {
        if (how != MLPS) cases_mark_kind(cases, HL_HEAD, layer);
        if (how == MLPS || how == LAYERS) cases_mark_kind(cases, HL_MLP, layer);
    }
}

static hl_status add_layers(case_list *cases, cumulative how, ablation_settings settings, hl_error *error) {
    hl_status status = HL_OK;
    settings.match = DRAW_ANY; /* of whole layers there are no others to draw */
    int32_t first = how == ATTENTION_AFTER_MLPS ? -1 : 0;
    for (int32_t last = first; last < count_layers(cases->ask->model) && status == HL_OK; ++last) {
        static const char *const words[] = {"", "heads", "MLPs, input and heads", "MLPs", "heads and MLPs"};
        char name[100];
        snprintf(name, sizeof name, "%s up to layer %d", words[how], last);
        mark_up_to(cases, how, last);
        status = ablation_add(cases, last < 0 ? "MLPs and input" : name, settings, NULL, error);
    }
    return status;
}

static hl_status choose_cases(case_list *cases, const hl_value *const *values, hl_error *error) {
    ablation_settings settings = ablation_read(values + SETTINGS);
    cumulative how = (cumulative)values[CUMULATIVE]->integer;
    bool turned = values[ALL_BUT]->boolean;
    if (how != ONE_BY_ONE && values[HEADS]->count + values[PROPERTIES]->count > 0)
        return hl_fail(error, HL_USAGE,
                       "cumulative goes through the layers: leave `heads` and `properties` to "
                       "another entry of the experiment");
    hl_status status = add_selections(cases, values[HEADS], turned, settings, error);
    if (status == HL_OK) status = add_selections(cases, values[PROPERTIES], turned, settings, error);
    if (status == HL_OK && how != ONE_BY_ONE) status = add_layers(cases, how, settings, error);
    if (status == HL_OK && cases->count == 1)
        return hl_fail(error, HL_USAGE,
                       "names nothing to ablate: give `heads`, `properties` or `cumulative`");
    return status;
}

/* ---- all together ---- */

static hl_status show(const ablation *done, bool layers, hl_result *result, hl_error *error) {
    hl_status status = showing_tables(done, result, error);
    if (status == HL_OK) status = showing_losses(done, result, error);
    if (status == HL_OK && layers) return showing_curves(done, result, error);
    bool mapped = false;
    if (status == HL_OK) status = showing_maps(done, result, &mapped, error);
    return status == HL_OK && !mapped ? showing_bars(done, result, error) : status;
}

static hl_status ablate_components(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                   hl_error *error) {
    classifier *of = NULL;
    case_list cases;
    ablation done = {.of = NULL};
    hl_status status = cases_begin(ask, &cases, error);
    if (status == HL_OK) status = choose_cases(&cases, values, error);
    if (status == HL_OK) status = classifier_open(ask, values, &of, error);
    if (status == HL_OK) status = ablation_run(of, &cases, ablation_read(values + SETTINGS), &done, error);
    if (status == HL_OK) status = show(&done, values[CUMULATIVE]->integer != ONE_BY_ONE, result, error);
    ablation_free(&done);
    classifier_close(of);
    cases_free(&cases);
    return status;
}

static const hl_analysis_api api = {.size = sizeof api,
                                    .run = ablate_components,
                                    .needs = HL_NEEDS_GALLERY | HL_NEEDS_EMBEDDINGS | HL_NEEDS_MLPS |
                                             HL_KEEPS_RESULTS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "ablation", "1.0.0",
              "what the model tells apart without some heads, layers or MLPs"),
    HL_OPTIONS(options),
    .api = &api,
};
