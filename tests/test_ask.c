/* Questions to a loaded model, as a program asks them: against arrays that other people's code computed,
 * from many threads, under calls that are stopped, about galleries, with heads changed. */
#include "core/io/picture.h"
#include "headlight/library.h"
#include "headlight/weights.h"
#include "tests/clip_vit.h"
#include "tests/mini.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGE TEST_GOLDEN "/images/rgb_wide.png"

static hl_library *library;

static int open_library(void **state) {
    (void)state;
    static const char *const folders[] = {TEST_PLUGINS};
    const hl_library_settings settings = {
        .size = sizeof settings, .plugin_folders = folders, .plugin_folder_count = 1};
    hl_error error;
    assert_ok(hl_library_open(&settings, &library, &error), error);
    return open_clip_vit(state);
}

static int close_library(void **state) {
    hl_library_close(library);
    return close_clip_vit(state);
}

static const hl_ask *open_model(const char *folder, const char *backend, const hl_call *call) {
    const hl_ask_settings settings = {.size = sizeof settings, .model = folder, .backend = backend};
    const hl_ask *ask;
    hl_error error;
    assert_ok(hl_ask_open(library, call, &settings, &ask, &error), error);
    return ask;
}

static const hl_image *open_file(const hl_ask *ask, const char *path) {
    const hl_image_source source = {.size = sizeof source, .path = path};
    const hl_image *image;
    hl_error error;
    assert_ok(ask->open_image(ask, &source, &image, &error), error);
    return image;
}

static const hl_image *open_pixels(const hl_ask *ask, const float *pixels) {
    const hl_image_source source = {.size = sizeof source, .pixels = pixels};
    const hl_image *image;
    hl_error error;
    assert_ok(ask->open_image(ask, &source, &image, &error), error);
    return image;
}

static const hl_direction *open_text(const hl_ask *ask, const char *words) {
    const hl_direction_source source = {.size = sizeof source, .text = words};
    const hl_direction *direction;
    hl_error error;
    assert_ok(ask->open_direction(ask, &source, &direction, &error), error);
    return direction;
}

static const hl_selection *open_heads(const hl_ask *ask, const char *heads) {
    const hl_selection *selection;
    hl_error error;
    assert_ok(ask->open_selection(ask, heads, &selection, &error), error);
    return selection;
}

static hl_ask_counts count(const hl_ask *ask) {
    hl_ask_counts counts = {.size = sizeof counts};
    hl_ask_count(ask, &counts);
    return counts;
}

/* The indices of the heads, or of the others as decompose orders them: the input, then by table. */
static size_t list_components(const hl_ask *ask, bool heads, uint32_t *out) {
    size_t found = 0;
    for (uint32_t i = 0; !heads && i < ask->model->component_count; ++i) {
        if (hl_component_at(ask->model, i)->kind == HL_INPUT) out[found++] = i;
    }
    for (uint32_t i = 0; i < ask->model->component_count; ++i) {
        uint32_t kind = hl_component_at(ask->model, i)->kind;
        if (heads ? kind == HL_HEAD : kind != HL_HEAD && kind != HL_INPUT) out[found++] = i;
    }
    return found;
}

/* ---- against the golden arrays ---- */

enum { MOST_COMPONENTS = 64, MOST_TEXTS = 5 };

typedef struct answers {
    npy_array embedding, codes, heads, others, tokens, heat, texts, bases;
} answers;

static const char *const array_names[] = {"embedding", "codes", "heads",          "mlps",
                                          "tokens",    "heat",  "text_embedding", "bases"};

static void ask_image(const hl_ask *ask, const hl_image *image, size_t number, answers *out,
                      const hl_direction *const *texts) {
    hl_error error;
    uint32_t heads[MOST_COMPONENTS], others[MOST_COMPONENTS];
    size_t head_count = list_components(ask, true, heads), other_count = list_components(ask, false, others);
    size_t dim = ask->model->embed_dim, width = code_width(hl_component_at(ask->model, heads[0]));
    size_t cells = (size_t)ask->model->grid_rows * ask->model->grid_cols;
    assert_ok(ask->embedding(ask, image, out->embedding.data + number * dim, &error), error);
    for (size_t h = 0; h < head_count; ++h) {
        size_t at = number * head_count + h;
        const hl_selection *head = open_heads(ask, hl_component_at(ask->model, heads[h])->name);
        assert_int_equal(head->components[0], heads[h]);
        assert_ok(ask->code(ask, image, heads[h], out->codes.data + at * width, &error), error);
        assert_ok(ask->contribution(ask, image, heads[h], out->heads.data + at * dim, &error), error);
        for (size_t t = 0; t < MOST_TEXTS; ++t) {
            float *grid = out->heat.data + ((number * MOST_TEXTS + t) * head_count + h) * cells;
            assert_ok(ask->heat(ask, image, head, texts[t], grid, &error), error);
        }
        ask->release_selection(ask, head);
    }
    for (size_t i = 0; i < other_count; ++i) {
        float *row = out->others.data + (number * other_count + i) * dim;
        assert_ok(ask->contribution(ask, image, others[i], row, &error), error);
    }
}

/* What each token wrote: its code times the basis. tokens.npy is layers x tokens x heads x width. */
static void ask_tokens(const hl_ask *ask, const hl_image *image, size_t number, answers *out) {
    hl_error error;
    uint32_t heads[MOST_COMPONENTS];
    size_t head_count = list_components(ask, true, heads), dim = ask->model->embed_dim;
    size_t layers = out->tokens.shape[1], tokens = out->tokens.shape[2], per_layer = out->tokens.shape[3];
    assert_int_equal(layers * per_layer, head_count);
    size_t width = code_width(hl_component_at(ask->model, heads[0]));
    float *codes = zeros(tokens * width, sizeof *codes), *basis = zeros(width * dim, sizeof *basis);
    for (size_t h = 0; h < head_count; ++h) {
        assert_ok(ask->token_codes(ask, image, heads[h], codes, &error), error);
        assert_ok(ask->basis(ask, heads[h], basis, &error), error);
        for (size_t t = 0; t < tokens; ++t) {
            float *row = out->tokens.data +
                         (((number * layers + h / per_layer) * tokens + t) * per_layer + h % per_layer) * dim;
            for (size_t k = 0; k < width; ++k) {
                for (size_t j = 0; j < dim; ++j) row[j] += codes[t * width + k] * basis[k * dim + j];
            }
        }
    }
    free(codes);
    free(basis);
}

static void need_close(const char *which, const char *name, double tolerance, const npy_array *got) {
    npy_array expected = golden(which, name);
    double error = worst_error(&expected, got);
    if (!(error <= tolerance)) fail_msg("%s of %s: error %g, at most %g", name, which, error, tolerance);
    free(expected.data);
}

/* As the golden array, all zero. */
static npy_array like(const char *which, const char *name) {
    npy_array made = golden(which, name);
    size_t numbers = 1;
    for (size_t i = 0; i < made.rank; ++i) numbers *= made.shape[i];
    memset(made.data, 0, numbers * sizeof *made.data);
    return made;
}

static void compare_model(const char *which, const char *backend, double tolerance) {
    static const char *const words[] = {"a red circle", "a photo of two blue stars on grass", "snow"};
    char *folder = text("%s/%s/model", TEST_GOLDEN, which);
    char *lines = read_file(TEST_GOLDEN "/texts.txt", NULL), *rest = lines;
    const char *texts[MOST_TEXTS];
    for (size_t i = 0; i < MOST_TEXTS; ++i) texts[i] = strsep(&rest, "\n");
    for (size_t i = 0; i < COUNT(words); ++i) assert_string_equal(texts[i], words[i]);
    const hl_ask *ask = open_model(folder, backend, NULL);
    npy_array pixels = golden(which, "pixels"), arrays[COUNT(array_names)];
    for (size_t i = 0; i < COUNT(array_names); ++i) arrays[i] = like(which, array_names[i]);
    answers got;
    memcpy(&got, arrays, sizeof got);
    const hl_direction *directions[MOST_TEXTS];
    hl_error error;
    assert_ok(ask->encode_texts(ask, texts, MOST_TEXTS, got.texts.data, &error), error);
    for (size_t t = 0; t < MOST_TEXTS; ++t) directions[t] = open_text(ask, texts[t]);
    size_t numbers = 3 * pixels.shape[2] * pixels.shape[3];
    for (size_t i = 0; i < pixels.shape[0]; ++i) {
        const hl_image *image = open_pixels(ask, pixels.data + i * numbers);
        ask_image(ask, image, i, &got, directions);
        ask_tokens(ask, image, i, &got);
        ask->release_image(ask, image);
    }
    assert_int_equal(count(ask).images, pixels.shape[0]); /* all questions to one cost one pass */
    uint32_t heads[MOST_COMPONENTS];
    size_t head_count = list_components(ask, true, heads), dim = ask->model->embed_dim;
    size_t width = code_width(hl_component_at(ask->model, heads[0]));
    for (size_t h = 0; h < head_count; ++h) {
        assert_ok(ask->basis(ask, heads[h], got.bases.data + h * width * dim, &error), error);
    }
    for (size_t i = 0; i < COUNT(array_names); ++i) need_close(which, array_names[i], tolerance, &arrays[i]);
    for (size_t t = 0; t < MOST_TEXTS; ++t) ask->release_direction(ask, directions[t]);
    for (size_t i = 0; i < COUNT(array_names); ++i) free(arrays[i].data);
    free(pixels.data);
    free(lines);
    free(folder);
    hl_ask_close(ask);
}

static void answers_equal_golden(void **state) {
    (void)state;
    static const char *const models[] = {"tiny-a", "tiny-b"};
    for (size_t i = 0; i < COUNT(models); ++i) {
        compare_model(models[i], "reference", 2e-5);
        compare_model(models[i], "openblas", 1e-4);
    }
}

/* ---- images in memory ---- */

static void embed(const hl_ask *ask, const hl_image *image, float *out) {
    hl_error error;
    assert_ok(ask->embedding(ask, image, out, &error), error);
    ask->release_image(ask, image);
}

static void a_file_in_memory_is_the_file(void **state) {
    (void)state;
    hl_error error;
    float by_path[64], in_memory[64], decoded[64], again[64];
    size_t bytes;
    char *content = read_file(IMAGE, &bytes);
    picture shown;
    assert_ok(picture_load(IMAGE, &shown, &error), error);
    const hl_ask *ask = open_model(TINY_A, "reference", NULL);
    assert_in_range(ask->model->embed_dim, 1, COUNT(by_path));
    size_t used = ask->model->embed_dim * sizeof(float);
    const hl_image_source encoded = {.size = sizeof encoded, .bytes = content, .byte_count = bytes};
    const hl_image_source pixels = {.size = sizeof pixels,
                                    .rgb = shown.rgb,
                                    .width = (uint32_t)shown.width,
                                    .height = (uint32_t)shown.height};
    const hl_image *first, *second;
    assert_ok(ask->open_image(ask, &encoded, &first, &error), error);
    assert_ok(ask->open_image(ask, &pixels, &second, &error), error);
    memset(content, 0, bytes); /* it was copied */
    memset(shown.rgb, 0, shown.width * shown.height * 3);
    embed(ask, open_file(ask, IMAGE), by_path);
    embed(ask, first, in_memory);
    embed(ask, second, decoded);
    embed(ask, open_file(ask, IMAGE), again);
    assert_memory_equal(by_path, in_memory, used);
    assert_memory_equal(by_path, decoded, used);
    assert_memory_equal(by_path, again, used);
    picture_free(&shown);
    free(content);
    hl_ask_close(ask);
}

/* ---- what cannot be asked ---- */

static void need_usage(hl_status status, const hl_error *error, const char *said) {
    assert_int_equal(status, HL_USAGE);
    if (!strstr(error->message, said)) fail_msg("\"%s\" does not say \"%s\"", error->message, said);
}

static void what_makes_no_sense_is_named(void **state) {
    (void)state;
    hl_error error;
    float numbers[64];
    static float vector[64];
    const hl_ask *ask = open_model(TINY_A, "reference", NULL), *none;
    const hl_image *image = open_file(ask, IMAGE), *no_image;
    const hl_direction *no_direction;
    const hl_selection *no_heads;
    const hl_gallery *no_gallery;
    const hl_image_source unsized = {.path = IMAGE}, nothing = {.size = sizeof nothing};
    const hl_image_source two = {.size = sizeof two, .path = IMAGE, .pixels = numbers};
    need_usage(ask->open_image(ask, &unsized, &no_image, &error), &error, "hl_image_source.size is 0");
    need_usage(ask->open_image(ask, &nothing, &no_image, &error), &error, "exactly one of");
    need_usage(ask->open_image(ask, &two, &no_image, &error), &error, "got 2");
    assert_null(no_image);
    const hl_direction_source no_way = {.size = sizeof no_way},
                              zero = {.size = sizeof zero, .terms = &no_direction};
    need_usage(ask->open_direction(ask, &no_way, &no_direction, &error), &error, "exactly one of");
    need_usage(ask->open_direction(ask, &zero, &no_direction, &error), &error, "no directions");
    need_usage(ask->open_selection(ask, "L1", &no_heads, &error), &error, "3 selections");
    need_usage(ask->open_selection(ask, "L9.H0", &no_heads, &error), &error, "no head L9.H0");
    need_usage(ask->open_selection(ask, "nonsense", &no_heads, &error), &error, "got \"nonsense\"");
    const hl_gallery_source half = {.size = sizeof half, .images = TEST_GOLDEN "/gallery"};
    need_usage(ask->open_gallery(ask, &half, &no_gallery, &error), &error, "got no atlas");
    need_usage(ask->code(ask, image, 999, numbers, &error), &error, "component 999 of");
    need_usage(ask->gallery_count(ask, NULL, &(size_t){0}, &error), &error, "there is none");
    need_usage(ask->property(ask, "colors", &no_heads, &error), &error, "nothing says which heads carry");
    assert_null(ask->description(ask, NULL, 0));
    assert_null(ask->label(ask, NULL, 0));
    const hl_image unknown = {.name = "unknown", .path = IMAGE};
    need_usage(ask->embedding(ask, &unknown, numbers, &error), &error, "neither opened");
    const hl_ask_settings wrong = {.size = sizeof wrong, .model = TINY_A, .backend = "no-such"};
    need_usage(hl_ask_open(library, NULL, &wrong, &none, &error), &error, "no-such");
    static const char *const words[] = {"no-such=1"};
    const hl_ask_settings words_wrong = {.size = sizeof words_wrong,
                                         .model = TINY_A,
                                         .backend = "openblas",
                                         .compute = words,
                                         .compute_count = 1};
    need_usage(hl_ask_open(library, NULL, &words_wrong, &none, &error), &error, "no-such");
    assert_null(none);
    hl_direction mine = {.name = "mine", .vector = vector};
    uint32_t mlps[MOST_COMPONENTS];
    list_components(ask, false, mlps);
    const hl_selection whole = {.name = "input", .components = mlps, .count = 1};
    need_usage(ask->heat(ask, image, &whole, &mine, numbers, &error), &error, "no parts by token");
    ask->release_image(ask, image);
    ask->release_image(ask, NULL);
    ask->release_direction(ask, NULL);
    ask->release_selection(ask, NULL);
    ask->release_gallery(ask, NULL);
    hl_ask_close(ask);
    hl_ask_close(NULL);
}

static void an_unreadable_image_is_an_error_of_its_own(void **state) {
    (void)state;
    hl_error error;
    float numbers[64];
    const hl_ask *ask = open_model(TINY_A, "reference", NULL);
    const hl_image *gone = open_file(ask, "/no/such.png"), *there = open_file(ask, IMAGE);
    assert_int_not_equal(ask->embedding(ask, gone, numbers, &error), HL_OK);
    assert_non_null(strstr(error.message, "/no/such.png"));
    assert_ok(ask->embedding(ask, there, numbers, &error), error);
    ask->release_image(ask, gone);
    ask->release_image(ask, there);
    hl_ask_close(ask);
}

/* ---- directions ---- */

static void directions_are_what_they_are_made_of(void **state) {
    (void)state;
    hl_error error;
    const hl_ask *ask = open_model(TINY_A, "reference", NULL);
    size_t dim = ask->model->embed_dim;
    const hl_direction *a = open_text(ask, "a photo of snow"), *b = open_text(ask, "snow on snow"), *made;
    static const char *const templates[] = {"a photo of {}", "{} on {}"};
    const hl_direction_source mean = {
        .size = sizeof mean, .text = "snow", .templates = templates, .template_count = 2};
    assert_ok(ask->open_direction(ask, &mean, &made, &error), error);
    double length = 0;
    for (size_t i = 0; i < dim; ++i) length += pow((double)a->vector[i] + (double)b->vector[i], 2);
    for (size_t i = 0; i < dim; ++i) {
        double expected = ((double)a->vector[i] + (double)b->vector[i]) / sqrt(length);
        assert_true(fabs((double)made->vector[i] - expected) < 1e-6);
    }
    ask->release_direction(ask, made);
    const hl_direction_source sum = {.size = sizeof sum,
                                     .terms = (const hl_direction *const[]){a, b},
                                     .weights = (const double[]){1, -0.5},
                                     .term_count = 2};
    assert_ok(ask->open_direction(ask, &sum, &made, &error), error);
    for (size_t i = 0; i < dim; ++i) {
        assert_true(fabsf(made->vector[i] - a->vector[i] + 0.5F * b->vector[i]) < 1e-6F);
    }
    ask->release_direction(ask, made);
    const hl_image *image = open_file(ask, IMAGE);
    const hl_direction_source of_image = {.size = sizeof of_image, .image = image, .name = "mine"};
    assert_ok(ask->open_direction(ask, &of_image, &made, &error), error);
    assert_string_equal(made->name, "mine");
    length = 0;
    for (size_t i = 0; i < dim; ++i) length += (double)made->vector[i] * (double)made->vector[i];
    assert_true(fabs(length - 1) < 1e-5);
    ask->release_direction(ask, made);
    const hl_direction_source given = {.size = sizeof given, .vector = a->vector};
    assert_ok(ask->open_direction(ask, &given, &made, &error), error);
    assert_memory_equal(made->vector, a->vector, dim * sizeof(float));
    ask->release_direction(ask, made);
    ask->release_direction(ask, a);
    ask->release_direction(ask, b);
    ask->release_image(ask, image);
    hl_ask_close(ask);
}

/* ---- threads ---- */

enum { THREADS = 8, ASKED_IMAGES = 6, GRID = 256 };
static const char *const asked_texts[] = {"a red circle", "snow", "two blue stars"};

typedef struct asking {
    const hl_ask *ask;
    const hl_image *const *images;
    float grids[ASKED_IMAGES][COUNT(asked_texts)][GRID];
    float embeddings[ASKED_IMAGES][64];
    bool own; /* opens a conversation of its own */
    pthread_t thread;
    hl_status status;
    hl_error error;
} asking;

static hl_status ask_heats(asking *self, const hl_ask *ask, const hl_selection *heads) {
    hl_status status = HL_OK;
    for (size_t t = 0; t < COUNT(asked_texts) && status == HL_OK; ++t) {
        const hl_direction_source source = {.size = sizeof source, .text = asked_texts[t]};
        const hl_direction *direction;
        status = ask->open_direction(ask, &source, &direction, &self->error);
        for (size_t i = 0; i < ASKED_IMAGES && status == HL_OK; ++i) {
            status = ask->heat(ask, self->images[i], heads, direction, self->grids[i][t], &self->error);
            if (status == HL_OK)
                status = ask->embedding(ask, self->images[i], self->embeddings[i], &self->error);
        }
        ask->release_direction(ask, direction);
    }
    return status;
}

static void *ask_all(void *argument) {
    asking *self = argument;
    const hl_ask *ask = self->ask, *own = NULL;
    const hl_selection *heads = NULL;
    if (self->own) self->status = hl_ask_share(ask, NULL, &own, &self->error);
    if (own) ask = own;
    if (self->status == HL_OK) {
        self->status = ask->open_selection(ask, "L2.H1 + 0.5*L1.H0", &heads, &self->error);
    }
    if (self->status == HL_OK) self->status = ask_heats(self, ask, heads);
    ask->release_selection(ask, heads);
    hl_ask_close(own);
    return NULL;
}

static void eight_threads_get_the_same_bytes(void **state) {
    (void)state;
    static const char *const backends_used[] = {"reference", "openblas"};
    for (size_t b = 0; b < COUNT(backends_used); ++b) {
        const hl_ask *ask = open_model(TINY_A, backends_used[b], NULL);
        const hl_image *images[ASKED_IMAGES];
        for (size_t i = 0; i < ASKED_IMAGES; ++i) {
            char *path = text("%s/gallery/g%03zu.png", TEST_GOLDEN, i);
            images[i] = open_file(ask, path);
            free(path);
        }
        assert_in_range(ask->model->grid_rows * ask->model->grid_cols, 1, GRID);
        asking *all = zeros(THREADS + 1, sizeof *all);
        for (size_t i = 1; i <= THREADS; ++i) {
            all[i] = (asking){.ask = ask, .images = images, .own = i % 2};
            assert_int_equal(pthread_create(&all[i].thread, NULL, ask_all, &all[i]), 0);
        }
        for (size_t i = 1; i <= THREADS; ++i) pthread_join(all[i].thread, NULL);
        assert_int_equal(count(ask).images, ASKED_IMAGES); /* whoever came first, once each */
        const hl_ask *alone = open_model(TINY_A, backends_used[b], NULL);
        all[0] = (asking){.ask = alone, .images = images};
        for (size_t i = 0; i < ASKED_IMAGES; ++i) images[i] = open_file(alone, images[i]->path);
        ask_all(&all[0]);
        for (size_t i = 0; i <= THREADS; ++i) {
            assert_ok(all[i].status, all[i].error);
            assert_memory_equal(all[i].grids, all[0].grids, sizeof all[0].grids);
            assert_memory_equal(all[i].embeddings, all[0].embeddings, sizeof all[0].embeddings);
        }
        free(all);
        hl_ask_close(alone);
        hl_ask_close(ask);
    }
}

/* ---- calls ---- */

typedef struct watcher {
    atomic_bool stopped;
    atomic_int progress;
} watcher;

static bool is_stopped(void *user) {
    return atomic_load(&((watcher *)user)->stopped);
}

static void note_progress(void *user, const char *what, const char *unit, size_t done, size_t total) {
    (void)what, (void)unit, (void)done, (void)total;
    atomic_fetch_add(&((watcher *)user)->progress, 1);
}

static void stopping_a_call_stops_no_other(void **state) {
    (void)state;
    hl_error error;
    float numbers[64];
    watcher first = {.stopped = true}, second = {.stopped = false};
    const hl_call stopped = {
        .size = sizeof stopped, .user = &first, .cancelled = is_stopped, .progress = note_progress};
    const hl_call running = {
        .size = sizeof running, .user = &second, .cancelled = is_stopped, .progress = note_progress};
    const hl_ask *ask = open_model(TINY_A, "reference", &stopped), *other;
    const hl_image *image;
    const hl_image_source source = {.size = sizeof source, .path = IMAGE};
    assert_int_equal(ask->open_image(ask, &source, &image, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_ok(hl_ask_share(ask, &running, &other, &error), error);
    image = open_file(other, IMAGE);
    assert_int_equal(ask->embedding(ask, image, numbers, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_int_equal(count(ask).images, 0);
    assert_ok(other->embedding(other, image, numbers, &error), error);
    assert_int_equal(atomic_load(&first.progress), 0);
    assert_true(atomic_load(&second.progress) > 0);
    atomic_store(&first.stopped, false); /* and what was stopped goes on when its caller wants it to */
    assert_ok(ask->embedding(ask, image, numbers, &error), error);
    assert_int_equal(count(ask).images, 1);
    const hl_decompose_request request = {.size = sizeof request,
                                          .model = TINY_A,
                                          .images = (const char *const[]){IMAGE},
                                          .image_count = 1,
                                          .output = "/nowhere"};
    assert_int_equal(hl_decompose(library, &stopped_call, &request, &error), HL_FAILED);
    char *folder = make_folder();
    const hl_decompose_request fine = {.size = sizeof fine,
                                       .model = TINY_A,
                                       .images = (const char *const[]){IMAGE},
                                       .image_count = 1,
                                       .backend = "reference",
                                       .output = folder};
    assert_int_equal(hl_decompose(library, &stopped_call, &fine, &error), HL_FAILED);
    assert_string_equal(error.message, "cancelled");
    assert_ok(hl_decompose(library, NULL, &fine, &error), error);
    remove_folder(folder);
    other->release_image(other, image);
    hl_ask_close(other);
    hl_ask_close(ask);
}

/* ---- edits ---- */

static void an_edited_model_answers_as_one_that_is_built_so(void **state) {
    (void)state;
    hl_error error;
    npy_array pixels = golden("tiny-a", "pixels");
    size_t number = 3 * pixels.shape[2] * pixels.shape[3];
    for (size_t layer = 0; layer < 3; ++layer) {
        size_t head = 2 - layer;
        char *folder = folder_without_head(layer, head), *name = text("L%zu.H%zu", layer, head);
        const hl_ask *ask = open_model(TINY_A, "reference", NULL), *changed;
        const hl_ask *without = open_model(folder, "reference", NULL);
        const hl_selection *heads = open_heads(ask, name);
        const hl_edit edit = {.size = sizeof edit,
                              .site = HL_SITE_HEAD,
                              .action = HL_EDIT_SCALE,
                              .component = heads->components[0],
                              .factor = 0};
        assert_ok(ask->edited(ask, &(const hl_edit *){&edit}, 1, &changed, &error), error);
        for (size_t i = 0; i < pixels.shape[0]; ++i) {
            const hl_image *image = open_pixels(ask, pixels.data + i * number);
            const hl_image *same = open_pixels(without, pixels.data + i * number);
            npy_array plain = SHAPED(1, 32), got = SHAPED(1, 32), expected = SHAPED(1, 32);
            assert_int_equal(ask->model->embed_dim, 32);
            assert_ok(ask->embedding(ask, image, plain.data, &error), error);
            assert_ok(changed->embedding(changed, image, got.data, &error), error);
            assert_ok(without->embedding(without, same, expected.data, &error), error);
            assert_true(worst_error(&expected, &got) <= 1e-6);
            assert_true(worst_error(&expected, &plain) > 1e-3);
            ask->release_image(ask, image);
            without->release_image(without, same);
            free(plain.data);
            free(got.data);
            free(expected.data);
        }
        assert_int_equal(count(ask).images, 2 * pixels.shape[0]);
        ask->release_selection(ask, heads);
        changed->release(changed);
        hl_ask_close(without);
        hl_ask_close(ask);
        free(name);
        remove_folder(folder);
    }
    free(pixels.data);
}

/* ---- galleries ---- */

static const hl_gallery *open_images(const hl_ask *ask, const char *atlas, uint32_t dtype) {
    const hl_gallery_source source = {
        .size = sizeof source, .images = TEST_GOLDEN "/gallery", .atlas = atlas, .dtype = dtype};
    const hl_gallery *gallery;
    hl_error error;
    assert_ok(ask->open_gallery(ask, &source, &gallery, &error), error);
    return gallery;
}

static void a_gallery_tells_its_codes_and_moments(void **state) {
    (void)state;
    enum { FOLDS = 3, HEAD = 4, WIDTH = 19 };
    hl_error error;
    char *folder = make_folder(), *atlas = text("%s/atlas", folder);
    const hl_ask *ask = open_model(TINY_A, "reference", NULL);
    const hl_gallery *gallery = open_images(ask, atlas, HL_F32);
    size_t images;
    assert_ok(ask->gallery_count(ask, gallery, &images, &error), error);
    assert_int_equal(images, count_files(TEST_GOLDEN "/gallery"));
    uint32_t heads[MOST_COMPONENTS];
    list_components(ask, true, heads);
    assert_int_equal(code_width(hl_component_at(ask->model, heads[HEAD])), WIDTH);
    float *codes = zeros(images * WIDTH, sizeof *codes), own[WIDTH];
    assert_ok(ask->gallery_codes(ask, gallery, heads[HEAD], 0, images, codes, &error), error);
    const char *before = "";
    for (size_t i = 0; i < images; ++i) {
        hl_gallery_image image = {.size = sizeof image};
        assert_ok(ask->gallery_image(ask, gallery, i, &image, &error), error);
        assert_true(strcmp(before, image.path) < 0);
        before = image.path;
        const hl_image *opened = open_file(ask, image.file);
        assert_ok(ask->code(ask, opened, heads[HEAD], own, &error), error);
        for (size_t k = 0; k < WIDTH; ++k) assert_true(fabsf(own[k] - codes[i * WIDTH + k]) <= 1e-5F);
        ask->release_image(ask, opened);
    }
    float *some = zeros(2 * WIDTH, sizeof *some);
    assert_ok(ask->gallery_codes(ask, gallery, heads[HEAD], 3, 2, some, &error), error);
    assert_memory_equal(some, codes + 3 * WIDTH, 2 * WIDTH * sizeof *some);
    double sums[FOLDS + 1][WIDTH], products[FOLDS + 1][WIDTH * WIDTH];
    size_t counts[FOLDS + 1], together = 0;
    for (size_t f = 0; f <= FOLDS; ++f) {
        assert_ok(ask->moments(ask, gallery, heads[HEAD], f < FOLDS ? f : 0, f < FOLDS ? FOLDS : 1,
                               &counts[f], sums[f], products[f], &error),
                  error);
        together += f < FOLDS ? counts[f] : 0;
    }
    assert_int_equal(counts[FOLDS], images);
    assert_int_equal(together, images);
    for (size_t k = 0; k < WIDTH; ++k) {
        double expected = 0;
        for (size_t i = 0; i < images; ++i) expected += (double)codes[i * WIDTH + k];
        assert_true(fabs(sums[FOLDS][k] - expected) <= 1e-9);
        assert_true(fabs(sums[0][k] + sums[1][k] + sums[2][k] - expected) <= 1e-9);
        for (size_t j = 0; j < WIDTH; ++j) {
            double product = 0, folds = 0;
            for (size_t i = 0; i < images; ++i) {
                product += (double)codes[i * WIDTH + k] * (double)codes[i * WIDTH + j];
            }
            for (size_t f = 0; f < FOLDS; ++f) folds += products[f][k * WIDTH + j];
            assert_true(fabs(products[FOLDS][k * WIDTH + j] - product) <= 1e-9);
            assert_true(fabs(folds - product) <= 1e-9);
        }
    }
    need_usage(ask->gallery_codes(ask, gallery, heads[HEAD], images, 1, some, &error), &error,
               "of a gallery of");
    need_usage(ask->moments(ask, gallery, heads[HEAD], 3, 3, counts, sums[0], products[0], &error), &error,
               "fold 3 of 3");
    need_usage(ask->gallery_embeddings(ask, gallery, 0, 1, some, &error), &error, "embedding");
    free(some);
    free(codes);
    ask->release_gallery(ask, gallery);
    hl_ask_close(ask);
    free(atlas);
    remove_folder(folder);
}

/* A gallery through an edited conversation has codes of its own, and neither takes the other's. */
static void galleries_of_edited_models_stay_apart(void **state) {
    (void)state;
    hl_error error;
    char *folder = make_folder(), *atlas = text("%s/atlas", folder), *other = text("%s/other", folder);
    const hl_ask *ask = open_model(TINY_A, "reference", NULL), *changed;
    const hl_selection *heads = open_heads(ask, "L0.H1"), *last = open_heads(ask, "L2.H0");
    const hl_edit edit = {.size = sizeof edit,
                          .site = HL_SITE_HEAD,
                          .action = HL_EDIT_SCALE,
                          .component = heads->components[0],
                          .factor = 0};
    assert_ok(ask->edited(ask, &(const hl_edit *){&edit}, 1, &changed, &error), error);
    const hl_gallery *plain = open_images(ask, atlas, 0), *apart = open_images(changed, other, 0);
    const hl_gallery *wrong = open_images(changed, atlas, 0);
    hl_neighbor found[2][3];
    size_t counts[2];
    const hl_direction *snow = open_text(ask, "snow");
    hl_query query = {.size = sizeof query,
                      .gallery = plain,
                      .direction = snow,
                      .selection = last,
                      .metric = HL_DOT,
                      .count = 3};
    assert_ok(ask->nearest(ask, &query, found[0], &counts[0], &error), error);
    need_usage(changed->nearest(changed, &query, found[1], &counts[1], &error), &error, "without edits");
    query.gallery = apart;
    assert_ok(changed->nearest(changed, &query, found[1], &counts[1], &error), error);
    need_usage(ask->nearest(ask, &query, found[1], &counts[1], &error), &error, "with edits");
    assert_ok(changed->nearest(changed, &query, found[1], &counts[1], &error), error);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 3);
    assert_true(fabs(found[0][0].score - found[1][0].score) > 1e-6);
    query.gallery = wrong; /* whose atlas holds codes of the model as it is */
    assert_int_equal(changed->nearest(changed, &query, found[1], &counts[1], &error), HL_USAGE);
    assert_non_null(strstr(error.message, atlas));
    ask->release_direction(ask, snow);
    ask->release_gallery(ask, plain);
    changed->release_gallery(changed, apart);
    changed->release_gallery(changed, wrong);
    ask->release_selection(ask, heads);
    ask->release_selection(ask, last);
    changed->release(changed);
    hl_ask_close(ask);
    free(atlas);
    free(other);
    remove_folder(folder);
}

/* ---- the backend's arithmetic, and the cache ---- */

static void products_and_eigenproblems_are_the_backends(void **state) {
    (void)state;
    hl_error error;
    const hl_ask *ask = open_model(TINY_A, "openblas", NULL);
    const double a[] = {1, 2, 3, 4}, b[] = {1, 0, 1, 1};
    double c[4], matrix[] = {2, 0, 0, 1}, values[2];
    assert_ok(ask->product_f64(ask, true, false, 2, 2, 2, a, 2, b, 2, c, 2, &error), error);
    const double expected[] = {4, 3, 6, 4};
    for (size_t i = 0; i < 4; ++i) assert_true(fabs(c[i] - expected[i]) < 1e-12);
    assert_ok(ask->symmetric_eigen_f64(ask, 2, matrix, values, &error), error);
    assert_true(fabs(values[0] - 1) < 1e-12 && fabs(values[1] - 2) < 1e-12);
    hl_ask_close(ask);
}

/* The numbers themselves are held against numpy's in test_value_grams.c. */
static void value_maps_are_those_of_heads(void **state) {
    (void)state;
    hl_error error;
    const hl_ask *ask = open_model(MINI, "reference", NULL);
    const hl_model_info *model = ask->model;
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *row = hl_component_at(model, i);
        double *gram = calloc((size_t)row->width * row->width + 1, sizeof *gram);
        hl_status status = ask->value_gram(ask, i, gram, &error);
        if (row->kind == HL_HEAD) {
            assert_ok(status, error);
            assert_true(gram[0] > 0 && gram[1] == gram[row->width]);
        } else {
            char *said = text("%s is no head", row->name);
            need_usage(status, &error, said);
            free(said);
        }
        assert_true(gram[(size_t)row->width * row->width] == 0);
        free(gram);
    }
    double none;
    need_usage(ask->value_gram(ask, model->component_count, &none, &error), &error, "asked about component");
    ask->release(ask);
}

static void what_is_remembered_is_of_this_model_with_these_edits(void **state) {
    (void)state;
    hl_error error;
    char *folder = make_folder();
    setenv("XDG_CACHE_HOME", folder, 1);
    void *bytes;
    size_t length;
    const hl_edit edit = {.size = sizeof edit, .site = HL_SITE_HEAD, .action = HL_EDIT_SCALE, .factor = 0.5F};
    const hl_ask *ask = open_model(TINY_A, "reference", NULL), *other, *changed;
    ask->recall(ask, "key", &bytes, &length);
    assert_null(bytes);
    ask->remember(ask, "key", "value", 5);
    ask->recall(ask, "key", &bytes, &length);
    assert_int_equal(length, 5);
    assert_memory_equal(bytes, "value", 5);
    free(bytes);
    ask->recall(ask, "another key", &bytes, &length);
    assert_null(bytes);
    assert_ok(ask->edited(ask, &(const hl_edit *){&edit}, 1, &changed, &error), error);
    changed->recall(changed, "key", &bytes, &length);
    assert_null(bytes);
    changed->release(changed);
    hl_ask_close(ask);
    other = open_model(TINY_B, "reference", NULL);
    other->recall(other, "key", &bytes, &length);
    assert_null(bytes);
    hl_ask_close(other);
    ask = open_model(TINY_A, "reference", NULL); /* as another process would */
    ask->recall(ask, "key", &bytes, &length);
    assert_int_equal(length, 5);
    free(bytes);
    hl_ask_close(ask);
    unsetenv("XDG_CACHE_HOME");
    remove_folder(folder);
}

/* ---- core/README.md, taken at its word ---- */

/* ---- plugins that are run ---- */

#define MINI_PART TEST_SOURCE "/configs/mini/"

/* With a small gallery of their own. */
static const hl_ask *open_with_gallery(const char *folder) {
    char *images = text("%s/gallery", folder), *atlas = text("%s/atlas", folder);
    const hl_gallery_source gallery = {.size = sizeof gallery, .images = images, .atlas = atlas};
    const hl_ask_settings settings = {
        .size = sizeof settings, .model = MINI_PART "model", .backend = "reference", .gallery = &gallery};
    const hl_ask *ask;
    hl_error error;
    put_scenes(images, 0, 12);
    assert_ok(hl_ask_open(library, NULL, &settings, &ask, &error), error);
    free(images);
    free(atlas);
    return ask;
}

/* What an analysis reports is what one gets who asks the same. */
static void a_plugin_that_is_run_answers_as_questions_do(void **state) {
    (void)state;
    char *folder = make_folder();
    const hl_ask *ask = open_with_gallery(folder), *other;
    hl_error error;
    assert_ok(hl_ask_share(ask, NULL, &other, &error), error);
    const hl_node *found, *again;
    assert_ok(
        ask->run(ask, "analysis/text-neighbors", "{texts: [snow], heads: [L3.H5], count: 4}", &found, &error),
        error);
    assert_ok(other->run(other, "analysis/text-neighbors",
                         "{\"texts\": [\"snow\"], \"heads\": [\"L3.H5\"], \"count\": 4}", &again, &error),
              error);
    assert_string_equal(hl_get_text(found, "plugin"), "text-neighbors");
    const hl_node *item = hl_get(found, "results")->first, *same = hl_get(again, "results")->first;
    assert_string_equal(hl_get_text(item, "head"), "L3.H5");
    hl_query query = {.size = sizeof query, .metric = HL_DOT, .count = 4};
    query.direction = open_text(ask, "snow");
    query.selection = open_heads(ask, "L3.H5");
    hl_neighbor neighbors[4];
    size_t count;
    assert_ok(ask->nearest(ask, &query, neighbors, &count, &error), error);
    assert_int_equal(count, 4);
    const hl_node *one = hl_get(item, "neighbors")->first, *twin = hl_get(same, "neighbors")->first;
    for (size_t i = 0; i < count; ++i, one = one->next, twin = twin->next) {
        assert_string_equal(hl_get_text(one, "path"), neighbors[i].path);
        assert_true(hl_get_number(one, "score", 0) == neighbors[i].score);
        assert_true(hl_get_number(twin, "score", 0) == neighbors[i].score);
    }
    ask->release_selection(ask, query.selection);
    ask->release_direction(ask, query.direction);
    ask->release_results(ask, found);
    other->release_results(other, again);
    other->release_results(other, NULL);
    assert_ok(ask->run(ask, "extractor/labels-file", "{path: " MINI_PART "labels.json}", &found, &error),
              error);
    assert_true(hl_get(found, "results")->count > 0);
    assert_string_equal(hl_get_text(hl_get(found, "results")->first, "head"), "L0.H0");
    ask->release_results(ask, found);
    assert_ok(ask->run(ask, "extractor/components", "{pool: " MINI_PART "pool.txt, count: 1, heads: [L3.H5]}",
                       &found, &error),
              error);
    const hl_node *parts = hl_get(found, "results")->first; /* with what is said of the head besides */
    assert_string_equal(hl_get_text(parts, "head"), "L3.H5");
    assert_true(hl_get(parts, "texts")->count == 1 && parts->count > 2);
    ask->release_results(ask, found);
    assert_ok(ask->run(ask, "analysis/topic-segmentation",
                       "{images: [" IMAGE "], texts: [a red star], heads: [aggregate]}", &found, &error),
              error);
    const hl_image *image = open_file(ask, IMAGE);
    const hl_direction *star = open_text(ask, "a red star");
    const hl_selection *all = open_heads(ask, "aggregate");
    const hl_node *grid = hl_get(hl_get(found, "results")->first, "grid");
    float *heat = calloc((size_t)grid->rows * grid->cols, sizeof *heat);
    assert_ok(ask->heat(ask, image, all, star, heat, &error), error);
    assert_int_equal(grid->type, HL_GRID);
    assert_memory_equal(grid->grid, heat, (size_t)grid->rows * grid->cols * sizeof *heat);
    free(heat);
    ask->release_selection(ask, all);
    ask->release_direction(ask, star);
    ask->release_image(ask, image);
    ask->release_results(ask, found);
    hl_ask_close(ask);
    hl_ask_close(other);
    remove_folder(folder);
}

static void what_cannot_be_run_is_named(void **state) {
    (void)state;
    static const struct {
        const char *plugin, *options, *words;
    } cases[] = {
        {"topic-segmentation", NULL, "expected analysis/NAME or extractor/NAME"},
        {NULL, NULL, "expected analysis/NAME or extractor/NAME"},
        {"analysis/topic-segmentaton", NULL, "did you mean \"topic-segmentation\"?"},
        {"analysis/topic-segmentation", NULL, "option \"images\" is missing"},
        {"analysis/topic-segmentation", "{images: [" IMAGE "], texts: [x], haeds: all}", "options:1:"},
        {"analysis/topic-segmentation", "{images: [", "options:2:1: not YAML"},
        {"analysis/topic-segmentation", "{images: [" IMAGE "], texts: [x], heads: [L9.H1]}",
         "the model has no head L9.H1"},
        {"analysis/topic-segmentation", "{images: [absent.png], texts: [x]}", "absent.png"},
        {"analysis/text-neighbors", "{texts: [x], heads: [L3.H5]}", "hl_ask_settings.gallery"},
        {"extractor/labels-file", "{path: absent.json}", "absent.json"},
    };
    const hl_ask *ask = open_model(MINI_PART "model", "reference", NULL);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        const hl_node *found;
        hl_error error;
        assert_true(ask->run(ask, cases[i].plugin, cases[i].options, &found, &error) != HL_OK);
        if (!strstr(error.message, cases[i].words))
            fail_msg("%s\nexpected: %s", error.message, cases[i].words);
        assert_null(found);
    }
    hl_ask_close(ask);
}

static void the_example_in_the_readme_answers(void **state) {
    (void)state;
#ifdef TEST_SANITIZED
    skip(); /* the program is built without sanitizers, and cannot load a library with them */
#endif
    char *folder = make_folder(), *readme = read_file(TEST_SOURCE "/core/README.md", NULL);
    char *begin = strstr(readme, "\n```c\n"), *end = begin ? strstr(begin + 6, "\n```") : NULL;
    assert_non_null(end);
    end[1] = '\0';
    size_t lines = 0;
    for (const char *at = begin + 6; (at = strchr(at, '\n')); ++at) ++lines;
    assert_in_range(lines, 20, 40);
    char *source = text("%s/ask.c", folder), *program = text("%s/ask", folder),
         *atlas = text("%s/atlas", folder);
    write_text(source, begin + 6);
    const char *compile[] = {"cc",
                             "-std=c17",
                             "-Wall",
                             "-Wextra",
                             "-Werror",
                             "-I",
                             TEST_SOURCE "/core/include",
                             source,
                             "-o",
                             program,
                             "-L",
                             TEST_BUILD "/lib",
                             "-lheadlight",
                             "-Wl,-rpath," TEST_BUILD "/lib",
                             NULL};
    char *printed, *errors;
    int status = run_program(compile, &printed, &errors);
    if (status != 0) fail_msg("%s%s", printed, errors);
    free(printed);
    free(errors);
    const char *model = TEST_SOURCE "/configs/mini/model", *images = TEST_SOURCE "/configs/mini/gallery";
    const char *image = TEST_SOURCE "/configs/mini/gallery/scene-258.jpg";
    char *first = NULL;
    for (int i = 0; i < 2; ++i) { /* the second finds the atlas there */
        status = run_program((const char *[]){program, model, image, images, atlas, NULL}, &printed, &errors);
        if (status != 0) fail_msg("%s", errors);
        assert_string_equal(errors, "");
        if (first) assert_string_equal(printed, first);
        free(first);
        free(errors);
        first = printed;
    }
    assert_non_null(strstr(first, "\n1 image passes\n"));
    char *rest = strstr(first, " passes\n") + 8, *path;
    size_t neighbors = 0;
    double before = 2;
    for (; (path = strsep(&rest, "\n")) && *path; ++neighbors) {
        double score = atof(strchr(path, ' '));
        assert_true(strncmp(path, "scene-", 6) == 0 && score <= before);
        assert_null(strstr(path, "scene-258"));
        before = score;
    }
    assert_int_equal(neighbors, 5);
    free(first);
    free(atlas);
    free(program);
    free(source);
    free(readme);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_equal_golden),
        cmocka_unit_test(a_file_in_memory_is_the_file),
        cmocka_unit_test(what_makes_no_sense_is_named),
        cmocka_unit_test(an_unreadable_image_is_an_error_of_its_own),
        cmocka_unit_test(directions_are_what_they_are_made_of),
        cmocka_unit_test(eight_threads_get_the_same_bytes),
        cmocka_unit_test(stopping_a_call_stops_no_other),
        cmocka_unit_test(an_edited_model_answers_as_one_that_is_built_so),
        cmocka_unit_test(a_gallery_tells_its_codes_and_moments),
        cmocka_unit_test(galleries_of_edited_models_stay_apart),
        cmocka_unit_test(products_and_eigenproblems_are_the_backends),
        cmocka_unit_test(value_maps_are_those_of_heads),
        cmocka_unit_test(what_is_remembered_is_of_this_model_with_these_edits),
        cmocka_unit_test(a_plugin_that_is_run_answers_as_questions_do),
        cmocka_unit_test(what_cannot_be_run_is_named),
        cmocka_unit_test(the_example_in_the_readme_answers),
    };
    return cmocka_run_group_tests(tests, open_library, close_library);
}
