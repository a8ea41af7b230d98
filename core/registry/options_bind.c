/* Option values meet a model: heads and properties become selections of its components, directions vectors.
 */
#include "core/registry/option_values.h"
#include "core/registry/selection.h"

/* ---- heads ---- */

static hl_status bind_heads(option_values *values, option_row *row, const hl_model_info *model,
                            hl_error *error) {
    selection_list list = {.memory = &values->memory, .model = model};
    for (size_t i = 0; i < row->count; ++i) {
        hl_error why;
        hl_status status = selection_add(&list, row->written[i], &why);
        if (status == HL_NO_MEMORY) return options_no_memory(error);
        if (status != HL_OK) {
            return options_fail(values, option_place(values, row, i), error, "%s", why.message);
        }
    }
    row->value.count = list.count;
    row->value.selections = (const hl_selection *const *)list.all;
    return HL_OK;
}

hl_status options_bind_heads(option_values *values, const hl_model_info *model, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        option_row *row = &values->rows[i];
        if (row->option->type == HL_HEADS && row->value.given) status = bind_heads(values, row, model, error);
    }
    return status;
}

/* ---- properties ---- */

static hl_status bind_property(const option_values *values, const option_row *row, size_t index,
                               options_find_property *find, const void *user, const hl_selection **out,
                               hl_error *error) {
    hl_error detail;
    char place[512];
    hl_status status = find(user, row->written[index], out, &detail);
    if (status == HL_OK) return HL_OK;
    const yaml_node *node = option_place(values, row, index);
    if (!node) return hl_fail(error, status, "%s: %s", values->plugin->name, detail.message);
    yaml_place(node, place, sizeof place);
    return hl_fail(error, status, "%s: %s: %s", place, values->plugin->name, detail.message);
}

static hl_status bind_properties(option_values *values, option_row *row, options_find_property *find,
                                 const void *user, hl_error *error) {
    if (!find) {
        return options_fail(values, option_place(values, row, 0), error,
                            "the experiment does not say which heads carry \"%s\": add "
                            "properties: {extractor: labels-file, path: FILE}",
                            row->written[0]);
    }
    const hl_selection **selections = arena_array(&values->memory, row->count, sizeof *selections);
    if (!selections) return options_no_memory(error);
    hl_status status = HL_OK;
    for (size_t i = 0; i < row->count && status == HL_OK; ++i) {
        status = bind_property(values, row, i, find, user, &selections[i], error);
        if (status == HL_OK) row->written[i] = selections[i]->name;
    }
    row->value.selections = selections;
    row->value.count = row->count;
    return status;
}

hl_status options_bind_properties(option_values *values, options_find_property *find, const void *user,
                                  hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        option_row *row = &values->rows[i];
        bool asked = row->option->type == HL_PROPERTIES && row->value.given && row->count > 0;
        if (asked) status = bind_properties(values, row, find, user, error);
    }
    return status;
}

const hl_selection *options_selection(const option_values *values, size_t index) {
    for (size_t i = 0; i < values->plugin->option_count; ++i) {
        const hl_value *value = &values->rows[i].value;
        if (!value->selections) continue;
        if (index < value->count) return value->selections[index];
        index -= value->count;
    }
    return NULL;
}

/* ---- directions ---- */

static hl_status each_direction(const option_values *values,
                                hl_status (*each)(const direction_form *made, void *user, hl_error *error),
                                void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count; ++i) {
        const option_row *row = &values->rows[i];
        for (size_t j = 0; row->directions && j < row->count && status == HL_OK; ++j) {
            status = each(row->directions[j], user, error);
        }
    }
    return status;
}

static hl_status check_direction(const direction_form *made, void *user, hl_error *error) {
    return direction_check(made, user, error);
}

hl_status options_check_directions(const option_values *values, const hl_model_info *model, hl_error *error) {
    return each_direction(values, check_direction, (void *)(uintptr_t)model, error);
}

typedef struct text_visit {
    direction_text *each;
    void *user;
} text_visit;

static hl_status visit_texts(const direction_form *made, void *user, hl_error *error) {
    const text_visit *visit = user;
    return direction_texts(made, visit->each, visit->user, error);
}

hl_status options_texts(const option_values *values, direction_text *each, void *user, hl_error *error) {
    return each_direction(values, visit_texts, &(text_visit){each, user}, error);
}

hl_status options_bind_directions(option_values *values, uint32_t embed_dim, const direction_encoder *encoder,
                                  hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        const option_row *row = &values->rows[i];
        if (!row->directions) continue;
        status = directions_encode(&values->memory, row->directions, row->count, embed_dim, encoder, error);
    }
    return status;
}
