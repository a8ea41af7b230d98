/* The embedded model's gallery, of which the truth is known: configs/mini. */
#ifndef TESTS_MINI_H
#define TESTS_MINI_H

#include "core/io/picture.h"
#include "tests/json.h"

#include <stddef.h>

#define MINI_FOLDER  TEST_SOURCE "/configs/mini"
#define MINI         MINI_FOLDER "/model"
#define MINI_GALLERY MINI_FOLDER "/gallery"

/* Scenes are SCENE_SIDE pixels wide and high; the model's grid of heat has HEAT_SIDE cells each way. */
enum { SCENES = 400, SCENE_SIDE = 160, SCENE_PIXELS = SCENE_SIDE * SCENE_SIDE, HEAT_SIDE = 8 };

cJSON *read_scenes(void);
/* What the scene's "main" or "other" group consists of: "an orange ring". The caller frees it. */
char *object_words(const cJSON *scene, const char *which);
/* The red of each pixel says which group it belongs to: 1 main, 2 other, 0 none. */
picture load_mask(const cJSON *scene);
/* The heat at one pixel: bilinear, half-pixel centres, clamped edges. */
double heat_at(const float *heat, size_t x, size_t y);

/* A new gallery of the scenes [first, last). */
void put_scenes(const char *folder, size_t first, size_t last);

#endif
