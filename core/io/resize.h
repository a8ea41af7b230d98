/* Resizing as Pillow does it, of a part of the resized image only. */
#ifndef RESIZE_H
#define RESIZE_H

#include "headlight/model.h"

/* One axis: `from` pixels become `to`, of which [first, first + count) are wanted. None of them is 0. */
typedef struct resize_axis {
    size_t from, to, first, count;
} resize_axis;

/* rgb: down.from x across.from x 3; out: down.count x across.count x 3. Byte for byte what Pillow computes.
 */
hl_status resize_pixels(const uint8_t *rgb, resize_axis across, resize_axis down, hl_interpolation with,
                        uint8_t *out, hl_error *error);

#endif
