/* See engine.h. The formulas are those of the method: c = y B, q = B t, heat = y_token . q. */
#include "core/engine/engine.h"

#include "core/engine/backend_choice.h"
#include "core/engine/model_info.h"
#include "core/host/compute.h"
#include "core/io/call.h"
#include "core/io/picture.h"
#include "core/io/sized.h"
#include "core/io/watch.h"
#include "core/registry/guard.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A text is a few tokens, and a pass reads all weights. */
enum { USUAL_TEXTS = 256 };

const hl_component *engine_component(const engine *self, uint32_t index) {
    return hl_component_at(self->info, index);
}

size_t engine_code_width(const hl_component *component) {
    return (size_t)component->width + component->scalar_count;
}

size_t engine_tokens(const engine *self) {
    return self->info->prefix_tokens + (size_t)self->info->grid_rows * self->info->grid_cols;
}

size_t engine_pixels(const engine *self) {
    return (size_t)3 * self->info->preprocess->height * self->info->preprocess->width;
}

hl_status engine_no_texts(const engine *self, hl_error *error) {
    return hl_fail(error, HL_USAGE, "%s has no text tower: it takes no texts", self->info->name);
}

hl_status engine_check_folder(const char *path, hl_error *error) {
    struct stat about;
    bool there = stat(path, &about) == 0;
    if (there && S_ISDIR(about.st_mode)) return HL_OK;
    if (there || errno == ENOENT || errno == ENOTDIR) {
        bool missing = !there && errno == ENOENT;
        return hl_fail(error, missing ? HL_UNAVAILABLE : HL_USAGE,
                       "the model's folder %s %s; name the one that holds the model's files", path,
                       there ? "is no folder" : "does not exist");
    }
    bool refused = errno == EACCES || errno == ELOOP || errno == ENAMETOOLONG;
    return hl_fail(error, refused ? HL_USAGE : HL_FAILED, "the model's folder %s cannot be opened: %s", path,
                   strerror(errno));
}

/* What the plugins know about a folder that none of them recognises. */
static void add_hint(const engine *self, const hl_plugin *plugin, const hl_model_api *api, const char *path,
                     char *hints, size_t room) {
    char hint[640] = "";
    size_t used = strlen(hints);
    if (api->hint) GUARD_VOID(plugin, api->hint(self->interface, path, hint, sizeof hint));
    if (hint[0]) snprintf(hints + used, room - used, "; %s: %s", plugin->name, hint);
}

/* Nothing in it but what is hidden: somebody made it for a model that is to come. */
static bool is_empty(const char *path) {
    DIR *folder = opendir(path);
    const struct dirent *entry = NULL;
    if (!folder) return false;
    do {
        entry = readdir(folder);
    } while (entry && entry->d_name[0] == '.');
    closedir(folder);
    return !entry;
}

static hl_status not_recognised(const engine *self, const char *path, hl_error *error) {
    const hl_plugin *plugin;
    char asked[256] = "", hints[768] = "";
    for (size_t i = 0; (plugin = registry_at(self->plugins, i)); ++i) {
        if (plugin->kind != HL_MODEL) continue;
        hl_model_api api;
        registry_table(plugin, &api, sizeof api);
        size_t used = strlen(asked);
        snprintf(asked + used, sizeof asked - used, "%s%s", used ? ", " : "", plugin->name);
        add_hint(self, plugin, &api, path, hints, sizeof hints);
    }
    return hl_fail(error, is_empty(path) ? HL_UNAVAILABLE : HL_USAGE,
                   "%s: no model plugin recognises this folder (asked: %s)%s", path,
                   asked[0] ? asked : "none is installed", hints);
}

/* The model plugin that is surest of the folder. */
static hl_status recognise(engine *self, const char *path, hl_error *error) {
    int best = 0;
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = registry_at(self->plugins, i)); ++i) {
        if (plugin->kind != HL_MODEL) continue;
        hl_model_api api;
        registry_table(plugin, &api, sizeof api);
        int sure = 0;
        GUARD_VOID(plugin, sure = api.recognises(self->interface, path));
        if (sure <= best) continue;
        best = sure;
        self->model_plugin = plugin;
    }
    return self->model_plugin ? HL_OK : not_recognised(self, path, error);
}

/* The plugin's own description, and whether it makes sense. */
static hl_status take_info(engine *self, hl_error *error) {
    const char *plugin = self->model_plugin->name;
    const hl_model_info *given;
    GUARD_VOID(self->model_plugin, given = self->api.info(self->model));
    if (given) sized_copy(&self->description, sizeof self->description, given);
    hl_status status = model_info_check(self->model_plugin, given ? &self->description : NULL, error);
    if (status != HL_OK) return status;
    if (!self->description.preprocess) {
        return hl_fail(error, HL_USAGE, "model/%s does not say how images are prepared (preprocess is NULL)",
                       plugin);
    }
    sized_copy(&self->preprocess, sizeof self->preprocess, self->description.preprocess);
    self->description.preprocess = &self->preprocess;
    self->info = &self->description;
    if (!picture_can_preprocess(&self->preprocess)) {
        return hl_fail(error, HL_USAGE,
                       "model/%s asks for images of %u x %u pixels by method %u with "
                       "interpolation %u, which this headlight does not know",
                       plugin, self->preprocess.height, self->preprocess.width, self->preprocess.resize,
                       self->preprocess.interpolation);
    }
    if (self->info->context && !(self->api.tokenize && self->api.encode_texts)) {
        return hl_fail(error, HL_USAGE,
                       "model/%s has texts of %u tokens and lacks a function for them "
                       "(tokenize, encode_texts)",
                       plugin, self->info->context);
    }
    return HL_OK;
}

static hl_status index_components(engine *self, hl_error *error) {
    uint32_t count = self->info->component_count;
    self->heads = calloc((size_t)count + 1, sizeof *self->heads);
    self->others = calloc((size_t)count + 1, sizeof *self->others);
    self->bases = calloc((size_t)self->info->basis_count + 1, sizeof *self->bases);
    self->basis_starts = calloc((size_t)self->info->basis_count + 1, sizeof *self->basis_starts);
    if (!self->heads || !self->others || !self->bases || !self->basis_starts) {
        return hl_no_memory(error, "the component table");
    }
    for (uint32_t i = 0; i < count; ++i) {
        const hl_component *component = engine_component(self, i);
        self->basis_starts[component->basis + 1] = engine_code_width(component);
        if (component->kind == HL_HEAD) self->heads[self->head_count++] = i;
        if (component->kind == HL_INPUT) self->others[self->other_count++] = i;
    }
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t kind = engine_component(self, i)->kind;
        if (kind != HL_HEAD && kind != HL_INPUT) self->others[self->other_count++] = i;
    }
    for (uint32_t i = 0; i < self->info->basis_count; ++i) self->basis_starts[i + 1] += self->basis_starts[i];
    return HL_OK;
}

static hl_status read_model_options(engine *self, const engine_settings *settings,
                                    const hl_value *const **values, hl_error *error) {
    hl_status status = settings->model_section
                           ? options_read(self->model_plugin, settings->model_section, settings->model_keys,
                                          &self->model_given, error)
                           : engine_read_words(self->model_plugin, "--option", settings->model_options,
                                               settings->model_option_count, &self->model_written,
                                               &self->model_given, error);
    if (status == HL_OK) *values = options_values(self->model_given);
    return status;
}

static hl_status open_model(engine *self, const engine_settings *settings, hl_error *error) {
    hl_status status = engine_check_folder(settings->source.path, error);
    if (status == HL_OK && !self->model_plugin) status = recognise(self, settings->source.path, error);
    if (status != HL_OK) return status;
    registry_table(self->model_plugin, &self->api, sizeof self->api);
    const hl_value *const *values = settings->model_values;
    status = values ? HL_OK : read_model_options(self, settings, &values, error);
    if (status != HL_OK) return status;
    status = GUARD(self->model_plugin, error,
                   self->api.open(self->interface, &settings->source, values, &self->model, error));
    if (status != HL_OK) return status;
    status = take_info(self, error);
    return status == HL_OK ? index_components(self, error) : status;
}

hl_status engine_open(host *host_, const registry *plugins, const engine_settings *settings, engine **out,
                      hl_error *error) {
    *out = NULL;
    engine *self = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "the engine");
    self->host = host_;
    self->interface = &host_->interface;
    self->plugins = plugins;
    pthread_mutex_init(&self->passing, NULL);
    pthread_mutex_init(&self->making, NULL);
    self->counts = calloc(1, sizeof *self->counts);
    self->model_plugin = settings->model_plugin;
    self->compute_plugin = settings->compute_plugin;
    self->compute_values = settings->compute_values;
    self->batch = settings->batch ? settings->batch : 1;
    self->texts = settings->texts ? settings->texts : USUAL_TEXTS;
    self->random_weights = settings->source.random_weights;
    self->seed = settings->source.seed;
    hl_status status = self->counts ? open_model(self, settings, error) : hl_no_memory(error, "the engine");
    if (status != HL_OK) {
        engine_close(self);
        return status;
    }
    *out = self;
    return HL_OK;
}

hl_status engine_choose_backend(engine *self, hl_error *error) {
    if (self->compute_plugin) return HL_OK;
    return backend_choice(self->interface, self->plugins, &self->compute_plugin, &self->fallback, error);
}

static hl_status start_backend(engine *self, hl_error *error) {
    hl_status status = engine_choose_backend(self, error);
    if (status != HL_OK) return status;
    if (!self->compute_values) {
        status = options_read(self->compute_plugin, NULL, NULL, &self->compute_defaults, error);
        if (status != HL_OK) return status;
        self->compute_values = options_values(self->compute_defaults);
    }
    const hl_plugin *reference = registry_find(self->plugins, HL_COMPUTE, "reference");
    return compute_open(self->interface, self->compute_plugin, reference, self->compute_values,
                        &self->compute, error);
}

/* Once. */
static hl_status open_backend(engine *self, hl_error *error) {
    if (self->compute.api) return HL_OK;
    size_t before = watch_enter("backend");
    hl_status status = start_backend(self, error);
    watch_leave(before);
    return status;
}

hl_status engine_try_backend(engine *self, hl_error *error) {
    hl_status status = open_backend(self, error);
    compute_close(&self->compute);
    return status;
}

hl_status engine_open_backend(engine *self, hl_error *error) {
    pthread_mutex_lock(&self->passing);
    hl_status status = open_backend(self, error);
    pthread_mutex_unlock(&self->passing);
    return status;
}

/* Once. Whoever comes first does it for all, so that this caller's wish to stop is not theirs; a failure is
 * everybody's too, for a model is not loaded a second time. */
static hl_status load_weights(engine *self) {
    const hl_call *current = call_current();
    hl_call patient = current ? *current : (hl_call){.size = sizeof patient};
    patient.cancelled = NULL;
    call_enter(&patient);
    hl_status status = GUARD(self->model_plugin, &self->load_error,
                             self->api.load(self->model, &self->compute, &self->load_error));
    call_enter(current);
    self->load_status = status;
    return status;
}

static hl_status load(engine *self, hl_error *error) {
    if (!self->loaded) {
        hl_status status = open_backend(self, error);
        if (status != HL_OK) return status;
        size_t before = watch_enter("weights");
        load_weights(self);
        watch_leave(before);
        self->loaded = true;
    }
    if (self->load_status != HL_OK && error) *error = self->load_error;
    return self->load_status;
}

hl_status engine_load(engine *self, hl_error *error) {
    pthread_mutex_lock(&self->passing);
    hl_status status = load(self, error);
    pthread_mutex_unlock(&self->passing);
    return status;
}

/* A name alone would not do: one precision may be kept more or less well. */
static void name_precision(engine *self) {
    static const double F32 = 1e-4;
    const hl_compute *with = &self->compute;
    double tolerance = with->api->tolerance(with->backend);
    const char *name = with->api->precision(with->backend);
    if (tolerance <= F32) {
        snprintf(self->precision, sizeof self->precision, "f32");
    } else {
        snprintf(self->precision, sizeof self->precision, "%.40s within %g", name ? name : "unknown",
                 tolerance);
    }
}

hl_status engine_precision(engine *self, const char **out, hl_error *error) {
    pthread_mutex_lock(&self->passing);
    hl_status status = open_backend(self, error);
    if (status == HL_OK && !self->precision[0]) name_precision(self);
    pthread_mutex_unlock(&self->passing);
    *out = self->precision;
    return status;
}

static hl_status session_for(engine *self, size_t batch, hl_session **kept, hl_error *error) {
    if (*kept) return HL_OK;
    return GUARD(self->model_plugin, error, self->api.open_session(self->model, batch, kept, error));
}

hl_status engine_session(engine *self, hl_session **out, hl_error *error) {
    hl_status status = session_for(self, self->batch, &self->session, error);
    *out = self->session;
    return status;
}

void engine_close(engine *self) {
    if (!self) return;
    for (uint32_t i = 0; self->bases && i < self->info->basis_count; ++i) free(self->bases[i]);
    free(self->bases);
    free(self->basis_starts);
    hl_session *sessions[] = {self->session, self->text_session};
    for (size_t i = 0; i < sizeof sessions / sizeof *sessions; ++i) {
        if (sessions[i]) GUARD_VOID(self->model_plugin, self->api.close_session(sessions[i]));
    }
    if (self->model) GUARD_VOID(self->model_plugin, self->api.close(self->model));
    compute_close(&self->compute);
    free(self->heads);
    free(self->others);
    options_free(self->model_given);
    yaml_close(self->model_written);
    options_free(self->compute_defaults);
    options_free(self->compute_given);
    yaml_close(self->compute_written);
    pthread_mutex_destroy(&self->passing);
    pthread_mutex_destroy(&self->making);
    free(self->counts);
    free(self);
}

hl_status engine_digest(engine *self, const char **out, hl_error *error) {
    hl_status status = HL_OK;
    *out = self->digest;
    pthread_mutex_lock(&self->making);
    if (!self->digest[0] && self->api.digest) {
        status = GUARD(self->model_plugin, error, self->api.digest(self->model, self->digest, error));
        self->digest[status == HL_OK ? sizeof self->digest - 1 : 0] = '\0';
    }
    pthread_mutex_unlock(&self->making);
    return status;
}

static hl_status encode_text_batch(engine *self, const char *const *texts, size_t count, float *out,
                                   int32_t *ids, hl_error *error) {
    hl_status status = call_check(error);
    if (status == HL_OK) status = session_for(self, self->texts, &self->text_session, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = GUARD(self->model_plugin, error,
                       self->api.tokenize(self->model, texts[i], ids + i * self->info->context, error));
    }
    if (status == HL_OK)
        status = GUARD(self->model_plugin, error,
                       self->api.encode_texts(self->text_session, ids, count, out, error));
    if (status != HL_OK) return status;
    atomic_fetch_add(&self->counts->text_passes, 1);
    atomic_fetch_add(&self->counts->texts, count);
    return HL_OK;
}

hl_status engine_encode_texts(engine *self, const char *const *texts, size_t count, float *out, int32_t *ids,
                              hl_error *error) {
    size_t context = self->info->context;
    if (context == 0) return engine_no_texts(self, error);
    int32_t *scratch = calloc(self->texts * context, sizeof *scratch);
    if (!scratch) return hl_no_memory(error, "token ids");
    hl_status status = HL_OK;
    size_t before = watch_enter("texts");
    for (size_t first = 0; first < count && status == HL_OK; first += self->texts) {
        size_t now = count - first < self->texts ? count - first : self->texts;
        int32_t *batch_ids = ids ? ids + first * context : scratch;
        pthread_mutex_lock(&self->passing);
        status = encode_text_batch(self, texts + first, now, out + first * self->info->embed_dim, batch_ids,
                                   error);
        pthread_mutex_unlock(&self->passing);
        call_progress("encoding texts", "text", first + now, count);
    }
    watch_leave(before);
    free(scratch);
    return status;
}

void engine_count_images(const engine *self, size_t images) {
    if (!self->counts) return;
    atomic_fetch_add(&self->counts->image_passes, 1);
    atomic_fetch_add(&self->counts->images, images);
}

static hl_status pass(engine *self, const float *pixels, size_t count, const hl_request *request,
                      hl_trace **traces, hl_error *error) {
    hl_session *session;
    pthread_mutex_lock(&self->passing);
    hl_status status = call_check(error);
    if (status == HL_OK) status = engine_session(self, &session, error);
    if (status == HL_OK)
        status = GUARD(self->model_plugin, error,
                       self->api.encode_images(session, pixels, count, request, traces, error));
    pthread_mutex_unlock(&self->passing);
    if (status == HL_OK) engine_count_images(self, count);
    return status;
}

hl_status engine_encode_images(engine *self, const float *pixels, size_t count, hl_detail detail,
                               const engine_edits *edits, hl_trace **traces, hl_error *error) {
    hl_capture heads = {.size = sizeof heads, .site = HL_SITE_HEAD, .detail = (uint32_t)detail};
    hl_capture others = {.size = sizeof others, .site = HL_SITE_MLP, .detail = HL_DETAIL_CODES};
    const hl_capture *captures[] = {&heads, &others};
    hl_request request = {.size = sizeof request,
                          .captures = captures,
                          .capture_count = self->other_count ? 2 : 1,
                          .edits = edits ? edits->all : NULL,
                          .edit_count = edits ? edits->count : 0};
    return pass(self, pixels, count, &request, traces, error);
}

size_t engine_query_start(const engine *self, uint32_t basis) {
    return self->basis_starts[basis];
}

static hl_status make_basis(engine *self, uint32_t basis, hl_error *error) {
    size_t rows = self->basis_starts[basis + 1] - self->basis_starts[basis];
    float *made = calloc(rows * self->info->embed_dim + 1, sizeof *made);
    if (!made) return hl_no_memory(error, "a basis");
    hl_status status = GUARD(self->model_plugin, error, self->api.basis(self->model, basis, made, error));
    if (status == HL_OK) {
        self->bases[basis] = made;
    } else {
        free(made);
    }
    return status;
}

hl_status engine_basis(engine *self, uint32_t basis, const float **out, hl_error *error) {
    hl_status status = HL_OK;
    pthread_mutex_lock(&self->making);
    if (!self->bases[basis]) {
        size_t before = watch_enter("bases");
        status = make_basis(self, basis, error);
        watch_leave(before);
    }
    *out = self->bases[basis];
    pthread_mutex_unlock(&self->making);
    return status;
}

static hl_status query_basis(engine *self, uint32_t number, size_t rows, const float *direction, float *out,
                             hl_error *error) {
    const float *basis;
    hl_status status = engine_basis(self, number, &basis, error);
    if (status != HL_OK) return status;
    size_t width = self->info->embed_dim;
    for (size_t i = 0; i < rows; ++i) out[i] = (float)engine_dot(basis + i * width, direction, width);
    return HL_OK;
}

hl_status engine_query(engine *self, uint32_t component, const float *direction, float *out,
                       hl_error *error) {
    const hl_component *row = engine_component(self, component);
    return query_basis(self, row->basis, engine_code_width(row), direction, out, error);
}

hl_status engine_queries(engine *self, uint32_t basis, const float *direction, float *out, bool *made,
                         hl_error *error) {
    size_t first = self->basis_starts[basis], rows = self->basis_starts[basis + 1] - first;
    bool all = self->api.queries != NULL;
    hl_status status =
        all ? GUARD(self->model_plugin, error, self->api.queries(self->model, direction, out, error))
            : query_basis(self, basis, rows, direction, out + first, error);
    made[basis] = status == HL_OK;
    for (uint32_t i = 0; i < self->info->basis_count && all; ++i) made[i] = status == HL_OK;
    return status;
}

typedef struct expansion {
    const float *basis, *codes;
    float *out;
    size_t code_width, width;
} expansion;

/* One row in chunks of columns, so that the sums stay in cache and need no memory of their own. */
static void expand_row(void *argument, size_t row) {
    enum { CHUNK = 256 };
    const expansion *job = argument;
    const float *code = job->codes + row * job->code_width;
    for (size_t first = 0; first < job->width; first += CHUNK) {
        size_t count = job->width - first < CHUNK ? job->width - first : CHUNK;
        double sums[CHUNK] = {0};
        for (size_t k = 0; k < job->code_width; ++k) {
            const float *basis = job->basis + k * job->width + first;
            double y = (double)code[k];
            for (size_t j = 0; j < count; ++j) sums[j] += y * (double)basis[j];
        }
        for (size_t j = 0; j < count; ++j) job->out[row * job->width + first + j] = (float)sums[j];
    }
}

hl_status engine_expand(engine *self, uint32_t component, const float *codes, size_t rows, float *out,
                        hl_error *error) {
    const hl_component *row = engine_component(self, component);
    expansion job = {
        .codes = codes, .out = out, .code_width = engine_code_width(row), .width = self->info->embed_dim};
    hl_status status = engine_basis(self, row->basis, &job.basis, error);
    if (status == HL_OK) self->interface->parallel(self->interface, rows, expand_row, &job);
    return status;
}
