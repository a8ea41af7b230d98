/* The typed tree of results (headlight/result.h) while it is made, and everything that is in its shape: what
 * is read from JSON, what is written as JSON. A tree owns its nodes, in one arena; they live as long as it
 * does.
 *
 * Nobody need check call by call: the first thing that goes wrong is remembered, what follows is not taken,
 * and `tree_check` says it. All functions accept a NULL item. A tree that is being made belongs to one
 * thread. */
#ifndef TREE_H
#define TREE_H

#include "headlight/result.h"

typedef struct tree tree;

/* Its root is an empty map. */
hl_status tree_open(tree **out, hl_error *error);
void tree_close(tree *self); /* accepts NULL */

hl_item *tree_root(tree *self);             /* NULL when the root is neither a map nor a list */
const hl_node *tree_node(const tree *self); /* the root */
tree *tree_owner(const hl_node *node);      /* whose it is, of a map or a list */

/* Whether all went well: memory, names, numbers, the numbers of its grids, the rows of its tables. */
hl_status tree_check(tree *self, hl_error *error);

/* Remembers that something went wrong in the item, unless something did before. */
__attribute__((format(printf, 3, 4))) void item_refuse(hl_item *item, const char *key, const char *format,
                                                       ...);

/* How messages call the item and what will be below it: "topic-segmentation, result 3". */
__attribute__((format(printf, 2, 3))) void item_set_place(hl_item *item, const char *format, ...);

/* As in hl_result, whose functions these are. */
void item_text(hl_item *item, const char *key, const char *value);
void item_truth(hl_item *item, const char *key, bool value);
void item_whole(hl_item *item, const char *key, int64_t value);
void item_number(hl_item *item, const char *key, double value);
hl_item *item_map(hl_item *item, const char *key);
hl_item *item_list(hl_item *item, const char *key, uint32_t type);
float *item_grid(hl_item *item, const char *key, uint32_t rows, uint32_t cols);
void item_picture(hl_item *item, const char *key, uint32_t rows, uint32_t cols, const uint8_t *rgb);
void item_copy(hl_item *item, const char *key, const hl_node *node);

void item_neighbor(hl_item *item, const char *path, double score);

/* What a gallery says of its image at `path`: a map (caption, mask and further keys; `path` and `score` are
 * passed over), or NULL. Every neighbour's entry gets a copy. */
typedef const hl_node *tree_facts(void *user, const char *path);
void tree_set_facts(tree *self, tree_facts *facts, void *user);

/* And what is the host's alone. */
void item_nothing(hl_item *item, const char *key);
void item_double(hl_item *item, const char *key,
                 double value);                           /* shown with a double's digits, whatever it is */
void item_copy_absent(hl_item *item, const hl_node *map); /* those of its entries whose keys the item lacks */

const hl_node *item_node(const hl_item *item);

/* The item's own map or list under `key`; NULL: there is none. */
hl_item *item_inner(hl_item *item, const char *key);

/* The maps and lists of a list that has nothing else; NULL: there are no more. */
hl_item *item_first(const hl_item *list);
hl_item *item_next(const hl_item *item);

/* One value of JSON, in UTF-8 and with nothing after it but space. Numbers keep their digits. Of entries of
 * one name in one object the first counts; but two called `once` (may be NULL) in an object of a list that is
 * the whole, fail. No text may hold a NUL. `name` is for messages. HL_FAILED for anything else. */
hl_status tree_read_json(const char *name, const uint8_t *bytes, size_t count, const char *once, tree **out,
                         hl_error *error);

/* A node and all below it as JSON: always UTF-8, and the same whatever the locale. Indented by tabs as
 * results.json is, or in one line. No newline at the end. free() it. */
hl_status tree_print_json(const hl_node *node, bool indented, char **out, hl_error *error);

/* A number's text, as in JSON. */
enum { NUMBER_ROOM = 32 };
const char *number_text(const hl_node *number, char room[NUMBER_ROOM]);

/* The number of a text that is one of JSON; what a double cannot hold becomes the largest that it can. */
double number_read(const char *text);

#endif
