/* labels-file: properties of heads as somebody wrote them down, one file for each model:
 *
 *     {"heads": {"L11.H3": "locations", ...},
 *      "properties": {"locations": ["L11.H3", ...], "colors": {"L10.H2": 0.8, ...}}}
 *
 * Where `properties` names a property, its list, or its mapping from heads to weights, says which heads carry
 * it; the other properties are the labels of `heads`. A table of aliases folds spellings, of these files and
 * of experiments: {"animals": ["Animal", "Animals"], ...}. */
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "parsing.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

/* In the order of the table. */
enum { PATH, ALIASES };

static const hl_option options[] = {
    {.name = "path", .type = HL_PATH, .help = "The file of labels, JSON or (.yaml, .yml) YAML."},
    {.name = "aliases",
     .type = HL_PATH,
     .fallback = "~",
     .help = "A table of spellings, each property's name with a list of what stands for it; JSON or YAML."},
};

typedef struct label_file {
    const hl_host *host;
    const hl_model_info *model;
    const char *path, *aliases_path;
    cJSON *root, *aliases;           /* aliases NULL: there are none */
    const cJSON *heads, *properties; /* NULL: the file has none */
    bool *labelled;                  /* by component */
    hl_finding *finding;
    hl_error *error;
} label_file;

/* ---- what the files must be ---- */

static hl_status wrong(const label_file *self, const char *path, const char *section, const char *key,
                       const char *expected) {
    return hl_fail(self->error, HL_FAILED, "%s: %s%s%s: expected %s", path, section, key ? "." : "",
                   key ? key : "", expected);
}

/* A mapping of the root, or NULL. */
static hl_status find_section(const label_file *self, const char *name, const cJSON **out) {
    *out = cJSON_GetObjectItemCaseSensitive(self->root, name);
    if (!*out || cJSON_IsObject(*out)) return HL_OK;
    return wrong(self, self->path, name, NULL, "a mapping");
}

static bool is_list_of_texts(const cJSON *value) {
    const cJSON *item;
    if (!cJSON_IsArray(value)) return false;
    cJSON_ArrayForEach(item, value) {
        if (!cJSON_IsString(item)) return false;
    }
    return true;
}

/* A number, or, as YAML has it, the text of one, where .5 and +1 are numbers too; 0 for anything else, NAN
 * without memory. */
static double weight_of(const cJSON *value) {
    if (!cJSON_IsString(value)) return cJSON_IsNumber(value) ? value->valuedouble : 0;
    const char *text = value->valuestring;
    char number[64];
    if (*text == '+' && (isdigit((unsigned char)text[1]) || text[1] == '.')) ++text;
    int length = snprintf(number, sizeof number, "%s%s", *text == '.' ? "0" : "", text);
    if (length < 0 || (size_t)length >= sizeof number) return 0;
    errno = 0;
    cJSON *read = cJSON_ParseWithOpts(number, NULL, true);
    if (!read && errno == ENOMEM) return NAN;
    double weight = cJSON_IsNumber(read) ? read->valuedouble : 0;
    cJSON_Delete(read);
    return weight;
}

static hl_status check_weights(const label_file *self, const cJSON *mapping) {
    char section[256];
    snprintf(section, sizeof section, "properties.%s", mapping->string);
    const cJSON *item;
    cJSON_ArrayForEach(item, mapping) {
        double weight = weight_of(item);
        if (isnan(weight)) return hl_no_memory(self->error, self->path);
        if (!(weight > 0 && weight <= 1)) {
            return wrong(self, self->path, section, item->string, "a weight above 0 and at most 1");
        }
        if (cJSON_GetObjectItemCaseSensitive(mapping, item->string) != item) {
            return wrong(self, self->path, section, item->string, "one weight, but there is a second");
        }
    }
    return HL_OK;
}

static hl_status check_properties(const label_file *self) {
    const cJSON *heads;
    cJSON_ArrayForEach(heads, self->properties) {
        hl_status status = HL_OK;
        if (cJSON_IsObject(heads)) {
            status = check_weights(self, heads);
        } else if (!is_list_of_texts(heads)) {
            status = wrong(self, self->path, "properties", heads->string,
                           "a list of heads, such as [\"L0.H0\"], or weights, such as {\"L0.H0\": 0.5}");
        }
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

static hl_status check_labels(label_file *self) {
    hl_status status = find_section(self, "heads", &self->heads);
    if (status == HL_OK) status = find_section(self, "properties", &self->properties);
    if (status != HL_OK) return status;
    if (!self->heads && !self->properties) {
        return wrong(self, self->path, "the file", NULL,
                     "a mapping with \"heads\": {\"L0.H0\": PROPERTY, ...} or \"properties\"");
    }
    return check_properties(self);
}

static hl_status check_aliases(const label_file *self) {
    if (!cJSON_IsObject(self->aliases)) {
        return wrong(self, self->aliases_path, "the file", NULL, "a mapping of properties to spellings");
    }
    const cJSON *spellings;
    cJSON_ArrayForEach(spellings, self->aliases) {
        if (is_list_of_texts(spellings)) continue;
        return wrong(self, self->aliases_path, "the table", spellings->string,
                     "a list of spellings, such as [\"Animal\"]");
    }
    return HL_OK;
}

static hl_status open_files(label_file *self) {
    hl_status status = parsing_read(self->host, self->path, &self->root, self->error);
    if (status == HL_OK) status = check_labels(self);
    if (status != HL_OK || !self->aliases_path) return status;
    status = parsing_read(self->host, self->aliases_path, &self->aliases, self->error);
    return status == HL_OK ? check_aliases(self) : status;
}

/* ---- from the files to labels ---- */

/* The property that a label stands for: itself where the table has none. */
static const char *fold(const label_file *self, const char *label) {
    const cJSON *spellings, *spelling;
    cJSON_ArrayForEach(spellings, self->aliases) {
        cJSON_ArrayForEach(spelling, spellings) {
            if (strcmp(spelling->valuestring, label) == 0) return spellings->string;
        }
    }
    return label;
}

/* Whether `properties` says itself which heads carry it. */
static bool is_listed(const label_file *self, const char *property) {
    const cJSON *heads;
    cJSON_ArrayForEach(heads, self->properties) {
        if (strcmp(fold(self, heads->string), property) == 0) return true;
    }
    return false;
}

static hl_status find_head(const label_file *self, const char *section, const char *name, uint32_t *out) {
    for (*out = 0; *out < self->model->component_count; ++*out) {
        const hl_component *component = hl_component_at(self->model, *out);
        if (component->kind == HL_HEAD && strcmp(component->name, name) == 0) return HL_OK;
    }
    return hl_fail(self->error, HL_USAGE,
                   "%s: %s: the model %s has no head %s; expected the labels of this model", self->path,
                   section, self->model->name, name);
}

/* What labels rest on: what the file says of itself, else its name. */
static const char *evidence(const label_file *self) {
    const char *source = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(self->root, "source"));
    const char *slash = strrchr(self->path, '/');
    return source && *source ? source : slash ? slash + 1 : self->path;
}

static hl_status add(const label_file *self, const char *head, const char *property, double weight) {
    const hl_label label = {.size = sizeof label,
                            .head = head,
                            .property = property,
                            .weight = weight,
                            .evidence = evidence(self)};
    return self->finding->label(self->finding, &label, self->error);
}

static hl_status add_labels(const label_file *self) {
    const cJSON *label;
    cJSON_ArrayForEach(label, self->heads) {
        uint32_t component;
        hl_status status = find_head(self, "heads", label->string, &component);
        if (status != HL_OK) return status;
        if (!cJSON_IsString(label) || !*label->valuestring) {
            return wrong(self, self->path, "heads", label->string, "the name of a property");
        }
        if (self->labelled[component]) {
            return wrong(self, self->path, "heads", label->string, "one label, but there is a second");
        }
        self->labelled[component] = true;
        const char *property = fold(self, label->valuestring);
        status = is_listed(self, property) ? HL_OK : add(self, label->string, property, 1);
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

/* A property's list, or its mapping from heads to weights. */
static hl_status add_list(const label_file *self, const cJSON *heads) {
    const char *property = fold(self, heads->string);
    bool weighted = cJSON_IsObject(heads);
    const cJSON *item;
    cJSON_ArrayForEach(item, heads) {
        uint32_t component;
        const char *head = weighted ? item->string : item->valuestring;
        double weight = weighted ? weight_of(item) : 1;
        if (isnan(weight)) return hl_no_memory(self->error, self->path);
        hl_status status = find_head(self, "properties", head, &component);
        if (status == HL_OK) status = add(self, head, property, weight);
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

static hl_status add_lists(const label_file *self) {
    const cJSON *heads;
    cJSON_ArrayForEach(heads, self->properties) {
        hl_status status = add_list(self, heads);
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

/* So that an experiment may ask for a property by any of its spellings. */
static hl_status add_aliases(const label_file *self) {
    const cJSON *spellings, *spelling;
    cJSON_ArrayForEach(spellings, self->aliases) {
        cJSON_ArrayForEach(spelling, spellings) {
            hl_status status =
                self->finding->alias(self->finding, spelling->valuestring, spellings->string, self->error);
            if (status != HL_OK) return status;
        }
    }
    return HL_OK;
}

static hl_status read_labels(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                             hl_error *error) {
    const hl_host *host = ask->host;
    label_file self = {.host = host,
                       .model = ask->model,
                       .path = values[PATH]->string,
                       .aliases_path = values[ALIASES]->given ? values[ALIASES]->string : NULL,
                       .labelled = host->allocate(host, ask->model->component_count, sizeof(bool)),
                       .finding = finding,
                       .error = error};
    hl_status status = self.labelled ? open_files(&self) : hl_no_memory(error, "labels");
    if (status == HL_OK) status = add_labels(&self);
    if (status == HL_OK) status = add_lists(&self);
    if (status == HL_OK) status = add_aliases(&self);
    host->release(host, self.labelled);
    cJSON_Delete(self.root);
    cJSON_Delete(self.aliases);
    return status;
}

static const hl_extractor_api api = {.size = sizeof api, .step = HL_STEP_LABELS, .run = read_labels};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "labels-file", "1.0.0", "properties of heads from a file of labels"),
    HL_OPTIONS(options),
    .api = &api,
};
