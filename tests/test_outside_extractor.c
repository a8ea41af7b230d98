/* plugins/README.md's extractor, taken at its word: built outside the tree against an installed headlight, it
 * names heads by texts, and neighbours are asked for by these names. Against the contributions themselves. */
#include "tests/contributions.h"
#include "tests/json.h"
#include "tests/mini.h"
#include "tests/outside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GALLERY = 24, LAYER = 3, LAYER_HEADS = 8, NEIGHBORS = 4, LONGEST = 80 };

#define POOL MINI_FOLDER "/pool.txt"

/* What the experiment is about, and the truth about it. */
typedef struct subject {
    const workshop *shop;
    char *images[GALLERY], *gallery;
    char *pool, *lines[1000]; /* its lines */
    contributions truth;
} subject;

static subject made;

static void read_pool(void) {
    size_t count = 0;
    made.pool = read_file(POOL, NULL);
    for (char *line, *rest = made.pool; (line = strtok_r(rest, "\n", &rest));) made.lines[count++] = line;
}

static int open_subject(void **state) {
    void *shop;
    if (open_workshop(&shop) != 0) return 1;
    made.shop = shop;
    write_block(shop, "c", 1, "spread-names.c");
    write_block(shop, "yaml", 1, "spread-names.yaml");
    build_by_hand(shop, "spread-names");
    made.gallery = text("%s/gallery", made.shop->folder);
    put_scenes(made.gallery, 0, GALLERY);
    for (size_t i = 0; i < GALLERY; ++i) made.images[i] = text("%s/scene-%03zu.jpg", made.gallery, i);
    char *arrays = text("%s/arrays", made.shop->folder);
    made.truth = contributions_read(arrays, (const char *const *)made.images, GALLERY,
                                    (const char *const[]){"--texts", POOL, NULL});
    free(arrays);
    read_pool();
    *state = &made;
    return 0;
}

static int close_subject(void **state) {
    (void)state;
    contributions_free(&made.truth);
    for (size_t i = 0; i < GALLERY; ++i) free(made.images[i]);
    free(made.gallery);
    free(made.pool);
    void *shop = (void *)(uintptr_t)made.shop;
    return close_workshop(&shop);
}

static void the_extractor_is_short(void **state) {
    (void)state;
    char *code = readme_block("c", 1);
    assert_true(count_lines(code) <= LONGEST);
    free(code);
}

/* The README's experiment on the gallery here, asked for one property. */
static cJSON *run(const char *property) {
    const workshop *shop = made.shop;
    char *yaml = text("%s/spread-names.yaml", shop->folder), *plugins = text("%s/by-hand", shop->folder);
    char *out = text("%s/out", shop->folder), *atlas = text("gallery.atlas=%s/atlas", shop->folder);
    char *images = text("gallery.images=%s", made.gallery),
         *query = text("analyses.0.images=[%s]", *made.images);
    char *asked = text("analyses.0.properties=[\"%s\"]", property), *results = text("%s/results.json", out);
    RUN(shop->command, "run", yaml, "--out", out, "--plugin-dir", plugins, "--set", "model.path=" MINI,
        "--set", "compute.backend=reference", "--set", images, "--set", atlas, "--set", "gallery.dtype=f32",
        "--set", "extractors.0.pool=" POOL, "--set", query, "--set", asked);
    cJSON *root = read_json(results);
    free(yaml);
    free(plugins);
    free(out);
    free(atlas);
    free(images);
    free(query);
    free(asked);
    free(results);
    return root;
}

/* ---- names ---- */

static const char *name_of(size_t head) {
    return made.lines[contributions_widest(&made.truth, LAYER, head)];
}

static void heads_are_named_by_what_varies_most(void **state) {
    (void)state;
    cJSON *root = run(name_of(0));
    const cJSON *step = cJSON_GetObjectItem(root, "extractors")->child;
    const cJSON *labels = cJSON_GetObjectItem(step, "results");
    assert_string_equal(field(step, "plugin"), "spread-names");
    assert_int_equal(cJSON_GetArraySize(labels), LAYER_HEADS);
    for (int i = 0; i < LAYER_HEADS; ++i) {
        const cJSON *label = cJSON_GetArrayItem(labels, i);
        size_t widest = contributions_widest(&made.truth, LAYER, (size_t)i);
        double expected = contributions_variance(&made.truth, LAYER, (size_t)i, widest), got;
        char *head = text("L%d.H%d", LAYER, i);
        assert_string_equal(field(label, "head"), head);
        assert_string_equal(field(label, "property"), made.lines[widest]);
        assert_int_equal(sscanf(field(label, "evidence"), "variance %lf", &got), 1);
        assert_true(fabs(got - expected) <= 1e-4 * expected);
        free(head);
    }
    cJSON_Delete(root);
}

/* ---- neighbours ---- */

/* The mean contribution of all heads that have this name, to an image. */
static void add_named(const char *name, size_t image, double *mean) {
    size_t width = made.truth.heads.shape[3], carrying = 0;
    for (size_t head = 0; head < LAYER_HEADS; ++head) {
        if (strcmp(name_of(head), name) != 0) continue;
        ++carrying;
        for (size_t i = 0; i < width; ++i) {
            mean[i] += (double)contribution_of(&made.truth, image, LAYER, head)[i];
        }
    }
    for (size_t i = 0; i < width; ++i) mean[i] /= (double)carrying;
}

static double score_of(const char *name, size_t image) {
    size_t width = made.truth.heads.shape[3];
    double *query = calloc(width, sizeof *query), *other = calloc(width, sizeof *other), score = 0;
    add_named(name, 0, query);
    add_named(name, image, other);
    for (size_t i = 0; i < width; ++i) score += query[i] * other[i];
    free(query);
    free(other);
    return score;
}

/* The image that is next after so many nearer ones; the query itself is left out. */
static double nth_score(const char *name, int rank) {
    double scores[GALLERY];
    for (size_t i = 1; i < GALLERY; ++i) {
        size_t at = i;
        double score = score_of(name, i);
        for (; at > 1 && scores[at - 1] < score; --at) scores[at] = scores[at - 1];
        scores[at] = score;
    }
    return scores[1 + rank];
}

static void properties_are_asked_for_by_these_names(void **state) {
    (void)state;
    for (size_t head = 0; head < LAYER_HEADS; head += 5) {
        const char *name = name_of(head);
        cJSON *root = run(name);
        const cJSON *analysis = cJSON_GetObjectItem(root, "analyses")->child;
        const cJSON *item = cJSON_GetObjectItem(analysis, "results")->child;
        const cJSON *neighbors = cJSON_GetObjectItem(item, "neighbors");
        assert_string_equal(field(item, "head"), name);
        assert_int_equal(cJSON_GetArraySize(neighbors), NEIGHBORS);
        for (int i = 0; i < NEIGHBORS; ++i) {
            const cJSON *neighbor = cJSON_GetArrayItem(neighbors, i);
            double expected = nth_score(name, i);
            size_t image = strtoul(field(neighbor, "path") + strlen("scene-"), NULL, 10);
            assert_true(fabs(number_of(neighbor, "score") - expected) <= 1e-4 * fabs(expected));
            assert_true(fabs(score_of(name, image) - expected) <= 1e-4 * fabs(expected));
        }
        cJSON_Delete(root);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_extractor_is_short),
        cmocka_unit_test(heads_are_named_by_what_varies_most),
        cmocka_unit_test(properties_are_asked_for_by_these_names),
    };
    return cmocka_run_group_tests(tests, open_subject, close_subject);
}
