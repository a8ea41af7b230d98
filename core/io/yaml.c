/* See yaml.h: files and trees, and what is asked of them. */
#include "core/io/yaml_nodes.h"

#include "core/io/input.h"
#include "core/io/number.h"
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

hl_status yaml_no_memory(hl_error *error) {
    return hl_no_memory(error, "a YAML document");
}

yaml_node *yaml_new(yaml_file *file, yaml_type type, const yaml_node *at, size_t count) {
    yaml_node *node = arena_array(&file->memory, 1, sizeof *node);
    if (!node) return NULL;
    *node = (yaml_node){.type = type, .origin = at->origin, .line = at->line, .column = at->column};
    node->nodes = 1;
    if (type == YAML_TEXT) return node;
    node->count = count;
    node->items = arena_array(&file->memory, count, sizeof(yaml_node *));
    node->keys = type == YAML_MAP ? arena_array(&file->memory, count, sizeof(yaml_node *)) : NULL;
    return node->items && (node->keys || type == YAML_LIST) ? node : NULL;
}

void yaml_settle(yaml_node *node) {
    node->nodes = node->keys ? 1 + node->count : 1;
    node->depth = 1;
    for (size_t i = 0; i < node->count; ++i) {
        node->nodes += node->items[i]->nodes;
        if (node->items[i]->depth >= node->depth) node->depth = node->items[i]->depth + 1;
    }
}

void yaml_close(yaml_file *file) {
    if (!file) return;
    arena_free(&file->memory);
    free(file->bytes);
    free(file);
}

/* ---- reading ---- */

/* A way in without a folder of its own: what it leads to lies anywhere, or nowhere. */
static bool is_stream(const char *path) {
    static const char *const ways[] = {"/dev/stdin", "/dev/fd/", "/proc/self/fd/"};
    bool found = false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i)
        found |= strncmp(path, ways[i], strlen(ways[i])) == 0;
    return found;
}

static hl_status start(const char *name, bool in_folder, yaml_file **out, yaml_origin **origin,
                       hl_error *error) {
    yaml_file *file = *out = calloc(1, sizeof *file);
    *origin = file ? arena_array(&file->memory, 1, sizeof **origin) : NULL;
    if (*origin) {
        **origin =
            (yaml_origin){.name = arena_copy_text(&file->memory, name, strlen(name)), .in_folder = in_folder};
        file->origins = *origin;
        if ((*origin)->name) return HL_OK;
    }
    yaml_close(file);
    *out = NULL;
    return yaml_no_memory(error);
}

static hl_status finish(yaml_file **file, hl_status status) {
    if (status == HL_OK) return HL_OK;
    yaml_close(*file);
    *file = NULL;
    return status;
}

hl_status yaml_read(const char *path, yaml_file **out, hl_error *error) {
    bool standard = strcmp(path, "-") == 0, piped = false;
    yaml_origin *origin;
    hl_status status = start(standard ? "standard input" : path, false, out, &origin, error);
    if (status != HL_OK) return status;
    yaml_file *file = *out;
    size_t count = 0;
    status = input_read_piped(standard ? "/dev/stdin" : path, YAML_LARGEST_FILE, &file->bytes, &count, &piped,
                              error);
    origin->bytes = file->bytes;
    origin->count = count;
    origin->in_folder = !standard && !piped && !is_stream(path);
    if (status == HL_OK) status = yaml_build(file, origin, file->bytes, count, &file->root, error);
    return finish(out, status);
}

hl_status yaml_parse(const char *name, const uint8_t *bytes, size_t count, yaml_file **out, hl_error *error) {
    yaml_origin *origin;
    hl_status status = start(name, true, out, &origin, error);
    if (status == HL_OK) status = yaml_build(*out, origin, bytes, count, &(*out)->root, error);
    return finish(out, status);
}

const yaml_node *yaml_root(const yaml_file *file) {
    return file->root;
}

/* ---- questions ---- */

const yaml_node *yaml_get(const yaml_node *node, const char *key) {
    if (!node || node->type != YAML_MAP) return NULL;
    for (size_t i = 0; i < node->count; ++i) {
        if (strcmp(node->keys[i]->text, key) == 0) return node->items[i];
    }
    return NULL;
}

const yaml_node *yaml_item(const yaml_node *node, size_t index) {
    return node && node->type == YAML_LIST && index < node->count ? node->items[index] : NULL;
}

static bool is_one_of(const yaml_node *node, const char *const *words) {
    if (!node || node->type != YAML_TEXT || !node->plain) return false;
    for (; *words; ++words) {
        if (strcmp(node->text, *words) == 0) return true;
    }
    return false;
}

bool yaml_is_null(const yaml_node *node) {
    return is_one_of(node, (const char *const[]){"", "~", "null", "Null", "NULL", NULL});
}

bool yaml_truth(const yaml_node *node, bool *out) {
    *out = is_one_of(node, (const char *const[]){"true", "True", "TRUE", NULL});
    return *out || is_one_of(node, (const char *const[]){"false", "False", "FALSE", NULL});
}

bool yaml_whole(const yaml_node *node, int64_t *out) {
    return node && node->type == YAML_TEXT && node->plain && number_whole(node->text, out);
}

bool yaml_real(const yaml_node *node, double *out) {
    return node && node->type == YAML_TEXT && node->plain && number_real(node->text, out);
}

/* ---- places ---- */

void yaml_place(const yaml_node *at, char *out, size_t size) {
    if (at->origin->is_argument) {
        hl_format(out, size, "%s", at->origin->name);
    } else {
        hl_format(out, size, "%s:%zu:%zu", at->origin->name, at->line, at->column);
    }
}

hl_status yaml_fail(const yaml_node *at, hl_error *error, const char *format, ...) {
    char place[320], detail[680]; /* together they fit a message, so that the ends of both stay */
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(detail, sizeof detail, format, arguments);
    va_end(arguments);
    yaml_place(at, place, sizeof place);
    return hl_fail(error, HL_USAGE, "%s: %s", place, detail);
}

char *yaml_resolve(const yaml_node *node, const char *path) {
    const char *name = node->origin->name, *slash = node->origin->in_folder ? strrchr(name, '/') : NULL;
    if (path[0] == '/' || !slash) return strdup(path);
    char *resolved = NULL;
    return asprintf(&resolved, "%.*s/%s", (int)(slash - name), name, path) < 0 ? NULL : resolved;
}
