/* `headlight index`: a request in words -> an engine and index settings. */
#include "core/atlas/atlas.h"
#include "core/host/library.h"
#include "core/indexing/index.h"
#include "core/io/call.h"
#include "core/registry/suggest.h"

#include <string.h>

static hl_status parse_dtype(const char *text, hl_dtype *out, hl_error *error) {
    *out = 0;
    if (!text) return HL_OK;
    *out = strcmp(text, "f32") == 0 ? HL_F32 : HL_F16;
    if (strcmp(text, "f16") == 0 || strcmp(text, "f32") == 0) return HL_OK;
    return hl_fail(error, HL_USAGE, "dtype \"%s\": expected f16 or f32", text);
}

typedef struct column {
    const char *name;
    uint32_t flag;
} column;

static const column COLUMNS[] = {
    {"embedding", ATLAS_EMBEDDING}, {"mlps", ATLAS_MLPS}, {"first", ATLAS_FIRST}};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof *COLUMNS };

static hl_status unknown_column(const char *text, size_t length, hl_error *error) {
    const char *names[COLUMN_COUNT];
    char wrong[64], hint[256];
    for (size_t i = 0; i < COLUMN_COUNT; ++i) names[i] = COLUMNS[i].name;
    snprintf(wrong, sizeof wrong, "%.*s", (int)(length < sizeof wrong ? length : sizeof wrong - 1), text);
    suggest(hint, sizeof hint, wrong, names, COLUMN_COUNT);
    return hl_fail(error, HL_USAGE, "there is no column \"%s\"%s", wrong, hint);
}

/* "embedding,mlps" */
static hl_status parse_columns(const char *text, uint32_t *out, hl_error *error) {
    *out = 0;
    for (const char *at = text; at && *at;) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < COLUMN_COUNT && (strncmp(at, COLUMNS[i].name, length) != 0 || COLUMNS[i].name[length])) {
            ++i;
        }
        if (i == COLUMN_COUNT) return unknown_column(at, length, error);
        *out |= COLUMNS[i].flag;
        at += length;
        if (*at) ++at;
    }
    return HL_OK;
}

static hl_status make_atlas(hl_library *library, const hl_index_request *request,
                            const index_settings *settings, hl_error *error) {
    engine_settings wanted = {.source = {.size = sizeof(hl_model_source), .path = request->model},
                              .model_options = request->options,
                              .model_option_count = request->option_count};
    const engine_choice choice = {.backend = request->backend,
                                  .compute = request->compute,
                                  .compute_count = request->compute_count,
                                  .threads = request->threads};
    host *made;
    engine *model;
    gallery *images = NULL;
    hl_status status = engine_start(library, &choice, &wanted, &made, &model, error);
    if (status == HL_OK) status = gallery_open(request->images, &images, error);
    if (status == HL_OK) {
        status = settings->shared ? index_shared(model, images, settings, error)
                                  : index_gallery(model, images, settings, NULL, error);
    }
    gallery_close(images);
    engine_close(model);
    host_close(made);
    return status;
}

static hl_status index_as_asked(hl_library *library, const hl_index_request *request, hl_error *error) {
    index_settings settings = {.atlas = request->atlas,
                               .layers = request->layers,
                               .shard_size = request->shard_size,
                               .batch = request->batch,
                               .part = request->part,
                               .parts = request->parts,
                               .shared = request->shared && request->parts > 1,
                               .prune = request->prune};
    hl_status status = parse_dtype(request->dtype, &settings.dtype, error);
    if (status == HL_OK) status = parse_columns(request->columns, &settings.columns, error);
    return status == HL_OK ? make_atlas(library, request, &settings, error) : status;
}

hl_status hl_index(hl_library *library, const hl_call *call, const hl_index_request *request,
                   hl_error *error) {
    hl_index_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_index_request", error);
    if (status == HL_OK) status = index_as_asked(library, &own, error);
    call_end(&scope);
    return status;
}
