/* Weighted sets of heads, "0.7*L2.H1 + 0.3*L1.H0", from YAML to results.json, through the built command and
 * the real plugins: neighbours and heats against plain arithmetic on golden contributions and heats,
 * properties with weights, and what is refused where. */
#include "core/registry/selection_terms.h"
#include "tests/experiment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static outcome run_and_need_success(char *folder, const char *head, const char *analyses) {
    outcome got = run_in(folder, head, analyses);
    need_success(&got);
    return got;
}

/* ---- sets, and what they stand for ---- */

enum { WIDEST = 64, MOST_HEADS = 16, GALLERY = 72, BEST = 8, TERMS = 2 };

typedef struct set {
    const char *written, *name; /* name NULL: the same */
    struct {
        int layer, head; /* -1: all */
        double weight;   /* 0: no further term */
    } terms[TERMS];
} set;

static const set sets[] = {
    {"0.7*L2.H1 + 0.3*L1.H0", NULL, {{2, 1, 0.7}, {1, 0, 0.3}}},
    {"L2.H2 + L0.H1", NULL, {{2, 2, 1}, {0, 1, 1}}},
    {"'  L1  +\n\n\n 2.5e-1 *\tL2.H0 '", "L1 + 2.5e-1 * L2.H0", {{1, -1, 1}, {2, 0, 0.25}}},
    {"3*L2.H1", NULL, {{2, 1, 3}}},
    {"1e-300*L0 + 2e-300*L2", NULL, {{0, -1, 1e-300}, {2, -1, 2e-300}}},
    {"1*all", NULL, {{-1, -1, 1}}},
};
enum { SETS = COUNT(sets) };

static const char *name_of(const set *of) {
    return of->name ? of->name : of->written;
}

/* All sets as items of a YAML list; free() it. */
static char *list_of_sets(void) {
    char *list = text("%s", "");
    for (size_t i = 0; i < SETS; ++i) {
        char *longer = text("%s%s%s", list, i ? ", " : "", sets[i].written);
        free(list);
        list = longer;
    }
    return list;
}

static const set *find_set(const char *name) {
    for (size_t i = 0; i < SETS; ++i) {
        if (strcmp(name_of(&sets[i]), name) == 0) return &sets[i];
    }
    fail_msg("no set is called \"%s\"", name);
    return NULL;
}

/* The weight of each head, by layer * per_layer + head. */
static void weights_of(const set *of, size_t layers, size_t per_layer, double *out) {
    assert_true(layers * per_layer <= MOST_HEADS);
    for (size_t i = 0; i < layers * per_layer; ++i) {
        out[i] = 0;
        for (size_t term = 0; term < TERMS; ++term) {
            int layer = of->terms[term].layer, head = of->terms[term].head;
            bool in =
                (layer < 0 || (size_t)layer == i / per_layer) && (head < 0 || (size_t)head == i % per_layer);
            if (in) out[i] += of->terms[term].weight;
        }
    }
}

/* ---- neighbours ---- */

#define IMAGES "[" TEST_GOLDEN "/images/rgb_wide.png, " TEST_GOLDEN "/images/gray.png]"
#define TEXTS  "[a red circle, a photo of two blue stars on grass]"
static const size_t image_rows[] = {0, 3}; /* of the images among the golden ones */

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

/* sum(w c) / sum(w) */
static void weighted_mean(const npy_array *of, size_t image, const double *weights, double *out) {
    size_t width = of->shape[3], all = of->shape[1] * of->shape[2];
    double total = 0;
    assert_true(width <= WIDEST);
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < all; ++i) {
        total += weights[i];
        for (size_t j = 0; j < width; ++j) {
            out[j] += weights[i] * (double)of->data[(image * all + i) * width + j];
        }
    }
    for (size_t j = 0; j < width; ++j) out[j] /= total;
}

static double product(const double *a, const double *b, size_t width) {
    double sum = 0;
    for (size_t j = 0; j < width; ++j) sum += a[j] * b[j];
    return sum;
}

/* The scores of all images for a query and a set. `query`: number of the image or text in the experiment. */
static void expected_scores(const contributions *of, const set *asked, size_t query, bool is_text,
                            bool cosine, double *out) {
    double weights[MOST_HEADS], direction[WIDEST], image[WIDEST];
    size_t width = of->gallery.shape[3];
    weights_of(asked, of->gallery.shape[1], of->gallery.shape[2], weights);
    if (is_text) {
        for (size_t j = 0; j < width; ++j) direction[j] = (double)of->texts.data[query * width + j];
    } else {
        weighted_mean(&of->queries, image_rows[query], weights, direction);
    }
    for (size_t i = 0; i < GALLERY; ++i) {
        weighted_mean(&of->gallery, i, weights, image);
        double lengths = sqrt(product(direction, direction, width) * product(image, image, width));
        out[i] = product(direction, image, width) / (cosine ? lengths : 1);
    }
}

static int largest_first(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left > right ? -1 : left < right;
}

/* Rank by rank; two images may stand in each other's place where their scores are closer than `near`. */
static void check_neighbors(const cJSON *item, const double *scores, double near, double largest_change) {
    double sorted[GALLERY];
    memcpy(sorted, scores, sizeof sorted);
    qsort(sorted, GALLERY, sizeof *sorted, largest_first);
    const cJSON *neighbors = cJSON_GetObjectItem(item, "neighbors");
    assert_int_equal(cJSON_GetArraySize(neighbors), BEST);
    for (int rank = 0; rank < BEST; ++rank) {
        const cJSON *neighbor = cJSON_GetArrayItem(neighbors, rank);
        int image;
        assert_int_equal(sscanf(field(neighbor, "path"), "g%d.png", &image), 1);
        double got = number_of(neighbor, "score");
        if (!(fabs(got - scores[image]) <= largest_change) || !(fabs(scores[image] - sorted[rank]) <= near)) {
            fail_msg("\"%s\" for %s, rank %d: %s scores %g, expected %g and a rank of %g",
                     field(item, "head"), field(item, "query"), rank + 1, field(neighbor, "path"), got,
                     scores[image], sorted[rank]);
        }
    }
}

/* Items come query by query, and for each query set by set. */
static void check_analysis(const cJSON *results, const contributions *of, bool is_text, bool cosine,
                           double tolerance) {
    const cJSON *item;
    size_t index = 0;
    double scores[GALLERY], largest = 0;
    for (size_t i = 0; i < SETS && !cosine; ++i) {
        expected_scores(of, &sets[i], 0, is_text, false, scores);
        for (size_t image = 0; image < GALLERY; ++image) largest = fmax(largest, fabs(scores[image]));
    }
    cJSON_ArrayForEach(item, results) {
        expected_scores(of, find_set(field(item, "head")), index++ / SETS, is_text, cosine, scores);
        double best = 0;
        for (size_t image = 0; image < GALLERY; ++image) best = fmax(best, scores[image]);
        check_neighbors(item, scores, 1e-5 * best, cosine ? tolerance : tolerance * largest);
    }
    assert_int_equal(index, 2 * SETS);
}

static void check_model(const char *name, const char *backend, double tolerance) {
    char *list = list_of_sets();
    char *head = text("model: {path: " TEST_GOLDEN "/%s/model}\ncompute: {backend: %s, threads: 2}\n"
                      "gallery: {images: " TEST_GOLDEN "/gallery, dtype: f32}\n",
                      name, backend);
    char *analyses =
        text("  - {plugin: image-neighbors, images: " IMAGES ", heads: &sets [%s], count: 8}\n"
             "  - {plugin: text-neighbors, texts: " TEXTS ", heads: *sets, count: 8}\n"
             "  - {plugin: image-neighbors, images: " IMAGES ", heads: *sets, metric: cosine}\n"
             "  - {plugin: text-neighbors, texts: " TEXTS ", heads: *sets, count: 8, metric: cosine}\n",
             list);
    contributions known = read_contributions(name);
    outcome got = run_and_need_success(make_folder(), head, analyses);
    for (int i = 0; i < 4; ++i) check_analysis(results_of(&got, i), &known, i % 2 == 1, i >= 2, tolerance);
    free_contributions(&known);
    free(list);
    free(head);
    free(analyses);
    end(&got);
}

static void neighbors_are_those_of_weighted_means(void **state) {
    (void)state;
    check_model("tiny-a", "reference", 2e-5);
    check_model("tiny-a", "openblas", 1e-4);
    check_model("tiny-b", "reference", 2e-5);
    check_model("tiny-b", "openblas", 1e-4);
}

/* ---- heats ---- */

enum { SIDE = 4, CELLS = SIDE * SIDE };

/* sum(w heat) of a golden image and text */
static void expected_heat(const npy_array *all, const set *asked, size_t image, size_t words, double *out) {
    double weights[MOST_HEADS];
    size_t heads = all->shape[2] * all->shape[3];
    weights_of(asked, all->shape[2], all->shape[3], weights);
    for (size_t cell = 0; cell < CELLS; ++cell) {
        out[cell] = 0;
        for (size_t head = 0; head < heads; ++head) {
            size_t row = (image * all->shape[1] + words) * heads + head;
            out[cell] += weights[head] * (double)all->data[row * CELLS + cell];
        }
    }
}

/* `minus`: the first text's heat less the second's. */
static void check_heat(const cJSON *item, const npy_array *all, size_t image, size_t words, bool minus,
                       double tolerance) {
    double expected[CELLS], other[CELLS] = {0}, largest = 0;
    float got[CELLS];
    const set *asked = find_set(field(item, "head"));
    if (asked->terms[0].weight < 1e-40) return; /* f32 has no such numbers */
    expected_heat(all, asked, image, words, expected);
    if (minus) expected_heat(all, asked, image, words + 1, other);
    read_grid(item, SIDE, SIDE, got);
    for (size_t cell = 0; cell < CELLS; ++cell) {
        largest = fmax(largest, fmax(fabs(expected[cell]), fabs(other[cell])));
    }
    for (size_t cell = 0; cell < CELLS; ++cell) {
        double change = fabs((double)got[cell] - (expected[cell] - other[cell])) / largest;
        if (!(change <= tolerance)) fail_msg("\"%s\" differs by %g", field(item, "head"), change);
    }
}

static void check_heats(const char *name, const char *backend, double tolerance) {
    npy_array all = golden(name, "heat");
    assert_int_equal(all.shape[4], CELLS);
    char *list = list_of_sets();
    char *head =
        text("model: {path: " TEST_GOLDEN "/%s/model}\ncompute: {backend: %s, threads: 2}\n", name, backend);
    char *analyses =
        text("  - {plugin: topic-segmentation, images: " IMAGES ", texts: " TEXTS ", heads: &sets [%s]}\n"
             "  - {plugin: contrastive-segmentation, images: " IMAGES ", texts: " TEXTS ", heads: *sets}\n"
             "  - {plugin: topic-segmentation, images: " IMAGES ", texts: " TEXTS ", heads: aggregate}\n"
             "  - {plugin: topic-segmentation, images: " IMAGES ", texts: " TEXTS ", heads: 1*all}\n",
             list);
    outcome got = run_and_need_success(make_folder(), head, analyses);
    const cJSON *item;
    size_t index = 0, each = SETS;
    cJSON_ArrayForEach(item, results_of(&got, 0)) {
        check_heat(item, &all, image_rows[index / each / 2], index / each % 2, false, tolerance);
        ++index;
    }
    assert_int_equal(index, 2 * 2 * each);
    index = 0;
    cJSON_ArrayForEach(item, results_of(&got, 1)) {
        check_heat(item, &all, image_rows[index++ / each], 0, true, tolerance);
    }
    assert_int_equal(index, 2 * each);
    /* the sum over all, by either name: to the last bit */
    const cJSON *aggregate = cJSON_GetArrayItem(results_of(&got, 2), 3);
    item = cJSON_GetArrayItem(results_of(&got, 3), 3);
    assert_string_equal(field(aggregate, "head"), "aggregate");
    assert_string_equal(field(item, "head"), "1*all");
    assert_true(
        cJSON_Compare(cJSON_GetObjectItem(item, "grid"), cJSON_GetObjectItem(aggregate, "grid"), true));
    free(list);
    free(head);
    free(analyses);
    free(all.data);
    end(&got);
}

static void heats_are_weighted_sums(void **state) {
    (void)state;
    check_heats("tiny-a", "reference", 2e-5);
    check_heats("tiny-a", "openblas", 1e-4);
    check_heats("tiny-b", "reference", 2e-5);
    check_heats("tiny-b", "openblas", 1e-4);
}

/* ---- properties ---- */

#define HEAD                                                                                                 \
    "model: {path: " TEST_GOLDEN "/tiny-a/model}\ncompute: {backend: openblas, threads: 2}\n"                \
    "gallery: {images: " TEST_GOLDEN "/gallery}\n"
#define LABELS "properties: {extractor: labels-file, path: labels.json, aliases: aliases.json}\n"

static char *folder_with_labels(const char *labels) {
    char *folder = make_folder(), *path = text("%s/labels.json", folder);
    char *aliases = text("%s/aliases.json", folder);
    write_text(path, labels);
    write_text(aliases, "{\"mixed\": [\"Mixed\", \"MIXED\"], \"nothing\": [\"Nothing\"]}");
    free(path);
    free(aliases);
    return folder;
}

/* A property asks its heads with the labels' weights: just as a sum does. */
static void weights_of_labels_arrive(void **state) {
    (void)state;
    char *folder = folder_with_labels("{\"properties\": {\"mixed\": {\"L1.H0\": 1, \"L2.H1\": 0.25},"
                                      "                  \"even\": [\"L2.H1\", \"L1.H0\"],"
                                      "                  \"ones\": {\"L2.H1\": 1, \"L1.H0\": 1.0}}}");
    outcome got = run_and_need_success(
        folder, HEAD LABELS,
        "  - {plugin: property-neighbors, images: " IMAGES ", properties: [mixed, even, ones], count: 72}\n"
        "  - {plugin: image-neighbors, images: " IMAGES
        ", heads: [0.25*L2.H1 + L1.H0, L2.H1 + L1.H0, L1.H0 + L2.H1], count: 72}\n");
    const cJSON *properties = results_of(&got, 0), *sums = results_of(&got, 1), *neighbors[2][3];
    assert_int_equal(cJSON_GetArraySize(properties), 6);
    assert_int_equal(cJSON_GetArraySize(sums), 4); /* the third is the second */
    for (int image = 0; image < 2; ++image) {
        for (int i = 0; i < 3; ++i) {
            const cJSON *item = cJSON_GetArrayItem(properties, image * 3 + i);
            neighbors[0][i] = cJSON_GetObjectItem(item, "neighbors");
            item = cJSON_GetArrayItem(sums, image * 2 + (i > 0));
            neighbors[1][i] = cJSON_GetObjectItem(item, "neighbors");
            assert_true(cJSON_Compare(neighbors[0][i], neighbors[1][i], true));
        }
        assert_false(cJSON_Compare(neighbors[0][0], neighbors[0][1], true));
    }
    end(&got);
}

static void properties_go_by_their_own_names(void **state) {
    (void)state;
    char *folder = folder_with_labels("{\"heads\": {\"L2.H1\": \"Mixed\", \"L1.H0\": \"others\"}}");
    outcome got = run_and_need_success(folder, HEAD LABELS,
                                       "  - {plugin: property-neighbors, images: " IMAGES
                                       ", properties: MIXED, count: 2}\n");
    const cJSON *analysis = cJSON_GetArrayItem(cJSON_GetObjectItem(got.root, "analyses"), 0);
    assert_string_equal(field(cJSON_GetArrayItem(results_of(&got, 0), 0), "head"), "mixed");
    const cJSON *asked = cJSON_GetObjectItem(cJSON_GetObjectItem(analysis, "options"), "properties");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(asked, 0)), "mixed");
    end(&got);

    folder = folder_with_labels("{\"heads\": {\"L2.H1\": \"Mixed\", \"L1.H0\": \"others\"}}");
    got = run_in(folder, HEAD LABELS,
                 "  - {plugin: property-neighbors, images: " IMAGES ", properties: [Mixed, Nothing]}\n");
    need_failure(&got, 1, "no head carries the property \"Nothing\"; there are: mixed, others");
    end(&got);
}

/* ---- lists ---- */

static void a_set_counts_once(void **state) {
    (void)state;
    outcome got = run_and_need_success(
        make_folder(), HEAD,
        "  - {plugin: text-neighbors, texts: [snow], heads: [L1.H1, 2*L1.H1, 3*L1.H1, L0.H0 + L2.H2,"
        " L2.H2+L0.H0, 1*L1.H1, L1, 2.0 * L1.H1, L2.H2 + 1e0*L0.H0, 2*L0.H0 + 2*L2.H2]}\n");
    static const char *const names[] = {"L1.H1", "2*L1.H1", "3*L1.H1",          "L0.H0 + L2.H2",
                                        "L1.H0", "L1.H2",   "2*L0.H0 + 2*L2.H2"};
    const cJSON *results = results_of(&got, 0);
    assert_int_equal(cJSON_GetArraySize(results), COUNT(names));
    for (int i = 0; i < (int)COUNT(names); ++i) {
        assert_string_equal(field(cJSON_GetArrayItem(results, i), "head"), names[i]);
    }
    end(&got);
}

/* ---- what is refused ---- */

#define ASK(HEADS) "  - plugin: text-neighbors\n    texts: [snow]\n    heads: [L0.H0, " HEADS "]\n"

static void mistakes_are_named(void **state) {
    (void)state;
#define WEIGHT "expected a weight other than 0 and at most 1e6, as in 0.7*L3.H5, got "
#define TERM                                                                                                 \
    "expected L3.H5, L3, L8-L11, all, L3.MLP or input, with or without a weight as in 0.7*L3.H5, got "
    static const struct {
        const char *analyses, *words;
    } cases[] = {
        {ASK("L1 +"), "9:20: option \"heads\": in the sum \"L1 +\": " TERM "nothing"},
        {ASK("+ L1"), "in the sum \"+ L1\": " TERM "\"+ L1\""},
        {ASK("L1 ++ L2"), TERM "\"+ L2\""},
        {ASK("0.5*"), TERM "nothing"},
        {ASK("'*L1'"), TERM "\"*L1\""},
        {ASK("x*L1"), TERM "\"x*L1\""},
        {ASK("nan*L1"), TERM "\"nan*L1\""},
        {ASK("inf*L1"), TERM "\"inf*L1\""},
        {ASK("2*3*L1"), TERM "\"3*L1\""},
        {ASK("L1H2 + L1"), TERM "\"L1H2 + L1\""},
        {ASK("L1 + L1.MLP - L1.MLP"), "L1.MLP is twice in the sum \"L1 + L1.MLP - L1.MLP\""},
        {ASK("L1 + L3.MLP"), "the model has no L3.MLP; its MLPs are L0.MLP to L2.MLP"},
        {ASK("L1.H0 + L12345678901234567890123456789012345678901234"), TERM "\"L12345"},
        {ASK("0*L1"), WEIGHT "\"0*L1\""},
        {ASK("-0*L1"), WEIGHT "\"0*L1\""},
        {ASK("L1 - - L2"), TERM "\"- L2\""},
        {ASK("L2-L1 + L0"), "L2-L1 goes backwards; write L1-L2"},
        {ASK("L1 - embedding"), "\"embedding\", the sum of everything, has no place in a sum"},
        {ASK("1000001*L1"), WEIGHT "\"1000001*L1\""},
        {ASK("1e999*L1"), WEIGHT "\"1e999*L1\""},
        {ASK("1e-999*L1"), WEIGHT "\"1e-999*L1\""},
        {ASK("1..5*L1"), WEIGHT "\"1..5*L1\""},
        {ASK("'0,5*L1'"), WEIGHT "\"0,5*L1\""},
        {ASK("0x1*L1"), WEIGHT "\"0x1*L1\""},
        {ASK("0.5 L1 + L2"), WEIGHT "\"0.5 L1 + L2\""},
        {ASK("L1 + 2"), WEIGHT "\"2\""},
        {ASK("0.50000000000000000000000000000000000*L1"), WEIGHT "\"0.5"},
        {ASK("L1*2"), "expected \"+\", \"-\" or the end, got \"*2\""},
        {ASK("2*L1 L2"), "expected \"+\", \"-\" or the end, got \"L2\""},
        {ASK("0.5*aggregate"), "\"aggregate\" has no place in a sum; write all"},
        {ASK("L1 + L1.H2"), "9:20: text-neighbors: the head L1.H2 is twice in the sum \"L1 + L1.H2\""},
        {ASK("L2.H1 + 2*L2.H1"), "the head L2.H1 is twice in the sum"},
        {ASK("1000000*L2.H0+1e-3*all"), "the head L2.H0 is twice in the sum \"1000000*L2.H0+1e-3*all\""},
        {ASK("L1 + 2*L3.H0"),
         "9:20: text-neighbors: the model has no head L3.H0; its heads are L0.H0 to L2.H2"},
        {ASK("L7 + L1"), "the model has no heads L7; its heads are L0.H0 to L2.H2"},
        {ASK("L1H"), "expected a list of heads (L3.H5, L3, L8-L11, all, L3.MLP, input, embedding or a sum "
                     "such as 0.7*L3.H5 + L2.H1), got"},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        outcome got = run_in(make_folder(), HEAD, cases[i].analyses);
        need_failure(&got, 2, "experiment.yaml:9:20: ");
        need_failure(&got, 2, cases[i].words);
        end(&got);
    }
}

static void aggregate_is_no_term(void **state) {
    (void)state;
    outcome got = run_in(make_folder(), HEAD,
                         "  - plugin: topic-segmentation\n    images: " IMAGES "\n    texts: [snow]\n"
                         "    heads: [aggregate, aggregate + L1]\n");
    need_failure(
        &got, 2,
        "experiment.yaml:10:24: option \"heads\": in the sum \"aggregate + L1\": \"aggregate\" has no "
        "place in a sum; write all");
    end(&got);
}

/* A plugin whose option does not say that it can take sets gets none. */
static void sets_are_for_those_who_ask_for_them(void **state) {
    (void)state;
    char *folder = make_folder(), *plugin = text("%s/analysis-sample.so", folder), *errors;
    char *path = text("%s/a.yaml", folder);
    copy_file(TEST_FIXTURES "/sample.fixture", plugin);
    write_text(path, "headlight: 1\nmodel: {path: " TEST_GOLDEN "/tiny-a/model}\noutput: out\n"
                     "analyses: [{plugin: sample, single-heads: [L1.H0 + L2.H0]}]\n");
    int status = run_command(NULL, &errors, "run", "--plugin-dir", folder, path, NULL);
    assert_int_equal(status, 2);
    assert_non_null(strstr(errors, "a.yaml:4:44: option \"single-heads\": takes heads one by one, no sums; "
                                   "write L3.H5, L3 or all"));
    free(errors);
    free(path);
    free(plugin);
    remove_folder(folder);
}

/* ---- the parser alone ---- */

static void any_text_is_read_or_refused(void **state) {
    (void)state;
    static const char *const pieces[] = {"L",     "H",    ".",   "3",        "0",   "12",  "+",
                                         "*",     " ",    "\t",  "e",        "-",   "all", "aggregate",
                                         "L3.H5", "0.7*", " + ", "\xC3\xA9", "1e6*"};
    enum { PIECES = COUNT(pieces), TEXTS_READ = 200000 };
    uint64_t seed = 5;
    size_t sums = 0;
    for (size_t i = 0; i < TEXTS_READ; ++i) {
        char *sum = calloc(1, 128); /* on the heap, so that a sanitizer sees its end */
        for (size_t left = 1 + i % 10; left > 0; --left) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            strcat(sum, pieces[(seed >> 33) % PIECES]);
        }
        char *exact = strdup(sum);
        selection_term term;
        hl_error error;
        hl_status status = HL_OK;
        for (const char *rest = exact; rest && status == HL_OK;) {
            status = term_next(&rest, 0, &term, &error);
            if (status != HL_OK) continue;
            assert_true(fabs(term.weight) > 0 && fabs(term.weight) <= 1e6 && term.kind != TERM_AGGREGATE);
            assert_true(!rest || (rest > exact && (rest[-1] == '+' || *rest == '-')));
        }
        sums += status == HL_OK;
        free(exact);
        free(sum);
    }
    assert_true(sums > TEXTS_READ / 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbors_are_those_of_weighted_means),
        cmocka_unit_test(heats_are_weighted_sums),
        cmocka_unit_test(weights_of_labels_arrive),
        cmocka_unit_test(properties_go_by_their_own_names),
        cmocka_unit_test(a_set_counts_once),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(aggregate_is_no_term),
        cmocka_unit_test(sets_are_for_those_who_ask_for_them),
        cmocka_unit_test(any_text_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
