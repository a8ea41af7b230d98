/* See uses.h. */
#include "core/commands/made_input.h"
#include "core/commands/peak.h"
#include "core/commands/uses.h"

#include <stdlib.h>

static hl_status time_texts(const use *self, size_t first, char (*words)[MADE_TEXT], const char **texts,
                            float *embeddings, double *seconds, hl_error *error) {
    for (size_t i = 0; i < self->texts; ++i) {
        made_text(first + i, words[i]);
        texts[i] = words[i];
    }
    double start = peak_clock();
    hl_status status = engine_encode_texts(self->model, texts, self->texts, embeddings, NULL, error);
    *seconds = peak_clock() - start;
    return status;
}

/* The first run warms up. */
hl_status use_texts(const use *self, double *seconds, hl_error *error) {
    char(*words)[MADE_TEXT] = calloc(self->texts, sizeof *words);
    const char **texts = calloc(self->texts, sizeof *texts);
    float *embeddings = calloc(self->texts, self->model->info->embed_dim * sizeof *embeddings);
    hl_status status =
        words && texts && embeddings ? HL_OK : hl_no_memory(error, "the texts of a measurement");
    double warm;
    if (status == HL_OK) status = time_texts(self, 0, words, texts, embeddings, &warm, error);
    for (unsigned run = 0; run < self->runs && status == HL_OK; ++run) {
        status = time_texts(self, (run + 1) * self->texts, words, texts, embeddings, &seconds[run], error);
    }
    free(words);
    free(texts);
    free(embeddings);
    return status;
}
