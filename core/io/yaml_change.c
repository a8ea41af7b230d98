/* Trees from trees: a value set, a key left out. Whatever is on the way to a change is made anew, and the
 * rest is shared, so that neither the first tree nor an alias elsewhere sees it. */
#include "core/io/yaml_nodes.h"

#include <stdlib.h>
#include <string.h>

/* A copy with room for so many items. */
static yaml_node *copy(yaml_file *file, const yaml_node *node, size_t count) {
    yaml_node *made = yaml_new(file, node->type, node, count);
    if (!made) return NULL;
    made->style = node->style;
    for (size_t i = 0; i < node->count && i < count; ++i) {
        made->items[i] = node->items[i];
        if (made->keys) made->keys[i] = node->keys[i];
    }
    return made;
}

hl_status yaml_new_text(yaml_file *file, const yaml_node *at, const char *text, const yaml_node **out,
                        hl_error *error) {
    yaml_node *node = yaml_new(file, YAML_TEXT, at, 0);
    if (node) node->text = arena_copy_text(&file->memory, text, strlen(text));
    *out = node;
    return node && node->text ? HL_OK : yaml_no_memory(error);
}

/* Where the value of a key is, or would be added: its index among the items. */
static hl_status find_slot(const yaml_node *parent, const char *key, const yaml_node *value, size_t *slot,
                           hl_error *error) {
    if (parent->type == YAML_TEXT) {
        return yaml_fail(value, error,
                         "there is no \"%s\" here: what holds it is neither a mapping nor a list", key);
    }
    if (parent->type == YAML_MAP) {
        for (*slot = 0; *slot < parent->count; ++*slot) {
            if (strcmp(parent->keys[*slot]->text, key) == 0) break;
        }
        return HL_OK;
    }
    char *end;
    *slot = strtoul(key, &end, 10);
    if (*key >= '0' && *key <= '9' && !*end && *slot <= parent->count) return HL_OK;
    return yaml_fail(value, error, "\"%s\" is no item of the list; it has %zu, counted from 0", key,
                     parent->count);
}

/* `parent` with an item put into a slot. */
static hl_status fill_slot(yaml_file *file, const yaml_node *parent, size_t slot, const char *key,
                           const yaml_node *value, const yaml_node *item, const yaml_node **out,
                           hl_error *error) {
    bool added = slot == parent->count;
    yaml_node *made = copy(file, parent, parent->count + added);
    if (!made) return yaml_no_memory(error);
    made->items[slot] = item;
    hl_status status = HL_OK;
    if (added && made->keys) status = yaml_new_text(file, value, key, &made->keys[slot], error);
    if (status == HL_OK) yaml_settle(made);
    *out = made;
    return status;
}

static hl_status put(yaml_file *file, const yaml_node *parent, char *path, size_t depth,
                     const yaml_node *value, const yaml_node **out, hl_error *error) {
    if (depth > YAML_DEEPEST) return yaml_fail(value, error, "nested deeper than %d levels", YAML_DEEPEST);
    char *dot = strchr(path, '.');
    if (dot) *dot = '\0';
    size_t slot = 0;
    hl_status status = find_slot(parent, path, value, &slot, error);
    if (status != HL_OK) return status;
    const yaml_node *item = value;
    if (dot) {
        const yaml_node *child = slot < parent->count ? parent->items[slot] : NULL;
        if (!child) child = yaml_new(file, YAML_MAP, value, 0);
        if (!child) return yaml_no_memory(error);
        status = put(file, child, dot + 1, depth + 1, value, &item, error);
    }
    return status == HL_OK ? fill_slot(file, parent, slot, path, value, item, out, error) : status;
}

hl_status yaml_put(yaml_file *file, const yaml_node *root, const char *path, const yaml_node *value,
                   const yaml_node **out, hl_error *error) {
    char *words = strdup(path);
    if (!words) return yaml_no_memory(error);
    if (!root) root = yaml_new(file, YAML_MAP, value, 0);
    hl_status status = root ? put(file, root, words, 1, value, out, error) : yaml_no_memory(error);
    free(words);
    if (status != HL_OK) return status;
    if ((*out)->depth > YAML_DEEPEST) {
        return yaml_fail(value, error, "nested deeper than %d levels", YAML_DEEPEST);
    }
    if ((*out)->nodes <= YAML_MOST_NODES) return HL_OK;
    return yaml_fail(value, error, "too much: more than %d nodes, aliases counted as what they stand for",
                     YAML_MOST_NODES);
}

/* "--set", "compute.backend=reference" */
static hl_status add_origin(yaml_file *file, const char *name, const char *argument, const char *equals,
                            const yaml_origin **out, hl_error *error) {
    yaml_origin *origin = arena_array(&file->memory, 1, sizeof *origin);
    char *words;
    if (!origin || asprintf(&words, "%s %.*s", name, (int)(equals - argument), argument) < 0) {
        return yaml_no_memory(error);
    }
    const char *value = equals + 1;
    *origin = (yaml_origin){.name = arena_copy_text(&file->memory, words, strlen(words)),
                            .is_argument = true,
                            .bytes = (uint8_t *)arena_copy_text(&file->memory, value, strlen(value)),
                            .count = strlen(value),
                            .before = file->origins};
    free(words);
    if (!origin->name || !origin->bytes) return yaml_no_memory(error);
    *out = file->origins = origin;
    return HL_OK;
}

hl_status yaml_set(yaml_file *file, const yaml_node *root, const char *name, const char *argument,
                   const yaml_node **out, hl_error *error) {
    const char *equals = strchr(argument, '=');
    if (!equals || equals == argument) {
        return hl_fail(error, HL_USAGE, "%s %s: expected PATH=VALUE, such as compute.backend=reference", name,
                       argument);
    }
    const yaml_origin *origin = NULL;
    const yaml_node *value;
    hl_status status = add_origin(file, name, argument, equals, &origin, error);
    if (status == HL_OK && origin)
        status = yaml_build(file, origin, origin->bytes, origin->count, &value, error);
    if (status != HL_OK) return status;
    char *path = strndup(argument, (size_t)(equals - argument));
    if (!path) return yaml_no_memory(error);
    status = yaml_put(file, root, path, value, out, error);
    free(path);
    return status;
}

hl_status yaml_without(yaml_file *file, const yaml_node *map, const char *key, const yaml_node **out,
                       hl_error *error) {
    *out = map;
    if (!yaml_get(map, key)) return HL_OK;
    yaml_node *made = yaml_new(file, YAML_MAP, map, map->count - 1);
    if (!made) return yaml_no_memory(error);
    made->style = map->style;
    for (size_t i = 0, to = 0; i < map->count; ++i) {
        if (strcmp(map->keys[i]->text, key) == 0) continue;
        made->keys[to] = map->keys[i];
        made->items[to++] = map->items[i];
    }
    yaml_settle(made);
    *out = made;
    return HL_OK;
}
