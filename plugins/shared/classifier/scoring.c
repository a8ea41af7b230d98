/* See scoring.h. For a block of images the scores of all mixes are kept while one component after the other
 * is added: s = Y q, q = B t for all directions t at once. */
#include "scoring.h"

#include <math.h>

/* Bytes of a block's scores, and images in it at most. */
enum { SCORES_MOST = 64 << 20, BLOCK_MOST = 1024 };

typedef struct scoring_job {
    const classifier *of;
    const hl_ask *ask;
    const scoring_mix *mixes;
    size_t mix_count;
    scoring_part part;
    size_t dim, directions, widest; /* widest: numbers of the longest code */
    size_t block;
    size_t first, count;    /* images of the block in hand */
    double *matrix;         /* mixes x components: weights */
    double *scores;         /* mixes x block x directions */
    double *added;          /* block x directions */
    double *query;          /* widest x directions */
    double *codes;          /* block x max(widest, dim) */
    float *read;            /* the same, as it is read; also a basis */
    double *means;          /* of codes: components x widest; NULL: none are taken off */
    double *moments;        /* widest x widest, which nobody reads */
    double *embedding_mean; /* dim; NULL: it is not taken off */
} scoring_job;

static bool is_head(const scoring_job *job, uint32_t component) {
    return hl_component_at(job->ask->model, component)->kind == HL_HEAD;
}

/* Numbers that the gallery has of a component: a head's code, of all else the contribution itself. */
static size_t code_width(const scoring_job *job, uint32_t component) {
    const hl_component *row = hl_component_at(job->ask->model, component);
    return row->kind == HL_HEAD ? row->width + row->scalar_count : job->dim;
}

/* ---- what is asked for ---- */

static void fill_matrix(scoring_job *job) {
    size_t all = job->ask->model->component_count;
    for (size_t m = 0; m < job->mix_count; ++m) {
        const scoring_mix *mix = &job->mixes[m];
        for (size_t i = 0; i < mix->count; ++i) {
            job->matrix[m * all + mix->components[i]] += mix->weights ? mix->weights[i] : mix->weight;
        }
    }
}

static bool is_used(const scoring_job *job, uint32_t component) {
    size_t all = job->ask->model->component_count;
    for (size_t m = 0; m < job->mix_count; ++m) {
        if (job->matrix[m * all + component] != 0) return true;
    }
    return false;
}

static bool uses_embedding(const scoring_job *job) {
    for (size_t m = 0; m < job->mix_count; ++m) {
        if (job->mixes[m].embedding) return true;
    }
    return false;
}

static size_t choose_block(const scoring_job *job) {
    size_t each = job->mix_count * job->directions * sizeof(double) + 1, fits = SCORES_MOST / each;
    size_t block = fits < BLOCK_MOST ? fits : BLOCK_MOST;
    if (block > job->of->images) block = job->of->images;
    return block > 0 ? block : 1;
}

static hl_status allocate(scoring_job *job, hl_error *error) {
    const hl_host *host = job->ask->host;
    const hl_model_info *model = job->ask->model;
    for (uint32_t c = 0; c < model->component_count; ++c) {
        if (code_width(job, c) > job->widest) job->widest = code_width(job, c);
    }
    job->block = choose_block(job);
    size_t longest = job->widest > job->dim ? job->widest : job->dim;
    size_t numbers = (job->block > job->dim ? job->block : job->dim) * longest;
    job->matrix = host->allocate(host, job->mix_count * model->component_count + 1, sizeof(double));
    job->scores = host->allocate(host, job->mix_count * job->block * job->directions + 1, sizeof(double));
    job->added = host->allocate(host, job->block * job->directions + 1, sizeof(double));
    job->query = host->allocate(host, longest * job->directions + 1, sizeof(double));
    job->codes = host->allocate(host, numbers + 1, sizeof(double));
    job->read = host->allocate(host, numbers + 1, sizeof(float));
    bool complete = job->matrix && job->scores && job->added && job->query && job->codes && job->read;
    return complete ? HL_OK : hl_no_memory(error, "scores of a gallery");
}

static void release(scoring_job *job) {
    const hl_host *host = job->ask->host;
    host->release(host, job->matrix);
    host->release(host, job->scores);
    host->release(host, job->added);
    host->release(host, job->query);
    host->release(host, job->codes);
    host->release(host, job->read);
    host->release(host, job->means);
    host->release(host, job->moments);
    host->release(host, job->embedding_mean);
}

/* ---- embeddings ---- */

static void normalise(double *rows, const float *from, size_t count, size_t dim) {
    for (size_t i = 0; i < count; ++i) {
        double square = 0;
        for (size_t k = 0; k < dim; ++k) square += (double)from[i * dim + k] * (double)from[i * dim + k];
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (size_t k = 0; k < dim; ++k) rows[i * dim + k] = scale * (double)from[i * dim + k];
    }
}

static hl_status read_embeddings(scoring_job *job, hl_error *error) {
    hl_status status = job->ask->gallery_embeddings(job->ask, NULL, job->first, job->count, job->read, error);
    if (status == HL_OK) normalise(job->codes, job->read, job->count, job->dim);
    return status;
}

static hl_status find_embedding_mean(scoring_job *job, hl_error *error) {
    const hl_host *host = job->ask->host;
    hl_status status = HL_OK;
    double *mean = job->embedding_mean = host->allocate(host, job->dim, sizeof *mean);
    if (!mean) return hl_no_memory(error, "the mean embedding");
    for (job->first = 0; job->first < job->of->images && status == HL_OK; job->first += job->count) {
        size_t left = job->of->images - job->first;
        job->count = left < job->block ? left : job->block;
        status = read_embeddings(job, error);
        for (size_t i = 0; status == HL_OK && i < job->count * job->dim; ++i) {
            mean[i % job->dim] += job->codes[i] / (double)job->of->images;
        }
    }
    return status;
}

/* ---- means of codes ---- */

/* Of a head from the moments that the atlas holds, of all else from what the gallery has of it. */
static hl_status find_mean(scoring_job *job, uint32_t component, double *mean, hl_error *error) {
    size_t images = job->of->images, n = code_width(job, component);
    hl_status status = HL_OK;
    if (is_head(job, component)) {
        status = job->ask->moments(job->ask, NULL, component, 0, 1, &images, mean, job->moments, error);
    }
    for (size_t first = 0; !is_head(job, component) && first < images && status == HL_OK;
         first += job->block) {
        size_t count = images - first < job->block ? images - first : job->block;
        status = job->ask->gallery_codes(job->ask, NULL, component, first, count, job->read, error);
        for (size_t i = 0; status == HL_OK && i < count * n; ++i) mean[i % n] += (double)job->read[i];
    }
    for (size_t i = 0; status == HL_OK && i < n; ++i) mean[i] /= images > 0 ? (double)images : 1;
    return status;
}

static hl_status find_means(scoring_job *job, hl_error *error) {
    const hl_host *host = job->ask->host;
    size_t all = job->ask->model->component_count;
    job->means = host->allocate(host, all * job->widest + 1, sizeof(double));
    job->moments = host->allocate(host, job->widest * job->widest + 1, sizeof(double));
    hl_status status = job->means && job->moments ? HL_OK : hl_no_memory(error, "mean codes");
    for (uint32_t c = 0; c < all && status == HL_OK; ++c) {
        if (is_used(job, c)) status = find_mean(job, c, job->means + c * job->widest, error);
    }
    return status;
}

/* ---- a block ---- */

/* added = codes [count x n] times query [n x directions]. */
static hl_status multiply(scoring_job *job, size_t n, hl_error *error) {
    size_t k = job->directions;
    return job->ask->product_f64(job->ask, false, false, job->count, k, n, job->codes, n, job->query, k,
                                 job->added, k, error);
}

static void add(scoring_job *job, size_t mix, double weight) {
    size_t numbers = job->count * job->directions;
    double *scores = job->scores + mix * job->block * job->directions;
    for (size_t i = 0; i < numbers; ++i) scores[i] += weight * job->added[i];
}

static hl_status add_embedding(scoring_job *job, hl_error *error) {
    hl_status status = read_embeddings(job, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; job->embedding_mean && i < job->count * job->dim; ++i) {
        job->codes[i] -= job->embedding_mean[i % job->dim];
    }
    size_t k = job->directions, d = job->dim;
    status = job->ask->product_f64(job->ask, false, true, job->count, k, d, job->codes, d,
                                   job->of->directions, d, job->added, k, error);
    for (size_t m = 0; status == HL_OK && m < job->mix_count; ++m) {
        if (job->mixes[m].embedding) add(job, m, 1);
    }
    return status;
}

/* q of all directions: B times t; what is no head has no basis between. */
static hl_status make_query(scoring_job *job, uint32_t component, hl_error *error) {
    size_t n = code_width(job, component), d = job->dim, k = job->directions;
    for (size_t i = 0; !is_head(job, component) && i < d * k; ++i) {
        job->query[i] = job->of->directions[i % k * d + i / k];
    }
    if (!is_head(job, component)) return HL_OK;
    hl_status status = job->ask->basis(job->ask, component, job->read, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < n * d; ++i) job->codes[i] = (double)job->read[i];
    return job->ask->product_f64(job->ask, false, true, n, k, d, job->codes, d, job->of->directions, d,
                                 job->query, k, error);
}

/* The codes of the block, as far as they count. */
static hl_status read_codes(scoring_job *job, uint32_t component, hl_error *error) {
    size_t n = code_width(job, component), width = hl_component_at(job->ask->model, component)->width;
    size_t own = job->part == SCORING_OWN && is_head(job, component) ? width : n;
    const double *mean = job->means ? job->means + component * job->widest : NULL;
    hl_status status =
        job->ask->gallery_codes(job->ask, NULL, component, job->first, job->count, job->read, error);
    for (size_t i = 0; status == HL_OK && i < job->count * n; ++i) {
        double value = (double)job->read[i] - (mean ? mean[i % n] : 0);
        job->codes[i] = i % n < own ? value : 0;
    }
    return status;
}

static hl_status add_component(scoring_job *job, uint32_t component, hl_error *error) {
    const hl_host *host = job->ask->host;
    size_t all = job->ask->model->component_count;
    hl_status status = hl_check_cancelled(host, error);
    if (status == HL_OK) status = make_query(job, component, error);
    if (status == HL_OK) status = read_codes(job, component, error);
    if (status == HL_OK) status = multiply(job, code_width(job, component), error);
    for (size_t m = 0; status == HL_OK && m < job->mix_count; ++m) {
        double weight = job->matrix[m * all + component];
        if (weight != 0) add(job, m, weight);
    }
    return status;
}

void scoring_choose(const classifier *of, const double *scores, uint16_t *answers, size_t stride) {
    for (size_t t = 0; t < of->task_count; ++t) {
        answers[t * stride] = classifier_choose(&of->tasks[t], scores + of->tasks[t].first);
    }
}

static void choose(const scoring_job *job, uint16_t *answers) {
    const classifier *of = job->of;
    for (size_t m = 0; m < job->mix_count; ++m) {
        const double *scores = job->scores + m * job->block * job->directions;
        uint16_t *own = answers + m * of->task_count * of->images + job->first;
        for (size_t i = 0; i < job->count; ++i) {
            scoring_choose(of, scores + i * job->directions, own + i, of->images);
        }
    }
}

static hl_status answer_block(scoring_job *job, uint16_t *answers, hl_error *error) {
    hl_status status = HL_OK;
    memset(job->scores, 0, job->mix_count * job->block * job->directions * sizeof *job->scores);
    if (uses_embedding(job)) status = add_embedding(job, error);
    for (uint32_t c = 0; c < job->ask->model->component_count && status == HL_OK; ++c) {
        if (is_used(job, c)) status = add_component(job, c, error);
    }
    if (status == HL_OK) choose(job, answers);
    return status;
}

hl_status scoring_answer(const classifier *of, const scoring_mix *mixes, size_t count, scoring_part part,
                         bool centre, uint16_t *answers, hl_error *error) {
    scoring_job job = {.of = of,
                       .ask = of->ask,
                       .mixes = mixes,
                       .mix_count = count,
                       .part = part,
                       .dim = of->ask->model->embed_dim,
                       .directions = of->direction_count};
    hl_status status = allocate(&job, error);
    if (status == HL_OK) fill_matrix(&job);
    if (status == HL_OK && part == SCORING_VARYING) status = find_means(&job, error);
    if (status == HL_OK && centre && uses_embedding(&job)) status = find_embedding_mean(&job, error);
    for (job.first = 0; job.first < of->images && status == HL_OK; job.first += job.count) {
        job.count = of->images - job.first < job.block ? of->images - job.first : job.block;
        status = answer_block(&job, answers, error);
    }
    release(&job);
    return status;
}
