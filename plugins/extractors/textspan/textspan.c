/* textspan: each head described by the texts of a pool along which its contributions vary most (Gandelsman,
 * Efros and Steinhardt 2024, section 4), from bases and moments alone. Beside each list stands how far it is
 * to be believed: how much of it stays with other images, and with other texts. */
#include "head_space.h"
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "picking.h"
#include "pool/pool.h"

/* In the order of the table. */
enum { POOL, PICKS, RANK, HEADS, FOLD, FOLDS, STABILITY };

static const hl_option options[] = {
    [POOL] = {.name = "pool", .type = HL_PATH, .help = "The texts to pick from, a file with one a line."},
    [PICKS] = {.name = "picks",
               .type = HL_INT,
               .fallback = "20",
               .min = 1,
               .max = 1000,
               .help =
                   "How many texts describe a head; fewer where its directions or the pool's are used up."},
    [RANK] = {.name = "rank",
              .type = HL_INT,
              .fallback = "~",
              .min = 1,
              .max = 65536,
              .help = "Onto how many directions of what a head writes, the most written first, texts are "
                      "projected; left out: all that there are, the head's width and three."},
    [HEADS] = {.name = "heads", .type = HL_HEADS, .fallback = "all", .help = "The heads to describe."},
    [FOLD] = {.name = "fold",
              .type = HL_INT,
              .fallback = "0",
              .min = 0,
              .max = 999,
              .help = "Which part of the gallery to take, from 0: see folds."},
    [FOLDS] = {.name = "folds",
               .type = HL_INT,
               .fallback = "1",
               .min = 1,
               .max = 1000,
               .help =
                   "In how many parts the gallery is cut, image after image to the next part; 1: it is not."},
    [STABILITY] = {.name = "stability",
                   .type = HL_BOOL,
                   .fallback = "true",
                   .help =
                       "Whether each list comes with its overlap over halves of the gallery and parts of the "
                       "pool."},
};

/* A list is made again without each of so many parts of the pool; and over two parts of the gallery, of about
 * so many images at most, so that what it costs has a bound. */
enum { POOL_PARTS = 5, HALF_IMAGES = 2500 };

/* What is found of a head. */
typedef struct description {
    text_picks picks;
    float *directions; /* of each pick, embed_dim numbers */
    size_t rank;
    double variance, effective_rank;
    double gallery_halves, pool_subsets; /* shares; below 0: there is none */
} description;

typedef struct spanning {
    const hl_ask *ask;
    const hl_host *host;
    const hl_value *heads;
    const pool *from;
    double *texts; /* embed_dim x texts */
    size_t picks, rank;
    image_part part;
    size_t images; /* of the part */
    bool stability;
    description *found; /* by head */
} spanning;

/* One head's memory. */
typedef struct head_work {
    const spanning *all;
    uint32_t component;
    head_frame frame;
    double *framed;      /* the texts along the frame's rows, rank x texts */
    double *coordinates; /* and along a spread's axes */
} head_work;

/* ---- lists ---- */

/* The texts as they stand in the space of what the head wrote over some images. */
static hl_status place_texts(const head_work *work, const head_spread *spread, text_space *out,
                             hl_error *error) {
    const hl_ask *ask = work->all->ask;
    size_t texts = work->all->from->count, framed = work->frame.rank;
    *out = (text_space){.rank = spread->rank,
                        .texts = texts,
                        .coordinates = work->coordinates,
                        .variances = spread->variances,
                        .least = spread->least};
    if (spread->rank == 0) return HL_OK;
    return ask->product_f64(ask, false, false, spread->rank, texts, framed, spread->axes, framed,
                            work->framed, texts, work->coordinates, texts, error);
}

static hl_status list_over(const head_work *work, image_part part, text_picks *out, hl_error *error) {
    head_spread spread;
    text_space space;
    const spanning *all = work->all;
    hl_status status =
        head_spread_make(all->ask, work->component, &work->frame, part, all->rank, &spread, error);
    if (status == HL_OK) status = place_texts(work, &spread, &space, error);
    if (status == HL_OK) {
        status = text_picks_make(all->host, &space, all->picks, NULL, NULL, out, error);
    }
    head_spread_free(&spread);
    return status;
}

static size_t longer_of(const text_picks *one, const text_picks *other) {
    return one->count > other->count ? one->count : other->count;
}

/* The share of picks that two parts of the images without a common one agree about. */
static hl_status compare_halves(const head_work *work, description *to, hl_error *error) {
    const spanning *all = work->all;
    size_t parts = all->images / HALF_IMAGES > 2 ? all->images / HALF_IMAGES : 2;
    image_part half = {all->part.fold, all->part.folds * parts}, other = half;
    text_picks one = {.host = NULL}, two = {.host = NULL};
    other.fold += all->part.folds;
    hl_status status = list_over(work, half, &one, error);
    if (status == HL_OK) status = list_over(work, other, &two, error);
    if (status == HL_OK && one.count > 0 && two.count > 0) {
        to->gallery_halves = (double)text_picks_common(&one, &two) / (double)longer_of(&one, &two);
    }
    text_picks_free(&one);
    text_picks_free(&two);
    return status;
}

typedef struct pool_part {
    const pool *from;
    size_t without;
} pool_part;

/* By what a line says, not by where it stands: other lines do not change which part it is in. */
static bool is_in_part(const void *user, size_t text) {
    const pool_part *part = user;
    return part->from->hashes[text] % POOL_PARTS != part->without;
}

/* Of the picks that are still in the pool, the share that stays when a part of the pool is left out: the mean
 * over all parts. */
static hl_status compare_pools(const head_work *work, const text_space *space, description *to,
                               hl_error *error) {
    const spanning *all = work->all;
    hl_status status = HL_OK;
    double shares = 0;
    size_t parts = 0;
    for (size_t i = 0; i < POOL_PARTS && status == HL_OK; ++i) {
        const pool_part part = {all->from, i};
        size_t stay = 0;
        text_picks picks = {.host = NULL};
        for (size_t k = 0; k < to->picks.count; ++k) stay += is_in_part(&part, to->picks.all[k].text);
        if (stay == 0 || all->host->cancelled(all->host)) continue;
        status = text_picks_make(all->host, space, all->picks, is_in_part, &part, &picks, error);
        shares += (double)text_picks_common(&to->picks, &picks) / (double)stay;
        ++parts;
        text_picks_free(&picks);
    }
    if (parts > 0) to->pool_subsets = shares / (double)parts;
    return status;
}

/* ---- one head ---- */

/* The directions of the picks, from the spread's axes to the joint space. */
static hl_status turn_directions(const head_work *work, const head_spread *spread, description *to,
                                 hl_error *error) {
    const hl_ask *ask = work->all->ask;
    const hl_host *host = ask->host;
    size_t count = to->picks.count, dim = work->frame.dim, framed = work->frame.rank;
    double *inner = host->allocate(host, count * framed + 1, sizeof *inner);
    double *wide = host->allocate(host, count * dim + 1, sizeof *wide);
    to->directions = host->allocate(host, count * dim + 1, sizeof *to->directions);
    hl_status status = inner && wide && to->directions ? HL_OK : hl_no_memory(error, "directions");
    if (status == HL_OK && count > 0) {
        status = ask->product_f64(ask, false, false, count, framed, spread->rank, to->picks.directions,
                                  spread->rank, spread->axes, framed, inner, framed, error);
        if (status == HL_OK) {
            status = ask->product_f64(ask, false, false, count, dim, framed, inner, framed, work->frame.rows,
                                      dim, wide, dim, error);
        }
        for (size_t i = 0; i < count * dim; ++i) to->directions[i] = (float)wide[i];
    }
    host->release(host, inner);
    host->release(host, wide);
    return status;
}

static hl_status describe_over_all(const head_work *work, description *to, hl_error *error) {
    const spanning *all = work->all;
    head_spread spread;
    text_space space;
    hl_status status =
        head_spread_make(all->ask, work->component, &work->frame, all->part, all->rank, &spread, error);
    if (status == HL_OK) status = place_texts(work, &spread, &space, error);
    if (status == HL_OK) {
        status = text_picks_make(all->host, &space, all->picks, NULL, NULL, &to->picks, error);
    }
    if (status == HL_OK) status = turn_directions(work, &spread, to, error);
    if (status == HL_OK && all->stability) status = compare_pools(work, &space, to, error);
    to->rank = spread.rank;
    to->variance = spread.variance;
    to->effective_rank = spread.effective_rank;
    head_spread_free(&spread);
    return status;
}

static hl_status describe_head(const spanning *all, uint32_t component, description *to, hl_error *error) {
    const hl_host *host = all->host;
    head_work work = {.all = all, .component = component};
    size_t texts = all->from->count;
    hl_status status = head_frame_make(all->ask, component, &work.frame, error);
    if (status == HL_OK) {
        work.framed = host->allocate(host, work.frame.rank * texts + 1, sizeof *work.framed);
        work.coordinates = host->allocate(host, work.frame.rank * texts + 1, sizeof *work.coordinates);
        if (!work.framed || !work.coordinates) status = hl_no_memory(error, "the texts of a pool");
    }
    if (status == HL_OK && work.frame.rank > 0) {
        status = all->ask->product_f64(all->ask, false, false, work.frame.rank, texts, work.frame.dim,
                                       work.frame.rows, work.frame.dim, all->texts, texts, work.framed, texts,
                                       error);
    }
    if (status == HL_OK) status = describe_over_all(&work, to, error);
    if (status == HL_OK && all->stability) status = compare_halves(&work, to, error);
    host->release(host, work.framed);
    host->release(host, work.coordinates);
    head_frame_free(&work.frame);
    return status;
}

static hl_status describe_one(void *argument, size_t index, hl_error *error) {
    const spanning *all = argument;
    description *to = &all->found[index];
    uint32_t component = all->heads->selections[index]->components[0];
    to->gallery_halves = to->pool_subsets = -1;
    hl_status status = hl_check_cancelled(all->host, error);
    return status == HL_OK ? describe_head(all, component, to, error) : status;
}

/* ---- what is handed over ---- */

static void add_facts(const description *of, hl_finding *to, const char *head) {
    hl_item *facts = to->about(to, head);
    hl_result *result = to->result;
    result->whole(facts, "rank", (int64_t)of->rank);
    result->number(facts, "effective_rank", of->effective_rank);
    result->number(facts, "variance", of->variance);
    if (of->gallery_halves < 0 && of->pool_subsets < 0) return;
    hl_item *overlap = result->map(facts, "overlap");
    if (of->gallery_halves >= 0) result->number(overlap, "gallery_halves", of->gallery_halves);
    if (of->pool_subsets >= 0) result->number(overlap, "pool_subsets", of->pool_subsets);
}

static hl_status hand_over(const spanning *all, size_t index, hl_finding *to, hl_error *error) {
    const description *of = &all->found[index];
    const char *head = all->heads->selections[index]->name;
    hl_status status = HL_OK;
    double total = 0;
    for (size_t i = 0; i < of->picks.count && status == HL_OK; ++i) {
        const text_pick *pick = &of->picks.all[i];
        total += pick->variance;
        const hl_description one = {.size = sizeof one,
                                    .head = head,
                                    .rank = (uint32_t)i + 1,
                                    .text = all->from->texts[pick->text],
                                    .direction = of->directions + i * all->ask->model->embed_dim,
                                    .variance = pick->variance,
                                    .total = total};
        status = to->describe(to, &one, error);
    }
    if (status == HL_OK && to->about) add_facts(of, to, head);
    return status;
}

/* Why a head has no more picks. */
static const char *find_end(const spanning *all, const description *of) {
    if (!(of->variance > 0)) return "its contributions do not vary";
    if (of->picks.count == all->from->count) return "the pool has no more texts";
    if (of->picks.count == of->rank) return "its contributions have no more directions";
    return "no text that is left says anything more of its contributions";
}

/* One line of the log for all heads with fewer picks than were asked for. */
static void say_short(const spanning *all) {
    size_t count = 0;
    const description *shortest = NULL;
    for (size_t i = 0; i < all->heads->count; ++i) {
        const description *of = &all->found[i];
        if (of->picks.count >= all->picks) continue;
        ++count;
        if (!shortest || of->picks.count < shortest->picks.count) shortest = of;
    }
    if (!shortest) return;
    all->host->log(all->host, HL_LOG_WARNING,
                   "%zu of %zu heads have fewer than %zu picks; %s has %zu: %s (of %zu images, %zu texts)",
                   count, all->heads->count, all->picks, all->heads->selections[shortest - all->found]->name,
                   shortest->picks.count, find_end(all, shortest), all->images, all->from->count);
}

/* ---- all heads ---- */

/* In double precision, text after text side by side. */
static hl_status open_texts(spanning *self, hl_error *error) {
    size_t dim = self->ask->model->embed_dim, texts = self->from->count;
    float *vectors;
    hl_status status = pool_embeddings(self->ask, self->from, &vectors, error);
    if (status != HL_OK) return status;
    self->texts = self->host->allocate(self->host, texts * dim, sizeof *self->texts);
    for (size_t i = 0; i < texts && self->texts; ++i)
        for (size_t k = 0; k < dim; ++k) self->texts[k * texts + i] = (double)vectors[i * dim + k];
    self->host->release(self->host, vectors);
    return self->texts ? HL_OK : hl_no_memory(error, "the texts of a pool");
}

static hl_status count_images(spanning *self, hl_error *error) {
    size_t all, fold = self->part.fold, folds = self->part.folds;
    if (fold >= folds) {
        return hl_fail(error, HL_USAGE, "fold %zu of %zu: folds count from 0, so expected at most %zu", fold,
                       folds, folds - 1);
    }
    hl_status status = self->ask->gallery_count(self->ask, NULL, &all, error);
    self->images = status == HL_OK && all > fold ? (all - fold - 1) / folds + 1 : 0;
    if (status != HL_OK || self->images > 0) return status;
    return hl_fail(error, HL_USAGE, "fold %zu of %zu of a gallery of %zu images has none", fold, folds, all);
}

static void say(const spanning *self, const char *what) {
    self->host->log(self->host, HL_LOG_INFO, "%s %zu %s by %zu texts", what, self->heads->count,
                    self->heads->count == 1 ? "head" : "heads", self->from->count);
}

static hl_status span(spanning *self, hl_finding *to, hl_error *error) {
    hl_status status = count_images(self, error);
    if (status == HL_OK) status = open_texts(self, error);
    if (status == HL_OK) {
        self->found = self->host->allocate(self->host, self->heads->count, sizeof *self->found);
        if (!self->found) status = hl_no_memory(error, "descriptions");
    }
    if (status != HL_OK) return status;
    say(self, "describing");
    status = hl_parallel(self->host, self->heads->count, describe_one, self, error);
    if (status == HL_OK) say(self, "described");
    for (size_t i = 0; i < self->heads->count && status == HL_OK; ++i) {
        status = hand_over(self, i, to, error);
    }
    if (status == HL_OK) say_short(self);
    return status;
}

static void close_spanning(spanning *self) {
    for (size_t i = 0; i < self->heads->count && self->found; ++i) {
        text_picks_free(&self->found[i].picks);
        self->host->release(self->host, self->found[i].directions);
    }
    self->host->release(self->host, self->found);
    self->host->release(self->host, self->texts);
}

static hl_status describe_by_texts(const hl_ask *ask, const hl_value *const *values, hl_finding *to,
                                   hl_error *error) {
    spanning self = {.ask = ask,
                     .host = ask->host,
                     .heads = values[HEADS],
                     .picks = (size_t)values[PICKS]->integer,
                     .rank = values[RANK]->given ? (size_t)values[RANK]->integer : SIZE_MAX,
                     .part = {(size_t)values[FOLD]->integer, (size_t)values[FOLDS]->integer},
                     .stability = values[STABILITY]->boolean};
    pool *from;
    hl_status status = pool_open(ask->host, values[POOL]->string, &from, error);
    if (status != HL_OK) return status;
    self.from = from;
    status = span(&self, to, error);
    close_spanning(&self);
    pool_close(from);
    return status;
}

static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_DESCRIPTIONS,
                                     .needs = HL_NEEDS_GALLERY | HL_NEEDS_WEIGHTS,
                                     .run = describe_by_texts};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "textspan", "1.0.0", "the texts along which a head's contributions vary most"),
    HL_OPTIONS(options),
    .api = &api,
};
