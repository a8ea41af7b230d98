/* See chain.h. */
#include "core/asking/chain.h"

#include "core/asking/chain_key.h"
#include "core/registry/registry.h"
#include <stdlib.h>
#include <string.h>

typedef struct link {
    chain_step step;
    hl_extractor_api api;
    bool light; /* neither it nor what it builds on needs weights */
    bool wanted;
    findings *found;         /* NULL: not run yet */
    char key[CHECKSUM_ROOM]; /* see chain_key.h; empty: it has none */
} link;

struct chain {
    link *links;
    size_t count, properties;
    const link *running; /* NULL: none is */
};

/* ---- opening and closing ---- */

hl_status chain_open(const chain_step *steps, size_t count, size_t properties, chain **out, hl_error *error) {
    chain *self = *out = calloc(1, sizeof *self);
    link *links = calloc(count + 1, sizeof *links);
    if (!self || !links) {
        free(self);
        free(links);
        *out = NULL;
        return hl_no_memory(error, "the chain of extractors");
    }
    *self = (chain){.links = links, .count = count, .properties = properties};
    for (size_t i = 0; i < count; ++i) {
        links[i].step = steps[i];
        registry_table(steps[i].plugin, &links[i].api, sizeof links[i].api);
        bool after_light = steps[i].from == CHAIN_NONE || links[steps[i].from].light;
        links[i].light = after_light && !(links[i].api.needs & (HL_NEEDS_WEIGHTS | HL_NEEDS_GALLERY));
    }
    return HL_OK;
}

void chain_close(chain *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; ++i) findings_close(self->links[i].found);
    free(self->links);
    free(self);
}

bool chain_is_light(const chain *self, size_t step) {
    return self->links[step].light;
}

void chain_want(chain *self, size_t step) {
    for (; step != CHAIN_NONE; step = self->links[step].step.from) self->links[step].wanted = true;
}

/* ---- running ---- */

/* What the step found when all that it depends on was the same. */
static void recall(link *of, const hl_ask *ask) {
    char key[CHAIN_KEY_ROOM];
    void *bytes = NULL;
    size_t count = 0;
    tree *saved = NULL;
    chain_key_text(of->key, key);
    if (of->key[0]) ask->recall(ask, key, &bytes, &count);
    if (bytes && tree_read_json(key, bytes, count, NULL, &saved, NULL) == HL_OK &&
        findings_restore(of->step.plugin, ask->model, tree_node(saved), &of->found, NULL) != HL_OK) {
        of->found = NULL;
    }
    tree_close(saved);
    free(bytes);
}

static void remember(const link *of, const hl_ask *ask) {
    char key[CHAIN_KEY_ROOM], *json = NULL;
    tree *saved = NULL;
    if (!of->key[0] || tree_open(&saved, NULL) != HL_OK) return;
    chain_key_text(of->key, key);
    findings_save(of->found, tree_root(saved));
    if (tree_check(saved, NULL) == HL_OK && tree_print_json(tree_node(saved), false, &json, NULL) == HL_OK) {
        ask->remember(ask, key, json, strlen(json));
    }
    free(json);
    tree_close(saved);
}

static hl_status run_step(chain *self, link *of, const hl_ask *ask, hl_error *error) {
    const chain_step *step = &of->step;
    const char *before = step->from == CHAIN_NONE ? "" : self->links[step->from].key;
    bool based = step->from == CHAIN_NONE || *before || self->links[step->from].light;
    hl_status status = HL_OK;
    if (!of->light && based) status = chain_key_make(step, &of->api, before, ask, of->key, error);
    if (status == HL_OK) recall(of, ask);
    if (status != HL_OK || of->found) return status;
    self->running = of;
    status = findings_ask(step->plugin, ask, options_values(step->values), &of->found, error);
    self->running = NULL;
    if (status == HL_OK) remember(of, ask);
    if (status == HL_OK || !error || !step->name) return status;
    hl_error why = *error;
    return hl_fail(error, status, "step \"%s\": %s", step->name, why.message);
}

static hl_status run_all(chain *self, const hl_ask *ask, bool light_only, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        link *of = &self->links[i];
        bool now = of->wanted && !of->found && (of->light || !light_only);
        if (now) status = run_step(self, of, ask, error);
    }
    return status;
}

hl_status chain_run_light(chain *self, const hl_ask *ask, hl_error *error) {
    return run_all(self, ask, true, error);
}

hl_status chain_run(chain *self, const hl_ask *ask, hl_error *error) {
    return run_all(self, ask, false, error);
}

/* ---- answering ---- */

const findings *chain_at(const chain *self, size_t step) {
    return step < self->count ? self->links[step].found : NULL;
}

/* By name; NULL stands for what the step that runs builds on, else for the one that answers for properties.
 */
static const findings *find_step(const chain *self, const char *name) {
    if (!name) return chain_at(self, self->running ? self->running->step.from : self->properties);
    for (size_t i = 0; i < self->count; ++i) {
        const char *called = self->links[i].step.name;
        if (called && strcmp(called, name) == 0) return self->links[i].found;
    }
    return NULL;
}

static const hl_description *description(void *user, const char *step, size_t index) {
    const findings *found = find_step(user, step);
    return found ? findings_description(found, index) : NULL;
}

static const hl_label *label(void *user, const char *step, size_t index) {
    const findings *found = find_step(user, step);
    return found ? findings_label(found, index) : NULL;
}

static hl_status property(void *user, const char *name, const hl_selection **selection, hl_error *error) {
    const chain *self = user;
    const findings *from = self->running ? find_step(self, NULL) : NULL;
    return from ? findings_property(from, name, selection, error)
                : chain_property(self, name, selection, error);
}

asker_findings chain_findings(chain *self) {
    return (asker_findings){.user = self, .description = description, .label = label, .property = property};
}

hl_status chain_property(const chain *self, const char *name, const hl_selection **out, hl_error *error) {
    const findings *found = chain_at(self, self->properties);
    *out = NULL;
    if (found) return findings_property(found, name, out, error);
    return hl_fail(error, HL_USAGE,
                   "the experiment does not say which heads carry \"%s\": add properties: {extractor: "
                   "labels-file, path: FILE}",
                   name);
}
