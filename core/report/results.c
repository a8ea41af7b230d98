/* The sink that analyses fill, kept as the JSON tree that becomes results.json. Never knows which analysis
 * filled it, and neither draws nor writes a file.
 *
 * Plugins need not check what they hand over: the first thing that goes wrong is remembered and ends the run
 * when the analysis is finished. */
#include "core/report/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A grid that the plugin is still filling; its place in the tree is already kept. */
typedef struct pending_grid {
    struct pending_grid *next;
    cJSON *place;
    size_t rows, cols;
    float values[];
} pending_grid;

struct hl_item {
    hl_item *next;
    results *owner;
    size_t number; /* from 1, for messages */
    cJSON *object;
    pending_grid *grids;
};

struct results {
    hl_result sink; /* first, so that the one can be cast to the other */
    cJSON *root;
    results_facts *facts; /* NULL: there is no gallery */
    void *facts_user;
    const char *plugin; /* of the analysis that is being filled; in the tree */
    cJSON *analysis;    /* the one that was started last */
    cJSON *list;        /* its "results"; NULL before the first analysis */
    hl_item *items;     /* of this analysis, newest first */
    size_t item_count;
    hl_status status; /* of the first thing that went wrong */
    hl_error error;
};

static void *out_of_memory(results *self) {
    if (self->status == HL_OK) self->status = hl_no_memory(&self->error, "the results");
    return NULL;
}

__attribute__((format(printf, 3, 4))) static void refuse(hl_item *item, const char *key, const char *format,
                                                         ...) {
    results *self = item->owner;
    if (self->status != HL_OK) return;
    char why[512];
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(why, sizeof why, format, arguments);
    va_end(arguments);
    self->status =
        hl_fail(&self->error, HL_FAILED, "%s, result %zu, '%s': %s", self->plugin, item->number, key, why);
}

/* Adds `value`, which it takes over, to the item. */
static bool put(hl_item *item, const char *key, cJSON *value) {
    if (!value) out_of_memory(item->owner);
    if (value && cJSON_GetObjectItemCaseSensitive(item->object, key)) {
        refuse(item, key, "a field of this name is already there; give every field a name of its own");
    } else if (value && cJSON_AddItemToObject(item->object, key, value)) {
        return true;
    } else if (value) {
        out_of_memory(item->owner);
    }
    cJSON_Delete(value);
    return false;
}

static cJSON *neighbors_of(hl_item *item) {
    cJSON *list = cJSON_GetObjectItemCaseSensitive(item->object, "neighbors");
    if (list) return list;
    list = cJSON_CreateArray();
    return put(item, "neighbors", list) ? list : NULL;
}

static hl_item *sink_item(hl_result *result, const char *schema) {
    results *self = (struct results *)result;
    hl_item *item = calloc(1, sizeof *item);
    cJSON *object = cJSON_CreateObject();
    if (!item || !object || !cJSON_AddItemToArray(self->list, object)) {
        free(item);
        cJSON_Delete(object);
        return out_of_memory(self);
    }
    *item = (hl_item){.next = self->items, .owner = self, .number = ++self->item_count, .object = object};
    self->items = item;
    put(item, "schema", cJSON_CreateString(schema));
    return item;
}

static void sink_text(hl_item *item, const char *key, const char *value) {
    if (item) put(item, key, cJSON_CreateString(value));
}

/* The double with the fewest decimal digits that reads back as this float: what cJSON prints for it is short
 * and loses nothing. Nine digits always suffice. */
static double shortest(float value) {
    char digits[32];
    double decimal = (double)value;
    for (int precision = 6; precision <= 9; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        decimal = strtod(digits, NULL);
        if ((float)decimal == value) break;
    }
    return decimal;
}

static void sink_number(hl_item *item, const char *key, double value) {
    if (!item) return;
    if (!isfinite(value)) {
        refuse(item, key, "the number is %f; only finite numbers can be reported", value);
        return;
    }
    bool is_float = value != rint(value) && (double)(float)value == value;
    put(item, key, cJSON_CreateNumber(is_float ? shortest((float)value) : value));
}

static float *sink_grid(hl_item *item, const char *key, uint32_t rows, uint32_t cols) {
    if (!item) return NULL;
    size_t count = 0, bytes = 0;
    pending_grid *grid = NULL;
    if (!rows || !cols) {
        refuse(item, key, "the grid is %u x %u; at least one row and one column are needed", rows, cols);
        return NULL;
    }
    if (!__builtin_mul_overflow((size_t)rows, (size_t)cols, &count) &&
        !__builtin_mul_overflow(count, sizeof(float), &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *grid, &bytes)) {
        grid = calloc(1, bytes);
    }
    if (!grid) return out_of_memory(item->owner);
    cJSON *place = cJSON_CreateArray();
    if (!put(item, key, place)) {
        free(grid);
        return NULL;
    }
    grid->place = place, grid->rows = rows, grid->cols = cols;
    grid->next = item->grids, item->grids = grid;
    return grid->values;
}

/* Copies what the gallery says of an image; path and score are the search's to say. */
static bool add_facts(cJSON *entry, const cJSON *facts) {
    const cJSON *fact;
    cJSON_ArrayForEach(fact, facts) {
        if (cJSON_GetObjectItemCaseSensitive(entry, fact->string)) continue;
        cJSON *copy = cJSON_Duplicate(fact, true);
        if (!cJSON_AddItemToObject(entry, fact->string, copy)) {
            cJSON_Delete(copy);
            return false;
        }
    }
    return true;
}

static void sink_neighbor(hl_item *item, const char *path, double score) {
    cJSON *list = item ? neighbors_of(item) : NULL;
    if (!list) return;
    if (!isfinite(score)) {
        refuse(item, "neighbors", "the score of %s is %f; only finite numbers can be reported", path, score);
        return;
    }
    results *self = item->owner;
    const cJSON *facts = self->facts ? self->facts(self->facts_user, path) : NULL;
    cJSON *entry = cJSON_CreateObject();
    if (!entry || !cJSON_AddItemToArray(list, entry)) {
        cJSON_Delete(entry);
        out_of_memory(self);
    } else if (!cJSON_AddStringToObject(entry, "path", path) ||
               !cJSON_AddNumberToObject(entry, "score", score) || !add_facts(entry, facts)) {
        out_of_memory(self);
    }
}

hl_status results_open(results **out, hl_error *error) {
    static const hl_result sink = {.size = sizeof sink,
                                   .item = sink_item,
                                   .text = sink_text,
                                   .number = sink_number,
                                   .grid = sink_grid,
                                   .neighbor = sink_neighbor};
    results *self = calloc(1, sizeof *self);
    cJSON *root = cJSON_CreateObject();
    if (!self || !root || !cJSON_AddNumberToObject(root, "version", 1) ||
        !cJSON_AddObjectToObject(root, "model") || !cJSON_AddObjectToObject(root, "compute") ||
        !cJSON_AddArrayToObject(root, "analyses")) {
        free(self);
        cJSON_Delete(root);
        return hl_no_memory(error, "the results");
    }
    self->sink = sink;
    self->root = root;
    *out = self;
    return HL_OK;
}

static void free_items(results *self) {
    while (self->items) {
        hl_item *item = self->items;
        self->items = item->next;
        while (item->grids) {
            pending_grid *grid = item->grids;
            item->grids = grid->next;
            free(grid);
        }
        free(item);
    }
    self->item_count = 0;
}

void results_close(results *self) {
    if (!self) return;
    free_items(self);
    cJSON_Delete(self->root);
    free(self);
}

void results_set_facts(results *self, results_facts *facts, void *user) {
    self->facts = facts;
    self->facts_user = user;
}

cJSON *results_root(results *self) {
    return self->root;
}

hl_status results_analysis(results *self, const char *plugin, const char *summary, cJSON *options,
                           hl_result **sink, hl_error *error) {
    cJSON *analyses = cJSON_GetObjectItemCaseSensitive(self->root, "analyses");
    cJSON *analysis = cJSON_CreateObject();
    if (!analysis || !cJSON_AddItemToArray(analyses, analysis)) {
        cJSON_Delete(analysis);
        cJSON_Delete(options);
        return hl_no_memory(error, "the results");
    }
    cJSON *name = cJSON_AddStringToObject(analysis, "plugin", plugin);
    bool complete = name && cJSON_AddStringToObject(analysis, "summary", summary);
    if (!cJSON_AddItemToObject(analysis, "options", options)) {
        cJSON_Delete(options);
        complete = false;
    }
    cJSON *list = cJSON_AddArrayToObject(analysis, "results");
    if (!complete || !list) return hl_no_memory(error, "the results");
    free_items(self);
    self->plugin = name->valuestring;
    self->analysis = analysis;
    self->list = list;
    *sink = &self->sink;
    return HL_OK;
}

hl_status results_set_title(results *self, const char *title, hl_error *error) {
    if (!title || cJSON_AddStringToObject(self->analysis, "title", title)) return HL_OK;
    return hl_no_memory(error, "the results");
}

static void keep_row(hl_item *item, const pending_grid *grid, size_t row) {
    results *self = item->owner;
    cJSON *numbers = cJSON_CreateArray();
    if (!numbers || !cJSON_AddItemToArray(grid->place, numbers)) {
        cJSON_Delete(numbers);
        out_of_memory(self);
        return;
    }
    for (size_t col = 0; col < grid->cols && self->status == HL_OK; col++) {
        float value = grid->values[row * grid->cols + col];
        if (!isfinite(value)) {
            refuse(item, grid->place->string,
                   "the number in row %zu, column %zu is %f; only finite numbers can be reported", row, col,
                   (double)value);
            return;
        }
        cJSON *number = cJSON_CreateNumber(shortest(value));
        if (!number || !cJSON_AddItemToArray(numbers, number)) {
            cJSON_Delete(number);
            out_of_memory(self);
        }
    }
}

bool results_is_cut(const cJSON *root, const char *text) {
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(root, "truncated")) {
        const char *cut = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "text"));
        if (cut && strcmp(cut, text) == 0) return true;
    }
    return false;
}

/* Fields that hold a text for the model, whatever the schema: any but names of images and heads. */
static bool may_be_text(const hl_item *item, const cJSON *field) {
    static const char *const others[] = {"schema", "image", "head"};
    if (!cJSON_IsString(field)) return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(field->string, others[i]) == 0) return false;
    }
    const cJSON *query_is_image = cJSON_GetObjectItemCaseSensitive(item->object, "query_is_image");
    return strcmp(field->string, "query") != 0 || cJSON_GetNumberValue(query_is_image) != 1;
}

static void mark_cut(hl_item *item) {
    const cJSON *field = NULL;
    if (cJSON_GetObjectItemCaseSensitive(item->object, "truncated")) return; /* the plugin knows better */
    cJSON_ArrayForEach(field, item->object) {
        if (!may_be_text(item, field) || !results_is_cut(item->owner->root, field->valuestring)) continue;
        put(item, "truncated", cJSON_CreateTrue());
        return;
    }
}

hl_status results_finish_analysis(results *self, hl_error *error) {
    for (hl_item *item = self->items; item; item = item->next) {
        const cJSON *schema = cJSON_GetObjectItemCaseSensitive(item->object, "schema");
        bool lists_neighbors =
            cJSON_IsString(schema) && strcmp(schema->valuestring, HL_SCHEMA_NEIGHBORS) == 0;
        if (lists_neighbors) neighbors_of(item); /* there even when none was found */
        mark_cut(item);
        for (pending_grid *grid = item->grids; grid; grid = grid->next) {
            for (size_t row = 0; row < grid->rows && self->status == HL_OK; row++) keep_row(item, grid, row);
        }
    }
    free_items(self);
    return self->status == HL_OK ? HL_OK : hl_fail(error, self->status, "%s", self->error.message);
}
