/* See selection.h. Knows the component table, never how a model computes. */
#include "core/registry/selection_terms.h"

#include <string.h>

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "a selection of heads");
}

/* ---- the writing ---- */

void selection_words(uint32_t flags, char *out, size_t size) {
    const char *words[4] = {"L3.H5, L3, L8-L11, all"};
    size_t count = 1;
    if (flags & HL_OPTION_AGGREGATE) words[count++] = "aggregate";
    if (flags & HL_OPTION_ALL_COMPONENTS) words[count++] = "L3.MLP, input, embedding";
    if (flags & HL_OPTION_SETS) words[count++] = "a sum such as 0.7*L3.H5 + L2.H1";
    if (count == 1) {
        hl_format(out, size, "heads (L3.H5, L3, L8-L11 or all)");
        return;
    }
    size_t used = (size_t)snprintf(out, size, "heads (%s", words[0]);
    for (size_t i = 1; i < count && used < size; ++i) {
        used += (size_t)snprintf(out + used, size - used, "%s%s%s", i + 1 == count ? " or " : ", ", words[i],
                                 i + 1 == count ? ")" : "");
    }
}

static hl_status check_term(const char *entry, selection_term term, uint32_t flags, hl_error *error) {
    if (term.first > term.last) {
        return hl_fail(error, HL_USAGE, "L%d-L%d goes backwards; write L%d-L%d", term.first, term.last,
                       term.last, term.first);
    }
    bool is_head = term.kind == TERM_HEADS || term.kind == TERM_AGGREGATE;
    if (is_head || (flags & HL_OPTION_ALL_COMPONENTS)) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "\"%.200s\" goes beyond heads, and what is asked here only heads can answer: the others have "
        "no parts by token, or no descriptions; write L3.H5, L3 or all",
        entry);
}

static hl_status check_sum(const char *entry, uint32_t flags, hl_error *error) {
    if (!(flags & HL_OPTION_SETS)) {
        return hl_fail(error, HL_USAGE, "takes heads one by one, no sums; write L3.H5, L3 or all");
    }
    selection_term term;
    hl_error why;
    for (const char *rest = entry; rest;) {
        hl_status status = term_next(&rest, flags, &term, &why);
        if (status == HL_OK) status = check_term(entry, term, flags, &why);
        if (status != HL_OK) {
            return hl_fail(error, HL_USAGE, "in the sum \"%.200s\": %s", entry, why.message);
        }
    }
    return HL_OK;
}

hl_status selection_check(const char *entry, uint32_t flags, hl_error *error) {
    selection_term term;
    if (term_is_sum(entry)) return check_sum(entry, flags, error);
    if (!term_alone(entry, &term)) return hl_fail(error, HL_USAGE, "%s", "");
    if (term.kind == TERM_AGGREGATE && !(flags & HL_OPTION_AGGREGATE)) {
        return hl_fail(error, HL_USAGE, "\"aggregate\" makes sense for heat only; write L3.H5, L3 or all");
    }
    return check_term(entry, term, flags, error);
}

/* ---- the list ---- */

static bool is_same(const hl_selection *a, const hl_selection *b) {
    if (a->kind != b->kind || a->count != b->count || !a->weights != !b->weights) return false;
    if (a->count == 0) return true;
    if (memcmp(a->components, b->components, a->count * sizeof *a->components) != 0) return false;
    return !a->weights || memcmp(a->weights, b->weights, a->count * sizeof *a->weights) == 0;
}

static hl_status grow(selection_list *list, hl_error *error) {
    if (list->count < list->room) return HL_OK;
    size_t room = list->room ? 2 * list->room : 8;
    hl_selection **longer = arena_array(list->memory, room, sizeof *longer);
    if (!longer) return no_memory(error);
    if (list->count > 0) memcpy(longer, list->all, list->count * sizeof *longer);
    list->all = longer;
    list->room = room;
    return HL_OK;
}

static hl_status add(selection_list *list, hl_selection added, hl_error *error) {
    for (size_t i = 0; i < list->count; ++i) {
        if (is_same(list->all[i], &added)) return HL_OK;
    }
    hl_status status = grow(list, error);
    if (status != HL_OK) return status;
    hl_selection *made = arena_array(list->memory, 1, sizeof *made);
    if (!made) return no_memory(error);
    *made = added;
    list->all[list->count++] = made;
    return HL_OK;
}

static hl_status add_single(selection_list *list, uint32_t index, hl_error *error) {
    uint32_t *components = arena_array(list->memory, 1, sizeof *components);
    if (!components) return no_memory(error);
    *components = index;
    return add(list, (hl_selection){hl_component_at(list->model, index)->name, components, 1, NULL, 0},
               error);
}

/* ---- what a term stands for ---- */

static bool is_in_layers(const hl_component *component, selection_term term) {
    if (term.group) {
        return strncmp(component->name, term.group, term.group_length) == 0 &&
               component->name[term.group_length] == '.';
    }
    return term.first < 0 || (component->layer >= term.first && component->layer <= term.last);
}

static bool is_wanted(const hl_component *component, selection_term term) {
    switch (term.kind) {
    case TERM_MLP:
        return component->kind == HL_MLP && is_in_layers(component, term);
    case TERM_INPUT:
        return component->kind == HL_INPUT;
    case TERM_REMAINDER:
        return component->kind == HL_REMAINDER;
    default:
        return component->kind == HL_HEAD && is_in_layers(component, term) &&
               (term.head < 0 || component->index == term.head);
    }
}

static bool is_there(const hl_model_info *model, selection_term term) {
    for (uint32_t i = 0; i < model->component_count; ++i) {
        if (is_wanted(hl_component_at(model, i), term)) return true;
    }
    return false;
}

static hl_status fail_absent(const hl_model_info *model, selection_term term, hl_error *error) {
    uint32_t kind = term.kind == TERM_MLP ? HL_MLP : HL_HEAD;
    const hl_component *first = NULL, *last = NULL;
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *component = hl_component_at(model, i);
        if (component->kind != kind) continue;
        last = component;
        first = first ? first : last;
    }
    if (term.kind == TERM_INPUT) {
        return hl_fail(error, HL_USAGE, "the model has no component for what enters its first layer");
    }
    if (term.kind == TERM_REMAINDER) {
        return hl_fail(error, HL_USAGE, "the model has no remainder: it is taken apart whole");
    }
    const char *what = kind == HL_MLP ? "MLPs" : "heads";
    if (!first)
        return hl_fail(error, HL_USAGE, "the model has no %s", kind == HL_MLP ? what : "attention heads");
    char name[48];
    size_t used = term.group ? (size_t)snprintf(name, sizeof name, "%.*s", (int)term.group_length, term.group)
                             : (size_t)snprintf(name, sizeof name, "L%d", term.first);
    if (used >= sizeof name) used = sizeof name - 1;
    if (term.head >= 0) snprintf(name + used, sizeof name - used, ".H%d", term.head);
    if (term.kind == TERM_MLP) snprintf(name + used, sizeof name - used, ".MLP");
    return hl_fail(error, HL_USAGE, "the model has no %s%s; its %s are %s to %s",
                   term.kind == TERM_MLP ? ""
                   : term.head < 0       ? "heads "
                                         : "head ",
                   name, what, first->name, last->name);
}

/* Both ends of a range, so that a longer one is not taken for what there is of it. */
static hl_status check_there(const hl_model_info *model, selection_term term, hl_error *error) {
    selection_term end = term;
    end.last = end.first;
    if (!is_there(model, end)) return fail_absent(model, end, error);
    end.first = end.last = term.last;
    return is_there(model, end) ? HL_OK : fail_absent(model, end, error);
}

static hl_status add_singles(selection_list *list, selection_term term, hl_error *error) {
    hl_status status = check_there(list->model, term, error);
    for (uint32_t i = 0; i < list->model->component_count && status == HL_OK; ++i) {
        if (is_wanted(hl_component_at(list->model, i), term)) status = add_single(list, i, error);
    }
    return status;
}

/* ---- sets ---- */

/* Puts a term's components into a set, by component. `name`: of the set. */
static hl_status put(const hl_model_info *model, selection_term term, const char *name, double *weights,
                     hl_error *error) {
    hl_status status = check_there(model, term, error);
    for (uint32_t i = 0; i < model->component_count && status == HL_OK; ++i) {
        const hl_component *component = hl_component_at(model, i);
        if (!is_wanted(component, term)) continue;
        if (weights[i] < 0 || weights[i] > 0) {
            return hl_fail(error, HL_USAGE,
                           "%s%s is twice in the sum \"%.200s\"; name it once, with its weight",
                           component->kind == HL_HEAD ? "the head " : "", component->name, name);
        }
        weights[i] = term.weight;
    }
    return status;
}

static hl_status add_set(selection_list *list, const char *name, const double *by_component,
                         hl_error *error) {
    size_t room = list->model->component_count, count = 0;
    uint32_t *components = arena_array(list->memory, room, sizeof *components);
    double *weights = arena_array(list->memory, room, sizeof *weights);
    if (!components || !weights) return no_memory(error);
    bool weighted = false;
    for (uint32_t i = 0; i < room; ++i) {
        double weight = by_component[i];
        if (!(weight < 0 || weight > 0)) continue;
        weighted |= weight < 1 || weight > 1;
        components[count] = i;
        weights[count++] = weight;
    }
    return add(list, (hl_selection){name, components, count, weighted ? weights : NULL, HL_COMPONENTS},
               error);
}

/* The text with each run of white space as one blank, and none at its ends. */
static const char *fold_blanks(arena *memory, const char *text) {
    static const char blanks[] = " \t\r\n";
    char *folded = arena_array(memory, strlen(text) + 1, 1), *end = folded;
    for (text += strspn(text, blanks); folded && *text; text += strspn(text, blanks)) {
        size_t length = strcspn(text, blanks);
        if (end > folded) *end++ = ' ';
        memcpy(end, text, length);
        end += length;
        text += length;
    }
    return folded;
}

static hl_status add_sum(selection_list *list, const char *entry, hl_error *error) {
    const char *name = fold_blanks(list->memory, entry);
    double *weights = arena_array(list->memory, list->model->component_count, sizeof *weights);
    if (!name || !weights) return no_memory(error);
    selection_term term;
    hl_status status = HL_OK;
    for (const char *rest = entry; rest && status == HL_OK;) {
        status = term_next(&rest, UINT32_MAX, &term, error);
        if (status == HL_OK) status = put(list->model, term, name, weights, error);
    }
    return status == HL_OK ? add_set(list, name, weights, error) : status;
}

static hl_status add_aggregate(selection_list *list, selection_term term, hl_error *error) {
    double *weights = arena_array(list->memory, list->model->component_count, sizeof *weights);
    if (!weights) return no_memory(error);
    hl_status status = put(list->model, term, "aggregate", weights, error);
    return status == HL_OK ? add_set(list, "aggregate", weights, error) : status;
}

hl_status selection_add(selection_list *list, const char *entry, hl_error *error) {
    selection_term term;
    if (!term_alone(entry, &term)) return add_sum(list, entry, error);
    if (term.kind == TERM_AGGREGATE) return add_aggregate(list, term, error);
    if (term.kind != TERM_EMBEDDING) return add_singles(list, term, error);
    return add(list, (hl_selection){.name = "embedding", .kind = HL_EMBEDDING}, error);
}
