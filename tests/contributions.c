#include "tests/contributions.h"

#include "tests/mini.h"

#include <stdlib.h>

contributions contributions_read(const char *folder, const char *const *images, size_t image_count,
                                 const char *const *texts) {
    size_t text_words = 0;
    while (texts[text_words]) ++text_words;
    const char **words = calloc(16 + 2 * image_count + text_words, sizeof *words);
    static const char *const first[] = {TEST_COMMAND, "decompose", "--model", MINI,
                                        "--backend",  "reference", "--out"};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(first); ++i) words[count++] = first[i];
    words[count++] = folder;
    for (size_t i = 0; i < image_count; ++i) {
        words[count++] = "--image";
        words[count++] = images[i];
    }
    for (size_t i = 0; i < text_words; ++i) words[count++] = texts[i];
    char *errors;
    int status = run_program(words, NULL, &errors);
    if (status != 0) fail_msg("status %d: %s", status, errors);
    free(errors);
    free(words);
    return (contributions){read_array(folder, "heads"), read_array(folder, "text_embedding")};
}

void contributions_free(contributions *self) {
    free(self->heads.data);
    free(self->texts.data);
}

const float *contribution_of(const contributions *self, size_t image, size_t layer, size_t head) {
    const size_t *shape = self->heads.shape;
    return self->heads.data + ((image * shape[1] + layer) * shape[2] + head) * shape[3];
}

double contributions_variance(const contributions *self, size_t layer, size_t head, size_t text_number) {
    size_t width = self->heads.shape[3], images = self->heads.shape[0];
    const float *t = self->texts.data + text_number * width;
    double *scores = calloc(images, sizeof *scores), mean = 0, variance = 0;
    for (size_t image = 0; image < images; ++image) {
        const float *c = contribution_of(self, image, layer, head);
        for (size_t i = 0; i < width; ++i) scores[image] += (double)c[i] * (double)t[i];
        mean += scores[image] / (double)images;
    }
    for (size_t i = 0; i < images; ++i) variance += (scores[i] - mean) * (scores[i] - mean) / (double)images;
    free(scores);
    return variance;
}

size_t contributions_widest(const contributions *self, size_t layer, size_t head) {
    size_t widest = 0;
    double most = -1;
    for (size_t i = 0; i < self->texts.shape[0]; ++i) {
        double variance = contributions_variance(self, layer, head, i);
        if (variance <= most) continue;
        most = variance;
        widest = i;
    }
    return widest;
}
