/* See single_run.h. Each step hands its result to the next: experiment -> model and backend -> analyses ->
 * results -> files. */
#include "core/experiment/single_run.h"

#include "core/asking/kept_results.h"
#include "core/asking/step.h"
#include "core/experiment/plan_chain.h"
#include "core/experiment/query_images.h"
#include "core/experiment/reporting.h"
#include "core/experiment/run_description.h"
#include "core/experiment/searches.h"
#include "core/experiment/shown.h"
#include "core/io/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGES_PER_PASS = 8 };

struct single_run {
    hl_library *library;
    const hl_run_request *request;
    const experiment_source *source;
    experiment *plan;
    host *host;
    engine *model;
    chain *chain;            /* of extractors */
    char *atlas;             /* of the gallery */
    nearest *gallery;        /* NULL: the experiment names none */
    const hl_image **images; /* all that the analyses name */
    size_t image_count;
    cut_texts cut; /* of the texts of analyses and extractors */
    asked_model *asked;
    asker *asker;
    shown shown;
    tree *results;
};

static const hl_value *const *values_of(const experiment_step *step) {
    return step->values ? options_values(step->values) : NULL;
}

/* ---- what is checked ---- */

static hl_status open_model(single_run *self, hl_error *error) {
    const experiment *plan = self->plan;
    hl_status status = host_open(&self->library->settings, plan->threads, &self->host, error);
    if (status != HL_OK) return status;
    engine_settings settings = {
        .model_plugin = plan->model.plugin,
        .model_values = values_of(&plan->model),
        .model_section = plan->model.place,
        .model_keys = experiment_model_keys,
        .source = {.size = sizeof(hl_model_source),
                   .path = plan->model_path,
                   .random_weights = plan->random_weights,
                   .seed = plan->seed},
        .compute_plugin = plan->compute.plugin,
        .compute_values = values_of(&plan->compute),
        .batch = IMAGES_PER_PASS,
    };
    status = engine_open(self->host, self->library->plugins, &settings, &self->model, error);
    return status == HL_UNAVAILABLE && !plan->optional ? HL_USAGE : status;
}

/* Adds the images that a step names; `images` NULL: only counts them. */
static void add_images(const experiment_step *steps, size_t count, const hl_image **images, size_t *used) {
    const hl_image *image;
    for (size_t i = 0; i < count; ++i) {
        for (size_t j = 0; (image = options_image(steps[i].values, j)); ++j) {
            if (images) images[*used] = image;
            ++*used;
        }
    }
}

static hl_status collect_images(single_run *self, hl_error *error) {
    const experiment *plan = self->plan;
    size_t count = 0;
    add_images(plan->extractors, plan->extractor_count, NULL, &count);
    add_images(plan->analyses, plan->analysis_count, NULL, &count);
    self->images = calloc(count + 1, sizeof *self->images);
    if (!self->images) return hl_no_memory(error, "the list of images");
    add_images(plan->extractors, plan->extractor_count, self->images, &self->image_count);
    add_images(plan->analyses, plan->analysis_count, self->images, &self->image_count);
    return HL_OK;
}

static hl_status find_property(const void *user, const char *name, const hl_selection **out,
                               hl_error *error) {
    return chain_property(user, name, out, error);
}

/* Whether it is known by now which heads carry a property, or that nothing says it. */
static bool knows_properties(const single_run *self) {
    return !self->plan->properties || chain_at(self->chain, plan_chain_properties(self->plan));
}

static hl_status bind_properties(single_run *self, hl_error *error) {
    options_find_property *find = self->plan->properties ? find_property : NULL;
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->plan->analysis_count && status == HL_OK; ++i) {
        status = options_bind_properties(self->plan->analyses[i].values, find, self->chain, error);
    }
    return status;
}

static hl_status check_gallery(const single_run *self, hl_error *error) {
    struct stat status;
    const experiment_gallery *plan = &self->plan->gallery;
    if (!plan->images || stat(plan->images, &status) == 0) return HL_OK;
    return yaml_fail(plan->place, error, "gallery: the images %s cannot be read: %s", plan->images,
                     strerror(errno));
}

static const char *output_folder(const single_run *self) {
    return self->request->output ? self->request->output : self->plan->output;
}

/* What the steps will ask of the gallery besides codes of heads. */
static uint32_t columns_of(const hl_model_info *info, const experiment_step *steps, size_t count) {
    uint32_t columns = 0;
    const hl_selection *selection;
    for (size_t i = 0; i < count; ++i) {
        columns |= nearest_columns_of_needs(info, registry_needs(steps[i].plugin));
        for (size_t k = 0; (selection = options_selection(steps[i].values, k)); ++k) {
            columns |= nearest_columns(info, selection);
        }
    }
    return columns;
}

/* So that an atlas which is made has all that will be asked for. */
static uint32_t columns_asked(const single_run *self) {
    const experiment *plan = self->plan;
    const hl_model_info *info = self->model->info;
    return columns_of(info, plan->extractors, plan->extractor_count) |
           columns_of(info, plan->analyses, plan->analysis_count);
}

/* An atlas that the experiment gives no place lies among the results, where the next run finds it again. */
static hl_status open_gallery(single_run *self, hl_error *error) {
    const experiment_gallery *plan = &self->plan->gallery;
    if (!plan->images) return HL_OK;
    const char *between = self->plan->variant ? "/" : "";
    const char *variant = self->plan->variant ? self->plan->variant : "";
    if (!plan->atlas && asprintf(&self->atlas, "%s%s%s/atlas", output_folder(self), between, variant) < 0) {
        self->atlas = NULL;
        return hl_no_memory(error, "the atlas's path");
    }
    nearest_settings settings = {.gallery = plan->images,
                                 .atlas = plan->atlas ? plan->atlas : self->atlas,
                                 .dtype = plan->dtype,
                                 .columns = columns_asked(self)};
    return nearest_open(self->model, &settings, &self->gallery, error);
}

static hl_status open_asker(single_run *self, hl_error *error) {
    hl_status status = asked_model_open(self->model, REPORTING_KEPT_SIDE, &self->asked, error);
    if (status != HL_OK) return status;
    self->shown = (shown){.store = asked_model_images(self->asked),
                          .list = self->images,
                          .count = self->image_count,
                          .gallery = self->gallery};
    status = images_join(self->shown.store, self->images, self->image_count, error);
    asker_findings found = chain_findings(self->chain);
    return status == HL_OK ? asker_open(self->asked, self->gallery, &found, &self->asker, error) : status;
}

/* A run finds out when it decodes them, each once; unless they would be left out, which is to be known before
 * anything asks about them. */
static hl_status check_images(single_run *self, hl_error *error) {
    if (!self->request->check_only && !self->plan->skip_unreadable) return HL_OK;
    hl_status status = query_images_look(self->plan, error);
    if (status == HL_OK) query_images_warn(self->plan, self->model->interface);
    return status;
}

/* Texts that cannot become ids are found before the weights are read, and those that the model cuts. */
static hl_status bind_steps(single_run *self, hl_error *error) {
    const experiment *plan = self->plan;
    hl_status status = HL_OK;
    for (size_t i = 0; i < plan->extractor_count && status == HL_OK; ++i) {
        status = step_bind(plan->extractors[i].values, self->model, &self->cut, error);
    }
    for (size_t i = 0; i < plan->analysis_count && status == HL_OK; ++i) {
        status = step_bind(plan->analyses[i].values, self->model, &self->cut, error);
    }
    if (status == HL_OK) cut_texts_warn(&self->cut, self->model);
    return status;
}

static hl_status check_file(void *user, const hl_option *option, const hl_value *value,
                            const char *const *written, size_t written_count, hl_error *error) {
    const experiment_step *step = user;
    (void)written;
    (void)written_count;
    if (option->type != HL_PATH || access(value->string, F_OK) == 0) return HL_OK;
    const yaml_node *place = yaml_get(step->place, option->name);
    return yaml_fail(place ? place : step->place, error, "%s: %s: %s cannot be read: %s; check the path",
                     step->plugin->name, option->name, value->string, strerror(errno));
}

/* What a step reads that is not run before the weights are there. */
static hl_status check_files(const single_run *self, hl_error *error) {
    const experiment *plan = self->plan;
    hl_status status = HL_OK;
    for (size_t i = 0; i < plan->extractor_count && status == HL_OK; ++i) {
        experiment_step *step = &plan->extractors[i];
        if (!chain_at(self->chain, i)) status = options_visit(step->values, check_file, step, error);
    }
    return status;
}

/* What a run finds out on its way: whether gallery and atlas, as far as they say before anything is made of
 * them, can answer, and whether the backend can be opened. */
static hl_status check_the_rest(single_run *self, hl_error *error) {
    if (!self->request->check_only) return HL_OK;
    searches asked;
    hl_status status = searches_find(self->plan, &asked, error);
    if (status == HL_OK && asked.any) status = nearest_look(self->gallery, asked.all, asked.count, error);
    searches_free(&asked);
    return status == HL_OK ? engine_try_backend(self->model, error) : status;
}

static hl_status check_with_model(single_run *self, hl_error *error) {
    hl_status status = check_images(self, error);
    if (status == HL_OK) status = check_gallery(self, error);
    if (status == HL_OK) status = bind_steps(self, error);
    if (status == HL_OK) status = collect_images(self, error);
    if (status == HL_OK) status = open_gallery(self, error);
    if (status == HL_OK) status = plan_chain(self->plan, &self->chain, error);
    if (status == HL_OK) status = open_asker(self, error);
    if (status == HL_OK) status = chain_run_light(self->chain, asker_interface(self->asker), error);
    if (status == HL_OK) status = check_files(self, error);
    if (status == HL_OK && knows_properties(self)) status = bind_properties(self, error);
    return status == HL_OK ? check_the_rest(self, error) : status;
}

/* Nothing lies where the gallery should: whatever is there and cannot be read is an error as ever. */
static bool lacks_gallery(const experiment *plan) {
    struct stat status;
    return plan->optional && plan->gallery.images && stat(plan->gallery.images, &status) != 0 &&
           errno == ENOENT;
}

/* Everything that can be wrong with the experiment and is known without the weights. That something else is
 * not there is no reason to skip a variant. */
static hl_status check(single_run *self, single_run_lack *lack, hl_error *error) {
    hl_status status = open_model(self, error);
    if (status != HL_OK) return status;
    if (lacks_gallery(self->plan)) {
        *lack = LACKS_GALLERY;
        return hl_fail(error, HL_UNAVAILABLE, "the gallery %s does not exist", self->plan->gallery.images);
    }
    status = check_with_model(self, error);
    return status == HL_UNAVAILABLE ? HL_FAILED : status;
}

hl_status single_run_open(hl_library *library, const hl_run_request *request, const experiment_source *source,
                          const experiment_variant *variant, single_run **out, single_run_lack *lack,
                          hl_error *error) {
    *out = NULL;
    *lack = LACKS_NOTHING;
    single_run *self = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a run");
    *self = (single_run){.library = library, .request = request, .source = source};
    hl_status status = experiment_open(library->plugins, source, variant, &self->plan, error);
    if (status == HL_OK) status = check(self, lack, error);
    if (status == HL_UNAVAILABLE && *lack == LACKS_NOTHING) *lack = LACKS_WEIGHTS;
    if (status == HL_OK) {
        *out = self;
    } else {
        single_run_close(self);
    }
    return status;
}

/* ---- what is run ---- */

static hl_status bind_directions(const single_run *self, const experiment_step *steps, size_t count,
                                 hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = step_encode_directions(steps[i].values, asker_interface(self->asker), error);
    }
    return status;
}

/* Extractors first, for they may say which heads carry what analyses ask for. Where there is nothing left to
 * ask, no weight is read or made. */
static hl_status load(single_run *self, hl_error *error) {
    const experiment *plan = self->plan;
    bool pending = !knows_properties(self);
    if (plan->analysis_count == 0 && chain_is_done(self->chain)) {
        return engine_open_backend(self->model, error);
    }
    hl_status status = engine_load(self->model, error);
    if (status == HL_OK) status = bind_directions(self, plan->extractors, plan->extractor_count, error);
    if (status == HL_OK) status = chain_run(self->chain, asker_interface(self->asker), error);
    if (status == HL_OK && pending) status = bind_properties(self, error);
    return status == HL_OK ? bind_directions(self, plan->analyses, plan->analysis_count, error) : status;
}

static hl_status collect_cut_texts(single_run *self, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->plan->extractor_count; ++i) {
        const findings *found = chain_at(self->chain, i);
        const cut_texts *cut = found ? findings_cut(found) : NULL;
        for (size_t k = 0; cut && k < cut->count && status == HL_OK; ++k) {
            status = cut_texts_add(&self->cut, cut->all[k].text, cut->all[k].tokens, error);
        }
    }
    return status;
}

static hl_status describe(single_run *self, hl_error *error) {
    hl_item *root = tree_root(self->results);
    hl_status status = describe_engine(self->model, root, error);
    if (status == HL_OK) status = collect_cut_texts(self, error);
    if (status != HL_OK) return status;
    cut_texts_describe(&self->cut, self->model->info->context, root);
    query_images_describe(self->plan, root);
    return plan_chain_describe(self->plan, self->chain, root, error);
}

/* The list that the analysis fills. */
static hl_status start_analysis(single_run *self, const experiment_step *step, hl_item **list,
                                hl_error *error) {
    hl_item *analysis = results_analysis(self->results, step->plugin->name, step->plugin->summary);
    hl_status status = describe_options(step->values, analysis, error);
    if (step->title) item_text(analysis, "title", step->title);
    *list = item_list(analysis, "results", HL_LIST);
    return status == HL_OK ? tree_check(self->results, error) : status;
}

static hl_status analyse(single_run *self, const experiment_step *step, hl_error *error) {
    hl_item *list;
    hl_status status = start_analysis(self, step, &list, error);
    if (status != HL_OK) return status;
    size_t before = watch_enter("analysis/%s", step->plugin->name);
    status = kept_results_analyse(step->plugin, asker_interface(self->asker), step->values, self->chain,
                                  self->results, list, error);
    watch_leave(before);
    return status;
}

hl_status single_run_check_places(const single_run *self, output *files, hl_error *error) {
    output_enter(files, self->plan->variant);
    hl_status status = reporting_check_places(self->plan, files, error);
    output_enter(files, NULL);
    return status;
}

static hl_status write_results(single_run *self, output *files, hl_error *error) {
    page_words words;
    hl_status status = page_words_make(self->request, self->source, self->plan, &words, error);
    report_subject what = {.host = self->model->interface,
                           .results = tree_node(self->results),
                           .model = self->model->info,
                           .pictures = {.user = &self->shown,
                                        .image = shown_image,
                                        .neighbor = self->shown.gallery ? shown_neighbor : NULL},
                           .title = words.title,
                           .experiment = words.experiment,
                           .sections = words.sections};
    output_enter(files, self->plan->variant);
    if (status == HL_OK) status = reporting_write(&what, self->plan, files, error);
    output_enter(files, NULL);
    page_words_free(&words);
    return status;
}

/* Everything but the plan and the results. */
static void unload(single_run *self) {
    asker_close(self->asker);
    asked_model_close(self->asked);
    nearest_close(self->gallery);
    chain_close(self->chain);
    engine_close(self->model);
    host_close(self->host);
    self->asker = NULL;
    self->asked = NULL;
    self->gallery = NULL;
    self->chain = NULL;
    self->model = NULL;
    self->host = NULL;
}

hl_status single_run_execute(single_run *self, output *files, tree **out, hl_error *error) {
    hl_status status = load(self, error);
    if (status == HL_OK) status = results_open(&self->results, error);
    if (status == HL_OK) tree_set_facts(self->results, nearest_facts, self->gallery);
    if (status == HL_OK) status = describe(self, error);
    for (size_t i = 0; i < self->plan->analysis_count && status == HL_OK; ++i) {
        status = analyse(self, &self->plan->analyses[i], error);
    }
    if (status == HL_OK && self->gallery) status = nearest_check(self->gallery, error);
    if (status == HL_OK && self->gallery) {
        status = nearest_describe(self->gallery, tree_root(self->results), error);
    }
    if (status == HL_OK) status = tree_check(self->results, error);
    if (status == HL_OK) status = write_results(self, files, error);
    unload(self);
    *out = NULL;
    if (status != HL_OK) return status;
    *out = self->results;
    self->results = NULL;
    return HL_OK;
}

void single_run_close(single_run *self) {
    if (!self) return;
    unload(self);
    tree_close(self->results);
    experiment_close(self->plan);
    cut_texts_free(&self->cut);
    free(self->atlas);
    free(self->images);
    free(self);
}
