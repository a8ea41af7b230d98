/* See labels.h. */
#include "labels.h"

#include "property-words/property-words.h"
#include <unicase.h>

enum { LONGEST_LABEL = 64, LONGEST_REASON = 1000 };

/* ---- heads ---- */

hl_status labels_add(labels *self, const char *head, hl_error *error) {
    for (size_t i = self->count; i-- > 0;) {
        if (strcmp(self->all[i].head, head) == 0) return HL_OK;
    }
    labelled_head *longer = reallocarray(self->all, self->count + 1, sizeof *longer);
    if (!longer) return hl_no_memory(error, "labels");
    self->all = longer;
    longer[self->count] = (labelled_head){.head = strdup(head)};
    return longer[self->count++].head ? HL_OK : hl_no_memory(error, "labels");
}

static void forget(labelled_head *of) {
    free(of->said);
    free(of->reason);
    of->said = of->reason = NULL;
}

void labels_free(labels *self) {
    for (size_t i = 0; i < self->count; ++i) {
        forget(&self->all[i]);
        free(self->all[i].head);
    }
    free(self->all);
    *self = (labels){NULL, 0};
}

/* ---- an answer ---- */

static const char *text_of(const cJSON *map, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(map, key));
}

static labelled_head *find(const labels_asked *asked, const char *head) {
    for (size_t i = 0; i < asked->count; ++i) {
        labelled_head *one = &asked->of->all[asked->first + i];
        if (strcmp(one->head, head) == 0) return one;
    }
    return NULL;
}

/* One line of a few words. */
static bool is_label(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > LONGEST_LABEL || !text[strspn(text, " .")]) return false;
    for (; *text; ++text) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) return false;
    }
    return true;
}

static char *copy_reason(const char *reason) {
    char room[LONGEST_REASON];
    hl_fit(room, sizeof room, reason, strlen(reason));
    return strdup(room);
}

static hl_status take_label(const labels_asked *asked, const cJSON *entry, hl_error *error) {
    const char *head = text_of(entry, "head"), *label = text_of(entry, "label"),
               *reason = text_of(entry, "reason");
    labelled_head *of = head ? find(asked, head) : NULL;
    char line[80];
    if (!head) return hl_fail(error, HL_USAGE, "has an entry without a head");
    chat_line(head, line, sizeof line);
    if (!of) return hl_fail(error, HL_USAGE, "labels %s, which was not asked about", line);
    if (of->said) return hl_fail(error, HL_USAGE, "labels %s twice", line);
    if (!label || !is_label(label)) {
        return hl_fail(error, HL_USAGE, "has no label of one or two words for %s", line);
    }
    of->said = strdup(label);
    of->reason = reason && *reason ? copy_reason(reason) : NULL;
    bool kept = of->said && (of->reason || !reason || !*reason);
    return kept ? HL_OK : hl_no_memory(error, "labels");
}

hl_status labels_take(void *user, const cJSON *answer, hl_error *error) {
    const labels_asked *asked = user;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "labels"), *entry;
    for (size_t i = 0; i < asked->count; ++i) forget(&asked->of->all[asked->first + i]);
    if (!cJSON_IsArray(list)) return hl_fail(error, HL_USAGE, "has no list \"labels\"");
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count != asked->count) {
        return hl_fail(error, HL_USAGE, "has %zu labels, and %zu heads were asked about", count,
                       asked->count);
    }
    hl_status status = HL_OK;
    cJSON_ArrayForEach(entry, list) {
        if (status == HL_OK) status = take_label(asked, entry, error);
    }
    return status;
}

/* ---- as findings ---- */

/* What is said, in lower case, without blanks and periods around it; free() it. */
static char *tidy(const char *said) {
    size_t count = 0;
    uint8_t *lower = u8_tolower((const uint8_t *)said, strlen(said), NULL, NULL, NULL, &count);
    if (!lower) return NULL;
    size_t first = 0;
    while (first < count && strchr(" .", lower[first])) ++first;
    while (count > first && strchr(" .", lower[count - 1])) --count;
    char *out = strndup((const char *)lower + first, count - first);
    free(lower);
    return out;
}

typedef struct property_name {
    char *key, *name;
} property_name;

static hl_status name_of(const char *said, property_name *out, hl_error *error) {
    *out = (property_name){property_key(said), tidy(said)};
    return out->key && out->name ? HL_OK : hl_no_memory(error, "labels");
}

static hl_status hand_over_one(const labelled_head *of, const property_name *names, size_t index,
                               hl_finding *finding, hl_error *error) {
    size_t first = 0;
    while (strcmp(names[first].key, names[index].key) != 0) ++first;
    const char *property = names[first].name;
    if (property_key_is_none(names[index].key)) return HL_OK;
    char *evidence;
    if (asprintf(&evidence, "\"%s\"%s%s", of->said, of->reason ? ": " : "", of->reason ? of->reason : "") <
        0) {
        return hl_no_memory(error, "labels");
    }
    const hl_label label = {
        .size = sizeof label, .head = of->head, .property = property, .weight = 1, .evidence = evidence};
    hl_status status = finding->label(finding, &label, error);
    free(evidence);
    bool differs = strcmp(of->said, property) != 0;
    return status == HL_OK && differs ? finding->alias(finding, of->said, property, error) : status;
}

hl_status labels_hand_over(const labels *self, hl_finding *finding, hl_error *error) {
    property_name *names = calloc(self->count + 1, sizeof *names);
    hl_status status = names ? HL_OK : hl_no_memory(error, "labels");
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        status = name_of(self->all[i].said, &names[i], error);
        if (status == HL_OK) status = hand_over_one(&self->all[i], names, i, finding, error);
    }
    for (size_t i = 0; names && i < self->count; ++i) {
        free(names[i].key);
        free(names[i].name);
    }
    free(names);
    return status;
}
