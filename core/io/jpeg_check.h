/* What stb_image does not check in a JPEG before it relies on it. */
#ifndef JPEG_CHECK_H
#define JPEG_CHECK_H

#include <stdio.h>

/* NULL when `file`, open at its start, is no JPEG or can be handed to the decoder; otherwise what is wrong.
 * Leaves the position anywhere. */
const char *jpeg_problem(FILE *file);

#endif
