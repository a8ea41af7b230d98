/* See drawing.h. */
#include "drawing.h"

#include <stdlib.h>
#include <string.h>

hl_status drawing_make(size_t width, size_t height, drawing *out, hl_error *error) {
    size_t bytes;
    *out = (drawing){0};
    bool fits =
        !__builtin_mul_overflow(width, height, &bytes) && !__builtin_mul_overflow(bytes, 3, &bytes) && bytes;
    uint8_t *rgb = fits ? malloc(bytes) : NULL;
    if (!rgb) return hl_no_memory(error, "a picture");
    *out = (drawing){width, height, rgb};
    return HL_OK;
}

hl_status drawing_copy(const hl_picture *from, drawing *out, hl_error *error) {
    hl_status status = drawing_make(from->width, from->height, out, error);
    if (status == HL_OK) memcpy(out->rgb, from->rgb, out->width * out->height * 3);
    return status;
}

void drawing_free(drawing *self) {
    free(self->rgb);
    *self = (drawing){0};
}

hl_picture drawing_picture(const drawing *self) {
    uint32_t width = (uint32_t)self->width, height = (uint32_t)self->height;
    return (hl_picture){.size = sizeof(hl_picture),
                        .width = width,
                        .height = height,
                        .rgb = self->rgb,
                        .original_width = width,
                        .original_height = height};
}
