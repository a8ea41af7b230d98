/* @NAME@: labels each head by where in the tower it stands, "early" or "late". A labelling that asks for
 * nothing but the model's description; others ask `ask` for moments, bases, texts, or what an earlier step
 * found (`.from`). */
#include <headlight/extractor.h>
#include <headlight/plugin.h>

enum { SHARE };

static const hl_option options[] = {
    [SHARE] = {.name = "late",
               .type = HL_REAL,
               .fallback = "0.5",
               .min = 0,
               .max = 1,
               .help = "from which share of the layers on a head is late"},
};

static int32_t last_layer(const hl_model_info *model) {
    int32_t last = 0;
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *component = hl_component_at(model, i);
        if (component->kind == HL_HEAD && component->layer > last) last = component->layer;
    }
    return last;
}

static hl_status label(const hl_component *head, int32_t last, double share, hl_finding *finding,
                       hl_error *error) {
    char evidence[64];
    double place = last > 0 ? (double)head->layer / last : 1;
    snprintf(evidence, sizeof evidence, "layer %d of 0 to %d", (int)head->layer, (int)last);
    const hl_label found = {.size = sizeof found,
                            .head = head->name,
                            .property = place >= share ? "late" : "early",
                            .weight = 1,
                            .evidence = evidence};
    return finding->label(finding, &found, error);
}

static hl_status run(const hl_ask *ask, const hl_value *const *values, hl_finding *finding, hl_error *error) {
    int32_t last = last_layer(ask->model);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < ask->model->component_count && status == HL_OK; ++i) {
        const hl_component *component = hl_component_at(ask->model, i);
        if (component->kind != HL_HEAD) continue;
        status = label(component, last, values[SHARE]->real, finding, error);
    }
    return status;
}

static const hl_extractor_api api = {.size = sizeof api, .step = HL_STEP_LABELS, .run = run};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "@NAME@", "0.1.0", "labels heads by their place in the tower"),
    HL_OPTIONS(options),
    .api = &api,
};
