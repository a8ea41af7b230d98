/* The search against plain double arithmetic on random atlases that are written and opened like real ones. */
#include "core/atlas/kernels.h"
#include "core/atlas/search.h"
#include "core/atlas/writer.h"
#include "core/host/host.h"
#include "core/io/call.h"
#include "core/io/convert.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Widths that are no multiple of a vector; few columns, so that several parts have more numbers than these.
 */
enum { IMAGES = 2500, SHARD = 1100, HEADS = 3, SCALARS = 3, EMBED = 40, WIDEST = 21 + SCALARS };
static const uint32_t widths[HEADS] = {13, 21, 8};
enum { OTHERS = 2, WHOLE = HEADS + OTHERS, PARTS = WHOLE + 1 }; /* heads, others, the embedding */
enum { TWIN = 1234, OTHER_TWIN = 77, DARK = 500 }; /* equal codes; an image that writes nothing */

typedef struct world {
    char *folder;
    atlas *images;
    float codes[HEADS][IMAGES][WIDEST]; /* as stored: with f16, rounded */
    float others[IMAGES][OTHERS][EMBED], embeddings[IMAGES][EMBED];
    float bases[HEADS][WIDEST][EMBED];
    float directions[HEADS][EMBED]; /* a text, and others */
    float queries[HEADS][WIDEST];
    const float *direction; /* behind these */
} world;

static size_t code_width(size_t head) {
    return widths[head] + SCALARS;
}

/* ---- making an atlas ---- */

static float random_number(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 33) / (double)(1u << 30) - 1);
}

/* What f16 makes of a number. */
static float rounded(float number) {
    uint8_t half[2];
    assert_int_equal(convert_to_f16(&number, 1, half), 1);
    convert_f16(half, 1, &number);
    return number;
}

static void fill_codes(world *made, bool half) {
    uint64_t state = 7;
    for (size_t image = 0; image < IMAGES; ++image) {
        float scalars[SCALARS];
        for (size_t k = 0; k < SCALARS; ++k) scalars[k] = random_number(&state);
        for (size_t head = 0; head < HEADS; ++head) {
            float *code = made->codes[head][image];
            for (size_t k = 0; k < widths[head]; ++k) {
                code[k] = random_number(&state);
                if (half) code[k] = rounded(code[k]);
            }
            memcpy(code + widths[head], scalars, sizeof scalars);
            if (image == DARK) memset(code, 0, code_width(head) * sizeof *code);
            if (image == TWIN) memcpy(code, made->codes[head][OTHER_TWIN], code_width(head) * sizeof *code);
        }
        float *columns[] = {made->others[image][0], made->others[image][1], made->embeddings[image]};
        for (size_t k = 0; k < 3 * EMBED; ++k) {
            float number = image == DARK ? 0 : random_number(&state);
            columns[k / EMBED][k % EMBED] = half ? rounded(number) : number;
        }
    }
    for (size_t head = 0; head < HEADS; ++head) {
        float *basis = made->bases[head][0];
        for (size_t i = 0; i < code_width(head) * EMBED; ++i) basis[i] = random_number(&state);
        for (size_t j = 0; j < EMBED; ++j) made->directions[head][j] = random_number(&state);
    }
}

/* Names that are in another order than the images. */
static void name_image(size_t image, char *out, size_t size) {
    snprintf(out, size, "%04zu.jpg", image * 1009 % IMAGES);
}

static void write_atlas(world *made, bool half, const hl_host *interface) {
    static const char *const names[HEADS] = {"L0.H0", "L0.H1", "L1.H0"};
    atlas_head heads[HEADS];
    for (size_t i = 0; i < HEADS; ++i) {
        heads[i] = (atlas_head){names[i], i == 2, i == 1, widths[i], SCALARS, HL_PER_IMAGE};
    }
    atlas_layout layout = {.model = "random",
                           .fingerprint = "0123456789abcdef0123456789abcdef",
                           .embed_dim = EMBED,
                           .dtype = half ? HL_F16 : HL_F32,
                           .columns = ATLAS_EMBEDDING | ATLAS_MLPS,
                           .mlps = OTHERS,
                           .heads = heads,
                           .head_count = HEADS};
    hl_error error;
    atlas_writer *writer;
    assert_ok(atlas_writer_open(made->folder, &layout, SHARD, &writer, &error), error);
    for (size_t first = 0; first < IMAGES; first += SHARD) {
        shard_builder *shard;
        size_t count = IMAGES - first < SHARD ? IMAGES - first : SHARD;
        assert_ok(shard_builder_open(atlas_writer_layout(writer), count, &shard, &error), error);
        for (size_t image = first; image < first + count; ++image) {
            char name[32];
            name_image(image, name, sizeof name);
            assert_ok(shard_builder_add(shard, (shard_image){name, 1, 1}, &error), error);
            for (size_t head = 0; head < HEADS; ++head) {
                assert_ok(shard_builder_code(shard, head, made->codes[head][image], &error), error);
            }
            const shard_layout *tensors = atlas_writer_layout(writer);
            assert_ok(shard_builder_row(shard, tensors->embedding, made->embeddings[image], &error), error);
            assert_ok(shard_builder_row(shard, tensors->mlps, made->others[image][0], &error), error);
        }
        assert_ok(atlas_writer_append(writer, shard, interface, &error), error);
        shard_builder_close(shard);
    }
    atlas_writer_close(writer);
    assert_ok(atlas_open(made->folder, &made->images, &error), error);
    assert_int_equal(atlas_count(made->images), IMAGES);
    assert_int_equal(atlas_shard_count(made->images), 3);
}

static host *open_host(unsigned threads) {
    static const hl_library_settings settings;
    host *made;
    hl_error error;
    assert_ok(host_open(&settings, threads, &made, &error), error);
    return made;
}

static world *open_world(bool half) {
    world *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->folder = make_folder();
    fill_codes(made, half);
    host *writing = open_host(1);
    write_atlas(made, half, &writing->interface);
    host_close(writing);
    return made;
}

static void close_world(world *made) {
    atlas_close(made->images);
    remove_folder(made->folder);
    free(made);
}

/* ---- the same by the formulas ---- */

/* q = B t */
static void make_queries(world *made, const float *direction) {
    made->direction = direction;
    for (size_t head = 0; head < HEADS; ++head) {
        for (size_t k = 0; k < code_width(head); ++k) {
            double sum = 0;
            for (size_t j = 0; j < EMBED; ++j) {
                sum += (double)made->bases[head][k][j] * (double)direction[j];
            }
            made->queries[head][k] = (float)sum;
        }
    }
}

/* What a part wrote into an image, and y . q of it. */
static double contribution(const world *made, size_t part, size_t image, double out[EMBED]) {
    double score = 0, square = 0;
    memset(out, 0, EMBED * sizeof *out);
    if (part < HEADS) {
        const float *code = made->codes[part][image], *query = made->queries[part];
        for (size_t k = 0; k < code_width(part); ++k) {
            score += (double)code[k] * (double)query[k];
            for (size_t j = 0; j < EMBED; ++j) out[j] += (double)code[k] * (double)made->bases[part][k][j];
        }
        return score;
    }
    const float *row = part < WHOLE ? made->others[image][part - HEADS] : made->embeddings[image];
    for (size_t j = 0; j < EMBED; ++j) square += (double)row[j] * (double)row[j];
    double length = part == WHOLE && square > 0 ? sqrt(square) : 1;
    for (size_t j = 0; j < EMBED; ++j) {
        out[j] = (double)row[j] / length;
        score += out[j] * (double)made->direction[j];
    }
    return score;
}

/* Score of an image: (weighted mean or sum over the parts of y . q), over the lengths for cosine. */
static double expected_score(const world *made, const size_t *parts, size_t count, size_t image,
                             const search_request *request) {
    double score = 0, mean[EMBED] = {0}, one[EMBED], square = 0, total = 0;
    for (size_t i = 0; i < count; ++i) total += request->weights ? request->weights[i] : 1;
    if (request->is_sum) total = 1;
    for (size_t i = 0; i < count; ++i) {
        double share = (request->weights ? request->weights[i] : 1) / total;
        score += share * contribution(made, parts[i], image, one);
        for (size_t j = 0; j < EMBED; ++j) mean[j] += share * one[j];
    }
    for (size_t j = 0; j < EMBED; ++j) square += mean[j] * mean[j];
    if (!request->cosine) return score;
    return square > 0 ? score / (sqrt(square) * request->query_length) : 0;
}

typedef struct ranked {
    size_t image;
    double score;
    char name[32];
} ranked;

static int best_first(const void *a, const void *b) {
    const ranked *left = a, *right = b;
    if (left->score > right->score || left->score < right->score) return left->score < right->score ? 1 : -1;
    return strcmp(left->name, right->name);
}

/* ---- searching ---- */

typedef struct search_case {
    size_t heads[PARTS], count; /* or others, or the embedding */
    bool cosine;
    double weights[PARTS]; /* the first one 0: none; one below 0: a sum */
} search_case;

static const search_case cases[] = {
    {.heads = {0}, .count = 1},
    {.heads = {1}, .count = 1},
    {.heads = {0, 1, 2}, .count = 3},
    {.heads = {0, 1, 2}, .count = 3, .weights = {0.25, 3, 1}},
    {.heads = {0}, .count = 1, .cosine = true},
    {.heads = {2}, .count = 1, .cosine = true, .weights = {1e-6}},
    {.heads = {1, 2}, .count = 2, .cosine = true}, /* 35 numbers: by the Gram matrix */
    {.heads = {1, 2}, .count = 2, .cosine = true, .weights = {0.7, 0.3}},
    {.heads = {0, 1, 2}, .count = 3, .cosine = true}, /* 51, more than 40 columns: by the contributions */
    {.heads = {0, 1, 2}, .count = 3, .cosine = true, .weights = {1e6, 0.5, 2}},
    {.heads = {HEADS}, .count = 1},
    {.heads = {HEADS + 1}, .count = 1, .cosine = true},
    {.heads = {HEADS + 1}, .count = 1, .cosine = true, .weights = {-2}},
    {.heads = {WHOLE}, .count = 1},
    {.heads = {WHOLE}, .count = 1, .cosine = true},
    {.heads = {0, HEADS + 1, 2, HEADS}, .count = 4},
    {.heads = {0, HEADS + 1, 2, HEADS}, .count = 4, .cosine = true, .weights = {1, 2, 3, 0.5}},
    {.heads = {0, HEADS + 1}, .count = 2, .weights = {1, -1}},
    {.heads = {0, HEADS + 1}, .count = 2, .cosine = true, .weights = {0.5, -3}},
    {.heads = {1, 2}, .count = 2, .weights = {-1, -0.25}},
    {.heads = {1, 2}, .count = 2, .cosine = true, .weights = {1, -0.25}},
};
enum { CASES = sizeof cases / sizeof *cases };

static search_request make_request(const world *made, const search_case *of, search_part *parts,
                                   size_t count) {
    bool is_sum = false;
    for (size_t i = 0; i < of->count; ++i) {
        size_t index = of->heads[i];
        is_sum |= of->weights[i] < 0;
        if (index < HEADS) {
            parts[i] = (search_part){SEARCH_HEAD, index, made->queries[index], made->bases[index][0]};
        } else {
            bool whole = index == WHOLE;
            parts[i] = (search_part){whole ? SEARCH_EMBEDDING : SEARCH_OTHER, whole ? 0 : index - HEADS,
                                     made->direction, NULL};
        }
    }
    return (search_request){.parts = parts,
                            .part_count = of->count,
                            .weights = fabs(of->weights[0]) > 0 ? of->weights : NULL,
                            .is_sum = is_sum,
                            .cosine = of->cosine,
                            .query_length = 3,
                            .count = count};
}

static size_t search(const world *made, const search_request *request, unsigned threads, search_hit *hits) {
    host *running = open_host(threads);
    size_t found;
    hl_error error;
    assert_ok(atlas_search(made->images, &running->interface, request, hits, &found, &error), error);
    host_close(running);
    return found;
}

/* f16 codes are summed in f32. */
static double tolerance(const world *made, double largest) {
    return (atlas_layout_of(made->images)->dtype == HL_F16 ? 1e-6 : 1e-12) * largest;
}

static void check_case(const world *made, const search_case *of, size_t count, const bool *leave_out) {
    static search_hit hits[IMAGES];
    static ranked expected[IMAGES];
    search_part parts[PARTS];
    search_request request = make_request(made, of, parts, count);
    request.leave_out = leave_out;
    size_t found = search(made, &request, 2, hits), left = 0;
    for (size_t image = 0; image < IMAGES; ++image) {
        if (leave_out && leave_out[image]) continue;
        expected[left].image = image;
        expected[left].score = expected_score(made, of->heads, of->count, image, &request);
        name_image(image, expected[left].name, sizeof expected[left].name);
        ++left;
    }
    qsort(expected, left, sizeof *expected, best_first);
    assert_int_equal(found, count < left ? count : left);
    double near = tolerance(made, fabs(expected[0].score));
    for (size_t i = 0; i < found; ++i) {
        double own = expected_score(made, of->heads, of->count, hits[i].image, &request);
        assert_true(fabs(hits[i].score - own) <= near);
        if (hits[i].image == expected[i].image) continue;
        bool tied = own <= expected[i].score && own >= expected[i].score;
        if (tied || fabs(own - expected[i].score) > 2 * near) {
            fail_msg("rank %zu: image %zu instead of %zu", i, hits[i].image, expected[i].image);
        }
    }
}

static void check_all(bool half) {
    world *made = open_world(half);
    bool *leave_out = calloc(IMAGES, sizeof *leave_out);
    make_queries(made, made->directions[0]);
    for (size_t i = 0; i < CASES; ++i) {
        check_case(made, &cases[i], 8, NULL);
        check_case(made, &cases[i], IMAGES, NULL); /* all of them, the twins and the dark one among them */
        check_case(made, &cases[i], 2 * IMAGES, NULL);
        search_hit best;
        search_part parts[PARTS];
        search_request request = make_request(made, &cases[i], parts, 1);
        assert_int_equal(search(made, &request, 1, &best), 1);
        leave_out[best.image] = true;
        check_case(made, &cases[i], 8, leave_out);
        leave_out[best.image] = false;
    }
    memset(leave_out, true, IMAGES);
    check_case(made, &cases[0], 8, leave_out);
    free(leave_out);
    close_world(made);
}

static void f32_scores_are_the_formulas(void **state) {
    (void)state;
    check_all(false);
}

static void f16_scores_are_the_formulas(void **state) {
    (void)state;
    check_all(true);
}

static void equal_scores_come_in_the_order_of_paths(void **state) {
    (void)state;
    world *made = open_world(false);
    memset(made->queries, 0, sizeof made->queries); /* all scores are 0 */
    static search_hit hits[IMAGES];
    search_part parts[PARTS];
    search_request request = make_request(made, &cases[0], parts, 100);
    size_t found = search(made, &request, 2, hits);
    assert_int_equal(found, 100);
    for (size_t i = 0; i < found; ++i) {
        char *name = text("%04zu.jpg", i);
        assert_string_equal(atlas_path(made->images, hits[i].image), name);
        free(name);
    }
    close_world(made);
}

static void bits_do_not_depend_on_threads(void **state) {
    (void)state;
    static search_hit one[IMAGES], several[IMAGES];
    world *made = open_world(true);
    make_queries(made, made->directions[1]);
    for (size_t i = 0; i < CASES; ++i) {
        search_part parts[PARTS];
        search_request request = make_request(made, &cases[i], parts, IMAGES);
        assert_int_equal(search(made, &request, 1, one), IMAGES);
        assert_int_equal(search(made, &request, 3, several), IMAGES);
        assert_memory_equal(one, several, sizeof one);
    }
    close_world(made);
}

static void equal_weights_change_nothing(void **state) {
    (void)state;
    static search_hit plain[IMAGES], weighted[IMAGES];
    static const double twos[PARTS] = {2, 2, 2, 2, 2, 2};
    world *made = open_world(false);
    make_queries(made, made->directions[2]);
    for (size_t i = 0; i < CASES; ++i) {
        search_part parts[PARTS];
        search_request request = make_request(made, &cases[i], parts, IMAGES);
        request.weights = NULL;
        request.is_sum = false;
        assert_int_equal(search(made, &request, 2, plain), IMAGES);
        request.weights = twos;
        assert_int_equal(search(made, &request, 2, weighted), IMAGES);
        for (size_t rank = 0; rank < IMAGES; ++rank) {
            double near = 1e-12 * fabs(plain[0].score);
            assert_true(fabs(plain[rank].score - weighted[rank].score) <= near);
        }
    }
    close_world(made);
}

static void is_cancelled(void **state) {
    (void)state;
    static const hl_library_settings settings;
    world *made = open_world(false);
    search_part parts[PARTS];
    search_request request = make_request(made, &cases[0], parts, 1);
    search_hit hit;
    size_t found = 1;
    host *running;
    hl_error error;
    assert_ok(host_open(&settings, 1, &running, &error), error);
    call_enter(&stopped_call);
    assert_int_equal(atlas_search(made->images, &running->interface, &request, &hit, &found, &error),
                     HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_int_equal(found, 0);
    call_enter(NULL);
    host_close(running);
    close_world(made);
}

/* ---- the inner loops ---- */

static void every_f16_is_widened(void **state) {
    (void)state;
    enum { ALL = 1 << 16, WIDTH = 13, ROWS = ALL / WIDTH };
    static uint16_t halves[ALL];
    static float floats[ALL];
    static double out[2][ROWS * 16];
    for (size_t i = 0; i < ALL; ++i) halves[i] = (uint16_t)i;
    convert_f16((const uint8_t *)halves, ALL, floats);
    kernels_portable.widen_f16(halves, ROWS, WIDTH, out[0], 16);
    kernels_best()->widen_f16(halves, ROWS, WIDTH, out[1], 16);
    for (size_t i = 0; i < ROWS * WIDTH; ++i) {
        double number = (double)floats[i], *portable = &out[0][i / WIDTH * 16 + i % WIDTH];
        double *best = &out[1][i / WIDTH * 16 + i % WIDTH];
        if (isnan(number)) {
            assert_true(isnan(*portable) && isnan(*best));
        } else {
            assert_true(memcmp(&number, portable, sizeof number) == 0);
            assert_true(memcmp(&number, best, sizeof number) == 0);
        }
    }
}

static void every_processor_gives_the_same_bits(void **state) {
    (void)state;
    enum { ROWS = 5, WIDTH = 24, COLUMNS = 40 };
    static double y[ROWS * WIDTH], matrix[WIDTH * COLUMNS], products[2][ROWS * COLUMNS], dots[2][3][ROWS];
    static uint8_t halves[ROWS * WIDTH * 2];
    static float floats[ROWS * WIDTH], query[WIDTH];
    uint64_t seed = 3;
    for (size_t i = 0; i < ROWS * WIDTH; ++i) floats[i] = random_number(&seed);
    for (size_t i = 0; i < WIDTH; ++i) query[i] = random_number(&seed);
    for (size_t i = 0; i < WIDTH * COLUMNS; ++i) matrix[i] = (double)random_number(&seed);
    assert_int_equal(convert_to_f16(floats, ROWS * WIDTH, halves), ROWS * WIDTH);
    const kernels *tables[] = {&kernels_portable, kernels_best()};
    for (size_t i = 0; i < 2; ++i) {
        tables[i]->widen_f32(floats, ROWS, WIDTH, y, WIDTH);
        tables[i]->dots(y, ROWS, WIDTH, matrix, dots[i][0]);
        /* a width that is no whole number of vectors */
        tables[i]->add_dots_f32(floats, ROWS, WIDTH - 1, query, dots[i][1]); /* a width of no whole vectors */
        tables[i]->add_dots_f16(halves, ROWS, WIDTH - 1, query, dots[i][2]);
        tables[i]->product(y, ROWS, WIDTH, matrix, COLUMNS, products[i]);
    }
    assert_memory_equal(dots[0], dots[1], sizeof dots[0]);
    assert_memory_equal(products[0], products[1], sizeof products[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_scores_are_the_formulas),
        cmocka_unit_test(f16_scores_are_the_formulas),
        cmocka_unit_test(equal_scores_come_in_the_order_of_paths),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(equal_weights_change_nothing),
        cmocka_unit_test(is_cancelled),
        cmocka_unit_test(every_f16_is_widened),
        cmocka_unit_test(every_processor_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
