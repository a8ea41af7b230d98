/* CLIP's ModifiedResNet (Radford et al. 2021, section 2.4; He et al. 2016; "antialiased" by average pools in
 * place of strides, Zhang 2019): pixels -> the cells of its last map.
 *
 *     stem:   three convolutions of 3 x 3, the first of stride 2, then a mean of 2 x 2
 *     stages: four, of bottlenecks: relu(conv3(mean(relu(conv2(relu(conv1 x))))) + shortcut)
 *
 * A batch norm is a scale and a shift for each channel once a model is trained: they go into the weights.
 * Maps are kept as rows of channels, cell by cell. */
#ifndef TRUNK_H
#define TRUNK_H

#include "transformer/layer_stack.h"

enum {
    TRUNK_STAGES = 4,
    TRUNK_BUFFERS = 4,
    TRUNK_REDUCTION = 32 /* pixels to a side of a cell of the last map */
};

typedef struct trunk_shape {
    size_t blocks[TRUNK_STAGES];
    size_t width; /* channels after the stem; the last map has 32 times as many */
    size_t image; /* pixels a side, a multiple of TRUNK_REDUCTION */
} trunk_shape;

static inline size_t trunk_grid(const trunk_shape *shape) {
    return shape->image / TRUNK_REDUCTION;
}

static inline size_t trunk_channels(const trunk_shape *shape) {
    return shape->width * 32;
}

/* All its tensors; `out` has room for trunk_tensor_count, and *count becomes how many they are. */
size_t trunk_tensor_count(const trunk_shape *shape);
hl_status trunk_tensors(const trunk_shape *shape, tensor_spec *out, size_t *count, hl_error *error);

/* A convolution with its batch norm. */
typedef struct convolution {
    char name[64], norm[64]; /* "visual.layer1.0.conv1", "visual.layer1.0.bn1" */
    size_t in, out, kernel, stride;
    hl_weight *weight;
} convolution;

typedef struct resnet_trunk {
    const trunk_shape *shape;
    const hl_compute *compute;
    convolution *all; /* in the order in which they are run, each block's shortcut after its third */
    size_t count;
} resnet_trunk;

/* `shape` is set; free it also after a failure. from->compute outlives it. */
hl_status trunk_load(resnet_trunk *self, loader *from);
void trunk_free(resnet_trunk *self);

/* Memory of one thread for `batch` images: four maps that take turns. */
typedef struct trunk_room {
    hl_tensor *maps[TRUNK_BUFFERS];
} trunk_room;

/* Numbers of the largest map of one image. */
size_t trunk_largest_map(const trunk_shape *shape);

hl_status trunk_room_open(const resnet_trunk *self, size_t batch, trunk_room *out, hl_error *error);
void trunk_room_close(const resnet_trunk *self, trunk_room *room);

/* `pixels`: count x image * image x 3, cell by cell, in maps[0]. *out: the cells of the last map, count *
 * grid * grid x channels. */
hl_status trunk_run(const resnet_trunk *self, trunk_room *room, const hl_host *host, size_t count,
                    hl_matrix *out, hl_error *error);

#endif
