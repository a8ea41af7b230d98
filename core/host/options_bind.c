/* Option values meet a model: heads and properties become selections of its components, texts become vectors.
 * Knows the component table, never how a model computes. */
#include "core/host/option_values.h"

#include <stdlib.h>
#include <string.h>

static bool parse_number(const char **text, char letter, int32_t *out) {
    if (**text != letter) return false;
    size_t digits = strspn(*text + 1, "0123456789");
    if (digits == 0 || digits > 6) return false;
    *out = (int32_t)strtol(*text + 1, NULL, 10);
    *text += 1 + digits;
    return true;
}

bool option_selector(const char *text, head_selector *out) {
    *out = (head_selector){-1, -1, strcmp(text, "aggregate") == 0};
    if (out->aggregate || strcmp(text, "all") == 0) return true;
    if (!parse_number(&text, 'L', &out->layer)) return false;
    if (!*text) return true;
    return *text++ == '.' && parse_number(&text, 'H', &out->head) && !*text;
}

static const hl_component *component_at(const hl_model_info *model, uint32_t index) {
    return (const hl_component *)(const void *)((const char *)model->components +
                                                (size_t)index * model->component_size);
}

static const hl_component *head_at(const hl_model_info *model, uint32_t index) {
    const hl_component *component = component_at(model, index);
    return component->kind == HL_HEAD ? component : NULL;
}

typedef struct head_binding {
    option_values *values;
    const hl_model_info *model;
    hl_selection *selections; /* room for one for each head and the aggregate */
    bool *taken;              /* by component; the last one is the aggregate */
    size_t count;
} head_binding;

static hl_status add_selection(head_binding *binding, uint32_t first, hl_error *error) {
    bool aggregate = first == binding->model->component_count;
    if (binding->taken[first]) return HL_OK;
    uint32_t *components = options_own(binding->values, aggregate ? first : 1, sizeof *components);
    if (!components) return options_no_memory(error);
    hl_selection *selection = &binding->selections[binding->count++];
    *selection = (hl_selection){"aggregate", components, 0};
    binding->taken[first] = true;
    for (uint32_t i = 0; aggregate && i < first; ++i) {
        if (head_at(binding->model, i)) components[selection->count++] = i;
    }
    if (!aggregate) {
        components[selection->count++] = first;
        selection->name = component_at(binding->model, first)->name;
    }
    return HL_OK;
}

static hl_status fail_absent(const head_binding *binding, const yaml_node_t *place, const char *selector,
                             hl_error *error) {
    const hl_component *first = NULL, *last = NULL;
    for (uint32_t i = 0; i < binding->model->component_count; ++i) {
        last = head_at(binding->model, i) ? head_at(binding->model, i) : last;
        first = first ? first : last;
    }
    if (!first) {
        return options_fail(binding->values, place, error, "%s: the model has no attention heads", selector);
    }
    return options_fail(binding->values, place, error, "the model has no head%s %s; its heads are %s to %s",
                        strchr(selector, '.') ? "" : "s", selector, first->name, last->name);
}

static hl_status bind_selector(head_binding *binding, const char *text, const yaml_node_t *place,
                               hl_error *error) {
    head_selector wanted;
    option_selector(text, &wanted);
    hl_status status = HL_OK;
    bool found = false;
    for (uint32_t i = 0; i < binding->model->component_count && status == HL_OK; ++i) {
        const hl_component *head = head_at(binding->model, i);
        if (!head || (wanted.layer >= 0 && head->layer != wanted.layer)) continue;
        if (wanted.head >= 0 && head->index != wanted.head) continue;
        found = true;
        if (!wanted.aggregate) status = add_selection(binding, i, error);
    }
    if (!found) return fail_absent(binding, place, text, error);
    if (wanted.aggregate) status = add_selection(binding, binding->model->component_count, error);
    return status;
}

static hl_status bind_row(option_values *values, option_row *row, const hl_model_info *model,
                          hl_error *error) {
    size_t room = (size_t)model->component_count + 1;
    head_binding binding = {.values = values, .model = model};
    binding.selections = options_own(values, room, sizeof *binding.selections);
    binding.taken = options_own(values, room, sizeof *binding.taken);
    if (!binding.selections || !binding.taken) return options_no_memory(error);
    hl_status status = HL_OK;
    for (size_t i = 0; i < row->count && status == HL_OK; ++i) {
        const yaml_node_t *place = row->places ? row->places[i] : values->section;
        status = bind_selector(&binding, row->written[i], place, error);
    }
    if (status != HL_OK) return status;
    row->value.count = binding.count;
    row->value.selections =
        options_pointers(values, binding.selections, binding.count, sizeof *binding.selections);
    return row->value.selections ? HL_OK : options_no_memory(error);
}

hl_status options_bind_heads(option_values *values, const hl_model_info *model, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        option_row *row = &values->rows[i];
        if (row->option->type == HL_HEADS && row->value.given) status = bind_row(values, row, model, error);
    }
    return status;
}

static hl_status bind_property(const option_values *values, const option_row *row, size_t index,
                               options_find_property *find, const void *user, const hl_selection **out,
                               hl_error *error) {
    hl_error detail;
    char place[512];
    hl_status status = find(user, row->written[index], out, &detail);
    if (status == HL_OK) return HL_OK;
    const yaml_node_t *node = row->places ? row->places[index] : values->section;
    if (!node) return hl_fail(error, status, "%s: %s", values->plugin->name, detail.message);
    yaml_place(values->file, node, place, sizeof place);
    return hl_fail(error, status, "%s: %s: %s", place, values->plugin->name, detail.message);
}

static hl_status bind_properties(option_values *values, option_row *row, options_find_property *find,
                                 const void *user, hl_error *error) {
    if (!find) {
        const yaml_node_t *place = row->places ? row->places[0] : values->section;
        return options_fail(values, place, error,
                            "the experiment does not say which heads carry \"%s\": add "
                            "properties: {extractor: labels-file, path: FILE}",
                            row->written[0]);
    }
    const hl_selection **selections = options_own(values, row->count, sizeof *selections);
    if (!selections) return options_no_memory(error);
    hl_status status = HL_OK;
    for (size_t i = 0; i < row->count && status == HL_OK; ++i) {
        status = bind_property(values, row, i, find, user, &selections[i], error);
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

hl_status options_bind_directions(option_values *values, uint32_t embed_dim, options_encode *encode,
                                  void *user, hl_error *error) {
    for (size_t i = 0; i < values->plugin->option_count; ++i) {
        option_row *row = &values->rows[i];
        if (row->option->type != HL_DIRECTIONS || row->count == 0) continue;
        float *vectors = options_own(values, row->count, embed_dim * sizeof *vectors);
        if (!vectors) return options_no_memory(error);
        hl_status status = encode(user, row->written, row->count, vectors, error);
        if (status != HL_OK) return status;
        for (size_t j = 0; j < row->count; ++j) row->directions[j].vector = vectors + j * embed_dim;
    }
    return HL_OK;
}
