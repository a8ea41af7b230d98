/* The parts of the page, one file each. Only page.c and these include it. */
#ifndef PAGE_PARTS_H
#define PAGE_PARTS_H

#include "core/report/canvas.h"
#include "core/report/html.h"
#include "core/report/palette.h"

typedef struct page {
    html html;
    canvas *pictures;
    const cJSON *root;
    const char *sections; /* of the experiment, for snippets */
    palette palette;      /* the properties and their colours */
    size_t side;          /* of a picture's longer side, in pixels */
    cJSON *embedded;      /* the gallery's images that are in the page already */
} page;

const cJSON *page_get(const cJSON *object, const char *key);
bool page_same(const cJSON *a, const cJSON *b, const char *key);

/* The file's name without its folders. */
const char *page_file(const char *path);

/* A value in one line: "a red star, snow"; of a grid only its shape. */
void page_value(page *self, const cJSON *value);

/* A chip behind a text that the model did not read to its end. */
void page_cut_mark(page *self, const char *text);

/* A head's name and, as a chip, its property, when that is known. */
void page_head(page *self, const char *head);

/* A group: <article><div> with its title; the caller ends both. */
void page_start_group(page *self, const char *title);

/* An image of the experiment. */
void page_image(page *self, const char *name);

/* What can be opened at an item: a headline, which always shows, then whatever the caller adds, the item's
 * fields and the experiment to copy. */
void page_details(page *self);
void page_end_headline(page *self);
void page_end_details(page *self, const cJSON *analysis, const cJSON *item);

/* Each shows the items from `item` on that belong together and returns the first that does not. */
const cJSON *page_heats(page *self, const cJSON *analysis, const cJSON *item);
const cJSON *page_neighbors(page *self, const cJSON *analysis, const cJSON *item);
const cJSON *page_table(page *self, const cJSON *item);

/* The map of all heads with their properties, as a section. */
void page_properties(page *self);

#endif
