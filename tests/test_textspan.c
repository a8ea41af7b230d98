/* extractor/textspan, by the built command: the peers' picks, what TextSpan comes to when it is done on
 * contributions themselves, and galleries and pools that give little or nothing to pick. */
#include "tests/contributions.h"
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL "model: {path: " MINI "}\ncompute: {backend: reference}\n"

static char *caches;

/* A cache of its own, so that what earlier runs kept has no say. */
static int open_setting(void **state) {
    (void)state;
    caches = make_folder();
    setenv("XDG_CACHE_HOME", caches, 1);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(caches);
    return 0;
}

/* What the first step found. */
static const cJSON *found_by(const outcome *got) {
    const cJSON *step = cJSON_GetArrayItem(cJSON_GetObjectItem(got->root, "extractors"), 0);
    return cJSON_GetObjectItem(step, "results");
}

static const cJSON *found_of(const outcome *got, const char *head) {
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(got)) {
        if (strcmp(field(item, "head"), head) == 0) return item;
    }
    fail_msg("nothing was found of %s", head);
    return NULL;
}

static int count_picks(const cJSON *of_head) {
    return cJSON_GetArraySize(cJSON_GetObjectItem(of_head, "texts"));
}

static const char *pick_of(const cJSON *of_head, int rank) {
    return field(cJSON_GetArrayItem(cJSON_GetObjectItem(of_head, "texts"), rank), "text");
}

/* Runs in `folder` on its gallery, the mini model's; `pool` is written there. */
static outcome span(char *folder, const char *pool, const char *options) {
    char *path = text("%s/pool.txt", folder);
    char *head = text(MODEL "gallery: {images: gallery, dtype: f32}\n"
                            "extractors: [{name: spans, plugin: textspan, pool: pool.txt%s%s}]\n",
                      *options ? ", " : "", options);
    if (pool) write_text(path, pool);
    outcome got = run_in(folder, head, "");
    free(head);
    free(path);
    return got;
}

/* A folder with the scenes [0, count). */
static char *make_place(size_t count) {
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, count);
    free(gallery);
    return folder;
}

/* ---- the peers' picks ---- */

static void compare_picks(const char *name, const char *backend) {
    char *path = text(TEST_GOLDEN "/%s/textspan.json", name), *model = text(TEST_GOLDEN "/%s/model", name);
    cJSON *expected = read_json(path);
    char *head = text("model: {path: %s}\ncompute: {backend: %s}\ngallery: {images: " TEST_GOLDEN
                      "/gallery, dtype: f32, atlas: atlas}\n"
                      "extractors: [{name: spans, plugin: textspan, pool: " TEST_GOLDEN
                      "/pool.txt, picks: 8, rank: %d}]\n",
                      model, backend, (int)number_of(expected->child, "rank_option"));
    outcome got = run_in(make_folder(), head, "");
    need_success(&got);
    assert_int_equal(cJSON_GetArraySize(found_by(&got)), cJSON_GetArraySize(expected));
    const cJSON *one, *of_head = found_by(&got)->child;
    cJSON_ArrayForEach(one, expected) {
        const cJSON *texts = cJSON_GetObjectItem(one, "texts");
        assert_string_equal(field(of_head, "head"), field(one, "head"));
        assert_int_equal(count_picks(of_head), cJSON_GetArraySize(texts));
        for (int i = 0; i < cJSON_GetArraySize(texts); ++i) {
            assert_string_equal(pick_of(of_head, i), cJSON_GetArrayItem(texts, i)->valuestring);
        }
        of_head = of_head->next;
    }
    free(head);
    free(path);
    free(model);
    cJSON_Delete(expected);
    end(&got);
}

static void picks_are_the_peers(void **state) {
    (void)state;
    static const char *const models[] = {"tiny-a", "tiny-b"}, *const backends[] = {"reference", "openblas"};
    for (size_t i = 0; i < COUNT(models); ++i)
        for (size_t k = 0; k < COUNT(backends); ++k) compare_picks(models[i], backends[k]);
}

/* ---- on contributions themselves ---- */

enum { IMAGES = 40, PICKS = 12, WIDTH = 16, DIM = 96 };

/* One head's contributions and the pool's texts, in double precision. */
typedef struct plain_span {
    double *images, *texts;
    size_t image_count, text_count;
} plain_span;

static double dot(const double *a, const double *b) {
    double sum = 0;
    for (size_t i = 0; i < DIM; ++i) sum += a[i] * b[i];
    return sum;
}

static void take_out(double *rows, size_t count, const double *unit) {
    for (size_t i = 0; i < count; ++i) {
        double along = dot(rows + i * DIM, unit);
        for (size_t k = 0; k < DIM; ++k) rows[i * DIM + k] -= along * unit[k];
    }
}

/* An orthonormal basis of what the rows span, by Gram and Schmidt; returns how many directions that are. */
static size_t find_span(const double *rows, size_t count, double *basis) {
    double *left = malloc(count * DIM * sizeof *left);
    size_t rank = 0;
    assert_non_null(left);
    memcpy(left, rows, count * DIM * sizeof *left);
    for (double first = 0; rank < DIM; ++rank) {
        size_t longest = 0;
        for (size_t i = 1; i < count; ++i) {
            const double *row = left + i * DIM, *most = left + longest * DIM;
            if (dot(row, row) > dot(most, most)) longest = i;
        }
        double length = sqrt(dot(left + longest * DIM, left + longest * DIM)), *unit = basis + rank * DIM;
        if (rank == 0) first = length;
        if (length < 3e-6 * first) break;
        for (size_t k = 0; k < DIM; ++k) unit[k] = left[longest * DIM + k] / length;
        take_out(left, count, unit);
    }
    free(left);
    return rank;
}

static double variance_along(const plain_span *of, const double *direction) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < of->image_count; ++i) mean += dot(of->images + i * DIM, direction);
    mean /= (double)of->image_count;
    for (size_t i = 0; i < of->image_count; ++i) {
        double off = dot(of->images + i * DIM, direction) - mean;
        square += off * off;
    }
    return square / (double)of->image_count;
}

/* Projects the texts; returns the rank of the head. */
static size_t project(plain_span *of) {
    double basis[DIM * DIM], *whole = of->texts;
    size_t rank = find_span(of->images, of->image_count, basis);
    double *projected = calloc(of->text_count * DIM, sizeof *projected);
    assert_non_null(projected);
    for (size_t t = 0; t < of->text_count; ++t)
        for (size_t r = 0; r < rank; ++r) {
            double along = dot(whole + t * DIM, basis + r * DIM);
            for (size_t k = 0; k < DIM; ++k) projected[t * DIM + k] += along * basis[r * DIM + k];
        }
    free(whole);
    of->texts = projected;
    return rank;
}

/* The next pick, which is taken out; its variance. */
static size_t pick(plain_span *of, double *variance) {
    double most = -1, unit[DIM];
    size_t widest = 0;
    for (size_t t = 0; t < of->text_count; ++t) {
        double along = variance_along(of, of->texts + t * DIM);
        if (along <= most) continue;
        most = along;
        widest = t;
    }
    double length = sqrt(dot(of->texts + widest * DIM, of->texts + widest * DIM));
    for (size_t k = 0; k < DIM; ++k) unit[k] = of->texts[widest * DIM + k] / length;
    *variance = variance_along(of, unit);
    take_out(of->images, of->image_count, unit);
    take_out(of->texts, of->text_count, unit);
    return widest;
}

static plain_span open_span(const contributions *from, size_t layer, size_t head) {
    plain_span of = {.image_count = from->heads.shape[0], .text_count = from->texts.shape[0]};
    of.images = malloc(of.image_count * DIM * sizeof *of.images);
    of.texts = malloc(of.text_count * DIM * sizeof *of.texts);
    assert_true(of.images && of.texts && from->heads.shape[3] == DIM);
    for (size_t i = 0; i < of.image_count * DIM; ++i) {
        of.images[i] = (double)contribution_of(from, i / DIM, layer, head)[i % DIM];
    }
    for (size_t i = 0; i < of.text_count * DIM; ++i) of.texts[i] = (double)from->texts.data[i];
    return of;
}

static double whole_variance(const plain_span *of) {
    double sum = 0;
    for (size_t k = 0; k < DIM; ++k) {
        double axis[DIM] = {0};
        axis[k] = 1;
        sum += variance_along(of, axis);
    }
    return sum;
}

static void compare_head(const contributions *truth, const outcome *got, size_t layer, size_t head,
                         char *const *lines) {
    char *name = text("L%zu.H%zu", layer, head);
    const cJSON *of_head = found_of(got, name), *one;
    plain_span of = open_span(truth, layer, head);
    double total = 0, variance, whole = whole_variance(&of);
    assert_int_equal(project(&of), WIDTH + 3);
    assert_int_equal((int)number_of(of_head, "rank"), WIDTH + 3);
    assert_true(fabs(number_of(of_head, "variance") - whole) < 1e-4 * whole);
    assert_in_range(number_of(of_head, "effective_rank"), 1, WIDTH + 3);
    assert_int_equal(count_picks(of_head), PICKS);
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(of_head, "texts")) {
        assert_string_equal(field(one, "text"), lines[pick(&of, &variance)]);
        total += variance;
        assert_true(fabs(number_of(one, "variance") - variance) < 1e-3 * variance);
        assert_true(fabs(number_of(one, "total") - total) < 1e-4 * total);
    }
    assert_true(total < whole);
    free(of.images);
    free(of.texts);
    free(name);
}

static char **read_lines(const char *path, size_t most) {
    char **lines = calloc(most + 1, sizeof *lines), *content = read_file(path, NULL), *rest = content;
    assert_non_null(lines);
    for (size_t i = 0; i < most && *rest; ++i) lines[i] = strdup(strsep(&rest, "\n"));
    free(content);
    return lines;
}

static void picks_are_those_of_contributions_themselves(void **state) {
    (void)state;
    char *folder = make_place(IMAGES), *out = text("%s/arrays", folder), *images[IMAGES];
    for (size_t i = 0; i < IMAGES; ++i) images[i] = text("%s/gallery/scene-%03zu.jpg", folder, i);
    static const char *const words[] = {"--texts", MINI_FOLDER "/pool.txt", NULL};
    contributions truth = contributions_read(out, (const char *const *)images, IMAGES, words);
    char *pool = read_file(MINI_FOLDER "/pool.txt", NULL), **lines = read_lines(MINI_FOLDER "/pool.txt", 999);
    outcome got = span(folder, pool, "picks: 12, heads: [L0.H2, L2.H6, L3]");
    need_success(&got);
    compare_head(&truth, &got, 0, 2, lines);
    compare_head(&truth, &got, 2, 6, lines);
    for (size_t head = 0; head < 8; ++head) compare_head(&truth, &got, 3, head, lines);
    for (size_t i = 0; i < IMAGES; ++i) free(images[i]);
    for (size_t i = 0; lines[i]; ++i) free(lines[i]);
    contributions_free(&truth);
    free(lines);
    free(pool);
    free(out);
    end(&got);
}

/* ---- overlap, folds ---- */

static double overlap_of(const outcome *got, const char *head, const char *over) {
    return number_of(cJSON_GetObjectItem(found_of(got, head), "overlap"), over);
}

/* Halves of the gallery are folds; a list for each of them says what its overlap has to be. */
static void overlap_is_that_of_lists_of_halves(void **state) {
    (void)state;
    char *folder = make_place(31), *pool = read_file(MINI_FOLDER "/pool.txt", NULL);
    outcome got = span(folder, pool, "picks: 8, heads: [L1.H2, L3.H5]"), halves[2];
    static const char *const heads[] = {"L1.H2", "L3.H5"};
    static const char *const options[] = {
        "picks: 8, heads: [L1.H2, L3.H5], stability: false, folds: 2, fold: 0",
        "picks: 8, heads: [L1.H2, L3.H5], stability: false, folds: 2, fold: 1"};
    need_success(&got);
    for (size_t i = 0; i < 2; ++i) {
        halves[i] = span(folder, NULL, options[i]);
        need_success(&halves[i]);
        assert_null(cJSON_GetObjectItem(found_of(&halves[i], heads[0]), "overlap"));
    }
    for (size_t h = 0; h < COUNT(heads); ++h) {
        int common = 0;
        for (int i = 0; i < 64; ++i) {
            const char *one = pick_of(found_of(&halves[0], heads[h]), i / 8);
            common += strcmp(one, pick_of(found_of(&halves[1], heads[h]), i % 8)) == 0;
        }
        assert_true(fabs(overlap_of(&got, heads[h], "gallery_halves") - common / 8.0) < 1e-12);
        double subsets = overlap_of(&got, heads[h], "pool_subsets");
        assert_true(subsets > 0 && subsets <= 1);
    }
    forget(&halves[0]);
    forget(&halves[1]);
    free(pool);
    end(&got);
}

/* Each line belongs to one of five parts; the list without the others' lines stays the same where the lines
 * are all picked anyway. */
static void a_pool_that_is_picked_whole_overlaps_with_itself(void **state) {
    (void)state;
    outcome got = span(make_place(20), "a red star\nsnow\na blue ring\nfog\nrain\n", "heads: [L3.H5]");
    need_success(&got);
    assert_int_equal(count_picks(found_of(&got, "L3.H5")), 5);
    assert_true(overlap_of(&got, "L3.H5", "pool_subsets") == 1);
    assert_true(overlap_of(&got, "L3.H5", "gallery_halves") == 1);
    assert_non_null(strstr(got.errors, "fewer than 20"));
    end(&got);
}

static void folds_that_cannot_be_are_refused(void **state) {
    (void)state;
    char *folder = make_place(3);
    outcome got = span(folder, "snow\n", "folds: 2, fold: 2");
    need_failure(&got, 2, "fold 2 of 2: folds count from 0");
    forget(&got);
    got = span(folder, "snow\n", "folds: 9, fold: 3");
    need_failure(&got, 2, "fold 3 of 9 of a gallery of 3 images has none");
    end(&got);
}

/* ---- little to pick ---- */

static void one_image_gives_nothing_to_pick(void **state) {
    (void)state;
    outcome got = span(make_place(1), "snow\na red star\n", "heads: [L3]");
    need_success(&got);
    assert_non_null(strstr(got.errors, "do not vary"));
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(&got)) {
        assert_int_equal((int)number_of(item, "rank"), 1);
        assert_true(number_of(item, "variance") == 0 && number_of(item, "effective_rank") == 0);
        assert_int_equal(count_picks(item), 0);
    }
    end(&got);
}

/* Contributions of few images span as many directions, and vary along one less. */
static void few_images_end_a_list(void **state) {
    (void)state;
    char *pool = read_file(MINI_FOLDER "/pool.txt", NULL);
    outcome got = span(make_place(5), pool, "heads: [L3.H5, L0.H0]");
    need_success(&got);
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(&got)) {
        const cJSON *last = NULL, *one;
        assert_int_equal((int)number_of(item, "rank"), 5);
        assert_true(number_of(item, "effective_rank") <= 4 + 1e-9);
        assert_in_range(count_picks(item), 4, 5);
        cJSON_ArrayForEach(one, cJSON_GetObjectItem(item, "texts")) last = one;
        double variance = number_of(item, "variance");
        assert_true(number_of(last, "total") <= variance * (1 + 1e-9));
        if (count_picks(item) == 5) assert_true(number_of(last, "total") > variance * (1 - 1e-6));
    }
    assert_non_null(strstr(got.errors, "fewer than 20"));
    free(pool);
    end(&got);
}

static void equal_images_vary_in_nothing(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, 1);
    for (int i = 1; i < 12; ++i) {
        char *from = text("%s/scene-000.jpg", gallery), *to = text("%s/copy-%d.jpg", gallery, i);
        copy_file(from, to);
        free(from);
        free(to);
    }
    free(gallery);
    outcome got = span(folder, "snow\na red star\n", "");
    need_success(&got);
    const cJSON *item;
    cJSON_ArrayForEach(item, found_by(&got)) assert_int_equal(count_picks(item), 0);
    assert_non_null(strstr(got.errors, "do not vary"));
    end(&got);
}

static void a_pool_of_one_line_is_picked(void **state) {
    (void)state;
    outcome got = span(make_place(9), "\r\n a red star \r\n", "heads: [L3.H5]");
    need_success(&got);
    assert_int_equal(count_picks(found_of(&got, "L3.H5")), 1);
    assert_string_equal(pick_of(found_of(&got, "L3.H5"), 0), "a red star");
    end(&got);
}

/* Of lines that say the same to the model the first is picked, and the others never. */
static void of_equal_texts_the_earlier_line_is_picked(void **state) {
    (void)state;
    outcome got = span(make_place(9), "SNOW\nRed star\nsnow\nred  star\nred star\nred star\n",
                       "heads: [L3.H5], picks: 4");
    need_success(&got);
    const cJSON *of_head = found_of(&got, "L3.H5");
    assert_int_equal(count_picks(of_head), 2);
    for (int i = 0; i < 2; ++i) {
        const char *one = pick_of(of_head, i);
        assert_true(strcmp(one, "SNOW") == 0 || strcmp(one, "Red star") == 0);
    }
    assert_non_null(strstr(got.errors, "1 line was said before"));
    end(&got);
}

/* Of many lines all that the model reads in part are said to be cut, also where their embeddings are known.
 */
static void lines_that_are_cut_are_said_again(void **state) {
    (void)state;
    enum { LINES = 1200 };
    char *folder = make_place(3), *pool = malloc(LINES * 160), *end = pool;
    assert_non_null(pool);
    for (int i = 0; i < LINES; ++i) {
        end += sprintf(end,
                       "%d red stars and rings and crosses on a green field under a grey sky in the fog and "
                       "the rain and the snow and the sun and the wind\n",
                       i);
    }
    for (int picks = 1; picks <= 2; ++picks) {
        char *options = text("heads: [L3.H5], stability: false, picks: %d", picks);
        outcome got = span(folder, pool, options);
        need_success(&got);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(got.root, "truncated")), LINES);
        forget(&got);
        free(options);
    }
    free(pool);
    remove_folder(folder);
}

/* ---- what cannot be ---- */

static void a_pool_that_is_none_is_refused(void **state) {
    (void)state;
    char *folder = make_place(2), *path = text("%s/pool.txt", folder);
    write_file(path, "snow\nr\xFFin\n", 10);
    outcome got = span(folder, NULL, "");
    need_failure(&got, 1, "pool.txt:2: not UTF-8");
    forget(&got);
    got = span(folder, "\n\n", "");
    need_failure(&got, 2, "the pool is empty");
    forget(&got);
    unlink(path);
    got = span(folder, NULL, "");
    need_failure(&got, got.status, "pool.txt");
    assert_int_not_equal(got.status, 0);
    free(path);
    end(&got);
}

static void an_atlas_of_another_model_is_refused(void **state) {
    (void)state;
    static const char head[] =
        "model: {path: %s}\ncompute: {backend: reference}\n"
        "gallery: {images: gallery, dtype: f32, atlas: atlas}\n"
        "extractors: [{name: spans, plugin: textspan, pool: " MINI_FOLDER "/pool.txt, heads: [L1.H0]}]\n";
    char *folder = make_place(3), *one = text("%s", MINI), *heads[2];
    heads[0] = text("model: {path: %s}\n%s", one, strchr(head, '\n') + 1);
    heads[1] = text("model: {path: %s}\n%s", TEST_GOLDEN "/tiny-a/model", strchr(head, '\n') + 1);
    outcome got = run_in(folder, heads[0], "");
    need_success(&got);
    forget(&got);
    char *results = text("%s/out/results.json", folder);
    unlink(results);
    got = run_in(folder, heads[1], "");
    need_failure(&got, got.status, "atlas");
    assert_int_not_equal(got.status, 0);
    free(results);
    free(heads[0]);
    free(heads[1]);
    free(one);
    end(&got);
}

static void options_are_checked(void **state) {
    (void)state;
    char *folder = make_place(2);
    static const char *const options[] = {"picks: 0", "rank: 0", "heads: [L9]", "folds: 0"};
    for (size_t i = 0; i < COUNT(options); ++i) {
        outcome got = span(folder, "snow\n", options[i]);
        need_failure(&got, 2, "experiment.yaml:6:");
        forget(&got);
    }
    remove_folder(folder);
}

/* More ranks than there are change nothing. */
static void a_rank_beyond_the_true_one_is_the_true_one(void **state) {
    (void)state;
    char *pool = read_file(MINI_FOLDER "/pool.txt", NULL), *folder = make_place(40);
    outcome all = span(folder, pool, "heads: [L2]"), beyond = span(folder, pool, "heads: [L2], rank: 80");
    need_success(&all);
    need_success(&beyond);
    assert_true(cJSON_Compare(found_by(&all), found_by(&beyond), true));
    assert_int_equal(count_picks(found_by(&all)->child), WIDTH + 3);
    forget(&all);
    free(pool);
    end(&beyond);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_are_the_peers),
        cmocka_unit_test(picks_are_those_of_contributions_themselves),
        cmocka_unit_test(overlap_is_that_of_lists_of_halves),
        cmocka_unit_test(a_pool_that_is_picked_whole_overlaps_with_itself),
        cmocka_unit_test(folds_that_cannot_be_are_refused),
        cmocka_unit_test(one_image_gives_nothing_to_pick),
        cmocka_unit_test(few_images_end_a_list),
        cmocka_unit_test(equal_images_vary_in_nothing),
        cmocka_unit_test(a_pool_of_one_line_is_picked),
        cmocka_unit_test(of_equal_texts_the_earlier_line_is_picked),
        cmocka_unit_test(lines_that_are_cut_are_said_again),
        cmocka_unit_test(a_pool_that_is_none_is_refused),
        cmocka_unit_test(an_atlas_of_another_model_is_refused),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_rank_beyond_the_true_one_is_the_true_one),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
