/* What the analyses that show heats share: options alike, and a heat as an item of the results. */
#ifndef HEATS_H
#define HEATS_H

#include "headlight/analysis.h"

/* The choices of an option `scale`. */
extern const char *const heats_scales[];
enum { HEATS_SCALE_EACH, HEATS_SCALE_SHARED };

#define HEATS_HEADS_OPTION                                                                                   \
    {                                                                                                        \
        .name = "heads", .type = HL_HEADS, .fallback = "[aggregate]",                                        \
        .flags = HL_OPTION_AGGREGATE | HL_OPTION_SETS,                                                       \
        .help = "Whose heat to show: a head (L3.H5), each head of a layer (L3), all of them one by one "     \
                "(all), the sum over all of them (aggregate), or over a set of heads, each times its "       \
                "weight (0.7*L3.H5 + L2.H1)."                                                                \
    }

#define HEATS_OPACITY_OPTION                                                                                 \
    {                                                                                                        \
        .name = "opacity", .type = HL_REAL, .fallback = "0.6", .min = 0, .max = 1,                           \
        .help = "How much of a picture is heat: 0 shows only the image, 1 only the colours."                 \
    }

static inline size_t heats_cells(const hl_model_info *model) {
    return (size_t)model->grid_rows * model->grid_cols;
}

/* A heat of a text, or of what it has more than another, `minus` (NULL: none), as an item, for more facts of
 * it. NULL: no memory. */
hl_item *heats_add(const hl_model_info *model, const hl_image *image, const hl_direction *text,
                   const hl_direction *minus, const hl_selection *head, const float *heat, hl_result *result);

#endif
