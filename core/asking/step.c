/* See step.h. */
#include "core/asking/step.h"

#include "core/asking/asker_inside.h"
#include "core/registry/guard.h"
#include "core/registry/registry.h"
#include "headlight/analysis.h"

typedef struct text_check {
    const engine *model;
    cut_texts *cut;
} text_check;

static hl_status check_text(void *user, const char *text, hl_error *error) {
    const text_check *self = user;
    return cut_texts_check(self->cut, self->model, text, error);
}

hl_status step_bind(option_values *values, const engine *model, cut_texts *cut, hl_error *error) {
    text_check texts = {model, cut};
    hl_status status = options_bind_heads(values, model->info, error);
    if (status == HL_OK) status = options_check_directions(values, model->info, error);
    return status == HL_OK ? options_texts(values, check_text, &texts, error) : status;
}

hl_status step_encode_directions(option_values *values, const hl_ask *ask, hl_error *error) {
    const direction_encoder encoder = asker_encoder(asker_behind(ask));
    return options_bind_directions(values, ask->model->embed_dim, &encoder, error);
}

hl_status step_analyse(const hl_plugin *analysis, const hl_ask *ask, const option_values *values,
                       tree *results, hl_item *list, hl_error *error) {
    hl_analysis_api api;
    sink items;
    registry_table(analysis, &api, sizeof api);
    sink_open(&items, list, analysis->name);
    hl_status status = GUARD(analysis, error, api.run(ask, options_values(values), &items.functions, error));
    return status == HL_OK ? sink_finish(&items, results, error) : status;
}
