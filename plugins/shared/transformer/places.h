/* Position embeddings for another grid than they were trained for. */
#ifndef PLACES_H
#define PLACES_H

#include "image_tower.h"

/* Finds out for which grid the checkpoint has positions: the configuration's, else a square one. */
hl_status places_find(image_tower *self, hl_error *error);

/* Reads them, resizes those of the grid where it is another one, and puts them on the backend. */
hl_status places_load(image_tower *self, loader *from);

#endif
