/* Checks of analyses, extractors and reports: experiments on the embedded model. */
#include "core/conformance/subject.h"

#include "core/conformance/memory.h"
#include "core/io/folder.h"
#include "headlight/extractor.h"
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* An experiment that uses the plugin, and where its results go. */
typedef struct trial {
    opened_subject opened;
    char experiment[512], output[512], cache[512];
    uint64_t sum; /* of its files, of the first run */
} trial;

/* ---- the experiment ---- */

/* Small, so that it is searched in no time. */
static bool write_gallery(const subject *self) {
    enum { IMAGES = 6 };
    char path[512];
    snprintf(path, sizeof path, "%s/list.txt", self->scratch);
    FILE *list = fopen(path, "w");
    for (int i = 0; list && i < IMAGES; ++i) {
        char name[64];
        snprintf(name, sizeof name, "mini/gallery/scene-%03d.jpg", 10 + i);
        char *image = hl_data_file(name);
        if (image) fprintf(list, "%s\n", image);
        free(image);
    }
    return list && fclose(list) == 0;
}

static uint32_t step_of(const hl_plugin *plugin, bool from) {
    hl_extractor_api api;
    registry_table(plugin, &api, sizeof api);
    return from ? api.from : api.step;
}

/* An extractor that gives what a plugin builds on: best one that builds on nothing itself, else one that can
 * be given that too. NULL: there is none. */
static const hl_plugin *find_giver(const opened_subject *opened, uint32_t wanted, int depth) {
    const hl_plugin *plugin, *found = NULL;
    for (size_t i = 0; depth > 0 && (plugin = hl_plugin_at(opened->library, i)); ++i) {
        if (plugin->kind != HL_EXTRACTOR || plugin == opened->plugin) continue;
        if (step_of(plugin, false) != wanted) continue;
        uint32_t from = step_of(plugin, true);
        if (from == HL_STEP_NONE) return plugin;
        if (!found && find_giver(opened, from, depth - 1)) found = plugin;
    }
    return found;
}

static void write_entry(FILE *out, const char *key, const char *name, const char *options) {
    fprintf(out, "%s: %s%s%s", key, name, *options ? ", " : "", options);
}

/* A step, and before it those that it builds on, each named after the next. */
static hl_status write_step(FILE *out, const subject *self, const opened_subject *opened,
                            const hl_plugin *plugin, const char *name, hl_error *error) {
    enum { DEEPEST = HL_STEP_VERDICTS + 1 };
    char before[64] = "", *options;
    uint32_t from = step_of(plugin, true);
    hl_status status = HL_OK;
    if (from != HL_STEP_NONE) {
        const hl_plugin *giver = find_giver(opened, from, DEEPEST);
        if (!giver) return hl_fail(error, HL_UNAVAILABLE, "no extractor gives what it builds on");
        snprintf(before, sizeof before, "%s-from", name);
        status = write_step(out, self, opened, giver, before, error);
    }
    if (status == HL_OK) status = subject_options(self, plugin, &options, error);
    if (status != HL_OK) return status;
    fprintf(out, "  - {name: %s, ", name);
    write_entry(out, "plugin", plugin->name, options);
    fprintf(out, "%s%s}\n", *before ? ", from: " : "", before);
    free(options);
    return HL_OK;
}

static hl_status write_chain(FILE *out, const subject *self, const opened_subject *opened, hl_error *error) {
    fputs("extractors:\n", out);
    return write_step(out, self, opened, opened->plugin, "checked", error);
}

static bool asks_for_properties(const hl_plugin *plugin) {
    for (uint32_t i = 0; i < plugin->option_count; ++i) {
        if (plugin->options[i].type == HL_PROPERTIES) return true;
    }
    return false;
}

static void write_analyses(FILE *out, const subject *self, const hl_plugin *plugin, const char *options) {
    char *image = hl_data_file("mini/gallery/scene-000.jpg"), *labels = hl_data_file("mini/labels.json");
    if (plugin->kind == HL_REPORT) {
        fprintf(
            out,
            "analyses:\n  - {plugin: topic-segmentation, images: [%s], texts: [a red star], heads: [L0.H0]}\n"
            "  - {plugin: text-neighbors, texts: [snow], heads: [L0.H0]}\n",
            image ? image : "");
    } else if (plugin->kind == HL_ANALYSIS) {
        if (asks_for_properties(plugin) && labels) {
            fprintf(out, "properties: {extractor: labels-file, path: %s}\n", labels);
        }
        fputs("analyses:\n  - {", out);
        write_entry(out, "plugin", self->name, options);
        fputs("}\n", out);
    }
    free(image);
    free(labels);
}

static void write_reports(FILE *out, const subject *self, const hl_plugin *plugin, const char *options) {
    if (plugin->kind == HL_REPORT) {
        fputs("reports: [{", out);
        write_entry(out, "plugin", self->name, options);
        fputs("}]\n", out);
    } else {
        fputs("reports: [json]\n", out);
    }
}

static hl_status write_sections(FILE *out, const subject *self, const opened_subject *opened,
                                const char *options, hl_error *error) {
    fprintf(out,
            "headlight: 1\nmodel: {path: %s}\ncompute: {backend: reference, threads: 1}\n"
            "gallery: {images: list.txt, atlas: atlas}\noutput: out\n",
            self->model);
    write_reports(out, self, opened->plugin, options);
    write_analyses(out, self, opened->plugin, options);
    return opened->plugin->kind == HL_EXTRACTOR ? write_chain(out, self, opened, error) : HL_OK;
}

static hl_status write_experiment(const subject *self, trial *made, hl_error *error) {
    char *options;
    hl_status status = subject_options(self, made->opened.plugin, &options, error);
    if (status != HL_OK) return status;
    snprintf(made->experiment, sizeof made->experiment, "%s/experiment.yaml", self->scratch);
    snprintf(made->output, sizeof made->output, "%s/out", self->scratch);
    snprintf(made->cache, sizeof made->cache, "%s/headlight", self->scratch);
    FILE *out = fopen(made->experiment, "w");
    if (out) status = write_sections(out, self, &made->opened, options, error);
    free(options);
    bool written = out && fclose(out) == 0 && write_gallery(self);
    if (written || status != HL_OK) return status;
    return hl_fail(error, HL_UNAVAILABLE, "nothing can be written into %s", self->scratch);
}

static hl_status open_trial(const subject *self, trial *out, hl_error *error) {
    *out = (trial){.sum = 0};
    if (!self->model) return hl_fail(error, HL_UNAVAILABLE, "the embedded model is not installed");
    hl_status status = subject_open(self, 1, &out->opened, error);
    return status == HL_OK ? write_experiment(self, out, error) : status;
}

/* ---- its files ---- */

static uint64_t sum_of_files;
static size_t root_length;

static int add_file(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)walk;
    if (kind != FTW_F) return 0;
    char *bytes = malloc((size_t)status->st_size + 1);
    FILE *file = fopen(path, "rb");
    size_t count = bytes && file ? fread(bytes, 1, (size_t)status->st_size, file) : 0;
    if (bytes) {
        sum_of_files +=
            XXH3_64bits_withSeed(bytes, count, XXH3_64bits(path + root_length, strlen(path + root_length)));
    }
    if (file) fclose(file);
    free(bytes);
    return 0;
}

/* Whatever order they come in; 0: there are none. */
static uint64_t sum_files(const char *folder) {
    sum_of_files = 0;
    root_length = strlen(folder);
    nftw(folder, add_file, 16, FTW_PHYS);
    return sum_of_files;
}

/* ---- running it ---- */

static hl_status run_trial(trial *self, hl_error *error) {
    const hl_run_request request = {
        .size = sizeof request, .experiment = self->experiment, .output = self->output};
    char *report = NULL;
    folder_remove(self->output);
    folder_remove(self->cache); /* what an extractor found is kept there, and would not be asked for again */
    hl_status status = hl_run(self->opened.library, NULL, &request, &report, error);
    free(report);
    return status;
}

static hl_status run_and_sum(trial *self, hl_error *error) {
    hl_status status = run_trial(self, error);
    if (status != HL_OK) return status;
    uint64_t sum = sum_files(self->output);
    if (!self->sum) self->sum = sum;
    return self->sum == sum ? HL_OK : hl_fail(error, HL_FAILED, "other results from one run to the next");
}

/* Options that no example fits are the user's to give. */
static hl_status check_runs(const void *user, hl_error *error) {
    trial made;
    hl_error said = {""};
    hl_status status = open_trial(user, &made, error);
    if (status != HL_OK) return status;
    status = run_trial(&made, &said);
    if (status == HL_USAGE) {
        return hl_fail(error, HL_UNAVAILABLE, "%s; give its options with --option KEY=VALUE", said.message);
    }
    if (status != HL_OK) return hl_fail(error, HL_FAILED, "%s", said.message);
    if (!sum_files(made.output)) status = hl_fail(error, HL_FAILED, "there are no results");
    subject_close(&made.opened);
    return status;
}

/* Where it does not run at all, `check_runs` has said so. */
static hl_status need_run(trial *made, hl_error *error) {
    hl_error said = {""};
    if (run_and_sum(made, &said) == HL_OK) return HL_OK;
    return hl_fail(error, HL_UNAVAILABLE, "it does not run");
}

static hl_status check_repeats(const void *user, hl_error *error) {
    trial made;
    hl_status status = open_trial(user, &made, error);
    if (status == HL_OK) status = need_run(&made, error);
    if (status == HL_OK) status = run_and_sum(&made, error);
    if (status == HL_OK) status = run_and_sum(&made, error);
    subject_close(&made.opened);
    return status;
}

static hl_status run_once(void *user, long number, hl_error *error) {
    trial *made = user;
    if (!number) return run_and_sum(made, error);
    hl_error said = {""};
    hl_status status = run_trial(made, &said);
    memory_fail_none();
    uint64_t sum = sum_files(made->output);
    if (status == HL_OK && sum != made->sum) return hl_fail(error, HL_FAILED, "other results, and no error");
    if (status != HL_OK && sum != 0) return hl_fail(error, HL_FAILED, "an error, and yet results");
    return subject_judge_failure(status, &said, error);
}

static hl_status check_leaks(const void *user, hl_error *error) {
    trial made;
    hl_status status = open_trial(user, &made, error);
    if (status == HL_OK) status = need_run(&made, error);
    if (status == HL_OK) status = subject_check_leaks(run_once, &made, error);
    subject_close(&made.opened);
    return status;
}

static hl_status check_failures(const void *user, hl_error *error) {
    trial made;
    hl_status status = open_trial(user, &made, error);
    if (status == HL_OK) status = need_run(&made, error);
    if (status == HL_OK) status = subject_check_failures(made.opened.plugin, run_once, &made, error);
    subject_close(&made.opened);
    return status;
}

const named_check run_checks[] = {
    {"runs", check_runs},
    {"gives the same bytes twice", check_repeats},
    {"leaks nothing", check_leaks},
    {"copes without memory", check_failures},
    {NULL, NULL},
};
