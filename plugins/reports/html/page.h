/* The parts of the page, one file each. */
#ifndef PAGE_H
#define PAGE_H

#include "drawing/canvas.h"
#include "drawing/palette.h"
#include "gather.h"
#include "html.h"

typedef struct page_limits {
    size_t side;   /* of every picture's longer side, in pixels, at most */
    double pixels; /* of all pictures together, as far as none becomes smaller than can be seen */
} page_limits;

typedef struct page {
    html html;
    const hl_report *report;
    const hl_node *root;
    canvas pictures;
    palette palette; /* the properties and their colours */
    void *gallery;   /* a tree of tsearch: the gallery's images that are in the page already */
    size_t gallery_count;
    size_t figures; /* so many have been drawn */
    bool has_figures;
    gathered said;  /* of single heads */
    bool has_cards; /* every head of which something is said has one */
} page;

/* Writes report.html. */
hl_status page_write(const hl_report *report, const page_limits *limits, hl_error *error);

/* The entries of a list or a map, one after the other; NULL: none. */
const hl_node *page_first(const hl_node *of);
bool page_same(const hl_node *a, const hl_node *b, const char *key);

/* The file's name without its folders. */
const char *page_file(const char *path);

/* ---- values ---- */

/* A value, as short as it goes: "a red star, snow"; a table or a picture where it is one. */
void page_value(page *self, const hl_node *value);

/* A name and its value; the caller writes between the two. */
void page_fact(page *self, const char *name);
void page_end_fact(page *self);

/* Maps, from `row` up to `end`, as a table with a column for each key; their schema has none. Files go by
 * their short names; the whole path can be opened. */
void page_rows(page *self, const hl_node *row, const hl_node *end);

/* The same of numbers: to the right, and `low` and `high` beside `value`, or `X_low` and `X_high` beside X,
 * are its interval. */
void page_number_rows(page *self, const hl_node *row, const hl_node *end);

/* All of a list; a long one is opened by who wants it. */
void page_number_table(page *self, const hl_node *list);

/* Items that no other part can draw: rows of a table, or, where they hold tables and pictures, one after the
 * other. */
void page_items(page *self, const hl_node *item, const hl_node *end);

/* ---- what the parts share ---- */

/* A chip behind a text that the model did not read to its end. */
void page_cut_mark(page *self, const char *text);

/* A head's name and, as a chip, its property, when that is known; a property alone is a chip. */
void page_head(page *self, const char *head);
void page_property(page *self, const char *property);

/* A group: <article><div> with its title; the caller ends both. */
void page_start_group(page *self, const char *title);

/* The colours of heat: low end, colours, high end. */
void page_scale(page *self, double low, double high);

/* An image of the experiment. */
void page_image(page *self, const char *name);

/* Images of the gallery in a row. */
void page_thumbnails(page *self, const hl_node *neighbors);
void page_forget_thumbnails(page *self);

/* One of them, small and without words; of very many images the last are only named. */
void page_small_image(page *self, const hl_node *neighbor);

/* What can be opened at an item: a headline, which always shows, then whatever the caller adds, the item's
 * fields and the experiment to copy. */
void page_details(page *self);
void page_end_headline(page *self);
void page_end_details(page *self, const hl_node *analysis, const hl_node *item);

/* ---- sections ---- */

/* The document up to its body; the title, and what the run was. */
void page_document_head(page *self);
void page_introduction(page *self);

/* Each shows the items from `item` on that belong together and returns the first that does not. */
const hl_node *page_heats(page *self, const hl_node *analysis, const hl_node *item);
const hl_node *page_neighbors(page *self, const hl_node *analysis, const hl_node *item);

/* Charts and maps of heads, one after the other. */
bool page_draws_figure(const hl_node *item);
const hl_node *page_figures(page *self, const hl_node *item);

/* Tables of numbers (HL_SCHEMA_TABLE). */
const hl_node *page_tables(page *self, const hl_node *item);

/* What a language model was asked and answered, from this item on; returns the first item that is no such
 * exchange. */
const hl_node *page_conversations(page *self, const hl_node *item);

/* Items of whatever schema; `of`: whose they are. */
const hl_node *page_item(page *self, const hl_node *of, const hl_node *item);

/* The map of all heads with their properties. */
void page_properties(page *self);

/* A card for each head, where more is said of heads than maps and pictures show. */
void page_cards(page *self);

/* What step number `number`, from 1, of the extractors found. */
void page_extractor(page *self, const hl_node *step, size_t number);

/* Of an analysis or an extractor: its options, and a line that says what it was asked. */
void page_options(page *self, const hl_node *options);
void page_question(page *self, const hl_node *options);

/* The variants' own pages, and how far their results lie apart. */
void page_variants(page *self);

#endif
