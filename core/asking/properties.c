/* See properties.h. */
#include "core/asking/properties.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct property {
    char *name;
    double *carried; /* by component: the label's weight, or 0 */
    hl_selection heads;
    uint32_t *components; /* the selection's */
    double *weights;      /* the selection's */
} property;

typedef struct alias {
    char *spelling, *property;
} alias;

struct properties {
    const hl_model_info *model;
    property *list;
    size_t count;
    alias *aliases;
    size_t alias_count;
};

/* ---- taking labels ---- */

static property *add_property(properties *self, const char *name) {
    property *grown = reallocarray(self->list, self->count + 1, sizeof *grown);
    if (!grown) return NULL;
    self->list = grown;
    property *added = &grown[self->count];
    *added = (property){.name = strdup(name),
                        .carried = calloc((size_t)self->model->component_count + 1, sizeof(double))};
    if (added->name && added->carried) {
        self->count++;
        return added;
    }
    free(added->name);
    free(added->carried);
    return NULL;
}

static property *find_property(const properties *self, const char *name) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->list[i].name, name) == 0) return &self->list[i];
    }
    return NULL;
}

hl_status properties_label(properties *self, uint32_t component, const char *name, double weight,
                           hl_error *error) {
    if (weight <= 0) return HL_OK;
    property *known = find_property(self, name);
    if (!known) known = add_property(self, name);
    if (!known) return hl_no_memory(error, "properties");
    known->carried[component] = fmax(known->carried[component], weight);
    return HL_OK;
}

hl_status properties_alias(properties *self, const char *spelling, const char *name, hl_error *error) {
    alias *grown = reallocarray(self->aliases, self->alias_count + 1, sizeof *grown);
    if (!grown) return hl_no_memory(error, "spellings of properties");
    self->aliases = grown;
    alias *added = &grown[self->alias_count++];
    *added = (alias){strdup(spelling), strdup(name)};
    return added->spelling && added->property ? HL_OK : hl_no_memory(error, "spellings of properties");
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const property *)a)->name, ((const property *)b)->name);
}

static hl_status make_selection(property *self, uint32_t component_count, hl_error *error) {
    self->components = calloc(component_count, sizeof *self->components);
    self->weights = calloc(component_count, sizeof *self->weights);
    if (!self->components || !self->weights) return hl_no_memory(error, "properties");
    self->heads = (hl_selection){.name = self->name, .components = self->components};
    for (uint32_t i = 0; i < component_count; ++i) {
        if (self->carried[i] <= 0) continue;
        if (self->carried[i] < 1) self->heads.weights = self->weights;
        self->weights[self->heads.count] = self->carried[i];
        self->components[self->heads.count++] = i;
    }
    return HL_OK;
}

/* No selection moves any more. */
hl_status properties_finish(properties *self, hl_error *error) {
    hl_status status = HL_OK;
    if (self->count > 0) qsort(self->list, self->count, sizeof *self->list, compare_names);
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        status = make_selection(&self->list[i], self->model->component_count, error);
    }
    return status;
}

hl_status properties_open(const hl_model_info *model, properties **out, hl_error *error) {
    properties *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "properties");
    self->model = model;
    return HL_OK;
}

void properties_close(properties *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; ++i) {
        free(self->list[i].name);
        free(self->list[i].carried);
        free(self->list[i].components);
        free(self->list[i].weights);
    }
    for (size_t i = 0; i < self->alias_count; ++i) {
        free(self->aliases[i].spelling);
        free(self->aliases[i].property);
    }
    free(self->list);
    free(self->aliases);
    free(self);
}

/* ---- answering ---- */

static hl_status fail_absent(const properties *self, const char *name, hl_error *error) {
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < self->count && used < sizeof names; ++i) {
        int written =
            snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", self->list[i].name);
        if (written > 0) used += (size_t)written;
    }
    return hl_fail(error, HL_FAILED, "no head carries the property \"%s\"; there are: %s", name,
                   self->count > 0 ? names : "none");
}

/* The property that the spelling stands for; NULL: none that a head carries. */
static const property *find_spelling(const properties *self, const char *spelling) {
    for (size_t i = 0; i < self->alias_count; ++i) {
        if (strcmp(self->aliases[i].spelling, spelling) == 0) {
            return find_property(self, self->aliases[i].property);
        }
    }
    return NULL;
}

hl_status properties_find(const properties *self, const char *name, const hl_selection **out,
                          hl_error *error) {
    const property *known = find_property(self, name);
    if (!known) known = find_spelling(self, name);
    *out = known ? &known->heads : NULL;
    return known ? HL_OK : fail_absent(self, name, error);
}

/* The names of all that a component carries; empty when there is nothing. free() it. */
static char *names_of(const properties *self, uint32_t component) {
    char *names = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&names, &size);
    for (size_t i = 0; out && i < self->count; ++i) {
        if (self->list[i].carried[component] > 0)
            fprintf(out, "%s%s", ftell(out) > 0 ? ", " : "", self->list[i].name);
    }
    if (out && fclose(out) == 0) return names;
    free(names);
    return NULL;
}

hl_status properties_describe(const properties *self, hl_item *heads, hl_error *error) {
    for (uint32_t i = 0; i < self->model->component_count; ++i) {
        char *names = names_of(self, i);
        if (!names) return hl_no_memory(error, "the results");
        if (*names) item_text(heads, hl_component_at(self->model, i)->name, names);
        free(names);
    }
    return HL_OK;
}
