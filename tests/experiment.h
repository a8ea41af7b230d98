/* Experiments: YAML through the built command and the real plugins to results.json. */
#ifndef TESTS_EXPERIMENT_H
#define TESTS_EXPERIMENT_H

#include "tests/json.h"
#include "tests/support.h"

/* Golden images as entries of a list in YAML. */
#define GOLDEN_ENTRY(NAME) TEST_GOLDEN "/images/" NAME ", "
#define GOLDEN_PNG_LIST                                                                                      \
    GOLDEN_ENTRY("rgb_wide.png")                                                                             \
    GOLDEN_ENTRY("rgb_tall.png")                                                                             \
    GOLDEN_ENTRY("rgb_tiny.png")                                                                             \
    GOLDEN_ENTRY("gray.png")                                                                                 \
    GOLDEN_ENTRY("rgba_opaque.png")                                                                          \
    GOLDEN_ENTRY("palette.png")
#define GOLDEN_JPEG_LIST                                                                                     \
    GOLDEN_ENTRY("n03998194_prayer_rug.jpg")                                                                 \
    GOLDEN_ENTRY("n01910747_jellyfish.jpg")                                                                  \
    GOLDEN_ENTRY("n02132136_brown_bear.jpg")

typedef struct outcome {
    char *folder; /* holds the experiment and, in `out`, what it left */
    char *errors;
    int status;
    cJSON *root; /* of results.json; NULL when there is none */
} outcome;

/* Runs in `folder`, which the outcome owns from then on. `head` is the YAML before the analyses, but for
 * version and output. */
outcome run_in(char *folder, const char *head, const char *analyses);
/* Runs a model on a backend in a fresh folder. */
outcome run_experiment(const char *model, const char *backend, const char *analyses);
/* The same, and it must go well. */
outcome run_well(const char *model, const char *backend, const char *analyses);

void need_success(const outcome *got);
/* It must have left no results, and `words` among its errors. */
void need_failure(const outcome *got, int status, const char *words);

/* Frees all but the folder, for another run in it. */
void forget(outcome *got);
void end(outcome *got);

/* The list of results of an analysis. */
const cJSON *results_of(const outcome *got, int analysis);
/* A heat's grid into `heat`; it must have exactly rows x cols numbers. */
void read_grid(const cJSON *item, size_t rows, size_t cols, float *heat);

#endif
