/* The files beside results.json: pictures as PNG, arrays as .npy. */
#ifndef FILES_H
#define FILES_H

#include "drawing/drawing.h"

hl_status files_png(const hl_report *report, const char *name, const hl_picture *picture, hl_error *error);

/* rows x cols elements of NumPy's type `descr` ("<f4", "|u1"), `size` bytes each. */
hl_status files_npy(const hl_report *report, const char *name, const char *descr, size_t size, size_t rows,
                    size_t cols, const void *values, hl_error *error);

#endif
