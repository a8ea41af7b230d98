/* See chain.h. */
#include "core/asking/chain.h"

#include "core/asking/chain_key.h"
#include "core/io/arena.h"
#include "core/io/watch.h"
#include "core/registry/registry.h"
#include <stdlib.h>
#include <string.h>

enum { KINDS = HL_STEP_VERDICTS + 1 };

/* The step that a question without a name is about: of those below, one that gives such findings, as few
 * links away as there is one. */
typedef struct nearest_step {
    size_t step, links; /* CHAIN_NONE: there is none */
} nearest_step;

typedef struct link {
    chain_step step;
    hl_extractor_api api;
    bool light; /* neither it nor what it builds on needs weights */
    bool wanted;
    bool *below; /* by step: whether it builds on it, near or far */
    nearest_step nearest[KINDS];
    findings *found;            /* NULL: not run yet */
    char digest[CHECKSUM_ROOM]; /* of what it found, and of what that builds on */
} link;

struct chain {
    arena memory;
    link *links;
    size_t count, properties;
    const link *running; /* NULL: none is */
};

/* ---- opening and closing ---- */

/* The first of `from` comes before others that are as near. */
static void look_through(chain *self, link *of, size_t from) {
    const link *other = &self->links[from];
    of->light = of->light && other->light;
    of->below[from] = true;
    for (size_t i = 0; i < from; ++i) of->below[i] = of->below[i] || other->below[i];
    for (uint32_t kind = 0; kind < KINDS; ++kind) {
        nearest_step there = other->nearest[kind];
        if (other->api.step == kind) there = (nearest_step){from, 0};
        if (there.step == CHAIN_NONE || there.links + 1 >= of->nearest[kind].links) continue;
        of->nearest[kind] = (nearest_step){there.step, there.links + 1};
    }
}

static hl_status add_link(chain *self, size_t number, const chain_step *step, hl_error *error) {
    link *of = &self->links[number];
    size_t *from = arena_array(&self->memory, step->from_count + 1, sizeof *from);
    of->below = arena_array(&self->memory, number + 1, sizeof *of->below);
    if (!from || !of->below) return hl_no_memory(error, "the chain of extractors");
    registry_table(step->plugin, &of->api, sizeof of->api);
    of->step = *step;
    of->step.from = from;
    of->light = !(of->api.needs & (HL_NEEDS_WEIGHTS | HL_NEEDS_GALLERY));
    for (uint32_t kind = 0; kind < KINDS; ++kind) of->nearest[kind] = (nearest_step){CHAIN_NONE, SIZE_MAX};
    for (size_t i = 0; i < step->from_count; ++i) {
        from[i] = step->from[i];
        look_through(self, of, from[i]);
    }
    return HL_OK;
}

hl_status chain_open(const chain_step *steps, size_t count, size_t properties, chain **out, hl_error *error) {
    chain *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "the chain of extractors");
    self->links = arena_array(&self->memory, count + 1, sizeof *self->links);
    self->properties = properties;
    hl_status status = self->links ? HL_OK : hl_no_memory(error, "the chain of extractors");
    for (; self->count < count && status == HL_OK; ++self->count) {
        status = add_link(self, self->count, &steps[self->count], error);
    }
    if (status == HL_OK) return HL_OK;
    chain_close(self);
    *out = NULL;
    return status;
}

void chain_close(chain *self) {
    if (!self) return;
    for (size_t i = 0; i < self->count; ++i) findings_close(self->links[i].found);
    arena_free(&self->memory);
    free(self);
}

bool chain_is_light(const chain *self, size_t step) {
    return self->links[step].light;
}

void chain_want(chain *self, size_t step) {
    link *of = &self->links[step];
    of->wanted = true;
    for (size_t i = 0; i < step; ++i) self->links[i].wanted = self->links[i].wanted || of->below[i];
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

static hl_status make_key(const link *of, const char *before, const hl_ask *ask, char out[CHAIN_KEY_ROOM],
                          hl_error *error) {
    const chain_key_subject subject = {.kind = "findings 5",
                                       .plugin = of->step.plugin,
                                       .values = of->step.values,
                                       .needs = of->api.needs,
                                       .before = before};
    return chain_key_make(&subject, ask, out, error);
}

/* Its digest; and under the key, unless that is empty, it is kept for the next time, provided that no file of
 * which the key speaks has changed meanwhile. */
static hl_status keep(link *of, const char *before, const char *key, const hl_ask *ask, hl_error *error) {
    char now[CHAIN_KEY_ROOM] = "";
    uint8_t *bytes;
    size_t count;
    hl_status status = findings_pack(of->found, &bytes, &count, error);
    if (status == HL_OK && *key) status = make_key(of, before, ask, now, error);
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
    cut_texts cut = {.count = 0};
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

static void add_name_and_digest(checksum *sum, const link *of) {
    const char *name = of->step.name ? of->step.name : "";
    checksum_add(sum, name, strlen(name) + 1);
    checksum_add(sum, of->digest, strlen(of->digest) + 1);
}

/* What it builds on, and by which names it may ask for it; empty: nothing. */
static hl_status sum_before(const chain *self, const link *of, char out[CHECKSUM_ROOM], hl_error *error) {
    out[0] = '\0';
    if (of->step.from_count == 0) return HL_OK;
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "what an extractor builds on");
    for (size_t i = 0; i < of->step.from_count; ++i) {
        add_name_and_digest(sum, &self->links[of->step.from[i]]);
    }
    checksum_end(sum, out);
    return HL_OK;
}

static hl_status run_step(chain *self, link *of, const hl_ask *ask, hl_error *error) {
    const chain_step *step = &of->step;
    char before[CHECKSUM_ROOM], key[CHAIN_KEY_ROOM] = "";
    size_t phase = watch_enter("extractor/%s", step->name ? step->name : step->plugin->name);
    hl_status status = sum_before(self, of, before, error);
    if (status == HL_OK && !of->light) status = make_key(of, before, ask, key, error);
    if (status == HL_OK) recall(of, key, ask);
    if (of->found) key[0] = '\0'; /* it is kept already */
    if (status == HL_OK && !of->found) status = ask_step(self, of, ask, error);
    if (status == HL_OK) status = keep(of, before, key, ask, error);
    if (status == HL_OK) asker_warn_cut(ask, findings_cut(of->found));
    watch_leave(phase);
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

hl_status chain_digest(const chain *self, char out[CHECKSUM_ROOM], hl_error *error) {
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "what extractors found");
    checksum_add(sum, &self->properties, sizeof self->properties);
    for (size_t i = 0; i < self->count; ++i) {
        if (self->links[i].found) add_name_and_digest(sum, &self->links[i]);
    }
    checksum_end(sum, out);
    return HL_OK;
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

/* A step that runs sees what it builds on, near and far, and nothing else: its findings are kept by that. */
static const findings *find_named(const chain *self, const char *name) {
    const link *running = self->running;
    size_t count = running ? (size_t)(running - self->links) : self->count;
    for (size_t i = 0; i < count; ++i) {
        bool seen = !running || running->below[i];
        if (seen && is_called(&self->links[i], name)) return self->links[i].found;
    }
    return NULL;
}

/* By name; NULL: whichever gives findings of this kind, as hl_ask says. */
static const findings *find_step(const chain *self, const char *name, uint32_t kind) {
    if (name) return find_named(self, name);
    if (self->running) return chain_at(self, self->running->nearest[kind].step);
    if (self->properties == CHAIN_NONE) return NULL;
    const link *answering = &self->links[self->properties];
    return answering->api.step == kind ? answering->found : chain_at(self, answering->nearest[kind].step);
}

static const hl_description *description(void *user, const char *step, size_t index) {
    const findings *found = find_step(user, step, HL_STEP_DESCRIPTIONS);
    return found ? findings_description(found, index) : NULL;
}

static const hl_label *label(void *user, const char *step, size_t index) {
    const findings *found = find_step(user, step, HL_STEP_LABELS);
    return found ? findings_label(found, index) : NULL;
}

static const hl_verdict *verdict(void *user, const char *step, size_t index) {
    const findings *found = find_step(user, step, HL_STEP_VERDICTS);
    return found ? findings_verdict(found, index) : NULL;
}

/* Only the last step of a chain, which `properties` alone names, has no name. */
static const char *source(void *user, size_t index) {
    const chain *self = user;
    const link *running = self->running;
    if (!running) return index < self->count ? self->links[index].step.name : NULL;
    return index < running->step.from_count ? self->links[running->step.from[index]].step.name : NULL;
}

static hl_status property(void *user, const char *name, const hl_selection **selection, hl_error *error) {
    const chain *self = user;
    if (!self->running) return chain_property(self, name, selection, error);
    const findings *from = find_step(self, NULL, HL_STEP_LABELS);
    if (from) return findings_property(from, name, selection, error);
    return hl_fail(error, HL_USAGE, "asks which heads carry \"%.200s\" and builds on no step of labels",
                   name);
}

asker_findings chain_findings(chain *self) {
    return (asker_findings){.user = self,
                            .description = description,
                            .label = label,
                            .verdict = verdict,
                            .source = source,
                            .property = property};
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
