/* See uses.h. Asked as a plugin or a program asks. */
#include "core/asking/asker.h"
#include "core/commands/made_input.h"
#include "core/commands/peak.h"
#include "core/commands/uses.h"

#include <stdlib.h>

typedef struct conversation {
    const use *of;
    const hl_ask *ask;
    const hl_selection *all;
    float *heat;
    size_t next_text;
} conversation;

/* The heat of a text that was not asked for before. */
static hl_status ask_text(conversation *self, const hl_image *image, hl_error *error) {
    char words[MADE_TEXT];
    const hl_direction *direction = NULL;
    made_text(self->next_text++, words);
    const hl_direction_source source = {.size = sizeof source, .text = words};
    hl_status status = self->ask->open_direction(self->ask, &source, &direction, error);
    if (status == HL_OK) {
        status = self->ask->heat(self->ask, image, self->all, direction, self->heat, error);
    }
    self->ask->release_direction(self->ask, direction);
    return status;
}

/* *further: of another text over the image. Either may be NULL. */
static hl_status ask_image(conversation *self, size_t number, double *seconds, double *further,
                           hl_error *error) {
    const gallery *images = self->of->images;
    const hl_image_source source = {.size = sizeof source,
                                    .path = images->images[number % images->count].file};
    const hl_image *image = NULL;
    double start = peak_clock();
    hl_status status = self->ask->open_image(self->ask, &source, &image, error);
    if (status == HL_OK) status = ask_text(self, image, error);
    double middle = peak_clock();
    if (status == HL_OK) status = ask_text(self, image, error);
    if (seconds) *seconds = middle - start;
    if (further) *further = peak_clock() - middle;
    self->ask->release_image(self->ask, image);
    return status;
}

static hl_status converse(conversation *self, question_seconds *out, hl_error *error) {
    const hl_model_info *info = self->of->model->info;
    self->heat = calloc((size_t)info->grid_rows * info->grid_cols, sizeof *self->heat);
    if (!self->heat) return hl_no_memory(error, "a heat");
    hl_status status = self->ask->open_selection(self->ask, "aggregate", &self->all, error);
    if (status == HL_OK) status = ask_image(self, 0, &out->first, NULL, error);
    for (unsigned run = 0; run < self->of->runs && status == HL_OK; ++run) {
        status = ask_image(self, run + 1, &out->image[run], &out->text[run], error);
    }
    self->ask->release_selection(self->ask, self->all);
    free(self->heat);
    return status;
}

hl_status use_questions(const use *self, question_seconds *out, hl_error *error) {
    asked_model *model = NULL;
    asker *made = NULL;
    hl_status status = asked_model_open(self->model, 0, &model, error);
    if (status == HL_OK) status = asker_open(model, NULL, NULL, &made, error);
    if (status == HL_OK) {
        conversation own = {.of = self, .ask = asker_interface(made)};
        status = converse(&own, out, error);
    }
    asker_close(made);
    asked_model_close(model);
    return status;
}
