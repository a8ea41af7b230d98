/* See index_layout.h. Knows the component table, never a pixel. */
#include "core/indexing/index_layout.h"

#include "core/atlas/parts.h"
#include "core/io/checksum.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- the fingerprint ---- */

__attribute__((format(printf, 2, 3))) static void add_line(checksum *sum, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0) return;
    size_t held = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    checksum_add(sum, line, held + 1); /* with its NUL: "a" "bc" is not "ab" "c" */
}

static void add_component(checksum *sum, const hl_component *row) {
    add_line(sum, "component %s kind %u layer %d index %d width %u basis %u", row->name, row->kind,
             row->layer, row->index, row->width, row->basis);
    for (uint32_t i = 0; i < row->scalar_count; ++i) add_line(sum, "scalar %u", row->scalars[i]);
}

static void add_preprocess(checksum *sum, const hl_preprocess *preprocess) {
    add_line(sum, "resize %u size %u", preprocess->resize, preprocess->height);
    if (preprocess->width != preprocess->height) add_line(sum, "width %u", preprocess->width);
    if (preprocess->interpolation != HL_BICUBIC) add_line(sum, "interpolation %u", preprocess->interpolation);
    for (int i = 0; i < 3; ++i) {
        add_line(sum, "mean %a deviation %a", (double)preprocess->mean[i], (double)preprocess->deviation[i]);
    }
}

/* 32 hex digits and NUL over everything that codes depend on. */
static hl_status make_fingerprint(engine *model, hl_dtype dtype, const engine_edits *edits, char out[33],
                                  hl_error *error) {
    const char *weights;
    hl_status status = engine_digest(model, &weights, error);
    if (status != HL_OK) return status;
    if (!*weights) {
        return hl_fail(
            error, HL_USAGE,
            "model/%s cannot tell its weights from others (it has no `digest`), so its codes cannot "
            "be kept in an atlas; use a newer version of the plugin",
            model->model_plugin->name);
    }
    const char *precision;
    status = engine_precision(model, &precision, error);
    if (status != HL_OK) return status;
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "a checksum");
    add_line(sum, "weights %.32s plugin %s", weights, model->model_plugin->name);
    add_line(sum, "embed_dim %u", model->info->embed_dim);
    for (uint32_t i = 0; i < model->info->component_count; ++i)
        add_component(sum, engine_component(model, i));
    add_preprocess(sum, model->info->preprocess);
    add_line(sum, "dtype %s", dtype == HL_F16 ? "f16" : "f32");
    /* nothing is added where all is as it was before precisions were told apart: those atlases go on */
    if (strcmp(precision, "f32") != 0) add_line(sum, "precision %s", precision);
    if (edits && edits->count > 0) {
        add_line(sum, "edits %s", edits->name);
    } else {
        add_line(sum, "no edits");
    }
    checksum_end(sum, out);
    return HL_OK;
}

/* ---- layers ---- */

typedef struct layer_range {
    long first, last;
} layer_range;

/* "L8" at *text, which is moved behind it. */
static bool read_layer(const char **text, long *layer) {
    if ((*text)[0] != 'L' || !isdigit((unsigned char)(*text)[1])) return false;
    char *end;
    errno = 0;
    *layer = strtol(*text + 1, &end, 10);
    *text = end;
    return errno == 0;
}

static hl_status parse_layers(const char *text, layer_range *out, hl_error *error) {
    *out = (layer_range){LONG_MIN, LONG_MAX};
    if (!text || strcmp(text, "all") == 0) return HL_OK;
    const char *at = text;
    bool right = read_layer(&at, &out->first);
    out->last = out->first;
    if (right && *at == '-') {
        ++at;
        right = read_layer(&at, &out->last);
    }
    if (right && !*at && out->first <= out->last) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "layers \"%s\": expected \"all\", a layer such as L3 or a range such as "
                   "L8-L11",
                   text);
}

/* -1: no layer has heads */
static int32_t last_layer(const engine *model) {
    int32_t last = -1;
    for (uint32_t i = 0; i < model->head_count; ++i) {
        int32_t layer = engine_component(model, model->heads[i])->layer;
        if (layer > last) last = layer;
    }
    return last;
}

static hl_status no_such_layer(const engine *model, const char *layers, hl_error *error) {
    int32_t last = last_layer(model);
    if (last < 0) {
        return hl_fail(error, HL_USAGE, "%s has no heads that an atlas could hold", model->info->name);
    }
    return hl_fail(error, HL_USAGE, "layers \"%s\": %s has no heads there; its layers are L0 to L%d",
                   layers ? layers : "all", model->info->name, last);
}

/* ---- heads and columns ---- */

static atlas_head head_of(const hl_component *component) {
    atlas_head head = {.name = component->name,
                       .layer = component->layer,
                       .index = component->index,
                       .width = component->width,
                       .scalar_count = component->scalar_count,
                       .scope = HL_PER_IMAGE};
    for (uint32_t i = 0; i < component->scalar_count; ++i) {
        if (component->scalars[i] == HL_PER_LAYER) head.scope = HL_PER_LAYER;
    }
    return head;
}

static bool holds(const atlas_layout *layout, const char *head) {
    for (size_t i = 0; i < layout->head_count; ++i) {
        if (strcmp(layout->heads[i].name, head) == 0) return true;
    }
    return false;
}

static hl_status choose_heads(const engine *model, const char *layers, const atlas_layout *found,
                              index_layout *out, hl_error *error) {
    layer_range range;
    hl_status status = parse_layers(layers, &range, error);
    if (status != HL_OK) return status;
    if (range.last != LONG_MAX && range.last > last_layer(model)) return no_such_layer(model, layers, error);
    out->heads = calloc((size_t)model->head_count + 1, sizeof *out->heads);
    out->components = calloc((size_t)model->head_count + 1, sizeof *out->components);
    if (!out->heads || !out->components) return hl_no_memory(error, "the heads of the atlas");
    for (uint32_t i = 0; i < model->head_count; ++i) {
        const hl_component *head = engine_component(model, model->heads[i]);
        if (head->layer < range.first || head->layer > range.last) continue;
        if (!layers && found && !holds(found, head->name)) continue;
        out->heads[out->atlas.head_count] = head_of(head);
        out->components[out->atlas.head_count++] = model->heads[i];
    }
    out->atlas.heads = out->heads;
    return out->atlas.head_count > 0 ? HL_OK : no_such_layer(model, layers, error);
}

static hl_status add_others(const engine *model, index_layout *out, hl_error *error) {
    out->atlas.mlps = model->other_count;
    if (model->other_count > 0) return HL_OK;
    return hl_fail(error, HL_USAGE, "column mlps: %s has heads only", model->info->name);
}

static hl_dtype choose_dtype(const index_settings *settings, const atlas_layout *found) {
    if (settings->dtype) return settings->dtype;
    return found ? found->dtype : HL_F16;
}

static hl_status fill(engine *model, const index_settings *settings, const atlas_layout *found,
                      index_layout *out, hl_error *error) {
    out->atlas = (atlas_layout){.model = model->info->name,
                                .fingerprint = out->fingerprint,
                                .embed_dim = model->info->embed_dim,
                                .dtype = choose_dtype(settings, found),
                                .columns = settings->columns};
    if (found) out->atlas.columns |= found->columns;
    hl_status status = choose_heads(model, settings->layers, found, out, error);
    if (status == HL_OK && out->atlas.columns & ATLAS_MLPS) status = add_others(model, out, error);
    return status == HL_OK
               ? make_fingerprint(model, out->atlas.dtype, settings->edits, out->fingerprint, error)
               : status;
}

hl_status index_layout_look(const char *folder, manifest **out, hl_error *error) {
    parts_list parts;
    hl_status status = manifest_find(folder, MANIFEST_FILE, out, error);
    if (status != HL_OK || *out) return status;
    status = parts_find(folder, &parts, error);
    for (size_t i = 0; i < parts.count && status == HL_OK && !*out; ++i) {
        status = manifest_find(parts.folders[i], MANIFEST_FILE, out, error);
    }
    parts_list_free(&parts);
    return status;
}

hl_status index_layout_make(engine *model, const index_settings *settings, const manifest *found,
                            index_layout *out, hl_error *error) {
    *out = (index_layout){0};
    hl_status status = fill(model, settings, found ? &found->layout : NULL, out, error);
    if (status != HL_OK) index_layout_free(out);
    return status;
}

hl_status index_layout_check(engine *model, const index_settings *settings, manifest **found,
                             hl_error *error) {
    index_layout wanted = {0};
    hl_status status = index_layout_look(settings->atlas, found, error);
    if (status != HL_OK || !*found) return status;
    status = index_layout_make(model, settings, *found, &wanted, error);
    if (status == HL_OK) status = manifest_check(*found, &wanted.atlas, settings->atlas, error);
    index_layout_free(&wanted);
    if (status == HL_OK) return HL_OK;
    manifest_free(*found);
    *found = NULL;
    return status;
}

void index_layout_free(index_layout *self) {
    free(self->heads);
    free(self->components);
    *self = (index_layout){0};
}
