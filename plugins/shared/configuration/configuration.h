/* A model's configuration, a file of JSON, read strictly: every value has a range, and what a section says
 * besides must be off, so that no setting is passed over that would make another model. The first refusal
 * sticks, so that values can be read one after another and checked once. Knows no setting of any model. */
#ifndef CONFIGURATION_H
#define CONFIGURATION_H

#include "headlight/host.h"
#include <cjson/cJSON.h>

typedef struct config_reader {
    const char *plugin; /* "clip-vit", for messages */
    const char *file;   /* its path, for messages */
    hl_status status;   /* of the first refusal */
    hl_error *error;
} config_reader;

typedef struct config_section {
    const char *path; /* for messages: "model_cfg.vision_cfg"; "": the whole file */
    const cJSON *object;
} config_section;

/* Parses the text, of which json[length] is NUL; cJSON_Delete *out. `name` is for messages. */
hl_status config_parse_json(const char *name, const char *json, size_t length, cJSON **out, hl_error *error);

/* Whether FOLDER/FILE is there. */
bool config_is_there(const char *folder, const char *file);

/* Reads FOLDER/FILE and has `parse` make of it what it will. */
hl_status config_read_file(const hl_host *host, const char *folder, const char *file,
                           hl_status (*parse)(const char *path, const char *json, size_t length, void *out,
                                              hl_error *error),
                           void *out, hl_error *error);

/* "FILE: " and the message, unless something has been refused before. */
void config_refuse(config_reader *r, hl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a value: "FILE: PATH.KEY: " and the message. */
void config_refuse_value(config_reader *r, config_section from, const char *key, hl_status status,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- values; a missing one is NULL, and so is null ---- */

const cJSON *config_find(config_section from, const char *key);

/* Missing, null, false, 0, empty. */
bool config_is_off(const cJSON *item);

config_section config_read_section(config_reader *r, config_section from, const char *key, const char *path);

/* A whole number in [low, high]. `fallback` 0: the key must be there. */
size_t config_read_size(config_reader *r, config_section from, const char *key, size_t fallback, size_t low,
                        size_t high);

/* A side in pixels, or both sides of what must be a square: 224, [224, 224]. */
size_t config_read_side(config_reader *r, config_section from, const char *key, size_t fallback, size_t high);

/* Missing: false. */
bool config_read_bool(config_reader *r, config_section from, const char *key);

/* Three numbers from `low` to 1000; missing: `out` stays. */
void config_read_channels(config_reader *r, config_section from, const char *key, double low, float out[3]);

/* trunc(width * ratio), 1 to `most`; a missing ratio is 4. */
size_t config_read_hidden(config_reader *r, config_section from, const char *key, size_t width, size_t most);

/* ---- what a section may say ---- */

typedef struct config_setting {
    const char *key;   /* NULL: the end of the list */
    const char *usual; /* the one value that the plugin computes; NULL: read apart, or without effect */
} config_setting;

#define CONFIG_WITHOUT_EFFECT                                                                                \
    NULL /* in training only, for logits only, or because what it belongs to is off */
#define CONFIG_READ NULL

/* Refuses, by name, a setting that is not listed and not off, one that is not as usual, and one that is there
 * twice. In the file's outermost section texts may stand besides: a name, a licence. */
void config_check_settings(config_reader *r, config_section from, const config_setting *settings);

#endif
