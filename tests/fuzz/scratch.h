/* A folder for targets that read files by name. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stddef.h>

/* A fresh folder, made once and removed when the process ends. */
const char *scratch_folder(void);

/* The path of something in the folder; valid until the next call. */
const char *scratch_path(const char *name);

/* A file of the folder, with this content. */
void scratch_write(const char *name, const void *bytes, size_t count);

#endif
