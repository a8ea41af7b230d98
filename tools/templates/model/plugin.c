/* @NAME@: the smallest model that decomposes: patches, one layer of attention, a projection; no texts.
 *
 *     x = patches W + positions,  z[h] = sum over tokens of a v,  e = (x[0] + sum over h of W_O[h] z[h]) P
 *
 * The embedding is linear in what each head writes, so with r = |e| a head's contribution to e / r is
 * c = y B with the code y = z[h] / r and the basis B = W_O[h] P; of what enters the layer, y = x[0] / r and
 * B = P. The weights are random, made from the number in the file @NAME@.seed of the model's folder; a real
 * model reads them with the extension of headlight/weights.h instead. */
#include <headlight/model.h>
#include <headlight/plugin.h>

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    HEADS = 2,
    HEAD_WIDTH = 8,
    WIDTH = HEADS * HEAD_WIDTH,
    EMBED = 12,
    PATCH = 8,
    GRID = 4, /* patches a side */
    SIDE = GRID * PATCH,
    PATCH_PIXELS = 3 * PATCH * PATCH,
    TOKENS = 1 + GRID * GRID, /* the first becomes the embedding */
    COMPONENTS = HEADS + 1
};

#define SEED_FILE "@NAME@.seed"

struct hl_model {
    const hl_host *host;
    hl_model_info info;
    char seed[32];
    float patch[WIDTH * PATCH_PIXELS], fixed[(1 + TOKENS) * WIDTH]; /* the first token, then positions */
    float qkv[3 * WIDTH * WIDTH], out[WIDTH * WIDTH], projection[WIDTH * EMBED];
    const hl_compute *compute; /* once it is loaded; and what it prepared */
    hl_weight *patch_weight, *qkv_weight;
    hl_tensor *fixed_tensor;
};

struct hl_session {
    const hl_model *model;
    size_t batch;
    hl_tensor *pixels, *x, *qkv, *attended, *probabilities;
    float *rows; /* host memory: x, qkv and probabilities of a batch */
};

struct hl_trace {
    const hl_host *host;
    atomic_uint references;
    float embedding[EMBED];
    float input[WIDTH];                     /* codes: divided by the embedding's length */
    float heads[HEADS][HEAD_WIDTH];         /* */
    float parts[HEADS][TOKENS][HEAD_WIDTH]; /* of the heads' codes, by token */
};

/* ---- what it is ---- */

static const hl_component components[COMPONENTS] = {
    {.name = "L0.H0",
     .kind = HL_HEAD,
     .layer = 0,
     .index = 0,
     .width = HEAD_WIDTH,
     .basis = 0,
     .has_tokens = true},
    {.name = "L0.H1",
     .kind = HL_HEAD,
     .layer = 0,
     .index = 1,
     .width = HEAD_WIDTH,
     .basis = 1,
     .has_tokens = true},
    {.name = "input", .kind = HL_INPUT, .layer = -1, .index = -1, .width = WIDTH, .basis = HEADS},
};

static const hl_preprocess preprocess = {.size = sizeof preprocess,
                                         .resize = HL_RESIZE_COVER,
                                         .interpolation = HL_BICUBIC,
                                         .height = SIDE,
                                         .width = SIDE,
                                         .mean = {0.5f, 0.5f, 0.5f},
                                         .deviation = {0.25f, 0.25f, 0.25f}};

static const hl_model_info description = {.size = sizeof description,
                                          .name = "@NAME@",
                                          .summary = "one layer of attention with random weights",
                                          .embed_dim = EMBED,
                                          .preprocess = &preprocess,
                                          .prefix_tokens = 1,
                                          .grid_rows = GRID,
                                          .grid_cols = GRID,
                                          .patch_height = PATCH,
                                          .patch_width = PATCH,
                                          .component_count = COMPONENTS,
                                          .component_size = sizeof *components,
                                          .components = components,
                                          .basis_count = COMPONENTS};

/* ---- opening ---- */

static hl_status read_seed(const hl_host *host, const char *folder, unsigned long long *seed,
                           hl_error *error) {
    enum { LONGEST_PATH = 4096, LARGEST_FILE = 64 };
    char path[LONGEST_PATH], *text;
    size_t count;
    if (snprintf(path, sizeof path, "%s/" SEED_FILE, folder) >= (int)sizeof path) {
        return hl_fail(error, HL_USAGE, "%s: the path is too long", folder);
    }
    hl_status status = host->read_file(host, path, LARGEST_FILE, &text, &count, error);
    if (status != HL_OK) return status;
    char *end;
    *seed = strtoull(text, &end, 10);
    bool is_number = end > text && (*end == '\0' || *end == '\n');
    free(text);
    return is_number ? HL_OK : hl_fail(error, HL_FAILED, "%s: expected a whole number", path);
}

static int recognises(const hl_host *host, const char *folder) {
    unsigned long long seed;
    return read_seed(host, folder, &seed, NULL) == HL_OK ? 100 : 0;
}

/* Even, with this deviation. */
static void fill(float *numbers, size_t count, double deviation, unsigned long long *state) {
    for (size_t i = 0; i < count; ++i) {
        *state = *state * 6364136223846793005ull + 1442695040888963407ull;
        numbers[i] = (float)(((double)(*state >> 40) / 8388608.0 - 1) * sqrt(3) * deviation);
    }
}

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **out, hl_error *error) {
    unsigned long long seed = source->seed;
    (void)values;
    *out = NULL;
    hl_status status = source->random_weights ? HL_OK : read_seed(host, source->path, &seed, error);
    hl_model *model = status == HL_OK ? host->allocate(host, 1, sizeof *model) : NULL;
    if (status != HL_OK) return status;
    if (!model) return hl_no_memory(error, "the model");
    model->host = host;
    model->info = description;
    snprintf(model->seed, sizeof model->seed, "%llu", seed);
    fill(model->patch, WIDTH * PATCH_PIXELS, 1 / sqrt(PATCH_PIXELS), &seed);
    fill(model->fixed, (1 + TOKENS) * WIDTH, 1, &seed);
    fill(model->qkv, 3 * WIDTH * WIDTH, 1 / sqrt(WIDTH), &seed);
    fill(model->out, WIDTH * WIDTH, 1 / sqrt(WIDTH), &seed);
    fill(model->projection, WIDTH * EMBED, 1 / sqrt(WIDTH), &seed);
    *out = model;
    return HL_OK;
}

static void close_model(hl_model *model) {
    if (!model) return;
    if (model->compute) {
        const hl_compute_api *with = model->compute->api;
        with->free_weight(model->compute->backend, model->patch_weight);
        with->free_weight(model->compute->backend, model->qkv_weight);
        with->free_tensor(model->compute->backend, model->fixed_tensor);
    }
    model->host->release(model->host, model);
}

static const hl_model_info *info(const hl_model *model) {
    return &model->info;
}

static hl_status digest(const hl_model *model, char out[33], hl_error *error) {
    (void)error;
    snprintf(out, 33, "%032llx", strtoull(model->seed, NULL, 10));
    return HL_OK;
}

static hl_status load(hl_model *model, const hl_compute *compute, hl_error *error) {
    const hl_compute_api *with = compute->api;
    const hl_weight_source patch = {.size = sizeof patch,
                                    .role = HL_ROLE_PATCH,
                                    .layer = -1,
                                    .out = WIDTH,
                                    .in = PATCH_PIXELS,
                                    .data = model->patch};
    const hl_weight_source qkv = {.size = sizeof qkv,
                                  .role = HL_ROLE_QKV,
                                  .layer = 0,
                                  .out = 3 * WIDTH,
                                  .in = WIDTH,
                                  .data = model->qkv};
    model->compute = compute;
    hl_status status = with->prepare(compute->backend, &patch, &model->patch_weight, error);
    if (status == HL_OK) status = with->prepare(compute->backend, &qkv, &model->qkv_weight, error);
    if (status == HL_OK) {
        status = with->new_tensor(compute->backend, (1 + TOKENS) * WIDTH, &model->fixed_tensor, error);
    }
    if (status != HL_OK) return status;
    return with->upload(compute->backend, model->fixed,
                        (hl_matrix){model->fixed_tensor, 0, 1 + TOKENS, WIDTH, WIDTH}, error);
}

static hl_status basis(const hl_model *model, uint32_t number, float *out, hl_error *error) {
    (void)error;
    if (number == HEADS) {
        memcpy(out, model->projection, sizeof model->projection);
        return HL_OK;
    }
    for (size_t k = 0; k < HEAD_WIDTH; ++k) {
        for (size_t d = 0; d < EMBED; ++d) {
            double sum = 0;
            for (size_t o = 0; o < WIDTH; ++o) {
                sum += (double)model->out[o * WIDTH + number * HEAD_WIDTH + k] *
                       (double)model->projection[o * EMBED + d];
            }
            out[k * EMBED + d] = (float)sum;
        }
    }
    return HL_OK;
}

/* ---- sessions ---- */

static void close_session(hl_session *session) {
    if (!session) return;
    const hl_host *host = session->model->host;
    const hl_compute *compute = session->model->compute;
    hl_tensor *const tensors[] = {session->pixels, session->x, session->qkv, session->attended,
                                  session->probabilities};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) {
        compute->api->free_tensor(compute->backend, tensors[i]);
    }
    host->release(host, session->rows);
    host->release(host, session);
}

/* Numbers of one image in the host's memory. */
enum { X_SIZE = TOKENS * WIDTH, QKV_SIZE = 3 * X_SIZE, PROBABILITIES = HEADS * TOKENS };

static hl_status open_session(const hl_model *model, size_t batch, hl_session **out, hl_error *error) {
    const hl_compute *compute = model->compute;
    hl_session *session = *out = model->host->allocate(model->host, 1, sizeof *session);
    if (!session) return hl_no_memory(error, "a session");
    *session = (hl_session){.model = model, .batch = batch};
    const struct {
        size_t count;
        hl_tensor **tensor;
    } all[] = {{3 * SIDE * SIDE, &session->pixels},
               {X_SIZE, &session->x},
               {QKV_SIZE, &session->qkv},
               {X_SIZE, &session->attended},
               {PROBABILITIES, &session->probabilities}};
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && status == HL_OK; ++i) {
        status = compute->api->new_tensor(compute->backend, batch * all[i].count, all[i].tensor, error);
    }
    session->rows =
        model->host->allocate(model->host, batch * (X_SIZE + QKV_SIZE + PROBABILITIES), sizeof(float));
    if (status == HL_OK && !session->rows) status = hl_no_memory(error, "a session");
    if (status == HL_OK) return HL_OK;
    close_session(session);
    *out = NULL;
    return status;
}

/* ---- a pass ---- */

static hl_matrix part_of(hl_matrix whole, size_t first, size_t cols) {
    whole.offset += first;
    whole.cols = cols;
    return whole;
}

/* Leaves x, queries with keys and values, and the first token's attention in the session's rows. */
static hl_status pass(hl_session *session, const float *pixels, size_t count, hl_error *error) {
    static const size_t first_token = 0;
    const hl_model *model = session->model;
    const hl_compute_api *with = model->compute->api;
    hl_backend *backend = model->compute->backend;
    hl_matrix image = {session->pixels, 0, count, 3 * SIDE * SIDE, 3 * SIDE * SIDE};
    hl_matrix x = {session->x, 0, count * TOKENS, WIDTH, WIDTH};
    hl_matrix qkv = {session->qkv, 0, count * TOKENS, 3 * WIDTH, 3 * WIDTH};
    hl_matrix attended = {session->attended, 0, count * TOKENS, WIDTH, WIDTH};
    hl_matrix probabilities = {session->probabilities, 0, count * HEADS, TOKENS, TOKENS};
    const hl_patch_embedding patches = {.size = sizeof patches,
                                        .pixels = image,
                                        .prefix = {model->fixed_tensor, 0, 1, WIDTH, WIDTH},
                                        .position = {model->fixed_tensor, WIDTH, TOKENS, WIDTH, WIDTH},
                                        .out = x,
                                        .weight = model->patch_weight,
                                        .batch = count,
                                        .channels = 3,
                                        .height = SIDE,
                                        .width = SIDE,
                                        .patch = PATCH};
    const hl_linear project = {.size = sizeof project, .x = x, .out = qkv, .weight = model->qkv_weight};
    const hl_attention attend = {.size = sizeof attend,
                                 .q = part_of(qkv, 0, WIDTH),
                                 .k = part_of(qkv, WIDTH, WIDTH),
                                 .v = part_of(qkv, 2 * WIDTH, WIDTH),
                                 .out = attended,
                                 .probabilities = probabilities,
                                 .batch = count,
                                 .heads = HEADS,
                                 .scale = (float)(1 / sqrt(HEAD_WIDTH)),
                                 .probes = &first_token,
                                 .probe_count = 1};
    float *rows = session->rows;
    hl_status status = with->upload(backend, pixels, image, error);
    if (status == HL_OK) status = with->patch_embedding(backend, &patches, error);
    if (status == HL_OK) status = with->linear(backend, &project, error);
    if (status == HL_OK) status = with->attention(backend, &attend, error);
    if (status == HL_OK) status = with->download(backend, x, rows, error);
    if (status == HL_OK) status = with->download(backend, qkv, rows + count * X_SIZE, error);
    if (status != HL_OK) return status;
    return with->download(backend, probabilities, rows + count * (X_SIZE + QKV_SIZE), error);
}

static void edit(hl_trace *trace, const hl_edit *what) {
    for (size_t i = 0; i < TOKENS; ++i) {
        float *part = trace->parts[what->component][i];
        for (size_t k = 0; k < HEAD_WIDTH; ++k) {
            part[k] = what->action == HL_EDIT_SCALE ? what->factor * part[k] : what->values[k] / TOKENS;
        }
    }
}

/* What image `index` of a pass over `count` left. */
static void fill_trace(hl_trace *trace, const hl_session *session, size_t index, size_t count,
                       const hl_request *request) {
    const hl_model *model = session->model;
    const float *x = session->rows + index * X_SIZE;
    const float *v = session->rows + count * X_SIZE + index * QKV_SIZE + 2 * WIDTH;
    const float *a = session->rows + count * (X_SIZE + QKV_SIZE) + index * PROBABILITIES;
    double row[WIDTH], length = 0;
    for (size_t h = 0; h < HEADS; ++h) {
        for (size_t i = 0; i < TOKENS; ++i) {
            for (size_t k = 0; k < HEAD_WIDTH; ++k) {
                trace->parts[h][i][k] = a[h * TOKENS + i] * v[i * 3 * WIDTH + h * HEAD_WIDTH + k];
            }
        }
    }
    for (size_t i = 0; request && i < request->edit_count; ++i) edit(trace, request->edits[i]);
    for (size_t h = 0; h < HEADS; ++h) {
        for (size_t i = 0; i < TOKENS; ++i) {
            for (size_t k = 0; k < HEAD_WIDTH; ++k) trace->heads[h][k] += trace->parts[h][i][k];
        }
    }
    for (size_t o = 0; o < WIDTH; ++o) {
        row[o] = (double)x[o];
        for (size_t k = 0; k < WIDTH; ++k) {
            row[o] +=
                (double)model->out[o * WIDTH + k] * (double)trace->heads[k / HEAD_WIDTH][k % HEAD_WIDTH];
        }
    }
    for (size_t d = 0; d < EMBED; ++d) {
        double sum = 0;
        for (size_t o = 0; o < WIDTH; ++o) sum += row[o] * (double)model->projection[o * EMBED + d];
        trace->embedding[d] = (float)sum;
        length += sum * sum;
    }
    float scale = (float)(1 / sqrt(length));
    for (size_t o = 0; o < WIDTH; ++o) trace->input[o] = x[o] * scale;
    for (size_t h = 0; h < HEADS; ++h) {
        for (size_t k = 0; k < HEAD_WIDTH; ++k) trace->heads[h][k] *= scale;
        for (size_t i = 0; i < TOKENS; ++i) {
            for (size_t k = 0; k < HEAD_WIDTH; ++k) trace->parts[h][i][k] *= scale;
        }
    }
}

static hl_status check_request(const hl_request *request, hl_error *error) {
    for (size_t i = 0; request && i < request->edit_count; ++i) {
        const hl_edit *what = request->edits[i];
        bool known = what->action == HL_EDIT_SCALE || (what->action == HL_EDIT_REPLACE && what->values);
        if (what->site == HL_SITE_HEAD && what->component < HEADS && known && !what->tokens) continue;
        return hl_fail(error, HL_USAGE, "only whole heads can be scaled or replaced, not component %u",
                       what->component);
    }
    return HL_OK;
}

static void release(hl_trace *trace) {
    if (trace && atomic_fetch_sub(&trace->references, 1) == 1) trace->host->release(trace->host, trace);
}

static hl_status encode_images(hl_session *session, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error) {
    const hl_host *host = session->model->host;
    hl_status status = check_request(request, error);
    if (status == HL_OK) status = pass(session, pixels, count, error);
    size_t made = 0;
    for (; made < count && status == HL_OK; ++made) {
        hl_trace *trace = traces[made] = host->allocate(host, 1, sizeof *trace);
        if (!trace) {
            status = hl_no_memory(error, "a trace");
            break;
        }
        trace->host = host;
        atomic_init(&trace->references, 1);
        fill_trace(trace, session, made, count, request);
    }
    for (size_t i = 0; i < made && status != HL_OK; ++i) release(traces[i]);
    return status;
}

/* ---- what a trace answers ---- */

static void retain(hl_trace *trace) {
    atomic_fetch_add(&trace->references, 1);
}

static size_t bytes(const hl_trace *trace) {
    return sizeof *trace;
}

static void embedding(const hl_trace *trace, float *out) {
    memcpy(out, trace->embedding, sizeof trace->embedding);
}

static hl_status no_component(uint32_t component, hl_error *error) {
    return hl_fail(error, HL_USAGE, "there is no component %u with that", component);
}

static hl_status code(const hl_trace *trace, uint32_t component, float *out, hl_error *error) {
    if (component >= COMPONENTS) return no_component(component, error);
    bool is_head = component < HEADS;
    memcpy(out, is_head ? trace->heads[component] : trace->input, components[component].width * sizeof *out);
    return HL_OK;
}

static hl_status token_codes(const hl_trace *trace, uint32_t component, float *out, hl_error *error) {
    if (component >= HEADS) return no_component(component, error);
    memcpy(out, trace->parts[component], sizeof trace->parts[component]);
    return HL_OK;
}

static const hl_model_api api = {
    .size = sizeof api,
    .recognises = recognises,
    .open = open_model,
    .close = close_model,
    .info = info,
    .load = load,
    .basis = basis,
    .open_session = open_session,
    .close_session = close_session,
    .encode_images = encode_images,
    .retain = retain,
    .release = release,
    .bytes = bytes,
    .embedding = embedding,
    .code = code,
    .token_codes = token_codes,
    .digest = digest,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, "@NAME@", "0.1.0", "one layer of attention with random weights"),
    .api = &api,
};
