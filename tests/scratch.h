/* A folder with one of each file that headlight reads, for tests that put something else in a file's place or
 * have its reading fail: model/, a.jpg, gallery.json, list.txt, labels.json, texts.txt, pixels.npy, e.yaml
 * (which names them and searches) and atlas/, all copies. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "tests/support.h"

extern char *scratch;        /* the folder */
extern char *scratch_merges; /* the model's merges, relative to it */

/* Group set-up and tear-down of cmocka. */
int scratch_fill(void **state);
int scratch_empty(void **state);

#define SCRATCH_EXPERIMENT(FOLDER)                                                                           \
    "headlight: 1\nmodel: {path: " FOLDER "model}\ncompute: {backend: reference, threads: 1}\n"              \
    "gallery: {images: " FOLDER "gallery.json, atlas: " FOLDER "atlas}\n"                                    \
    "properties: {extractor: labels-file, path: " FOLDER "labels.json}\noutput: " FOLDER "out\n"             \
    "analyses:\n"                                                                                            \
    "  - {plugin: topic-segmentation, images: [" FOLDER "a.jpg], texts: [a red star]}\n"                     \
    "  - {plugin: property-neighbors, images: [" FOLDER "a.jpg], properties: [colors]}\n"

/* How the built command is started there. A descriptor of 0 is /dev/null, of -1 is closed. */
typedef struct scratch_call {
    const char *words[24];      /* what follows the command's name */
    const char *environment[8]; /* NAME=VALUE */
    int input, output, errors;  /* errors: -1 or 0; 0 is kept for `said` */
} scratch_call;

/* Its exit status (128 + signal when it was killed); one that takes a minute is. *said, unless NULL, is what
 * it wrote on stderr; the caller frees it. */
int scratch_run(const scratch_call *call, char **said);

/* The same, for what must end with 0. */
void scratch_must(const char *const *words);
#define SCRATCH_MUST(...) scratch_must((const char *const[]){__VA_ARGS__, NULL})

/* Paths are relative to the folder. */
char *scratch_path(const char *name); /* free it */
void scratch_write(const char *name, const char *content);
bool scratch_has(const char *name);
void scratch_remove(const char *name); /* also folders */

/* Fails the test where a staging folder is left anywhere in the folder. */
void scratch_check_clean(const char *what);

#endif
