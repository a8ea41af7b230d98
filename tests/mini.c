#include "tests/mini.h"

#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

cJSON *read_scenes(void) {
    cJSON *scenes = read_json(MINI_FOLDER "/gallery.json");
    assert_int_equal(cJSON_GetArraySize(scenes), SCENES);
    return scenes;
}

char *object_words(const cJSON *scene, const char *which) {
    const cJSON *object = cJSON_GetObjectItem(scene, which);
    const char *color = field(object, "colors");
    return text("%s %s %s", strchr("aeiou", *color) ? "an" : "a", color, field(object, "shapes"));
}

picture load_mask(const cJSON *scene) {
    picture mask;
    hl_error error;
    char *path = text(MINI_FOLDER "/%s", field(scene, "mask"));
    assert_ok(picture_load(path, &mask, &error), error);
    assert_int_equal(mask.width, SCENE_SIDE);
    assert_int_equal(mask.height, SCENE_SIDE);
    free(path);
    return mask;
}

double heat_at(const float *heat, size_t x, size_t y) {
    double at[2] = {((double)x + 0.5) * HEAT_SIDE / SCENE_SIDE - 0.5,
                    ((double)y + 0.5) * HEAT_SIDE / SCENE_SIDE - 0.5};
    double part[2];
    size_t low[2], high[2];
    for (int i = 0; i < 2; ++i) {
        at[i] = fmin(fmax(at[i], 0), HEAT_SIDE - 1);
        low[i] = (size_t)at[i];
        high[i] = low[i] + 1 < HEAT_SIDE ? low[i] + 1 : low[i];
        part[i] = at[i] - (double)low[i];
    }
    const float *above = heat + low[1] * HEAT_SIDE, *below = heat + high[1] * HEAT_SIDE;
    double top = (1 - part[0]) * (double)above[low[0]] + part[0] * (double)above[high[0]];
    double bottom = (1 - part[0]) * (double)below[low[0]] + part[0] * (double)below[high[0]];
    return (1 - part[1]) * top + part[1] * bottom;
}

void put_scenes(const char *folder, size_t first, size_t last) {
    mkdir(folder, 0755);
    for (size_t i = first; i < last; ++i) {
        char *from = text(MINI_GALLERY "/scene-%03zu.jpg", i), *to = text("%s/scene-%03zu.jpg", folder, i);
        copy_file(from, to);
        free(from);
        free(to);
    }
}
