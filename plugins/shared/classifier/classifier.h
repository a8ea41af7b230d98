/* Zero-shot classification of a gallery, as analyses need it: which image is of which class and group, one
 * direction for each class, which class a score chooses, and how often that is right.
 *
 * A class's direction is the mean of the unit-norm embeddings of all its texts in all templates, normalised
 * (Radford et al. 2021, section 3.1.4; what open_clip and clip_text_span do). */
#ifndef CLASSIFIER_H
#define CLASSIFIER_H

#include "classifier/facts.h"
#include "headlight/option.h"

/* What an image without a class, or a group, has in place of one; and how many classes a task may have. */
enum { CLASSIFIER_NONE = 0xFFFF, CLASSIFIER_MOST = 10000 };

/* One key of gallery.json that is to be named. */
typedef struct classifier_task {
    const char *key;
    size_t class_count, group_count;
    const char *const *classes; /* values */
    const char *const *groups;  /* "circle, sand" */
    size_t first;               /* of its directions among those of all tasks */
    const uint16_t *truth;      /* by image: the class; CLASSIFIER_NONE: none of them, or no value */
    const uint16_t *group;      /* by image; CLASSIFIER_NONE: has no value of some key */
    size_t labelled;            /* images that have a class */
    size_t without_value;       /* images of which the gallery says nothing under the key */
    size_t unknown;             /* images with a value that is no class */
} classifier_task;

/* Read only, once it is open; any thread. */
typedef struct classifier {
    const hl_ask *ask;
    size_t images; /* of the gallery */
    size_t task_count, direction_count;
    const classifier_task *tasks;
    const double *directions; /* of all tasks' classes: direction_count x embed_dim, unit norm */
} classifier;

/* What users set: four rows of an option table, in this order. */
#define CLASSIFIER_OPTIONS                                                                                   \
    {.name = "keys",                                                                                         \
     .type = HL_STRINGS,                                                                                     \
     .fallback = "[]",                                                                                       \
     .flags = HL_OPTION_MAY_BE_EMPTY,                                                                        \
     .help =                                                                                                 \
         "What to name: keys of gallery.json, with dots into mappings (main.colors); none: the headings "    \
         "of `classes`."},                                                                                   \
        {.name = "classes",                                                                                  \
         .type = HL_PATH,                                                                                    \
         .fallback = "~",                                                                                    \
         .help = "A file of classes, one a line, VALUE: TEXT | ANOTHER; without it the values that the "     \
                 "gallery has."},                                                                            \
        {.name = "templates",                                                                                \
         .type = HL_PATH,                                                                                    \
         .fallback = "~",                                                                                    \
         .help = "A file of templates, one a line, {} standing for a class's text; without it the text "     \
                 "alone."},                                                                                  \
    {                                                                                                        \
        .name = "groups", .type = HL_STRINGS, .fallback = "[]", .flags = HL_OPTION_MAY_BE_EMPTY,             \
        .help =                                                                                              \
            "Keys whose values together say which group an image is in; none: its class. The group with "    \
            "the lowest accuracy is reported."                                                               \
    }
enum {
    CLASSIFIER_KEYS,
    CLASSIFIER_CLASSES,
    CLASSIFIER_TEMPLATES,
    CLASSIFIER_GROUPS,
    CLASSIFIER_OPTION_COUNT
};

/* `values`: those of CLASSIFIER_OPTIONS. Says in the log which values are no class and which classes no image
 * has. *out is the caller's until `classifier_close`. */
hl_status classifier_open(const hl_ask *ask, const hl_value *const *values, classifier **out,
                          hl_error *error);
void classifier_close(classifier *self); /* accepts NULL */

/* The class with the highest score; of equal ones the first. */
uint16_t classifier_choose(const classifier_task *task, const double *scores);

/* A table of the images that have a class, and of those that do not count. */
void classifier_show_left_out(const classifier *self, hl_result *to);

/* ---- how often it is right ---- */

typedef struct classifier_measures {
    size_t images;             /* that have a class */
    double accuracy, balanced; /* balanced: the mean over the classes that images have */
    double worst;              /* accuracy of the worst group */
    uint16_t worst_group;      /* of equal ones the first; CLASSIFIER_NONE: no image has one */
    size_t worst_images;
} classifier_measures;

/* answers[i] is the class chosen for image images[i]; images NULL: for image i. */
hl_status classifier_measure(const classifier *self, const classifier_task *task, const uint16_t *answers,
                             const size_t *images, size_t count, classifier_measures *out, hl_error *error);

/* Correct answers and images of each group, group_count numbers each. */
void classifier_count_groups(const classifier_task *task, const uint16_t *answers, const size_t *images,
                             size_t count, size_t *correct, size_t *all);

#endif
