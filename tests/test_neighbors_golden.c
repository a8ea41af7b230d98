/* Rankings of neighbours through the built command: by dot product against golden rankings, with atlases of
 * both precisions, and by cosine against plain arithmetic on golden contributions. */
#include "tests/experiment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BEST = 8, GALLERY = 72, WIDEST = 64, MOST_HEADS = 16 };

/* ---- what other people's code says ---- */

typedef struct golden_model {
    const char *name;
    cJSON *rankings;   /* neighbors.json: lists "image", "text" and "property" */
    npy_array gallery; /* contributions: GALLERY x layers x heads x width */
    npy_array images;  /* the same of golden_images */
    npy_array texts;   /* texts x width */
} golden_model;

static golden_model open_golden(const char *name) {
    char *path = text("%s/%s/neighbors.json", TEST_GOLDEN, name);
    golden_model of = {name, read_json(path), golden(name, "gallery_heads"), golden(name, "heads"),
                       golden(name, "text_embedding")};
    free(path);
    assert_int_equal(of.gallery.shape[0], GALLERY);
    assert_true(of.gallery.shape[3] <= WIDEST);
    return of;
}

static void close_golden(golden_model *of) {
    cJSON_Delete(of->rankings);
    free(of->gallery.data);
    free(of->images.data);
    free(of->texts.data);
}

static size_t head_number(const golden_model *of, const char *name) {
    size_t layer, head;
    assert_int_equal(sscanf(name, "L%zu.H%zu", &layer, &head), 2);
    return layer * of->gallery.shape[2] + head;
}

/* The heads that a result's "head", a head or a property, stands for. */
static size_t heads_of(const golden_model *of, const char *name, size_t *out) {
    const cJSON *property, *head;
    cJSON_ArrayForEach(property, cJSON_GetObjectItem(of->rankings, "property")) {
        if (strcmp(field(property, "property"), name) != 0) continue;
        size_t count = 0;
        cJSON_ArrayForEach(head, cJSON_GetObjectItem(property, "heads")) {
            assert_true(count < MOST_HEADS);
            out[count++] = head_number(of, head->valuestring);
        }
        return count;
    }
    *out = head_number(of, name);
    return 1;
}

static void mean_contribution(const npy_array *of, size_t image, const size_t *heads, size_t count,
                              double *out) {
    size_t width = of->shape[3], all = of->shape[1] * of->shape[2];
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

/* ---- a question, and how every image of the gallery answers it ---- */

static const char *const texts[] = {"a red circle", "a photo of two blue stars on grass", "snow"};

typedef struct question {
    const char *words; /* a text, or an image's file name */
    bool from_jpeg;
    size_t width;
    double vector[WIDEST];
    double gallery[GALLERY][WIDEST];
} question;

static size_t place_in(const char *const *names, size_t count, const char *name) {
    size_t i = 0;
    while (i < count && strcmp(names[i], name) != 0) ++i;
    return i;
}

static void ask(const golden_model *of, const cJSON *item, question *out) {
    const char *query = field(item, "query"), *slash = strrchr(query, '/');
    *out = (question){.words = slash ? slash + 1 : query, .width = of->gallery.shape[3]};
    size_t heads[MOST_HEADS], count = heads_of(of, field(item, "head"), heads);
    size_t image = place_in(golden_images, GOLDEN_IMAGES, out->words);
    size_t row = place_in(texts, COUNT(texts), out->words);
    out->from_jpeg = image >= GOLDEN_PNGS && image < GOLDEN_IMAGES;
    if (image < GOLDEN_IMAGES) {
        mean_contribution(&of->images, image, heads, count, out->vector);
    } else {
        assert_true(row < COUNT(texts));
        for (size_t j = 0; j < out->width; ++j) {
            out->vector[j] = (double)of->texts.data[row * out->width + j];
        }
    }
    for (size_t i = 0; i < GALLERY; ++i) {
        mean_contribution(&of->gallery, i, heads, count, out->gallery[i]);
    }
}

static void dot_scores(const question *of, double *scores) {
    for (size_t i = 0; i < GALLERY; ++i) scores[i] = product(of->vector, of->gallery[i], of->width);
}

static void cosine_scores(const question *of, double *scores) {
    double own = product(of->vector, of->vector, of->width);
    for (size_t i = 0; i < GALLERY; ++i) {
        const double *image = of->gallery[i];
        scores[i] = product(of->vector, image, of->width) / sqrt(own * product(image, image, of->width));
    }
}

/* |query| times the gallery's largest contribution. */
static double largest_product(const question *of) {
    double largest = 0;
    for (size_t i = 0; i < GALLERY; ++i) {
        largest = fmax(largest, product(of->gallery[i], of->gallery[i], of->width));
    }
    return sqrt(product(of->vector, of->vector, of->width) * largest);
}

static size_t image_number(const cJSON *neighbor) {
    size_t number;
    assert_int_equal(sscanf(field(neighbor, "path"), "g%zu.png", &number), 1);
    assert_true(number < GALLERY);
    return number;
}

/* ---- comparing ---- */

typedef struct leeway {
    double order;     /* an image may stand before one that is better by no more than this */
    double change;    /* of a score */
    bool other_image; /* an image from outside of the best eight may stand among them, if `order` allows */
} leeway;

/* The golden images went through another JPEG decoder: this much of the largest score. */
static const double DECODERS = 2e-2;

/* `best` of this ranking, `largest` of all. */
static leeway widen(leeway narrow, double best, double largest) {
    return (leeway){narrow.order + DECODERS * best, narrow.change + DECODERS * largest, true};
}

static size_t better_than(double score, const double *scores) {
    size_t count = 0;
    for (size_t i = 0; i < GALLERY; ++i) count += scores[i] > score;
    return count;
}

/* What f16 codes may change. */
static leeway of_f16(const question *asked) {
    double bound = 1e-3 * largest_product(asked);
    return (leeway){bound, bound, false};
}

/* `scores` are those expected of the whole gallery. */
static void check_ranking(const cJSON *item, const double *scores, leeway allowed) {
    const cJSON *neighbor;
    bool passed[GALLERY] = {false};
    double last = HUGE_VAL;
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "neighbors")), BEST);
    cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(item, "neighbors")) {
        size_t image = image_number(neighbor);
        double score = number_of(neighbor, "score"), change = fabs(score - scores[image]), before = 0;
        for (size_t i = 0; i < GALLERY; ++i) {
            if (!passed[i]) before = fmax(before, scores[i] - scores[image]);
        }
        bool among_best = allowed.other_image || better_than(scores[image], scores) < BEST;
        if (passed[image] || !among_best || !(before <= allowed.order) || !(change <= allowed.change)) {
            fail_msg("%s for %s: %s stands before one better by %g, %g allowed; its score is off by %g, "
                     "%g allowed",
                     field(item, "head"), field(item, "query"), field(neighbor, "path"), before,
                     allowed.order, change, allowed.change);
        }
        assert_true(score <= last);
        last = score;
        passed[image] = true;
    }
}

/* ---- the three analyses ---- */

enum { KINDS = 3 };

static const char *const kinds[KINDS] = {"image", "text", "property"};

typedef struct setting {
    const char *model, *backend;
    double tolerance; /* of f32 */
} setting;

static const setting settings[] = {
    {"tiny-a", "reference", 2e-5},
    {"tiny-a", "openblas", 1e-4},
    {"tiny-b", "reference", 2e-5},
    {"tiny-b", "openblas", 1e-4},
};

/* {"properties": {"colors": [heads], ...}}, as the golden rankings used them. */
static char *labels_of(const cJSON *rankings) {
    cJSON *labels = cJSON_CreateObject(), *properties = cJSON_AddObjectToObject(labels, "properties");
    const cJSON *ranking;
    cJSON_ArrayForEach(ranking, cJSON_GetObjectItem(rankings, "property")) {
        const char *name = field(ranking, "property");
        if (cJSON_GetObjectItem(properties, name)) continue;
        cJSON_AddItemToObject(properties, name, cJSON_Duplicate(cJSON_GetObjectItem(ranking, "heads"), true));
    }
    char *json = cJSON_Print(labels);
    cJSON_Delete(labels);
    return json;
}

/* `wish` are the options that the analyses share: count and metric. */
static outcome run_all(const golden_model *of, const setting *with, const char *dtype, const char *wish) {
    char *folder = make_folder(), *labels = labels_of(of->rankings), *path = text("%s/labels.json", folder);
    write_text(path, labels);
    char *head = text("model: {path: " TEST_GOLDEN "/%s/model}\ncompute: {backend: %s, threads: 2}\n"
                      "gallery: {images: " TEST_GOLDEN "/gallery, dtype: %s}\n"
                      "properties: {extractor: labels-file, path: labels.json}\n",
                      of->name, with->backend, dtype);
    char *analyses = text(
        "  - {plugin: image-neighbors, images: &all [" GOLDEN_PNG_LIST GOLDEN_JPEG_LIST "], heads: all, %s}\n"
        "  - {plugin: text-neighbors, texts: [%s, %s, %s], heads: all, %s}\n"
        "  - {plugin: property-neighbors, images: *all, properties: [colors, shapes], %s}\n",
        wish, texts[0], texts[1], texts[2], wish, wish);
    outcome got = run_in(folder, head, analyses);
    need_success(&got);
    for (int kind = 0; kind < KINDS; ++kind) {
        const cJSON *rankings = cJSON_GetObjectItem(of->rankings, kinds[kind]);
        assert_int_equal(cJSON_GetArraySize(results_of(&got, kind)), cJSON_GetArraySize(rankings));
    }
    free(labels);
    free(path);
    free(head);
    free(analyses);
    return got;
}

/* ---- golden rankings ---- */

static const cJSON *find_ranking(const cJSON *rankings, const question *of, const cJSON *item) {
    const cJSON *ranking;
    const char *head = field(item, "head"), *key = *head == 'L' ? "head" : "property";
    cJSON_ArrayForEach(ranking, rankings) {
        if (strcmp(field(ranking, "query"), of->words) == 0 && strcmp(field(ranking, key), head) == 0) {
            return ranking;
        }
    }
    fail_msg("no golden ranking of %s for %s", head, of->words);
    return NULL;
}

static double best_score(const cJSON *ranking) {
    return fabs(number_of(cJSON_GetArrayItem(cJSON_GetObjectItem(ranking, "neighbors"), 0), "score"));
}

/* Of the best eight as the ranking says; of the others, which it does not tell, from contributions. */
static void golden_scores(const question *of, const cJSON *ranking, double *scores) {
    const cJSON *neighbors = cJSON_GetObjectItem(ranking, "neighbors"), *neighbor;
    assert_int_equal(cJSON_GetArraySize(neighbors), BEST);
    dot_scores(of, scores);
    cJSON_ArrayForEach(neighbor, neighbors) {
        double *score = &scores[image_number(neighbor)], told = number_of(neighbor, "score");
        assert_true(fabs(*score - told) <= 1e-6 * largest_product(of));
        *score = told;
    }
}

static double largest_score(const cJSON *rankings) {
    double largest = 0;
    const cJSON *ranking;
    cJSON_ArrayForEach(ranking, rankings) largest = fmax(largest, best_score(ranking));
    return largest;
}

static void compare_kind(const golden_model *of, const cJSON *results, const cJSON *rankings, bool is_f16,
                         double tolerance) {
    const cJSON *item;
    double largest = largest_score(rankings);
    cJSON_ArrayForEach(item, results) {
        static question asked;
        double scores[GALLERY];
        ask(of, item, &asked);
        const cJSON *ranking = find_ranking(rankings, &asked, item);
        golden_scores(&asked, ranking, scores);
        double best = best_score(ranking);
        leeway allowed = is_f16 ? of_f16(&asked) : (leeway){1e-5 * best, tolerance * largest, false};
        check_ranking(item, scores, asked.from_jpeg ? widen(allowed, best, largest) : allowed);
    }
}

static void compare_with_golden(const setting *with, bool is_f16) {
    golden_model of = open_golden(with->model);
    outcome got = run_all(&of, with, is_f16 ? "f16" : "f32", "count: 8, metric: dot");
    for (int kind = 0; kind < KINDS; ++kind) {
        const cJSON *rankings = cJSON_GetObjectItem(of.rankings, kinds[kind]);
        compare_kind(&of, results_of(&got, kind), rankings, is_f16, with->tolerance);
    }
    end(&got);
    close_golden(&of);
}

static void rankings_are_golden(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(settings); ++i) compare_with_golden(&settings[i], false);
}

static void f16_changes_little(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(settings); ++i) compare_with_golden(&settings[i], true);
}

/* Against the same images with f32 codes, however they were decoded. */
static void compare_with_f32(const setting *with) {
    golden_model of = open_golden(with->model);
    outcome exact = run_all(&of, with, "f32", "count: 72"), got = run_all(&of, with, "f16", "count: 8");
    for (int kind = 0; kind < KINDS; ++kind) {
        const cJSON *item, *neighbor, *whole = results_of(&exact, kind)->child;
        cJSON_ArrayForEach(item, results_of(&got, kind)) {
            static question asked;
            double scores[GALLERY];
            ask(&of, item, &asked);
            assert_string_equal(field(whole, "query"), field(item, "query"));
            assert_string_equal(field(whole, "head"), field(item, "head"));
            assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(whole, "neighbors")), GALLERY);
            cJSON_ArrayForEach(neighbor, cJSON_GetObjectItem(whole, "neighbors")) {
                scores[image_number(neighbor)] = number_of(neighbor, "score");
            }
            check_ranking(item, scores, of_f16(&asked));
            whole = whole->next;
        }
    }
    end(&exact);
    end(&got);
    close_golden(&of);
}

static void f16_ranks_as_f32_does(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(settings); ++i) compare_with_f32(&settings[i]);
}

/* ---- cosine ---- */

static int lower_first(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The smallest size of a score among the best. */
static double smallest_of_best(const double *scores) {
    double sorted[GALLERY], smallest = HUGE_VAL;
    memcpy(sorted, scores, sizeof sorted);
    qsort(sorted, GALLERY, sizeof *sorted, lower_first);
    for (size_t i = GALLERY - BEST; i < GALLERY; ++i) smallest = fmin(smallest, fabs(sorted[i]));
    return smallest;
}

static void cosines_are_those_of_contributions(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(settings); ++i) {
        golden_model of = open_golden(settings[i].model);
        outcome got = run_all(&of, &settings[i], "f32", "count: 8, metric: cosine");
        for (int kind = 0; kind < KINDS; ++kind) {
            const cJSON *item;
            cJSON_ArrayForEach(item, results_of(&got, kind)) {
                static question asked;
                double scores[GALLERY];
                ask(&of, item, &asked);
                cosine_scores(&asked, scores);
                leeway allowed = {1e-5 * smallest_of_best(scores), settings[i].tolerance, false};
                check_ranking(item, scores, asked.from_jpeg ? widen(allowed, 1, 1) : allowed);
            }
        }
        end(&got);
        close_golden(&of);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rankings_are_golden),
        cmocka_unit_test(f16_changes_little),
        cmocka_unit_test(f16_ranks_as_f32_does),
        cmocka_unit_test(cosines_are_those_of_contributions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
