/* lexicon: each head named by the property that explains most of what its descriptions do. What a description
 * speaks of says a table, or WordNet; it counts with its variance, shared out where it speaks of several. */
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "property-lexicon/property_lexicon.h"

/* In the order of the table. */
enum { THRESHOLD = LEXICON_OPTION_COUNT, DESCRIPTIONS, MOST };

static const hl_option options[] = {
    LEXICON_OPTIONS,
    [THRESHOLD] = {.name = "threshold",
                   .type = HL_REAL,
                   .fallback = "0.2",
                   .min = 0,
                   .max = 1,
                   .help =
                       "The least share of the variance, beyond what chance would give, that a property must "
                       "explain; where none does the head is mixed, and has no label."},
    [DESCRIPTIONS] = {.name = "descriptions",
                      .type = HL_INT,
                      .fallback = "8",
                      .min = 1,
                      .max = 10000,
                      .help = "How many of a head's descriptions count, from the first."},
    [MOST] = {.name = "most",
              .type = HL_INT,
              .fallback = "1",
              .min = 1,
              .max = 100,
              .help = "How many labels a head may have, of properties beyond the threshold."},
};

typedef struct property_votes {
    double variance; /* that it explains */
    size_t picks;
    char examples[160];
} property_votes;

typedef struct naming {
    const hl_ask *ask;
    lexicon *words;
    const hl_value *const *values;
    hl_finding *finding;
    property_votes *votes; /* by property */
    double *shares;        /* of one text */
    size_t picks;          /* of the head, that have a text */
    double variance;
} naming;

static void add_example(property_votes *to, const char *text) {
    size_t used = strlen(to->examples);
    bool fits = used + strlen(text) + 3 < sizeof to->examples;
    if (fits) snprintf(to->examples + used, sizeof to->examples - used, "%s%s", used ? ", " : "", text);
}

/* Variances that are all nothing, as of lists that have none, count alike. */
static double variance_of(const naming *self, const hl_description *of) {
    return self->variance > 0 ? of->variance / self->variance : 1.0 / (double)self->picks;
}

static bool counts(const naming *self, const hl_description *of, const char *head) {
    return of->text && of->rank <= (uint64_t)self->values[DESCRIPTIONS]->integer &&
           strcmp(of->head, head) == 0;
}

static void add_up(naming *self, const char *head) {
    const hl_description *of;
    self->picks = 0;
    self->variance = 0;
    for (size_t i = 0; (of = self->ask->description(self->ask, NULL, i)); ++i) {
        if (!counts(self, of, head)) continue;
        ++self->picks;
        if (of->variance > 0) self->variance += of->variance;
    }
}

static hl_status count_votes(naming *self, const char *head, hl_error *error) {
    const hl_description *of;
    size_t properties = lexicon_count(self->words);
    hl_status status = HL_OK;
    memset(self->votes, 0, properties * sizeof *self->votes);
    for (size_t i = 0; (of = self->ask->description(self->ask, NULL, i)) && status == HL_OK; ++i) {
        if (!counts(self, of, head)) continue;
        status = lexicon_read(self->words, of->text, self->shares, error);
        for (size_t p = 0; p < properties && status == HL_OK; ++p) {
            self->votes[p].variance +=
                self->shares[p] * (variance_of(self, of) > 0 ? variance_of(self, of) : 0);
            if (self->shares[p] < LEXICON_SPEAKS_OF) continue;
            ++self->votes[p].picks;
            add_example(&self->votes[p], of->text);
        }
    }
    return status;
}

/* How far a property explains more than it would of texts taken blindly from the table: in a pool half of
 * which speaks of colors, half of any list does. From 0 on. */
static double beyond_chance(const naming *self, size_t property) {
    double chance = lexicon_chance(self->words, property), share = self->votes[property].variance;
    double beyond = chance < 1 ? (share - chance) / (1 - chance) : share;
    return beyond > 0 ? beyond < 1 ? beyond : 1 : 0;
}

/* The best property that has no label yet; of equal ones the first. */
static size_t find_best(const naming *self, const bool *named) {
    size_t best = SIZE_MAX;
    for (size_t p = 0; p < lexicon_count(self->words); ++p) {
        bool better = best == SIZE_MAX || beyond_chance(self, p) > beyond_chance(self, best);
        if (!named[p] && self->votes[p].variance > 0 && better) best = p;
    }
    return best;
}

static hl_status add_label(const naming *self, const char *head, size_t property, hl_error *error) {
    const property_votes *of = &self->votes[property];
    char evidence[320];
    snprintf(evidence, sizeof evidence, "%zu of %zu descriptions, %.0f%% of their variance: %s", of->picks,
             self->picks, 100 * of->variance, of->examples);
    const hl_label label = {.size = sizeof label,
                            .head = head,
                            .property = lexicon_property(self->words, property),
                            .weight = beyond_chance(self, property),
                            .evidence = evidence};
    return self->finding->label(self->finding, &label, error);
}

static hl_status abstain(const naming *self, const char *head, size_t best, hl_error *error) {
    char why[256];
    hl_item *item = self->finding->about(self->finding, head);
    if (!item) return hl_fail(error, HL_FAILED, "%s: cannot be written about", head);
    if (best == SIZE_MAX) {
        snprintf(why, sizeof why, "nothing is known of its descriptions");
    } else {
        snprintf(why, sizeof why, "at most %.0f%% of the variance beyond chance, by %s",
                 100 * beyond_chance(self, best), lexicon_property(self->words, best));
    }
    self->finding->result->text(item, "mixed", why);
    return HL_OK;
}

static hl_status name_head(naming *self, const char *head, bool *named, hl_error *error) {
    add_up(self, head);
    memset(named, 0, lexicon_count(self->words) * sizeof *named);
    hl_status status = count_votes(self, head, error);
    double threshold = self->values[THRESHOLD]->real;
    for (int64_t i = 0; i < self->values[MOST]->integer && status == HL_OK; ++i) {
        size_t best = find_best(self, named);
        bool strong = best != SIZE_MAX && beyond_chance(self, best) >= threshold;
        if (!strong) return i == 0 ? abstain(self, head, best, error) : HL_OK;
        named[best] = true;
        status = add_label(self, head, best, error);
    }
    return status;
}

static hl_status name_heads(naming *self, hl_error *error) {
    const hl_description *of;
    size_t properties = lexicon_count(self->words);
    bool *named = calloc(properties + 1, sizeof *named);
    self->votes = calloc(properties + 1, sizeof *self->votes);
    self->shares = calloc(properties + 1, sizeof *self->shares);
    hl_status status = named && self->votes && self->shares ? HL_OK : hl_no_memory(error, "labels");
    for (size_t i = 0; status == HL_OK && (of = self->ask->description(self->ask, NULL, i)); ++i) {
        status = hl_check_cancelled(self->ask->host, error);
        if (status == HL_OK && of->rank == 1) status = name_head(self, of->head, named, error);
    }
    free(named);
    free(self->votes);
    free(self->shares);
    return status;
}

static hl_status label_by_lexicon(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                                  hl_error *error) {
    const lexicon_files files = lexicon_named_files(values);
    naming self = {.ask = ask, .values = values, .finding = finding};
    hl_status status = lexicon_open(ask->host, &files, &self.words, error);
    if (status == HL_OK) status = name_heads(&self, error);
    lexicon_close(self.words);
    return status;
}

static const hl_extractor_api api = {
    .size = sizeof api, .step = HL_STEP_LABELS, .from = HL_STEP_DESCRIPTIONS, .run = label_by_lexicon};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "lexicon", "1.0.0",
              "heads named by what their descriptions speak of, after WordNet"),
    HL_OPTIONS(options),
    .api = &api,
};
