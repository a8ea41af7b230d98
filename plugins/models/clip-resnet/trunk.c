/* See trunk.h. */
#include "trunk.h"

#include <math.h>
#include <stdlib.h>

/* Of batch norms, as PyTorch has it. */
static const double epsilon = 1e-5;

/* ---- which convolutions there are ---- */

static size_t block_count(const trunk_shape *shape) {
    size_t blocks = 0;
    for (size_t stage = 0; stage < TRUNK_STAGES; ++stage) blocks += shape->blocks[stage];
    return blocks;
}

enum { STEM = 3, BLOCK = 4 /* at most: three, and that of the shortcut */ };

static void add(resnet_trunk *self, const char *block, int number, size_t in, size_t out, size_t kernel,
                size_t stride) {
    convolution *of = &self->all[self->count++];
    *of = (convolution){.in = in, .out = out, .kernel = kernel, .stride = stride};
    snprintf(of->name, sizeof of->name, "visual.%sconv%d", block, number);
    snprintf(of->norm, sizeof of->norm, "visual.%sbn%d", block, number);
}

static void add_shortcut(resnet_trunk *self, const char *block, size_t in, size_t out) {
    convolution *of = &self->all[self->count++];
    *of = (convolution){.in = in, .out = out, .kernel = 1, .stride = 1};
    snprintf(of->name, sizeof of->name, "visual.%sdownsample.0", block);
    snprintf(of->norm, sizeof of->norm, "visual.%sdownsample.1", block);
}

/* Whether the first block of a stage halves the map. */
static bool halves(size_t stage, size_t block) {
    return stage > 0 && block == 0;
}

static void list_blocks(resnet_trunk *self, size_t stage, size_t *channels) {
    size_t narrow = self->shape->width << stage, wide = 4 * narrow;
    for (size_t i = 0; i < self->shape->blocks[stage]; ++i) {
        char block[32];
        snprintf(block, sizeof block, "layer%zu.%zu.", stage + 1, i);
        add(self, block, 1, *channels, narrow, 1, 1);
        add(self, block, 2, narrow, narrow, 3, 1);
        add(self, block, 3, narrow, wide, 1, 1);
        if (halves(stage, i) || *channels != wide) add_shortcut(self, block, *channels, wide);
        *channels = wide;
    }
}

static hl_status list_convolutions(resnet_trunk *self, hl_error *error) {
    size_t width = self->shape->width, channels = width;
    self->all = calloc(STEM + BLOCK * block_count(self->shape), sizeof *self->all);
    if (!self->all) return hl_no_memory(error, "the names of convolutions");
    add(self, "", 1, 3, width / 2, 3, 2);
    add(self, "", 2, width / 2, width / 2, 3, 1);
    add(self, "", 3, width / 2, width, 3, 1);
    for (size_t stage = 0; stage < TRUNK_STAGES; ++stage) list_blocks(self, stage, &channels);
    return HL_OK;
}

/* ---- tensors ---- */

enum { NORM_GAIN, NORM_SHIFT, NORM_MEAN, NORM_VARIANCE, NORM_PARTS, TENSORS = NORM_PARTS + 1 };

static tensor_spec weight_of(const convolution *of) {
    float in = (float)(of->in * of->kernel * of->kernel);
    tensor_spec out = {"", 4, {of->out, of->in, of->kernel, of->kernel}, 0, sqrtf(2 / in), false};
    snprintf(out.name, sizeof out.name, "%s.weight", of->name);
    return out;
}

static tensor_spec norm_of(const convolution *of, int part) {
    static const char *const names[NORM_PARTS] = {"weight", "bias", "running_mean", "running_var"};
    static const float means[NORM_PARTS] = {0.7F, 0, 0, 1}, deviations[NORM_PARTS] = {0.1F, 0.1F, 0.1F, 0.1F};
    tensor_spec out = {"", 1, {of->out}, means[part], deviations[part], false};
    snprintf(out.name, sizeof out.name, "%s.%s", of->norm, names[part]);
    return out;
}

size_t trunk_tensor_count(const trunk_shape *shape) {
    return TENSORS * (STEM + BLOCK * block_count(shape));
}

hl_status trunk_tensors(const trunk_shape *shape, tensor_spec *out, size_t *count, hl_error *error) {
    resnet_trunk listed = {.shape = shape};
    hl_status status = list_convolutions(&listed, error);
    *count = 0;
    for (size_t i = 0; i < listed.count; ++i) {
        out[(*count)++] = weight_of(&listed.all[i]);
        for (int part = 0; part < NORM_PARTS; ++part) out[(*count)++] = norm_of(&listed.all[i], part);
    }
    free(listed.all);
    return status;
}

/* ---- loading ---- */

/* Scale and shift of each channel: gain / sqrt(variance + epsilon), shift - mean * scale. */
static hl_status take_norm(const convolution *of, const loader *from, double *scales, float *shifts) {
    float *parts[NORM_PARTS] = {NULL};
    hl_status status = HL_OK;
    for (int part = 0; part < NORM_PARTS && status == HL_OK; ++part) {
        const tensor_spec spec = norm_of(of, part);
        status = checkpoint_take(from->weights, &spec, &parts[part], from->error);
    }
    for (size_t i = 0; i < of->out && status == HL_OK; ++i) {
        double variance = (double)parts[NORM_VARIANCE][i] + epsilon;
        if (!(variance > 0)) {
            status = hl_fail(from->error, HL_FAILED, "%s.running_var: number %zu is %g, expected one above 0",
                             of->norm, i, (double)parts[NORM_VARIANCE][i]);
            break;
        }
        scales[i] = (double)parts[NORM_GAIN][i] / sqrt(variance);
        shifts[i] = (float)((double)parts[NORM_SHIFT][i] - (double)parts[NORM_MEAN][i] * scales[i]);
    }
    for (int part = 0; part < NORM_PARTS; ++part) free(parts[part]);
    return status;
}

/* out x in x kernel x kernel, as it is stored, to out x kernel x kernel x in, as backends take it. */
static void scale_and_turn(const convolution *of, const float *stored, const double *scales, float *out) {
    size_t cells = of->kernel * of->kernel;
    for (size_t o = 0; o < of->out; ++o) {
        for (size_t i = 0; i < of->in; ++i) {
            for (size_t cell = 0; cell < cells; ++cell) {
                double value = (double)stored[(o * of->in + i) * cells + cell];
                out[(o * cells + cell) * of->in + i] = (float)(value * scales[o]);
            }
        }
    }
}

static hl_status load_convolution(convolution *of, const loader *from) {
    const tensor_spec spec = weight_of(of);
    size_t in = of->in * of->kernel * of->kernel;
    float *stored = NULL, *turned = malloc((of->out * in + of->out) * sizeof *turned);
    double *scales = malloc(of->out * sizeof *scales);
    hl_status status = turned && scales ? HL_OK : hl_no_memory(from->error, "a convolution");
    float *shifts = turned ? turned + of->out * in : NULL;
    if (status == HL_OK) status = take_norm(of, from, scales, shifts);
    if (status == HL_OK) status = checkpoint_take(from->weights, &spec, &stored, from->error);
    if (status == HL_OK) {
        const hl_weight_source source = {sizeof source, HL_ROLE_CONVOLUTION, -1, of->out, in, turned, shifts};
        scale_and_turn(of, stored, scales, turned);
        status = from->compute->api->prepare(from->compute->backend, &source, &of->weight, from->error);
    }
    free(stored);
    free(turned);
    free(scales);
    return status;
}

hl_status trunk_load(resnet_trunk *self, loader *from) {
    self->compute = from->compute;
    TRY(list_convolutions(self, from->error));
    for (size_t i = 0; i < self->count; ++i) TRY(load_convolution(&self->all[i], from));
    return HL_OK;
}

void trunk_free(resnet_trunk *self) {
    for (size_t i = 0; i < self->count; ++i) {
        self->compute->api->free_weight(self->compute->backend, self->all[i].weight);
    }
    free(self->all);
}

/* ---- memory ---- */

size_t trunk_largest_map(const trunk_shape *shape) {
    size_t pixels = shape->image * shape->image, stem = pixels / 4 * shape->width;
    return 3 * pixels > stem ? 3 * pixels : stem; /* no later map is larger than that after the stem */
}

hl_status trunk_room_open(const resnet_trunk *self, size_t batch, trunk_room *out, hl_error *error) {
    const hl_compute *c = self->compute;
    for (size_t i = 0; i < TRUNK_BUFFERS; ++i) {
        TRY(c->api->new_tensor(c->backend, batch * trunk_largest_map(self->shape), &out->maps[i], error));
    }
    return HL_OK;
}

void trunk_room_close(const resnet_trunk *self, trunk_room *room) {
    const hl_compute *c = self->compute;
    for (size_t i = 0; i < TRUNK_BUFFERS; ++i) c->api->free_tensor(c->backend, room->maps[i]);
}

/* ---- running ---- */

typedef struct map {
    hl_tensor *tensor;
    size_t side, channels;
} map;

typedef struct pass {
    const resnet_trunk *trunk;
    const convolution *next;
    size_t count;
    map x; /* where the last step left its result */
    hl_tensor *free[TRUNK_BUFFERS - 1];
    hl_error *error;
} pass;

static hl_matrix map_rows(const pass *p, map of) {
    return dense(of.tensor, 0, p->count * of.side * of.side, of.channels);
}

/* `to` gets the next convolution of `from`; `shortcut` may be where the result goes. */
static hl_status convolve(pass *p, map from, const map *shortcut, hl_activation activation, hl_tensor *to,
                          map *out) {
    const convolution *by = p->next++;
    size_t padding = by->kernel / 2, side = (from.side + 2 * padding - by->kernel) / by->stride + 1;
    *out = (map){to, side, by->out};
    const hl_convolution operation = {.size = sizeof operation,
                                      .x = map_rows(p, from),
                                      .residual = shortcut ? map_rows(p, *shortcut) : (hl_matrix){0},
                                      .out = map_rows(p, *out),
                                      .weight = by->weight,
                                      .activation = activation,
                                      .batch = p->count,
                                      .height = from.side,
                                      .width = from.side,
                                      .channels = from.channels,
                                      .kernel = by->kernel,
                                      .stride = by->stride,
                                      .padding = padding};
    const hl_compute *c = p->trunk->compute;
    return c->api->convolution(c->backend, &operation, p->error);
}

static hl_status halve(pass *p, map from, hl_tensor *to, map *out) {
    *out = (map){to, from.side / 2, from.channels};
    const hl_average_pool operation = {.size = sizeof operation,
                                       .x = map_rows(p, from),
                                       .out = map_rows(p, *out),
                                       .batch = p->count,
                                       .height = from.side,
                                       .width = from.side,
                                       .kernel_height = 2,
                                       .kernel_width = 2,
                                       .stride = 2};
    const hl_compute *c = p->trunk->compute;
    return c->api->average_pool(c->backend, &operation, p->error);
}

static void swap(hl_tensor **a, hl_tensor **b) {
    hl_tensor *kept = *a;
    *a = *b;
    *b = kept;
}

/* Convolutions, and after the last of them the mean. */
static hl_status run_stem(pass *p) {
    for (int i = 0; i <= STEM; ++i) {
        map made;
        TRY(i < STEM ? convolve(p, p->x, NULL, HL_RELU, p->free[0], &made)
                     : halve(p, p->x, p->free[0], &made));
        swap(&p->free[0], &p->x.tensor);
        p->x = made;
    }
    return HL_OK;
}

/* The third convolution comes after the shortcut, to whose result it is added. */
static hl_status run_block(pass *p, bool shrinks) {
    const convolution *third = p->next + 2;
    bool has_shortcut = shrinks || p->x.channels != third->out;
    map main, shortcut = p->x;
    TRY(convolve(p, p->x, NULL, HL_RELU, p->free[0], &main));
    TRY(convolve(p, main, NULL, HL_RELU, p->free[1], &main));
    if (shrinks) {
        TRY(halve(p, main, p->free[0], &main));
        TRY(halve(p, p->x, p->free[1], &shortcut));
    }
    if (has_shortcut) {
        p->next = third + 1;
        TRY(convolve(p, shortcut, NULL, HL_IDENTITY, p->free[2], &shortcut));
        p->next = third;
    }
    TRY(convolve(p, main, &shortcut, HL_RELU, shortcut.tensor, &main));
    if (has_shortcut) {
        ++p->next;
        swap(&p->free[2], &p->x.tensor);
    }
    p->x = main;
    return HL_OK;
}

hl_status trunk_run(const resnet_trunk *self, trunk_room *room, const hl_host *host, size_t count,
                    hl_matrix *out, hl_error *error) {
    pass p = {.trunk = self,
              .next = self->all,
              .count = count,
              .x = {room->maps[0], self->shape->image, 3},
              .free = {room->maps[1], room->maps[2], room->maps[3]},
              .error = error};
    TRY(run_stem(&p));
    for (size_t stage = 0; stage < TRUNK_STAGES; ++stage) {
        for (size_t i = 0; i < self->shape->blocks[stage]; ++i) {
            TRY(hl_check_cancelled(host, error));
            TRY(run_block(&p, halves(stage, i)));
        }
    }
    *out = map_rows(&p, p.x);
    return HL_OK;
}
