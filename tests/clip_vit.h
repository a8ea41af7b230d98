/* model/clip-vit through its table of functions: small models opened on a backend, and what passes over
 * images leave. */
#ifndef TESTS_CLIP_VIT_H
#define TESTS_CLIP_VIT_H

#include "headlight/model.h"
#include "tests/plugins.h"

#define TINY_A  TEST_GOLDEN "/tiny-a/model"
#define TINY_B  TEST_GOLDEN "/tiny-b/model"
#define WEIGHTS "open_clip_model.safetensors"
#define CONFIG  "open_clip_config.json"

extern hl_model_api api;

/* Setups of a group of tests: the plugin alone, or every backend too. They end the same. */
int open_clip_vit(void **state);
int open_clip_vit_and_backends(void **state);
int close_clip_vit(void **state);

/* The configuration `from` with one piece of it changed. */
void write_config(const char *folder, const char *from, const char *what, const char *by);

/* Adds a tensor to the folder's weights: its dtype and shape as JSON writes them, and so many bytes of data.
 */
void add_tensor(const char *folder, const char *name, const char *dtype, const char *shape, size_t bytes);

/* tiny-a without what head `head` of layer `layer` writes: its columns of W_O are zero. */
char *folder_without_head(size_t layer, size_t head);

/* ---- an open model ---- */

typedef struct opened_model {
    hl_model *model;
    const hl_model_info *info;
    hl_session *session;
    size_t tokens, dim;
} opened_model;

/* Loaded, with a session for so many images or texts at once. */
opened_model open_source(hl_model_source source, const opened_backend *backend, size_t batch);
opened_model open_folder(const char *folder, const opened_backend *backend, size_t batch);
void close_model(opened_model *m);

const hl_component *component(const opened_model *m, uint32_t index);
/* By name; it must be there. */
uint32_t find_component(const opened_model *m, const char *name);
size_t code_width(const hl_component *c);

float *basis_of(const opened_model *m, uint32_t index);

/* out += y B, where out has embed_dim numbers. */
void add_contribution(const opened_model *m, uint32_t index, const float *code, const float *basis,
                      double *out);

/* ---- passes ---- */

hl_request make_request(const hl_capture *const *captures, size_t capture_count, const hl_edit *const *edits,
                        size_t edit_count);

/* Passes over all images with codes of everything, and with parts by token. */
void encode(const opened_model *m, const npy_array *pixels, const hl_edit *const *edits, size_t edit_count,
            hl_trace **traces);
void release_all(hl_trace **traces, size_t count);

/* The largest difference between the sum of all contributions and the normalised embedding. */
double sum_error(const opened_model *m, const hl_trace *trace);

/* Fails unless they sum to it for every image. */
void assert_sums_up(const opened_model *m, const npy_array *pixels);

/* ---- arrays ---- */

/* All zero; it must be there. */
void *zeros(size_t count, size_t element);

npy_array shaped(size_t rank, const size_t *shape);

#define SHAPED(...) shaped(COUNT(((const size_t[]){__VA_ARGS__})), (const size_t[]){__VA_ARGS__})

/* Images of noise. */
npy_array noise(size_t count, size_t side);

/* What the arrays of a whole model may differ by. */
double tolerance_of(const opened_backend *backend);
void assert_close(const char *what, const npy_array *expected, const npy_array *got, double tolerance);

/* ---- the models with golden arrays ---- */

typedef struct golden_model {
    const char *name, *folder;
    size_t layers, heads;
    bool has_tokens;
} golden_model;

enum { GOLDEN_MODELS = 3 };
extern const golden_model golden_models[GOLDEN_MODELS];

#endif
