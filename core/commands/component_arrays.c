/* See component_arrays.h. */
#include "core/commands/component_arrays.h"

#include "core/io/call.h"
#include "core/io/npy.h"
#include "core/registry/guard.h"
#include "core/tree/tree.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct component_arrays {
    engine *model;
    output *files;
    component_wish wish;
    size_t tokens, width;
    FILE *contributions;
    FILE **parts;      /* by component; NULL: none are written */
    float *code, *row; /* of all tokens of one component, or of the component */
};

/* ---- components.json ---- */

static const char *kind_word(uint32_t kind) {
    switch (kind) {
    case HL_HEAD:
        return "head";
    case HL_MLP:
        return "mlp";
    case HL_INPUT:
        return "input";
    default:
        return "remainder";
    }
}

static void tell_place(hl_item *item, const char *key, int32_t place) {
    if (place >= 0)
        item_whole(item, key, place);
    else
        item_nothing(item, key);
}

static void tell(hl_item *item, const hl_component *row) {
    item_text(item, "name", row->name);
    item_text(item, "kind", kind_word(row->kind));
    tell_place(item, "layer", row->layer);
    tell_place(item, "index", row->index);
    item_whole(item, "basis", row->basis);
    item_whole(item, "width", row->width);
    item_whole(item, "scalars", row->scalar_count);
}

static hl_status write_table(const component_arrays *self, hl_error *error) {
    tree *made;
    char *text = NULL;
    FILE *file;
    hl_status status = tree_open(&made, error);
    if (status != HL_OK) return status;
    hl_item *list = item_list(tree_root(made), "components", HL_LIST);
    for (uint32_t i = 0; i < self->model->info->component_count; ++i)
        tell(item_map(list, NULL), engine_component(self->model, i));
    status = tree_check(made, error);
    if (status == HL_OK) status = tree_print_json(item_node(list), true, &text, error);
    if (status == HL_OK) status = output_file(self->files, "components.json", &file, error);
    if (status == HL_OK) status = output_write(self->files, file, text, strlen(text), error);
    if (status == HL_OK) status = output_write(self->files, file, "\n", 1, error);
    free(text);
    tree_close(made);
    return status;
}

/* ---- bases.npy ---- */

/* Rows that all bases have; 0: they differ. */
static size_t common_rows(const engine *model) {
    size_t rows = engine_code_width(engine_component(model, 0));
    for (uint32_t i = 1; i < model->info->component_count; ++i) {
        if (engine_code_width(engine_component(model, i)) != rows) return 0;
    }
    return rows;
}

static hl_status write_bases(const component_arrays *self, hl_error *error) {
    engine *model = self->model;
    size_t rows = common_rows(model), count = model->info->basis_count;
    FILE *file;
    if (!self->wish.bases || rows == 0) return HL_OK;
    hl_status status =
        npy_begin(self->files, "bases.npy", "<f4", NPY_SHAPE(count, rows, self->width), &file, error);
    for (uint32_t i = 0; i < count && status == HL_OK; ++i) {
        const float *basis;
        status = engine_basis(model, i, &basis, error);
        if (status == HL_OK)
            status = output_write(self->files, file, basis, rows * self->width * sizeof *basis, error);
        call_progress("bases", "basis", i + 1, count);
    }
    return status;
}

/* ---- what is written image after image ---- */

/* A name is the plugin's own: whatever else it has, it makes no path. */
static void file_name(const hl_component *row, char *out, size_t size) {
    snprintf(out, size, "component_tokens-%s.npy", row->name);
    for (char *at = out; *at; ++at) {
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at)) *at = '_';
    }
}

static hl_status begin_parts(component_arrays *self, hl_error *error) {
    char name[160];
    uint32_t count = self->model->info->component_count;
    if (!self->wish.tokens) return HL_OK;
    self->parts = calloc(count, sizeof(FILE *));
    if (!self->parts) return hl_no_memory(error, "the components' files");
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < count && status == HL_OK; ++i) {
        const hl_component *row = engine_component(self->model, i);
        if (!row->has_tokens) continue;
        file_name(row, name, sizeof name);
        status = npy_begin(self->files, name, "<f4", NPY_SHAPE(self->wish.images, self->tokens, self->width),
                           &self->parts[i], error);
    }
    return status;
}

static hl_status take_memory(component_arrays *self, hl_error *error) {
    size_t rows = self->wish.tokens ? self->tokens : 1, widest = 0;
    for (uint32_t i = 0; i < self->model->info->component_count; ++i) {
        size_t width = engine_code_width(engine_component(self->model, i));
        if (width > widest) widest = width;
    }
    self->code = calloc(rows * widest + 1, sizeof *self->code);
    self->row = calloc(rows * self->width, sizeof *self->row);
    return self->code && self->row ? HL_OK : hl_no_memory(error, "a component's contributions");
}

hl_status component_arrays_begin(engine *model, output *files, component_wish wish, component_arrays **out,
                                 hl_error *error) {
    component_arrays *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "the components");
    self->model = model;
    self->files = files;
    self->wish = wish;
    self->tokens = engine_tokens(model);
    self->width = model->info->embed_dim;
    hl_status status = take_memory(self, error);
    if (status == HL_OK) status = write_table(self, error);
    if (status == HL_OK) status = write_bases(self, error);
    if (status == HL_OK) {
        status = npy_begin(files, "contributions.npy", "<f4",
                           NPY_SHAPE(wish.images, model->info->component_count, self->width),
                           &self->contributions, error);
    }
    return status == HL_OK ? begin_parts(self, error) : status;
}

static hl_status write_rows(component_arrays *self, uint32_t component, size_t rows, FILE *to,
                            hl_error *error) {
    hl_status status = engine_expand(self->model, component, self->code, rows, self->row, error);
    if (status != HL_OK) return status;
    return output_write(self->files, to, self->row, rows * self->width * sizeof *self->row, error);
}

static hl_status add_parts(component_arrays *self, const hl_trace *trace, uint32_t component,
                           hl_error *error) {
    engine *model = self->model;
    hl_status status =
        GUARD(model->model_plugin, error, model->api.token_codes(trace, component, self->code, error));
    return status == HL_OK ? write_rows(self, component, self->tokens, self->parts[component], error)
                           : status;
}

hl_status component_arrays_add(component_arrays *self, const hl_trace *trace, hl_error *error) {
    engine *model = self->model;
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < model->info->component_count && status == HL_OK; ++i) {
        status = GUARD(model->model_plugin, error, model->api.code(trace, i, self->code, error));
        if (status == HL_OK) status = write_rows(self, i, 1, self->contributions, error);
        if (status == HL_OK && self->parts && self->parts[i]) status = add_parts(self, trace, i, error);
    }
    return status;
}

void component_arrays_free(component_arrays *self) {
    if (!self) return;
    free(self->parts);
    free(self->code);
    free(self->row);
    free(self);
}
