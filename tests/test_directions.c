/* Directions that are no plain texts, from YAML to results.json through the built command and the embedded
 * model: templates, images, rows of .npy files and sums against plain arithmetic on arrays of `decompose`,
 * and what is refused where. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN = 12, WIDEST = 512 };

typedef struct setting {
    char *folder;              /* of the experiments: a gallery, files of templates, arrays */
    npy_array texts, pictures; /* embeddings: of the texts below, unit norm, and of scene 0, not normalised */
} setting;

static const char *const texts[] = {"snow", "a red star", "a photo of a blue ring.", "a blue ring, painted"};

static size_t width_of(const setting *made) {
    return made->texts.shape[1];
}

/* ---- files ---- */

/* A .npy file of version 1.0. */
static void write_rows(const char *folder, const char *name, const float *values, size_t rows,
                       size_t columns) {
    char *path = text("%s/%s", folder, name), header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    int used = snprintf(header + 10, sizeof header - 10,
                        "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    header[10 + used] = ' ';
    header[sizeof header - 1] = '\n';
    size_t bytes = rows * columns * sizeof *values;
    char *whole = calloc(1, sizeof header + bytes);
    memcpy(whole, header, sizeof header);
    memcpy(whole + sizeof header, values, bytes);
    write_file(path, whole, sizeof header + bytes);
    free(whole);
    free(path);
}

static void put(const setting *made, const char *name, const char *content) {
    char *path = text("%s/%s", made->folder, name);
    write_text(path, content);
    free(path);
}

static const float *row(const npy_array *of, size_t index) {
    return of->data + index * of->shape[1];
}

/* The vector of length 1. */
static void normalise(const double *sum, size_t width, float *out) {
    double square = 0;
    for (size_t i = 0; i < width; ++i) square += sum[i] * sum[i];
    for (size_t i = 0; i < width; ++i) out[i] = (float)(sum[i] / sqrt(square));
}

/* What the directions of the experiments below are, by arithmetic: the rows of expected.npy. */
enum { SNOW, ENSEMBLE, PICTURE, DIFFERENCE, NESTED, EXPECTED };

static void write_expected(const setting *made) {
    size_t width = width_of(made);
    float rows[EXPECTED * WIDEST];
    double ensemble[WIDEST], seen[WIDEST];
    for (size_t i = 0; i < width; ++i) {
        ensemble[i] = (double)row(&made->texts, 2)[i] + (double)row(&made->texts, 3)[i];
        seen[i] = (double)made->pictures.data[i];
    }
    memcpy(rows + SNOW * width, row(&made->texts, 0), width * sizeof *rows);
    normalise(ensemble, width, rows + ENSEMBLE * width);
    normalise(seen, width, rows + PICTURE * width);
    for (size_t i = 0; i < width; ++i) {
        double difference = (double)row(&made->texts, 0)[i] - 0.5 * (double)row(&made->texts, 1)[i];
        rows[DIFFERENCE * width + i] = (float)difference;
        rows[NESTED * width + i] = (float)(2 * (double)rows[PICTURE * width + i] - difference);
    }
    write_rows(made->folder, "expected.npy", rows, EXPECTED, width);
}

static int open_setting(void **state) {
    static setting made;
    made.folder = make_folder();
    char *gallery = text("%s/gallery", made.folder), *arrays = text("%s/arrays", made.folder);
    put_scenes(gallery, 0, SHOWN);
    assert_int_equal(run_command(NULL, NULL, "decompose", "--model", MINI, "--image",
                                 MINI_GALLERY "/scene-000.jpg", "--text", texts[0], "--text", texts[1],
                                 "--text", texts[2], "--text", texts[3], "--out", arrays, NULL),
                     0);
    made.texts = read_array(arrays, "text_embedding");
    made.pictures = read_array(arrays, "embedding");
    assert_true(width_of(&made) <= WIDEST);
    write_expected(&made);
    put(&made, "t.txt",
        "\xEF\xBB\xBF"
        "a photo of a {}.\r\n\r\na {}, painted\n");
    free(gallery);
    free(arrays);
    *state = &made;
    return 0;
}

static int close_setting(void **state) {
    setting *made = *state;
    free(made->texts.data);
    free(made->pictures.data);
    remove_folder(made->folder);
    return 0;
}

#define HEAD                                                                                                 \
    "model: {path: " MINI                                                                                    \
    "}\ncompute: {backend: reference}\ngallery: {images: gallery, atlas: atlas, dtype: f32}\n"

/* The same five, written as an experiment writes them. */
#define FORMS                                                                                                \
    "snow, {templates: t.txt, text: blue ring}, {image: gallery/scene-000.jpg}, {sum: [[1, snow], "          \
    "[-0.5, a red star]]}, {name: both, sum: [[2, {image: gallery/scene-000.jpg}], [-1, {sum: [[1, "         \
    "{text: snow}], [-0.5, a red star]]}]]}"
#define ROWS                                                                                                 \
    "{npy: expected.npy, row: 0}, {npy: expected.npy, row: 1}, {npy: expected.npy, row: 2}, {npy: "          \
    "expected.npy, row: 3}, {npy: expected.npy, row: 4}"

static const char *const names[EXPECTED] = {"snow", "blue ring (t.txt)", "image gallery/scene-000.jpg",
                                            "snow - 0.5*a red star", "both"};

static double score_of(const cJSON *item, const char *path) {
    const cJSON *neighbor;
    cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(item, "neighbors")) {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(neighbor, "path")), path) == 0)
            return cJSON_GetNumberValue(cJSON_GetObjectItem(neighbor, "score"));
    }
    fail_msg("no neighbour %s", path);
    return 0;
}

static const char *word(const cJSON *item, const char *key) {
    const char *found = cJSON_GetStringValue(cJSON_GetObjectItem(item, key));
    assert_non_null(found);
    return found;
}

static void directions_are_what_they_say(void **state) {
    const setting *made = *state;
    outcome got = run_in(strdup(made->folder), HEAD,
                         "  - {plugin: text-neighbors, texts: [" FORMS "], heads: [L3.H5, L2], count: 12}\n"
                         "  - {plugin: text-neighbors, texts: [" ROWS "], heads: [L3.H5, L2], count: 12}\n");
    need_success(&got);
    const cJSON *forms = results_of(&got, 0), *rows = results_of(&got, 1);
    int each = cJSON_GetArraySize(forms) / EXPECTED;
    assert_int_equal(cJSON_GetArraySize(forms), cJSON_GetArraySize(rows));
    assert_int_equal(each, 9);
    for (int i = 0; i < cJSON_GetArraySize(forms); ++i) {
        const cJSON *form = cJSON_GetArrayItem(forms, i), *plain = cJSON_GetArrayItem(rows, i);
        assert_string_equal(word(form, "query"), names[i / each]);
        char *called = text("expected.npy row %d", i / each);
        assert_string_equal(word(plain, "query"), called);
        free(called);
        for (size_t scene = 0; scene < SHOWN; ++scene) {
            char path[32];
            snprintf(path, sizeof path, "scene-%03zu.jpg", scene);
            double expected = score_of(plain, path), score = score_of(form, path);
            if (!(fabs(score - expected) < 2e-6)) {
                fail_msg("%s, %s: %g, expected %g", names[i / each], path, score, expected);
            }
        }
    }
    forget(&got);
    free(got.folder);
}

/* Heat is linear in the direction, whatever it was made from. */
static void heats_follow_directions(void **state) {
    const setting *made = *state;
    enum { CELLS = HEAT_SIDE * HEAT_SIDE };
    outcome got =
        run_in(strdup(made->folder), HEAD,
               "  - {plugin: topic-segmentation, images: gallery/scene-001.jpg, heads: aggregate, "
               "texts: [snow, a red star, {sum: [[1, snow], [-0.5, a red star]]}]}\n"
               "  - {plugin: contrastive-segmentation, images: gallery/scene-001.jpg, heads: L3.H5, "
               "texts: [{templates: t.txt, text: dog}, {npy: expected.npy}]}\n");
    need_success(&got);
    float grids[3][CELLS];
    for (int i = 0; i < 3; ++i) {
        read_grid(cJSON_GetArrayItem(results_of(&got, 0), i), HEAT_SIDE, HEAT_SIDE, grids[i]);
    }
    for (size_t i = 0; i < CELLS; ++i) {
        double expected = (double)grids[0][i] - 0.5 * (double)grids[1][i];
        assert_true(fabs(expected - (double)grids[2][i]) < 1e-6);
    }
    const cJSON *contrast = cJSON_GetArrayItem(results_of(&got, 1), 0);
    assert_string_equal(word(contrast, "text"), "dog (t.txt)");
    assert_string_equal(word(contrast, "minus"), "expected.npy row 0");
    forget(&got);
    free(got.folder);
}

/* ---- what is refused ---- */

static void mistakes_are_named(void **state) {
    const setting *made = *state;
    static const struct {
        const char *direction, *words; /* the direction begins at 9:9 */
    } cases[] = {
        {"{templates: t.txt}", "9:9: expected a text or one of {templates: FILE, text: TEXT}"},
        {"{text: a, image: gallery/scene-000.jpg}", "9:9: expected a text or one of"},
        {"{row: 3}", "9:9: expected a text or one of"},
        {"{text: snow, row: 3}", "9:9: expected a text or one of"},
        {"{}", "9:9: expected a text or one of"},
        {"[snow]", "9:9: option \"texts\": expected a list of texts, got a list of 1"},
        {"{templtes: t.txt, text: a}",
         "9:10: direction: unknown option \"templtes\"; did you mean \"templates\"?"},
        {"{templates: none.txt, text: a}", "none.txt: cannot be opened: No such file"},
        {"{templates: bad.txt, text: a}", "bad.txt:2: no {}, which stands for the text in a template"},
        {"{templates: empty.txt, text: a}", "empty.txt: no templates; expected one a line"},
        {"{templates: latin.txt, text: a}", "latin.txt:1: "},
        {"{image: none.jpg}", "9:17: the image "},
        {"{image: gallery}", "gallery is a folder, expected an image"},
        {"{npy: none.npy}", "none.npy: cannot be opened"},
        {"{npy: t.txt}", "t.txt: not a .npy file"},
        {"{npy: expected.npy, row: 5}", "expected.npy: has 5 rows, counted from 0, and no row 5"},
        {"{npy: expected.npy, row: -1}", "9:34: option \"row\": expected a whole number from 0"},
        {"{npy: narrow.npy}", "narrow.npy row 0 has 3 numbers, and a direction of the model"},
        {"{npy: zero.npy}", "zero.npy: row 0 is all 0, which is no direction"},
        {"{npy: nan.npy}", "nan.npy: row 0 holds what is no finite number"},
        {"{sum: []}", "9:15: sum: expected a list of [WEIGHT, DIRECTION]"},
        {"{sum: [[1, snow], snow]}", "9:27: sum: expected a list of [WEIGHT, DIRECTION]"},
        {"{sum: [[0, snow]]}", "9:16: sum: expected a list of [WEIGHT, DIRECTION]"},
        {"{sum: [[.nan, snow]]}", "9:16: sum: expected a list of [WEIGHT, DIRECTION]"},
        {"{sum: [[1, snow, 2]]}", "9:16: sum: expected a list of [WEIGHT, DIRECTION]"},
        {"{sum: [[1, {npy: narrow.npy}]]}", "9:20: narrow.npy row 0 has 3 numbers"},
        {"{sum: [[1, [snow]]]}", "9:20: expected a text or one of"},
    };
    float zeros[WIDEST] = {0}, nans[WIDEST] = {(float)NAN};
    write_rows(made->folder, "narrow.npy", (const float[]){1, 2, 3}, 1, 3);
    write_rows(made->folder, "zero.npy", zeros, 1, width_of(made));
    write_rows(made->folder, "nan.npy", nans, 1, width_of(made));
    put(made, "bad.txt", "a {}\nno gap\n");
    put(made, "empty.txt", "\n  \n");
    put(made, "latin.txt", "caf\xE9 {}\n");
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *yaml = text("headlight: 1\noutput: out\n" HEAD "analyses:\n"
                          "  - plugin: text-neighbors\n    texts:\n      - %s\n    heads: L3.H5\n",
                          cases[i].direction);
        char *path = text("%s/wrong.yaml", made->folder), *errors;
        write_text(path, yaml);
        int status = run_command(NULL, &errors, "run", "--check", path, NULL);
        if (status != 2 || !strstr(errors, cases[i].words) || !strstr(errors, "wrong.yaml:9:")) {
            fail_msg("%s: status %d: %s\nexpected %s", cases[i].direction, status, errors, cases[i].words);
        }
        free(errors);
        free(path);
        free(yaml);
    }
}

/* Only a model can say it, so that it is the run that fails. */
static void a_sum_that_cancels_is_no_direction(void **state) {
    (void)state;
    outcome got =
        run_experiment(MINI, "reference",
                       "  - plugin: topic-segmentation\n    images: " MINI_GALLERY "/scene-000.jpg\n"
                       "    texts: [{sum: [[1, snow], [-1, snow]]}]\n");
    need_failure(&got, 2, "experiment.yaml:8:13: \"snow - snow\" is no direction: it is 0");
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_are_what_they_say),
        cmocka_unit_test(heats_follow_directions),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_sum_that_cancels_is_no_direction),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
