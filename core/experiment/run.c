/* `headlight run`: an experiment from its YAML file to its report; one with variants once for each of them,
 * each into a folder of its own, and then a page that compares them. Everything is checked before anything is
 * run. */
#include "core/engine/model_home.h"
#include "core/experiment/overview.h"
#include "core/experiment/reporting.h"
#include "core/experiment/run_description.h"
#include "core/experiment/single_run.h"
#include "core/experiment/times.h"
#include "core/io/call.h"
#include "core/io/output_list.h"

#include <stdlib.h>
#include <string.h>

typedef struct runs {
    const hl_library *library;
    const hl_run_request *request;
    experiment_source source;
    const experiment *plan;    /* as it stands: for its variants and its output */
    single_run **each;         /* NULL: a variant that is skipped */
    overview_variant *skipped; /* what is said of those */
    tree **found;              /* of each */
    size_t count;
    watch *watch;
} runs;

/* ---- the page that compares variants ---- */

static hl_status compare_all(const runs *self, tree *overview, hl_error *error) {
    overview_variant *variants = calloc(self->count + 1, sizeof *variants);
    if (!variants) return hl_no_memory(error, "the comparison");
    for (size_t i = 0; i < self->count; ++i) {
        variants[i] = self->skipped[i];
        if (!self->each[i]) continue;
        variants[i] =
            (overview_variant){.name = self->plan->variants[i].name, .results = tree_node(self->found[i])};
    }
    hl_status status = overview_fill(variants, self->count, overview, error);
    free(variants);
    return status;
}

static hl_status report_comparison(const runs *self, const hl_node *overview, const hl_host *interface,
                                   output *files, hl_error *error) {
    page_words words;
    hl_status status = page_words_make(self->request, &self->source, self->plan, &words, error);
    report_subject what = {.host = interface,
                           .results = overview,
                           .title = words.title,
                           .experiment = words.experiment,
                           .sections = words.sections};
    if (status == HL_OK) status = reporting_write(&what, self->plan, files, error);
    page_words_free(&words);
    return status;
}

static hl_status write_comparison(const runs *self, output *files, hl_error *error) {
    tree *overview = NULL;
    host *made = NULL;
    hl_status status = host_open(&self->library->settings, self->plan->threads, &made, error);
    if (status == HL_OK) status = results_open(&overview, error);
    if (status == HL_OK) status = compare_all(self, overview, error);
    if (status == HL_OK) {
        status = report_comparison(self, tree_node(overview), &made->interface, files, error);
    }
    tree_close(overview);
    host_close(made);
    return status;
}

/* ---- variants that are skipped ---- */

static void say(const runs *self, hl_log_level level, const char *line) {
    const hl_library_settings *settings = &self->library->settings;
    if (!call_log(level, line) && settings->log) settings->log(settings->user, level, line);
}

static const experiment_variant *variant_at(const runs *self, size_t index) {
    return self->plan->variant_count ? &self->plan->variants[index] : NULL;
}

/* The folder in which a variant's weights or gallery were looked for, and the text that says so. */
static hl_status lacking_folder(const runs *self, const experiment_variant *variant, bool weights,
                                const char **text, char **out, hl_error *error) {
    const yaml_node *place;
    const char *section = weights ? "model" : "gallery", *key = weights ? "path" : "images";
    hl_status status = experiment_value(&self->source, variant, section, key, &place, error);
    bool by_name = status == HL_OK && weights && (!place || yaml_is_null(place));
    if (by_name) status = experiment_value(&self->source, variant, section, "name", &place, error);
    if (status != HL_OK) return status;
    *text = place->text;
    if (by_name) return model_home_place(place->text, out, error);
    *out = yaml_resolve(place, place->text);
    return *out ? HL_OK : hl_no_memory(error, "a variant");
}

/* What is missing goes where the variant says; `why` of weights: what is there in their place. It is said in
 * a line that nobody can overlook: such a study says less than it could. */
static hl_status skip(runs *self, size_t index, single_run_lack lack, const char *why, hl_error *error) {
    const experiment_variant *variant = variant_at(self, index);
    bool weights = lack == LACKS_WEIGHTS;
    const char *text;
    char *path = NULL;
    hl_error line;
    hl_status status = lacking_folder(self, variant, weights, &text, &path, error);
    if (status != HL_OK) return status;
    self->skipped[index] = (overview_variant){
        variant->name, NULL, text, weights ? "its weights are not there" : "its gallery is not there"};
    bool there = weights && engine_check_folder(path, NULL) == HL_OK;
    hl_format(line.message, sizeof line.message, "variant \"%s\" is skipped, for %s: %s%s", variant->name,
              self->skipped[index].reason, there ? why : path,
              there     ? ""
              : weights ? " is where they go"
                        : " is where it goes");
    free(path);
    say(self, HL_LOG_WARNING, line.message);
    return HL_OK;
}

static hl_status check_some(const runs *self, hl_error *error) {
    size_t skipped = 0;
    for (size_t i = 0; i < self->count; ++i) skipped += !self->each[i];
    if (skipped < self->count) return HL_OK;
    return hl_fail(
        error, HL_FAILED,
        "%s: all of its %zu variants are skipped, so that there is nothing to run; the lines above say what "
        "is missing and where it goes",
        self->request->experiment, self->count);
}

/* ---- all runs ---- */

static hl_status open_run(runs *self, hl_library *library, size_t index, hl_error *error) {
    hl_error why;
    single_run_lack lack;
    hl_status status = single_run_open(library, self->request, &self->source, variant_at(self, index),
                                       &self->each[index], &lack, &why);
    if (status == HL_OK) return HL_OK;
    if (status == HL_UNAVAILABLE) return skip(self, index, lack, why.message, error);
    return hl_fail(error, status, "%s", why.message);
}

static hl_status open_runs(runs *self, hl_library *library, hl_error *error) {
    size_t count = self->plan->variant_count ? self->plan->variant_count : 1;
    self->each = calloc(count, sizeof *self->each);
    self->skipped = calloc(count, sizeof *self->skipped);
    self->found = calloc(count, sizeof(tree *));
    if (!self->each || !self->skipped || !self->found)
        return hl_no_memory(error, "the runs of an experiment");
    hl_status status = HL_OK;
    for (; self->count < count && status == HL_OK; ++self->count) {
        status = open_run(self, library, self->count, error);
    }
    return status == HL_OK ? check_some(self, error) : status;
}

static void close_runs(runs *self) {
    for (size_t i = 0; i < self->count; ++i) {
        tree_close(self->found[i]);
        single_run_close(self->each[i]);
    }
    free(self->each);
    free(self->skipped);
    free(self->found);
}

static hl_status execute_runs(const runs *self, output *files, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        watch_set_variant(self->plan->variants ? self->plan->variants[i].name : NULL);
        if (self->each[i]) status = single_run_execute(self->each[i], files, &self->found[i], error);
    }
    watch_set_variant(NULL);
    bool compared = self->plan->variant_count > 0;
    return status == HL_OK && compared ? write_comparison(self, files, error) : status;
}

/* Also where nothing is to be written: whoever checks an experiment wants to know whether it would run. */
static hl_status find_output(const runs *self, const char **folder, hl_error *error) {
    *folder = self->request->output ? self->request->output : self->plan->output;
    if (*folder) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s: names no folder for the results; add `output: FOLDER` or give --out FOLDER",
                   self->request->experiment);
}

/* What each run leaves, and what compares them, before anything long begins. */
static hl_status check_places(const runs *self, output *files, hl_error *error) {
    hl_status status = reporting_check_places(self->plan, files, error);
    if (status == HL_OK && self->request->times) status = output_check(files, TIMES_FILE, error);
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        if (self->each[i]) status = single_run_check_places(self->each[i], files, error);
    }
    return status;
}

/* Where the page will be, or the folder where no report makes one, without detours, to be opened from
 * anywhere. The folder is there already. */
static hl_status find_report(const runs *self, const char *folder, char **report, hl_error *error) {
    const char *page = reporting_page(self->plan);
    char *place = realpath(folder, NULL);
    bool made = place && asprintf(report, "%s%s%s", place, page ? "/" : "", page ? page : "") >= 0;
    free(place);
    if (made) return HL_OK;
    *report = NULL;
    return hl_no_memory(error, "the report's path");
}

static hl_status run_and_write(const runs *self, const char *folder, char **report, hl_error *error) {
    output *files = NULL;
    hl_status status = output_open_listed(folder, OUTPUT_RUN_LIST, &files, error);
    if (status == HL_OK) output_heed_call(files);
    if (status == HL_OK) status = check_places(self, files, error);
    if (status == HL_OK && self->request->check_only) {
        output_abandon(files);
        return HL_OK;
    }
    if (status == HL_OK) status = execute_runs(self, files, error);
    if (status == HL_OK && report) status = find_report(self, folder, report, error);
    if (status == HL_OK && self->request->times) status = times_write(self->watch, files, error);
    size_t before = watch_enter("writing");
    if (status == HL_OK) {
        status = output_commit(files, error);
    } else {
        output_abandon(files);
    }
    watch_leave(before);
    if (status != HL_OK && report) {
        free(*report);
        *report = NULL;
    }
    return status;
}

static hl_status open_all(runs *self, hl_library *library, experiment **plan, const char **folder,
                          hl_error *error) {
    const hl_run_request *request = self->request;
    size_t before = watch_enter("opening");
    hl_status status =
        experiment_read(request->experiment, request->sets, request->set_count, &self->source, error);
    if (status == HL_OK) status = experiment_open(library->plugins, &self->source, NULL, plan, error);
    self->plan = *plan;
    if (status == HL_OK) status = find_output(self, folder, error);
    if (status == HL_OK) status = open_runs(self, library, error);
    watch_leave(before);
    return status;
}

static void tell_times(const runs *self) {
    hl_error line;
    times_tell(self->watch, line.message, sizeof line.message);
    say(self, HL_LOG_INFO, line.message);
}

static hl_status run_experiment(hl_library *library, const hl_run_request *request, char **report,
                                hl_error *error) {
    experiment *plan = NULL;
    watch timed;
    runs all = {.library = library, .request = request, .watch = &timed};
    const char *folder = NULL;
    watch_start(&timed);
    watch_add(&timed, "plugins", library->seconds);
    hl_status status = open_all(&all, library, &plan, &folder, error);
    if (status == HL_OK) status = run_and_write(&all, folder, report, error);
    close_runs(&all);
    watch_stop(&timed);
    if (status == HL_OK && !request->check_only) tell_times(&all);
    free(timed.all);
    experiment_close(plan);
    experiment_forget(&all.source);
    return status;
}

hl_status hl_run(hl_library *library, const hl_call *call, const hl_run_request *request, char **report,
                 hl_error *error) {
    hl_run_request own;
    call_scope scope;
    if (report) *report = NULL;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_run_request", error);
    if (status == HL_OK) status = run_experiment(library, &own, report, error);
    call_end(&scope);
    return status;
}
