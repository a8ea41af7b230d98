/* Checks of model plugins: what holds for any weights (model.h), on the backend `reference`. */
#include "core/conformance/memory.h"
#include "core/conformance/scene.h"
#include "core/conformance/subject.h"

#include "core/registry/guard.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 4, MOST_BATCH = 5 };

/* Of the largest value expected: what sums of f32 in another order keep. */
static const double CLOSE = 1e-5, CLOSE_SUM = 1e-4;

typedef struct loaded_model {
    opened_subject opened;
    engine *model;
    float *pixels; /* of IMAGES images */
} loaded_model;

static hl_status open_engine(const subject *self, const opened_subject *opened, engine **out,
                             hl_error *error) {
    engine_settings settings = {.model_plugin = opened->plugin,
                                .model_values = options_values(opened->values),
                                .source = {.size = sizeof(hl_model_source), .path = self->model},
                                .compute_plugin = opened->reference,
                                .batch = MOST_BATCH};
    return engine_open(opened->host, opened->library->plugins, &settings, out, error);
}

/* Whether the folder is one of the plugin's is not its fault. */
static hl_status find_folder(const subject *self, const opened_subject *opened, hl_error *error) {
    hl_model_api api;
    if (!self->model) return hl_fail(error, HL_UNAVAILABLE, "name a model's folder with --against");
    registry_table(opened->plugin, &api, sizeof api);
    if (api.recognises(&opened->host->interface, self->model) > 0) return HL_OK;
    return hl_fail(error, HL_UNAVAILABLE, "it does not recognise %s: name a model's folder with --against",
                   self->model);
}

static hl_status open_model(const subject *self, unsigned threads, loaded_model *out, hl_error *error) {
    *out = (loaded_model){.model = NULL};
    hl_status status = subject_open_values(self, threads, &out->opened, error);
    if (status == HL_OK && !out->opened.reference) {
        status = hl_fail(error, HL_UNAVAILABLE, "compute/reference is not there");
    }
    if (status == HL_OK) status = find_folder(self, &out->opened, error);
    if (status == HL_OK) status = open_engine(self, &out->opened, &out->model, error);
    if (status == HL_OK) status = engine_load(out->model, error);
    if (status != HL_OK) return status;
    out->pixels = random_numbers(IMAGES * engine_pixels(out->model), 5, 0);
    return out->pixels ? HL_OK : hl_no_memory(error, "images");
}

static void close_model(loaded_model *made) {
    engine_close(made->model);
    free(made->pixels);
    subject_close(&made->opened);
}

/* ---- comparing ---- */

static double largest_of(const float *numbers, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)numbers[i]));
    return largest;
}

/* NAN where a number is none. */
static double distance(const float *a, const float *b, size_t count) {
    double worst = 0;
    for (size_t i = 0; i < count; ++i) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= worst)) worst = difference;
    }
    return worst;
}

static bool are_close(const float *a, const float *b, size_t count, double tolerance) {
    return distance(a, b, count) <= tolerance * fmax(largest_of(a, count), 1e-30);
}

/* ---- one image ---- */

static hl_status encode(const loaded_model *made, size_t first, size_t count, const engine_edits *edits,
                        hl_trace **traces, hl_error *error) {
    return engine_encode_images(made->model, made->pixels + first * engine_pixels(made->model), count,
                                HL_DETAIL_TOKENS, edits, traces, error);
}

static hl_status code_of(const engine *model, const hl_trace *trace, uint32_t component, float *out,
                         hl_error *error) {
    return GUARD(model->model_plugin, error, model->api.code(trace, component, out, error));
}

/* All codes and, at their end, the embedding. */
static size_t answer_size(const engine *model) {
    size_t size = model->info->embed_dim;
    for (uint32_t i = 0; i < model->info->component_count; ++i) {
        size += engine_code_width(engine_component(model, i));
    }
    return size;
}

static hl_status answer_of(const engine *model, const hl_trace *trace, float *out, hl_error *error) {
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < model->info->component_count && status == HL_OK; ++i) {
        status = code_of(model, trace, i, out, error);
        out += engine_code_width(engine_component(model, i));
    }
    GUARD_VOID(model->model_plugin, model->api.embedding(trace, out));
    return status;
}

static float *room_for(size_t count) {
    return calloc(count + 1, sizeof(float));
}

static hl_status check_opens(const void *user, hl_error *error) {
    loaded_model made;
    hl_status status = open_model(user, 1, &made, error);
    const char *digest = "";
    if (status == HL_OK) status = engine_digest(made.model, &digest, error);
    size_t length = strlen(digest);
    if (status == HL_OK && length && (length != 32 || digest[strspn(digest, "0123456789abcdef")])) {
        status = hl_fail(error, HL_FAILED, "its digest is \"%s\"; expected 32 hex digits", digest);
    }
    close_model(&made);
    return status;
}

/* ---- contributions and tokens ---- */

static hl_status check_sum_of(engine *model, const hl_trace *trace, hl_error *error) {
    size_t dim = model->info->embed_dim;
    float *embedding = room_for(dim), *sum = room_for(dim), *part = room_for(dim),
          *code = room_for(answer_size(model));
    hl_status status = embedding && sum && part && code ? HL_OK : hl_no_memory(error, "contributions");
    for (uint32_t i = 0; i < model->info->component_count && status == HL_OK; ++i) {
        status = code_of(model, trace, i, code, error);
        if (status == HL_OK) status = engine_expand(model, i, code, 1, part, error);
        for (size_t j = 0; j < dim; ++j) sum[j] += part[j];
    }
    if (status == HL_OK) {
        double length = 0;
        GUARD_VOID(model->model_plugin, model->api.embedding(trace, embedding));
        for (size_t j = 0; j < dim; ++j) length += (double)embedding[j] * (double)embedding[j];
        for (size_t j = 0; j < dim; ++j) embedding[j] = (float)((double)embedding[j] / sqrt(length));
        if (!are_close(embedding, sum, dim, CLOSE_SUM)) {
            status = hl_fail(error, HL_FAILED,
                             "the contributions of all components sum to something else than the normalised "
                             "embedding: off by %g of %g",
                             distance(embedding, sum, dim), largest_of(embedding, dim));
        }
    }
    free(embedding);
    free(sum);
    free(part);
    free(code);
    return status;
}

/* What lies in the trace, where the model shows it, against the codes that it hands out. */
static hl_status check_parts_of(engine *model, const hl_trace *trace, uint32_t index, const float *codes,
                                hl_error *error) {
    const hl_component *component = engine_component(model, index);
    size_t width = engine_code_width(component), tokens = engine_tokens(model);
    hl_token_parts parts = {.size = sizeof parts};
    if (!model->api.token_parts) return HL_OK;
    float *even = room_for(width), *code = room_for(width);
    hl_status status = even && code ? HL_OK : hl_no_memory(error, "the parts of a code");
    if (status == HL_OK) {
        status = GUARD(model->model_plugin, error, model->api.token_parts(trace, index, &parts, even, error));
    }
    for (size_t token = 0; token < tokens && status == HL_OK; ++token, codes += width) {
        memcpy(code, even, width * sizeof *code);
        double share = parts.scale * (double)parts.attention[token];
        const float *values = parts.values + token * parts.stride;
        for (size_t i = 0; i < component->width; ++i) code[i] += (float)(share * (double)values[i]);
        if (!are_close(codes, code, width, CLOSE)) {
            status =
                hl_fail(error, HL_FAILED,
                        "%s: token %zu has another code by token_parts than by token_codes: off by %g of %g",
                        component->name, token, distance(codes, code, width), largest_of(codes, width));
        }
    }
    free(even);
    free(code);
    return status;
}

static hl_status check_tokens_of(engine *model, const hl_trace *trace, uint32_t index, hl_error *error) {
    const hl_component *component = engine_component(model, index);
    size_t width = engine_code_width(component), tokens = engine_tokens(model);
    float *code = room_for(width), *sum = room_for(width), *parts = room_for(tokens * width);
    hl_status status = code && sum && parts ? code_of(model, trace, index, code, error)
                                            : hl_no_memory(error, "codes by token");
    if (status == HL_OK) {
        status = GUARD(model->model_plugin, error, model->api.token_codes(trace, index, parts, error));
    }
    if (status == HL_OK) status = check_parts_of(model, trace, index, parts, error);
    for (size_t i = 0; i < tokens * width && status == HL_OK; ++i) sum[i % width] += parts[i];
    if (status == HL_OK && !are_close(code, sum, width, CLOSE)) {
        status = hl_fail(error, HL_FAILED,
                         "%s: the parts by token sum to something else than the code: off by %g of %g",
                         component->name, distance(code, sum, width), largest_of(code, width));
    }
    free(code);
    free(sum);
    free(parts);
    return status;
}

static hl_status with_traces(const void *user, const engine_edits *edits,
                             hl_status (*check)(engine *model, const hl_trace *trace, hl_error *error),
                             hl_error *error) {
    loaded_model made;
    hl_trace *traces[IMAGES];
    hl_status status = open_model(user, 1, &made, error);
    if (status == HL_OK) status = encode(&made, 0, IMAGES, edits, traces, error);
    if (status == HL_OK) {
        for (size_t i = 0; i < IMAGES && status == HL_OK; ++i) status = check(made.model, traces[i], error);
        for (size_t i = 0; i < IMAGES; ++i)
            GUARD_VOID(made.opened.plugin, made.model->api.release(traces[i]));
    }
    close_model(&made);
    return status;
}

static hl_status check_sums(const void *user, hl_error *error) {
    return with_traces(user, NULL, check_sum_of, error);
}

static hl_status check_all_tokens(engine *model, const hl_trace *trace, hl_error *error) {
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < model->info->component_count && status == HL_OK; ++i) {
        if (engine_component(model, i)->has_tokens) status = check_tokens_of(model, trace, i, error);
    }
    return status;
}

static hl_status check_tokens(const void *user, hl_error *error) {
    return with_traces(user, NULL, check_all_tokens, error);
}

/* ---- batches and threads ---- */

/* Answers of all images, in batches of so many. free() them. */
static hl_status answers(const loaded_model *made, size_t batch, float **out, hl_error *error) {
    size_t size = answer_size(made->model);
    hl_trace *traces[IMAGES];
    hl_status status = HL_OK;
    *out = room_for(IMAGES * size);
    if (!*out) return hl_no_memory(error, "answers");
    for (size_t first = 0; first < IMAGES && status == HL_OK; first += batch) {
        status = encode(made, first, batch, NULL, traces, error);
        if (status != HL_OK) break;
        for (size_t i = 0; i < batch; ++i) {
            if (status == HL_OK) status = answer_of(made->model, traces[i], *out + (first + i) * size, error);
            GUARD_VOID(made->opened.plugin, made->model->api.release(traces[i]));
        }
    }
    return status;
}

static hl_status compare_answers(const loaded_model *made, const float *a, const float *b, double tolerance,
                                 const char *what, hl_error *error) {
    size_t size = answer_size(made->model);
    for (size_t i = 0; i < IMAGES; ++i) {
        const float *first = a + i * size, *second = b + i * size;
        if (are_close(first, second, size, tolerance)) continue;
        return hl_fail(error, HL_FAILED, "%s: image %zu of %d is off by %g of %g", what, i + 1, IMAGES,
                       distance(first, second, size), largest_of(first, size));
    }
    return HL_OK;
}

static hl_status check_batches(const void *user, hl_error *error) {
    loaded_model made;
    float *together = NULL, *alone = NULL, *again = NULL;
    hl_status status = open_model(user, 1, &made, error);
    if (status == HL_OK) status = answers(&made, IMAGES, &together, error);
    if (status == HL_OK) status = answers(&made, 1, &alone, error);
    if (status == HL_OK) status = answers(&made, IMAGES, &again, error);
    if (status == HL_OK) {
        status = compare_answers(&made, together, alone, CLOSE, "a batch gives other answers than one by one",
                                 error);
    }
    if (status == HL_OK) {
        status = compare_answers(&made, together, again, 0, "the second time gives other answers", error);
    }
    free(together);
    free(alone);
    free(again);
    close_model(&made);
    return status;
}

static hl_status check_threads(const void *user, hl_error *error) {
    loaded_model one, more;
    float *first = NULL, *second = NULL;
    hl_status status = open_model(user, 1, &one, error);
    if (status == HL_OK) status = answers(&one, IMAGES, &first, error);
    if (status != HL_OK) {
        free(first);
        close_model(&one);
        return status;
    }
    status = open_model(user, 3, &more, error);
    if (status == HL_OK) status = answers(&more, IMAGES, &second, error);
    if (status == HL_OK) {
        status =
            compare_answers(&one, first, second, CLOSE, "three threads give other answers than one", error);
    }
    free(first);
    free(second);
    close_model(&more);
    close_model(&one);
    return status;
}

/* ---- edits ---- */

static uint32_t first_head(const engine *model) {
    return model->heads[0];
}

/* Answers of the first image under one edit; NULL: none. What sums to the embedding without edits must do so
 * with them; `sums` gets, and says, whether it does. */
static hl_status edited(const loaded_model *made, const hl_edit *edit, bool *sums, float *out,
                        hl_error *error) {
    const hl_edit *const all[] = {edit};
    const engine_edits edits = {.all = all, .count = 1, .name = "check"};
    hl_trace *trace;
    hl_error said = {""};
    hl_status status = encode(made, 0, 1, edit ? &edits : NULL, &trace, &said);
    if (status == HL_USAGE) return hl_fail(error, HL_UNAVAILABLE, "it makes no such edits: %s", said.message);
    if (status != HL_OK) return hl_fail(error, status, "%s", said.message);
    status = answer_of(made->model, trace, out, error);
    if (!edit) {
        *sums = check_sum_of(made->model, trace, &said) == HL_OK;
    } else if (status == HL_OK && *sums) {
        status = check_sum_of(made->model, trace, error);
    }
    GUARD_VOID(made->opened.plugin, made->model->api.release(trace));
    return status;
}

static const float *code_in(const engine *model, const float *answer, uint32_t component) {
    for (uint32_t i = 0; i < component; ++i) answer += engine_code_width(engine_component(model, i));
    return answer;
}

static hl_status try_edits(const loaded_model *made, float *room[4], hl_error *error) {
    const engine *model = made->model;
    uint32_t head = first_head(model), width = engine_component(model, head)->width;
    size_t size = answer_size(model);
    float *zeros = room_for(width);
    bool sums = false;
    if (!zeros) return hl_no_memory(error, "an edit");
    hl_edit edit = {.size = sizeof edit, .site = HL_SITE_HEAD, .action = HL_EDIT_SCALE, .component = head};
    hl_status status = edited(made, NULL, &sums, room[0], error);
    edit.factor = 1;
    if (status == HL_OK) status = edited(made, &edit, &sums, room[1], error);
    edit.factor = 0;
    if (status == HL_OK) status = edited(made, &edit, &sums, room[2], error);
    edit.action = HL_EDIT_REPLACE;
    edit.values = zeros;
    if (status == HL_OK) status = edited(made, &edit, &sums, room[3], error);
    const char *name = engine_component(model, head)->name, *wrong = NULL;
    if (status == HL_OK && !are_close(room[0], room[1], size, CLOSE)) {
        wrong = "scaled by 1 the answers are others";
    } else if (status == HL_OK && largest_of(code_in(model, room[2], head), width) > 0) {
        wrong = "scaled by 0 its code is not 0";
    } else if (status == HL_OK && are_close(room[0], room[2], size, CLOSE)) {
        wrong = "scaled by 0 the answers are the same";
    } else if (status == HL_OK && !are_close(room[2], room[3], size, CLOSE)) {
        wrong = "replaced by zeros the answers are others than scaled by 0";
    }
    free(zeros);
    return wrong ? hl_fail(error, HL_FAILED, "%s: %s", name, wrong) : status;
}

static hl_status check_edits(const void *user, hl_error *error) {
    loaded_model made;
    float *room[4] = {NULL};
    hl_status status = open_model(user, 1, &made, error);
    if (status == HL_OK && made.model->head_count == 0) {
        status = hl_fail(error, HL_UNAVAILABLE, "the model has no heads");
    }
    for (size_t i = 0; i < 4 && status == HL_OK; ++i) {
        room[i] = room_for(answer_size(made.model));
        if (!room[i]) status = hl_no_memory(error, "answers");
    }
    if (status == HL_OK) status = try_edits(&made, room, error);
    for (size_t i = 0; i < 4; ++i) free(room[i]);
    close_model(&made);
    return status;
}

/* ---- value maps ---- */

static bool is_symmetric(const double *square, size_t n) {
    for (size_t i = 0; i < n * n; ++i) {
        if (!isfinite(square[i]) || square[i] != square[i % n * n + i / n]) return false;
    }
    return true;
}

/* Whether no eigenvalue is below 0, but for rounding. `square` is lost. */
static hl_status is_semidefinite(const engine *model, double *square, double *room, size_t n, bool *is,
                                 hl_error *error) {
    const hl_compute *c = &model->compute;
    hl_status status = c->api->symmetric_eigen_f64(c->backend, n, square, room, error);
    *is = status == HL_OK && room[0] >= -1e-10 * fabs(room[n - 1]);
    return status;
}

/* *is_there becomes true where the head has a value map. */
static hl_status check_value_gram_of(const engine *model, uint32_t head, bool *is_there, hl_error *error) {
    const hl_component *row = engine_component(model, head);
    size_t n = row->width;
    double *first = calloc(n * n + 1, sizeof *first), *second = calloc(n * n + 1, sizeof *second),
           *values = calloc(n + 1, sizeof *values);
    const char *wrong = NULL;
    bool is = true;
    hl_error said = {""};
    hl_status status = first && second && values ? HL_OK : hl_no_memory(&said, "a Gram matrix");
    if (status == HL_OK)
        status = GUARD(model->model_plugin, &said, model->api.value_gram(model->model, head, first, &said));
    bool has_none = status == HL_USAGE;
    if (status == HL_OK)
        status = GUARD(model->model_plugin, &said, model->api.value_gram(model->model, head, second, &said));
    if (status == HL_OK && !is_symmetric(first, n)) wrong = "is not symmetric, or holds what is no number";
    if (status == HL_OK && memcmp(first, second, n * n * sizeof *first) != 0)
        wrong = "is another one the second time";
    if (status == HL_OK && !wrong) status = is_semidefinite(model, first, values, n, &is, &said);
    if (status == HL_OK && !is) wrong = "has an eigenvalue below 0, which V^T V cannot have";
    free(first);
    free(second);
    free(values);
    *is_there |= !has_none;
    if (wrong) return hl_fail(error, HL_FAILED, "%s: the Gram matrix of its value map %s", row->name, wrong);
    return status == HL_OK || has_none ? HL_OK : hl_fail(error, status, "%s", said.message);
}

static hl_status check_value_grams(const void *user, hl_error *error) {
    loaded_model made;
    bool is_there = false;
    hl_status status = open_model(user, 1, &made, error);
    for (uint32_t i = 0; status == HL_OK && made.model->api.value_gram && i < made.model->head_count; ++i) {
        status = check_value_gram_of(made.model, made.model->heads[i], &is_there, error);
    }
    if (status == HL_OK && !is_there) {
        status = hl_fail(error, HL_UNAVAILABLE, "the model hands out no value maps");
    }
    close_model(&made);
    return status;
}

/* ---- queries ---- */

static hl_status check_query_of(engine *model, uint32_t index, const float *vector, const float *query,
                                hl_error *error) {
    const hl_component *component = engine_component(model, index);
    size_t width = engine_code_width(component);
    float *expected = room_for(width);
    if (!expected) return hl_no_memory(error, "a query");
    hl_status status = engine_query(model, index, vector, expected, error);
    if (status == HL_OK && !are_close(expected, query, width, CLOSE)) {
        status = hl_fail(error, HL_FAILED,
                         "%s: its query is another than its basis times the vector: off by %g of %g",
                         component->name, distance(expected, query, width), largest_of(expected, width));
    }
    free(expected);
    return status;
}

static hl_status check_queries_of(engine *model, hl_error *error) {
    const hl_model_info *info = model->info;
    size_t numbers = engine_query_start(model, info->basis_count);
    float *vector = random_numbers(info->embed_dim, 7, 0), *queries = room_for(numbers);
    hl_status status = vector && queries ? HL_OK : hl_no_memory(error, "queries");
    if (status == HL_OK) {
        status = GUARD(model->model_plugin, error, model->api.queries(model->model, vector, queries, error));
    }
    for (uint32_t i = 0; i < info->component_count && status == HL_OK; ++i) {
        const float *own = queries + engine_query_start(model, engine_component(model, i)->basis);
        status = check_query_of(model, i, vector, own, error);
    }
    free(vector);
    free(queries);
    return status;
}

static hl_status check_queries(const void *user, hl_error *error) {
    loaded_model made;
    hl_status status = open_model(user, 1, &made, error);
    if (status == HL_OK) {
        status = made.model->api.queries
                     ? check_queries_of(made.model, error)
                     : hl_fail(error, HL_UNAVAILABLE, "the model leaves queries to its bases");
    }
    close_model(&made);
    return status;
}

/* ---- texts ---- */

static hl_status try_texts(const loaded_model *made, hl_error *error) {
    static const char *const texts[] = {"a red star", "a photo of a dog in the snow", "", "x"};
    enum { TEXTS = sizeof texts / sizeof *texts };
    size_t dim = made->model->info->embed_dim;
    float *together = room_for(TEXTS * dim), *alone = room_for(dim);
    hl_status status = together && alone ? HL_OK : hl_no_memory(error, "texts");
    if (status == HL_OK) status = engine_encode_texts(made->model, texts, TEXTS, together, NULL, error);
    for (size_t i = 0; i < TEXTS && status == HL_OK; ++i) {
        double length = 0;
        const float *one = together + i * dim;
        for (size_t j = 0; j < dim; ++j) length += (double)one[j] * (double)one[j];
        status = engine_encode_texts(made->model, &texts[i], 1, alone, NULL, error);
        if (status == HL_OK && !(fabs(sqrt(length) - 1) <= CLOSE_SUM)) {
            status = hl_fail(error, HL_FAILED, "the embedding of \"%s\" has length %g; expected 1", texts[i],
                             sqrt(length));
        }
        if (status == HL_OK && !are_close(one, alone, dim, CLOSE)) {
            status = hl_fail(error, HL_FAILED, "\"%s\" among other texts has another embedding than alone",
                             texts[i]);
        }
    }
    free(together);
    free(alone);
    return status;
}

static hl_status check_texts(const void *user, hl_error *error) {
    loaded_model made;
    hl_status status = open_model(user, 1, &made, error);
    if (status == HL_OK && made.model->info->context == 0) {
        status = hl_fail(error, HL_UNAVAILABLE, "the model takes no texts");
    }
    if (status == HL_OK) status = try_texts(&made, error);
    close_model(&made);
    return status;
}

/* ---- memory ---- */

typedef struct memory_job {
    const subject *self;
    opened_subject opened;
} memory_job;

static hl_status use_value_map(const engine *model, hl_error *error) {
    bool is_there = false;
    if (!model->api.value_gram || model->head_count == 0) return HL_OK;
    return check_value_gram_of(model, first_head(model), &is_there, error);
}

static hl_status use_model(engine *model, hl_error *error) {
    hl_trace *trace;
    hl_status status = engine_load(model, error);
    float *pixels = status == HL_OK ? random_numbers(engine_pixels(model), 5, 0) : NULL;
    float *answer = room_for(answer_size(model));
    if (status == HL_OK && (!pixels || !answer)) status = hl_no_memory(error, "an image");
    if (status == HL_OK)
        status = engine_encode_images(model, pixels, 1, HL_DETAIL_TOKENS, NULL, &trace, error);
    if (status == HL_OK) {
        status = answer_of(model, trace, answer, error);
        if (status == HL_OK) status = check_all_tokens(model, trace, error);
        const float *basis;
        for (uint32_t i = 0; i < model->info->basis_count && status == HL_OK; ++i) {
            status = engine_basis(model, i, &basis, error);
        }
        if (status == HL_OK) status = use_value_map(model, error);
        if (status == HL_OK && model->api.queries) status = check_queries_of(model, error);
        GUARD_VOID(model->model_plugin, model->api.release(trace));
    }
    free(pixels);
    free(answer);
    return status;
}

static hl_status use_once(void *user, long number, hl_error *error) {
    const memory_job *job = user;
    engine *model;
    hl_error said = {""};
    hl_status status = open_engine(job->self, &job->opened, &model, &said);
    if (status == HL_OK) {
        status = use_model(model, &said);
        engine_close(model);
    }
    if (number) return subject_judge_failure(status, &said, error);
    return status == HL_OK ? HL_OK : hl_fail(error, status, "%s", said.message);
}

static hl_status check_memory(const void *user, bool failing, hl_error *error) {
    memory_job job = {.self = user};
    hl_status status = subject_open_values(user, 1, &job.opened, error);
    if (status == HL_OK) status = find_folder(user, &job.opened, error);
    if (status == HL_OK) {
        status = failing ? subject_check_failures(job.opened.plugin, use_once, &job, error)
                         : subject_check_leaks(use_once, &job, error);
    }
    subject_close(&job.opened);
    return status;
}

static hl_status check_leaks(const void *user, hl_error *error) {
    return check_memory(user, false, error);
}

static hl_status check_failures(const void *user, hl_error *error) {
    return check_memory(user, true, error);
}

const named_check model_checks[] = {
    {"opens", check_opens},
    {"contributions sum to the embedding", check_sums},
    {"parts by token sum to the code", check_tokens},
    {"a batch equals one by one", check_batches},
    {"several threads equal one", check_threads},
    {"edits do what they say", check_edits},
    {"value maps", check_value_grams},
    {"queries equal bases", check_queries},
    {"texts", check_texts},
    {"leaks nothing", check_leaks},
    {"copes without memory", check_failures},
    {NULL, NULL},
};
