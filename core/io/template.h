/* Texts made from a template, in which "{}" stands for another text. */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "core/io/arena.h"

/* The template, of `length` bytes, with the text in place of each "{}"; NULL: no memory. */
const char *template_fill(arena *memory, const char *template, size_t length, const char *text);

#endif
