/* hl_request -> pass_plan. Every wish is checked here, before any work; nothing here computes. */
#include "pass_plan.h"

#include "checkpoint/try.h"
#include <math.h>
#include <stdlib.h>

static hl_status check_site(const pass_subject *subject, uint32_t site, hl_error *error) {
    if (site == HL_SITE_HEAD || site == HL_SITE_MLP) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: site %u is not known, expected HL_SITE_HEAD or HL_SITE_MLP",
                   subject->plugin, site);
}

static bool is_of_site(const hl_component *component, uint32_t site) {
    return (component->kind == HL_HEAD) == (site == HL_SITE_HEAD);
}

static hl_status check_component(const pass_subject *subject, uint32_t site, uint32_t index,
                                 hl_error *error) {
    if (index >= subject->components->count) {
        return hl_fail(error, HL_USAGE, "%s: component %u does not exist, there are %u", subject->plugin,
                       index, subject->components->count);
    }
    const hl_component *component = &subject->components->rows[index];
    if (is_of_site(component, site)) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: component %s does not belong to %s", subject->plugin,
                   component->name, site == HL_SITE_HEAD ? "HL_SITE_HEAD" : "HL_SITE_MLP");
}

static void want(const pass_subject *subject, uint32_t index, bool tokens, pass_plan *out) {
    const hl_component *component = &subject->components->rows[index];
    out->components[index].code = true;
    out->components[index].tokens |= tokens;
    out->input |= component->kind == HL_INPUT;
    if (component->layer < 0) return;
    layer_plan *layer_wish = &out->layers[component->layer];
    layer_wish->mlp |= component->kind == HL_MLP;
    layer_wish->heads |= component->kind == HL_HEAD;
    layer_wish->tokens |= tokens;
}

static hl_status add_capture(const pass_subject *subject, const hl_capture *capture, pass_plan *out,
                             hl_error *error) {
    TRY(check_site(subject, capture->site, error));
    if (capture->detail != HL_DETAIL_CODES && capture->detail != HL_DETAIL_TOKENS) {
        return hl_fail(error, HL_USAGE,
                       "%s: detail %u is not known, expected HL_DETAIL_CODES or HL_DETAIL_TOKENS",
                       subject->plugin, capture->detail);
    }
    bool tokens = capture->detail == HL_DETAIL_TOKENS;
    if (tokens && capture->site == HL_SITE_MLP) {
        return hl_fail(error, HL_USAGE, "%s: HL_DETAIL_TOKENS: what HL_SITE_MLP writes has no parts by token",
                       subject->plugin);
    }
    size_t count = capture->components ? capture->count : subject->components->count;
    for (size_t i = 0; i < count; ++i) {
        uint32_t index = capture->components ? capture->components[i] : (uint32_t)i;
        if (!capture->components && !is_of_site(&subject->components->rows[i], capture->site)) continue;
        TRY(check_component(subject, capture->site, index, error));
        want(subject, index, tokens, out);
    }
    return HL_OK;
}

static hl_status check_edit(const pass_subject *subject, const hl_edit *edit, hl_error *error) {
    TRY(check_site(subject, edit->site, error));
    if (edit->action != HL_EDIT_SCALE && edit->action != HL_EDIT_REPLACE) {
        return hl_fail(error, HL_USAGE,
                       "%s: edit action %u is not supported, only HL_EDIT_SCALE and HL_EDIT_REPLACE",
                       subject->plugin, edit->action);
    }
    TRY(check_component(subject, edit->site, edit->component, error));
    const char *name = subject->components->rows[edit->component].name;
    if (subject->components->rows[edit->component].kind == HL_REMAINDER) {
        return hl_fail(error, HL_USAGE,
                       "%s: %s cannot be edited: it is what no part of the model writes by itself",
                       subject->plugin, name);
    }
    if (edit->action == HL_EDIT_REPLACE && !edit->values) {
        return hl_fail(error, HL_USAGE, "%s: HL_EDIT_REPLACE of %s lacks its values", subject->plugin, name);
    }
    if (edit->action == HL_EDIT_SCALE && !isfinite(edit->factor)) {
        return hl_fail(error, HL_USAGE, "%s: HL_EDIT_SCALE of %s: the factor is not finite", subject->plugin,
                       name);
    }
    for (size_t i = 0; edit->tokens && i < edit->token_count; ++i) {
        if (edit->tokens[i] >= subject->query_rows) {
            return hl_fail(error, HL_USAGE, "%s: edit of %s: query row %u does not exist, there are %zu",
                           subject->plugin, name, edit->tokens[i], subject->query_rows);
        }
    }
    return HL_OK;
}

static hl_status make_factors(component_plan *component, size_t rows, hl_error *error) {
    if (component->factors) return HL_OK;
    component->factors = malloc(rows * sizeof *component->factors);
    if (!component->factors) return hl_no_memory(error, "a request");
    for (size_t i = 0; i < rows; ++i) component->factors[i] = 1;
    return HL_OK;
}

/* What an edit does to what query rows take of their tokens. */
static hl_status note_edit(const pass_subject *subject, const hl_edit *edit, pass_plan *out,
                           hl_error *error) {
    component_plan *component = &out->components[edit->component];
    size_t count = edit->tokens ? edit->token_count : subject->query_rows;
    TRY(make_factors(component, subject->query_rows, error));
    for (size_t i = 0; i < count; ++i) {
        size_t row = edit->tokens ? edit->tokens[i] : i;
        bool replaced = edit->action == HL_EDIT_REPLACE;
        component->factors[row] *= replaced ? 0 : edit->factor;
        component->even |= replaced && row - subject->pooled.first < subject->pooled.count;
    }
    return HL_OK;
}

static hl_status fill(const pass_subject *subject, const hl_request *request, pass_plan *out,
                      hl_error *error) {
    for (size_t i = 0; i < request->capture_count; ++i)
        TRY(add_capture(subject, request->captures[i], out, error));
    for (size_t i = 0; i < request->edit_count; ++i) {
        TRY(check_edit(subject, request->edits[i], error));
        TRY(note_edit(subject, request->edits[i], out, error));
    }
    return HL_OK;
}

hl_status pass_plan_make(const pass_subject *subject, const hl_request *request, pass_plan *out,
                         hl_error *error) {
    size_t count = subject->components->count;
    *out = (pass_plan){.request = request,
                       .component_count = count,
                       .components = calloc(count, sizeof *out->components),
                       .layers = calloc(subject->layers, sizeof *out->layers)};
    hl_status status = out->components && out->layers ? HL_OK : hl_no_memory(error, "a request");
    if (status == HL_OK && request) status = fill(subject, request, out, error);
    if (status) pass_plan_free(out);
    return status;
}

void pass_plan_free(pass_plan *plan) {
    for (size_t i = 0; plan->components && i < plan->component_count; ++i) free(plan->components[i].factors);
    free(plan->components);
    free(plan->layers);
}

bool pass_plan_captures(const pass_plan *plan) {
    bool found = false;
    for (size_t i = 0; i < plan->component_count; ++i) found |= plan->components[i].code;
    return found;
}
