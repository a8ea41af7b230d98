/* @NAME@: how many results each analysis of a run gave, as a text file. */
#include <headlight/plugin.h>
#include <headlight/report.h>

#define FILE_NAME "@NAME@.txt"

static hl_status write_text(const hl_report *report, hl_file *file, const char *text, hl_error *error) {
    return report->write(report, file, text, strlen(text), error);
}

static hl_status write_analysis(const hl_report *report, hl_file *file, const hl_node *analysis,
                                hl_error *error) {
    char line[256];
    const hl_node *results = hl_get(analysis, "results");
    snprintf(line, sizeof line, "%.100s: %u results\n", hl_get_text(analysis, "plugin"),
             results ? (unsigned)results->count : 0);
    return write_text(report, file, line, error);
}

static hl_status write_report(const hl_report *report, const hl_value *const *values, hl_error *error) {
    const hl_node *analyses = hl_get(report->results, "analyses");
    hl_file *file;
    (void)values;
    hl_status status = report->file(report, FILE_NAME, &file, error);
    if (status == HL_OK) status = write_text(report, file, report->title ? report->title : "", error);
    if (status == HL_OK) status = write_text(report, file, "\n", error);
    for (const hl_node *one = analyses ? analyses->first : NULL; one && status == HL_OK; one = one->next) {
        status = write_analysis(report, file, one, error);
    }
    return status == HL_OK ? report->finish(report, file, error) : status;
}

static const char *const files[] = {FILE_NAME, NULL};

static const hl_report_api api = {.size = sizeof api, .write = write_report, .files = files};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_REPORT, "@NAME@", "0.1.0", "counts the results of each analysis"),
    .api = &api,
};
