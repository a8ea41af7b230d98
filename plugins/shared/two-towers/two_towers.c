/* See two_towers.h. */
#include "two_towers.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const two_towers *of(const hl_model *model) {
    return (const two_towers *)(const void *)model;
}

/* ---- opening and loading ---- */

static hl_status open_named(two_towers *self, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    self->name = model_folder_name(source->path);
    if (!self->name) return hl_no_memory(error, "the model's name");
    return self->kind->open((hl_model *)(void *)self, source, values, error);
}

hl_status two_towers_open(const two_towers_kind *kind, const hl_host *host, const hl_model_source *source,
                          const hl_value *const *values, hl_model **model, hl_error *error) {
    two_towers *self = calloc(1, kind->model_size);
    if (!self) return hl_no_memory(error, "a model");
    self->kind = kind;
    self->host = host;
    hl_status status = open_named(self, source, values, error);
    if (status == HL_OK) {
        *model = (hl_model *)(void *)self;
    } else {
        two_towers_close((hl_model *)(void *)self);
    }
    return status;
}

const char *two_towers_asked(const hl_value *const *values, int option) {
    return values && values[option]->given ? values[option]->string : NULL;
}

hl_status two_towers_open_texts(two_towers *self, const hl_model_source *source, const text_shape *texts,
                                const tokenizer_rules *rules, hl_error *error) {
    self->text.shape = texts;
    self->text.weights = &self->weights;
    self->text.host = self->host;
    self->text.plugin = self->kind->plugin;
    self->text.model = self->name;
    return tokenizer_open(self->host, source->path, rules, &self->tokenizer, error);
}

hl_status two_towers_load(hl_model *model, const hl_compute *compute, hl_error *error) {
    two_towers *self = (two_towers *)(void *)model;
    self->compute = *compute;
    loader from = {.weights = &self->weights, .compute = &self->compute, .error = error};
    hl_status status = self->kind->load(model, &from);
    if (status == HL_OK && self->tokenizer) status = text_tower_load(&self->text, &from);
    free(from.numbers);
    return status;
}

void two_towers_close(hl_model *model) {
    two_towers *self = (two_towers *)(void *)model;
    if (!self) return;
    self->kind->close(model);
    text_tower_free(&self->text);
    checkpoint_close(&self->weights);
    tokenizer_close(self->tokenizer);
    free(self->name);
    free(self->summary);
    free(self);
}

/* ---- sessions ---- */

hl_status two_towers_open_session(const hl_model *model, size_t batch, hl_session **session,
                                  hl_error *error) {
    const two_towers *self = of(model);
    two_towers_session *out = calloc(1, self->kind->session_size);
    if (!out) return hl_no_memory(error, "a session");
    hl_session *made = (hl_session *)(void *)out;
    out->model = model;
    out->text = (text_session){.tower = &self->text, .batch = batch};
    hl_status status = self->kind->open_session(model, batch, made, error);
    if (status == HL_OK) {
        *session = made;
    } else {
        two_towers_close_session(made);
    }
    return status;
}

void two_towers_close_session(hl_session *session) {
    two_towers_session *self = (two_towers_session *)(void *)session;
    if (!self) return;
    of(self->model)->kind->close_session(session);
    if (of(self->model)->tokenizer) text_session_close(&self->text);
    free(self);
}

/* ---- what it says about itself ---- */

hl_status two_towers_describe(two_towers *self, hl_error *error, const char *summary, ...) {
    va_list arguments;
    va_start(arguments, summary);
    int length = vasprintf(&self->summary, summary, arguments);
    va_end(arguments);
    if (length < 0) self->summary = NULL;
    if (!self->summary) return hl_no_memory(error, "the model's summary");
    self->info.name = self->name;
    self->info.summary = self->summary;
    if (!self->tokenizer) return HL_OK;
    self->info.context = (uint32_t)self->text.shape->context;
    self->info.pad_id = tokenizer_pad(self->tokenizer);
    return HL_OK;
}

void two_towers_state(two_towers *self, const char *name, const char *value, ...) {
    uint32_t number = self->info.fact_count;
    if (number == TWO_TOWERS_FACTS) return;
    va_list arguments;
    va_start(arguments, value);
    vsnprintf(self->fact_texts[number], TWO_TOWERS_FACT_ROOM, value, arguments);
    va_end(arguments);
    self->facts[number] = (hl_fact){name, self->fact_texts[number]};
    self->info.facts = self->facts;
    self->info.fact_count = number + 1;
}

const char *activation_name(hl_activation activation) {
    static const char *const names[] = {
        [HL_IDENTITY] = "none",       [HL_GELU] = "gelu", [HL_QUICK_GELU] = "quick_gelu",
        [HL_GELU_TANH] = "gelu_tanh", [HL_SILU] = "silu", [HL_RELU] = "relu"};
    return names[activation];
}

/* The files hold the logarithm of the scale. */
hl_status two_towers_state_score(two_towers *self, bool biased, hl_error *error) {
    bool has_scale, has_bias;
    float scale = 0, bias = 0;
    TRY(checkpoint_scalar(&self->weights, "logit_scale", &has_scale, &scale, error));
    TRY(checkpoint_scalar(&self->weights, "logit_bias", &has_bias, &bias, error));
    double multiplied = exp((double)scale);
    if (!has_scale || !isfinite(multiplied) || !isfinite(bias) || (biased && !has_bias)) return HL_OK;
    self->info.score = has_bias ? HL_SCORE_SIGMOID : HL_SCORE_SOFTMAX;
    self->info.logit_scale = multiplied;
    self->info.logit_bias = (double)bias;
    return HL_OK;
}

void two_towers_add_texts(const text_shape *text, char *out, size_t room) {
    const tower_shape *layers = &text->layers;
    size_t used = strlen(out);
    snprintf(out + used, room - used, " text %zu %zu %zu %zu context %zu vocabulary %zu", layers->layers,
             layers->width, layers->heads, layers->hidden, text->context, text->vocab_size);
}

/* Stored weights have the shapes of both towers; what a seed makes of the text tower depends on its own. */
hl_status two_towers_digest(const two_towers *self, char out[33], hl_error *error, const char *image, ...) {
    enum { WEIGHTS = 128, IMAGE = 896 };
    char all[WEIGHTS + IMAGE];
    va_list arguments;
    TRY(checkpoint_digest(&self->weights, all, error));
    if (!self->weights.file && self->tokenizer) two_towers_add_texts(self->text.shape, all, WEIGHTS);
    size_t used = strlen(all);
    all[used++] = ' ';
    va_start(arguments, image);
    vsnprintf(all + used, sizeof all - used, image, arguments);
    va_end(arguments);
    XXH128_hash_t hash = XXH3_128bits(all, strlen(all));
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
    return HL_OK;
}

/* ---- functions for the table ---- */

const hl_model_info *two_towers_info(const hl_model *model) {
    return &of(model)->info;
}

hl_status two_towers_tokenize(const hl_model *model, const char *text, int32_t *ids, hl_error *error) {
    return tokenizer_run(of(model)->tokenizer, text, ids, error);
}

hl_status two_towers_count_tokens(const hl_model *model, const char *text, size_t *count, hl_error *error) {
    return tokenizer_count(of(model)->tokenizer, text, count, error);
}

hl_status two_towers_encode_texts(hl_session *session, const int32_t *ids, size_t count, float *out,
                                  hl_error *error) {
    two_towers_session *own = (two_towers_session *)(void *)session;
    return text_session_encode(&own->text, ids, count, out, error);
}
