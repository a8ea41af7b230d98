/* Debian's sentencepiece, which is C++, for C. Only library.cpp knows it. It ends the program where it finds
 * its model wrong, and reads tables in it unchecked: it is given no bytes but those that piece_model.c has
 * made. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong, for a message; "": no memory. */
typedef struct sentence_error {
    char message[256];
} sentence_error;

/* A model of a serialised ModelProto; NULL: see `error`. */
void *sentence_library_open(const void *bytes, size_t count, sentence_error *error);
void sentence_library_close(void *model); /* accepts NULL */

/* Hands the ids of a text to `take`, in order; 0, or see `error`. [any thread] */
int sentence_library_encode(const void *model, const char *text, size_t length,
                            void (*take)(void *user, int id), void *user, sentence_error *error);

#ifdef __cplusplus
}
#endif

#endif
