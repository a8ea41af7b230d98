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

hl_status two_towers_open_texts(two_towers *self, const hl_model_source *source, const text_shape *texts,
                                const tokenizer_rules *rules, hl_error *error) {
    self->text.shape = texts;
    self->text.weights = &self->weights;
    self->text.host = self->host;
    self->text.plugin = self->plugin;
    return tokenizer_open(self->host, source->path, rules, &self->tokenizer, error);
}

void two_towers_close(two_towers *self) {
    text_tower_free(&self->text);
    checkpoint_close(&self->weights);
    tokenizer_close(self->tokenizer);
    free(self->name);
    free(self->summary);
}

/* ---- what it says about itself ---- */

hl_status two_towers_describe(two_towers *self, const char *path, hl_error *error, const char *summary, ...) {
    va_list arguments;
    va_start(arguments, summary);
    int length = vasprintf(&self->summary, summary, arguments);
    va_end(arguments);
    if (length < 0) self->summary = NULL;
    self->name = model_folder_name(path);
    if (!self->name || !self->summary) return hl_no_memory(error, "the model's name");
    self->info.name = self->text.model = self->name;
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
hl_status two_towers_state_score(two_towers *self, hl_error *error) {
    bool has_scale, has_bias;
    float scale = 0, bias = 0;
    TRY(checkpoint_scalar(&self->weights, "logit_scale", &has_scale, &scale, error));
    TRY(checkpoint_scalar(&self->weights, "logit_bias", &has_bias, &bias, error));
    double multiplied = exp((double)scale);
    if (!has_scale || !isfinite(multiplied) || !isfinite(bias)) return HL_OK;
    self->info.score = has_bias ? HL_SCORE_SIGMOID : HL_SCORE_SOFTMAX;
    self->info.logit_scale = multiplied;
    self->info.logit_bias = (double)bias;
    return HL_OK;
}

/* Stored weights have the shapes of both towers; what a seed makes of the text tower depends on its own. */
static void add_text_tower(const text_shape *text, char *out, size_t room) {
    const tower_shape *layers = &text->layers;
    size_t used = strlen(out);
    snprintf(out + used, room - used, " text %zu %zu %zu %zu context %zu vocabulary %zu", layers->layers,
             layers->width, layers->heads, layers->hidden, text->context, text->vocab_size);
}

hl_status two_towers_digest(const two_towers *self, char out[33], hl_error *error, const char *image, ...) {
    enum { WEIGHTS = 128, IMAGE = 896 };
    char all[WEIGHTS + IMAGE];
    va_list arguments;
    TRY(checkpoint_digest(&self->weights, all, error));
    if (!self->weights.file && self->tokenizer) add_text_tower(self->text.shape, all, WEIGHTS);
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

/* ---- sessions ---- */

void two_towers_session_begin(two_towers_session *self, const hl_model *model, size_t batch) {
    self->model = model;
    self->text = (text_session){.tower = &of(model)->text, .batch = batch};
}

void two_towers_session_end(two_towers_session *self) {
    if (of(self->model)->tokenizer) text_session_close(&self->text);
}
