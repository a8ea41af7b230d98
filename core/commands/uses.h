/* What people do with a model, each measured by itself: texts, an index, questions. */
#ifndef USES_H
#define USES_H

#include "core/atlas/gallery.h"
#include "core/engine/engine.h"

/* On a loaded engine. Seconds of each run go to `seconds`. */
typedef struct use {
    engine *model;
    const gallery *images;
    const char *folder; /* for what is made */
    size_t texts, batch;
    unsigned runs;
} use;

/* From the texts to their unit embeddings, use->texts at a time, no text twice. */
hl_status use_texts(const use *self, double *seconds, hl_error *error);

/* From image files to an atlas of all heads on disk. */
hl_status use_index(const use *self, double *seconds, hl_error *error);

/* Questions for the heat of all heads together: how long each takes until it is answered. */
typedef struct question_seconds {
    double first;         /* of an image and a text, when nothing has been asked before */
    double *image, *text; /* of another image, and of another text over the same image: of each run */
} question_seconds;

hl_status use_questions(const use *self, question_seconds *out, hl_error *error);

#endif
