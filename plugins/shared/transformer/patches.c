/* The first step of a tower: from pixels to the rows that enter the first layer. See image_tower.h. */
#include "image_tower.h"

#include <stdlib.h>
#include <string.h>

hl_status patch_room_open(const image_tower *tower, size_t batch, patch_room *out, hl_error *error) {
    const image_shape *shape = tower->shape;
    const hl_compute *c = tower->compute;
    size_t covered = 3 * image_cells(shape) * shape->patch * shape->patch;
    TRY(c->api->new_tensor(c->backend, batch * covered, &out->pixels, error));
    if (covered == 3 * shape->image_height * shape->image_width) return HL_OK;
    out->crop = calloc(batch * covered, sizeof *out->crop);
    return out->crop ? HL_OK : hl_no_memory(error, "a session");
}

void patch_room_close(const image_tower *tower, patch_room *room) {
    tower->compute->api->free_tensor(tower->compute->backend, room->pixels);
    free(room->crop);
}

/* A convolution passes over the margin at the right and at the bottom that no whole patch covers. */
static const float *crop(const image_shape *shape, float *out, const float *pixels, size_t count) {
    size_t height = shape->grid_rows * shape->patch, width = shape->grid_cols * shape->patch;
    if (!out) return pixels;
    for (size_t plane = 0; plane < 3 * count; ++plane, pixels += shape->image_height * shape->image_width) {
        for (size_t row = 0; row < height; ++row) {
            memcpy(out + (plane * height + row) * width, pixels + row * shape->image_width,
                   width * sizeof *out);
        }
    }
    return out;
}

hl_status embed_patches(const image_tower *tower, const patch_room *room, const float *pixels, size_t count,
                        hl_matrix x, hl_error *error) {
    const image_shape *shape = tower->shape;
    const hl_compute *c = tower->compute;
    size_t height = shape->grid_rows * shape->patch, width = shape->grid_cols * shape->patch;
    hl_matrix none = {0}, prefix = none;
    if (tower->class_embedding) prefix = dense(tower->class_embedding, 0, 1, x.cols);
    TRY(c->api->upload(c->backend, crop(shape, room->crop, pixels, count),
                       dense(room->pixels, 0, count * 3 * height, width), error));
    const hl_patch_embedding operation = {.size = sizeof operation,
                                          .pixels = dense(room->pixels, 0, count, 3 * height * width),
                                          .batch = count,
                                          .channels = 3,
                                          .height = height,
                                          .width = width,
                                          .patch = shape->patch,
                                          .weight = tower->patch,
                                          .prefix = prefix,
                                          .position = dense(tower->position, 0, image_tokens(shape), x.cols),
                                          .out = x};
    TRY(c->api->patch_embedding(c->backend, &operation, error));
    return tower->ln_pre.gain ? apply_norm(c, &tower->ln_pre, x, x, none, error) : HL_OK;
}
