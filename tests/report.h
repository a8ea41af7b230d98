/* What the tests of the report share: made-up pictures, colours, results that no plugin made. */
#ifndef TESTS_REPORT_H
#define TESTS_REPORT_H

#include "core/experiment/reporting.h"
#include "core/tree/results.h"
#include "tests/json.h"
#include "tests/support.h"

/* ---- pictures ---- */

/* A picture without any structure. */
picture make_picture(size_t width, size_t height);
const uint8_t *pixel_at(const picture *image, size_t x, size_t y);

typedef struct lab {
    double l, a, b;
} lab;

/* sRGB -> OKLab, in which equal steps look equal. */
lab to_lab(const uint8_t *rgb);

/* ---- results ---- */

/* With one analysis begun, "some-analysis". */
tree *open_results(sink *items);

/* Every image is there, 90 x 60 ("large": 3000 x 2000), unless its name says "missing". A grid is 2 x 2
 * patches of 10 pixels in a crop of 20. */
extern const reporting_pictures test_pictures;
extern const hl_model_info test_model;

/* Writes reports about the results into a folder, through the host's own side of them: all of `reports`, each
 * as in an experiment's list ("json", "{plugin: json, picture-side: 64}"); ends with NULL. Between
 * open_plugins and close_plugins.
 */
hl_status write_reports(const char *folder, const tree *results, const report_subject *with,
                        const char *const *reports, hl_error *error);

size_t count_words(const char *in, const char *word);

#endif
