/* entanglement: how far the heads of a layer share their properties, from one or several labellings of them,
 * in two forms that must not be mixed up:
 *
 *     entanglement            the mean over layers of the share of a layer's heads whose property another
 * head of the layer has too (Madasu et al. 2024) pairwise entanglement   the mean over layers of the share of
 * a layer's pairs of heads that have one property
 *
 * Both with what they are when the labels are shuffled over the heads, and with an interval over the
 * labellings; and how far these agree (kappa). Lower is better. */
#include "headlight/plugin.h"
#include "scores.h"

#include <math.h>

enum { HEADS, LAYERS, PERMUTATIONS, RESAMPLES, SEED };

static const hl_option options[] = {
    HEADS_OPTIONS,
    [PERMUTATIONS] = {.name = "permutations",
                      .type = HL_INT,
                      .fallback = "1000",
                      .min = 0,
                      .max = 100000,
                      .help = "How often labels are shuffled over the heads; 0: never."},
    [RESAMPLES] = {.name = "resamples",
                   .type = HL_INT,
                   .fallback = "1000",
                   .min = 0,
                   .max = 100000,
                   .help =
                       "How often labellings, and for kappa heads, are drawn anew for intervals; 0: never."},
    [SEED] = {.name = "seed",
              .type = HL_INT,
              .fallback = "0",
              .min = 0,
              .max = 1e9,
              .help = "What shuffling and drawing begin with."},
};

static const struct {
    const char *score, *shuffled, *as_low, *form, *chart, *axis;
} words[FORMS] = {
    [BY_HEADS] = {"entanglement", "entanglement, labels shuffled", "entanglement, share of shuffles as low",
                  "mean over layers",
                  "Entanglement, mean-over-layers form: heads whose property another head of the layer has",
                  "share of the layer's heads"},
    [BY_PAIRS] = {"pairwise entanglement", "pairwise entanglement, labels shuffled",
                  "pairwise entanglement, share of shuffles as low", "pairwise",
                  "Entanglement, pairwise form: pairs of heads of the layer that have one property",
                  "share of the layer's pairs"},
};

typedef struct scoring {
    const hl_ask *ask;
    labellings of;
    score_settings settings;
    size_t places; /* layers, and the model */
    entangled *entangled[FORMS];
    agreements agreements;
    hl_finding *finding;
} scoring;

/* ---- verdicts ---- */

static int32_t layer_at(const scoring *self, size_t place) {
    return place < self->of.heads.layer_count ? self->of.heads.layers[place] : -1;
}

static hl_status judge(const scoring *self, const char *score, size_t place, interval value,
                       hl_error *error) {
    const hl_verdict verdict = {.size = sizeof verdict,
                                .score = score,
                                .layer = layer_at(self, place),
                                .value = value.value,
                                .low = value.low,
                                .high = value.high};
    return isnan(value.value) ? HL_OK : self->finding->judge(self->finding, &verdict, error);
}

/* Of the heads of a place, how many the labellings name, on the average. */
static interval named(const scoring *self, size_t place) {
    const head_list *heads = &self->of.heads;
    bool all = place == heads->layer_count;
    size_t count = all ? heads->count : heads->first[place + 1] - heads->first[place], sum = 0;
    for (size_t run = 0; run < self->of.count; ++run) sum += labellings_named(&self->of, run, place);
    return (interval){(double)sum / (double)(count * self->of.count), 1, 0};
}

static hl_status judge_form(const scoring *self, entanglement_form which, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->places && status == HL_OK; ++i) {
        status = judge(self, words[which].score, i, self->entangled[which][i].given, error);
    }
    for (size_t i = 0; i < self->places && status == HL_OK && self->settings.permutations > 0; ++i) {
        const entangled *of = &self->entangled[which][i];
        status = judge(self, words[which].shuffled, i, of->shuffled, error);
        if (status == HL_OK)
            status = judge(self, words[which].as_low, i, (interval){of->as_low, 1, 0}, error);
    }
    return status;
}

static hl_status judge_all(const scoring *self, hl_error *error) {
    hl_status status = judge_form(self, BY_HEADS, error);
    if (status == HL_OK) status = judge_form(self, BY_PAIRS, error);
    for (size_t i = 0; i < self->places && status == HL_OK; ++i) {
        status = judge(self, "share of heads that are labelled", i, named(self, i), error);
    }
    size_t model = self->places - 1;
    if (status == HL_OK) status = judge(self, "kappa", model, self->agreements.mean, error);
    return status == HL_OK ? judge(self, "kappa (Fleiss)", model, self->agreements.all, error) : status;
}

/* ---- tables and figures ---- */

static void add_interval(const hl_result *to, hl_item *item, const char *const keys[3], interval of) {
    to->number(item, keys[0], of.value);
    if (of.low > of.high) return;
    to->number(item, keys[1], of.low);
    to->number(item, keys[2], of.high);
}

static const char *place_name(const scoring *self, size_t place, char room[32]) {
    hl_format(room, 32, "L%d", layer_at(self, place));
    return place < self->of.heads.layer_count ? room : "all";
}

/* Rows and points have the same keys: all have an interval over labellings, or none has. */
static bool have_intervals(const scoring *self, entanglement_form which) {
    bool all = true;
    for (size_t i = 0; i < self->places; ++i) {
        all = all && self->entangled[which][i].given.low <= self->entangled[which][i].given.high;
    }
    return all;
}

static interval given_at(const scoring *self, entanglement_form which, size_t place) {
    interval given = self->entangled[which][place].given;
    if (!have_intervals(self, which)) given.low = given.high + 1;
    return given;
}

static void add_row(const scoring *self, entanglement_form which, size_t place, hl_item *rows) {
    static const char *const given[] = {"value", "low", "high"};
    static const char *const shuffled[] = {"shuffled", "shuffled_low", "shuffled_high"};
    const hl_result *to = self->finding->result;
    const entangled *of = &self->entangled[which][place];
    char room[32];
    hl_item *row = to->map(rows, NULL);
    to->text(row, "form", words[which].form);
    to->text(row, "layer", place_name(self, place, room));
    add_interval(to, row, given, given_at(self, which, place));
    if (self->settings.permutations > 0) {
        add_interval(to, row, shuffled, of->shuffled);
        to->number(row, "shuffles_as_low", of->as_low);
    }
    to->number(row, "labelled", named(self, place).value);
}

static void show_table(const scoring *self) {
    hl_result *to = self->finding->result;
    hl_item *table = to->item(to, HL_SCHEMA_TABLE);
    to->text(table, "title", "Entanglement in its two forms (lower is better)");
    hl_item *rows = to->list(table, "rows", HL_TABLE);
    for (entanglement_form form = BY_HEADS; form < FORMS; ++form) {
        for (size_t i = 0; i < self->places; ++i) add_row(self, form, i, rows);
    }
}

static void show_series(const scoring *self, entanglement_form which, bool shuffled, hl_item *list) {
    static const char *const keys[] = {"y", "low", "high"};
    const hl_result *to = self->finding->result;
    char room[32];
    hl_item *series = to->map(list, NULL);
    to->text(series, "name", shuffled ? "labels shuffled over the heads" : "labels as given");
    if (shuffled) to->truth(series, "reference", true);
    hl_item *points = to->list(series, "points", HL_TABLE);
    for (size_t i = 0; i < self->places; ++i) {
        hl_item *point = to->map(points, NULL);
        to->text(point, "x", place_name(self, i, room));
        add_interval(to, point, keys,
                     shuffled ? self->entangled[which][i].shuffled : given_at(self, which, i));
    }
}

static void show_chart(const scoring *self, entanglement_form which) {
    hl_result *to = self->finding->result;
    hl_item *chart = to->item(to, HL_SCHEMA_CHART);
    to->text(chart, "title", words[which].chart);
    to->text(chart, "kind", "bar");
    to->text(chart, "x", "layer");
    to->text(chart, "y", words[which].axis);
    hl_item *list = to->list(chart, "series", HL_LIST);
    show_series(self, which, false, list);
    if (self->settings.permutations > 0) show_series(self, which, true, list);
}

/* In how many of the labellings that name the head another one of its layer has its property; NAN: none
 * names it. */
static double share_of_head(const labellings *of, size_t head) {
    size_t named_by = 0, shared = 0, layer = of->heads.layer[head];
    for (size_t run = 0; run < of->count; ++run) {
        const size_t *property = of->of_head + run * of->heads.count;
        bool found = false;
        if (property[head] == NO_PROPERTY) continue;
        for (size_t i = of->heads.first[layer]; i < of->heads.first[layer + 1]; ++i) {
            found = found || (i != head && property[i] == property[head]);
        }
        ++named_by;
        shared += found;
    }
    return named_by > 0 ? (double)shared / (double)named_by : (double)NAN;
}

static void show_map(const scoring *self) {
    hl_result *to = self->finding->result;
    hl_item *map = to->item(to, HL_SCHEMA_HEAD_MAP);
    to->text(map, "title", "Entangled heads: another head of the layer has the same property");
    hl_item *rows = to->list(map, "heads", HL_TABLE);
    for (size_t i = 0; i < self->of.heads.count; ++i) {
        double share = share_of_head(&self->of, i);
        if (isnan(share)) continue;
        hl_item *row = to->map(rows, NULL);
        to->text(row, "head", self->of.heads.names[i]);
        to->number(row, "value", share);
    }
    to->number(map, "low", 0);
    to->number(map, "high", 1);
}

static bool pairs_have_intervals(const agreements *of) {
    bool all = true;
    for (size_t i = 0; i < of->count; ++i) {
        all = all && (isnan(of->pairs[i].value) || of->pairs[i].low <= of->pairs[i].high);
    }
    return all;
}

static void add_pair(const scoring *self, size_t one, size_t other, size_t pair, hl_item *rows) {
    static const char *const keys[] = {"value", "low", "high"};
    const hl_result *to = self->finding->result;
    interval kappa = self->agreements.pairs[pair];
    if (isnan(kappa.value)) return;
    if (!pairs_have_intervals(&self->agreements)) kappa.low = kappa.high + 1;
    hl_item *row = to->map(rows, NULL);
    to->text(row, "one", self->of.names[one]);
    to->text(row, "other", self->of.names[other]);
    to->whole(row, "heads", (int64_t)self->agreements.seen[pair].heads);
    to->number(row, "agreement", self->agreements.seen[pair].share);
    add_interval(to, row, keys, kappa);
}

static void show_agreements(const scoring *self) {
    hl_result *to = self->finding->result;
    if (self->of.count < 2) return;
    hl_item *table = to->item(to, HL_SCHEMA_TABLE);
    to->text(table, "title",
             "Agreement of labellings on the heads that both name, and Cohen's kappa (value)");
    hl_item *rows = to->list(table, "rows", HL_TABLE);
    size_t pair = 0;
    for (size_t one = 0; one < self->of.count; ++one) {
        for (size_t other = one + 1; other < self->of.count; ++other)
            add_pair(self, one, other, pair++, rows);
    }
}

/* ---- all together ---- */

static hl_status open_scores(scoring *self, hl_error *error) {
    const hl_host *host = self->ask->host;
    self->places = self->of.heads.layer_count + 1;
    for (entanglement_form form = BY_HEADS; form < FORMS; ++form) {
        self->entangled[form] = host->allocate(host, self->places, sizeof *self->entangled[form]);
        if (!self->entangled[form]) return hl_no_memory(error, "entanglement");
    }
    return HL_OK;
}

static hl_status score(scoring *self, hl_error *error) {
    const hl_host *host = self->ask->host;
    hl_status status = open_scores(self, error);
    if (status == HL_OK) status = scores_entangle(host, &self->of, &self->settings, self->entangled, error);
    if (status == HL_OK) status = scores_agree(host, &self->of, &self->settings, &self->agreements, error);
    if (status == HL_OK) status = judge_all(self, error);
    if (status != HL_OK) return status;
    show_table(self);
    show_agreements(self);
    for (entanglement_form form = BY_HEADS; form < FORMS; ++form) show_chart(self, form);
    show_map(self);
    return HL_OK;
}

static hl_status score_entanglement(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                                    hl_error *error) {
    scoring self = {.ask = ask,
                    .settings = {.permutations = (size_t)values[PERMUTATIONS]->integer,
                                 .resamples = (size_t)values[RESAMPLES]->integer,
                                 .seed = (uint64_t)values[SEED]->integer},
                    .finding = finding};
    hl_status status = labellings_open(ask, values[HEADS], values[LAYERS], &self.of, error);
    if (status == HL_OK) status = score(&self, error);
    for (entanglement_form form = BY_HEADS; form < FORMS; ++form)
        ask->host->release(ask->host, self.entangled[form]);
    agreements_close(ask->host, &self.agreements);
    labellings_close(&self.of);
    return status;
}

enum { MOST_LABELLINGS = 64 };

static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_VERDICTS,
                                     .from = HL_STEP_LABELS,
                                     .run = score_entanglement,
                                     .from_most = MOST_LABELLINGS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "entanglement", "1.0.0",
              "how far heads of a layer share properties, in two forms, beside shuffled labels"),
    HL_OPTIONS(options),
    .api = &api,
};
