/* See configuration.h. */
#include "configuration.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20 };

void config_refuse(config_reader *r, hl_status status, const char *format, ...) {
    if (r->status) return;
    hl_error said;
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(said.message, sizeof said.message, format, arguments);
    va_end(arguments);
    r->status = hl_fail(r->error, status, "%s: %s", r->file, said.message);
}

void config_refuse_value(config_reader *r, config_section from, const char *key, hl_status status,
                         const char *format, ...) {
    hl_error said;
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(said.message, sizeof said.message, format, arguments);
    va_end(arguments);
    config_refuse(r, status, "%s%s%.64s: %s", from.path, *from.path ? "." : "", key, said.message);
}

const cJSON *config_find(config_section from, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(from.object, key);
    return cJSON_IsNull(item) ? NULL : item;
}

config_section config_read_section(config_reader *r, config_section from, const char *key, const char *path) {
    config_section out = {path, config_find(from, key)};
    if (!cJSON_IsObject(out.object)) {
        config_refuse(r, HL_FAILED, "%s: expected an object; is this a configuration that %s reads?", path,
                      r->plugin);
    }
    return out;
}

static size_t whole_number(config_reader *r, config_section from, const char *key, const cJSON *item,
                           size_t low, size_t high) {
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (!(value >= (double)low && value <= (double)high && value == floor(value))) {
        config_refuse_value(r, from, key, HL_FAILED, "expected a whole number from %zu to %zu", low, high);
        return low;
    }
    return (size_t)value;
}

size_t config_read_size(config_reader *r, config_section from, const char *key, size_t fallback, size_t low,
                        size_t high) {
    const cJSON *item = config_find(from, key);
    return !item && fallback ? fallback : whole_number(r, from, key, item, low, high);
}

size_t config_read_side(config_reader *r, config_section from, const char *key, size_t fallback,
                        size_t high) {
    const cJSON *pair = config_find(from, key);
    if (!cJSON_IsArray(pair)) return config_read_size(r, from, key, fallback, 1, high);
    const cJSON *first = cJSON_GetArrayItem(pair, 0), *second = cJSON_GetArrayItem(pair, 1);
    if (cJSON_GetArraySize(pair) != 2 || !cJSON_IsNumber(first) || !cJSON_IsNumber(second)) {
        config_refuse_value(r, from, key, HL_FAILED, "expected one whole number, or two that are equal");
        return fallback;
    }
    if (first->valuedouble != second->valuedouble) {
        config_refuse_value(r, from, key, HL_USAGE,
                            "is %g x %g, which is no square; %s takes square ones only", first->valuedouble,
                            second->valuedouble, r->plugin);
        return fallback;
    }
    return whole_number(r, from, key, first, 1, high);
}

size_t config_read_hidden(config_reader *r, config_section from, const char *key, size_t width, size_t most) {
    const cJSON *item = config_find(from, key);
    double ratio = !item ? 4.0 : cJSON_IsNumber(item) ? item->valuedouble : NAN;
    double hidden = trunc((double)width * ratio);
    if (!(hidden >= 1 && hidden <= (double)most)) {
        config_refuse_value(r, from, key, HL_FAILED, "expected a number that makes the MLP 1 to %zu wide",
                            most);
        return 1;
    }
    return (size_t)hidden;
}

bool config_is_off(const cJSON *item) {
    if (!item || cJSON_IsNull(item) || cJSON_IsFalse(item)) return true;
    if (cJSON_IsNumber(item)) return item->valuedouble == 0;
    if (cJSON_IsString(item)) return !*item->valuestring;
    return !cJSON_IsTrue(item) && !item->child;
}

bool config_read_bool(config_reader *r, config_section from, const char *key) {
    const cJSON *item = config_find(from, key);
    if (!cJSON_IsTrue(item) && !config_is_off(item)) {
        config_refuse_value(r, from, key, HL_FAILED, "expected true or false");
    }
    return cJSON_IsTrue(item);
}

void config_read_channels(config_reader *r, config_section from, const char *key, double low, float out[3]) {
    const cJSON *list = config_find(from, key);
    if (!list) return;
    for (int i = 0; i < 3; ++i) {
        const cJSON *item = cJSON_IsArray(list) ? cJSON_GetArrayItem(list, i) : NULL;
        double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        if (!(value >= low && value <= 1e3) || cJSON_GetArraySize(list) != 3) {
            config_refuse_value(r, from, key, HL_FAILED, "expected three numbers from %g to 1000", low);
            return;
        }
        out[i] = (float)value;
    }
}

static bool is_usual(const cJSON *item, const char *usual) {
    bool may_be_off = strcmp(usual, "true") != 0;
    if (cJSON_IsNull(item) || (may_be_off && config_is_off(item))) return true;
    if (cJSON_IsTrue(item)) return strcmp(usual, "true") == 0;
    return cJSON_IsString(item) && strcmp(item->valuestring, usual) == 0;
}

static const config_setting *find_setting(const config_setting *settings, const char *key) {
    while (settings->key && strcmp(settings->key, key) != 0) ++settings;
    return settings->key ? settings : NULL;
}

/* Beside the sections a text is a remark: a name, a licence. */
static bool is_remark(config_section from, const cJSON *item) {
    return !*from.path && cJSON_IsString(item);
}

void config_check_settings(config_reader *r, config_section from, const config_setting *settings) {
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, from.object) {
        const config_setting *known = find_setting(settings, item->string);
        bool harmless = !known ? config_is_off(item) || is_remark(from, item)
                               : !known->usual || is_usual(item, known->usual);
        if (!harmless) {
            config_refuse_value(
                r, from, item->string, HL_USAGE,
                "this setting is not supported by %s; use a plugin that knows it, or remove it if the "
                "model does not depend on it",
                r->plugin);
        }
        if (known && cJSON_GetObjectItemCaseSensitive(from.object, item->string) != item) {
            config_refuse_value(r, from, item->string, HL_FAILED, "is there twice; remove one");
        }
    }
}

hl_status config_parse_json(const char *name, const char *json, size_t length, cJSON **out, hl_error *error) {
    const char *end = json;
    errno = 0;
    *out = cJSON_ParseWithLengthOpts(json, length + 1, &end, true);
    if (*out) return HL_OK;
    if (errno == ENOMEM) return hl_no_memory(error, name);
    return hl_fail(error, HL_FAILED, "%s: is not valid JSON near byte %td: write the file again", name,
                   end - json);
}

/* Without memory of its own: a lack of it must not look like a folder without the file. */
bool config_is_there(const char *folder, const char *file) {
    int opened = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool there = opened >= 0 && faccessat(opened, file, F_OK, 0) == 0;
    if (opened >= 0) close(opened);
    return there;
}

hl_status config_read_file(const hl_host *host, const char *folder, const char *file,
                           hl_status (*parse)(const char *path, const char *json, size_t length, void *out,
                                              hl_error *error),
                           void *out, hl_error *error) {
    char *path = NULL, *text = NULL;
    size_t length = 0;
    if (asprintf(&path, "%s/%s", folder, file) < 0) return hl_no_memory(error, "a path");
    hl_status status = host->read_file(host, path, MAX_FILE, &text, &length, error);
    if (status == HL_OK) status = parse(path, text, length, out, error);
    free(text);
    free(path);
    return status;
}
