/* A tree as JSON, by cJSON, which gets numbers as the text that they are to have. */
#include "core/io/utf8.h"
#include "core/tree/tree.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

/* NULL: no memory. */
static cJSON *value_of(const hl_node *node);

/* Takes `entry` over. */
static bool append(cJSON *list, cJSON *entry) {
    if (entry && cJSON_AddItemToArray(list, entry)) return true;
    cJSON_Delete(entry);
    return false;
}

static bool insert(cJSON *map, const char *key, cJSON *entry) {
    if (entry && cJSON_AddItemToObject(map, key, entry)) return true;
    cJSON_Delete(entry);
    return false;
}

static bool add_row(cJSON *rows, const hl_node *grid, uint32_t row) {
    hl_node cell = {.type = HL_NUMBER, .single = true};
    char room[NUMBER_ROOM];
    cJSON *cells = cJSON_CreateArray();
    if (!append(rows, cells)) return false;
    for (uint32_t col = 0; col < grid->cols; ++col) {
        cell.number = (double)grid->grid[(size_t)row * grid->cols + col];
        if (!append(cells, cJSON_CreateRaw(number_text(&cell, room)))) return false;
    }
    return true;
}

static bool add_rows(cJSON *rows, const hl_node *grid) {
    for (uint32_t row = 0; row < grid->rows; ++row) {
        if (!add_row(rows, grid, row)) return false;
    }
    return true;
}

static bool add_entries(cJSON *list, const hl_node *node) {
    for (const hl_node *entry = node->first; entry; entry = entry->next) {
        if (!append(list, value_of(entry))) return false;
    }
    return true;
}

static bool add_named_entries(cJSON *map, const hl_node *node) {
    for (const hl_node *entry = node->first; entry; entry = entry->next) {
        if (!insert(map, entry->key, value_of(entry))) return false;
    }
    return true;
}

static cJSON *filled(cJSON *value, bool (*fill)(cJSON *, const hl_node *), const hl_node *node) {
    if (value && fill(value, node)) return value;
    cJSON_Delete(value);
    return NULL;
}

static cJSON *value_of(const hl_node *node) {
    char room[NUMBER_ROOM];
    switch (node->type) {
    case HL_TRUTH:
        return cJSON_CreateBool(node->truth);
    case HL_WHOLE:
    case HL_NUMBER:
        return cJSON_CreateRaw(number_text(node, room));
    case HL_TEXT:
        return cJSON_CreateString(node->text);
    case HL_MAP:
        return filled(cJSON_CreateObject(), add_named_entries, node);
    case HL_LIST:
    case HL_TABLE:
    case HL_NEIGHBORS:
        return filled(cJSON_CreateArray(), add_entries, node);
    case HL_GRID:
        return filled(cJSON_CreateArray(), add_rows, node);
    default:
        return cJSON_CreateNull();
    }
}

hl_status tree_print_json(const hl_node *node, bool indented, char **out, hl_error *error) {
    cJSON *value = value_of(node);
    char *printed = value ? (indented ? cJSON_Print(value) : cJSON_PrintUnformatted(value)) : NULL;
    *out = printed ? utf8_rewrite(printed, "\\" UTF8_BYTE, NULL) : NULL;
    cJSON_free(printed);
    cJSON_Delete(value);
    return *out ? HL_OK : hl_no_memory(error, "JSON");
}
