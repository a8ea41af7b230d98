/* Results: one typed tree, made by plugins, kept in memory, read by whoever wants it.
 *
 * A plugin fills the tree through hl_result; a report, another plugin or a program reads it as hl_node, and
 * JSON, PNG, .npy and HTML are written from it. A number stays what it was: a float, a double, a whole
 * number, or the digits that a gallery.json has.
 *
 * hl_node is frozen for this major ABI: it is read field by field. [read only, any thread, once it is made]
 */
#ifndef HEADLIGHT_RESULT_H
#define HEADLIGHT_RESULT_H

#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hl_node_type {
    HL_NOTHING = 0, /* JSON's null */
    HL_TRUTH,       /* truth */
    HL_WHOLE,       /* whole, and number as near as a double comes */
    HL_NUMBER,      /* number; `single`: it was a float, and is shown with the digits that a float has */
    HL_TEXT,        /* text */
    HL_LIST,        /* first */
    HL_MAP,         /* first; each entry has a key, each key is there once */
    HL_TABLE,       /* a list of maps that have the same keys: its rows; JSON shows a list */
    HL_NEIGHBORS, /* a list of maps: path, score, and what the gallery says of the image; JSON shows a list */
    HL_GRID,      /* rows x cols floats, row-major, top row first; JSON shows a list of lists */
    HL_PICTURE    /* rows x cols x 3 bytes, RGB, top row first; a report writes it to a file */
} hl_node_type;

/* A node. Fields that its type does not name are zero. Numbers are finite. */
typedef struct hl_node hl_node;
struct hl_node {
    uint32_t type;    /* an hl_node_type */
    uint32_t count;   /* entries of a list, map, table, neighbours */
    const char *key;  /* of a map's entry, else NULL */
    const char *text; /* HL_TEXT: UTF-8; a number that came from a file: as it was written; else NULL */
    int64_t whole;
    double number;
    bool truth, single;
    const hl_node *first, *next; /* the first entry; the entry after this one in the same list or map */
    uint32_t rows, cols;
    const float *grid;  /* rows * cols */
    const uint8_t *rgb; /* rows * cols * 3 */
};

/* Whether a node has entries without keys. Accepts NULL. */
static inline bool hl_is_list(const hl_node *node) {
    return node && node->type >= HL_LIST && node->type <= HL_NEIGHBORS && node->type != HL_MAP;
}

/* Whether a node is a number, whole or not. Accepts NULL. */
static inline bool hl_is_number(const hl_node *node) {
    return node && (node->type == HL_WHOLE || node->type == HL_NUMBER);
}

/* The entry of a map; NULL when there is none, or `map` is none or NULL. */
static inline const hl_node *hl_get(const hl_node *map, const char *key) {
    const hl_node *entry = map && map->type == HL_MAP ? map->first : NULL;
    while (entry && strcmp(entry->key, key) != 0) entry = entry->next;
    return entry;
}

/* What a path leads to, "colors" or, joined by dots through maps, "main.colors"; a key may itself have dots:
 * the whole path as one key comes first. NULL when there is none, or `map` is none or NULL. */
static inline const hl_node *hl_find(const hl_node *map, const char *path) {
    const hl_node *found = hl_get(map, path);
    const hl_node *entry = map && map->type == HL_MAP ? map->first : NULL;
    for (; entry && !found; entry = entry->next) {
        size_t length = strlen(entry->key);
        if (strncmp(entry->key, path, length) != 0 || path[length] != '.') continue;
        found = hl_find(entry, path + length + 1);
    }
    return found;
}

/* The text of a map's entry, "" when there is none or it is no text. */
static inline const char *hl_get_text(const hl_node *map, const char *key) {
    const hl_node *entry = hl_get(map, key);
    return entry && entry->type == HL_TEXT ? entry->text : "";
}

/* The number of a map's entry, `otherwise` when there is none or it is no number. */
static inline double hl_get_number(const hl_node *map, const char *key, double otherwise) {
    const hl_node *entry = hl_get(map, key);
    return hl_is_number(entry) ? entry->number : otherwise;
}

/* What a plugin fills: items, in order. An item is a map with a schema name, which tells reports how to show
 * it (below); one of a schema that a report does not know becomes a row of a table. Strings and arrays are
 * copied, but for `grid`; in texts and keys that are no UTF-8 every byte that is wrong becomes \xHH. A call
 * that fails (no memory, a number that is not finite, a key twice, more than a thousand levels) is remembered
 * and fails the run afterwards; all accept a NULL item, so only `grid`'s result need be checked. [the thread
 * that called `run`]
 */
typedef struct hl_result hl_result;
typedef struct hl_item hl_item; /* a map or a list of the tree that is being made; owned by the result */
struct hl_result {
    uint32_t size;
    hl_item *(*item)(hl_result *result, const char *schema);

    /* Entries. `key` is NULL where `item` is a list. */
    void (*text)(hl_item *item, const char *key, const char *value);
    void (*truth)(hl_item *item, const char *key, bool value);
    void (*whole)(hl_item *item, const char *key, int64_t value);
    void (*number)(hl_item *item, const char *key,
                   double value); /* a float that was widened is shown as one */
    hl_item *(*map)(hl_item *item, const char *key);
    hl_item *(*list)(hl_item *item, const char *key, uint32_t type); /* HL_LIST or HL_TABLE */
    /* rows x cols numbers for the caller to fill before `run` returns; NULL when there is no memory. */
    float *(*grid)(hl_item *item, const char *key, uint32_t rows, uint32_t cols);
    void (*picture)(hl_item *item, const char *key, uint32_t rows, uint32_t cols, const uint8_t *rgb);
    void (*copy)(hl_item *item, const char *key, const hl_node *node); /* with all that is below it */

    /* Appends to the list `neighbors` of the item, a map: path (relative to the gallery's folder) and score,
     * and whatever the gallery says of that image, such as its caption. */
    void (*neighbor)(hl_item *item, const char *path, double score);
};

/* Schemas that reports draw:
 *
 * HL_SCHEMA_HEAT, a picture of a heat over its image:
 *     image (text)    the image's name          head (text)    the selection's name
 *     text (text)     the direction's name      grid (grid)    the heat
 *     opacity (number, may be missing)          how much of the picture is heat, from 0 to 1
 *     low, high (numbers, may be missing)       the ends of the colour scale; else the grid's own
 *     minus (text, may be missing)              the direction whose heat was taken off: the picture gets a
 *                                               scale of two colours around zero
 *     mask_threshold (number, may be missing)   the cells above it are written as a mask, the grid as .npy
 *
 * HL_SCHEMA_NEIGHBORS, images of the gallery in a row:
 *     query (text)    the image's or the direction's name      head (text)    the selection's name
 *     neighbors       see `neighbor` above; there, and empty, also where none was found
 *     query_is_image (number, may be missing)                  1: show the query as a picture
 *
 * Since ABI 2.1:
 *
 * HL_SCHEMA_CHART, a figure of numbers:
 *     title (text)    what it shows             kind (text)    "line", "bar" or "scatter"
 *     x, y (texts)    what the axes are         series (list)  of maps: name (text), points (table), and
 *                                               `reference` (true, may be missing): drawn faint, what others
 *                                               are compared with
 *
 *     A point: x (a number; of bars, or where places have names, a text), y (number), and where there are any
 *     low, high (numbers, the ends of its interval) and label (text, beside the point).
 *
 * HL_SCHEMA_HEAD_MAP, the layers and heads of the model as a map:
 *     title (text)    what it shows             heads (table)  rows: head (text), and value (number; a
 *                                               colour) or label (text; a colour for each), or both
 *     low, high (numbers, may be missing)       the ends of the colour scale; else the heads' own values
 *     signed (true, may be missing)             a scale of two colours around zero
 *     rest (table, may be missing)              rows: name (text), value (number): what is no head, beside
 *                                               its layer ("L3.MLP") or in a line
 *
 * HL_SCHEMA_TABLE, numbers side by side:
 *     title (text)    what it shows             rows (table)   shown as they are; a `low` and `high` beside
 *                                               `value`, or "X low" and "X high" beside "X", become its
 *                                               interval
 *
 * Whatever else an item of these has is shown below it: n, a note, a table. A row that names a head in `head`
 * is also shown with all else that is said of that head.
 *
 * HL_SCHEMA_CONVERSATION, one answer of a language model:
 *     model (text)    as its endpoint calls it  attempt (whole)  of the question, from 1
 *     prompt (text)   what it was asked; from the second attempt on, what was wrong about the answer before
 *     answer (text)   every word of it
 *
 * To an item of any schema with a text that the model read only in part (hl_model_api.count_tokens) the host
 * adds "truncated": true. */
#define HL_SCHEMA_HEAT         "heat"
#define HL_SCHEMA_NEIGHBORS    "neighbors"
#define HL_SCHEMA_CHART        "chart"
#define HL_SCHEMA_HEAD_MAP     "head-map"
#define HL_SCHEMA_TABLE        "table"
#define HL_SCHEMA_CONVERSATION "conversation"

#ifdef __cplusplus
}
#endif

#endif
