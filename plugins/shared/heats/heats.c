/* See heats.h. */
#include "heats/heats.h"

const char *const heats_scales[] = {"each", "shared", NULL};

hl_item *heats_add(const hl_model_info *model, const hl_image *image, const hl_direction *text,
                   const hl_direction *minus, const hl_selection *head, const float *heat,
                   hl_result *result) {
    hl_item *item = result->item(result, HL_SCHEMA_HEAT);
    result->text(item, "image", image->name);
    result->text(item, "text", text->name);
    if (minus) result->text(item, "minus", minus->name);
    result->text(item, "head", head->name);
    float *grid = result->grid(item, "grid", model->grid_rows, model->grid_cols);
    for (size_t cell = 0; grid && cell < heats_cells(model); ++cell) grid[cell] = heat[cell];
    return grid ? item : NULL;
}
