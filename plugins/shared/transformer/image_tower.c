/* See image_tower.h. */
#include "image_tower.h"

#include "bases.h"
#include "places.h"
#include "trace.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

hl_status image_shape_set_size(image_shape *shape, const char *text, hl_error *error) {
    enum { MOST_PIXELS = 8192, MOST_CELLS = 1 << 10 };
    unsigned height = 0, width = 0;
    int one = 0, two = 0;
    if (isdigit((unsigned char)*text)) sscanf(text, "%5u%n%*1[xX]%5u%n", &height, &one, &width, &two);
    if (!two) width = height;
    size_t rows = height / shape->patch, cols = width / shape->patch;
    bool whole = text[two ? two : one] == '\0' && one > 0 && height <= MOST_PIXELS && width <= MOST_PIXELS;
    if (!whole || rows < 1 || cols < 1 || rows > MOST_CELLS || cols > MOST_CELLS) {
        return hl_fail(error, HL_USAGE,
                       "image-size is \"%.64s\", expected pixels such as 336 or, height first, 240x320, from "
                       "one patch, %zu, to %d a side",
                       text, shape->patch, MOST_PIXELS);
    }
    if (!shape->places_rows) shape->places_rows = shape->grid_rows, shape->places_cols = shape->grid_cols;
    shape->image_height = height, shape->image_width = width;
    shape->grid_rows = rows, shape->grid_cols = cols;
    return HL_OK;
}

tensor_spec image_tensor(const image_shape *shape, image_slot slot) {
    size_t width = shape->layers.width, patch = shape->patch;
    const tensor_spec specs[IMAGE_SLOTS] = {
        [CLASS_EMBEDDING] = {"", 1, {width}, 0, 0.5F, false},
        [IMAGE_POSITION] = {"", 2, {image_tokens(shape), width}, 0, 0.3F, true},
        [PATCH_WEIGHT] = {"", 4, {width, 3, patch, patch}, 0, 1 / sqrtf((float)(3 * patch * patch)), false},
        [PATCH_BIAS] = {"", 1, {width}, 0, 0.1F, false},
        [LN_PRE_GAIN] = {"", 1, {width}, 1, 0.25F, false},
        [LN_PRE_SHIFT] = {"", 1, {width}, 0, 0.1F, false},
        [LN_POST_GAIN] = {"", 1, {width}, 1, 0.25F, false},
        [LN_POST_SHIFT] = {"", 1, {width}, 0, 0.1F, false},
        [IMAGE_PROJECTION] = {"", 2, {width, shape->embed_dim}, 0, 1 / sqrtf((float)width), false},
        [PROJECTION_BIAS] = {"", 1, {shape->embed_dim}, 0, 0.1F, false},
    };
    return tensor_named(specs[slot], shape->names[slot]);
}

size_t image_tensors(const image_shape *shape, tensor_spec *out) {
    size_t count = 0;
    for (int slot = 0; slot < IMAGE_SLOTS; ++slot) {
        tensor_spec spec = image_tensor(shape, (image_slot)slot);
        if (spec.rank) out[count++] = spec;
    }
    return count;
}

hl_status image_tower_describe(image_tower *self, hl_error *error) {
    if (has_inner_norms(&self->shape->layers) && self->shape->pooling != IMAGE_POOL_CLASS) {
        return hl_fail(error, HL_USAGE, "%s: inner norms are supported only where the class token is pooled",
                       self->plugin);
    }
    TRY(places_find(self, error));
    bool has_remainder = image_tensor(self->shape, PROJECTION_BIAS).rank > 0;
    return components_make(&self->shape->layers, has_remainder, &self->components, error);
}

static hl_status number_pooled_rows(image_tower *self, hl_error *error) {
    pooling pooled = image_pooled_rows(self->shape);
    self->pooled_rows = calloc(pooled.count, sizeof *self->pooled_rows);
    if (!self->pooled_rows) return hl_no_memory(error, "the numbers of rows");
    for (size_t i = 0; i < pooled.count; ++i) self->pooled_rows[i] = pooled.first + i;
    return HL_OK;
}

hl_status image_tower_load(image_tower *self, loader *from) {
    const image_shape *shape = self->shape;
#define SPEC(SLOT) image_tensor(shape, SLOT)
    const hl_weight_source patch = {.role = HL_ROLE_PATCH, .layer = -1, .out = shape->layers.width};
    float epsilon = shape->layers.epsilon;
    self->compute = from->compute;
    self->layers = (layer_stack){
        .shape = &shape->layers, .compute = from->compute, .pools_last = shape->pooling == IMAGE_POOL_CLASS};
    TRY(number_pooled_rows(self, from->error));
    TRY(load_linear(from, &patch, SPEC(PATCH_WEIGHT), SPEC(PATCH_BIAS), 0, &self->patch));
    if (SPEC(CLASS_EMBEDDING).rank) TRY(load_vector(from, SPEC(CLASS_EMBEDDING), &self->class_embedding));
    TRY(places_load(self, from));
    if (SPEC(LN_PRE_GAIN).rank) {
        TRY(load_norm(from, SPEC(LN_PRE_GAIN), SPEC(LN_PRE_SHIFT), epsilon, &self->ln_pre));
    }
    if (shape->rotary_side > 0) {
        TRY(rotary_make(from->compute, image_prefix(shape), shape->grid_rows, shape->grid_cols,
                        shape->rotary_side, head_width(&shape->layers), &self->layers.positions,
                        from->error));
    }
    TRY(layer_stack_load(from, &self->layers));
    TRY(load_norm(from, SPEC(LN_POST_GAIN), SPEC(LN_POST_SHIFT), epsilon, &self->ln_post));
    if (shape->pooling == IMAGE_POOL_ELSEWHERE) return HL_OK;
    TRY(load_projection(from, SPEC(IMAGE_PROJECTION), SPEC(PROJECTION_BIAS), &self->projection));
    TRY(spare_traces_open(&self->spare, from->error));
    return bases_prepare(self, from->error);
#undef SPEC
}

void image_tower_free(image_tower *self) {
    bases_free(self);
    spare_traces_close(self->host, self->spare);
    free(self->pooled_rows);
    components_free(&self->components);
    const hl_compute *c = self->compute;
    if (!c) return;
    layer_stack_free(&self->layers);
    c->api->free_weight(c->backend, self->patch);
    c->api->free_weight(c->backend, self->projection);
    c->api->free_tensor(c->backend, self->class_embedding);
    c->api->free_tensor(c->backend, self->position);
    free_norm(c, &self->ln_pre);
    free_norm(c, &self->ln_post);
}
