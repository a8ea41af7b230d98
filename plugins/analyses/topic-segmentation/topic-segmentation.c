/* Topic segmentation: where in an image a head sees a text (Gandelsman et al. 2024, section 5.1).
 *
 * For every image, text and head one heat: how much each patch, through that head, moved the image's
 * embedding towards the text. The host computes a heat and draws it; this file only says which are wanted,
 * and what is taken off them. */
#include "headlight/plugin.h"
#include "heats/heats.h"

static const char *const baselines[] = {"none", "mean-of-texts", NULL};
enum { BASELINE_NONE, BASELINE_MEAN_OF_TEXTS };

/* In the order of the table. */
enum { IMAGES, TEXTS, HEADS, BASELINE, OPACITY, SCALE, MASK };

static const hl_option options[] = {
    {.name = "images", .type = HL_IMAGES, .help = "The image files to look at."},
    {.name = "texts", .type = HL_DIRECTIONS, .help = "What to look for; every text is asked of every image."},
    HEATS_HEADS_OPTION,
    {.name = "baseline",
     .type = HL_CHOICE,
     .fallback = "none",
     .choices = baselines,
     .help = "What to take off a text's heat: nothing, or the mean heat of all texts, which leaves what sets "
             "this text apart from the others."},
    HEATS_OPACITY_OPTION,
    {.name = "scale",
     .type = HL_CHOICE,
     .fallback = "each",
     .choices = heats_scales,
     .help =
         "Whether each picture's colours span its own heat, or all pictures of an image share one span, so "
         "that their colours can be compared."},
    {.name = "mask",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether to write, for each heat, the part of the image where it is above its own mean as a "
             "mask (PNG), and the heat as an array (.npy)."},
};

typedef struct segmentation {
    const hl_ask *ask;
    const hl_value *texts, *heads;
    double opacity;
    bool subtract_mean, shared_scale, mask;
    size_t cells; /* of a heat */
    float *heats; /* of the image in hand: texts x heads x cells */
} segmentation;

static float *heat_of(const segmentation *self, size_t text, size_t head) {
    return self->heats + (text * self->heads->count + head) * self->cells;
}

static hl_status measure(const segmentation *self, const hl_image *image, hl_error *error) {
    for (size_t text = 0; text < self->texts->count; text++) {
        for (size_t head = 0; head < self->heads->count; head++) {
            hl_status status =
                self->ask->heat(self->ask, image, self->heads->selections[head],
                                self->texts->directions[text], heat_of(self, text, head), error);
            if (status != HL_OK) return status;
        }
    }
    return HL_OK;
}

/* The baseline: for each head and cell, the mean over the texts is taken off. */
static void subtract_mean_of_texts(const segmentation *self) {
    size_t texts = self->texts->count, step = self->heads->count * self->cells; /* to the next text */
    for (float *heat = self->heats; heat < self->heats + step; heat++) {
        double sum = 0;
        for (size_t text = 0; text < texts; text++) sum += (double)heat[text * step];
        double mean = sum / (double)texts;
        for (size_t text = 0; text < texts; text++) {
            heat[text * step] = (float)((double)heat[text * step] - mean);
        }
    }
}

/* The lowest and the highest heat of the image in hand. */
static void find_ends(const segmentation *self, float *low, float *high) {
    size_t count = self->texts->count * self->heads->count * self->cells;
    *low = *high = self->heats[0];
    for (size_t i = 1; i < count; i++) {
        if (self->heats[i] < *low) *low = self->heats[i];
        if (self->heats[i] > *high) *high = self->heats[i];
    }
}

static double mean_of(const float *numbers, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)numbers[i];
    return sum / (double)count;
}

static hl_status report_heat(const segmentation *self, const hl_image *image, size_t text, size_t head,
                             hl_result *result, hl_item **item, hl_error *error) {
    const float *heat = heat_of(self, text, head);
    *item = heats_add(self->ask->model, image, self->texts->directions[text], NULL,
                      self->heads->selections[head], heat, result);
    if (!*item) return hl_no_memory(error, "a heat");
    if (self->mask) result->number(*item, "mask_threshold", mean_of(heat, self->cells));
    result->number(*item, "opacity", self->opacity);
    return HL_OK;
}

static hl_status report(const segmentation *self, const hl_image *image, hl_result *result, hl_error *error) {
    float low, high;
    find_ends(self, &low, &high);
    for (size_t text = 0; text < self->texts->count; text++) {
        for (size_t head = 0; head < self->heads->count; head++) {
            hl_item *item;
            hl_status status = report_heat(self, image, text, head, result, &item, error);
            if (status != HL_OK) return status;
            if (self->shared_scale) result->number(item, "low", (double)low);
            if (self->shared_scale) result->number(item, "high", (double)high);
        }
    }
    return HL_OK;
}

static hl_status segment(const segmentation *self, const hl_value *images, hl_result *result,
                         hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < images->count && status == HL_OK; i++) {
        status = measure(self, images->images[i], error);
        if (status == HL_OK && self->subtract_mean) subtract_mean_of_texts(self);
        if (status == HL_OK) status = report(self, images->images[i], result, error);
    }
    return status;
}

static hl_status segment_topics(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                hl_error *error) {
    const hl_host *host = ask->host;
    segmentation self = {
        .ask = ask,
        .texts = values[TEXTS],
        .heads = values[HEADS],
        .opacity = values[OPACITY]->real,
        .subtract_mean = values[BASELINE]->integer == BASELINE_MEAN_OF_TEXTS,
        .shared_scale = values[SCALE]->integer == HEATS_SCALE_SHARED,
        .mask = values[MASK]->boolean,
        .cells = heats_cells(ask->model),
    };
    self.heats = host->allocate(host, self.texts->count * self.heads->count, self.cells * sizeof *self.heats);
    if (!self.heats) return hl_no_memory(error, "the heats of an image");
    if (self.subtract_mean && self.texts->count == 1) {
        host->log(
            host, HL_LOG_WARNING,
            "topic-segmentation: the mean of a single text is its own heat, so every heat is 0; give more "
            "texts or leave `baseline` out");
    }
    hl_status status = segment(&self, values[IMAGES], result, error);
    host->release(host, self.heats);
    return status;
}

static const hl_analysis_api api = {.size = sizeof api, .run = segment_topics};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "topic-segmentation", "1.0.0", "where in an image each head sees a text"),
    HL_OPTIONS(options),
    .api = &api,
};
