/* Contrastive segmentation: where in an image a head sees one text rather than another, which is the
 * difference of their heats. The host computes a heat and draws it; this file only says which are wanted. */
#include "headlight/plugin.h"
#include "heats/heats.h"
#include <math.h>

/* In the order of the table. */
enum { IMAGES, TEXTS, HEADS, OPACITY, SCALE, MASK };

static const hl_option options[] = {
    {.name = "images", .type = HL_IMAGES, .help = "The image files to look at."},
    {.name = "texts",
     .type = HL_DIRECTIONS,
     .min = 2,
     .max = 2,
     .help = "The two texts: the heat of the second is taken off the heat of the first."},
    HEATS_HEADS_OPTION,
    HEATS_OPACITY_OPTION,
    {.name = "scale",
     .type = HL_CHOICE,
     .fallback = "each",
     .choices = heats_scales,
     .help = "Whether each picture's colours reach as far as its own heat, or all pictures of an image share "
             "one span, so that their colours can be compared. Zero has the same colour in all of them."},
    {.name = "mask",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether to write, for each heat, the part of the image that is rather the first text as a mask "
             "(PNG), and the heat as an array (.npy)."},
};

typedef struct contrast {
    const hl_ask *ask;
    const hl_direction *text, *minus;
    const hl_value *heads;
    double opacity;
    bool shared_scale, mask;
    size_t cells; /* of a heat */
    float *heats; /* of the image in hand: heads x cells */
    float *other; /* one heat of the second text */
} contrast;

static hl_status measure(const contrast *self, const hl_image *image, hl_error *error) {
    const hl_ask *ask = self->ask;
    for (size_t head = 0; head < self->heads->count; ++head) {
        const hl_selection *selection = self->heads->selections[head];
        float *heat = self->heats + head * self->cells;
        hl_status status = ask->heat(ask, image, selection, self->text, heat, error);
        if (status == HL_OK) {
            status = ask->heat(ask, image, selection, self->minus, self->other, error);
        }
        if (status != HL_OK) return status;
        for (size_t cell = 0; cell < self->cells; ++cell) heat[cell] -= self->other[cell];
    }
    return HL_OK;
}

/* The largest distance from zero among `count` numbers. */
static double reach(const float *numbers, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)numbers[i]));
    return largest;
}

static hl_status report(const contrast *self, const hl_image *image, size_t head, hl_result *result,
                        hl_error *error) {
    const float *heat = self->heats + head * self->cells;
    double end =
        self->shared_scale ? reach(self->heats, self->heads->count * self->cells) : reach(heat, self->cells);
    hl_item *item = heats_add(self->ask->model, image, self->text, self->minus, self->heads->selections[head],
                              heat, result);
    if (!item) return hl_no_memory(error, "a heat");
    result->number(item, "opacity", self->opacity);
    result->number(item, "low", 0 - end);
    result->number(item, "high", end);
    if (self->mask) result->number(item, "mask_threshold", 0);
    return HL_OK;
}

static hl_status contrast_texts(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                hl_error *error) {
    const hl_host *host = ask->host;
    contrast self = {
        .ask = ask,
        .text = values[TEXTS]->directions[0],
        .minus = values[TEXTS]->directions[1],
        .heads = values[HEADS],
        .opacity = values[OPACITY]->real,
        .shared_scale = values[SCALE]->integer == HEATS_SCALE_SHARED,
        .mask = values[MASK]->boolean,
        .cells = heats_cells(ask->model),
    };
    self.heats = host->allocate(host, self.heads->count, self.cells * sizeof *self.heats);
    self.other = host->allocate(host, self.cells, sizeof *self.other);
    hl_status status = self.heats && self.other ? HL_OK : hl_no_memory(error, "the heats of an image");
    for (size_t i = 0; i < values[IMAGES]->count && status == HL_OK; ++i) {
        const hl_image *image = values[IMAGES]->images[i];
        status = measure(&self, image, error);
        for (size_t head = 0; head < self.heads->count && status == HL_OK; ++head) {
            status = report(&self, image, head, result, error);
        }
    }
    host->release(host, self.heats);
    host->release(host, self.other);
    return status;
}

static const hl_analysis_api api = {.size = sizeof api, .run = contrast_texts};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "contrastive-segmentation", "1.0.0",
              "where in an image each head sees one text rather than another"),
    HL_OPTIONS(options),
    .api = &api,
};
