/* lexicon-judge: whether each description of a head speaks of the property by which the head is labelled,
 * and, as a null, of that by which another head is. */
#include "chance/chance.h"
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "property-lexicon/property_lexicon.h"
#include "property-words/property-words.h"

/* In the order of the table. */
enum { NULL_TOO = LEXICON_OPTION_COUNT, SEED };

static const hl_option options[] = {
    LEXICON_OPTIONS,
    [NULL_TOO] = {.name = "null",
                  .type = HL_BOOL,
                  .fallback = "true",
                  .help =
                      "Whether each description is also held against another head's label, \"consistent with "
                      "another\"."},
    [SEED] = {.name = "seed",
              .type = HL_INT,
              .fallback = "0",
              .min = 0,
              .max = 1 << 30,
              .help = "Which other head it is."},
};

/* What a label means: a property of the lexicon, else senses of WordNet's. */
typedef struct meaning {
    size_t property; /* SIZE_MAX: none of the lexicon's */
    wordnet_senses senses;
} meaning;

typedef struct judging {
    const hl_ask *ask;
    lexicon *words;
    hl_finding *finding;
    const hl_label **labels; /* the heaviest of each head */
    size_t count;
    meaning *meanings; /* by label */
    double *shares;    /* of one text */
} judging;

/* ---- labels ---- */

static hl_status is_label(const hl_label *of, bool *out, hl_error *error) {
    char *key = property_key(of->property);
    if (!key) return hl_no_memory(error, "a label");
    *out = of->weight > 0 && !property_key_is_none(key);
    free(key);
    return HL_OK;
}

static void keep_heaviest(judging *self, const hl_label *of) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->labels[i]->head, of->head) != 0) continue;
        if (of->weight > self->labels[i]->weight) self->labels[i] = of;
        return;
    }
    self->labels[self->count++] = of;
}

static hl_status take_labels(judging *self, hl_error *error) {
    size_t most = 0;
    const hl_label *of;
    bool says = false;
    while (self->ask->label(self->ask, NULL, most)) ++most;
    self->labels = calloc(most + 1, sizeof(const hl_label *));
    self->meanings = calloc(most + 1, sizeof *self->meanings);
    self->shares = calloc(lexicon_count(self->words) + 1, sizeof *self->shares);
    if (!self->labels || !self->meanings || !self->shares) return hl_no_memory(error, "labels");
    for (size_t i = 0; (of = self->ask->label(self->ask, NULL, i)); ++i) {
        hl_status status = is_label(of, &says, error);
        if (status != HL_OK) return status;
        if (says) keep_heaviest(self, of);
    }
    return HL_OK;
}

static hl_status note(const judging *self, const char *head, const char *what, hl_error *error) {
    hl_item *item = self->finding->about(self->finding, head);
    if (!item) return hl_fail(error, HL_FAILED, "%s: cannot be written about", head);
    self->finding->result->text(item, "judged", what);
    return HL_OK;
}

static hl_status understand(judging *self, size_t index, hl_error *error) {
    const hl_label *of = self->labels[index];
    meaning *to = &self->meanings[index];
    hl_status status = lexicon_find(self->words, of->property, &to->property, error);
    if (status != HL_OK || to->property != SIZE_MAX) return status;
    status = lexicon_meaning(self->words, of->property, &to->senses, error);
    if (status != HL_OK || to->senses.count > 0) return status;
    return note(self, of->head, "its label is no word that WordNet knows: nothing is consistent with it",
                error);
}

/* ---- verdicts ---- */

static hl_status is_consistent(judging *self, const char *text, const meaning *with, bool *out,
                               hl_error *error) {
    *out = false;
    if (!text) return HL_OK;
    if (with->property == SIZE_MAX && with->senses.count == 0) return HL_OK;
    if (with->property == SIZE_MAX) return lexicon_is_under(self->words, text, &with->senses, out, error);
    hl_status status = lexicon_read(self->words, text, self->shares, error);
    *out = status == HL_OK && self->shares[with->property] >= LEXICON_SPEAKS_OF;
    return status;
}

static hl_status judge(judging *self, const hl_description *of, const char *score, const meaning *with,
                       hl_error *error) {
    bool consistent;
    hl_status status = is_consistent(self, of->text, with, &consistent, error);
    const hl_verdict verdict = {.size = sizeof verdict,
                                .score = score,
                                .layer = -1,
                                .value = consistent,
                                .low = 1,
                                .head = of->head,
                                .rank = of->rank};
    return status == HL_OK ? self->finding->judge(self->finding, &verdict, error) : status;
}

/* `other`: the label of another head; NULL: there is none, or it is not asked for. */
static hl_status judge_head(judging *self, size_t index, const meaning *other, hl_error *error) {
    const char *head = self->labels[index]->head;
    const hl_description *of;
    hl_status status = hl_check_cancelled(self->ask->host, error);
    size_t judged = 0;
    for (size_t i = 0; status == HL_OK && (of = self->ask->description(self->ask, NULL, i)); ++i) {
        if (strcmp(of->head, head) != 0) continue;
        ++judged;
        status = judge(self, of, "consistent", &self->meanings[index], error);
        if (status == HL_OK && other) status = judge(self, of, "consistent with another", other, error);
    }
    return judged > 0 || status != HL_OK ? status : note(self, head, "it has no descriptions", error);
}

static hl_status judge_heads(judging *self, bool others, uint64_t seed, hl_error *error) {
    size_t *order = calloc(self->count + 1, sizeof *order);
    hl_status status = order ? HL_OK : hl_no_memory(error, "labels");
    chance by = chance_begin(seed);
    if (status == HL_OK) chance_exchange(&by, order, self->count);
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) status = understand(self, i, error);
    for (size_t i = 0; i < self->count && status == HL_OK; ++i) {
        bool another = others && order[i] != i;
        status = judge_head(self, i, another ? &self->meanings[order[i]] : NULL, error);
    }
    free(order);
    return status;
}

static hl_status judge_by_lexicon(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                                  hl_error *error) {
    const lexicon_files files = lexicon_named_files(values);
    judging self = {.ask = ask, .finding = finding};
    if (ask->label(ask, NULL, 0) && !ask->description(ask, NULL, 0)) {
        return hl_fail(
            error, HL_USAGE,
            "there is nothing to judge: expected labels that were made from descriptions of heads; let "
            "`from` name a labeller that builds on textspan, components or weights");
    }
    hl_status status = lexicon_open(ask->host, &files, &self.words, error);
    if (status == HL_OK) status = take_labels(&self, error);
    if (status == HL_OK)
        status = judge_heads(&self, values[NULL_TOO]->boolean, (uint64_t)values[SEED]->integer, error);
    lexicon_close(self.words);
    free(self.labels);
    free(self.meanings);
    free(self.shares);
    return status;
}

static const hl_extractor_api api = {
    .size = sizeof api, .step = HL_STEP_VERDICTS, .from = HL_STEP_LABELS, .run = judge_by_lexicon};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "lexicon-judge", "1.0.0",
              "whether descriptions speak of what their head is labelled"),
    HL_OPTIONS(options),
    .api = &api,
};
