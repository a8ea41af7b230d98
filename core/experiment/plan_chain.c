/* See plan_chain.h. */
#include "core/experiment/plan_chain.h"

#include "core/experiment/run_description.h"
#include <stdlib.h>

static size_t number_of(const experiment *plan, const experiment_step *step) {
    return step ? (size_t)(step - plan->extractors) : CHAIN_NONE;
}

size_t plan_chain_properties(const experiment *plan) {
    return number_of(plan, plan->properties);
}

static hl_status note_property(void *user, const hl_option *option, const hl_value *value,
                               const char *const *written, size_t written_count, hl_error *error) {
    (void)value;
    (void)written;
    (void)error;
    if (option->type == HL_PROPERTIES && written_count > 0) *(bool *)user = true;
    return HL_OK;
}

static bool asks_for_properties(const experiment *plan) {
    bool asks = false;
    for (size_t i = 0; i < plan->analysis_count; ++i) {
        options_visit(plan->analyses[i].values, note_property, &asks, NULL);
    }
    return asks;
}

static void want(const experiment *plan, chain *made) {
    size_t answering = plan_chain_properties(plan);
    for (size_t i = 0; i < plan->extractor_count; ++i) {
        if (plan->extractors[i].name) chain_want(made, i);
    }
    if (answering == CHAIN_NONE) return;
    if (chain_is_light(made, answering) || asks_for_properties(plan)) chain_want(made, answering);
}

/* Numbers of the steps that each step builds on, one after the other. */
static size_t *number_sources(const experiment *plan) {
    size_t count = 0, used = 0;
    for (size_t i = 0; i < plan->extractor_count; ++i) count += plan->extractors[i].from_count;
    size_t *numbers = calloc(count + 1, sizeof *numbers);
    for (size_t i = 0; i < plan->extractor_count && numbers; ++i) {
        const experiment_step *step = &plan->extractors[i];
        for (size_t k = 0; k < step->from_count; ++k) numbers[used++] = number_of(plan, step->from[k]);
    }
    return numbers;
}

hl_status plan_chain(const experiment *plan, chain **out, hl_error *error) {
    *out = NULL;
    size_t *sources = number_sources(plan);
    chain_step *steps = calloc(plan->extractor_count + 1, sizeof *steps);
    hl_status status = sources && steps ? HL_OK : hl_no_memory(error, "the chain of extractors");
    const size_t *from = sources;
    for (size_t i = 0; i < plan->extractor_count && status == HL_OK; ++i) {
        const experiment_step *step = &plan->extractors[i];
        steps[i] = (chain_step){step->name, step->plugin, step->values, from, step->from_count};
        from += step->from_count;
    }
    if (status == HL_OK) {
        status = chain_open(steps, plan->extractor_count, plan_chain_properties(plan), out, error);
    }
    if (status == HL_OK) want(plan, *out);
    free(steps);
    free(sources);
    return status;
}

/* ---- in the results ---- */

/* What reports call a step: one that `properties` alone names goes by its plugin. */
static const char *name_of(const experiment_step *step) {
    return step->name ? step->name : step->plugin->name;
}

/* A text; of several, a list. */
static void describe_sources(const experiment_step *step, hl_item *item) {
    if (step->from_count == 1) item_text(item, "from", step->from[0]->name);
    if (step->from_count < 2) return;
    hl_item *list = item_list(item, "from", HL_LIST);
    for (size_t i = 0; i < step->from_count; ++i) item_text(list, NULL, step->from[i]->name);
}

static hl_status describe_step(const experiment_step *step, const findings *found, hl_item *list,
                               hl_error *error) {
    hl_item *item = item_map(list, NULL);
    item_text(item, "name", name_of(step));
    item_text(item, "plugin", step->plugin->name);
    item_text(item, "summary", step->plugin->summary);
    describe_sources(step, item);
    hl_status status = describe_options(step->values, item, error);
    if (status == HL_OK) findings_write(found, item_list(item, "results", HL_LIST));
    return status;
}

static hl_status describe_heads(const experiment *plan, const findings *found, hl_item *root,
                                hl_error *error) {
    hl_item *section = item_map(root, "properties"), *heads = item_map(section, "heads");
    item_text(section, "extractor", plan->properties->plugin->name);
    item_text(section, "step", name_of(plan->properties));
    return findings_describe_heads(found, heads, error);
}

hl_status plan_chain_describe(const experiment *plan, const chain *found, hl_item *root, hl_error *error) {
    const findings *answering = chain_at(found, plan_chain_properties(plan));
    hl_status status = answering ? describe_heads(plan, answering, root, error) : HL_OK;
    hl_item *list = NULL;
    for (size_t i = 0; i < plan->extractor_count && status == HL_OK; ++i) {
        const experiment_step *step = &plan->extractors[i];
        const findings *of = chain_at(found, i);
        if (!of) continue;
        if (!list) list = item_list(root, "extractors", HL_LIST);
        status = describe_step(step, of, list, error);
    }
    return status;
}
