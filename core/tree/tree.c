/* See tree.h. Plugins need not check what they hand over, so everything is checked here. */
#include "core/tree/building.h"

#include "core/io/locale.h"
#include "core/io/utf8.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>
#include <xxhash.h>

enum { LARGEST_UNINDEXED = 8 };

/* ---- what goes wrong ---- */

void *tree_no_memory(tree *self) {
    if (self->status == HL_OK) self->status = hl_no_memory(&self->error, "the results");
    return NULL;
}

void item_refuse(hl_item *item, const char *key, const char *format, ...) {
    if (!item || item->owner->status != HL_OK) return;
    char why[512];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(why, sizeof why, format, arguments);
    va_end(arguments);
    const char *place = item->place ? item->place : "results";
    item->owner->status = hl_fail(&item->owner->error, HL_FAILED, "%s, '%s': %s", place, key ? key : "", why);
}

void item_set_place(hl_item *item, const char *format, ...) {
    if (!item) return;
    char place[256];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(place, sizeof place, format, arguments);
    va_end(arguments);
    item->place = arena_copy_text(&item->owner->memory, place, strlen(place));
    if (!item->place) tree_no_memory(item->owner);
}

/* ---- entries by their keys ---- */

static size_t place_in(const hl_item *map, const char *key) {
    size_t at = (size_t)XXH3_64bits(key, strlen(key)) & (map->index_room - 1);
    while (map->index[at] && strcmp(map->index[at]->key, key) != 0) at = (at + 1) & (map->index_room - 1);
    return at;
}

/* Twice the room that the entries need, at least. */
static void make_index(hl_item *map) {
    size_t room = map->index_room ? 2 * map->index_room : 4 * LARGEST_UNINDEXED;
    hl_node **index = arena_take(&map->owner->memory, room * sizeof *index);
    if (!index) {
        tree_no_memory(map->owner);
        return;
    }
    map->index = index;
    map->index_room = room;
    for (const hl_node *entry = map->node.first; entry; entry = entry->next) {
        index[place_in(map, entry->key)] = (hl_node *)(uintptr_t)entry;
    }
}

static void index_entry(hl_item *map, hl_node *entry) {
    if (map->node.count <= LARGEST_UNINDEXED) return;
    if (2 * (size_t)map->node.count > map->index_room) {
        make_index(map);
    } else {
        map->index[place_in(map, entry->key)] = entry;
    }
}

hl_node *item_find(const hl_item *map, const char *key) {
    if (map->index_room) return map->index[place_in(map, key)];
    return (hl_node *)(uintptr_t)hl_get(&map->node, key);
}

/* ---- adding ---- */

/* A copy that is UTF-8 and lives as long as the tree. */
static const char *keep_text(tree *self, const char *text) {
    size_t length = strlen(text);
    const char *kept = NULL;
    if (!u8_check((const uint8_t *)text, length)) {
        kept = arena_copy_text(&self->memory, text, length);
    } else {
        char *rewritten = utf8_rewrite(text, UTF8_BYTE, NULL);
        if (rewritten) kept = arena_copy_text(&self->memory, rewritten, strlen(rewritten));
        free(rewritten);
    }
    return kept ? kept : tree_no_memory(self);
}

static bool is_fit(hl_item *item, const char *key, uint32_t type) {
    const hl_node *node = &item->node;
    if (item->owner->status != HL_OK) return false;
    if (node->type == HL_MAP && !key) {
        item_refuse(item, key, "an entry of a map needs a name");
    } else if (node->type == HL_MAP && item_find(item, key)) {
        item_refuse(item, key, "a field of this name is already there; give every field a name of its own");
    } else if ((node->type == HL_TABLE || node->type == HL_NEIGHBORS) && type != HL_MAP) {
        item_refuse(item, node->key, "only maps can be rows of a table");
    } else if (item->level >= MOST_LEVELS) {
        item_refuse(item, key, "more than %d levels one in another", MOST_LEVELS);
    } else if (node->count == UINT32_MAX) {
        item_refuse(item, key, "too many entries");
    } else {
        return true;
    }
    return false;
}

void *item_add(hl_item *item, const char *key, uint32_t type, size_t size) {
    hl_node *made = arena_take(&item->owner->memory, size);
    if (!made) return tree_no_memory(item->owner);
    made->type = type;
    made->key = item->node.type == HL_MAP ? key : NULL;
    if (item->last) {
        item->last->next = made;
    } else {
        item->node.first = made;
    }
    item->last = made;
    item->node.count++;
    if (made->key) index_entry(item, made);
    return item->owner->status == HL_OK ? made : NULL;
}

/* The same for what comes from outside: it may be out of place, and its key is copied. */
static void *put(hl_item *item, const char *key, uint32_t type, size_t size) {
    if (!item || !is_fit(item, key, type)) return NULL;
    const char *kept = item->node.type == HL_MAP ? keep_text(item->owner, key) : NULL;
    if (item->owner->status != HL_OK) return NULL;
    if (kept && strcmp(kept, key) != 0 && !is_fit(item, kept, type)) return NULL;
    return item_add(item, kept, type, size);
}

static hl_item *put_inner(hl_item *item, const char *key, uint32_t type) {
    hl_item *made = put(item, key, type, sizeof *made);
    if (!made) return NULL;
    made->owner = item->owner;
    made->place = item->place;
    made->level = item->level + 1;
    return made;
}

static bool look_again(hl_item *item, const hl_node *node) {
    unfinished *later = arena_take(&item->owner->memory, sizeof *later);
    if (!later) return tree_no_memory(item->owner);
    *later = (unfinished){item->owner->unfinished, item, node};
    item->owner->unfinished = later;
    return true;
}

void item_nothing(hl_item *item, const char *key) {
    put(item, key, HL_NOTHING, sizeof(hl_node));
}

void item_text(hl_item *item, const char *key, const char *value) {
    if (!item) return;
    if (!value) {
        item_refuse(item, key, "there is no text; NULL was given");
        return;
    }
    const char *kept = keep_text(item->owner, value);
    hl_node *made = put(item, key, HL_TEXT, sizeof *made);
    if (made) made->text = kept;
}

void item_truth(hl_item *item, const char *key, bool value) {
    hl_node *made = put(item, key, HL_TRUTH, sizeof *made);
    if (made) made->truth = value;
}

void item_whole(hl_item *item, const char *key, int64_t value) {
    hl_node *made = put(item, key, HL_WHOLE, sizeof *made);
    if (!made) return;
    made->whole = value;
    made->number = (double)value;
}

static void put_number(hl_item *item, const char *key, double value, bool single) {
    if (!isfinite(value)) {
        item_refuse(item, key, "the number is %f; only finite numbers can be reported", value);
        return;
    }
    hl_node *made = put(item, key, HL_NUMBER, sizeof *made);
    if (!made) return;
    made->number = value;
    made->single = single;
}

void item_number(hl_item *item, const char *key, double value) {
    put_number(item, key, value, value != rint(value) && (double)(float)value == value);
}

void item_double(hl_item *item, const char *key, double value) {
    put_number(item, key, value, false);
}

hl_node item_read_number(const char *digits) {
    errno = 0;
    long long whole = strtoll(digits, NULL, 10);
    bool is_whole = !strpbrk(digits, ".eE") && errno == 0;
    return (hl_node){.type = is_whole ? HL_WHOLE : HL_NUMBER,
                     .text = digits,
                     .whole = is_whole ? whole : 0,
                     .number = number_read(digits)};
}

hl_item *item_map(hl_item *item, const char *key) {
    return put_inner(item, key, HL_MAP);
}

hl_item *item_list(hl_item *item, const char *key, uint32_t type) {
    if (type != HL_LIST && type != HL_TABLE && type != HL_NEIGHBORS) {
        item_refuse(item, key, "%u is no type of a list", type);
        return NULL;
    }
    hl_item *made = put_inner(item, key, type);
    if (made && type == HL_TABLE) look_again(made, &made->node);
    return made;
}

/* Room for rows x cols elements; NULL: remembered. */
static void *take_cells(hl_item *item, const char *key, uint32_t rows, uint32_t cols, size_t element) {
    size_t count, bytes;
    if (!rows || !cols) {
        item_refuse(item, key, "it is %u x %u; at least one row and one column are needed", rows, cols);
        return NULL;
    }
    bool fits = !__builtin_mul_overflow((size_t)rows, (size_t)cols, &count) &&
                !__builtin_mul_overflow(count, element, &bytes);
    void *cells = fits ? arena_take(&item->owner->memory, bytes) : NULL;
    return cells ? cells : tree_no_memory(item->owner);
}

float *item_grid(hl_item *item, const char *key, uint32_t rows, uint32_t cols) {
    float *cells = item ? take_cells(item, key, rows, cols, sizeof *cells) : NULL;
    hl_node *made = cells ? put(item, key, HL_GRID, sizeof *made) : NULL;
    if (!made || !look_again(item, made)) return NULL;
    made->rows = rows;
    made->cols = cols;
    made->grid = cells;
    return cells;
}

void item_picture(hl_item *item, const char *key, uint32_t rows, uint32_t cols, const uint8_t *rgb) {
    if (item && !rgb) item_refuse(item, key, "there is no picture; NULL was given");
    uint8_t *cells = item && rgb ? take_cells(item, key, rows, cols, 3) : NULL;
    hl_node *made = cells ? put(item, key, HL_PICTURE, sizeof *made) : NULL;
    if (!made) return;
    memcpy(cells, rgb, (size_t)rows * cols * 3);
    made->rows = rows;
    made->cols = cols;
    made->rgb = cells;
}

/* ---- copying ---- */

static void copy_entries(hl_item *item, const hl_node *from) {
    for (const hl_node *entry = from->first; entry && item; entry = entry->next) {
        item_copy(item, entry->key, entry);
    }
}

static void copy_number(hl_item *item, const char *key, const hl_node *from) {
    if (from->text) {
        const char *digits = keep_text(item->owner, from->text);
        hl_node *made = put(item, key, from->type, sizeof *made);
        if (!made) return;
        made->text = digits;
        made->whole = from->whole;
        made->number = from->number;
    } else if (from->type == HL_WHOLE) {
        item_whole(item, key, from->whole);
    } else {
        put_number(item, key, from->number, from->single);
    }
}

void item_copy(hl_item *item, const char *key, const hl_node *node) {
    if (!item || !node) return;
    switch (node->type) {
    case HL_TRUTH:
        item_truth(item, key, node->truth);
        break;
    case HL_WHOLE:
    case HL_NUMBER:
        copy_number(item, key, node);
        break;
    case HL_TEXT:
        item_text(item, key, node->text);
        break;
    case HL_MAP:
        copy_entries(item_map(item, key), node);
        break;
    case HL_LIST:
    case HL_TABLE:
    case HL_NEIGHBORS:
        copy_entries(item_list(item, key, node->type), node);
        break;
    case HL_GRID: {
        float *cells = item_grid(item, key, node->rows, node->cols);
        if (cells) memcpy(cells, node->grid, (size_t)node->rows * node->cols * sizeof *cells);
        break;
    }
    case HL_PICTURE:
        item_picture(item, key, node->rows, node->cols, node->rgb);
        break;
    default:
        item_nothing(item, key);
    }
}

void item_copy_absent(hl_item *item, const hl_node *map) {
    if (!item || !map || map->type != HL_MAP) return;
    for (const hl_node *entry = map->first; entry; entry = entry->next) {
        if (!item_find(item, entry->key)) item_copy(item, entry->key, entry);
    }
}

/* ---- neighbours ---- */

void tree_set_facts(tree *self, tree_facts *facts, void *user) {
    self->facts = facts;
    self->facts_user = user;
}

static hl_item *neighbors_of(hl_item *item) {
    hl_item *list = item_inner(item, "neighbors");
    return list ? list : item_list(item, "neighbors", HL_NEIGHBORS);
}

void item_neighbor(hl_item *item, const char *path, double score) {
    hl_item *entry = item_map(neighbors_of(item), NULL);
    if (!entry) return;
    const tree *self = entry->owner;
    item_text(entry, "path", path);
    item_double(entry, "score", score);
    if (self->facts && path) item_copy_absent(entry, self->facts(self->facts_user, path));
}

/* ---- the whole ---- */

const hl_node *item_node(const hl_item *item) {
    return item ? &item->node : NULL;
}

static bool has_entries(const hl_node *node) {
    return node && (node->type == HL_MAP || hl_is_list(node));
}

static hl_item *item_at(const hl_node *node) {
    return has_entries(node) ? (hl_item *)(uintptr_t)node : NULL;
}

hl_item *item_inner(hl_item *item, const char *key) {
    hl_node *found = item && item->node.type == HL_MAP ? item_find(item, key) : NULL;
    return item_at(found);
}

hl_item *item_first(const hl_item *list) {
    return list ? item_at(list->node.first) : NULL;
}

hl_item *item_next(const hl_item *item) {
    return item_at(item->node.next);
}

static void check_grid(hl_item *item, const hl_node *node) {
    for (uint32_t row = 0; row < node->rows; ++row) {
        for (uint32_t col = 0; col < node->cols; ++col) {
            float value = node->grid[(size_t)row * node->cols + col];
            if (isfinite(value)) continue;
            item_refuse(item, node->key,
                        "the number in row %u, column %u is %f; only finite numbers can be reported", row,
                        col, (double)value);
            return;
        }
    }
}

static bool have_same_keys(const hl_node *row, const hl_node *other) {
    const hl_node *entry = row->first, *as = other->first;
    for (; entry && as && strcmp(entry->key, as->key) == 0; entry = entry->next) as = as->next;
    return !entry && !as;
}

static void check_table(hl_item *table) {
    size_t number = 0;
    for (const hl_node *row = table->node.first; row; row = row->next, ++number) {
        if (have_same_keys(table->node.first, row)) continue;
        item_refuse(table, table->node.key,
                    "row %zu (from 0) of the table has other fields than the first: give every row the same, "
                    "in the same order",
                    number);
        return;
    }
}

hl_status tree_check(tree *self, hl_error *error) {
    unfinished *each = self->unfinished, *in_order = NULL;
    self->unfinished = NULL;
    while (each) { /* the first that was made is the first that is named */
        unfinished *next = each->next;
        each->next = in_order;
        in_order = each;
        each = next;
    }
    for (; in_order && self->status == HL_OK; in_order = in_order->next) {
        if (in_order->node->type == HL_GRID) {
            check_grid(in_order->in, in_order->node);
        } else {
            check_table(in_order->in);
        }
    }
    return self->status == HL_OK ? HL_OK : hl_fail(error, self->status, "%s", self->error.message);
}

hl_status tree_open_empty(tree **out, hl_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return hl_no_memory(error, "the results");
    (*out)->holder.node.type = HL_LIST;
    (*out)->holder.owner = *out;
    return HL_OK;
}

hl_status tree_open(tree **out, hl_error *error) {
    hl_status status = tree_open_empty(out, error);
    if (status != HL_OK || item_map(&(*out)->holder, NULL)) return status;
    tree_close(*out);
    *out = NULL;
    return hl_no_memory(error, "the results");
}

void tree_close(tree *self) {
    if (!self) return;
    arena_free(&self->memory);
    free(self);
}

tree *tree_owner(const hl_node *node) {
    return ((const hl_item *)(const void *)node)->owner;
}

const hl_node *tree_node(const tree *self) {
    return self->holder.node.first;
}

hl_item *tree_root(tree *self) {
    return item_at(tree_node(self));
}
