/* What the arrays for clip_text_span are made of besides images: lines of files, and the embeddings of texts
 * in them. */
#ifndef PEER_TEXTS_H
#define PEER_TEXTS_H

#include "core/engine/engine.h"
#include "core/io/arena.h"

typedef struct text_lines {
    const char **all;
    size_t count;
} text_lines;

/* All lines, also blank ones, as Python's readlines has them: rows of arrays stand for lines. */
hl_status text_lines_read(const char *file, arena *memory, text_lines *out, hl_error *error);

/* Those that are not blank, without white space around them. Refuses what is written as the analyses' files
 * of classes are
 * ("[places]", "1: one thing", "# a comment"): here the line is the class. */
hl_status class_lines_read(const char *file, arena *memory, text_lines *out, hl_error *error);

/* Those that are not blank; each must hold "{}". Without a file the class alone. */
hl_status template_lines_read(const char *file, arena *memory, text_lines *out, hl_error *error);

/* The number of a class; SIZE_MAX: it is none. */
size_t text_lines_find(const text_lines *self, const char *text);

/* Warns of texts that the model reads only in part; HL_USAGE for a model that takes no texts. */
hl_status texts_check(const engine *model, const text_lines *texts, hl_error *error);

/* A class's direction: the normalised mean of its embeddings in all templates, embed_dim numbers. */
hl_status class_encode(engine *model, const char *name, const text_lines *templates, float *out,
                       hl_error *error);

#endif
