/* See pairs.h. */
#include "pairs.h"

#include "chance/chance.h"
#include "property-words/property-words.h"

/* ---- which ---- */

/* The heads that have a label, each with that of the greatest weight. */
typedef struct labelled {
    const hl_label **all;
    size_t count;
} labelled;

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "what is judged");
}

static hl_status add_label(labelled *self, const hl_label *label, hl_error *error) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->all[i]->head, label->head) != 0) continue;
        if (label->weight > self->all[i]->weight) self->all[i] = label;
        return HL_OK;
    }
    const hl_label **longer = reallocarray(self->all, self->count + 1, sizeof *longer);
    if (!longer) return no_memory(error);
    self->all = longer;
    longer[self->count++] = label;
    return HL_OK;
}

/* Whether the head carries what it says, and it is no word for nothing in common. */
static hl_status counts_as_label(const hl_label *label, bool *out, hl_error *error) {
    char *key = property_key(label->property);
    if (!key) return no_memory(error);
    *out = label->weight > 0 && !property_key_is_none(key);
    free(key);
    return HL_OK;
}

static hl_status find_labelled(const hl_ask *ask, labelled *out, hl_error *error) {
    const hl_label *label;
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && (label = ask->label(ask, NULL, i)); ++i) {
        bool counts = false;
        status = counts_as_label(label, &counts, error);
        if (status == HL_OK && counts) status = add_label(out, label, error);
    }
    return status;
}

static hl_status add_pair(pairs *self, const pair *one, hl_error *error) {
    pair *longer = reallocarray(self->all, self->count + 1, sizeof *longer);
    if (!longer) return no_memory(error);
    self->all = longer;
    longer[self->count++] = *one;
    return HL_OK;
}

/* The descriptions of a head, each with a label. */
static hl_status add_head(const hl_ask *ask, const pairs_settings *settings, const pair *like, pairs *out,
                          hl_error *error) {
    const hl_description *description;
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && (description = ask->description(ask, NULL, i)); ++i) {
        bool judged = description->text && *description->text &&
                      description->rank <= settings->descriptions &&
                      strcmp(description->head, like->head) == 0;
        pair one = *like;
        one.text = description->text;
        one.rank = description->rank;
        if (judged) status = add_pair(out, &one, error);
    }
    return status;
}

/* Each labelled head with the label of the one that `order` says. */
static hl_status add_heads(const hl_ask *ask, const pairs_settings *settings, const labelled *from,
                           const size_t *order, bool is_null, pairs *out, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < from->count && status == HL_OK; ++i) {
        const pair like = {.head = from->all[i]->head,
                           .label = from->all[order[i]]->property,
                           .is_null = is_null,
                           .verdict = -1};
        status = add_head(ask, settings, &like, out, error);
    }
    return status;
}

hl_status pairs_collect(const hl_ask *ask, const pairs_settings *settings, pairs *out, hl_error *error) {
    *out = (pairs){NULL, 0};
    if (!ask->description(ask, NULL, 0)) {
        return hl_fail(
            error, HL_USAGE,
            "the labels were made from no descriptions that could be judged: build on a step of labels "
            "that builds on descriptions");
    }
    labelled heads = {NULL, 0};
    hl_status status = find_labelled(ask, &heads, error);
    size_t *order = status == HL_OK ? calloc(heads.count + 1, sizeof *order) : NULL;
    if (status == HL_OK && !order) status = no_memory(error);
    for (size_t i = 0; order && i < heads.count; ++i) order[i] = i;
    if (status == HL_OK) status = add_heads(ask, settings, &heads, order, false, out, error);
    if (status == HL_OK && settings->null_too && heads.count > 1) {
        chance other = chance_begin(settings->seed);
        chance_exchange(&other, order, heads.count);
        status = add_heads(ask, settings, &heads, order, true, out, error);
    }
    free(order);
    free(heads.all);
    return status;
}

void pairs_free(pairs *self) {
    free(self->all);
    *self = (pairs){NULL, 0};
}

/* ---- an answer ---- */

static hl_status take_verdict(const pairs_asked *asked, const cJSON *entry, hl_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, "item");
    const cJSON *consistent = cJSON_GetObjectItemCaseSensitive(entry, "consistent");
    double number = cJSON_IsNumber(item) ? item->valuedouble : 0;
    if (!(number >= 1 && number <= (double)asked->count) || number != (double)(size_t)number) {
        return hl_fail(error, HL_USAGE, "has a verdict on an item that was not asked about");
    }
    pair *of = &asked->of->all[asked->first + (size_t)number - 1];
    if (of->verdict >= 0) return hl_fail(error, HL_USAGE, "judges item %.0f twice", number);
    if (!cJSON_IsBool(consistent)) {
        return hl_fail(error, HL_USAGE, "does not say whether item %.0f is consistent, true or false",
                       number);
    }
    of->verdict = cJSON_IsTrue(consistent);
    return HL_OK;
}

hl_status pairs_take(void *user, const cJSON *answer, hl_error *error) {
    const pairs_asked *asked = user;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "verdicts"), *entry;
    for (size_t i = 0; i < asked->count; ++i) asked->of->all[asked->first + i].verdict = -1;
    if (!cJSON_IsArray(list)) return hl_fail(error, HL_USAGE, "has no list \"verdicts\"");
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count != asked->count) {
        return hl_fail(error, HL_USAGE, "has %zu verdicts, and %zu items were asked about", count,
                       asked->count);
    }
    hl_status status = HL_OK;
    cJSON_ArrayForEach(entry, list) {
        if (status == HL_OK) status = take_verdict(asked, entry, error);
    }
    return status;
}

/* ---- as findings ---- */

hl_status pairs_hand_over(const pairs *self, hl_finding *finding, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        const pair *one = &self->all[i];
        const hl_verdict verdict = {.size = sizeof verdict,
                                    .score = one->is_null ? "consistent with another" : "consistent",
                                    .layer = -1,
                                    .value = one->verdict,
                                    .low = 1, /* above `high`: it has no interval */
                                    .head = one->head,
                                    .rank = one->rank};
        status = finding->judge(finding, &verdict, error);
    }
    return status;
}
