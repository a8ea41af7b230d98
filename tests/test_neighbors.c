/* The analyses of neighbours from YAML to results.json, through the built command and the real plugins:
 * against golden rankings, against plain arithmetic on golden contributions, and what they refuse. */
#include "tests/support.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- running experiments ---- */

typedef struct outcome {
    char *folder; /* holds the experiment and, in `out`, what it left */
    char *errors;
    int status;
    cJSON *root; /* of results.json; NULL when there is none */
} outcome;

/* `head` is the YAML before the analyses, but for version and output. */
static outcome run_in(char *folder, const char *head, const char *analyses) {
    outcome got = {.folder = folder};
    char *yaml = text("headlight: 1\noutput: out\n%sanalyses:\n%s", head, analyses);
    char *path = text("%s/experiment.yaml", folder), *json_path = text("%s/out/results.json", folder);
    write_text(path, yaml);
    got.status = run_command(NULL, &got.errors, "run", path, NULL);
    if (file_exists(json_path)) {
        char *json = read_file(json_path, NULL);
        got.root = cJSON_Parse(json);
        assert_non_null(got.root);
        free(json);
    }
    free(yaml);
    free(path);
    free(json_path);
    return got;
}

static void need_success(const outcome *got) {
    if (got->status != 0) fail_msg("%s", got->errors);
    assert_non_null(got->root);
}

static void forget(outcome *got) {
    cJSON_Delete(got->root);
    free(got->errors);
}

static void end(outcome *got) {
    forget(got);
    remove_folder(got->folder);
}

static void expect_failure(const char *head, const char *analyses, int status, const char *words) {
    outcome got = run_in(make_folder(), head, analyses);
    if (got.status != status || !strstr(got.errors, words)) {
        fail_msg("status %d: %s\nexpected %d: %s", got.status, got.errors, status, words);
    }
    assert_null(got.root);
    end(&got);
}

static const cJSON *results_of(const outcome *got, int analysis) {
    const cJSON *analyses = cJSON_GetObjectItem(got->root, "analyses");
    return cJSON_GetObjectItem(cJSON_GetArrayItem(analyses, analysis), "results");
}

static const char *field(const cJSON *item, const char *key) {
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(item, key));
    assert_non_null(value);
    return value;
}

static double score_of(const cJSON *neighbor) {
    const cJSON *score = cJSON_GetObjectItem(neighbor, "score");
    assert_true(cJSON_IsNumber(score));
    return score->valuedouble;
}

/* ---- golden rankings ---- */

enum { COUNT = 8, PNGS = 6, GALLERY = 72 };

/* The PNG images, which come first in order.txt; other decoders read the JPEG files slightly differently. */
static const char *const image_names[PNGS] = {"rgb_wide.png", "rgb_tall.png",    "rgb_tiny.png",
                                              "gray.png",     "rgba_opaque.png", "palette.png"};

typedef struct golden_case {
    const char *name, *backend, *dtype;
    double tolerance; /* of scores, as a share of the largest */
} golden_case;

static cJSON *golden_neighbors(const char *name) {
    char *path = text("%s/%s/neighbors.json", TEST_GOLDEN, name), *json = read_file(path, NULL);
    cJSON *root = cJSON_Parse(json);
    assert_non_null(root);
    free(path);
    free(json);
    return root;
}

/* {"properties": {"colors": [heads], ...}}, as the golden rankings used them. */
static char *labels_of(const cJSON *golden_root) {
    cJSON *labels = cJSON_CreateObject(), *properties = cJSON_AddObjectToObject(labels, "properties");
    const cJSON *ranking;
    cJSON_ArrayForEach(ranking, cJSON_GetObjectItem(golden_root, "property")) {
        const char *name = field(ranking, "property");
        if (cJSON_GetObjectItem(properties, name)) continue;
        cJSON_AddItemToObject(properties, name, cJSON_Duplicate(cJSON_GetObjectItem(ranking, "heads"), true));
    }
    char *json = cJSON_Print(labels);
    cJSON_Delete(labels);
    return json;
}

#define IMAGES                                                                                               \
    "[" TEST_GOLDEN "/images/rgb_wide.png, " TEST_GOLDEN "/images/rgb_tall.png, " TEST_GOLDEN                \
    "/images/rgb_tiny.png, " TEST_GOLDEN "/images/gray.png, " TEST_GOLDEN                                    \
    "/images/rgba_opaque.png, " TEST_GOLDEN "/images/palette.png]"

static outcome run_golden(const golden_case *of, const cJSON *golden_root, const char *metric) {
    char *folder = make_folder(), *labels = labels_of(golden_root), *path = text("%s/labels.json", folder);
    write_text(path, labels);
    char *head = text("model: {path: " TEST_GOLDEN "/%s/model}\ncompute: {backend: %s, threads: 2}\n"
                      "gallery: {images: " TEST_GOLDEN "/gallery, dtype: %s}\n"
                      "properties: {extractor: labels-file, path: labels.json}\n",
                      of->name, of->backend, of->dtype);
    char *analyses =
        text("  - {plugin: image-neighbors, images: " IMAGES ", heads: all, count: 8, metric: %s}\n"
             "  - {plugin: text-neighbors, texts: [a red circle, a photo of two blue stars on grass, snow], "
             "heads: all, count: 8, metric: %s}\n"
             "  - {plugin: property-neighbors, images: " IMAGES
             ", properties: [colors, shapes], count: 8, metric: %s}\n",
             metric, metric, metric);
    outcome got = run_in(folder, head, analyses);
    need_success(&got);
    free(labels);
    free(path);
    free(head);
    free(analyses);
    return got;
}

/* The part of a query's name that the golden rankings use. */
static const char *short_name(const char *query) {
    const char *slash = strrchr(query, '/');
    return slash ? slash + 1 : query;
}

static const cJSON *find_ranking(const cJSON *rankings, const char *query, const char *key,
                                 const char *selection) {
    const cJSON *ranking;
    cJSON_ArrayForEach(ranking, rankings) {
        bool same =
            strcmp(field(ranking, "query"), query) == 0 && strcmp(field(ranking, key), selection) == 0;
        if (same) return ranking;
    }
    fail_msg("no golden ranking of %s for %s", selection, query);
    return NULL;
}

/* The golden score of a path; -HUGE_VAL when it is not among the best. */
static double golden_score(const cJSON *neighbors, const char *path) {
    const cJSON *neighbor;
    cJSON_ArrayForEach(neighbor, neighbors) {
        if (strcmp(field(neighbor, "path"), path) == 0) return score_of(neighbor);
    }
    return -HUGE_VAL;
}

/* Rank by rank; two images may stand in each other's place where their scores are closer than `near`. */
static void compare_ranking(const cJSON *got, const cJSON *expected, double near, double largest_change) {
    const cJSON *neighbors = cJSON_GetObjectItem(got, "neighbors");
    const cJSON *wanted = cJSON_GetObjectItem(expected, "neighbors");
    assert_int_equal(cJSON_GetArraySize(neighbors), COUNT);
    assert_int_equal(cJSON_GetArraySize(wanted), COUNT);
    for (int rank = 0; rank < COUNT; ++rank) {
        const cJSON *neighbor = cJSON_GetArrayItem(neighbors, rank),
                    *other = cJSON_GetArrayItem(wanted, rank);
        const char *path = field(neighbor, "path");
        double own = golden_score(wanted, path), there = score_of(other);
        bool in_place = strcmp(path, field(other, "path")) == 0;
        if (!in_place && !(fabs(own - there) <= near)) {
            fail_msg("%s for %s, rank %d: %s instead of %s", field(got, "head"), field(got, "query"),
                     rank + 1, path, field(other, "path"));
        }
        assert_true(fabs(score_of(neighbor) - own) <= largest_change);
    }
}

static double best_score(const cJSON *ranking) {
    return fabs(score_of(cJSON_GetArrayItem(cJSON_GetObjectItem(ranking, "neighbors"), 0)));
}

/* Every ranking of the three analyses. `bound`: see f16_changes_little; 0 with f32. */
static void compare_all(const golden_case *of, double (*bound)(const golden_case *, const cJSON *, bool)) {
    static const char *const kinds[] = {"image", "text", "property"};
    cJSON *golden_root = golden_neighbors(of->name);
    outcome got = run_golden(of, golden_root, "dot");
    for (int analysis = 0; analysis < 3; ++analysis) {
        const cJSON *rankings = cJSON_GetObjectItem(golden_root, kinds[analysis]), *item, *ranking;
        double largest = 0;
        cJSON_ArrayForEach(ranking, rankings) largest = fmax(largest, best_score(ranking));
        cJSON_ArrayForEach(item, results_of(&got, analysis)) {
            const char *query = short_name(field(item, "query"));
            ranking = find_ranking(rankings, query, analysis == 2 ? "property" : "head", field(item, "head"));
            double room = bound ? bound(of, item, analysis == 1) : 0;
            compare_ranking(item, ranking, bound ? room : 1e-5 * best_score(ranking),
                            bound ? room : of->tolerance * largest);
        }
    }
    cJSON_Delete(golden_root);
    end(&got);
}

static void rankings_are_golden(void **state) {
    (void)state;
    static const golden_case cases[] = {
        {"tiny-a", "reference", "f32", 2e-5},
        {"tiny-a", "openblas", "f32", 1e-4},
        {"tiny-b", "reference", "f32", 2e-5},
        {"tiny-b", "openblas", "f32", 1e-4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) compare_all(&cases[i], NULL);
}

/* ---- golden contributions ---- */

typedef struct contributions {
    npy_array gallery; /* GALLERY x layers x heads x width */
    npy_array queries; /* images x layers x heads x width */
    npy_array texts;   /* texts x width */
} contributions;

static contributions read_contributions(const char *name) {
    return (contributions){golden(name, "gallery_heads"), golden(name, "heads"),
                           golden(name, "text_embedding")};
}

static void free_contributions(contributions *of) {
    free(of->gallery.data);
    free(of->queries.data);
    free(of->texts.data);
}

/* The heads that a result's "head" stands for, as layer * heads + head. */
static size_t heads_of(const char *name, const cJSON *golden_root, size_t per_layer, size_t *out) {
    const cJSON *property, *head;
    int layer, index;
    if (sscanf(name, "L%d.H%d", &layer, &index) == 2) {
        *out = (size_t)layer * per_layer + (size_t)index;
        return 1;
    }
    cJSON_ArrayForEach(property, cJSON_GetObjectItem(golden_root, "property")) {
        if (strcmp(field(property, "property"), name) != 0) continue;
        size_t count = 0;
        cJSON_ArrayForEach(head, cJSON_GetObjectItem(property, "heads")) {
            assert_int_equal(sscanf(head->valuestring, "L%d.H%d", &layer, &index), 2);
            out[count++] = (size_t)layer * per_layer + (size_t)index;
        }
        return count;
    }
    fail_msg("no heads of %s", name);
    return 0;
}

enum { WIDEST = 1024, MOST_HEADS = 16 };

static void mean_contribution(const npy_array *of, size_t image, const size_t *heads, size_t count,
                              double *out) {
    size_t width = of->shape[3], all = of->shape[1] * of->shape[2];
    assert_true(width <= WIDEST);
    for (size_t j = 0; j < width; ++j) {
        out[j] = 0;
        for (size_t i = 0; i < count; ++i) {
            out[j] += (double)of->data[(image * all + heads[i]) * width + j] / (double)count;
        }
    }
}

static double product(const double *a, const double *b, size_t width) {
    double sum = 0;
    for (size_t j = 0; j < width; ++j) sum += a[j] * b[j];
    return sum;
}

static void query_vector(const contributions *of, const cJSON *item, bool is_text, const size_t *heads,
                         size_t count, double *out) {
    static const char *const texts[] = {"a red circle", "a photo of two blue stars on grass", "snow"};
    const char *query = short_name(field(item, "query"));
    for (size_t i = 0; i < PNGS && !is_text; ++i) {
        if (strcmp(query, image_names[i]) == 0) mean_contribution(&of->queries, i, heads, count, out);
    }
    for (size_t i = 0; i < 3 && is_text; ++i) {
        if (strcmp(query, texts[i]) != 0) continue;
        for (size_t j = 0; j < of->texts.shape[1]; ++j) {
            out[j] = (double)of->texts.data[i * of->texts.shape[1] + j];
        }
    }
}

/* 1e-3 of |query| times the gallery's largest contribution. */
static double f16_bound(const golden_case *of, const cJSON *item, bool is_text) {
    static double query[WIDEST], image[WIDEST];
    size_t heads[MOST_HEADS];
    contributions known = read_contributions(of->name);
    cJSON *golden_root = golden_neighbors(of->name);
    size_t count = heads_of(field(item, "head"), golden_root, known.gallery.shape[2], heads);
    size_t width = known.gallery.shape[3];
    query_vector(&known, item, is_text, heads, count, query);
    double largest = 0;
    for (size_t i = 0; i < GALLERY; ++i) {
        mean_contribution(&known.gallery, i, heads, count, image);
        largest = fmax(largest, sqrt(product(image, image, width)));
    }
    double bound = 1e-3 * sqrt(product(query, query, width)) * largest;
    cJSON_Delete(golden_root);
    free_contributions(&known);
    return bound;
}

static void f16_changes_little(void **state) {
    (void)state;
    static const golden_case cases[] = {{"tiny-a", "openblas", "f16", 0},
                                        {"tiny-a", "reference", "f16", 0},
                                        {"tiny-b", "openblas", "f16", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) compare_all(&cases[i], f16_bound);
}

/* ---- cosine ---- */

typedef struct ranked {
    int image;
    double score;
} ranked;

static int best_first(const void *a, const void *b) {
    double left = ((const ranked *)a)->score, right = ((const ranked *)b)->score;
    return left > right ? -1 : left < right;
}

static void check_cosines(const contributions *of, const cJSON *golden_root, const cJSON *item,
                          bool is_text) {
    static double query[WIDEST], image[WIDEST];
    ranked expected[GALLERY];
    size_t heads[MOST_HEADS], width = of->gallery.shape[3];
    size_t count = heads_of(field(item, "head"), golden_root, of->gallery.shape[2], heads);
    query_vector(of, item, is_text, heads, count, query);
    for (int i = 0; i < GALLERY; ++i) {
        mean_contribution(&of->gallery, (size_t)i, heads, count, image);
        double lengths = sqrt(product(query, query, width) * product(image, image, width));
        expected[i] = (ranked){i, product(query, image, width) / lengths};
    }
    ranked by_image[GALLERY];
    memcpy(by_image, expected, sizeof expected);
    qsort(expected, GALLERY, sizeof *expected, best_first);
    for (int rank = 0; rank < COUNT; ++rank) {
        const cJSON *neighbor = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "neighbors"), rank);
        int got;
        assert_int_equal(sscanf(field(neighbor, "path"), "g%d.png", &got), 1);
        double own = by_image[got].score, there = expected[rank].score;
        assert_true(got == expected[rank].image || fabs(own - there) <= 1e-5 * fabs(there));
        assert_true(fabs(score_of(neighbor) - own) <= 2e-5);
    }
}

static void cosines_are_those_of_contributions(void **state) {
    (void)state;
    static const golden_case cases[] = {{"tiny-a", "reference", "f32", 0}, {"tiny-b", "reference", "f32", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        cJSON *golden_root = golden_neighbors(cases[i].name);
        contributions known = read_contributions(cases[i].name);
        outcome got = run_golden(&cases[i], golden_root, "cosine");
        for (int analysis = 0; analysis < 3; ++analysis) {
            const cJSON *item;
            cJSON_ArrayForEach(item, results_of(&got, analysis)) {
                check_cosines(&known, golden_root, item, analysis == 1);
            }
        }
        end(&got);
        free_contributions(&known);
        cJSON_Delete(golden_root);
    }
}

/* ---- the mini's truth ---- */

/* A factor of a scene's main group, or of the scene; NULL when it has none. */
static const char *factor_of(const cJSON *scene, const char *factor) {
    const cJSON *own = cJSON_GetObjectItem(scene, factor);
    return cJSON_GetStringValue(own ? own : cJSON_GetObjectItem(cJSON_GetObjectItem(scene, "main"), factor));
}

static char *all_scenes(const cJSON *gallery) {
    char *list = text("%s", "");
    const cJSON *scene;
    cJSON_ArrayForEach(scene, gallery) {
        char *longer = text("%s" TEST_SOURCE "/configs/mini/%s, ", list, field(scene, "path"));
        free(list);
        list = longer;
    }
    return list;
}

/* The share of an image's neighbours that have its value of the factor; results carry the gallery's facts. */
static double precision(const cJSON *results, const cJSON *gallery, const char *factor) {
    double sum = 0;
    int asked = 0, index = 0;
    const cJSON *item, *neighbor;
    cJSON_ArrayForEach(item, results) {
        const char *value = factor_of(cJSON_GetArrayItem(gallery, index++), factor);
        if (!value) continue;
        ++asked;
        cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(item, "neighbors")) {
            sum += strcmp(factor_of(neighbor, factor), value) == 0;
        }
    }
    return sum / asked / COUNT;
}

/* The figures in configs/mini/README.md, to three decimals; JPEG decoders may move the third. */
static void mini_finds_its_colors(void **state) {
    (void)state;
    static const double expected[] = {0.362, 0.543};
    char *json = read_file(TEST_SOURCE "/configs/mini/gallery.json", NULL);
    cJSON *gallery = cJSON_Parse(json);
    char *scenes = all_scenes(gallery);
    char *analyses =
        text("  - {plugin: property-neighbors, images: &all [%s], properties: [colors], count: 8}\n"
             "  - {plugin: property-neighbors, images: *all, properties: [colors], count: 8, "
             "metric: cosine}\n",
             scenes);
    outcome got =
        run_in(make_folder(),
               "model: {path: " TEST_SOURCE "/configs/mini/model}\n"
               "gallery: {images: " TEST_SOURCE "/configs/mini/gallery.json}\n"
               "properties: {extractor: labels-file, path: " TEST_SOURCE "/configs/mini/labels.json}\n",
               analyses);
    need_success(&got);
    for (int i = 0; i < 2; ++i) {
        double found = precision(results_of(&got, i), gallery, "colors");
        if (fabs(found - expected[i]) > 0.0025) fail_msg("precision at 8 is %g, not %g", found, expected[i]);
    }
    free(analyses);
    free(scenes);
    free(json);
    cJSON_Delete(gallery);
    end(&got);
}

/* ---- galleries ---- */

#define MODEL      "model: {path: " TEST_GOLDEN "/tiny-a/model}\ncompute: {backend: openblas, threads: 2}\n"
#define IN_GALLERY "gallery: {images: " TEST_GOLDEN "/gallery}\n"

static void the_query_itself_is_left_out(void **state) {
    (void)state;
    char *folder = make_folder(), *link = text("%s/link.png", folder);
    assert_int_equal(symlink(TEST_GOLDEN "/gallery/g005.png", link), 0);
    outcome got = run_in(folder, MODEL IN_GALLERY,
                         "  - {plugin: image-neighbors, images: [link.png], heads: L2.H1, count: 100}\n"
                         "  - {plugin: image-neighbors, images: [link.png], heads: L2.H1, count: 100, "
                         "metric: cosine, include-query: true}\n");
    need_success(&got);
    const cJSON *item = cJSON_GetArrayItem(results_of(&got, 0), 0), *neighbor;
    assert_string_equal(field(item, "query"), "link.png");
    assert_string_equal(field(item, "head"), "L2.H1");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "neighbors")), GALLERY - 1);
    cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(item, "neighbors")) {
        assert_string_not_equal(field(neighbor, "path"), "g005.png");
    }
    item = cJSON_GetArrayItem(results_of(&got, 1), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "neighbors")), GALLERY);
    neighbor = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "neighbors"), 0);
    assert_string_equal(field(neighbor, "path"), "g005.png");
    assert_true(fabs(score_of(neighbor) - 1) < 1e-3);
    free(link);
    end(&got);
}

/* Copies of one image score the same: with `reference` to the last bit, wherever in a batch they come. */
static void equal_images_come_in_the_order_of_paths(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    static const char *const names[] = {"c.png", "a.png", "d.png", "b.png"};
    assert_int_equal(mkdir(gallery, 0700), 0);
    for (size_t i = 0; i < 4; ++i) {
        char *to = text("%s/%s", gallery, names[i]);
        copy_file(TEST_GOLDEN "/gallery/g001.png", to);
        free(to);
    }
    outcome got = run_in(folder,
                         "model: {path: " TEST_GOLDEN "/tiny-a/model}\ncompute: {backend: reference}\n"
                         "gallery: {images: gallery}\n",
                         "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n");
    need_success(&got);
    const cJSON *list = cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(&got, 0), 0), "neighbors");
    static const char *const expected[] = {"a.png", "b.png", "c.png"};
    assert_int_equal(cJSON_GetArraySize(list), 3);
    for (int i = 0; i < 3; ++i) assert_string_equal(field(cJSON_GetArrayItem(list, i), "path"), expected[i]);
    free(gallery);
    end(&got);
}

static void a_gallery_of_the_query_alone_has_no_neighbors(void **state) {
    (void)state;
    char *folder = make_folder(), *image = text("%s/one.png", folder), *list = text("%s/list.txt", folder);
    copy_file(TEST_GOLDEN "/gallery/g001.png", image);
    write_text(list, "one.png\n");
    outcome got = run_in(folder, MODEL "gallery: {images: list.txt}\n",
                         "  - {plugin: image-neighbors, images: [one.png], heads: L2.H0}\n");
    need_success(&got);
    const cJSON *neighbors = cJSON_GetObjectItem(cJSON_GetArrayItem(results_of(&got, 0), 0), "neighbors");
    assert_true(cJSON_IsArray(neighbors));
    assert_int_equal(cJSON_GetArraySize(neighbors), 0);
    free(image);
    free(list);
    end(&got);
}

static void facts_are_carried_along(void **state) {
    (void)state;
    char *folder = make_folder(), *image = text("%s/one.png", folder),
         *list = text("%s/gallery.json", folder);
    copy_file(TEST_GOLDEN "/gallery/g001.png", image);
    write_text(list, "[{\"path\": \"one.png\", \"caption\": \"a caption\", \"score\": \"not this one\", "
                     "\"more\": {\"deep\": [1, true]}}]");
    outcome got = run_in(folder, MODEL "gallery: {images: gallery.json}\n",
                         "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n");
    need_success(&got);
    const cJSON *item = cJSON_GetArrayItem(results_of(&got, 0), 0);
    const cJSON *neighbor = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "neighbors"), 0);
    assert_string_equal(field(neighbor, "path"), "one.png");
    assert_string_equal(field(neighbor, "caption"), "a caption");
    score_of(neighbor);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(neighbor, "more"), "deep")),
                     2);
    assert_int_equal(cJSON_GetArraySize(neighbor), 4);
    free(image);
    free(list);
    end(&got);
}

/* Without `atlas` it lies among the results, and the next run takes it as it is. */
static void the_atlas_is_used_again(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/out/atlas/atlas.json", folder);
    static const char analyses[] = "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n";
    outcome got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    char *first = cJSON_Print(got.root);
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    forget(&got);
    got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    char *second = cJSON_Print(got.root);
    assert_int_equal(stat(path, &after), 0);
    assert_string_equal(first, second);
    assert_true(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    free(first);
    free(second);
    free(path);
    end(&got);
}

static void a_flipped_bit_is_named(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/out/atlas/shard-000000.safetensors", folder);
    static const char analyses[] = "  - {plugin: text-neighbors, texts: [snow], heads: L2.H0}\n";
    outcome got = run_in(folder, MODEL IN_GALLERY, analyses);
    need_success(&got);
    forget(&got);
    size_t count;
    char *bytes = read_file(path, &count);
    bytes[count / 2] ^= 4;
    write_file(path, bytes, count);
    got = run_in(folder, MODEL IN_GALLERY, analyses);
    assert_int_equal(got.status, 1);
    assert_non_null(strstr(got.errors, "shard-000000.safetensors"));
    free(bytes);
    free(path);
    end(&got);
}

/* ---- what is refused ---- */

#define MINI   "model: {path: " TEST_SOURCE "/configs/mini/model}\n"
#define LABELS "properties: {extractor: labels-file, path: " TEST_SOURCE "/configs/mini/labels.json}\n"
#define QUERY  "images: [" TEST_GOLDEN "/images/gray.png]"

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *head, *analyses, *words;
        int status;
    } cases[] = {
        {MINI, "  - {plugin: image-neighbors, " QUERY ", heads: L3}\n",
         ":5:5: image-neighbors searches a gallery: add gallery: {images: FOLDER}", 2},
        {MINI "gallery: {images: nowhere}\n", "  - {plugin: image-neighbors, " QUERY ", heads: L3}\n",
         "nowhere cannot be read", 2},
        {MINI IN_GALLERY, "  - {plugin: image-neighbors, " QUERY ", heads: [aggregate]}\n",
         "\"aggregate\" makes sense for heat only", 2},
        {MINI IN_GALLERY, "  - {plugin: text-neighbors, texts: [snow], heads: [L4.H0]}\n",
         "the model has no head L4.H0", 2},
        {MINI IN_GALLERY, "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H0], count: 0}\n",
         "expected a whole number from 1 to 10000", 2},
        {MINI IN_GALLERY, "  - {plugin: text-neighbors, texts: [snow], heads: [L3.H0], metric: cosinus}\n",
         "did you mean \"cosine\"?", 2},
        {MINI IN_GALLERY, "  - {plugin: property-neighbors, " QUERY ", properties: [colors]}\n",
         "the experiment does not say which heads carry \"colors\"", 2},
        {MINI IN_GALLERY LABELS,
         "  - {plugin: property-neighbors, " QUERY ", properties: [colors, shapes]}\n",
         "no head carries the property \"shapes\"; there are: colors, numbers, patterns, places, sizes, "
         "weather",
         1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        expect_failure(cases[i].head, cases[i].analyses, cases[i].status, cases[i].words);
    }
}

static void a_head_that_the_atlas_lacks_is_named(void **state) {
    (void)state;
    char *folder = make_folder(), *atlas = text("%s/atlas", folder), *errors;
    int status = run_command(NULL, &errors, "index", "--model", TEST_GOLDEN "/tiny-a/model", "--images",
                             TEST_GOLDEN "/gallery", "--out", atlas, "--layers", "L2", NULL);
    if (status != 0) fail_msg("%s", errors);
    static const char head[] = MODEL "gallery: {images: " TEST_GOLDEN "/gallery, atlas: atlas}\n";
    outcome got = run_in(folder, head, "  - {plugin: text-neighbors, texts: [snow], heads: L2}\n");
    need_success(&got);
    forget(&got);
    got = run_in(folder, head, "  - {plugin: text-neighbors, texts: [snow], heads: L1.H2}\n");
    assert_int_equal(got.status, 2);
    assert_non_null(strstr(got.errors, "holds no codes of head L1.H2"));
    free(errors);
    free(atlas);
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rankings_are_golden),
        cmocka_unit_test(f16_changes_little),
        cmocka_unit_test(cosines_are_those_of_contributions),
        cmocka_unit_test(mini_finds_its_colors),
        cmocka_unit_test(the_query_itself_is_left_out),
        cmocka_unit_test(equal_images_come_in_the_order_of_paths),
        cmocka_unit_test(a_gallery_of_the_query_alone_has_no_neighbors),
        cmocka_unit_test(facts_are_carried_along),
        cmocka_unit_test(the_atlas_is_used_again),
        cmocka_unit_test(a_flipped_bit_is_named),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_head_that_the_atlas_lacks_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
