/* Reports: from the tree of results to files. A report is the last step: it reads the tree and the pictures
 * that the tree names, and changes nothing.
 *
 * Several reports of one run write into the same folder; each says beforehand which files it writes, and all
 * appear together, when all are whole.
 *
 * The root of the tree is a map, of which all but the first three may be missing:
 *
 *     version (whole)   1
 *     model (map)       name, plugin, summary, embed_dim, image_size, digest, and what the plugin adds
 *     compute (map)     backend, description, kernel, precision, threads, and, where another backend was
 *                       meant, the reason as a text `fallback`
 *     analyses (list)   maps: plugin, summary, options (map), title (may be missing), results (list of maps,
 *                       each with `schema`: result.h)
 *     extractors (list) maps: name, plugin, summary, from (may be missing), options (map), results (list of
 *                       maps: head, texts; or head, property, weight, evidence; or score, layer, value, low,
 *                       high; or items with a schema)
 *     properties (map)  extractor, step, heads (map: "L3.H5" -> "colors, shapes")
 *     truncated (list)  texts that the model read in part: text, tokens, context
 *     skipped (list)    images of the experiment that could not be read: path, reason
 *     gallery (map)     images, searched, missing, skipped (list: path, reason)
 *
 * and, for the overview of an experiment's variants, which has no results of its own:
 *
 *     reports (list)    variant, model, compute
 *     variants (table)  how far each analysis of each variant lies from the first's
 *     skipped_variants (table, may be missing)
 *                       variants whose model's weights, or whose gallery, are not there: variant, reason, and
 *                       place (where these go, as the experiment has it)
 *     scores (list, may be missing)
 *                       each verdict on a whole model: variant, step, score, value, and where there are any
 *                       low, high, and parameters (of the variant's image tower)
 *     comparison (list, may be missing)
 *                       items with a schema that show the same: for each score of each step a bar chart over
 *                       the variants, a scatter chart against model size, a line chart by layer (x: layers
 *                       before the last, 0 and below). A score "S, labels shuffled" is what S would be by
 *                       chance, and drawn faint in the charts of S; any other "S, WHAT" has none of its own;
 * of scores "S@0", "S@1" ... there is one line chart, over the number. For each step of labels a table of how
 * many heads carry which property in each variant; for the first of them, and for that which answers for
 * properties, a map of each variant's heads, whose layers and heads are those that its rows name. And tables
 * of the analyses, those of all variants in one, whose rows begin with `variant`
 */
#ifndef HEADLIGHT_REPORT_H
#define HEADLIGHT_REPORT_H

#include "host.h"
#include "model.h"
#include "option.h"
#include "result.h"

#ifdef __cplusplus
extern "C" {
#endif

/* RGB bytes that the host lent; give them back with `release`. The plugin may make one of its own bytes for
 * `resize` and `encode`, which only read it. */
typedef struct hl_picture {
    uint32_t size;
    uint32_t width, height;
    const uint8_t *rgb;                       /* height x width x 3, top row first */
    uint32_t original_width, original_height; /* of the file, in pixels: `rgb` may be smaller */
} hl_picture;

typedef enum hl_encoding { HL_PNG = 1, HL_JPEG } hl_encoding;

typedef struct hl_file hl_file; /* one that is being written; owned by the host */

/* What a report is given. Every function that can fail fails with HL_FAILED, "cancelled", once the run is to
 * stop; so a report that asks for one picture after the other need not look itself. [the thread that called
 * `write`, but image, neighbor, resize, crop, encode, release: any thread] */
typedef struct hl_report hl_report;
struct hl_report {
    uint32_t size;
    const hl_host *host;
    const hl_node *results;     /* the root: see above */
    const hl_model_info *model; /* for the way from an image to its grid; NULL: no single model (variants) */
    const char *title;          /* a heading */
    const char *experiment;     /* the YAML that was run, and what the command line changed */
    const char *sections;       /* all of it but analyses, for snippets: YAML that ends in a newline */

    /* An image that results name (`query`, `image`), or a neighbour by its path relative to the gallery:
     * decoded, its longer side at most `side` pixels (0: as it is; `original_...` say what it was), smoothed
     * as by `resize`. One that the gallery named and that cannot be read any more becomes a gray square, and
     * is logged once. */
    hl_status (*image)(const hl_report *report, const char *name, uint32_t side, hl_picture *out,
                       hl_error *error);
    hl_status (*neighbor)(const hl_report *report, const char *path, uint32_t side, hl_picture *out,
                          hl_error *error);
    /* Pillow's antialiased bicubic, to any size from 1 x 1 up. */
    hl_status (*resize)(const hl_report *report, const hl_picture *in, uint32_t width, uint32_t height,
                        hl_picture *out, hl_error *error);
    void (*release)(const hl_report *report, hl_picture *picture); /* accepts a zeroed one */

    /* Where the model's crop lies in an image of this size: left, top, width, height in its pixels. Only with
     * a model. */
    void (*crop)(const hl_report *report, uint32_t width, uint32_t height, double frame[4]);

    /* Encoded bytes; free() them. */
    hl_status (*encode)(const hl_report *report, const hl_picture *picture, uint32_t encoding,
                        uint8_t **bytes, size_t *count, hl_error *error);

    /* A new file, `name` relative to the results' folder and maybe in a sub-folder; bytes into it; and that
     * it is complete, so that more can be written than can be open at once. A full disk is an error here. */
    hl_status (*file)(const hl_report *report, const char *name, hl_file **out, hl_error *error);
    hl_status (*write)(const hl_report *report, hl_file *file, const void *bytes, size_t count,
                       hl_error *error);
    hl_status (*finish)(const hl_report *report, hl_file *file, hl_error *error);

    /* A node as JSON into a file, indented, with all that is below it: numbers as hl_node has them, whatever
     * the locale; a picture as null. The node may be the report's own: one that it put together from nodes of
     * the results and some of its own. */
    hl_status (*json)(const hl_report *report, hl_file *file, const hl_node *node, hl_error *error);
};

typedef struct hl_report_api {
    uint32_t size;

    /* Several reports may run one after the other, each once a run and once for the variants' overview.
     * During the call the thread's locale is "C": printf and strtod have a decimal point. [one thread at a
     * time] */
    hl_status (*write)(const hl_report *report, const hl_value *const *values, hl_error *error);

    /* The files that it writes whatever was found ("report.html"), ends with NULL: whether they may be
     * written is checked before any work. NULL: it writes only files that depend on what was found. */
    const char *const *files;

    /* Which of these a user opens to look; NULL: none. */
    const char *page;
} hl_report_api;

#ifdef __cplusplus
}
#endif

#endif
