/* Option values meet a model: heads and properties become selections of its components, texts become vectors.
 * Knows the component table, never how a model computes. */
#include "core/registry/option_values.h"

#include <string.h>

static const hl_component *head_at(const hl_model_info *model, uint32_t index) {
    const hl_component *component = hl_component_at(model, index);
    return component->kind == HL_HEAD ? component : NULL;
}

/* ---- heads ---- */

typedef struct head_binding {
    option_values *values;
    const hl_model_info *model;
    hl_selection *selections; /* room for one for each head, the aggregate and each entry */
    size_t count;
    uint32_t *indices; /* 0, 1, 2 ...: the components of a single head are one of these */
    double *weights;   /* by component, of the set that is being put together; 0: it is not in it */
} head_binding;

static bool is_wanted(const head_binding *binding, head_selector wanted, uint32_t index) {
    const hl_component *head = head_at(binding->model, index);
    return head && (wanted.layer < 0 || head->layer == wanted.layer) &&
           (wanted.head < 0 || head->index == wanted.head);
}

static hl_status fail_absent(const head_binding *binding, const yaml_node *place, head_selector wanted,
                             hl_error *error) {
    const hl_component *first = NULL, *last = NULL;
    for (uint32_t i = 0; i < binding->model->component_count; ++i) {
        last = head_at(binding->model, i) ? head_at(binding->model, i) : last;
        first = first ? first : last;
    }
    if (!first) return options_fail(binding->values, place, error, "the model has no attention heads");
    char name[32];
    size_t used = (size_t)snprintf(name, sizeof name, "%s L%d", wanted.head < 0 ? "s" : "", wanted.layer);
    if (wanted.head >= 0) snprintf(name + used, sizeof name - used, ".H%d", wanted.head);
    return options_fail(binding->values, place, error, "the model has no head%s; its heads are %s to %s",
                        name, first->name, last->name);
}

static hl_status check_there(const head_binding *binding, head_selector wanted, const yaml_node *place,
                             hl_error *error) {
    for (uint32_t i = 0; i < binding->model->component_count; ++i) {
        if (is_wanted(binding, wanted, i)) return HL_OK;
    }
    return fail_absent(binding, place, wanted, error);
}

static bool is_same(const hl_selection *a, const hl_selection *b) {
    if (a->count != b->count || !a->weights != !b->weights) return false;
    if (memcmp(a->components, b->components, a->count * sizeof *a->components) != 0) return false;
    return !a->weights || memcmp(a->weights, b->weights, a->count * sizeof *a->weights) == 0;
}

/* What the list names twice counts once, by the name that came first. */
static void add_selection(head_binding *binding, hl_selection added) {
    for (size_t i = 0; i < binding->count; ++i) {
        if (is_same(&binding->selections[i], &added)) return;
    }
    binding->selections[binding->count++] = added;
}

static void add_singles(head_binding *binding, head_selector wanted) {
    for (uint32_t i = 0; i < binding->model->component_count; ++i) {
        if (!is_wanted(binding, wanted, i)) continue;
        add_selection(binding,
                      (hl_selection){head_at(binding->model, i)->name, &binding->indices[i], 1, NULL});
    }
}

/* Puts a term's heads into the set. `name`: of the set. */
static hl_status put(head_binding *binding, head_term term, const char *name, const yaml_node *place,
                     hl_error *error) {
    hl_status status = check_there(binding, term.heads, place, error);
    for (uint32_t i = 0; i < binding->model->component_count && status == HL_OK; ++i) {
        if (!is_wanted(binding, term.heads, i)) continue;
        if (binding->weights[i] > 0) {
            return options_fail(binding->values, place, error,
                                "the head %s is twice in the sum \"%.200s\"; name it once, with its weight",
                                head_at(binding->model, i)->name, name);
        }
        binding->weights[i] = term.weight;
    }
    return status;
}

/* Makes a selection of the set and empties it. */
static hl_status add_set(head_binding *binding, const char *name, hl_error *error) {
    size_t room = binding->model->component_count, count = 0;
    uint32_t *components = options_own(binding->values, room, sizeof *components);
    double *weights = options_own(binding->values, room, sizeof *weights);
    if (!components || !weights) return options_no_memory(error);
    bool weighted = false;
    for (uint32_t i = 0; i < room; ++i) {
        double weight = binding->weights[i];
        if (weight <= 0) continue;
        weighted |= weight < 1 || weight > 1;
        components[count] = i;
        weights[count++] = weight;
        binding->weights[i] = 0;
    }
    add_selection(binding, (hl_selection){name, components, count, weighted ? weights : NULL});
    return HL_OK;
}

/* The text with each run of white space as one blank, and none at its ends. */
static const char *fold_blanks(option_values *values, const char *text) {
    static const char blanks[] = " \t\r\n";
    char *folded = options_own(values, strlen(text) + 1, 1), *end = folded;
    for (text += strspn(text, blanks); folded && *text; text += strspn(text, blanks)) {
        size_t length = strcspn(text, blanks);
        if (end > folded) *end++ = ' ';
        memcpy(end, text, length);
        end += length;
        text += length;
    }
    return folded;
}

static hl_status bind_sum(head_binding *binding, const char *text, const yaml_node *place, hl_error *error) {
    const char *name = fold_blanks(binding->values, text);
    if (!name) return options_no_memory(error);
    head_term term;
    hl_status status = HL_OK;
    for (const char *rest = text; rest && status == HL_OK;) {
        status = option_term(&rest, &term, error);
        if (status == HL_OK) status = put(binding, term, name, place, error);
    }
    return status == HL_OK ? add_set(binding, name, error) : status;
}

static hl_status bind_entry(head_binding *binding, const char *text, const yaml_node *place,
                            hl_error *error) {
    if (option_is_sum(text)) return bind_sum(binding, text, place, error);
    head_term whole = {.weight = 1};
    option_selector(text, &whole.heads);
    if (!whole.heads.aggregate) {
        hl_status status = check_there(binding, whole.heads, place, error);
        if (status == HL_OK) add_singles(binding, whole.heads);
        return status;
    }
    hl_status status = put(binding, whole, text, place, error);
    return status == HL_OK ? add_set(binding, "aggregate", error) : status;
}

static hl_status begin_binding(head_binding *binding, size_t entries, hl_error *error) {
    size_t components = binding->model->component_count;
    binding->selections = options_own(binding->values, components + 1 + entries, sizeof *binding->selections);
    binding->indices = options_own(binding->values, components, sizeof *binding->indices);
    binding->weights = options_own(binding->values, components, sizeof *binding->weights);
    if (!binding->selections || !binding->indices || !binding->weights) return options_no_memory(error);
    for (uint32_t i = 0; i < components; ++i) binding->indices[i] = i;
    return HL_OK;
}

static hl_status bind_row(option_values *values, option_row *row, const hl_model_info *model,
                          hl_error *error) {
    head_binding binding = {.values = values, .model = model};
    hl_status status = begin_binding(&binding, row->count, error);
    for (size_t i = 0; i < row->count && status == HL_OK; ++i) {
        const yaml_node *place = row->places ? row->places[i] : values->section;
        status = bind_entry(&binding, row->written[i], place, error);
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

/* ---- properties ---- */

static hl_status bind_property(const option_values *values, const option_row *row, size_t index,
                               options_find_property *find, const void *user, const hl_selection **out,
                               hl_error *error) {
    hl_error detail;
    char place[512];
    hl_status status = find(user, row->written[index], out, &detail);
    if (status == HL_OK) return HL_OK;
    const yaml_node *node = row->places ? row->places[index] : values->section;
    if (!node) return hl_fail(error, status, "%s: %s", values->plugin->name, detail.message);
    yaml_place(node, place, sizeof place);
    return hl_fail(error, status, "%s: %s: %s", place, values->plugin->name, detail.message);
}

static hl_status bind_properties(option_values *values, option_row *row, options_find_property *find,
                                 const void *user, hl_error *error) {
    if (!find) {
        const yaml_node *place = row->places ? row->places[0] : values->section;
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

/* ---- directions ---- */

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
