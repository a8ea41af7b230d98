/* A folder for what a measurement makes, where TMPDIR says. */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include "headlight/error.h"

enum { BENCH_FOLDER = 4096 };

/* The caller removes it (folder_remove). */
hl_status bench_folder_make(char out[BENCH_FOLDER], hl_error *error);

#endif
