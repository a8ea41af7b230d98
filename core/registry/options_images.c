/* Options of images: what folders and patterns stand for, and which of them are there. */
#include "core/registry/option_values.h"

#include "core/atlas/gallery.h"
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The images of an option, growing. */
typedef struct image_list {
    const option_reader *reader;
    hl_image **all;
    const yaml_node **nodes; /* the entry of each */
    size_t count, room;
} image_list;

static hl_status grow(image_list *list) {
    size_t room = list->room ? 2 * list->room : 16;
    arena *memory = &list->reader->values->memory;
    hl_image **images = arena_array(memory, room, sizeof(hl_image *));
    const yaml_node **nodes = arena_array(memory, room, sizeof *nodes);
    if (!images || !nodes) return options_no_memory(list->reader->error);
    for (size_t i = 0; i < list->count; ++i) {
        images[i] = list->all[i];
        nodes[i] = list->nodes[i];
    }
    list->all = images;
    list->nodes = nodes;
    list->room = room;
    return HL_OK;
}

static hl_status add(image_list *list, const yaml_node *entry, const char *name, const char *path) {
    arena *memory = &list->reader->values->memory;
    hl_status status = list->count < list->room ? HL_OK : grow(list);
    if (status != HL_OK) return status;
    hl_image *image = arena_array(memory, 1, sizeof *image);
    if (!image) return options_no_memory(list->reader->error);
    image->name = arena_copy_text(memory, name, strlen(name));
    image->path = arena_copy_text(memory, path, strlen(path));
    if (!image->name || !image->path) return options_no_memory(list->reader->error);
    list->nodes[list->count] = entry;
    list->all[list->count++] = image;
    return HL_OK;
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static hl_status fail_entry(const image_list *list, const yaml_node *entry, const char *words) {
    return yaml_fail(entry, list->reader->error, "option \"%s\": %s", list->reader->row->option->name, words);
}

/* ---- folders ---- */

/* "photos" and "photos/" both give "photos/a.jpg". */
static hl_status add_below(image_list *list, const yaml_node *entry, const char *name,
                           const gallery_image *image) {
    size_t length = strlen(name);
    while (length > 1 && name[length - 1] == '/') --length;
    char *shown;
    if (asprintf(&shown, "%.*s/%s", (int)length, name, image->path) < 0) {
        return options_no_memory(list->reader->error);
    }
    hl_status status = add(list, entry, shown, image->file);
    free(shown);
    return status;
}

/* `some`: there must be images in it. */
static hl_status add_folder(image_list *list, const yaml_node *entry, const char *name, const char *path,
                            bool some) {
    gallery *found;
    hl_error why;
    hl_status status = gallery_open(path, &found, &why);
    if (status == HL_NO_MEMORY) return options_no_memory(list->reader->error);
    if (status == HL_USAGE && !some) return HL_OK;
    if (status != HL_OK) return fail_entry(list, entry, why.message);
    for (size_t i = 0; i < found->count && status == HL_OK; ++i) {
        status = add_below(list, entry, name, &found->images[i]);
    }
    gallery_close(found);
    return status;
}

/* ---- patterns ---- */

static bool is_pattern(const char *text) {
    return strpbrk(text, "*?[") != NULL;
}

/* The folder that `path`, which ends in `written`, is relative to, so that nothing in it is a pattern. */
static char *escape_folder(const char *path, size_t length) {
    char *escaped = calloc(2 * length + 1, 1), *end = escaped;
    for (size_t i = 0; escaped && i < length; ++i) {
        if (strchr("*?[]\\", path[i])) *end++ = '\\';
        *end++ = path[i];
    }
    return escaped;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static hl_status add_matches(image_list *list, const yaml_node *entry, char **matches, size_t count,
                             size_t folder) {
    hl_status status = HL_OK;
    qsort(matches, count, sizeof *matches, by_bytes);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        const char *name = matches[i] + folder;
        if (is_folder(matches[i])) {
            status = add_folder(list, entry, name, matches[i], false);
        } else if (gallery_is_image_name(name)) {
            status = add(list, entry, name, matches[i]);
        }
    }
    return status;
}

static hl_status add_pattern(image_list *list, const yaml_node *entry, const char *path) {
    size_t folder = strlen(path) - strlen(entry->text); /* of the file that the entry stands in */
    char *escaped = escape_folder(path, folder), *pattern = NULL;
    bool made = escaped && asprintf(&pattern, "%s%s", escaped, entry->text) >= 0;
    free(escaped);
    if (!made) return options_no_memory(list->reader->error);
    glob_t found = {0};
    int result = glob(pattern, GLOB_NOSORT, NULL, &found);
    free(pattern);
    hl_status status = result == GLOB_NOSPACE ? options_no_memory(list->reader->error) : HL_OK;
    if (result == 0) status = add_matches(list, entry, found.gl_pathv, found.gl_pathc, folder);
    globfree(&found);
    return status;
}

/* ---- entries ---- */

/* A file of exactly this name comes before what its name could mean as a pattern. */
static hl_status add_entry(image_list *list, const yaml_node *entry) {
    struct stat status;
    const char *path = option_resolve(list->reader, entry);
    if (!path) return options_no_memory(list->reader->error);
    bool there = stat(path, &status) == 0;
    size_t before = list->count;
    if (!there && !is_pattern(entry->text)) return add(list, entry, entry->text, path);
    if (there && !S_ISDIR(status.st_mode)) return add(list, entry, entry->text, path);
    hl_status result =
        there ? add_folder(list, entry, entry->text, path, true) : add_pattern(list, entry, path);
    if (result != HL_OK || list->count > before) return result;
    return fail_entry(list, entry, "no image matches this pattern, and no file is called so");
}

static hl_status fail_count(const option_reader *reader, const yaml_node *node, size_t count) {
    char expected[512];
    options_expected(reader->row->option, expected, sizeof expected);
    return yaml_fail(node, reader->error,
                     "option \"%s\": expected %s, got %zu, of which folders and patterns count as the images "
                     "that they stand for",
                     reader->row->option->name, expected, count);
}

hl_status options_read_images(const option_reader *reader, const yaml_node *const *entries, size_t count) {
    option_row *row = reader->row;
    image_list list = {.reader = reader};
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = add_entry(&list, entries[i]);
    if (status != HL_OK) return status;
    if (!option_right_length(row->option, list.count)) return fail_count(reader, entries[0], list.count);
    row->written = arena_array(&reader->values->memory, list.count, sizeof *row->written);
    if (!row->written) return options_no_memory(reader->error);
    for (size_t i = 0; i < list.count; ++i) row->written[i] = list.all[i]->name;
    row->nodes = list.nodes;
    row->count = row->value.count = list.count;
    row->value.images = (const hl_image *const *)list.all;
    return HL_OK;
}

/* ---- which are there ---- */

const hl_image *options_image(const option_values *values, size_t index) {
    for (size_t i = 0; i < values->plugin->option_count; ++i) {
        const option_row *row = &values->rows[i];
        if (row->option->type == HL_IMAGES) {
            if (index < row->value.count) return row->value.images[index];
            index -= row->value.count;
        }
        for (size_t j = 0; row->directions && j < row->count; ++j) {
            size_t own = 0;
            for (const hl_image *image; (image = direction_image(row->directions[j], own)); ++own) {
                if (index-- == 0) return image;
            }
        }
    }
    return NULL;
}

/* Drops entry `index`, which stays in memory. */
static void drop(option_row *row, size_t index) {
    hl_image **images = (hl_image **)(uintptr_t)row->value.images;
    for (size_t i = index + 1; i < row->count; ++i) {
        images[i - 1] = images[i];
        row->written[i - 1] = row->written[i];
        row->nodes[i - 1] = row->nodes[i];
    }
    row->value.count = --row->count;
}

static hl_status sift_row(option_values *values, option_row *row, options_judge *judge, void *user,
                          hl_error *error) {
    size_t before = row->count;
    for (size_t i = 0; i < row->count;) {
        bool keep = true;
        hl_status status =
            judge(user, row->option, row->value.images[i], option_place(values, row, i), &keep, error);
        if (status != HL_OK) return status;
        if (keep) {
            ++i;
        } else {
            drop(row, i);
        }
    }
    if (row->count == before || option_right_length(row->option, row->count)) return HL_OK;
    char expected[512];
    options_expected(row->option, expected, sizeof expected);
    return options_fail(values, values->section, error,
                        "option \"%s\": expected %s, and of the %zu there %zu can be read", row->option->name,
                        expected, before, row->count);
}

hl_status options_sift_images(option_values *values, options_judge *judge, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values->plugin->option_count && status == HL_OK; ++i) {
        option_row *row = &values->rows[i];
        if (row->option->type == HL_IMAGES) status = sift_row(values, row, judge, user, error);
    }
    return status;
}
