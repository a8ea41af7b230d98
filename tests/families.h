/* Model families: tests/golden/families, each folder a model as people have it with what other people's code
 * computed of it. tests/README.md says what lies in one. */
#ifndef FAMILIES_H
#define FAMILIES_H

#include <cjson/cJSON.h>
#include <stdbool.h>

typedef struct family {
    char *name, *folder; /* where the golden arrays are */
    cJSON *about;        /* case.json */
    char *model;         /* the folder that a user would have: the checkpoint, its tokenizer beside it */
} family;

/* Family number `index`, its model's folder made below `scratch`; false: there are no more. */
bool family_open(size_t index, const char *scratch, family *out);
void family_close(family *of);

#endif
