/* Reports: what they are given, and where their files go. Knows no report by its name, and never what is in
 * one. */
#ifndef REPORTING_H
#define REPORTING_H

#include "core/experiment/experiment.h"
#include "core/io/output.h"
#include "core/io/picture.h"
#include "headlight/report.h"

/* Pictures whose longer side is no longer than this are made from one of this size, so that one kept of each
 * image is enough for all reports that draw at the usual sizes. */
enum { REPORTING_KEPT_SIDE = 1024 };

/* Where pictures come from. `side`: of the longer side, at most; 0: as the file is. `original`: width and
 * height of the file. The picture is the caller's. */
typedef hl_status reporting_load(void *user, const char *name, size_t side, picture *out, size_t original[2],
                                 hl_error *error);
typedef struct reporting_pictures {
    void *user;
    reporting_load *image; /* that results call `name` */
    reporting_load
        *neighbor; /* `name` is its path; HL_UNAVAILABLE where its file is away. NULL: there is no gallery */
} reporting_pictures;

typedef struct report_subject {
    const hl_host *host;
    const hl_node *results;
    const hl_model_info *model; /* NULL: no single one */
    reporting_pictures pictures;
    const char *title, *experiment, *sections; /* see headlight/report.h */
} report_subject;

/* Runs all reports of the plan; their files are added to `files`. */
hl_status reporting_write(const report_subject *what, const experiment *plan, output *files, hl_error *error);

/* Whether their files can be written, before the work for them begins; as `output_check`. */
hl_status reporting_check_places(const experiment *plan, output *files, hl_error *error);

/* The file that a user opens to look: the first report's that has one; NULL: none has. */
const char *reporting_page(const experiment *plan);

#endif
