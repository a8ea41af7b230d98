/* See facts.h. */
#include "facts.h"

/* What is met at the end of a key. */
typedef struct reading {
    const hl_ask *ask;
    facts *to;
    bool any_facts;       /* gallery.json says something of an image */
    const hl_node *first; /* the first image's of which it does */
} reading;

/* Numbers that come from a file have a text. */
static const char *text_of(const hl_node *node) {
    if (!node) return NULL;
    if (node->type == HL_TRUTH) return node->truth ? "true" : "false";
    return node->type == HL_TEXT || hl_is_number(node) ? node->text : NULL;
}

/* ---- where nothing is found ---- */

/* "places, weather, main.colors": what leads to a text or a number. */
static void list_keys(const hl_node *map, const char *before, char *out, size_t room) {
    for (const hl_node *entry = map->first; entry; entry = entry->next) {
        char path[256];
        size_t used = strlen(out);
        snprintf(path, sizeof path, "%s%s", before, entry->key);
        if (text_of(entry)) snprintf(out + used, room - used, "%s%s", used ? ", " : "", path);
        size_t length = strlen(path);
        if (entry->type != HL_MAP || length + 2 > sizeof path) continue;
        path[length] = '.';
        path[length + 1] = '\0';
        list_keys(entry, path, out, room);
    }
}

static hl_status no_value(const reading *of, const char *key, hl_error *error) {
    char keys[600] = "";
    if (!of->any_facts)
        return hl_fail(error, HL_USAGE,
                       "asked for \"%s\", but the gallery says nothing of its images: name a gallery.json "
                       "whose objects have \"path\" and this key",
                       key);
    list_keys(of->first, "", keys, sizeof keys);
    const hl_node *there = hl_find(of->first, key);
    return hl_fail(error, HL_USAGE,
                   "no image of the gallery has a value of \"%s\"%s; keys with values are: %s", key,
                   there && there->type == HL_MAP ? ", which is a mapping: name what is in it" : "", keys);
}

static bool has_values(const facts *of, size_t key) {
    size_t i = 0;
    while (i < of->images && !facts_at(of, i, key)) ++i;
    return i < of->images;
}

/* ---- all together ---- */

static hl_status read_image(reading *of, size_t index, hl_error *error) {
    hl_gallery_image image = {.size = sizeof image};
    hl_status status = of->ask->gallery_image(of->ask, NULL, index, &image, error);
    if (status != HL_OK || !image.facts) return status;
    if (!of->any_facts) of->first = image.facts;
    of->any_facts = true;
    for (size_t k = 0; k < of->to->key_count; ++k) {
        of->to->values[index * of->to->key_count + k] = text_of(hl_find(image.facts, of->to->keys[k]));
    }
    return HL_OK;
}

hl_status facts_read(const hl_ask *ask, const char *const *keys, size_t key_count, facts *out,
                     hl_error *error) {
    *out = (facts){.host = ask->host, .keys = keys, .key_count = key_count};
    reading of = {.ask = ask, .to = out};
    hl_status status = ask->gallery_count(ask, NULL, &out->images, error);
    if (status != HL_OK) return status;
    out->values = ask->host->allocate(ask->host, out->images * key_count + 1, sizeof *out->values);
    if (!out->values) return hl_no_memory(error, "what the gallery says of its images");
    for (size_t i = 0; i < out->images && status == HL_OK; ++i) status = read_image(&of, i, error);
    for (size_t k = 0; k < key_count && status == HL_OK; ++k) {
        if (!has_values(out, k)) status = no_value(&of, keys[k], error);
    }
    return status;
}

void facts_free(facts *self) {
    if (self->values) self->host->release(self->host, self->values);
    *self = (facts){0};
}
