/* The section `reports`: which report plugins write about a run, and with which options. */
#include "core/experiment/section.h"

#include <stdlib.h>
#include <string.h>

static const hl_option report_options[] = {
    {.name = "plugin", .type = HL_STRING, .help = "the report plugin"},
};
static const hl_plugin report_section = SECTION("report", report_options);

/* A name alone stands for the plugin with its defaults. `place` starts messages. */
static hl_status read_named(const registry *plugins, const char *name, const char *place,
                            experiment_step *step, hl_error *error) {
    hl_status status = registry_need(plugins, HL_REPORT, name, place, &step->plugin, error);
    return status == HL_OK ? options_read(step->plugin, NULL, NULL, &step->values, error) : status;
}

static hl_status read_entry(const registry *plugins, const yaml_node *node, experiment_step *step,
                            hl_error *error) {
    char place[512];
    step->place = node;
    if (node->type == YAML_MAP) return section_step(plugins, node, &report_section, HL_REPORT, step, error);
    if (node->type != YAML_TEXT) {
        return yaml_fail(node, error, "expected a report's name or a mapping such as {plugin: NAME}");
    }
    yaml_place(node, place, sizeof place);
    return read_named(plugins, node->text, place, step, error);
}

/* Both would write the same files. */
static hl_status check_repeated(const experiment *plan, const experiment_step *step, hl_error *error) {
    for (const experiment_step *earlier = plan->reports; earlier < step; ++earlier) {
        if (earlier->plugin != step->plugin) continue;
        return yaml_fail(step->place, error, "the report %s is named twice; keep one of them",
                         step->plugin->name);
    }
    return HL_OK;
}

static hl_status read_list(const registry *plugins, const yaml_node *list, experiment *plan,
                           hl_error *error) {
    if (list->type != YAML_LIST || list->count == 0) {
        return yaml_fail(list, error,
                         "reports: expected a list of at least one report, such as [html, json]");
    }
    plan->reports = calloc(list->count, sizeof *plan->reports);
    if (!plan->reports) return hl_no_memory(error, "an experiment");
    hl_status status = HL_OK;
    for (; plan->report_count < list->count && status == HL_OK; ++plan->report_count) {
        experiment_step *step = &plan->reports[plan->report_count];
        status = read_entry(plugins, list->items[plan->report_count], step, error);
        if (status == HL_OK) status = check_repeated(plan, step, error);
    }
    return status;
}

static hl_status take_usual(const registry *plugins, experiment *plan, hl_error *error) {
    static const char *const usual[] = {"html", "json"};
    enum { COUNT = sizeof usual / sizeof *usual };
    plan->reports = calloc(COUNT, sizeof *plan->reports);
    if (!plan->reports) return hl_no_memory(error, "an experiment");
    hl_status status = HL_OK;
    for (; plan->report_count < COUNT && status == HL_OK; ++plan->report_count) {
        experiment_step *step = &plan->reports[plan->report_count];
        status = read_named(plugins, usual[plan->report_count], "reports", step, error);
    }
    return status;
}

hl_status reports_read(const registry *plugins, experiment *plan, hl_error *error) {
    const yaml_node *node = yaml_get(plan->root, "reports");
    return node ? read_list(plugins, node, plan, error) : take_usual(plugins, plan, error);
}
