/* The module around sentencepiece, loaded when a model of it is opened. */
#ifndef MODULE_H
#define MODULE_H

#include "headlight/error.h"
#include "library.h"

typedef struct module {
    void *handle;
    const sentence_library *library;
} module;

/* It lies in the folder `modules` beside whatever this code is part of. */
hl_status module_open(module *out, hl_error *error);
void module_close(module *self); /* accepts one that is zeroed */

#endif
