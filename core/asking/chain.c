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
    findings *found;            /* NULL: not run yet */
    char digest[CHECKSUM_ROOM]; /* of what it found, and of what that builds on */
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
static void recall(link *of, const char *key, const hl_ask *ask) {
    void *bytes = NULL;
    size_t count = 0;
    if (*key) ask->recall(ask, key, &bytes, &count);
    if (bytes) findings_unpack(of->step.plugin, ask->model, bytes, count, &of->found, NULL);
    free(bytes);
}

/* Its digest; and under the key, unless that is empty, it is kept for the next time, provided that no file of
 * which the key speaks has changed meanwhile. */
static hl_status keep(link *of, const char *before, const char *key, const hl_ask *ask, hl_error *error) {
    char now[CHAIN_KEY_ROOM] = "";
    uint8_t *bytes;
    size_t count;
    hl_status status = findings_pack(of->found, &bytes, &count, error);
    if (status == HL_OK && *key) status = chain_key_make(&of->step, &of->api, before, ask, now, error);
    if (status == HL_OK && *key && strcmp(now, key) == 0) ask->remember(ask, key, bytes, count);
    checksum *sum = status == HL_OK ? checksum_begin() : NULL;
    if (status == HL_OK && !sum) status = hl_no_memory(error, "what an extractor found");
    if (sum) {
        checksum_add(sum, before, strlen(before) + 1);
        checksum_add(sum, bytes, count);
        checksum_end(sum, of->digest);
    }
    free(bytes);
    return status;
}

/* What it does not say that it needs is not there to be asked for: it would not be ready, and what was kept
 * would not depend on it. */
static hl_status ask_step(chain *self, link *of, const hl_ask *ask, hl_error *error) {
    uint32_t needs = of->api.needs, withheld = 0;
    if (!(needs & HL_NEEDS_GALLERY)) withheld |= HL_NEEDS_GALLERY;
    if (of->light) withheld |= HL_NEEDS_WEIGHTS;
    cut_texts cut = {NULL, 0};
    self->running = of;
    asker_withhold(ask, withheld);
    asker_note_cut(ask, &cut);
    hl_status status = findings_ask(of->step.plugin, ask, options_values(of->step.values), &of->found, error);
    asker_note_cut(ask, NULL);
    asker_withhold(ask, 0);
    self->running = NULL;
    if (status == HL_OK) findings_take_cut(of->found, &cut);
    cut_texts_free(&cut);
    return status;
}

static hl_status run_step(chain *self, link *of, const hl_ask *ask, hl_error *error) {
    const chain_step *step = &of->step;
    const char *before = step->from == CHAIN_NONE ? "" : self->links[step->from].digest;
    char key[CHAIN_KEY_ROOM] = "";
    hl_status status = HL_OK;
    if (!of->light) status = chain_key_make(step, &of->api, before, ask, key, error);
    if (status == HL_OK) recall(of, key, ask);
    if (of->found) key[0] = '\0'; /* it is kept already */
    if (status == HL_OK && !of->found) status = ask_step(self, of, ask, error);
    if (status == HL_OK) status = keep(of, before, key, ask, error);
    if (status == HL_OK) asker_warn_cut(ask, findings_cut(of->found));
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

bool chain_is_done(const chain *self) {
    for (size_t i = 0; i < self->count; ++i) {
        if (self->links[i].wanted && !self->links[i].found) return false;
    }
    return true;
}

/* ---- answering ---- */

const findings *chain_at(const chain *self, size_t step) {
    return step < self->count ? self->links[step].found : NULL;
}

static bool is_called(const link *of, const char *name) {
    return of->step.name && strcmp(of->step.name, name) == 0;
}

/* By name; NULL stands for what the step that runs builds on, else for the one that answers for properties.
 * A step that runs sees what it builds on, near and far, and nothing else: its findings are kept by that. */
static const findings *find_step(const chain *self, const char *name) {
    size_t first = self->running ? self->running->step.from : self->properties;
    if (!name) return chain_at(self, first);
    if (self->running) {
        while (first != CHAIN_NONE && !is_called(&self->links[first], name))
            first = self->links[first].step.from;
        return chain_at(self, first);
    }
    for (size_t i = 0; i < self->count; ++i) {
        if (is_called(&self->links[i], name)) return self->links[i].found;
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
    if (!self->running) return chain_property(self, name, selection, error);
    const findings *from = find_step(self, NULL);
    if (from) return findings_property(from, name, selection, error);
    return hl_fail(error, HL_USAGE, "asks which heads carry \"%.200s\" and builds on no step of labels",
                   name);
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
