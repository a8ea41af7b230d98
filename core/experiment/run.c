/* `headlight run`: an experiment from its YAML file to its report; one with variants once for each of them,
 * each into a folder of its own, and then a page that compares them. Everything is checked before anything is
 * run. */
#include "core/experiment/compare.h"
#include "core/experiment/reporting.h"
#include "core/experiment/run_description.h"
#include "core/experiment/single_run.h"
#include "core/io/call.h"
#include "core/io/output_list.h"

#include <stdlib.h>
#include <string.h>

typedef struct runs {
    const hl_library *library;
    const hl_run_request *request;
    experiment_source source;
    const experiment *plan; /* as it stands: for its variants and its output */
    single_run **each;
    tree **found; /* of each */
    size_t count;
} runs;

/* ---- the page that compares variants ---- */

static void add_report(hl_item *reports, const char *name, const hl_node *root) {
    hl_item *report = item_map(reports, NULL);
    item_text(report, "variant", name);
    item_copy(report, "model", hl_get(root, "model"));
    item_copy(report, "compute", hl_get(root, "compute"));
}

/* Of numbers and texts, which is all that these sections have. */
static bool is_same(const hl_node *a, const hl_node *b) {
    if (!a || !b || a->type != b->type) return false;
    return a->type == HL_TEXT ? strcmp(a->text, b->text) == 0
                              : a->number == b->number && a->truth == b->truth;
}

static bool all_say(const hl_node *reports, const char *section, const hl_node *fact) {
    for (const hl_node *report = reports->first; report; report = report->next) {
        if (!is_same(fact, hl_get(hl_get(report, section), fact->key))) return false;
    }
    return true;
}

/* What is the same in all reports is true of the whole. */
static void add_shared(hl_item *root, const hl_node *reports, const char *section) {
    hl_item *shared = item_inner(root, section);
    const hl_node *said = hl_get(reports->first, section);
    for (const hl_node *fact = said ? said->first : NULL; fact; fact = fact->next) {
        if (all_say(reports, section, fact)) item_copy(shared, fact->key, fact);
    }
}

/* The tree of the page that compares: "reports", one for each variant, and "variants", the differences. */
static hl_status compare_all(const runs *self, tree *overview, hl_error *error) {
    const experiment *plan = self->plan;
    hl_item *root = tree_root(overview), *reports = item_list(root, "reports", HL_LIST);
    compare_variant *compared = calloc(plan->variant_count, sizeof *compared);
    if (!compared) return hl_no_memory(error, "the comparison");
    for (size_t i = 0; i < plan->variant_count; ++i) {
        const hl_node *found = tree_node(self->found[i]);
        compared[i] = (compare_variant){plan->variants[i].name, hl_get(found, "analyses")};
        add_report(reports, plan->variants[i].name, found);
    }
    if (reports) add_shared(root, item_node(reports), "model");
    if (reports) add_shared(root, item_node(reports), "compute");
    compare_variants(compared, plan->variant_count, item_list(root, "variants", HL_LIST));
    free(compared);
    return tree_check(overview, error);
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

/* ---- all runs ---- */

static hl_status open_runs(runs *self, hl_library *library, hl_error *error) {
    size_t count = self->plan->variant_count ? self->plan->variant_count : 1;
    self->each = calloc(count, sizeof *self->each);
    self->found = calloc(count, sizeof(tree *));
    if (!self->each || !self->found) return hl_no_memory(error, "the runs of an experiment");
    hl_status status = HL_OK;
    for (; self->count < count && status == HL_OK; ++self->count) {
        const experiment_variant *variant =
            self->plan->variant_count ? &self->plan->variants[self->count] : NULL;
        status =
            single_run_open(library, self->request, &self->source, variant, &self->each[self->count], error);
    }
    return status;
}

static void close_runs(runs *self) {
    for (size_t i = 0; i < self->count; ++i) {
        tree_close(self->found[i]);
        single_run_close(self->each[i]);
    }
    free(self->each);
    free(self->found);
}

static hl_status execute_runs(const runs *self, output *files, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        status = single_run_execute(self->each[i], files, &self->found[i], error);
    }
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
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        status = single_run_check_places(self->each[i], files, error);
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
    if (status != HL_OK) {
        output_abandon(files);
        return status;
    }
    status = output_commit(files, error);
    if (status != HL_OK && report) {
        free(*report);
        *report = NULL;
    }
    return status;
}

static hl_status run_experiment(hl_library *library, const hl_run_request *request, char **report,
                                hl_error *error) {
    experiment *plan = NULL;
    runs all = {.library = library, .request = request};
    hl_status status =
        experiment_read(request->experiment, request->sets, request->set_count, &all.source, error);
    if (status == HL_OK) status = experiment_open(library->plugins, &all.source, NULL, &plan, error);
    all.plan = plan;
    const char *folder = NULL;
    if (status == HL_OK) status = find_output(&all, &folder, error);
    if (status == HL_OK) status = open_runs(&all, library, error);
    if (status == HL_OK) status = run_and_write(&all, folder, report, error);
    close_runs(&all);
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
