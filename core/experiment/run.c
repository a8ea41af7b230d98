/* `headlight run`: an experiment from its YAML file to its report; one with variants once for each of them,
 * each into a folder of its own, and then a page that compares them. Everything is checked before anything is
 * run. */
#include "core/experiment/run_description.h"
#include "core/experiment/single_run.h"
#include "core/io/call.h"
#include "core/io/output_list.h"
#include "core/report/compare.h"

#include <stdlib.h>

typedef struct runs {
    const hl_run_request *request;
    experiment_source source;
    const experiment *plan; /* as it stands: for its variants and its output */
    single_run **each;
    results **found; /* of each */
    size_t count;
} runs;

/* ---- the page that compares variants ---- */

static bool add_report(cJSON *reports, const char *name, const cJSON *root) {
    cJSON *report = cJSON_CreateObject();
    if (!report || !cJSON_AddItemToArray(reports, report)) {
        cJSON_Delete(report);
        return false;
    }
    const cJSON *model = cJSON_GetObjectItem(root, "model"), *compute = cJSON_GetObjectItem(root, "compute");
    return cJSON_AddStringToObject(report, "variant", name) &&
           cJSON_AddItemToObject(report, "model", cJSON_Duplicate(model, true)) &&
           cJSON_AddItemToObject(report, "compute", cJSON_Duplicate(compute, true));
}

static bool all_say(const cJSON *reports, const char *section, const cJSON *fact) {
    const cJSON *report = NULL;
    cJSON_ArrayForEach(report, reports) {
        const cJSON *other = cJSON_GetObjectItem(cJSON_GetObjectItem(report, section), fact->string);
        if (!cJSON_Compare(fact, other, true)) return false;
    }
    return true;
}

/* What is the same in all reports is true of the whole. */
static bool add_shared(cJSON *root, const cJSON *reports, const char *section) {
    cJSON *shared = cJSON_GetObjectItem(root, section);
    const cJSON *fact = NULL;
    cJSON_ArrayForEach(fact, cJSON_GetObjectItem(cJSON_GetArrayItem(reports, 0), section)) {
        if (!all_say(reports, section, fact)) continue;
        cJSON *copy = cJSON_Duplicate(fact, true);
        if (copy && cJSON_AddItemToObject(shared, fact->string, copy)) continue;
        cJSON_Delete(copy);
        return false;
    }
    return true;
}

/* The tree of the page that compares: "reports", one for each variant, and "variants", the differences. */
static hl_status compare_all(const runs *self, cJSON *root, hl_error *error) {
    const experiment *plan = self->plan;
    cJSON *reports = cJSON_AddArrayToObject(root, "reports"), *rows = NULL;
    compare_variant *compared = calloc(plan->variant_count, sizeof *compared);
    bool ok = reports && compared;
    for (size_t i = 0; i < plan->variant_count && ok; ++i) {
        const cJSON *tree = results_root(self->found[i]);
        compared[i] = (compare_variant){plan->variants[i].name, cJSON_GetObjectItem(tree, "analyses")};
        ok = add_report(reports, plan->variants[i].name, tree);
    }
    ok = ok && add_shared(root, reports, "model") && add_shared(root, reports, "compute");
    hl_status status = ok ? compare_variants(compared, plan->variant_count, &rows, error)
                          : hl_no_memory(error, "the comparison");
    free(compared);
    if (status != HL_OK) return status;
    if (cJSON_AddItemToObject(root, "variants", rows)) return HL_OK;
    cJSON_Delete(rows);
    return hl_no_memory(error, "the comparison");
}

static hl_status write_comparison(const runs *self, output *files, hl_error *error) {
    static const results_images nothing_to_draw = {0};
    results *overview = NULL;
    page_words words = {NULL, NULL, NULL};
    hl_status status = results_open(&overview, error);
    if (status == HL_OK) status = compare_all(self, results_root(overview), error);
    if (status == HL_OK) status = page_words_make(self->request, &self->source, self->plan, &words, error);
    output_enter(files, NULL);
    if (status == HL_OK) {
        status = results_write(overview, &nothing_to_draw, words.title, words.experiment, words.sections,
                               files, error);
    }
    page_words_free(&words);
    results_close(overview);
    return status;
}

/* ---- all runs ---- */

static hl_status open_runs(runs *self, hl_library *library, hl_error *error) {
    size_t count = self->plan->variant_count ? self->plan->variant_count : 1;
    self->each = calloc(count, sizeof *self->each);
    self->found = calloc(count, sizeof(results *));
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
        results_close(self->found[i]);
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

/* What each run leaves, and the page that compares them, before anything long begins. */
static hl_status check_places(const runs *self, output *files, hl_error *error) {
    hl_status status = results_check_places(files, error);
    for (size_t i = 0; i < self->plan->variant_count && status == HL_OK; ++i) {
        output_enter(files, self->plan->variants[i].name);
        status = results_check_places(files, error);
    }
    output_enter(files, NULL);
    return status;
}

/* Where the page will be, without detours, to be opened from anywhere. The folder is there already. */
static hl_status find_report(const char *folder, char **report, hl_error *error) {
    char *place = realpath(folder, NULL);
    bool made = place && asprintf(report, "%s/report.html", place) >= 0;
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
    if (status == HL_OK) status = execute_runs(self, files, error);
    if (status == HL_OK && report) status = find_report(folder, report, error);
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
    runs all = {.request = request};
    hl_status status =
        experiment_read(request->experiment, request->sets, request->set_count, &all.source, error);
    if (status == HL_OK) status = experiment_open(library->plugins, &all.source, NULL, &plan, error);
    all.plan = plan;
    const char *folder = NULL;
    if (status == HL_OK) status = find_output(&all, &folder, error);
    if (status == HL_OK) status = open_runs(&all, library, error);
    if (status == HL_OK && !request->check_only) status = run_and_write(&all, folder, report, error);
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
