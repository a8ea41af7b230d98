/* Searches over whatever writes into an embedding: MLPs, the input, ranges, whole embeddings, sums with
 * weights of both signs; through the built command and the embedded model, against plain arithmetic on arrays
 * of `decompose`. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN = 14, QUERY = 3, LAYERS = 4, HEADS = 8 };

typedef struct setting {
    char *folder;
    npy_array heads, mlps, embeddings, texts; /* of the scenes; of "snow" */
} setting;

static int open_setting(void **state) {
    static setting made;
    made.folder = make_folder();
    char *gallery = text("%s/gallery", made.folder), *arrays = text("%s/arrays", made.folder);
    put_scenes(gallery, 0, SHOWN);
    const char *arguments[2 * SHOWN + 16] = {TEST_COMMAND, "decompose", "--model", MINI};
    size_t used = 4;
    for (size_t i = 0; i < SHOWN; ++i) {
        arguments[used++] = "--image";
        arguments[used++] = text("%s/scene-%03zu.jpg", gallery, i);
    }
    const char *rest[] = {"--text", "snow", "--backend", "reference", "--out", arrays};
    memcpy(arguments + used, rest, sizeof rest);
    assert_int_equal(run_program(arguments, NULL, NULL), 0);
    for (size_t i = 5; i < 4 + 2 * SHOWN; i += 2) free((char *)(uintptr_t)arguments[i]);
    made.heads = read_array(arrays, "heads");
    made.mlps = read_array(arrays, "mlps");
    made.embeddings = read_array(arrays, "embedding");
    made.texts = read_array(arrays, "text_embedding");
    free(gallery);
    free(arrays);
    *state = &made;
    return 0;
}

static int close_setting(void **state) {
    setting *made = *state;
    free(made->heads.data);
    free(made->mlps.data);
    free(made->embeddings.data);
    free(made->texts.data);
    remove_folder(made->folder);
    return 0;
}

/* ---- what they stand for ---- */

typedef struct term {
    double weight;
    int layer, head; /* head -1: all of the layer; MLP, INPUT */
} term;
enum { MLP = 100, INPUT, TERMS = 4 };

static const struct {
    const char *name;
    term terms[TERMS];
} sets[] = {
    {"L3.MLP", {{1, 3, MLP}}},
    {"input", {{1, 0, INPUT}}},
    {"L2.H7", {{1, 2, 7}}},
    {"L1-L2 + input", {{1, 1, -1}, {1, 2, -1}, {1, 0, INPUT}}},
    {"L3.H5 - L2.H1", {{1, 3, 5}, {-1, 2, 1}}},
    {"-3*L3.MLP", {{-3, 3, MLP}}},
    {"1e6*L3.H5 - 2e5*L0.MLP - L1", {{1e6, 3, 5}, {-2e5, 0, MLP}, {-1, 1, -1}}},
    {"0.5*L3.H5 + 0.25*L3.MLP", {{0.5, 3, 5}, {0.25, 3, MLP}}},
    {"1e-9*L0.H0 - 1e-9*L0.MLP", {{1e-9, 0, 0}, {-1e-9, 0, MLP}}},
    {"embedding", {{0, 0, 0}}},
};

static const float *head_row(const setting *made, size_t image, size_t layer, size_t head) {
    return made->heads.data + ((image * LAYERS + layer) * HEADS + head) * made->embeddings.shape[1];
}

static void add_row(double weight, const float *row, size_t width, double *out, double *total) {
    for (size_t j = 0; j < width; ++j) out[j] += weight * (double)row[j];
    *total += weight;
}

/* What an image is compared by. */
static void combine(const setting *made, size_t set, size_t image, double *out) {
    size_t width = made->embeddings.shape[1];
    double total = 0;
    bool negative = false;
    memset(out, 0, width * sizeof *out);
    const term *terms = sets[set].terms;
    for (size_t i = 0; i < TERMS && fabs(terms[i].weight) > 0; ++i) {
        negative |= terms[i].weight < 0;
        size_t layer = (size_t)terms[i].layer;
        const float *mlps = made->mlps.data + image * (LAYERS + 1) * width;
        if (terms[i].head == MLP) {
            add_row(terms[i].weight, mlps + (layer + 1) * width, width, out, &total);
        } else if (terms[i].head == INPUT) {
            add_row(terms[i].weight, mlps, width, out, &total);
        } else {
            for (size_t head = 0; head < HEADS; ++head) {
                if (terms[i].head >= 0 && (size_t)terms[i].head != head) continue;
                add_row(terms[i].weight, head_row(made, image, layer, head), width, out, &total);
            }
        }
    }
    if (fabs(terms[0].weight) > 0) {
        for (size_t j = 0; j < width && !negative; ++j) out[j] /= total;
        return;
    }
    const float *embedding = made->embeddings.data + image * width;
    double square = 0;
    for (size_t j = 0; j < width; ++j) square += (double)embedding[j] * (double)embedding[j];
    for (size_t j = 0; j < width; ++j) out[j] = (double)embedding[j] / sqrt(square);
}

static double expected_score(const setting *made, size_t set, size_t image, bool is_text, bool cosine) {
    enum { WIDEST = 512 };
    double own[WIDEST], asked[WIDEST], product = 0, squares[2] = {0, 0};
    size_t width = made->embeddings.shape[1];
    assert_true(width <= WIDEST);
    combine(made, set, image, own);
    combine(made, set, QUERY, asked);
    for (size_t j = 0; j < width; ++j) {
        double other = is_text ? (double)made->texts.data[j] : asked[j];
        product += own[j] * other;
        squares[0] += own[j] * own[j];
        squares[1] += other * other;
    }
    return cosine ? product / sqrt(squares[0] * squares[1]) : product;
}

/* ---- through the command ---- */

#define HEAD                                                                                                 \
    "model: {path: " MINI                                                                                    \
    "}\ncompute: {backend: reference}\ngallery: {images: gallery, atlas: atlas, dtype: "                     \
    "f32}\n"
#define LIST                                                                                                 \
    "[L3.MLP, input, L2.H7, L1-L2 + input, L3.H5 - L2.H1, '-3*L3.MLP', 1e6*L3.H5 - 2e5*L0.MLP - L1, "        \
    "0.5*L3.H5 + 0.25*L3.MLP, 1e-9*L0.H0 - 1e-9*L0.MLP, embedding]"

static void check_item(const setting *made, const cJSON *item, size_t set, bool is_text, bool cosine) {
    const cJSON *neighbors = cJSON_GetObjectItem(item, "neighbors"), *neighbor;
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(item, "head")), sets[set].name);
    assert_int_equal(cJSON_GetArraySize(neighbors), is_text ? SHOWN : SHOWN - 1); /* not itself */
    double before = INFINITY, largest = 0;
    for (size_t i = 0; i < SHOWN; ++i) {
        largest = fmax(largest, fabs(expected_score(made, set, i, is_text, cosine)));
    }
    cJSON_ArrayForEach(neighbor, neighbors) {
        size_t image;
        const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(neighbor, "path"));
        assert_int_equal(sscanf(path, "scene-%zu.jpg", &image), 1);
        double score = cJSON_GetNumberValue(cJSON_GetObjectItem(neighbor, "score"));
        double expected = expected_score(made, set, image, is_text, cosine);
        if (!(fabs(score - expected) <= 2e-5 * largest)) {
            fail_msg("%s, %s: %.9g, expected %.9g", sets[set].name, path, score, expected);
        }
        assert_true(score <= before);
        before = score;
    }
}

static void searches_take_all_that_writes(void **state) {
    const setting *made = *state;
    outcome got =
        run_in(strdup(made->folder), HEAD,
               "  - {plugin: text-neighbors, texts: snow, count: 14, heads: &all " LIST "}\n"
               "  - {plugin: text-neighbors, texts: snow, count: 14, heads: *all, metric: cosine}\n"
               "  - {plugin: image-neighbors, images: gallery/scene-003.jpg, count: 14, heads: *all}\n"
               "  - {plugin: image-neighbors, images: gallery/scene-003.jpg, count: 14, heads: *all, "
               "metric: cosine}\n");
    need_success(&got);
    for (int analysis = 0; analysis < 4; ++analysis) {
        const cJSON *results = results_of(&got, analysis);
        assert_int_equal(cJSON_GetArraySize(results), COUNT(sets));
        for (size_t set = 0; set < COUNT(sets); ++set) {
            check_item(made, cJSON_GetArrayItem(results, (int)set), set, analysis < 2, analysis % 2 == 1);
        }
    }
    forget(&got);
    free(got.folder);
}

/* An atlas that is there without the columns gets them, or the error names the one that it lacks. */
static void a_missing_column_is_added_or_named(void **state) {
    const setting *made = *state;
    static const struct {
        const char *heads, *words;
    } cases[] = {{"L3.MLP", "it lacks the column \"mlps\""},
                 {"L3.H5 - input", "it lacks the column \"mlps\""},
                 {"embedding", "it lacks the column \"embedding\""}};
    char *gallery = text("%s/gallery", made->folder), *plain = text("%s/plain", made->folder),
         *lock = text("%s/.lock", plain);
    assert_int_equal(
        run_command(NULL, NULL, "index", "--model", MINI, "--images", gallery, "--out", plain, NULL), 0);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        char *head = text("model: {path: " MINI "}\ngallery: {images: %s, atlas: %s}\n", gallery, plain);
        char *fresh = text("model: {path: " MINI "}\ngallery: {images: %s}\n", gallery);
        char *analyses =
            text("  - {plugin: text-neighbors, texts: snow, heads: [L3.H5, %s]}\n", cases[i].heads);
        outcome got;
        if (i != 1) { /* whose column is there by then; a lock that cannot be opened closes the atlas */
            unlink(lock);
            assert_int_equal(mkdir(lock, 0700), 0);
            got = run_in(make_folder(), head, analyses);
            need_failure(&got, 1, cases[i].words);
            end(&got);
            rmdir(lock);
        }
        got = run_in(make_folder(), head, analyses);
        need_success(&got);
        outcome wanted = run_in(make_folder(), fresh, analyses);
        need_success(&wanted);
        char *results = cJSON_Print(results_of(&got, 0)), *expected = cJSON_Print(results_of(&wanted, 0));
        assert_string_equal(results, expected);
        free(results);
        free(expected);
        end(&got);
        end(&wanted);
        free(analyses);
        free(fresh);
        free(head);
    }
    free(gallery);
    free(lock);
    free(plain);
}

static void heat_is_of_heads(void **state) {
    (void)state;
    outcome got = run_experiment(MINI, "reference",
                                 "  - {plugin: topic-segmentation, images: " MINI_GALLERY
                                 "/scene-000.jpg, texts: snow, heads: [L3.H5, L3.MLP]}\n");
    need_failure(&got, 2, "\"L3.MLP\" goes beyond heads");
    end(&got);
    got = run_experiment(MINI, "reference",
                         "  - {plugin: topic-segmentation, images: " MINI_GALLERY
                         "/scene-000.jpg, texts: snow, heads: [L3.H5, L2.H1, L3.H5 - 2*L2.H1]}\n");
    need_success(&got);
    enum { CELLS = HEAT_SIDE * HEAT_SIDE };
    float grids[3][CELLS];
    for (int i = 0; i < 3; ++i) {
        read_grid(cJSON_GetArrayItem(results_of(&got, 0), i), HEAT_SIDE, HEAT_SIDE, grids[i]);
    }
    for (size_t i = 0; i < CELLS; ++i) {
        double expected = (double)grids[0][i] - 2 * (double)grids[1][i];
        assert_true(fabs(expected - (double)grids[2][i]) < 1e-6);
    }
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_take_all_that_writes),
        cmocka_unit_test(a_missing_column_is_added_or_named),
        cmocka_unit_test(heat_is_of_heads),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
