/* @NAME@: how much of an image's likeness to a text each head writes: c . t, the head's contribution to the
 * image's embedding times the text's direction. */
#include <headlight/analysis.h>
#include <headlight/plugin.h>

enum { IMAGES, TEXTS, HEADS }; /* rows of the table, and of the values that `run` gets */

static const hl_option options[] = {
    [IMAGES] = {.name = "images", .type = HL_IMAGES, .help = "the images to look at"},
    [TEXTS] = {.name = "texts", .type = HL_DIRECTIONS, .help = "what to look for"},
    [HEADS] = {.name = "heads", .type = HL_HEADS, .fallback = "all", .help = "the heads to look with"},
};

static hl_status report(const hl_ask *ask, const hl_image *image, const hl_direction *text,
                        const hl_selection *head, float *c, hl_result *result, hl_error *error) {
    double score = 0;
    hl_status status = ask->contribution(ask, image, head->components[0], c, error);
    if (status != HL_OK) return status;
    for (uint32_t i = 0; i < ask->model->embed_dim; ++i) score += (double)c[i] * (double)text->vector[i];
    hl_item *item = result->item(result, "@NAME@");
    result->text(item, "image", image->name);
    result->text(item, "text", text->name);
    result->text(item, "head", head->name);
    result->number(item, "score", score);
    return HL_OK;
}

static hl_status run(const hl_ask *ask, const hl_value *const *values, hl_result *result, hl_error *error) {
    const hl_value *images = values[IMAGES], *texts = values[TEXTS], *heads = values[HEADS];
    float *c = ask->host->allocate(ask->host, ask->model->embed_dim, sizeof *c);
    hl_status status = c ? HL_OK : hl_no_memory(error, "a contribution");
    for (size_t i = 0; i < images->count; ++i) {
        for (size_t j = 0; j < texts->count; ++j) {
            for (size_t k = 0; k < heads->count && status == HL_OK; ++k) {
                status = report(ask, images->images[i], texts->directions[j], heads->selections[k], c, result,
                                error);
            }
        }
    }
    ask->host->release(ask->host, c);
    return status;
}

static const hl_analysis_api api = {.size = sizeof api, .run = run, .needs = HL_NEEDS_WEIGHTS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "@NAME@", "0.1.0", "what each head adds to an image's likeness to a text"),
    HL_OPTIONS(options),
    .api = &api,
};
