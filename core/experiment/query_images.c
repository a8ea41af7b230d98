/* See query_images.h. */
#include "core/experiment/query_images.h"

#include "core/host/host.h"
#include "core/io/picture.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what cannot be read ---- */

static hl_status remember(experiment *plan, const char *name, const char *reason, hl_error *error) {
    for (size_t i = 0; i < plan->skipped_count; ++i) {
        if (strcmp(plan->skipped[i].name, name) == 0) return HL_OK;
    }
    experiment_skipped *longer = reallocarray(plan->skipped, plan->skipped_count + 1, sizeof *longer);
    if (!longer) return hl_no_memory(error, "an experiment");
    plan->skipped = longer;
    experiment_skipped *added = &longer[plan->skipped_count++];
    *added = (experiment_skipped){strdup(name), strdup(reason)};
    return added->name && added->reason ? HL_OK : hl_no_memory(error, "an experiment");
}

static hl_status fail_at(const yaml_node *place, hl_status status, const hl_option *option,
                         const char *reason, hl_error *error) {
    if (!place) return hl_fail(error, status, "option \"%s\": %s", option->name, reason);
    char where[320];
    yaml_place(place, where, sizeof where);
    return hl_fail(error, status, "%s: option \"%s\": %s", where, option->name, reason);
}

/* An options_judge. `user` is the plan. */
static hl_status judge_presence(void *user, const hl_option *option, const hl_image *image,
                                const yaml_node *place, bool *keep, hl_error *error) {
    experiment *plan = user;
    struct stat about;
    if (stat(image->path, &about) == 0) return HL_OK;
    char reason[512];
    hl_format(reason, sizeof reason, "the image %s cannot be read: %s", image->path, strerror(errno));
    if (!plan->skip_unreadable) return fail_at(place, HL_USAGE, option, reason, error);
    *keep = false;
    return remember(plan, image->name, reason, error);
}

static hl_status decode(const char *path, bool whole, hl_error *error) {
    size_t width, height;
    picture decoded = {0, 0, NULL};
    hl_status status =
        whole ? picture_load(path, &decoded, error) : picture_size(path, &width, &height, error);
    picture_free(&decoded);
    return status;
}

static hl_status judge_content(void *user, const hl_option *option, const hl_image *image,
                               const yaml_node *place, bool *keep, hl_error *error) {
    experiment *plan = user;
    hl_error why;
    hl_status status = decode(image->path, plan->skip_unreadable, &why);
    if (status == HL_OK) return HL_OK;
    if (status == HL_NO_MEMORY) return hl_no_memory(error, image->path);
    if (!plan->skip_unreadable) return fail_at(place, status, option, why.message, error);
    *keep = false;
    return remember(plan, image->name, why.message, error);
}

static hl_status sift(experiment *plan, options_judge *judge, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < plan->extractor_count && status == HL_OK; ++i) {
        status = options_sift_images(plan->extractors[i].values, judge, plan, error);
    }
    for (size_t i = 0; i < plan->analysis_count && status == HL_OK; ++i) {
        status = options_sift_images(plan->analyses[i].values, judge, plan, error);
    }
    return status;
}

hl_status query_images_find(experiment *plan, hl_error *error) {
    return sift(plan, judge_presence, error);
}

hl_status query_images_look(experiment *plan, hl_error *error) {
    return sift(plan, judge_content, error);
}

/* ---- saying so ---- */

void query_images_warn(const experiment *plan, const hl_host *interface) {
    enum { NAMED = 5 };
    for (size_t i = 0; i < plan->skipped_count && i < NAMED; ++i) {
        host_log(interface, HL_LOG_WARNING, "%s is left out: %s", plan->skipped[i].name,
                 plan->skipped[i].reason);
    }
    if (plan->skipped_count <= NAMED) return;
    host_log(interface, HL_LOG_WARNING, "and %zu more images are left out", plan->skipped_count - NAMED);
}

void query_images_describe(const experiment *plan, hl_item *root) {
    if (plan->skipped_count == 0) return;
    hl_item *list = item_list(root, "skipped", HL_LIST);
    for (size_t i = 0; i < plan->skipped_count; ++i) {
        hl_item *entry = item_map(list, NULL);
        item_text(entry, "path", plan->skipped[i].name);
        item_text(entry, "reason", plan->skipped[i].reason);
    }
}
