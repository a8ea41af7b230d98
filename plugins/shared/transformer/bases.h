/* What all bases of an image tower share, made once from its ln_post and projection. */
#ifndef BASES_H
#define BASES_H

#include "image_tower.h"

/* Makes self->projected. */
hl_status bases_prepare(image_tower *self, hl_error *error);
void bases_free(image_tower *self);

#endif
