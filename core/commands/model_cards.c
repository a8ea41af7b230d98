/* See model_cards.h. */
#include "core/commands/model_cards.h"

#include "core/engine/model_home.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDING ".yaml"

enum {
    CARD_TITLE,
    CARD_TOWER,
    CARD_PARAMETERS,
    CARD_ACTIVATION,
    CARD_PIXELS,
    CARD_TOKENIZER,
    CARD_TRAINING,
    CARD_LICENCE,
    CARD_PLUGIN,
    CARD_LACKING,
    CARD_PAGE,
    CARD_FROM,
    CARD_FILES,
    CARD_MEGABYTES
};

static const hl_option card_options[] = {
    [CARD_TITLE] = {.name = "title", .type = HL_STRING, .help = "whose it is and how large"},
    [CARD_TOWER] = {.name = "tower", .type = HL_STRING, .help = "layers, heads, patches and pixels"},
    [CARD_PARAMETERS] =
        {.name = "parameters", .type = HL_REAL, .min = 0.001, .max = 1e6, .help = "in millions"},
    [CARD_ACTIVATION] = {.name = "activation", .type = HL_STRING, .help = "of the image tower's MLPs"},
    [CARD_PIXELS] = {.name = "pixels",
                     .type = HL_STRING,
                     .help = "mean, deviation, and how an image gets its size"},
    [CARD_TOKENIZER] = {.name = "tokenizer", .type = HL_STRING, .help = "and the tokens of a text"},
    [CARD_TRAINING] = {.name = "training", .type = HL_STRING, .help = "what it was trained on"},
    [CARD_LICENCE] = {.name = "licence", .type = HL_STRING, .help = "as its publisher names it"},
    [CARD_PLUGIN] = {.name = "plugin",
                     .type = HL_STRING,
                     .fallback = "~",
                     .help = "the model plugin that loads it"},
    [CARD_LACKING] = {.name = "lacking",
                      .type = HL_STRING,
                      .fallback = "~",
                      .help = "without plugin: what that takes"},
    [CARD_PAGE] = {.name = "page", .type = HL_STRING, .help = "where people read about it"},
    [CARD_FROM] = {.name = "from", .type = HL_STRING, .help = "what the names of its files are appended to"},
    [CARD_FILES] = {.name = "files", .type = HL_STRINGS, .min = 1, .max = 64, .help = "the weights first"},
    [CARD_MEGABYTES] =
        {.name = "megabytes", .type = HL_REAL, .min = 0.001, .max = 1e6, .help = "of the weights, about"},
};
static const hl_plugin card_section = {
    .size = sizeof(hl_plugin), .name = "the card of a model", HL_OPTIONS(card_options)};

/* Names of files on their way to a shell script: nothing there that leads elsewhere. */
static hl_status check_files(const model_card *card, const yaml_node *root, hl_error *error) {
    for (size_t i = 0; i < card->file_count; ++i) {
        if (model_name_is_valid(card->files[i])) continue;
        return yaml_fail(yaml_get(root, "files"), error, "\"%.64s\" is no name of a file", card->files[i]);
    }
    if (!card->plugin == !card->lacking) {
        return yaml_fail(root, error,
                         "expected either plugin, which loads the model, or lacking, what that takes");
    }
    return HL_OK;
}

static const char *text_of(const hl_value *const *values, size_t index) {
    return values[index]->given ? values[index]->string : NULL;
}

static void take_values(model_card *card) {
    const hl_value *const *values = options_values(card->values);
    card->title = text_of(values, CARD_TITLE);
    card->tower = text_of(values, CARD_TOWER);
    card->activation = text_of(values, CARD_ACTIVATION);
    card->pixels = text_of(values, CARD_PIXELS);
    card->tokenizer = text_of(values, CARD_TOKENIZER);
    card->training = text_of(values, CARD_TRAINING);
    card->licence = text_of(values, CARD_LICENCE);
    card->plugin = text_of(values, CARD_PLUGIN);
    card->lacking = text_of(values, CARD_LACKING);
    card->page = text_of(values, CARD_PAGE);
    card->from = text_of(values, CARD_FROM);
    card->parameters = values[CARD_PARAMETERS]->real;
    card->megabytes = values[CARD_MEGABYTES]->real;
    card->files = values[CARD_FILES]->strings;
    card->file_count = values[CARD_FILES]->count;
}

static hl_status read_card(const char *folder, model_card *card, hl_error *error) {
    static const char *const none[] = {NULL};
    char *path;
    if (asprintf(&path, "%s/%s" ENDING, folder, card->name) < 0) return hl_no_memory(error, "a model's card");
    hl_status status = yaml_read(path, &card->file, error);
    free(path);
    const yaml_node *root = status == HL_OK ? yaml_root(card->file) : NULL;
    if (status == HL_OK) status = options_read(&card_section, root, none, &card->values, error);
    if (status != HL_OK) return status;
    take_values(card);
    return check_files(card, root, error);
}

static int is_card(const struct dirent *entry) {
    size_t length = strlen(entry->d_name), ending = sizeof ENDING - 1;
    return entry->d_name[0] != '.' && length > ending && strcmp(entry->d_name + length - ending, ENDING) == 0;
}

/* In the order of bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_card(model_card *card) {
    options_free(card->values);
    yaml_close(card->file);
    free(card->name);
    *card = (model_card){0};
}

/* The place of this name's card, in a list that has room for one more. */
static model_card *place_of(model_cards *cards, const char *name) {
    for (size_t i = 0; i < cards->count; ++i) {
        if (strcmp(cards->items[i].name, name) != 0) continue;
        free_card(&cards->items[i]);
        return &cards->items[i];
    }
    return &cards->items[cards->count++];
}

static hl_status add_card(const char *folder, const char *file, model_cards *cards, hl_error *error) {
    char *name = strndup(file, strlen(file) - (sizeof ENDING - 1));
    if (!name) return hl_no_memory(error, "a model's card");
    model_card *card = place_of(cards, name);
    card->name = name;
    return read_card(folder, card, error);
}

hl_status model_cards_read(const char *folder, model_cards *cards, hl_error *error) {
    struct dirent **entries;
    int count = scandir(folder, &entries, is_card, by_name);
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR)) return HL_OK;
    if (count < 0) return hl_fail(error, HL_FAILED, "%s cannot be read: %s", folder, strerror(errno));
    size_t most = cards->count + (size_t)count;
    model_card *items = realloc(cards->items, (most + 1) * sizeof *items);
    hl_status status = items ? HL_OK : hl_no_memory(error, "the models' cards");
    if (items) {
        memset(items + cards->count, 0, ((size_t)count + 1) * sizeof *items);
        cards->items = items;
    }
    for (int i = 0; i < count; ++i) {
        if (status == HL_OK) status = add_card(folder, entries[i]->d_name, cards, error);
        free(entries[i]);
    }
    free(entries);
    return status;
}

void model_cards_free(model_cards *cards) {
    for (size_t i = 0; i < cards->count; ++i) free_card(&cards->items[i]);
    free(cards->items);
    *cards = (model_cards){0};
}

const model_card *model_cards_find(const model_cards *cards, const char *name) {
    for (size_t i = 0; i < cards->count; ++i) {
        if (strcmp(cards->items[i].name, name) == 0) return &cards->items[i];
    }
    return NULL;
}
