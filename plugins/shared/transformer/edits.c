/* See edits.h. */
#include "edits.h"

#include "checkpoint/try.h"
#include "layer_stack.h"
#include <stdlib.h>

static bool touches(const hl_edit *edit, size_t query_row) {
    bool found = !edit->tokens;
    for (size_t i = 0; !found && i < edit->token_count; ++i) found = edit->tokens[i] == query_row;
    return found;
}

static void edit_row(const hl_edit *edit, size_t width, float *row) {
    for (size_t i = 0; i < width; ++i) {
        row[i] = edit->action == HL_EDIT_SCALE ? row[i] * edit->factor : edit->values[i];
    }
}

/* `own`: one row for each query row; where a layer computes only the pooled one, that of each image. */
static hl_status apply_edit(const pass_edits *edits, const hl_edit *edit, hl_matrix own) {
    const hl_compute *c = edits->compute;
    float *rows = malloc(own.rows * own.cols * sizeof *rows);
    if (!rows) return hl_no_memory(edits->error, "an edit");
    hl_status status = c->api->download(c->backend, own, rows, edits->error);
    for (size_t i = 0; i < own.rows; ++i) {
        if (touches(edit, i % (own.rows / edits->count))) edit_row(edit, own.cols, rows + i * own.cols);
    }
    if (status == HL_OK) status = c->api->upload(c->backend, rows, own, edits->error);
    free(rows);
    return status;
}

static bool is_edited(const pass_edits *edits, const hl_edit *edit, hl_component_kind kind, int32_t layer) {
    const hl_component *component = &edits->components->rows[edit->component];
    return component->kind == (uint32_t)kind && component->layer == layer;
}

/* `heads`: how many lie side by side. */
static hl_status apply(const pass_edits *edits, hl_component_kind kind, int32_t layer, size_t heads,
                       hl_matrix outputs) {
    const hl_request *request = edits->request;
    size_t width = outputs.cols / heads;
    for (size_t i = 0; request && i < request->edit_count; ++i) {
        const hl_edit *edit = request->edits[i];
        int32_t index = edits->components->rows[edit->component].index;
        if (!is_edited(edits, edit, kind, layer)) continue;
        TRY(apply_edit(edits, edit, columns(outputs, kind == HL_HEAD ? (size_t)index * width : 0, width)));
    }
    return HL_OK;
}

hl_status edits_apply_heads(const pass_edits *edits, size_t layer, size_t heads, hl_matrix outputs) {
    return apply(edits, HL_HEAD, (int32_t)layer, heads, outputs);
}

hl_status edits_apply_mlp(const pass_edits *edits, size_t layer, hl_matrix outputs) {
    return apply(edits, HL_MLP, (int32_t)layer, 1, outputs);
}

hl_status edits_apply_input(const pass_edits *edits, hl_matrix rows) {
    return apply(edits, HL_INPUT, -1, 1, rows);
}

bool edits_touch_mlp(const pass_edits *edits, size_t layer) {
    const hl_request *request = edits->request;
    for (size_t i = 0; request && i < request->edit_count; ++i) {
        if (is_edited(edits, request->edits[i], HL_MLP, (int32_t)layer)) return true;
    }
    return false;
}

hl_status add_rows(const hl_compute *compute, hl_matrix y, hl_matrix x, hl_error *error) {
    size_t numbers = x.rows * x.cols;
    float *both = malloc(2 * numbers * sizeof *both);
    if (!both) return hl_no_memory(error, "an edit");
    hl_status status = compute->api->download(compute->backend, x, both, error);
    if (status == HL_OK) status = compute->api->download(compute->backend, y, both + numbers, error);
    for (size_t i = 0; status == HL_OK && i < numbers; ++i) both[i] += both[numbers + i];
    if (status == HL_OK) status = compute->api->upload(compute->backend, both, x, error);
    free(both);
    return status;
}
