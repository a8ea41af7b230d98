/* hl_request -> pass_plan. Every wish is checked here, before any work; nothing here computes. */
#include "pass_plan.h"

#include <math.h>
#include <stdlib.h>

static hl_status check_site(const image_tower *tower, uint32_t site, hl_error *error) {
    if (site == HL_SITE_HEAD || site == HL_SITE_MLP) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: site %u is not known, expected HL_SITE_HEAD or HL_SITE_MLP",
                   tower->plugin, site);
}

static bool is_of_site(const hl_component *component, uint32_t site) {
    return (component->kind == HL_HEAD) == (site == HL_SITE_HEAD);
}

static hl_status check_component(const image_tower *tower, uint32_t site, uint32_t index, hl_error *error) {
    if (index >= tower->components.count) {
        return hl_fail(error, HL_USAGE, "%s: component %u does not exist, there are %u", tower->plugin, index,
                       tower->components.count);
    }
    const hl_component *component = &tower->components.rows[index];
    if (is_of_site(component, site)) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: component %s does not belong to %s", tower->plugin, component->name,
                   site == HL_SITE_HEAD ? "HL_SITE_HEAD" : "HL_SITE_MLP");
}

static void want(const image_tower *tower, uint32_t index, bool tokens, pass_plan *out) {
    const hl_component *component = &tower->components.rows[index];
    out->components[index].code = true;
    out->components[index].tokens |= tokens;
    if (component->kind == HL_INPUT) {
        out->input = true;
        return;
    }
    layer_plan *layer_wish = &out->layers[component->layer];
    layer_wish->mlp |= component->kind == HL_MLP;
    layer_wish->heads |= component->kind == HL_HEAD;
    layer_wish->tokens |= tokens;
}

static hl_status add_capture(const image_tower *tower, const hl_capture *capture, pass_plan *out,
                             hl_error *error) {
    TRY(check_site(tower, capture->site, error));
    if (capture->detail != HL_DETAIL_CODES && capture->detail != HL_DETAIL_TOKENS) {
        return hl_fail(error, HL_USAGE,
                       "%s: detail %u is not known, expected HL_DETAIL_CODES or HL_DETAIL_TOKENS",
                       tower->plugin, capture->detail);
    }
    bool tokens = capture->detail == HL_DETAIL_TOKENS;
    if (tokens && capture->site == HL_SITE_MLP) {
        return hl_fail(error, HL_USAGE, "%s: HL_DETAIL_TOKENS: what HL_SITE_MLP writes has no parts by token",
                       tower->plugin);
    }
    size_t count = capture->components ? capture->count : tower->components.count;
    for (size_t i = 0; i < count; ++i) {
        uint32_t index = capture->components ? capture->components[i] : (uint32_t)i;
        if (!capture->components && !is_of_site(&tower->components.rows[i], capture->site)) continue;
        TRY(check_component(tower, capture->site, index, error));
        want(tower, index, tokens, out);
    }
    return HL_OK;
}

static hl_status check_edit(const image_tower *tower, const hl_edit *edit, hl_error *error) {
    TRY(check_site(tower, edit->site, error));
    if (edit->action != HL_EDIT_SCALE && edit->action != HL_EDIT_REPLACE) {
        return hl_fail(error, HL_USAGE,
                       "%s: edit action %u is not supported, only HL_EDIT_SCALE and HL_EDIT_REPLACE",
                       tower->plugin, edit->action);
    }
    TRY(check_component(tower, edit->site, edit->component, error));
    const char *name = tower->components.rows[edit->component].name;
    if (edit->action == HL_EDIT_REPLACE && !edit->values) {
        return hl_fail(error, HL_USAGE, "%s: HL_EDIT_REPLACE of %s lacks its values", tower->plugin, name);
    }
    if (edit->action == HL_EDIT_SCALE && !isfinite(edit->factor)) {
        return hl_fail(error, HL_USAGE, "%s: HL_EDIT_SCALE of %s: the factor is not finite", tower->plugin,
                       name);
    }
    for (size_t i = 0; edit->tokens && i < edit->token_count; ++i) {
        if (edit->tokens[i] >= image_tokens(tower->shape)) {
            return hl_fail(error, HL_USAGE, "%s: edit of %s: query row %u does not exist, there are %zu",
                           tower->plugin, name, edit->tokens[i], image_tokens(tower->shape));
        }
    }
    return HL_OK;
}

/* What an edit does to the parts of the pooled row. */
static void note_edit(const hl_edit *edit, pass_plan *out) {
    bool pooled = !edit->tokens;
    for (size_t i = 0; !pooled && i < edit->token_count; ++i) pooled = edit->tokens[i] == 0;
    component_plan *component = &out->components[edit->component];
    if (pooled && edit->action == HL_EDIT_SCALE) component->factor *= edit->factor;
    if (pooled && edit->action == HL_EDIT_REPLACE) component->even = true;
}

static hl_status fill(const image_tower *tower, const hl_request *request, pass_plan *out, hl_error *error) {
    for (size_t i = 0; i < request->capture_count; ++i)
        TRY(add_capture(tower, request->captures[i], out, error));
    for (size_t i = 0; i < request->edit_count; ++i) {
        TRY(check_edit(tower, request->edits[i], error));
        note_edit(request->edits[i], out);
    }
    return HL_OK;
}

hl_status pass_plan_make(const image_tower *tower, const hl_request *request, pass_plan *out,
                         hl_error *error) {
    size_t count = tower->components.count;
    *out = (pass_plan){.request = request,
                       .components = calloc(count, sizeof *out->components),
                       .layers = calloc(tower->shape->layers.layers, sizeof *out->layers)};
    hl_status status = out->components && out->layers ? HL_OK : hl_no_memory(error, "a request");
    for (size_t i = 0; status == HL_OK && i < count; ++i) out->components[i].factor = 1;
    if (status == HL_OK && request) status = fill(tower, request, out, error);
    if (status) pass_plan_free(out);
    return status;
}

void pass_plan_free(pass_plan *plan) {
    free(plan->components);
    free(plan->layers);
}
