/* See reruns.h. Images come in pieces; a piece's embeddings under a case are kept on disk once they are
 * there. */
#include "reruns.h"
#include "classifier/scoring.h"

#include <math.h>
#include <xxhash.h>

/* Images of a piece: what an interruption loses at most, for one case. */
enum { PIECE = 64, BLOCK = 1024, KEY_ROOM = 160 };

typedef struct rerun_job {
    const classifier *of;
    const hl_ask *ask;
    const case_list *cases;
    ablation_settings settings;
    const size_t *images;
    size_t image_count, dim;
    uint32_t *pooled; /* the rows that become the embedding; NULL: all */
    size_t pooled_count;
    float **means;     /* by component: what stands in its place; NULL: nothing does */
    float *embeddings; /* of a piece */
    const hl_image *opened[PIECE];
    char probe[33]; /* what this backend makes of the first image */
} rerun_job;

static const hl_component *row_of(const rerun_job *job, uint32_t component) {
    return hl_component_at(job->ask->model, component);
}

static void write_digest(const void *bytes, size_t count, char out[33]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, count));
    for (size_t i = 0; i < 16; ++i) snprintf(out + 2 * i, 3, "%02x", canonical.digest[i]);
}

/* ---- images ---- */

static hl_status open_image(const rerun_job *job, size_t index, const hl_image **out, hl_error *error) {
    hl_gallery_image found = {.size = sizeof found};
    hl_status status = job->ask->gallery_image(job->ask, NULL, job->images[index], &found, error);
    if (status != HL_OK) return status;
    const hl_image_source source = {.size = sizeof source, .name = found.path, .path = found.file};
    return job->ask->open_image(job->ask, &source, out, error);
}

static hl_status open_piece(rerun_job *job, size_t first, size_t count, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        if (!job->opened[i]) status = open_image(job, first + i, &job->opened[i], error);
    }
    return status;
}

static void close_piece(rerun_job *job) {
    for (size_t i = 0; i < PIECE; ++i) {
        job->ask->release_image(job->ask, job->opened[i]);
        job->opened[i] = NULL;
    }
}

/* ---- what stands in place of a component: the mean of its output z, y[:width] = z * scale ---- */

static size_t code_width(const hl_component *row) {
    return row->width + row->scalar_count;
}

static hl_status cannot_replace(const rerun_job *job, uint32_t component, hl_error *error) {
    return hl_fail(error, HL_USAGE,
                   "the codes of %s do not tell what it put out, so no mean of it can be put in its place: "
                   "ablate: zero can be rerun",
                   row_of(job, component)->name);
}

/* Adds z; false: the code has no scale. */
static bool add_output(const hl_component *row, const float *code, double scale, double *sum) {
    if (!(fabs(scale) > 1e-12)) return false;
    for (size_t k = 0; k < row->width; ++k) sum[k] += (double)code[k] / scale;
    return true;
}

static bool has_scale(const hl_component *row) {
    return row->kind == HL_HEAD && row->scalar_count > 0;
}

/* What an image's codes are divided by: the same for all components, and told by those of heads. */
static hl_status find_scale(const rerun_job *job, const hl_ask *ask, const hl_image *image, double *out,
                            hl_error *error) {
    uint32_t head = 0;
    while (head < ask->model->component_count && !has_scale(row_of(job, head))) ++head;
    *out = 0;
    if (head == ask->model->component_count) return HL_OK;
    const hl_component *row = row_of(job, head);
    float *code = malloc(code_width(row) * sizeof *code);
    hl_status status = code ? ask->code(ask, image, head, code, error) : hl_no_memory(error, "a code");
    if (status == HL_OK) *out = (double)code[row->width];
    free(code);
    return status;
}

/* Over the gallery. */
static hl_status sum_head(const rerun_job *job, uint32_t component, float *codes, double *sum,
                          hl_error *error) {
    const hl_ask *ask = job->ask;
    const hl_component *row = row_of(job, component);
    hl_status status = HL_OK;
    size_t all = job->of->images, count;
    for (size_t first = 0; first < all && status == HL_OK; first += count) {
        count = all - first < BLOCK ? all - first : BLOCK;
        status = ask->gallery_codes(ask, NULL, component, first, count, codes, error);
        for (size_t i = 0; i < count && status == HL_OK; ++i) {
            const float *code = codes + i * code_width(row);
            double scale = has_scale(row) ? (double)code[row->width] : 0;
            if (!add_output(row, code, scale, sum)) status = cannot_replace(job, component, error);
        }
    }
    return status;
}

/* The gallery has contributions only of what is no head: over the images of the reruns. */
static hl_status sum_other(const rerun_job *job, uint32_t component, float *codes, double *sum,
                           hl_error *error) {
    const hl_ask *ask = job->ask;
    hl_status status = HL_OK;
    for (size_t i = 0; i < job->image_count && status == HL_OK; ++i) {
        const hl_image *image;
        double scale;
        status = open_image(job, i, &image, error);
        if (status != HL_OK) return status;
        status = ask->code(ask, image, component, codes, error);
        if (status == HL_OK) status = find_scale(job, ask, image, &scale, error);
        ask->release_image(ask, image);
        if (status == HL_OK && !add_output(row_of(job, component), codes, scale, sum))
            status = cannot_replace(job, component, error);
    }
    return status;
}

static hl_status find_mean(rerun_job *job, uint32_t component, hl_error *error) {
    const hl_component *row = row_of(job, component);
    size_t images = row->kind == HL_HEAD ? job->of->images : job->image_count;
    double *sum = calloc(row->width + 1, sizeof *sum);
    float *codes = malloc((size_t)(row->kind == HL_HEAD ? BLOCK : 1) * code_width(row) * sizeof *codes + 1);
    float *mean = job->means[component] = malloc(row->width * sizeof *mean + 1);
    hl_status status = sum && codes && mean ? HL_OK : hl_no_memory(error, "mean outputs");
    if (status == HL_OK)
        status = row->kind == HL_HEAD ? sum_head(job, component, codes, sum, error)
                                      : sum_other(job, component, codes, sum, error);
    for (size_t k = 0; status == HL_OK && k < row->width; ++k) mean[k] = (float)(sum[k] / (double)images);
    free(sum);
    free(codes);
    return status;
}

static hl_status find_means(rerun_job *job, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < job->cases->count; ++i) {
        const ablation_case *one = &job->cases->all[i];
        for (size_t k = 0; k < one->count && status == HL_OK; ++k) {
            if (!job->means[one->components[k]]) status = find_mean(job, one->components[k], error);
        }
    }
    return status;
}

/* ---- edits ---- */

typedef struct edit_set {
    hl_edit *all;
    const hl_edit **list;
} edit_set;

static hl_status number_pooled_rows(rerun_job *job, hl_error *error) {
    const hl_model_info *model = job->ask->model;
    size_t first = model->pooled_first, count = model->pooled_count;
    if (count == 0 && model->prefix_tokens > 0) count = 1;
    if (count == 0) return HL_OK;
    job->pooled = malloc(count * sizeof *job->pooled);
    if (!job->pooled) return hl_no_memory(error, "the rows of an edit");
    for (size_t i = 0; i < count; ++i) job->pooled[i] = (uint32_t)(first + i);
    job->pooled_count = count;
    return HL_OK;
}

static hl_edit make_edit(const rerun_job *job, uint32_t component) {
    bool some = job->settings.rows == ABLATION_POOLED;
    return (hl_edit){.size = sizeof(hl_edit),
                     .site = row_of(job, component)->kind == HL_HEAD ? HL_SITE_HEAD : HL_SITE_MLP,
                     .action = job->means[component] ? HL_EDIT_REPLACE : HL_EDIT_SCALE,
                     .component = component,
                     .tokens = some ? job->pooled : NULL,
                     .token_count = some ? job->pooled_count : 0,
                     .values = job->means[component]};
}

static hl_status begin_edited(const rerun_job *job, const ablation_case *one, const hl_ask **out,
                              hl_error *error) {
    hl_edit *all = calloc(one->count + 1, sizeof *all);
    const hl_edit **list = calloc(one->count + 1, sizeof *list);
    hl_status status = all && list ? HL_OK : hl_no_memory(error, "edits");
    for (size_t i = 0; status == HL_OK && i < one->count; ++i) {
        all[i] = make_edit(job, one->components[i]);
        list[i] = &all[i];
    }
    if (status == HL_OK) status = job->ask->edited(job->ask, list, one->count, out, error);
    free(all);
    free(list);
    return status;
}

/* What the component put out for an image, by its code. */
static hl_status find_output(const rerun_job *job, const hl_ask *ask, const hl_image *image,
                             uint32_t component, float *code, hl_error *error) {
    double scale = 0;
    hl_status status = ask->code(ask, image, component, code, error);
    if (status == HL_OK) status = find_scale(job, ask, image, &scale, error);
    if (status == HL_OK && !(fabs(scale) > 1e-12)) status = cannot_replace(job, component, error);
    for (size_t k = 0; status == HL_OK && k < row_of(job, component)->width; ++k) {
        code[k] = (float)((double)code[k] / scale);
    }
    return status;
}

static bool are_close(const float *got, const float *expected, size_t count) {
    double off = 0, length = 0;
    for (size_t i = 0; i < count; ++i) {
        off += pow((double)got[i] - (double)expected[i], 2);
        length += pow((double)expected[i], 2);
    }
    return off <= 1e-4 * length;
}

/* Whether putting a head's own output in its place changes nothing: then codes mean what is assumed of them.
 * Where several rows are pooled, of which each put out something else, what is pooled of them stays. */
static hl_status check_replacement(rerun_job *job, uint32_t component, const float *expected,
                                   hl_error *error) {
    const hl_component *row = row_of(job, component);
    const hl_image *image = job->opened[0];
    const hl_ask *ask = job->ask, *edited;
    float *own = malloc(2 * code_width(row) * sizeof *own + 1), *again = own + code_width(row);
    if (!own) return hl_no_memory(error, "a code");
    hl_status status = find_output(job, ask, image, component, own, error);
    hl_edit edit = make_edit(job, component);
    edit.values = own;
    edit.tokens = job->pooled;
    edit.token_count = job->pooled_count;
    const hl_edit *list[] = {&edit};
    bool alone = job->pooled_count == 1, same = false;
    if (status == HL_OK) status = ask->edited(ask, list, 1, &edited, error);
    if (status == HL_OK) {
        status = alone ? edited->embedding(edited, image, job->embeddings, error)
                       : find_output(job, edited, image, component, again, error);
        if (status == HL_OK)
            same = alone ? are_close(job->embeddings, expected, job->dim) : are_close(again, own, row->width);
        edited->release(edited);
    }
    free(own);
    return status == HL_OK && !same ? cannot_replace(job, component, error) : status;
}

/* The first image by itself: it tells the backend, and whether codes can be trusted. */
static hl_status probe(rerun_job *job, hl_error *error) {
    float *own = malloc(job->dim * sizeof *own + 1);
    if (!own) return hl_no_memory(error, "an embedding");
    hl_status status = open_piece(job, 0, 1, error);
    if (status == HL_OK) status = job->ask->embedding(job->ask, job->opened[0], own, error);
    if (status == HL_OK) write_digest(own, job->dim * sizeof *own, job->probe);
    uint32_t all = job->ask->model->component_count;
    bool checked[2] = {false, false};
    for (uint32_t c = 0; c < all && status == HL_OK; ++c) {
        bool *kind = &checked[row_of(job, c)->kind == HL_HEAD];
        if (!job->means[c] || *kind) continue;
        *kind = true;
        status = check_replacement(job, c, own, error);
    }
    close_piece(job);
    free(own);
    return status;
}

/* ---- pieces ---- */

/* Images are told by what they are embedded as without edits, which the gallery knows. */
static hl_status make_key(rerun_job *job, size_t first, size_t count, char out[KEY_ROOM], hl_error *error) {
    char digest[33];
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = job->ask->gallery_embeddings(job->ask, NULL, job->images[first + i], 1,
                                              job->embeddings + i * job->dim, error);
    }
    write_digest(job->embeddings, count * job->dim * sizeof *job->embeddings, digest);
    snprintf(out, KEY_ROOM, "reruns 1 of %zu images x %zu: %s by %s", count, job->dim, digest, job->probe);
    return status;
}

static bool recall(const rerun_job *job, const hl_ask *edited, const char *key, size_t count) {
    void *bytes;
    size_t size, expected = count * job->dim * sizeof *job->embeddings;
    edited->recall(edited, key, &bytes, &size);
    bool sound = bytes && size == expected;
    if (sound) memcpy(job->embeddings, bytes, size);
    free(bytes);
    for (size_t i = 0; sound && i < count * job->dim; ++i) sound = isfinite(job->embeddings[i]);
    return sound;
}

static hl_status encode(rerun_job *job, const hl_ask *edited, const char *key, size_t first, size_t count,
                        hl_error *error) {
    const hl_host *host = job->ask->host;
    hl_status status = open_piece(job, first, count, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = hl_check_cancelled(host, error);
        if (status == HL_OK)
            status = edited->embedding(edited, job->opened[i], job->embeddings + i * job->dim, error);
    }
    if (status == HL_OK)
        edited->remember(edited, key, job->embeddings, count * job->dim * sizeof *job->embeddings);
    return status;
}

static void score(const rerun_job *job, const float *embedding, double *scores) {
    for (size_t k = 0; k < job->of->direction_count; ++k) {
        scores[k] = 0;
        for (size_t i = 0; i < job->dim; ++i)
            scores[k] += (double)embedding[i] * job->of->directions[k * job->dim + i];
    }
}

static hl_status choose(const rerun_job *job, size_t first, size_t count, uint16_t *answers,
                        hl_error *error) {
    double *scores = malloc(job->of->direction_count * sizeof *scores + 1);
    if (!scores) return hl_no_memory(error, "scores");
    for (size_t i = 0; i < count; ++i) {
        score(job, job->embeddings + i * job->dim, scores);
        scoring_choose(job->of, scores, answers + first + i, job->image_count);
    }
    free(scores);
    return HL_OK;
}

/* `answers` are the case's. */
static hl_status run_case(rerun_job *job, const ablation_case *one, const char *key, size_t first,
                          size_t count, uint16_t *answers, hl_error *error) {
    const hl_ask *edited;
    hl_status status = begin_edited(job, one, &edited, error);
    if (status != HL_OK) return status;
    if (!recall(job, edited, key, count)) status = encode(job, edited, key, first, count, error);
    if (status == HL_OK) status = choose(job, first, count, answers, error);
    edited->release(edited);
    return status;
}

static hl_status run_piece(rerun_job *job, size_t first, size_t count, uint16_t *answers, hl_error *error) {
    char key[KEY_ROOM];
    size_t each = job->of->task_count * job->image_count;
    hl_status status = make_key(job, first, count, key, error);
    for (size_t i = 0; i < job->cases->count && status == HL_OK; ++i) {
        status = run_case(job, &job->cases->all[i], key, first, count, answers + i * each, error);
    }
    close_piece(job);
    return status;
}

static hl_status run_all(rerun_job *job, uint16_t *answers, hl_error *error) {
    const hl_host *host = job->ask->host;
    hl_status status = job->settings.way == ABLATION_MEAN ? find_means(job, error) : HL_OK;
    if (status == HL_OK) status = probe(job, error);
    for (size_t first = 0; first < job->image_count && status == HL_OK; first += PIECE) {
        size_t count = job->image_count - first < PIECE ? job->image_count - first : PIECE;
        status = run_piece(job, first, count, answers, error);
        if (status == HL_OK)
            host->log(host, HL_LOG_INFO, "reruns: %zu of %zu images, %zu passes each", first + count,
                      job->image_count, job->cases->count);
    }
    return status;
}

hl_status reruns_answer(const classifier *of, const case_list *cases, ablation_settings settings,
                        const size_t *images, size_t image_count, uint16_t *answers, hl_error *error) {
    uint32_t all = of->ask->model->component_count;
    rerun_job job = {.of = of,
                     .ask = of->ask,
                     .cases = cases,
                     .settings = settings,
                     .images = images,
                     .image_count = image_count,
                     .dim = of->ask->model->embed_dim,
                     .means = calloc(all + 1, sizeof(float *)),
                     .embeddings = malloc(PIECE * (size_t)of->ask->model->embed_dim * sizeof(float) + 1)};
    bool complete = job.means && job.embeddings;
    hl_status status = complete ? number_pooled_rows(&job, error) : hl_no_memory(error, "reruns");
    if (status == HL_OK) status = run_all(&job, answers, error);
    close_piece(&job);
    for (uint32_t c = 0; job.means && c < all; ++c) free(job.means[c]);
    free(job.means);
    free(job.pooled);
    free(job.embeddings);
    return status;
}
