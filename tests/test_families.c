/* Model families against the code that they come from, on every backend: embeddings, what each component
 * wrote, and that these add up; the parts by token of a pooling's heads; texts. */
#include "tests/families.h"
#include "tests/support.h"

#include "headlight/ask.h"
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct subject {
    family of;
    const hl_ask *ask;
    const char *backend;
    double tolerance;
    size_t dim;
    npy_array pixels, embedding;
    const hl_image **images;
    size_t count;
} subject;

static char *scratch;
static hl_library *library;

static int open_library(void **state) {
    (void)state;
    hl_error error;
    static const char *const folders[] = {TEST_PLUGINS};
    const hl_library_settings settings = {
        .size = sizeof settings, .plugin_folders = folders, .plugin_folder_count = 1};
    scratch = make_folder();
    assert_ok(hl_library_open(&settings, &library, &error), error);
    return 0;
}

static int close_library(void **state) {
    (void)state;
    hl_library_close(library);
    remove_folder(scratch);
    return 0;
}

static void need_near(const subject *s, const char *what, const float *expected, const float *got,
                      size_t count, double scale) {
    double worst = 0;
    for (size_t i = 0; i < count; ++i) worst = fmax(worst, fabs((double)expected[i] - (double)got[i]));
    if (!(worst <= s->tolerance * scale)) {
        fail_msg("%s, %s: %s is off by %g of %g", s->of.name, s->backend, what, worst, scale);
    }
}

static double largest(const float *numbers, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; ++i) most = fmax(most, fabs((double)numbers[i]));
    return most;
}

/* ---- what is compared ---- */

static void check_embeddings(const subject *s) {
    float *got = calloc(s->dim, sizeof *got);
    hl_error error;
    double scale = largest(s->embedding.data, s->embedding.elements);
    for (size_t i = 0; i < s->count; ++i) {
        assert_ok(s->ask->embedding(s->ask, s->images[i], got, &error), error);
        need_near(s, "an embedding", s->embedding.data + i * s->dim, got, s->dim, scale);
    }
    free(got);
}

static size_t find_component(const subject *s, const char *name) {
    for (uint32_t i = 0; i < s->ask->model->component_count; ++i) {
        if (strcmp(hl_component_at(s->ask->model, i)->name, name) == 0) return i;
    }
    return SIZE_MAX;
}

/* Every component whose name the truth knows. */
static void check_components(const subject *s) {
    char *path = text("%s/components.json", s->of.folder);
    if (!file_exists(path)) {
        free(path);
        return;
    }
    char *json = read_file(path, NULL);
    cJSON *names = cJSON_Parse(json);
    size_t count = (size_t)cJSON_GetArraySize(names), known = 0;
    npy_array truth = read_array(s->of.folder, "contributions");
    double scale = largest(truth.data, truth.elements);
    float *got = calloc(s->dim, sizeof *got);
    hl_error error;
    for (size_t c = 0; c < count; ++c) {
        const char *name = cJSON_GetObjectItem(cJSON_GetArrayItem(names, (int)c), "name")->valuestring;
        size_t component = find_component(s, name);
        if (component == SIZE_MAX) continue;
        ++known;
        for (size_t i = 0; i < s->count; ++i) {
            assert_ok(s->ask->contribution(s->ask, s->images[i], (uint32_t)component, got, &error), error);
            need_near(s, name, truth.data + (i * count + c) * s->dim, got, s->dim, scale);
        }
    }
    assert_true(known > 1);
    free(truth.data);
    cJSON_Delete(names);
    free(got);
    free(json);
    free(path);
}

static bool matches(const char *name, const cJSON *group) {
    const cJSON *pattern;
    cJSON_ArrayForEach(pattern, group) {
        if (fnmatch(pattern->valuestring, name, 0) == 0) return true;
    }
    return false;
}

/* All components together, and those are a group that the truth knows to be whole. */
static void check_sums(const subject *s) {
    const hl_model_info *model = s->ask->model;
    const cJSON *group, *whole = NULL;
    cJSON_ArrayForEach(group, cJSON_GetObjectItem(s->of.about, "sums")) {
        bool all = true;
        for (uint32_t i = 0; i < model->component_count; ++i) {
            all = all && matches(hl_component_at(model, i)->name, group);
        }
        if (all) whole = group;
    }
    if (cJSON_GetObjectItem(s->of.about, "sums")) assert_non_null(whole);
    float *sum = calloc(s->dim, sizeof *sum), *part = calloc(s->dim, sizeof *part);
    hl_error error;
    for (size_t i = 0; i < s->count; ++i) {
        const float *e = s->embedding.data + i * s->dim;
        double length = 0;
        for (size_t k = 0; k < s->dim; ++k) length += (double)e[k] * (double)e[k];
        memset(sum, 0, s->dim * sizeof *sum);
        for (uint32_t c = 0; c < model->component_count; ++c) {
            assert_ok(s->ask->contribution(s->ask, s->images[i], c, part, &error), error);
            for (size_t k = 0; k < s->dim; ++k) sum[k] += part[k];
        }
        for (size_t k = 0; k < s->dim; ++k) part[k] = (float)((double)e[k] / sqrt(length));
        need_near(s, "the sum of all components", part, sum, s->dim, largest(part, s->dim));
    }
    free(sum);
    free(part);
}

/* pool_tokens: images x tokens x heads x dim. */
static void check_tokens(const subject *s) {
    char *path = text("%s/pool_tokens.npy", s->of.folder);
    bool there = file_exists(path);
    free(path);
    if (!there || find_component(s, "pool.H0") == SIZE_MAX) return;
    npy_array truth = read_array(s->of.folder, "pool_tokens");
    size_t tokens = truth.shape[1], heads = truth.shape[2];
    double scale = largest(truth.data, truth.elements);
    hl_error error;
    for (size_t h = 0; h < heads; ++h) {
        char *name = text("pool.H%zu", h);
        uint32_t component = (uint32_t)find_component(s, name);
        const hl_component *row = hl_component_at(s->ask->model, component);
        size_t width = (size_t)row->width + row->scalar_count;
        float *codes = calloc(tokens * width, sizeof *codes), *basis = calloc(width * s->dim, sizeof *basis);
        float *got = calloc(s->dim, sizeof *got);
        assert_ok(s->ask->basis(s->ask, component, basis, &error), error);
        for (size_t i = 0; i < s->count; ++i) {
            assert_ok(s->ask->token_codes(s->ask, s->images[i], component, codes, &error), error);
            for (size_t t = 0; t < tokens; ++t) {
                memset(got, 0, s->dim * sizeof *got);
                for (size_t w = 0; w < width; ++w) {
                    for (size_t k = 0; k < s->dim; ++k)
                        got[k] += codes[t * width + w] * basis[w * s->dim + k];
                }
                const float *expected = truth.data + ((i * tokens + t) * heads + h) * s->dim;
                need_near(s, name, expected, got, s->dim, scale);
            }
        }
        free(codes);
        free(basis);
        free(got);
        free(name);
    }
    free(truth.data);
}

static void check_texts(const subject *s) {
    char *path = text("%s/texts.json", s->of.folder);
    if (!file_exists(path)) {
        free(path);
        return;
    }
    char *json = read_file(path, NULL);
    cJSON *texts = cJSON_Parse(json);
    npy_array truth = read_array(s->of.folder, "text_embedding");
    size_t count = (size_t)cJSON_GetArraySize(texts);
    float *got = calloc(s->dim, sizeof *got), *unit = calloc(s->dim, sizeof *unit);
    hl_error error;
    for (size_t i = 0; i < count; ++i) {
        const char *one = cJSON_GetArrayItem(texts, (int)i)->valuestring;
        const float *e = truth.data + i * s->dim;
        double length = 0;
        assert_ok(s->ask->encode_texts(s->ask, &one, 1, got, &error), error);
        for (size_t k = 0; k < s->dim; ++k) length += (double)e[k] * (double)e[k];
        for (size_t k = 0; k < s->dim; ++k) unit[k] = (float)((double)e[k] / sqrt(length));
        need_near(s, one, unit, got, s->dim, largest(unit, s->dim));
    }
    free(truth.data);
    cJSON_Delete(texts);
    free(got);
    free(unit);
    free(json);
    free(path);
}

/* ---- every family on every backend ---- */

static void open_images(subject *s) {
    size_t pixels = s->pixels.elements / s->pixels.shape[0];
    hl_error error;
    s->count = s->pixels.shape[0];
    s->images = calloc(s->count, sizeof *s->images);
    for (size_t i = 0; i < s->count; ++i) {
        const hl_image_source source = {.size = sizeof source, .pixels = s->pixels.data + i * pixels};
        assert_ok(s->ask->open_image(s->ask, &source, &s->images[i], &error), error);
    }
}

static void check_family(const family *of, const char *backend) {
    subject s = {.of = *of, .backend = backend, .tolerance = strcmp(backend, "reference") == 0 ? 2e-5 : 1e-4};
    const hl_ask_settings settings = {.size = sizeof settings, .model = of->model, .backend = backend};
    hl_error error;
    assert_ok(hl_ask_open(library, NULL, &settings, &s.ask, &error), error);
    s.dim = s.ask->model->embed_dim;
    s.pixels = read_array(of->folder, "pixels");
    s.embedding = read_array(of->folder, "embedding");
    open_images(&s);
    check_embeddings(&s);
    check_components(&s);
    check_sums(&s);
    check_tokens(&s);
    check_texts(&s);
    for (size_t i = 0; i < s.count; ++i) s.ask->release_image(s.ask, s.images[i]);
    free(s.images);
    free(s.pixels.data);
    free(s.embedding.data);
    hl_ask_close(s.ask);
}

static void families_are_as_their_own_code_has_them(void **state) {
    (void)state;
    family of;
    size_t checked = 0;
    for (size_t i = 0; family_open(i, scratch, &of); ++i) {
        const hl_plugin *plugin;
        for (size_t p = 0; (plugin = hl_plugin_at(library, p)); ++p) {
            if (plugin->kind != HL_COMPUTE) continue;
            check_family(&of, plugin->name);
            ++checked;
        }
        family_close(&of);
    }
    assert_true(checked >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(families_are_as_their_own_code_has_them)};
    return cmocka_run_group_tests(tests, open_library, close_library);
}
