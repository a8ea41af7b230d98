/* Images and texts for measurements that are given none: made from a number, always the same. */
#ifndef MADE_INPUT_H
#define MADE_INPUT_H

#include <stddef.h>

enum { MADE_TEXT = 128 };

/* `pixels`: 3 x height x width, as normalised pixels are. Not noise, of which all look alike to a model:
 * waves of a few directions and lengths, in colours. */
void made_image(size_t number, size_t height, size_t width, float *pixels);

/* 3 to 9 English words. */
void made_text(size_t number, char out[MADE_TEXT]);

#endif
