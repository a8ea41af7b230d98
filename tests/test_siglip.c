/* siglip against arrays that open_clip with timm, and transformers, computed from the same weights; and what
 * it refuses. */
#include "tests/json.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const cases[] = {"siglip-a-open_clip", "siglip2-b-hf", "siglip2-b-open_clip"};

static const struct {
    const char *name;
    double tolerance;
} backends[] = {{"reference", 2e-5}, {"openblas", 1e-4}};

/* The components of an array of contributions, by their names. */
typedef struct contributions {
    npy_array array; /* images x components x embed_dim */
    cJSON *components;
} contributions;

static contributions read_contributions(const char *folder) {
    char *path = text("%s/components.json", folder);
    contributions out = {read_array(folder, "contributions"), read_json(path)};
    assert_int_equal(out.array.rank, 3);
    assert_int_equal(out.array.shape[1], cJSON_GetArraySize(out.components));
    free(path);
    return out;
}

static void free_contributions(contributions *of) {
    free(of->array.data);
    cJSON_Delete(of->components);
}

/* NULL: there is none of that name. */
static const float *find(const contributions *of, const char *name, size_t image) {
    const size_t *shape = of->array.shape;
    for (size_t i = 0; i < shape[1]; ++i) {
        if (strcmp(field(cJSON_GetArrayItem(of->components, (int)i), "name"), name) == 0)
            return of->array.data + (image * shape[1] + i) * shape[2];
    }
    return NULL;
}

static double largest_of(const npy_array *array) {
    double largest = 0;
    size_t count = 1;
    for (size_t i = 0; i < array->rank; ++i) count *= array->shape[i];
    for (size_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)array->data[i]));
    return largest;
}

static void assert_near(const float *expected, const float *got, size_t count, double most,
                        const char *what) {
    double worst = 0;
    for (size_t i = 0; i < count; ++i) worst = fmax(worst, fabs((double)expected[i] - (double)got[i]));
    if (!(worst <= most)) fail_msg("%s: off by %g, at most %g", what, worst, most);
}

static void succeed(const char *const *arguments) {
    char *errors;
    int status = run_program(arguments, NULL, &errors);
    if (status != 0) fail_msg("exit status %d: %s", status, errors);
    free(errors);
}

static void decompose(const char *name, const char *backend, const char *level, const char *out) {
    char *model = text("%s/families/%s/model", TEST_GOLDEN, name),
         *pixels = text("%s/families/%s/pixels.npy", TEST_GOLDEN, name);
    char *option = text("level=%s", level);
    const char *arguments[] = {TEST_COMMAND, "decompose", "--model",  model,      "--option",
                               option,       "--backend", backend,    "--pixels", pixels,
                               "--out",      out,         "--tokens", NULL};
    succeed(arguments);
    free(model);
    free(pixels);
    free(option);
}

static void assert_sum(const contributions *got, const npy_array *embedding, double tolerance) {
    const size_t *shape = got->array.shape;
    float *sum = calloc(shape[2], sizeof *sum), *wanted = calloc(shape[2], sizeof *wanted);
    for (size_t image = 0; image < shape[0]; ++image) {
        const float *e = embedding->data + image * shape[2];
        double square = 0;
        for (size_t j = 0; j < shape[2]; ++j) square += (double)e[j] * (double)e[j];
        for (size_t j = 0; j < shape[2]; ++j) {
            wanted[j] = (float)((double)e[j] / sqrt(square));
            sum[j] = 0;
            for (size_t i = 0; i < shape[1]; ++i)
                sum[j] += got->array.data[(image * shape[1] + i) * shape[2] + j];
        }
        assert_near(wanted, sum, shape[2], tolerance, "the sum of all contributions");
    }
    free(sum);
    free(wanted);
}

/* Every component has its value, and all of them add up to the embedding. */
static void check_level(const char *name, const char *backend, double tolerance, const char *level) {
    char *out = make_folder(), *expected_folder = text("%s/families/%s", TEST_GOLDEN, name);
    decompose(name, backend, level, out);
    contributions expected = read_contributions(expected_folder), got = read_contributions(out);
    npy_array embedding = read_array(expected_folder, "embedding"), own = read_array(out, "embedding");
    double error = worst_error(&embedding, &own), scale = largest_of(&expected.array);
    if (!(error <= tolerance)) fail_msg("%s: the embedding is off by %g", name, error);
    for (size_t image = 0; image < got.array.shape[0]; ++image) {
        for (int i = 0; i < cJSON_GetArraySize(got.components); ++i) {
            const char *component = field(cJSON_GetArrayItem(got.components, i), "name");
            const float *truth = find(&expected, component, image);
            if (!truth) fail_msg("%s: %s is not known", name, component);
            assert_near(truth, find(&got, component, image), got.array.shape[2], tolerance * scale,
                        component);
        }
    }
    assert_sum(&got, &embedding, 1e-4);
    free(embedding.data);
    free(own.data);
    free_contributions(&expected);
    free_contributions(&got);
    free(expected_folder);
    remove_folder(out);
}

static void check_levels(const char *level) {
    for (size_t i = 0; i < COUNT(cases); ++i) {
        for (size_t b = 0; b < COUNT(backends); ++b)
            check_level(cases[i], backends[b].name, backends[b].tolerance, level);
    }
}

static void heads_of_the_pooling_equal_golden(void **state) {
    (void)state;
    check_levels("pooling");
}

static void layers_through_the_pooling_equal_golden(void **state) {
    (void)state;
    check_levels("layers");
}

static void heads_of_the_pooling_add_up_over_tokens(void **state) {
    (void)state;
    for (size_t c = 0; c < COUNT(cases); ++c) {
        char *out = make_folder();
        decompose(cases[c], "reference", "pooling", out);
        char *folder = text("families/%s", cases[c]);
        npy_array expected = golden(folder, "pool_tokens"); /* images x tokens x heads x embed_dim */
        double most = 2e-5 * largest_of(&expected);
        size_t rows = expected.shape[0] * expected.shape[1], heads = expected.shape[2],
               dim = expected.shape[3];
        for (size_t h = 0; h < heads; ++h) {
            char *name = text("component_tokens-pool.H%zu", h);
            npy_array got = read_array(out, name);
            assert_int_equal(got.rank, 3);
            for (size_t row = 0; row < rows; ++row)
                assert_near(expected.data + (row * heads + h) * dim, got.data + row * dim, dim, most, name);
            free(got.data);
            free(name);
        }
        free(expected.data);
        free(folder);
        remove_folder(out);
    }
}

/* ---- texts ---- */

static void assert_same_file(const char *expected, const char *got) {
    size_t expected_count, got_count;
    char *a = read_file(expected, &expected_count), *b = read_file(got, &got_count);
    assert_int_equal(expected_count, got_count);
    assert_memory_equal(a, b, expected_count);
    free(a);
    free(b);
}

/* The golden texts, one a line. */
static void write_texts(const char *name, const char *path) {
    char *json = text("%s/families/%s/texts.json", TEST_GOLDEN, name);
    cJSON *list = read_json(json);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    const cJSON *one = NULL;
    cJSON_ArrayForEach(one, list) fprintf(file, "%s\n", one->valuestring);
    assert_int_equal(fclose(file), 0);
    cJSON_Delete(list);
    free(json);
}

static void check_texts(const char *name, const char *tokenizer) {
    char *model = make_folder(), *out = make_folder();
    char *list = text("%s/texts.txt", model), *golden_model = text("%s/families/%s/model", TEST_GOLDEN, name);
    char *files = text("%s/tokenizers/%s", TEST_GOLDEN, tokenizer);
    char *pixels = text("%s/families/%s/pixels.npy", TEST_GOLDEN, name);
    copy_folder(golden_model, model);
    copy_folder(files, model);
    write_texts(name, list);
    const char *arguments[] = {TEST_COMMAND, "decompose", "--model", model,     "--backend",
                               "reference",  "--pixels",  pixels,    "--texts", list,
                               "--out",      out,         NULL};
    succeed(arguments);
    char *ids = text("%s/text_ids.npy", out),
         *golden_ids = text("%s/families/%s/text_ids.npy", TEST_GOLDEN, name);
    assert_same_file(golden_ids, ids);
    char *folder = text("families/%s", name);
    npy_array expected = golden(folder, "text_embedding"), got = read_array(out, "text_embedding");
    free(folder);
    assert_true(worst_error(&expected, &got) <= 2e-5);
    char *strings[] = {list, golden_model, files, pixels, ids, golden_ids};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    free(expected.data);
    free(got.data);
    remove_folder(model);
    remove_folder(out);
}

static void texts_equal_golden(void **state) {
    (void)state;
    check_texts("siglip-a-open_clip", "siglip");
    check_texts("siglip2-b-open_clip", "siglip2");
    check_texts("siglip2-b-hf", "siglip2");
}

/* ---- heads by their names ---- */

static void heads_of_the_pooling_have_names(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/e.yaml", folder), *errors, *results;
    char *whole = text("headlight: 1\nmodel: {path: %s/families/siglip2-b-hf/model}\noutput: out\n"
                       "gallery: {images: list.txt, atlas: atlas}\n"
                       "analyses:\n  - {plugin: image-neighbors, images: [%s/images/rgb_tall.png], count: 1,"
                       " heads: [pool.H1, L2.H1, 0.5*pool.H0 + pool.H2, pool.MLP]}\n",
                       TEST_GOLDEN, TEST_GOLDEN);
    char *list = text("%s/list.txt", folder),
         *images = text("%s/images/rgb_wide.png\n%s/images/palette.png\n", TEST_GOLDEN, TEST_GOLDEN);
    write_text(list, images);
    write_text(path, whole);
    int status = run_command(NULL, &errors, "run", path, NULL);
    if (status != 0) fail_msg("exit status %d: %s", status, errors);
    results = text("%s/out/results.json", folder);
    cJSON *root = read_json(results), *model = cJSON_GetObjectItem(root, "model");
    const cJSON *analysis = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "analyses"), 0);
    const cJSON *items = cJSON_GetObjectItem(analysis, "results");
    assert_int_equal(cJSON_GetArraySize(items), 3); /* L2.H1 is pool.H1 again */
    assert_string_equal(field(cJSON_GetArrayItem(items, 0), "head"), "pool.H1");
    assert_string_equal(field(cJSON_GetArrayItem(items, 2), "head"), "pool.MLP");
    assert_string_equal(field(model, "score"), "sigmoid");
    assert_true(number_of(model, "logit_bias") < -1);
    cJSON_Delete(root);
    char *wrong = text("%.*spool.H9%s", (int)(strstr(whole, "pool.H1") - whole), whole,
                       strstr(whole, "pool.H1") + strlen("pool.H1"));
    write_text(path, wrong);
    free(errors);
    assert_int_equal(run_command(NULL, &errors, "run", path, NULL), 2);
    assert_non_null(strstr(errors, "pool.H9"));
    assert_non_null(strstr(errors, "pool.H0 to pool.H3"));
    char *strings[] = {path, errors, results, list, images, whole, wrong};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    remove_folder(folder);
}

/* ---- what is refused ---- */

static void assert_refused(const char *name, const char *file, const char *from, const char *to,
                           const char *said) {
    char *model = make_folder(), *out = make_folder(), *errors;
    char *golden_model = text("%s/families/%s/model", TEST_GOLDEN, name), *path = text("%s/%s", model, file);
    char *pixels = text("%s/families/%s/pixels.npy", TEST_GOLDEN, name);
    copy_folder(golden_model, model);
    char *content = read_file(path, NULL), *at = strstr(content, from);
    assert_non_null(at);
    char *changed = text("%.*s%s%s", (int)(at - content), content, to, at + strlen(from));
    write_text(path, changed);
    int status = run_command(NULL, &errors, "decompose", "--model", model, "--pixels", pixels, "--backend",
                             "reference", "--out", out, NULL);
    if (status == 0 || !strstr(errors, said)) fail_msg("status %d: %s (expected %s)", status, errors, said);
    char *strings[] = {errors, golden_model, path, pixels, content, changed};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    remove_folder(model);
    remove_folder(out);
}

static void what_would_be_another_model_is_refused(void **state) {
    (void)state;
    static const char open_clip[] = "open_clip_config.json", hf[] = "config.json";
    const char *a = "siglip-a-open_clip", *b = "siglip2-b-hf";
    assert_refused(a, open_clip, "vit_base_patch16_siglip_224", "vit_base_patch16_siglip_225",
                   "timm_model_name");
    assert_refused(a, open_clip, "\"depth\": 3", "\"depth\": 2", "blocks.2");
    assert_refused(a, open_clip, "\"depth\": 3", "\"depth\": 3, \"init_values\": 0.1", "init_values");
    assert_refused(a, open_clip, "\"timm_pool\": \"map\"", "\"timm_pool\": \"avg\"", "timm_pool");
    assert_refused(a, open_clip, "\"num_heads\": 3", "\"num_heads\": 5", "do not divide");
    assert_refused(b, hf, "\"model_type\": \"siglip\"", "\"model_type\": \"siglip2\"", "config.json");
    assert_refused(b, hf, "\"patch_size\": 8", "\"patch_size\": 8, \"hidden_act\": \"swish\"", "hidden_act");
    assert_refused(b, hf, "\"patch_size\": 8", "\"patch_size\": 8, \"vision_use_head\": false",
                   "vision_use_head");
    assert_refused(b, hf, "\"projection_size\": 28", "\"projection_size\": 20", "expected the same");
    assert_refused(b, "preprocessor_config.json", "\"resample\": 2", "\"resample\": 1", "resample");
    assert_refused(b, "preprocessor_config.json", "\"height\": 32", "\"height\": 64", "image_size");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_of_the_pooling_equal_golden),
        cmocka_unit_test(layers_through_the_pooling_equal_golden),
        cmocka_unit_test(heads_of_the_pooling_add_up_over_tokens),
        cmocka_unit_test(texts_equal_golden),
        cmocka_unit_test(heads_of_the_pooling_have_names),
        cmocka_unit_test(what_would_be_another_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
