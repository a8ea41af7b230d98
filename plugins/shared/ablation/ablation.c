/* See ablation.h. */
#include "ablation.h"
#include "chance/chance.h"
#include "classifier/scoring.h"
#include "reruns.h"

const char *const ablation_ways[] = {"mean", "zero", NULL};
const char *const ablation_row_words[] = {"pooled", "all", NULL};
const char *const ablation_match_words[] = {"layer", "any", NULL};

ablation_settings ablation_read(const hl_value *const *values) {
    return (ablation_settings){.way = (ablation_way)values[ABLATION_WAY]->integer,
                               .rows = (ablation_rows)values[ABLATION_ROWS]->integer,
                               .reruns = values[ABLATION_RERUNS]->boolean,
                               .images = (size_t)values[ABLATION_IMAGES]->integer,
                               .draws = (size_t)values[ABLATION_DRAWS]->integer,
                               .seed = (uint64_t)values[ABLATION_SEED]->integer,
                               .match = (draw_from)values[ABLATION_MATCH]->integer};
}

hl_status ablation_add(case_list *cases, const char *name, ablation_settings settings, const bool *allowed,
                       hl_error *error) {
    size_t own = cases->count;
    char said[300];
    hl_status status = cases_add(cases, name, CASE_OWN, error);
    for (size_t i = 0; i < settings.draws && status == HL_OK && cases->all[own].heads > 0; ++i) {
        hl_format(said, sizeof said, "random %zu for %s", i + 1, name);
        status = cases_mark_random(cases, own, settings.match, allowed, settings.seed + i, error);
        if (status == HL_OK) status = cases_add(cases, said, own, error);
    }
    return status;
}

/* ---- from codes ---- */

static hl_status freeze(ablation *self, hl_error *error) {
    const hl_host *host = self->of->ask->host;
    size_t count = self->cases->count;
    scoring_mix *mixes = calloc(count, sizeof *mixes);
    self->frozen =
        host->allocate(host, count * self->of->task_count * self->of->images + 1, sizeof(uint16_t));
    hl_status status = mixes && self->frozen ? HL_OK : hl_no_memory(error, "answers for a gallery");
    for (size_t i = 0; status == HL_OK && i < count; ++i) {
        const ablation_case *one = &self->cases->all[i];
        mixes[i] = (scoring_mix){
            .components = one->components, .count = one->count, .weight = -1, .embedding = true};
    }
    scoring_part part = self->settings.way == ABLATION_MEAN ? SCORING_VARYING : SCORING_OWN;
    if (status == HL_OK) status = scoring_answer(self->of, mixes, count, part, false, self->frozen, error);
    free(mixes);
    return status;
}

/* ---- by reruns ---- */

static void choose_images(ablation *self) {
    size_t all = self->of->images;
    self->image_count = self->settings.images < all ? self->settings.images : all;
    for (size_t i = 0; i < self->image_count; ++i) self->images[i] = i * all / self->image_count;
}

static hl_status rerun(ablation *self, hl_error *error) {
    const hl_host *host = self->of->ask->host;
    self->images = host->allocate(host, self->of->images + 1, sizeof *self->images);
    if (!self->images) return hl_no_memory(error, "images of reruns");
    choose_images(self);
    size_t numbers = self->cases->count * self->of->task_count * self->image_count;
    self->rerun = host->allocate(host, numbers + 1, sizeof *self->rerun);
    if (!self->rerun) return hl_no_memory(error, "answers of reruns");
    return reruns_answer(self->of, self->cases, self->settings, self->images, self->image_count, self->rerun,
                         error);
}

hl_status ablation_run(const classifier *of, const case_list *cases, ablation_settings settings,
                       ablation *out, hl_error *error) {
    *out = (ablation){.of = of, .cases = cases, .settings = settings};
    hl_status status = freeze(out, error);
    return status == HL_OK && settings.reruns ? rerun(out, error) : status;
}

void ablation_free(ablation *self) {
    if (!self->of) return;
    const hl_host *host = self->of->ask->host;
    host->release(host, self->frozen);
    host->release(host, self->rerun);
    host->release(host, self->images);
    *self = (ablation){0};
}

/* ---- what came of it ---- */

const uint16_t *ablation_answers(const ablation *self, size_t one, size_t task) {
    return self->frozen + (one * self->of->task_count + task) * self->of->images;
}

static const uint16_t *rerun_answers(const ablation *self, size_t one, size_t task) {
    return self->rerun + (one * self->of->task_count + task) * self->image_count;
}

/* The frozen answers for the images of the reruns. */
static hl_status measure_subset(const ablation *self, size_t one, size_t task, classifier_measures *out,
                                hl_error *error) {
    const hl_host *host = self->of->ask->host;
    uint16_t *some = host->allocate(host, self->image_count + 1, sizeof *some);
    if (!some) return hl_no_memory(error, "answers for some images");
    for (size_t i = 0; i < self->image_count; ++i)
        some[i] = ablation_answers(self, one, task)[self->images[i]];
    hl_status status = classifier_measure(self->of, &self->of->tasks[task], some, self->images,
                                          self->image_count, out, error);
    host->release(host, some);
    return status;
}

hl_status ablation_measure(const ablation *self, size_t one, size_t task, ablation_where where,
                           classifier_measures *out, hl_error *error) {
    const classifier_task *of = &self->of->tasks[task];
    if (where == ABLATION_GALLERY)
        return classifier_measure(self->of, of, ablation_answers(self, one, task), NULL, self->of->images,
                                  out, error);
    if (where == ABLATION_SUBSET) return measure_subset(self, one, task, out, error);
    return classifier_measure(self->of, of, rerun_answers(self, one, task), self->images, self->image_count,
                              out, error);
}

static void summarize(double *values, size_t count, const classifier_measures *own, ablation_spread *out) {
    out->draws = count;
    if (count == 0) out->mean = out->low = out->high = own->accuracy, out->worst = own->worst;
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) {
        out->mean += values[i] / (double)count;
        out->as_low += values[i] <= own->accuracy;
    }
    out->shared /= (double)count;
    out->worst /= (double)count;
    out->low = chance_quantile(values, count, 0.025);
    out->high = chance_quantile(values, count, 0.975);
}

hl_status ablation_spread_of(const ablation *self, size_t one, size_t task, ablation_where where,
                             ablation_spread *out, hl_error *error) {
    *out = (ablation_spread){0};
    classifier_measures own, got;
    size_t draws = 0;
    double *values = calloc(self->cases->count, sizeof *values);
    hl_status status = values ? ablation_measure(self, one, task, where, &own, error)
                              : hl_no_memory(error, "accuracies of draws");
    for (size_t i = 0; i < self->cases->count && status == HL_OK; ++i) {
        if (self->cases->all[i].of != one) continue;
        status = ablation_measure(self, i, task, where, &got, error);
        values[draws++] = got.accuracy;
        out->worst += got.worst;
        out->shared += (double)cases_shared(self->cases, one, i);
    }
    if (status == HL_OK) summarize(values, draws, &own, out);
    free(values);
    return status;
}

double ablation_agreement(const ablation *self, size_t one, size_t task) {
    size_t same = 0, all = 0;
    for (size_t i = 0; i < self->image_count; ++i) {
        size_t image = self->images[i];
        if (self->of->tasks[task].truth[image] == CLASSIFIER_NONE) continue;
        ++all;
        same += ablation_answers(self, one, task)[image] == rerun_answers(self, one, task)[i];
    }
    return all > 0 ? (double)same / (double)all : 1;
}
