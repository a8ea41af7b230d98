/* `headlight models`: what is known of published models, and which of them are at home here. */
#include "core/commands/model_cards.h"
#include "core/engine/engine.h"
#include "core/engine/model_home.h"
#include "core/host/data_files.h"
#include "core/host/library.h"
#include "core/io/json.h"
#include "core/io/sized.h"
#include "core/registry/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct listing {
    hl_library *library;
    const hl_models_request *request;
    FILE *out;
    model_cards cards;
} listing;

/* ---- what there is to say of one ---- */

/* free() it; NULL: it is not here. */
static char *folder_of(const model_card *card) {
    char *path = NULL;
    struct stat about;
    if (model_home_place(card->name, &path, NULL) != HL_OK) return NULL;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return path;
    free(path);
    return NULL;
}

static bool loads(const listing *self, const model_card *card) {
    hl_error why;
    const hl_plugin *plugin;
    return card->plugin &&
           registry_need(self->library->plugins, HL_MODEL, card->plugin, card->name, &plugin, &why) == HL_OK;
}

/* "installed", "-", or that it cannot be loaded. */
static const char *state_of(const listing *self, const model_card *card) {
    if (!loads(self, card)) return "does not load yet";
    char *folder = folder_of(card);
    const char *state = folder ? "installed" : "-";
    free(folder);
    return state;
}

static const char *or_nothing(const char *text) {
    return text ? text : "";
}

/* ---- the ways to say it ---- */

static hl_status write_list(const listing *self, hl_error *error) {
    (void)error;
    for (size_t i = 0; i < self->cards.count; ++i) {
        const model_card *card = &self->cards.items[i];
        fprintf(self->out, "%-34s %-18s %8.0f MB  %s\n", card->name, state_of(self, card), card->megabytes,
                card->title);
    }
    char *home = model_home();
    if (home) fprintf(self->out, "\nInstalled are those in %s; tools/get-model NAME fetches one.\n", home);
    free(home);
    return HL_OK;
}

static hl_status write_one(const listing *self, const model_card *card, hl_error *error) {
    char *folder = folder_of(card);
    const struct {
        const char *what, *value;
    } lines[] = {
        {"what it is", card->title},      {"tower", card->tower},
        {"activation", card->activation}, {"pixels", card->pixels},
        {"tokenizer", card->tokenizer},   {"training", card->training},
        {"licence", card->licence},       {"page", card->page},
        {"loaded by", card->plugin},      {"does not load yet", card->lacking},
        {"installed in", folder},
    };
    fprintf(self->out, "%s\n", card->name);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) {
        if (lines[i].value) fprintf(self->out, "  %-18s %s\n", lines[i].what, lines[i].value);
    }
    fprintf(self->out, "  %-18s %g million\n  %-18s", "parameters", card->parameters, "files");
    for (size_t i = 0; i < card->file_count; ++i) fprintf(self->out, " %s", card->files[i]);
    fprintf(self->out, "\n  %-18s about %.0f MB\n", "weights", card->megabytes);
    (void)error;
    free(folder);
    return HL_OK;
}

/* For scripts: a line for each file, its name, a tab, where it is, a tab, and its size where that is known.
 */
static hl_status write_files(const listing *self, const model_card *card, hl_error *error) {
    (void)error;
    for (size_t i = 0; i < card->file_count; ++i) {
        fprintf(self->out, "%s\t%s%s\t", card->files[i], card->from, card->files[i]);
        if (i == 0) fprintf(self->out, "%.0f", card->megabytes * 1e6);
        fputc('\n', self->out);
    }
    return HL_OK;
}

static bool add_card(const listing *self, cJSON *list, const model_card *card) {
    cJSON *object = cJSON_CreateObject(), *files = cJSON_CreateArray();
    char *folder = folder_of(card);
    const struct {
        const char *key, *value;
    } texts[] = {
        {"name", card->name},         {"title", card->title},
        {"tower", card->tower},       {"activation", card->activation},
        {"pixels", card->pixels},     {"tokenizer", card->tokenizer},
        {"training", card->training}, {"licence", card->licence},
        {"page", card->page},         {"from", card->from},
        {"plugin", card->plugin},     {"lacking", card->lacking},
        {"folder", folder},
    };
    bool whole = object && files;
    for (size_t i = 0; whole && i < sizeof texts / sizeof *texts; ++i) {
        if (texts[i].value) whole = cJSON_AddStringToObject(object, texts[i].key, texts[i].value);
    }
    for (size_t i = 0; whole && i < card->file_count; ++i) {
        cJSON *file = cJSON_CreateString(card->files[i]);
        whole = file && cJSON_AddItemToArray(files, file);
    }
    whole = whole && cJSON_AddNumberToObject(object, "parameters", card->parameters) &&
            cJSON_AddNumberToObject(object, "megabytes", card->megabytes) &&
            cJSON_AddBoolToObject(object, "loads", loads(self, card));
    if (whole && cJSON_AddItemToObject(object, "files", files)) files = NULL;
    free(folder);
    if (whole && !files && cJSON_AddItemToArray(list, object)) return true;
    cJSON_Delete(files);
    cJSON_Delete(object);
    return false;
}

static hl_status write_json(const listing *self, const model_card *only, hl_error *error) {
    cJSON *list = cJSON_CreateArray();
    bool whole = list != NULL;
    for (size_t i = 0; whole && i < self->cards.count; ++i) {
        const model_card *card = &self->cards.items[i];
        if (!only || card == only) whole = add_card(self, list, card);
    }
    char *text = whole ? json_print(list, true) : NULL;
    if (text) fprintf(self->out, "%s\n", text);
    cJSON_Delete(list);
    free(text);
    return text ? HL_OK : hl_no_memory(error, "the models' cards");
}

/* ---- the command ---- */

static hl_status find_card(const listing *self, const model_card **out, hl_error *error) {
    *out = model_cards_find(&self->cards, self->request->name);
    if (*out) return HL_OK;
    const char **names = calloc(self->cards.count + 1, sizeof *names);
    if (!names) return hl_no_memory(error, "the models' cards");
    for (size_t i = 0; i < self->cards.count; ++i) names[i] = self->cards.items[i].name;
    const char *nearest = suggest_nearest(self->request->name, names, self->cards.count);
    hl_status status = hl_fail(error, HL_USAGE, "no card of a model \"%.64s\"; %s%s", self->request->name,
                               nearest ? "did you mean " : "`headlight models` lists those that are known",
                               or_nothing(nearest));
    free(names);
    return status;
}

static hl_status write_folder(const model_card *card, FILE *out, hl_error *error) {
    char *folder;
    hl_status status = model_home_place(card->name, &folder, error);
    if (status == HL_OK) fprintf(out, "%s\n", folder);
    free(folder);
    return status;
}

/* Everything but the weights' numbers is looked at. */
static hl_status check_folder(const listing *self, const model_card *card, hl_error *error) {
    if (!loads(self, card)) {
        fprintf(self->out, "%s: not looked at, for no plugin here loads it\n", self->request->check);
        return HL_OK;
    }
    const engine_choice any = {0};
    engine_settings settings = {.source = {.size = sizeof settings.source, .path = self->request->check}};
    host *made;
    engine *model;
    hl_status status = engine_start(self->library, &any, &settings, &made, &model, error);
    engine_close(model);
    host_close(made);
    if (status == HL_OK) fprintf(self->out, "%s: a model that can be opened\n", self->request->check);
    return status;
}

static hl_status write_all(const listing *self, hl_error *error) {
    const model_card *card = NULL;
    if (self->request->name) {
        hl_status status = find_card(self, &card, error);
        if (status != HL_OK) return status;
    }
    if (self->request->json) return write_json(self, card, error);
    if (!card) return write_list(self, error);
    if (self->request->folder) return write_folder(card, self->out, error);
    if (self->request->check) return check_folder(self, card, error);
    return self->request->files ? write_files(self, card, error) : write_one(self, card, error);
}

hl_status hl_models(hl_library *library, const hl_models_request *request, FILE *out, hl_error *error) {
    hl_models_request given;
    sized_copy(&given, sizeof given, request);
    listing self = {.library = library, .request = &given, .out = out};
    if ((given.files || given.folder || given.check) && !given.name) {
        return hl_fail(error, HL_USAGE, "name the model whose files or folder are asked for");
    }
    char *folder = data_file("models");
    if (!folder) {
        return hl_fail(error, HL_FAILED, "the cards of models are not installed (share/headlight/models)");
    }
    char *home = model_home();
    hl_status status = model_cards_read(folder, &self.cards, error);
    if (status == HL_OK && home) status = model_cards_read(home, &self.cards, error);
    free(home);
    if (status == HL_OK) status = write_all(&self, error);
    model_cards_free(&self.cards);
    free(folder);
    return status;
}

hl_status hl_model_folder(const char *name, char **folder, hl_error *error) {
    return model_home_place(name, folder, error);
}
