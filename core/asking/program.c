/* Conversations of programs: a model of their own, under a call of their own. */
#include "core/asking/asker_inside.h"

#include "core/host/library.h"
#include <stdlib.h>
#include <string.h>

enum { USUAL_BATCH = 8 };

/* Takes over host and engine; with one conversation to begin with. */
static hl_status begin(engine *model, host *made, asker **out, hl_error *error) {
    asked_model *shared;
    hl_status status = asked_model_open(model, 0, &shared, error);
    if (status != HL_OK) {
        engine_close(model);
        host_close(made);
        return status;
    }
    asked_model_own(shared, made);
    status = asker_open(shared, NULL, NULL, out, error);
    if (status != HL_OK) asked_model_close(shared);
    return status;
}

static hl_status open_model(hl_library *library, const hl_ask_settings *settings, asker **out,
                            hl_error *error) {
    const engine_choice choice = {.backend = settings->backend,
                                  .compute = settings->compute,
                                  .compute_count = settings->compute_count,
                                  .threads = settings->threads};
    engine_settings wanted = {.source = {.size = sizeof(hl_model_source), .path = settings->model},
                              .model_options = settings->options,
                              .model_option_count = settings->option_count,
                              .batch = settings->batch ? settings->batch : USUAL_BATCH,
                              .texts = settings->batch};
    host *made;
    engine *model;
    if (!settings->model) return hl_fail(error, HL_USAGE, "hl_ask_settings.model: name the model's folder");
    hl_status status = engine_start(library, &choice, &wanted, &made, &model, error);
    if (status == HL_OK) return begin(model, made, out, error);
    engine_close(model);
    host_close(made);
    return status;
}

/* For all conversations with the model. */
static hl_status open_gallery(asker *self, const hl_gallery_source *source, hl_error *error) {
    const hl_gallery *made = NULL;
    if (!source) return HL_OK;
    hl_status status = asker_open_gallery(self, source, &made, error);
    self->shared->gallery = (nearest *)(uintptr_t)made;
    self->interface.gallery = made;
    return status;
}

static void take_call(asker *self, const call_scope *scope) {
    self->call = scope->call;
    self->has_call = true;
}

hl_status hl_ask_open(hl_library *library, const hl_call *call, const hl_ask_settings *given,
                      const hl_ask **ask, hl_error *error) {
    *ask = NULL;
    call_scope scope;
    hl_ask_settings settings;
    asker *made = NULL;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&settings, sizeof settings, given, "hl_ask_settings", error);
    if (status == HL_OK) status = open_model(library, &settings, &made, error);
    bool opened = status == HL_OK;
    if (opened) status = open_gallery(made, settings.gallery, error);
    call_end(&scope);
    if (opened && status != HL_OK) asker_close(made);
    if (status != HL_OK) return status;
    take_call(made, &scope);
    *ask = &made->interface;
    return HL_OK;
}

hl_status hl_ask_share(const hl_ask *ask, const hl_call *call, const hl_ask **other, hl_error *error) {
    *other = NULL;
    call_scope scope;
    asker *from = asker_behind(ask), *made = NULL;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK && from->changed) {
        status = hl_fail(error, HL_USAGE,
                         "a conversation with edits is not shared; share the one that it comes "
                         "from, and ask that for `edited`");
    }
    if (status == HL_OK)
        status = asker_open(from->shared, from->shared->gallery, &from->findings, &made, error);
    call_end(&scope);
    if (status != HL_OK) return status;
    take_call(made, &scope);
    *other = &made->interface;
    return HL_OK;
}

void hl_ask_close(const hl_ask *ask) {
    if (ask) asker_close(asker_behind(ask));
}

void hl_ask_count(const hl_ask *ask, hl_ask_counts *counts) {
    const engine_counts *done = asker_behind(ask)->shared->model->counts;
    const hl_ask_counts known = {.size = counts->size,
                                 .image_passes = atomic_load(&done->image_passes),
                                 .images = atomic_load(&done->images),
                                 .text_passes = atomic_load(&done->text_passes),
                                 .texts = atomic_load(&done->texts)};
    memcpy(counts, &known, counts->size < sizeof known ? counts->size : sizeof known);
}
