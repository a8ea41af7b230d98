/* Codes that an atlas's precision does not hold are refused by name, and numbers in a shard that are none are
 * found although its checksum is right. */
#include "core/io/checksum.h"
#include "core/weights/safetensors.h"
#include "core/weights/weights.h"
#include "tests/experiment.h"
#include "tests/indexed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS "open_clip_model.safetensors"

/* The values of one layer's attention, weights and biases, times a factor: so its heads' codes are. */
static void scale_tensor(char *bytes, size_t count, const char *name, size_t rows, float factor) {
    hl_weights *stored;
    hl_error error;
    assert_ok(safetensors_parse("weights", (const uint8_t *)bytes, count, &stored, &error), error);
    const hl_stored_tensor *found = weights_api.find(stored, name);
    assert_non_null(found);
    assert_int_equal(found->dtype, HL_F32);
    size_t row = (size_t)found->elements / (3 * rows);
    char *values = (char *)(uintptr_t)safetensors_data(stored, found) + 2 * rows * row * sizeof(float);
    for (size_t i = 0; i < rows * row; ++i) {
        float value;
        memcpy(&value, values + i * sizeof value, sizeof value);
        value *= factor;
        memcpy(values + i * sizeof value, &value, sizeof value);
    }
    weights_api.close(stored);
}

static char *make_scaled_model(const char *folder, float factor) {
    char *model = text("%s/model", folder), *path = text("%s/" WEIGHTS, model);
    copy_folder(TINY_MODEL, model);
    size_t count;
    char *bytes = read_file(path, &count);
    hl_weights *stored;
    hl_error error;
    assert_ok(safetensors_parse("weights", (const uint8_t *)bytes, count, &stored, &error), error);
    size_t width =
        (size_t)weights_api.find(stored, "visual.transformer.resblocks.1.attn.in_proj_bias")->elements / 3;
    weights_api.close(stored);
    scale_tensor(bytes, count, "visual.transformer.resblocks.1.attn.in_proj_weight", width, factor);
    scale_tensor(bytes, count, "visual.transformer.resblocks.1.attn.in_proj_bias", width, factor);
    write_file(path, bytes, count);
    free(bytes);
    free(path);
    return model;
}

typedef struct scaling {
    float factor;
    bool fits;
} scaling;

static const scaling SCALINGS[] = {{1, true},      {1e-2F, true},   {0, true},    {1e-6F, false},
                                   {1e-8F, false}, {1e-20F, false}, {1e6F, false}};

static void test_range_of_f16(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(SCALINGS); ++i) {
        workplace place = make_workplace(2);
        char *model = make_scaled_model(place.folder, SCALINGS[i].factor),
             *wide = text("%s/wide", place.folder), *errors;
        int status = run_command(NULL, &errors, "index", "--model", model, "--images", place.images, "--out",
                                 place.out, NULL);
        if ((status == 0) != SCALINGS[i].fits) {
            fail_msg("times %g: status %d: %s", (double)SCALINGS[i].factor, status, errors);
        }
        if (!SCALINGS[i].fits && (!strstr(errors, "codes.L") || !strstr(errors, "--dtype f32")))
            fail_msg("times %g: %s", (double)SCALINGS[i].factor, errors);
        index_well(model, place.images, wide, "--dtype", "f32", NULL);
        free(errors);
        free(wide);
        free(model);
        leave(&place);
    }
}

/* ---- numbers that are none ---- */

static void replace_sum(char *json, const void *before, const void *after, size_t count) {
    char was[CHECKSUM_ROOM], is[CHECKSUM_ROOM];
    checksum_of(before, count, was);
    checksum_of(after, count, is);
    char *place = strstr(json, was);
    assert_non_null(place);
    memcpy(place, is, CHECKSUM_ROOM - 1);
}

/* Overwrites bytes in a tensor of the only shard and makes the checksums right again. */
static void damage(const char *folder, const atlas *opened, size_t tensor, size_t offset, const void *by,
                   size_t count) {
    char *shard = text("%s/shard-000000.safetensors", folder), *list = text("%s/atlas.json", folder);
    const shard_file *file = &opened->shards[0];
    size_t begin = (size_t)((const char *)file->data[tensor] - (const char *)file->file.bytes), size;
    char *before = read_file(shard, &size), *after = read_file(shard, NULL), *json = read_file(list, NULL);
    memcpy(after + begin + offset, by, count);
    replace_sum(json, before, after, size);
    replace_sum(json, before + begin, after + begin, file->bytes[tensor]);
    write_file(shard, after, size);
    write_text(list, json);
    free(json);
    free(before);
    free(after);
    free(list);
    free(shard);
}

/* A search in a head reads its codes and the further numbers, no moments. */
static void check_run(const workplace *place, const char *tensor) {
    const char *head = strncmp(tensor, "codes.", 6) == 0 ? tensor + 6 : "L0.H0";
    char *asked = text("  - {plugin: text-neighbors, texts: [snow], heads: [%s], metric: cosine}\n", head);
    outcome got =
        run_in(place->folder, "model: {path: " MINI "}\ngallery: {images: images, atlas: atlas}\n", asked);
    if (strncmp(tensor, "moments.", 8) == 0) {
        need_success(&got);
    } else {
        need_failure(&got, 1, "shard-000000.safetensors");
    }
    free(asked);
    end(&got);
}

static void check_no_number(const char *dtype, const char *tensor, size_t row, const void *by, size_t count) {
    workplace place = make_workplace(5);
    char *said = text("tensor %s: ", tensor), *where = text("(scene-%03zu.jpg)", row), *errors;
    index_well(MINI, place.images, place.out, "--dtype", dtype, NULL);
    atlas *opened = open_atlas(place.out);
    size_t index = shard_layout_find(opened->layout, tensor);
    const shard_tensor *damaged = &opened->layout->tensors[index];
    bool by_row = damaged->extent == SHARD_IMAGES;
    damage(place.out, opened, index, (by_row ? row * damaged->row : 1) * count, by, count);
    atlas_close(opened);
    assert_int_equal(run_command(NULL, &errors, "verify", place.out, NULL), 1);
    if (!strstr(errors, "shard-000000.safetensors") || !strstr(errors, said) ||
        (by_row && !strstr(errors, where)))
        fail_msg("%s", errors);
    free(errors);
    check_run(&place, tensor);
    free(where);
    free(said);
    free(place.images);
    free(place.out);
}

static void test_no_numbers(void **state) {
    (void)state;
    const uint16_t half_nan = 0x7e00, half_infinite = 0xfc00, half_odd = 0x7c01;
    const float nan = NAN, infinite = -INFINITY;
    const double wide_nan = NAN;
    check_no_number("f16", "codes.L3.H5", 4, &half_nan, sizeof half_nan);
    check_no_number("f16", "codes.L0.H0", 0, &half_infinite, sizeof half_infinite);
    check_no_number("f16", "codes.L2.H7", 2, &half_odd, sizeof half_odd);
    check_no_number("f32", "codes.L3.H5", 3, &nan, sizeof nan);
    check_no_number("f32", "codes.L1.H1", 1, &infinite, sizeof infinite);
    check_no_number("f16", "scalars", 3, &nan, sizeof nan);
    check_no_number("f16", "moments.L1.H0", 0, &wide_nan, sizeof wide_nan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_of_f16),
        cmocka_unit_test(test_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
