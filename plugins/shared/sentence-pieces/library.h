/* Debian's sentencepiece, which is C++, for C: what the module library.cpp hands out. The library ends the
 * program where it finds its model wrong, and reads tables in it unchecked: it is given no bytes but those
 * that piece_model.c has made. */
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

typedef struct sentence_library {
    /* A model of a serialised ModelProto; NULL: see `error`. */
    void *(*open)(const void *bytes, size_t count, sentence_error *error);
    void (*close)(void *model); /* accepts NULL */

    /* Hands the ids of a text to `take`, in order; 0, or see `error`. [any thread] */
    int (*encode)(const void *model, const char *text, size_t length, void (*take)(void *user, int id),
                  void *user, sentence_error *error);
} sentence_library;

/* The module's one exported symbol. */
#define SENTENCE_LIBRARY "headlight_sentence_library"

#ifdef __cplusplus
}
#endif

#endif
