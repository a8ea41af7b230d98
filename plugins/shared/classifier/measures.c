/* How often a classifier is right. */
#include "classifier.h"

uint16_t classifier_choose(const classifier_task *task, const double *scores) {
    size_t best = 0;
    for (size_t i = 1; i < task->class_count; ++i) {
        if (scores[i] > scores[best]) best = i;
    }
    return (uint16_t)best;
}

/* Correct answers and images by class, or by group. */
static void count_by(const classifier_task *task, const uint16_t *label, const uint16_t *answers,
                     const size_t *images, size_t count, size_t *correct, size_t *all) {
    for (size_t i = 0; i < count; ++i) {
        size_t image = images ? images[i] : i;
        if (task->truth[image] == CLASSIFIER_NONE || label[image] == CLASSIFIER_NONE) continue;
        ++all[label[image]];
        correct[label[image]] += answers[i] == task->truth[image];
    }
}

void classifier_count_groups(const classifier_task *task, const uint16_t *answers, const size_t *images,
                             size_t count, size_t *correct, size_t *all) {
    memset(correct, 0, task->group_count * sizeof *correct);
    memset(all, 0, task->group_count * sizeof *all);
    count_by(task, task->group, answers, images, count, correct, all);
}

static void measure_classes(size_t classes, const size_t *correct, const size_t *all,
                            classifier_measures *out) {
    size_t right = 0, there = 0;
    for (size_t i = 0; i < classes; ++i) {
        if (all[i] == 0) continue;
        right += correct[i];
        out->images += all[i];
        out->balanced += (double)correct[i] / (double)all[i];
        ++there;
    }
    if (there > 0) out->balanced /= (double)there;
    if (there > 0) out->accuracy = (double)right / (double)out->images;
}

static void measure_groups(size_t groups, const size_t *correct, const size_t *all,
                           classifier_measures *out) {
    for (size_t i = 0; i < groups; ++i) {
        if (all[i] == 0) continue;
        double share = (double)correct[i] / (double)all[i];
        if (out->worst_group != CLASSIFIER_NONE && share >= out->worst) continue;
        out->worst = share;
        out->worst_group = (uint16_t)i;
        out->worst_images = all[i];
    }
}

hl_status classifier_measure(const classifier *self, const classifier_task *task, const uint16_t *answers,
                             const size_t *images, size_t count, classifier_measures *out, hl_error *error) {
    const hl_host *host = self->ask->host;
    size_t most = task->class_count > task->group_count ? task->class_count : task->group_count;
    size_t *correct = host->allocate(host, 2 * most + 1, sizeof *correct);
    if (!correct) return hl_no_memory(error, "counts of answers");
    size_t *all = correct + most;
    *out = (classifier_measures){.worst_group = CLASSIFIER_NONE};
    count_by(task, task->truth, answers, images, count, correct, all);
    measure_classes(task->class_count, correct, all, out);
    classifier_count_groups(task, answers, images, count, correct, all);
    measure_groups(task->group_count, correct, all, out);
    host->release(host, correct);
    return HL_OK;
}
