/* Options that are lists: their entries as they are written. Images have a file of their own. */
#include "core/registry/option_values.h"
#include "core/registry/selection.h"

#include <string.h>

static hl_status check_heads(const option_reader *reader, const yaml_node *node) {
    const hl_option *option = reader->row->option;
    hl_error why;
    hl_status status = selection_check(node->text, option->flags, &why);
    if (status == HL_OK) return HL_OK;
    if (!*why.message) return option_fail_expected(reader, node);
    return yaml_fail(node, reader->error, "option \"%s\": %s", option->name, why.message);
}

static hl_status read_directions(const option_reader *reader) {
    option_row *row = reader->row;
    arena *memory = &reader->values->memory;
    row->directions = arena_array(memory, row->count, sizeof *row->directions);
    if (!row->directions) return options_no_memory(reader->error);
    hl_status status = HL_OK;
    for (size_t i = 0; i < row->count && status == HL_OK; ++i) {
        status = direction_read(memory, row->nodes[i], &row->directions[i], reader->error);
        if (status == HL_OK) row->written[i] = row->directions[i]->shown.name;
    }
    row->value.directions = (const hl_direction *const *)row->directions; /* each begins with one */
    return status;
}

/* An entry is a text; only a direction may also be a mapping. */
static hl_status check_entry(const option_reader *reader, const yaml_node *node) {
    bool mapping = reader->row->option->type == HL_DIRECTIONS && node->type == YAML_MAP;
    if (mapping || (node->type == YAML_TEXT && !yaml_is_null(node))) return HL_OK;
    return option_fail_expected(reader, node);
}

static hl_status allocate(const option_reader *reader, size_t count) {
    option_row *row = reader->row;
    row->count = count;
    row->nodes = arena_array(&reader->values->memory, count, sizeof *row->nodes);
    row->written = arena_array(&reader->values->memory, count, sizeof *row->written);
    return row->nodes && row->written ? HL_OK : options_no_memory(reader->error);
}

hl_status options_read_list(const option_reader *reader, const yaml_node *const *entries, size_t count) {
    option_row *row = reader->row;
    hl_type type = row->option->type;
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = check_entry(reader, entries[i]);
    if (status == HL_OK && type == HL_IMAGES) return options_read_images(reader, entries, count);
    if (status == HL_OK) status = allocate(reader, count);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        row->nodes[i] = entries[i];
        row->written[i] = entries[i]->text;
        if (type == HL_HEADS) status = check_heads(reader, entries[i]);
    }
    if (status != HL_OK) return status;
    bool is_bound_later = type == HL_HEADS || type == HL_PROPERTIES;
    row->value.count = is_bound_later ? 0 : count;
    if (type == HL_STRINGS) row->value.strings = row->written;
    return type == HL_DIRECTIONS ? read_directions(reader) : HL_OK;
}
